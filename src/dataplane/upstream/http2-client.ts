// An upstream HTTP/2 connection over node:http2: prior knowledge, or TLS with `h2` (spec destinations.md §9.1).
// Turns sessions and streams into UpstreamStream callbacks and reset codes into Envoy's reasons (spec dataplane.md §4.2).
import http2 from 'node:http2';
import type net from 'node:net';
import { addHttp2Header, emptyHttp2Headers, toHttp2Headers, withoutPseudoHeaders } from '../codec/http2-headers.js';
import type { ResetReason, UpstreamRequestHead, UpstreamStream, UpstreamStreamListener } from './http-stream.js';

/** Envoy's limits for responses: `:status` counts as one of the 100 headers (spec dataplane.md §5.3). */
const MAX_HEADERS = 100;
const STREAM_WINDOW = 16 * 1024 * 1024;
const CONNECTION_WINDOW = 24 * 1024 * 1024;
const NO_TRAILERS: readonly string[] = [];
const { NGHTTP2_CANCEL, NGHTTP2_NO_ERROR, NGHTTP2_PROTOCOL_ERROR, NGHTTP2_REFUSED_STREAM, NGHTTP2_FLAG_END_STREAM } =
  http2.constants;

/** The pool. */
export interface Http2ConnectionOwner {
  /** A stream is over; another one may start if `canTake()`. */
  onStreamOver(connection: Http2Connection): void;
  /** No further stream will be taken (GOAWAY, closed). May be called more than once. */
  onClosed(connection: Http2Connection): void;
}

/** Made over a socket that is connected; speaks with prior knowledge whatever ALPN said (spec destinations.md §9.1). */
export class Http2Connection {
  readonly localAddress: string;
  /** Streams begun so far. */
  served = 0;
  active = 0;
  private readonly session: http2.ClientHttp2Session;
  private readonly owner: Http2ConnectionOwner;
  private readonly maxStreams: number;
  private draining = false;
  /** The peer spoke no HTTP/2, or broke its rules: streams end with 'protocol error'. */
  private broken = false;
  private gone = false;

  constructor(socket: net.Socket, localAddress: string, maxStreams: number, owner: Http2ConnectionOwner) {
    this.localAddress = localAddress;
    this.maxStreams = maxStreams;
    this.owner = owner;
    this.session = http2.connect('http://upstream.invalid', {
      createConnection: () => socket,
      settings: { enablePush: false, initialWindowSize: STREAM_WINDOW },
      maxHeaderListPairs: 1000, // counted here, so that the reason is Envoy's
      maxSessionMemory: 1000,
    });
    // Sockets are half-open capable; a peer that has ended will not answer any more.
    socket.on('end', () => {
      this.gone = true;
      socket.destroy();
    });
    this.session.on('connect', () => this.session.setLocalWindowSize(CONNECTION_WINDOW));
    this.session.on('goaway', () => this.stopTaking());
    this.session.on('error', () => this.stopTaking());
    this.session.on('close', () => {
      this.gone = true;
      this.stopTaking();
    });
  }

  canTake(): boolean {
    if (this.draining || this.session.closed || this.session.destroyed) return false;
    const remote = this.session.remoteSettings?.maxConcurrentStreams ?? Number.POSITIVE_INFINITY;
    return this.active < Math.min(this.maxStreams, remote);
  }

  begin(head: UpstreamRequestHead, listener: UpstreamStreamListener): UpstreamStream {
    this.served++;
    this.active++;
    return new Http2Exchange(this, this.session, head, listener);
  }

  /** Sends a PING; `answered` is called when its answer comes, and never on a connection that ends first. */
  ping(answered: () => void): void {
    if (this.session.closed || this.session.destroyed) return;
    this.session.ping((error) => {
      if (error === null) answered();
    });
  }

  /** Takes no more streams and ends once the running ones are over. */
  close(): void {
    this.draining = true;
    if (!this.session.destroyed) this.session.close();
  }

  /** From an exchange that is over. */
  finished(): void {
    this.active--;
    this.owner.onStreamOver(this);
  }

  reasonOf(code: number): ResetReason {
    if (this.broken) return 'protocol_error';
    if (this.gone || this.session.destroyed) return 'connection_termination';
    if (code === NGHTTP2_PROTOCOL_ERROR) return 'protocol_error';
    return code === NGHTTP2_REFUSED_STREAM ? 'remote_refused_stream_reset' : 'remote_reset';
  }

  /** From an exchange: nghttp2 could not read what the peer sent. */
  markBroken(): void {
    this.broken = true;
  }

  private stopTaking(): void {
    this.draining = true;
    this.owner.onClosed(this);
  }
}

class Http2Exchange implements UpstreamStream {
  private readonly connection: Http2Connection;
  private readonly listener: UpstreamStreamListener;
  private readonly stream: http2.ClientHttp2Stream | undefined;
  private trailers: readonly string[] = NO_TRAILERS;
  private requestTrailers: readonly string[] = NO_TRAILERS;
  private answered = false;
  private responseEnded = false;
  private over = false;

  constructor(
    connection: Http2Connection,
    session: http2.ClientHttp2Session,
    head: UpstreamRequestHead,
    listener: UpstreamStreamListener,
  ) {
    this.connection = connection;
    this.listener = listener;
    this.stream = this.open(session, head);
  }

  write(chunk: Uint8Array): boolean {
    if (this.over || this.stream === undefined || this.stream.writableEnded) return true;
    return this.stream.write(chunk);
  }

  end(trailers: readonly string[] = NO_TRAILERS): void {
    if (this.over || this.stream === undefined || this.stream.writableEnded) return;
    this.requestTrailers = trailers;
    this.stream.end();
  }

  pause(): void {
    this.stream?.pause();
  }

  resume(): void {
    this.stream?.resume();
  }

  reset(): void {
    if (this.over) return;
    this.finish();
    this.stream?.close(NGHTTP2_CANCEL);
    this.stream?.resume(); // Node keeps a stream that nobody reads
  }

  private open(session: http2.ClientHttp2Session, head: UpstreamRequestHead): http2.ClientHttp2Stream | undefined {
    let stream: http2.ClientHttp2Stream;
    try {
      stream = session.request(requestHeaders(head), { endStream: head.endStream, waitForTrailers: !head.endStream });
    } catch {
      // Node refuses some header combinations that nghttp2 would carry; the closest of Envoy's outcomes is a local reset.
      queueMicrotask(() => this.fail('local_reset'));
      return undefined;
    }
    stream.on('wantTrailers', () => stream.sendTrailers(toHttp2Headers(this.requestTrailers)));
    stream.on('continue', () => this.listener.onInformational(100, []));
    stream.on('headers', (headers: http2.IncomingHttpHeaders, _flags: number, raw: string[]) => {
      const status = Number(headers[':status']);
      if (status !== 100) this.listener.onInformational(status, withoutPseudoHeaders(raw)); // 100 has its own event
    });
    stream.on('response', (headers, flags, ...rest: unknown[]) => this.onResponse(headers, flags, rest[0]));
    stream.on('trailers', (_headers: http2.IncomingHttpHeaders, _flags: number, ...rest: unknown[]) => {
      this.trailers = Array.isArray(rest[0]) ? withoutPseudoHeaders(rest[0]) : NO_TRAILERS;
    });
    stream.on('drain', () => {
      if (!this.over) this.listener.onDrain();
    });
    stream.on('end', () => this.onEnd());
    // 'close' follows and tells the rest; only bytes that were no HTTP/2 show here first.
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'ERR_HTTP2_ERROR') this.connection.markBroken();
    });
    stream.on('close', () => this.fail(this.connection.reasonOf(stream.rstCode ?? NGHTTP2_NO_ERROR)));
    return stream;
  }

  private onResponse(headers: http2.IncomingHttpHeaders, flags: number, raw: unknown): void {
    if (this.over || this.stream === undefined) return;
    const lines = Array.isArray(raw) ? raw : flatten(headers);
    if (lines.length > 2 * MAX_HEADERS) {
      this.stream.close(NGHTTP2_PROTOCOL_ERROR);
      this.fail('remote_reset');
      return;
    }
    const endStream = (flags & NGHTTP2_FLAG_END_STREAM) !== 0;
    this.answered = true;
    this.listener.onHead(Number(headers[':status']), withoutPseudoHeaders(lines), endStream);
    if (this.over) return;
    if (endStream) {
      this.stream.resume(); // Node ends a stream only once it has been read
      this.onEnd();
    } else {
      this.stream.on('data', (chunk: Buffer) => {
        if (!this.over) this.listener.onData(chunk);
      });
    }
  }

  private onEnd(): void {
    // 'end' also comes when a stream is torn down; a response that was cut is told by 'close'.
    if (this.over || !this.answered || this.responseEnded || this.stream === undefined || this.stream.aborted) return;
    if ((this.stream.rstCode ?? 0) !== NGHTTP2_NO_ERROR) return;
    this.responseEnded = true;
    const sent = this.stream.writableEnded;
    this.finish();
    if (!sent) this.stream.close(NGHTTP2_CANCEL);
    this.listener.onEnd(this.trailers);
  }

  private fail(reason: ResetReason): void {
    if (this.over) return;
    this.finish();
    this.listener.onReset(reason);
  }

  private finish(): void {
    this.over = true;
    this.connection.finished();
  }
}

function requestHeaders(head: UpstreamRequestHead): http2.OutgoingHttpHeaders {
  const headers = emptyHttp2Headers();
  headers[':method'] = head.method;
  headers[':scheme'] = head.scheme;
  headers[':authority'] = head.authority;
  headers[':path'] = head.path;
  const pairs = head.headers;
  // Cookies too: their crumbs were joined where they came in over HTTP/2 (spec dataplane.md §3.6); lines of HTTP/1 stay lines.
  for (let i = 0; i < pairs.length; i += 2) addHttp2Header(headers, pairs[i] as string, pairs[i + 1] as string);
  return headers;
}

function flatten(headers: http2.IncomingHttpHeaders): string[] {
  const pairs: string[] = [];
  for (const [name, value] of Object.entries(headers)) {
    if (Array.isArray(value)) for (const each of value) pairs.push(name, each);
    else if (value !== undefined) pairs.push(name, value);
  }
  return pairs;
}
