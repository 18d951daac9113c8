// One HTTP/1 request and its response. Knows what a response looks like on the wire; bytes and their order are the
// connection's.
import type {
  ByteSource,
  RequestHead,
  ResponseHead,
  ServerStream,
  ServerStreamListener,
  ServerTunnel,
  StreamFailure,
} from '../stream.js';
import { BodyQueue } from './body-queue.js';
import { chunkStart, LAST_CHUNK, renderResponseHead } from './response-encoder.js';

const NO_TRAILERS: readonly string[] = [];

/** The connection, as a stream needs it. */
export interface Http1StreamOwner {
  /** Text or bytes, in order; they leave together at the end of this turn. */
  send(piece: string | Uint8Array): void;
  /** True when what has been sent should get out first; `onDrain` follows. */
  mustWait(): boolean;
  /** The reader of the body has taken all there was. */
  onBodySpace(): void;
  /** The response is complete. */
  finished(stream: Http1ServerStream): void;
  /** The stream is given up. */
  abandoned(stream: Http1ServerStream): void;
  tunnelDestroy(): void;
}

/** What the connection knows of a request besides its head. */
export interface Http1StreamFacts {
  /** Bytes without end follow: an upgrade or CONNECT. */
  readonly isRaw: boolean;
  /** Answered as HTTP/1.0. */
  readonly isHttp10: boolean;
}

export class Http1ServerStream implements ServerStream {
  readonly head: RequestHead;
  readonly body: ByteSource;
  readonly trailers: readonly string[] = NO_TRAILERS; // dropped on HTTP/1 (spec dataplane.md §3.4)
  readonly isRaw: boolean;
  /** Bytes of the body, or behind an upgrade. */
  readonly incoming: BodyQueue;
  requestComplete: boolean;
  hasResponded = false;
  isTunnel = false;
  /** The response says that the connection ends with it. */
  closesConnection = false;
  /** See `ResponseHead.lingers`. */
  lingers = false;
  private readonly owner: Http1StreamOwner;
  private readonly isHttp10: boolean;
  private listener: ServerStreamListener | undefined = undefined;
  private isChunked = false;
  private over = false;

  constructor(owner: Http1StreamOwner, head: RequestHead, facts: Http1StreamFacts) {
    this.owner = owner;
    this.head = head;
    this.isRaw = facts.isRaw;
    this.isHttp10 = facts.isHttp10;
    this.requestComplete = head.endStream;
    this.incoming = new BodyQueue(() => owner.onBodySpace());
    if (facts.isRaw) {
      // What follows an upgrade is no body; it waits for the tunnel.
      const nothing = new BodyQueue(() => {});
      nothing.end();
      this.body = nothing;
    } else {
      if (head.endStream) this.incoming.end();
      this.body = this.incoming;
    }
  }

  listen(listener: ServerStreamListener): void {
    this.listener = listener;
  }

  informational(status: number, headers: readonly string[]): void {
    if (this.over || this.hasResponded) return;
    this.owner.send(renderResponseHead(status, headers, this.isHttp10));
  }

  respond(head: ResponseHead, endStream: boolean): void {
    if (this.over || this.hasResponded) return;
    this.hasResponded = true;
    this.lingers = head.lingers === true;
    const { headers } = head;
    for (let i = 0; i < headers.length; i += 2) {
      if (headers[i] === 'transfer-encoding') this.isChunked = true;
      else if (headers[i] === 'connection') this.closesConnection = headers[i + 1] === 'close';
    }
    if (this.head.method === 'HEAD') this.isChunked = false;
    this.owner.send(renderResponseHead(head.status, headers, this.isHttp10));
    if (endStream) this.finish();
  }

  write(chunk: Uint8Array): boolean {
    if (this.over || chunk.length === 0 || this.head.method === 'HEAD') return true;
    if (this.isChunked) this.owner.send(chunkStart(chunk.length));
    this.owner.send(chunk);
    if (this.isChunked) this.owner.send('\r\n');
    return !this.owner.mustWait();
  }

  end(_trailers: readonly string[]): void {
    if (this.over) return;
    if (this.isChunked) this.owner.send(LAST_CHUNK);
    this.finish();
  }

  tunnel(head: ResponseHead): ServerTunnel {
    const { owner } = this;
    this.hasResponded = true;
    this.isTunnel = true;
    owner.send(renderResponseHead(head.status, head.headers, this.isHttp10));
    return {
      fromClient: this.incoming,
      write: (chunk) => {
        owner.send(chunk);
        return !owner.mustWait();
      },
      end: () => this.reset(),
      destroy: () => {
        this.over = true;
        owner.tunnelDestroy();
      },
    };
  }

  reset(): void {
    if (this.over) return;
    this.over = true;
    this.incoming.destroy();
    this.owner.abandoned(this);
  }

  /** From the connection: no more of the request will come, and nobody can be answered. */
  fail(failure: StreamFailure): void {
    if (this.over) return;
    this.over = true;
    this.incoming.destroy();
    this.listener?.onFailure(failure);
  }

  /** From the connection: what was sent is out. */
  drained(): void {
    if (!this.over) this.listener?.onDrain();
  }

  /** From the connection, once it has taken note of the end. */
  tellFinished(): void {
    this.listener?.onFinished();
  }

  private finish(): void {
    this.over = true;
    this.owner.finished(this);
  }
}
