// A request's body on its way from the parser to whoever reads it: a queue with a brake, at a fraction of what a Readable
// costs per request. Events come in order, never from within `on` or `resume`.
import type { ByteSource } from '../stream.js';

/** Filled by the connection. */
export class BodyQueue implements ByteSource {
  /** Bytes that wait for the reader. */
  waiting = 0;
  private readonly onSpace: () => void;
  private readonly dataListeners: ((chunk: Buffer) => void)[] = [];
  private readonly endListeners: (() => void)[] = [];
  private chunks: Buffer[] = [];
  private hasEnded = false;
  private isFlowing = false;
  private isScheduled = false;
  private isOver = false;

  /** `onSpace` is called whenever the reader has taken all that waited. */
  constructor(onSpace: () => void) {
    this.onSpace = onSpace;
  }

  on(event: 'data' | 'end', listener: ((chunk: Buffer) => void) | (() => void)): this {
    if (event === 'end') {
      this.endListeners.push(listener as () => void);
    } else {
      this.dataListeners.push(listener);
      this.resume();
    }
    return this;
  }

  pause(): void {
    this.isFlowing = false;
  }

  resume(): void {
    this.isFlowing = true;
    if (this.isScheduled || this.isOver) return;
    this.isScheduled = true;
    process.nextTick(deliver, this);
  }

  push(chunk: Buffer): void {
    if (this.isOver) return;
    if (this.isFlowing && !this.isScheduled && this.chunks.length === 0) {
      this.emitData(chunk);
      return;
    }
    this.chunks.push(chunk);
    this.waiting += chunk.length;
  }

  end(): void {
    this.hasEnded = true;
    if (this.isFlowing && !this.isScheduled && this.chunks.length === 0) this.emitEnd();
  }

  /** Drops what waits; no event follows. */
  destroy(): void {
    this.isOver = true;
    this.chunks = [];
    this.waiting = 0;
  }

  /** From the next tick. */
  deliver(): void {
    this.isScheduled = false;
    while (this.isFlowing && this.chunks.length > 0) {
      const chunk = this.chunks.shift() as Buffer;
      this.waiting -= chunk.length;
      this.emitData(chunk);
    }
    if (!this.isFlowing || this.chunks.length > 0 || this.isOver) return;
    if (this.hasEnded) this.emitEnd();
    else this.onSpace();
  }

  private emitData(chunk: Buffer): void {
    for (const listener of this.dataListeners) listener(chunk);
  }

  private emitEnd(): void {
    if (this.isOver) return;
    this.isOver = true;
    for (const listener of this.endListeners) listener();
  }
}

function deliver(queue: BodyQueue): void {
  queue.deliver();
}
