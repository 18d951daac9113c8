// One request and its response, as the connection manager sees them (stream.ts).
import { Readable } from 'node:stream';
import type { RequestHead, ResponseHead, ServerStream, ServerStreamListener, ServerTunnel } from '../stream.js';
import { ERROR } from './constants.js';
import { SessionStream, type StreamEnd } from './session-stream.js';
import type { SessionWriter } from './session-writer.js';

const NO_TRAILERS: readonly string[] = [];

/** The connection, as its streams need it. */
export interface ServerStreamOwner {
  /** The stream is over; `wasPremature`: the client reset it before there was any answer. */
  streamOver(stream: Http2ServerStream, wasPremature: boolean): void;
}

/** A request's body: what its reader has not taken holds the client's window back. */
class RequestBody extends Readable {
  private readonly session: SessionWriter;
  private readonly stream: SessionStream;

  constructor(session: SessionWriter, stream: SessionStream) {
    super();
    this.session = session;
    this.stream = stream;
  }

  get waiting(): number {
    return this.readableLength;
  }

  override _read(): void {
    const { unconsumed } = this.stream;
    if (unconsumed === 0) return;
    this.stream.unconsumed = 0;
    this.session.consume(this.stream, unconsumed);
  }
}

export class Http2ServerStream extends SessionStream implements ServerStream {
  readonly head: RequestHead;
  readonly body: RequestBody;
  trailers: readonly string[] = NO_TRAILERS;
  /** When it began, in the owner's milliseconds. */
  readonly startedAt: number;
  private readonly session: SessionWriter;
  private readonly owner: ServerStreamOwner;
  private listener: ServerStreamListener | undefined = undefined;
  /** Nothing more is told to the listener. */
  private over = false;

  constructor(
    id: number,
    sendWindow: number,
    head: RequestHead,
    session: SessionWriter,
    owner: ServerStreamOwner,
    startedAt: number,
  ) {
    super(id, sendWindow);
    this.head = head;
    this.session = session;
    this.owner = owner;
    this.startedAt = startedAt;
    this.body = new RequestBody(session, this);
    if (head.endStream) this.body.push(null);
  }

  get requestComplete(): boolean {
    return this.remoteEnded;
  }

  listen(listener: ServerStreamListener): void {
    this.listener = listener;
  }

  informational(status: number, headers: readonly string[]): void {
    if (this.over || this.headSent) return;
    this.session.sendHeaders(this, [':status', String(status)], headers, false);
    this.headSent = false; // the final one is still to come
  }

  respond(head: ResponseHead, endStream: boolean): void {
    if (this.over || this.headSent) return;
    this.session.sendHeaders(this, [':status', String(head.status)], head.headers, endStream);
  }

  write(chunk: Uint8Array): boolean {
    return this.over ? true : this.session.sendData(this, chunk);
  }

  end(trailers: readonly string[]): void {
    if (!this.over) this.session.sendEnd(this, trailers);
  }

  tunnel(): ServerTunnel {
    throw new Error('no upgrades over HTTP/2');
  }

  reset(): void {
    if (this.over) return;
    this.over = true;
    this.session.sendReset(this, ERROR.INTERNAL_ERROR);
    this.owner.streamOver(this, false);
  }

  override onData(chunk: Buffer): boolean {
    return this.over ? true : this.body.push(chunk);
  }

  override onTrailers(trailers: string[]): void {
    this.trailers = trailers;
  }

  override onRemoteEnd(): void {
    this.body.push(null);
  }

  override onDrain(): void {
    if (!this.over) this.listener?.onDrain();
  }

  override onSent(): void {
    if (this.over) return;
    this.over = true;
    this.owner.streamOver(this, false);
    this.listener?.onFinished();
  }

  override onEnded(end: StreamEnd): void {
    if (this.over) return;
    this.over = true;
    this.owner.streamOver(this, end.by === 'peer' && !this.headSent);
    // A turn later: what ends a request that came in the same bytes finds it on its way upstream in Envoy, and logs that.
    setImmediate(() => this.fail(end));
  }

  /** The client is gone, or the connection was given up from our side. */
  lose(kind: 'disconnect' | 'local', details: string): void {
    if (this.over) return;
    this.over = true;
    this.owner.streamOver(this, false);
    this.listener?.onFailure({ kind, details });
  }

  private fail(end: StreamEnd): void {
    if (end.by === 'connection') {
      this.listener?.onFailure({ kind: 'protocol', details: end.details });
    } else {
      // Whoever sent it: PROTOCOL_ERROR counts as a broken protocol (spec dataplane.md §3.9).
      const kind = end.code === ERROR.PROTOCOL_ERROR ? 'protocol' : 'reset';
      this.listener?.onFailure({ kind, details: end.details === '' ? resetDetails(end.code) : end.details });
    }
  }
}

/** Details of a client's RST_STREAM; NO_ERROR has neither flag nor details (spec dataplane.md §3.9). */
function resetDetails(code: number): string {
  if (code === ERROR.NO_ERROR) return '';
  return code === ERROR.REFUSED_STREAM ? 'http2.remote_refuse' : 'http2.remote_reset';
}
