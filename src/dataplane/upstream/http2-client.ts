// An upstream HTTP/2 connection: prior knowledge, or TLS with `h2` (spec destinations.md §9.1). Owns the socket of a
// ClientSession, turns its streams into UpstreamStream callbacks and reset codes into Envoy's reasons (spec dataplane.md §4.2).
import type net from 'node:net';
import { ClientSession, type ClientSessionOwner, ClientStream } from '../codec/http2/client-session.js';
import { ERROR } from '../codec/http2/constants.js';
import type { StreamEnd } from '../codec/http2/session-stream.js';
import { SocketWriter } from '../codec/http2/socket-writer.js';
import type { Environment, Timer } from '../environment.js';
import type { ResetReason, UpstreamRequestHead, UpstreamStream, UpstreamStreamListener } from './http-stream.js';

const STREAM_WINDOW = 16 * 1024 * 1024;
const CONNECTION_WINDOW = 24 * 1024 * 1024;
/** How long a connection that is done may take to hand its last bytes to the kernel. */
const LINGER = 1000;
const NO_TRAILERS: readonly string[] = [];

/** PINGs that tell whether the peer is still there, in milliseconds (Envoy's `connection_keepalive`). */
export interface KeepAlive {
  /** Between the last answer and the next PING; up to 15 % more, by chance. */
  readonly interval: number;
  /** The connection is given up when nothing at all has come for that long after a PING. */
  readonly timeout: number;
}

/** What a connection is made with. */
export interface Http2ClientOptions {
  readonly environment: Pick<Environment, 'setTimer' | 'random'>;
  /** Streams at a time; the peer may allow fewer. */
  readonly maxStreams: number;
  readonly keepAlive: KeepAlive | undefined;
}

/** The pool. */
export interface Http2ConnectionOwner {
  /** A stream is over; another one may start if `canTake()`. */
  onStreamOver(connection: Http2Connection): void;
  /** The peer has said how many streams it takes. */
  onMoreStreams(connection: Http2Connection): void;
  /** No further stream will be taken (GOAWAY, closed). May be called more than once. */
  onClosed(connection: Http2Connection): void;
  /** A PING was not answered; the connection is given up. */
  onKeepAliveTimeout(): void;
}

/** Made over a socket that is connected; speaks with prior knowledge whatever ALPN said (spec destinations.md §9.1). */
export class Http2Connection implements ClientSessionOwner {
  readonly localAddress: string;
  /** Streams begun so far. */
  served = 0;
  active = 0;
  private readonly socket: net.Socket;
  private readonly session: ClientSession;
  private readonly writer: SocketWriter;
  private readonly owner: Http2ConnectionOwner;
  private readonly options: Http2ClientOptions;
  private reading = false;
  private draining = false;
  private gone = false;
  private pingTimer: Timer | undefined = undefined;
  private answerTimer: Timer | undefined = undefined;
  /** The answer timer looks here before it gives up: any frame shows that the peer is there. */
  private heardSincePing = false;

  constructor(socket: net.Socket, localAddress: string, options: Http2ClientOptions, owner: Http2ConnectionOwner) {
    this.localAddress = localAddress;
    this.socket = socket;
    this.options = options;
    this.owner = owner;
    this.session = new ClientSession(
      {
        maxConcurrentStreams: options.maxStreams,
        streamWindow: STREAM_WINDOW,
        connectionWindow: CONNECTION_WINDOW,
      },
      this,
    );
    this.writer = new SocketWriter(socket, this.session);
    // Only TLS: a plaintext socket reads through `onread`.
    socket.on('data', (chunk: Buffer) => this.onBytes(chunk));
    socket.on('end', () => this.onLost());
    socket.on('error', () => {}); // 'close' follows
    socket.on('close', () => this.onLost());
    if (socket.isPaused()) socket.resume();
    this.writer.schedule();
    this.armPing();
  }

  canTake(): boolean {
    if (this.draining || this.gone || this.session.dead) return false;
    return this.active < Math.min(this.options.maxStreams, this.session.maxStreams);
  }

  begin(head: UpstreamRequestHead, listener: UpstreamStreamListener): UpstreamStream {
    this.served++;
    this.active++;
    const { session } = this;
    const exchange = new Http2Exchange(this, session, head, listener);
    session.open(exchange, pseudoHeaders(head), headersOf(head), head.endStream);
    return exchange;
  }

  /** Takes no more streams and ends once the running ones are over. */
  close(): void {
    this.draining = true;
    if (this.active === 0) this.shut();
  }

  /** From an exchange that is over. */
  finished(): void {
    this.active--;
    this.owner.onStreamOver(this);
    if (this.draining && this.active === 0 && !this.reading) this.shut();
  }

  requestFlush(): void {
    if (!this.reading) this.writer.schedule();
  }

  onPeerSettings(): void {
    this.owner.onMoreStreams(this);
  }

  onAnyFrame(): void {
    this.heardSincePing = true;
  }

  onPingAck(): void {
    this.answerTimer?.cancel();
    this.answerTimer = undefined;
    this.armPing();
  }

  onGoaway(): void {
    this.stopTaking(); // the connection goes with its last stream, once what came with the GOAWAY is read
  }

  onDead(): void {
    // What waits is the GOAWAY that says why, if anything is said.
    this.draining = true;
    this.endStreams({ by: 'connection', code: ERROR.PROTOCOL_ERROR, details: '' });
  }

  /** From the socket; the chunk is the connection's. */
  onBytes(chunk: Buffer): void {
    if (this.gone) return;
    this.reading = true;
    this.session.push(chunk);
    this.reading = false;
    this.writer.flush();
    if (this.session.dead || (this.draining && this.active === 0)) this.shut();
  }

  private onLost(): void {
    if (this.gone) return;
    this.gone = true;
    this.session.dead = true;
    this.stopTaking();
    this.endStreams({ by: 'connection', code: ERROR.NO_ERROR, details: '' });
    this.stopTimers();
    this.socket.destroy();
  }

  /** Ends the connection; no stream is left. */
  private shut(): void {
    if (this.gone) return;
    this.gone = true;
    this.session.dead = true;
    this.stopTimers();
    this.stopTaking();
    const timer = this.options.environment.setTimer(LINGER, () => this.socket.destroy());
    this.socket.once('close', () => timer.cancel());
    this.socket.destroySoon();
  }

  private endStreams(end: StreamEnd): void {
    const streams = this.session.streams.values();
    this.session.streams.clear();
    for (const stream of streams) stream.onEnded(end);
  }

  private stopTaking(): void {
    this.draining = true;
    this.owner.onClosed(this);
  }

  private armPing(): void {
    const { keepAlive, environment } = this.options;
    if (keepAlive === undefined || this.gone) return;
    this.pingTimer?.cancel();
    const jitter = Math.floor(environment.random() * keepAlive.interval * 0.15);
    this.pingTimer = environment.setTimer(keepAlive.interval + jitter, () => this.ping(keepAlive.timeout));
  }

  private ping(timeout: number): void {
    this.session.sendPing(Buffer.alloc(8));
    this.heardSincePing = false;
    this.awaitAnswer(timeout);
  }

  private awaitAnswer(timeout: number): void {
    this.answerTimer = this.options.environment.setTimer(timeout, () => {
      if (!this.heardSincePing) {
        this.owner.onKeepAliveTimeout();
        this.onLost();
        return;
      }
      this.heardSincePing = false;
      this.awaitAnswer(timeout);
    });
  }

  private stopTimers(): void {
    this.pingTimer?.cancel();
    this.answerTimer?.cancel();
  }
}

class Http2Exchange extends ClientStream implements UpstreamStream {
  private readonly connection: Http2Connection;
  private readonly session: ClientSession;
  private readonly listener: UpstreamStreamListener;
  /** Data that came while the caller asked to wait, and whether the response has ended behind it. */
  private held: Buffer[] | undefined = undefined;
  private ended = false;
  private paused = false;
  private trailers: readonly string[] = NO_TRAILERS;
  private over = false;
  /** What an upgrade asked for; '' = none. */
  private readonly upgrade: string;

  constructor(
    connection: Http2Connection,
    session: ClientSession,
    head: UpstreamRequestHead,
    listener: UpstreamStreamListener,
  ) {
    super(session.takeId(), session.initialSendWindow, head.method === 'HEAD');
    this.connection = connection;
    this.session = session;
    this.listener = listener;
    this.upgrade = upgradeOf(head);
  }

  write(chunk: Uint8Array): boolean {
    return this.over ? true : this.session.sendData(this, chunk);
  }

  end(trailers: readonly string[] = NO_TRAILERS): void {
    if (!this.over) this.session.sendEnd(this, trailers);
  }

  pause(): void {
    this.paused = true;
  }

  resume(): void {
    if (!this.paused) return;
    this.paused = false;
    while (this.held !== undefined && !this.paused && !this.over) {
      const chunk = this.held.shift() as Buffer;
      if (this.held.length === 0) this.held = undefined;
      this.listener.onData(chunk);
    }
    if (this.held !== undefined || this.paused || this.over) return;
    const { unconsumed } = this;
    this.unconsumed = 0;
    this.session.consume(this, unconsumed);
    if (this.ended) this.complete();
  }

  reset(): void {
    if (this.over) return;
    this.session.sendReset(this, ERROR.INTERNAL_ERROR);
    this.finish();
  }

  override onHead(status: number, headers: string[], endStream: boolean): void {
    if (this.over) return;
    if (status >= 100 && status < 200) this.listener.onInformational(status, headers);
    else if (this.upgrade !== '' && status === 200) this.listener.onHead(101, this.asSwitch(headers), false);
    else this.listener.onHead(status, headers, endStream);
  }

  override onData(chunk: Buffer): boolean {
    if (this.over) return true;
    if (this.paused) {
      if (this.held === undefined) this.held = [chunk];
      else this.held.push(chunk);
      return false;
    }
    this.listener.onData(chunk);
    return !this.paused;
  }

  override onTrailers(trailers: string[]): void {
    this.trailers = trailers;
  }

  override onRemoteEnd(): void {
    this.ended = true;
    if (this.held === undefined) this.complete();
  }

  override onDrain(): void {
    if (!this.over) this.listener.onDrain();
  }

  override onSent(): void {}

  override onEnded(end: StreamEnd): void {
    // A response that has come completely is still to be given to a caller who waits.
    if (this.over || (this.ended && this.held !== undefined)) return;
    this.finish();
    this.listener.onReset(reasonOf(end));
  }

  /** The answer to an extended CONNECT in HTTP/1.1's words. */
  private asSwitch(headers: string[]): string[] {
    headers.push('upgrade', this.upgrade, 'connection', 'upgrade');
    return headers;
  }

  private complete(): void {
    if (this.over) return;
    // An answer before the end of the request, or the upstream's end of a tunnel: nobody would read the rest.
    if (!this.localEnded) this.session.sendReset(this, ERROR.INTERNAL_ERROR);
    this.finish();
    this.listener.onEnd(this.trailers);
  }

  private finish(): void {
    this.over = true;
    this.held = undefined;
    this.connection.finished();
  }
}

function reasonOf({ by, code }: StreamEnd): ResetReason {
  if (by === 'connection' && code === ERROR.NO_ERROR) return 'connection_termination';
  switch (code) {
    case ERROR.PROTOCOL_ERROR:
      return 'protocol_error';
    case ERROR.REFUSED_STREAM:
      return 'remote_refused_stream_reset';
    case ERROR.CONNECT_ERROR:
      return 'remote_error_with_CONNECT_request';
    default:
      return 'remote_reset';
  }
}

/** What is asked of an upgrade's `Upgrade` header; '' for ordinary requests. */
function upgradeOf(head: UpstreamRequestHead): string {
  if (!head.upgrade) return '';
  const at = head.headers.indexOf('upgrade');
  return at === -1 ? '' : (head.headers[at + 1] as string);
}

/** An upgrade becomes an extended CONNECT (RFC 8441, spec dataplane.md §3.12). */
function pseudoHeaders(head: UpstreamRequestHead): string[] {
  const target = [':scheme', head.scheme, ':authority', head.authority, ':path', head.path];
  const upgrade = upgradeOf(head);
  return upgrade === '' ? [':method', head.method, ...target] : [':method', 'CONNECT', ...target, ':protocol', upgrade];
}

/**
 * Cookies too stay as they are: their crumbs were joined where they came in over HTTP/2 (spec dataplane.md §3.6), and lines
 * of HTTP/1 stay lines.
 */
function headersOf({ headers, upgrade }: UpstreamRequestHead): readonly string[] {
  if (!upgrade) return headers;
  const kept: string[] = [];
  for (let i = 0; i < headers.length; i += 2) {
    const name = headers[i] as string;
    const value = headers[i + 1] as string;
    if (name !== 'content-length' || value !== '0') kept.push(name, value);
  }
  return kept;
}
