// HTTP/2 over node:http2 sessions on sockets that we hand over (dependencies.md §4), with Envoy's SETTINGS and limits
// (spec dataplane.md §3.9). What node:http2 decides by itself (which frames end a connection, and how) stays Node's.
import http2 from 'node:http2';
import type net from 'node:net';
import { isLegalAuthority } from '../../filters/http1-head.js';
import type { HttpConnectionManager } from '../../xds/index.js';
import { type CodecSettings, DELAYED_CLOSE } from './codec-settings.js';
import { Http2Stream, type Http2StreamOwner } from './http2-stream.js';
import { keepReading } from './keep-reading.js';
import type { ServerCodec, ServerCodecListener } from './stream.js';

/** Pseudo headers and cookie crumbs count (spec dataplane.md §3.9). */
const MAX_HEADERS = 100;
const MAX_HEADER_BYTES = 60 * 1024;
/** Seconds between the first GOAWAY of a drain and the end of new streams (Envoy's drain_timeout). */
const DRAIN_TIMEOUT = 5000;

const { NGHTTP2_NO_ERROR, NGHTTP2_INTERNAL_ERROR, NGHTTP2_FLAG_END_STREAM } = http2.constants;

/** One HTTP/2 connection over a server session that no server listens for. */
export class Http2Codec implements ServerCodec, Http2StreamOwner {
  readonly protocol = 'http2';
  private readonly session: http2.ServerHttp2Session;
  private readonly socket: net.Socket;
  private readonly settings: CodecSettings;
  private readonly listener: ServerCodecListener;
  private readonly streams = new Set<Http2Stream>();
  private draining = false;
  private closing = false;
  private over = false;
  /** The client broke the protocol: what is still open ends with DPE. */
  private broken = false;

  constructor(socket: net.Socket, settings: CodecSettings, listener: ServerCodecListener) {
    this.socket = socket;
    this.settings = settings;
    this.listener = listener;
    // A lost connection must be known before Node resets the streams, or it would look like RST_STREAM.
    const lost = (): void => this.onConnectionLost();
    socket.prependListener('end', lost);
    socket.prependListener('close', lost);
    socket.on('error', () => {});
    const options = settings.manager.http2_protocol_options ?? {};
    this.session = http2.performServerHandshake(socket, {
      settings: {
        headerTableSize: 4096,
        enableConnectProtocol: false,
        maxConcurrentStreams: options.max_concurrent_streams ?? 1024,
        initialWindowSize: options.initial_stream_window_size ?? 16 * 1024 * 1024,
        maxHeaderListSize: 128 * 1024,
      },
      maxHeaderListPairs: 2000, // above Envoy's, so that we count
      maxSessionMemory: 1000,
    });
    this.session.setLocalWindowSize(options.initial_connection_window_size ?? 24 * 1024 * 1024);
    this.session.on('stream', (stream, headers, flags, ...rest: unknown[]) => {
      this.onStream(stream, headers, flags, Array.isArray(rest[0]) ? rest[0] : []);
    });
    this.session.on('error', () => {
      this.broken = true;
    });
    keepReading(socket, settings.environment);
    this.session.on('close', () => {
      if (this.over) return;
      this.over = true;
      this.listener.onClosed();
    });
  }

  drain(): void {
    if (this.draining || this.session.destroyed) return;
    this.draining = true;
    // Envoy announces first and names the real last stream five seconds later (spec dataplane.md §3.11).
    this.session.goaway(NGHTTP2_NO_ERROR, 2 ** 31 - 1);
    const timer = this.settings.environment.setTimer(DRAIN_TIMEOUT, () => this.close());
    this.session.once('close', () => timer.cancel());
  }

  /** GOAWAY, then the end once the open streams are over. */
  close(): void {
    if (!this.session.destroyed) this.session.close();
  }

  get isLost(): boolean {
    return this.socket.destroyed || this.socket.readableEnded || this.socket.closed;
  }

  get isBroken(): boolean {
    return this.broken;
  }

  /** From a stream that is over. */
  forget(stream: Http2Stream): void {
    this.streams.delete(stream);
  }

  private onStream(
    stream: http2.ServerHttp2Stream,
    headers: http2.IncomingHttpHeaders,
    flags: number,
    raw: string[],
  ): void {
    if (this.closing) return;
    const { ':authority': authority } = headers;
    if (authority !== undefined && (authority === '' || authority.includes('@') || !isLegalAuthority(authority))) {
      this.refuseConnection();
      return;
    }
    const refusal = refusedStream(raw, this.settings.manager);
    if (refusal !== undefined) {
      stream.on('error', () => {});
      stream.close(NGHTTP2_INTERNAL_ERROR);
      this.listener.onRefused({ status: 0, details: refusal, flag: 'DR', bodyBytes: 0 });
      return;
    }
    const endStream = (flags & NGHTTP2_FLAG_END_STREAM) !== 0;
    const ours = new Http2Stream(this, stream, headers, raw, endStream);
    this.streams.add(ours);
    this.listener.onStream(ours);
  }

  /** An invalid header field ends the connection: nothing is said, closed after a second (spec dataplane.md §3.9). */
  private refuseConnection(): void {
    this.closing = true;
    this.listener.onRefused({ status: 0, details: 'http2.invalid.header.field', flag: 'DPE', bodyBytes: 0 });
    const timer = this.settings.environment.setTimer(DELAYED_CLOSE, () => this.session.destroy());
    this.session.once('close', () => timer.cancel());
  }

  private onConnectionLost(): void {
    for (const stream of [...this.streams]) {
      if (stream.isComplete) stream.finish();
      else
        stream.fail(
          this.broken
            ? { kind: 'protocol', details: 'http2.unknown.nghttp2.error' }
            : { kind: 'disconnect', details: 'downstream_remote_disconnect' },
        );
    }
    if (!this.session.destroyed) {
      const timer = this.settings.environment.setTimer(DELAYED_CLOSE, () => {
        this.session.destroy();
        this.socket.destroy(); // a session that has been closed waits for the client to end, who may be long gone
      });
      this.socket.once('close', () => timer.cancel());
      this.session.close();
    }
  }
}

/** Details of a head that costs its stream, not the connection. */
function refusedStream(raw: readonly string[], manager: HttpConnectionManager): string | undefined {
  if (raw.length > 2 * MAX_HEADERS) return 'http2.too_many_headers';
  if (headerBytes(raw) > MAX_HEADER_BYTES) return 'http2.header_list_size_too_large';
  if (manager.common_http_protocol_options?.headers_with_underscores_action !== 'REJECT_REQUEST') return undefined;
  for (let i = 0; i < raw.length; i += 2) if ((raw[i] as string).includes('_')) return 'http2.unexpected_underscore';
  return undefined;
}

function headerBytes(raw: readonly string[]): number {
  let bytes = 0;
  for (const text of raw) bytes += text.length;
  return bytes;
}
