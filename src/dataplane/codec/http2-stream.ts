// One HTTP/2 request and its response over a node:http2 stream.
import http2 from 'node:http2';
import { Readable } from 'node:stream';
import { toHttp2Headers, withoutPseudoHeaders } from './http2-headers.js';
import type {
  RequestHead,
  ResponseHead,
  ServerStream,
  ServerStreamListener,
  ServerTunnel,
  StreamFailure,
} from './stream.js';

const { NGHTTP2_INTERNAL_ERROR, NGHTTP2_NO_ERROR, NGHTTP2_PROTOCOL_ERROR, NGHTTP2_REFUSED_STREAM } = http2.constants;
const NO_TRAILERS: readonly string[] = [];

/** The connection, as a stream needs it. */
export interface Http2StreamOwner {
  /** The socket is gone or half-closed. */
  readonly isLost: boolean;
  /** The client broke the protocol. */
  readonly isBroken: boolean;
  /** The stream is over. */
  forget(stream: Http2Stream): void;
}

/** Request and response of one stream id; tells a reset by the client from a lost connection and from a broken protocol. */
export class Http2Stream implements ServerStream {
  readonly head: RequestHead;
  readonly body: Readable;
  private readonly codec: Http2StreamOwner;
  private readonly stream: http2.ServerHttp2Stream;
  private listener: ServerStreamListener | undefined = undefined;
  private requestTrailers: readonly string[] = NO_TRAILERS;
  private responseTrailers: readonly string[] = NO_TRAILERS;
  private responded = false;
  private ended = false;
  /** Nothing of the response waits for the client any more; 'close' follows some turns of the event loop later. */
  private sent = false;
  private over = false;

  constructor(
    codec: Http2StreamOwner,
    stream: http2.ServerHttp2Stream,
    headers: http2.IncomingHttpHeaders,
    raw: readonly string[],
    endStream: boolean,
  ) {
    this.codec = codec;
    this.stream = stream;
    this.head = readHead(headers, raw, endStream);
    this.body = endStream ? Readable.from([]) : stream;
    if (endStream) stream.resume();
    stream.on('trailers', (_headers: http2.IncomingHttpHeaders, _flags: number, ...rest: unknown[]) => {
      if (Array.isArray(rest[0])) this.requestTrailers = withoutPseudoHeaders(rest[0]);
    });
    stream.on('drain', () => {
      if (!this.over) this.listener?.onDrain();
    });
    stream.on('wantTrailers', () => {
      if (!this.ended || this.isGone) return;
      this.sent = this.attempt(() => stream.sendTrailers(toHttp2Headers(this.responseTrailers)));
    });
    stream.on('error', () => {}); // 'close' tells all
    stream.on('close', () => this.onClose());
  }

  get requestComplete(): boolean {
    return this.head.endStream || this.stream.readableEnded;
  }

  /** The response has been written to its end: a client that leaves now has got it all, and it counts as complete. */
  get isComplete(): boolean {
    return this.sent && this.requestComplete;
  }

  get trailers(): readonly string[] {
    return this.requestTrailers;
  }

  listen(listener: ServerStreamListener): void {
    this.listener = listener;
  }

  informational(status: number, headers: readonly string[]): void {
    if (this.over || this.responded || this.isGone) return;
    this.attempt(() => this.stream.additionalHeaders({ ':status': status, ...toHttp2Headers(headers) }));
  }

  respond(head: ResponseHead, endStream: boolean): void {
    if (this.over || this.responded || this.isGone) return;
    this.responded = true;
    this.ended = endStream;
    const isOut = this.attempt(() =>
      this.stream.respond(
        { ':status': head.status, ...toHttp2Headers(head.headers) },
        // Even where no trailers can come: a reset would else end the stream regularly first, and look complete.
        { endStream, waitForTrailers: !endStream, ...NO_DATE },
      ),
    );
    if (!isOut) return;
    // A response before the end of the request: RST_STREAM NO_ERROR behind it (spec dataplane.md §3.4).
    if (endStream) {
      this.sent = true;
      // Not in the same turn: Node 22 would send the RST_STREAM alone.
      setImmediate(() => this.closeEarly());
    }
  }

  write(chunk: Uint8Array): boolean {
    if (this.over || this.isGone || chunk.length === 0 || this.stream.writableEnded) return true;
    return this.stream.write(chunk);
  }

  end(trailers: readonly string[]): void {
    if (this.over || this.ended || this.isGone) return;
    this.ended = true;
    this.responseTrailers = trailers;
    this.stream.end(() => this.closeEarly());
  }

  tunnel(): ServerTunnel {
    throw new Error('no upgrades over HTTP/2');
  }

  reset(): void {
    if (this.over) return;
    this.over = true;
    this.codec.forget(this);
    this.stream.close(NGHTTP2_INTERNAL_ERROR);
    this.stream.resume(); // Node keeps a stream that nobody reads
  }

  /** The response is out, and the connection with it. */
  finish(): void {
    if (this.over) return;
    this.over = true;
    this.codec.forget(this);
    this.listener?.onFinished();
  }

  /** From the codec, or from our own 'close'. */
  fail(failure: StreamFailure): void {
    if (this.over) return;
    this.over = true;
    this.codec.forget(this);
    this.listener?.onFailure(failure);
  }

  /** Reset or torn down, though 'close' has not told yet: Node throws on whatever is sent now. */
  private get isGone(): boolean {
    return this.stream.destroyed || this.stream.closed;
  }

  // Node throws on heads that it thinks nobody may send; the stream ends then, never the process.
  private attempt(send: () => void): boolean {
    try {
      send();
      return true;
    } catch {
      this.stream.close(NGHTTP2_INTERNAL_ERROR);
      return false;
    }
  }

  private closeEarly(): void {
    if (this.head.endStream || this.stream.readableEnded || this.stream.destroyed) return;
    this.stream.close(NGHTTP2_NO_ERROR);
    this.stream.resume();
  }

  private onClose(): void {
    if (this.over) return;
    const code = this.stream.rstCode ?? NGHTTP2_NO_ERROR;
    if (this.isComplete || (this.ended && code === NGHTTP2_NO_ERROR)) {
      this.finish();
      return;
    }
    if (this.codec.isBroken) this.fail({ kind: 'protocol', details: 'http2.unknown.nghttp2.error' });
    else if (this.codec.isLost) this.fail({ kind: 'disconnect', details: 'downstream_remote_disconnect' });
    else if (code === NGHTTP2_PROTOCOL_ERROR) {
      // nghttp2's own verdict: a body unlike its length.
      this.fail({ kind: 'protocol', details: 'http2.remote_reset' });
    } else {
      // A turn later: a reset that comes together with the head finds the request on its way upstream in Envoy, and a
      // connection that is being lost closes its streams without a code before it says so.
      setImmediate(() => {
        const lost = code === NGHTTP2_NO_ERROR && this.codec.isLost;
        this.fail(
          lost
            ? { kind: 'disconnect', details: 'downstream_remote_disconnect' }
            : { kind: 'reset', details: resetDetails(code) },
        );
      });
    }
  }
}

/** Node's typings know `sendDate` for requests only. */
const NO_DATE: object = { sendDate: false };

/** Details of a client's RST_STREAM; NO_ERROR has neither flag nor details (spec dataplane.md §3.9). */
function resetDetails(code: number): string {
  if (code === NGHTTP2_NO_ERROR) return '';
  return code === NGHTTP2_REFUSED_STREAM ? 'http2.remote_refuse' : 'http2.remote_reset';
}

// `:authority` wins over Host, which is used where there is no `:authority` (spec dataplane.md §3.9).
function readHead(headers: http2.IncomingHttpHeaders, raw: readonly string[], endStream: boolean): RequestHead {
  const pairs: string[] = [];
  let host: string | undefined;
  for (let i = 0; i < raw.length; i += 2) {
    const name = raw[i] as string;
    if (name.charCodeAt(0) === 58) continue;
    if (name === 'host') host = raw[i + 1] as string;
    else pairs.push(name, raw[i + 1] as string);
  }
  return {
    protocol: 'HTTP/2',
    method: headers[':method'] ?? '',
    authority: headers[':authority'] ?? host,
    path: headers[':path'],
    scheme: headers[':scheme'],
    headers: pairs,
    endStream,
  };
}
