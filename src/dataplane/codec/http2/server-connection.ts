// The socket of a client's HTTP/2 connection: bytes to and from the session, and how the connection ends (spec
// dataplane.md §3.9-§3.11).
import type net from 'node:net';
import type { Timer } from '../../environment.js';
import { type CodecSettings, DELAYED_CLOSE } from '../codec-settings.js';
import type { RequestHead, ServerCodec, ServerCodecListener } from '../stream.js';
import { ERROR } from './constants.js';
import { ServerSession, type ServerSessionOwner } from './server-session.js';
import { Http2ServerStream, type ServerStreamOwner } from './server-stream.js';
import type { SessionStream } from './session-stream.js';
import { SocketWriter } from './socket-writer.js';

/** Between the first GOAWAY of a drain and the one that names the last stream (Envoy's drain_timeout). */
const DRAIN_TIMEOUT = 5000;
/** Envoy's defaults (spec dataplane.md §3.9). */
const MAX_STREAMS = 1024;
const STREAM_WINDOW = 16 * 1024 * 1024;
const CONNECTION_WINDOW = 24 * 1024 * 1024;
/** A client that resets half of so many streams before they are answered is cut off; younger ones than this count. */
const PREMATURE_LIMIT = 500;
const PREMATURE_AGE = 2000;

export class Http2ServerConnection implements ServerCodec, ServerSessionOwner, ServerStreamOwner {
  readonly protocol = 'http2';
  private readonly socket: net.Socket;
  private readonly settings: CodecSettings;
  private readonly listener: ServerCodecListener;
  private readonly session: ServerSession;
  private readonly writer: SocketWriter;
  private readonly timers: Timer[] = [];
  /** The session is reading: what it wants to write goes out when it is done. */
  private reading = false;
  private draining = false;
  /** No new streams; the connection goes with the last of the old ones. */
  private closing = false;
  /** The delayed close has begun. */
  private ending = false;
  private closed = false;
  private closedStreams = 0;
  private prematureResets = 0;

  /** `start` follows, once whoever listens knows the codec. */
  constructor(socket: net.Socket, settings: CodecSettings, listener: ServerCodecListener) {
    this.socket = socket;
    this.settings = settings;
    this.listener = listener;
    const options = settings.manager.http2_protocol_options ?? {};
    this.session = new ServerSession(
      {
        maxConcurrentStreams: options.max_concurrent_streams ?? MAX_STREAMS,
        streamWindow: options.initial_stream_window_size ?? STREAM_WINDOW,
        connectionWindow: options.initial_connection_window_size ?? CONNECTION_WINDOW,
      },
      settings.manager.common_http_protocol_options?.headers_with_underscores_action,
      this,
    );
    this.writer = new SocketWriter(socket, this.session);
    socket.on('end', () => this.onLost());
    socket.on('close', () => this.onClosed());
    socket.on('error', () => {}); // 'close' follows
    socket.on('data', (chunk: Buffer) => this.onBytes(chunk));
  }

  /** `first` is what has been read to choose the codec. */
  start(first: Buffer): void {
    this.onBytes(first);
  }

  drain(): void {
    if (this.draining || this.session.dead) return;
    this.draining = true;
    // Envoy announces first and names the real last stream five seconds later (spec dataplane.md §3.11).
    this.session.sendShutdownNotice();
    this.setTimer(DRAIN_TIMEOUT, () => this.close());
  }

  /** GOAWAY, then the end once the open streams are over. */
  close(): void {
    if (this.closing || this.session.dead) return;
    this.closing = true;
    this.session.sendGoaway();
    this.writer.flush();
    this.closeIfDone();
  }

  now(): number {
    return this.settings.environment.now();
  }

  requestFlush(): void {
    // The session asks while it is being made, before there is a writer: it is read right afterwards.
    if (!this.reading) this.writer.schedule();
  }

  createStream(id: number, sendWindow: number, head: RequestHead): SessionStream {
    return new Http2ServerStream(id, sendWindow, head, this.session, this, this.now());
  }

  onRequest(stream: SessionStream): void {
    this.listener.onStream(stream as Http2ServerStream);
  }

  onRefused(details: string, flag: 'DPE' | 'DR'): void {
    this.listener.onRefused({ status: 0, details, flag, bodyBytes: 0 });
    if (flag === 'DR') this.countStream(false);
  }

  onDead(text: string): void {
    const codecError = `codec_error:${text.replaceAll(' ', '_')}`;
    for (const stream of this.session.streams.values()) {
      const details = stream.details === '' ? codecError : stream.details;
      stream.onEnded({ by: 'connection', code: ERROR.PROTOCOL_ERROR, details });
    }
    this.session.streams.clear();
    this.delayedClose();
  }

  streamOver(stream: Http2ServerStream, wasPremature: boolean): void {
    this.countStream(wasPremature && this.now() - stream.startedAt < PREMATURE_AGE);
    this.closeIfDone();
  }

  private onBytes(chunk: Buffer): void {
    this.reading = true;
    this.session.push(chunk);
    this.reading = false;
    this.writer.flush();
  }

  /** Rapid reset: too many streams were opened only to be reset. */
  private countStream(isPremature: boolean): void {
    this.closedStreams++;
    if (isPremature) this.prematureResets++;
    const of = Math.max(PREMATURE_LIMIT, this.closedStreams);
    if (this.prematureResets * 2 < of || this.closed) return;
    this.loseStreams('local', 'too_many_premature_resets');
    this.socket.destroy();
  }

  private closeIfDone(): void {
    if (this.closing && !this.ending && this.session.streams.size === 0) this.delayedClose();
  }

  /** Waits a second for the client to go first; what it still sends is dropped. */
  private delayedClose(): void {
    if (this.ending) return;
    this.ending = true;
    this.setTimer(DELAYED_CLOSE, () => this.socket.destroySoon());
  }

  /** The client's FIN: it is gone, half-closed or not (spec dataplane.md §3.4). */
  private onLost(): void {
    if (this.session.isInHead && !this.session.dead) {
      this.listener.onRefused({ status: 0, details: 'downstream_remote_disconnect', flag: 'DC', bodyBytes: 0 });
    }
    this.session.dead = true;
    this.loseStreams('disconnect', 'downstream_remote_disconnect');
    this.socket.destroy();
  }

  private loseStreams(kind: 'disconnect' | 'local', details: string): void {
    this.closed = true;
    const streams = this.session.streams.values() as Http2ServerStream[];
    this.session.streams.clear();
    for (const stream of streams) stream.lose(kind, details);
  }

  private onClosed(): void {
    if (!this.session.dead || this.session.streams.size > 0) this.onLost();
    for (const timer of this.timers) timer.cancel();
    this.listener.onClosed();
  }

  private setTimer(milliseconds: number, run: () => void): void {
    this.timers.push(this.settings.environment.setTimer(milliseconds, run));
  }
}
