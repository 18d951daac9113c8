// What the gateway and its stubs noted of a client's connection, found again by the client's port: how `fetch` learns
// what Envoy would have logged and what the upstream saw. Kept only while somebody looks.
import type { StreamInfo, StreamObserver } from '../dataplane/telemetry/stream-info.js';
import type { Received } from '../stub/received.js';

/** A log line, or a handshake that came to nothing and has none. */
export type Note =
  | { readonly kind: 'finished'; readonly info: StreamInfo }
  | { readonly kind: 'handshake'; readonly info: StreamInfo; readonly certificate: boolean };

/** Something that an upstream of ours received, with the port that the gateway dialled it from. */
export interface ReceivedNote {
  readonly received: Received;
  readonly peerPort: number;
}

/** Observes a gateway on behalf of its clients, and passes on what it is told to another observer. */
export class Observation implements StreamObserver {
  private readonly next: StreamObserver | undefined;
  private readonly notes = new Map<number, Note[]>();
  private readonly waiting = new Map<number, () => void>();
  private records: ReceivedNote[] = [];
  private watchers = 0;

  constructor(next?: StreamObserver) {
    this.next = next;
  }

  finished(info: StreamInfo): void {
    this.note(info.peerPort, { kind: 'finished', info });
    this.next?.finished(info);
  }

  handshakeFailed(info: StreamInfo, certificate: boolean): void {
    this.note(info.peerPort, { kind: 'handshake', info, certificate });
    this.next?.handshakeFailed?.(info, certificate);
  }

  /** For the stubs. */
  readonly received = (received: Received, peerPort: number): void => {
    if (this.watchers > 0) this.records.push({ received, peerPort });
  };

  /** Begins to keep notes, until the function that it returns is called. */
  watch(): () => void {
    this.watchers++;
    return () => {
      this.watchers--;
      if (this.watchers > 0) return;
      this.notes.clear();
      this.records = [];
    };
  }

  /** How many records there are: to be passed to `recordsSince` later. */
  get mark(): number {
    return this.records.length;
  }

  recordsSince(mark: number): readonly ReceivedNote[] {
    return this.records.slice(mark);
  }

  /** The notes of one connection, in order. */
  of(port: number): readonly Note[] {
    return this.notes.get(port) ?? [];
  }

  /** Waits until a connection has that many notes; false when `timeout` milliseconds have gone first. */
  async until(port: number, count: number, timeout: number): Promise<boolean> {
    const deadline = Date.now() + timeout;
    while (this.of(port).length < count) {
      const left = deadline - Date.now();
      if (left <= 0) return false;
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, left);
        this.waiting.set(port, () => {
          clearTimeout(timer);
          resolve();
        });
      });
      this.waiting.delete(port);
    }
    return true;
  }

  /** Forgets a connection; its port may come again. */
  forget(port: number): void {
    this.notes.delete(port);
  }

  private note(port: number, note: Note): void {
    if (this.watchers === 0) return;
    const notes = this.notes.get(port);
    if (notes === undefined) this.notes.set(port, [note]);
    else notes.push(note);
    this.waiting.get(port)?.();
  }
}
