// One downstream connection (spec dataplane.md §3.1, §3.10, §3.11): its codec, its streams, the idle timer, draining.
import type { decideRequest } from '../../decide/decide-request.js';
import type { Codecs } from '../codec/select-codec.js';
import type { CodecRefusal, ServerCodec, ServerCodecListener, ServerStream } from '../codec/stream.js';
import type { DataPlaneContext, DownstreamConnection } from '../downstream-connection.js';
import type { Timer } from '../environment.js';
import { type LiveMember, LiveSet } from '../live-set.js';
import type { Router } from '../router/router.js';
import { StreamInfo } from '../telemetry/stream-info.js';
import { ActiveStream } from './active-stream.js';
import { type ManagerStats, statsOf } from './manager-stats.js';
import { timeoutsOf } from './manager-timeouts.js';
import { StreamIdleTimer } from './stream-idle-timer.js';

/** What all connections share. */
export interface HttpServices {
  readonly context: DataPlaneContext;
  readonly codecs: Codecs;
  readonly router: Router;
  readonly decide: typeof decideRequest;
}

const BUSY = Number.POSITIVE_INFINITY;

/** Made by `createHttpServer` for each accepted connection; `onGone` is called once when it is over. */
export class HttpConnection implements ServerCodecListener, LiveMember {
  place = -1;
  readonly services: HttpServices;
  readonly downstream: DownstreamConnection;
  private readonly onGone: () => void;
  private readonly idleTimeout: number;
  /** Read now: a socket that is gone does not tell any more. */
  private readonly peerPort: number | undefined;
  private readonly stats: ManagerStats;
  private readonly streams = new LiveSet<ActiveStream>();
  private readonly idleStreams: StreamIdleTimer;
  private codec: ServerCodec | undefined = undefined;
  private idleTimer: Timer | undefined = undefined;
  /** Wall clock milliseconds since which there is no stream. */
  private idleSince = BUSY;
  private requests = 0;
  private isGone = false;

  constructor(services: HttpServices, downstream: DownstreamConnection, onGone: () => void) {
    this.services = services;
    this.downstream = downstream;
    this.onGone = onGone;
    const { connectionIdle, streamIdle } = timeoutsOf(downstream.manager);
    this.idleTimeout = connectionIdle;
    this.idleStreams = new StreamIdleTimer(services.context.environment, streamIdle, this.streams);
    this.peerPort = downstream.socket.remotePort;
    this.stats = statsOf(downstream.manager);
  }

  start(): void {
    const { context, codecs } = this.services;
    const { downstream } = this;
    const settings = {
      environment: context.environment,
      secure: downstream.tls !== undefined,
      manager: downstream.manager,
    };
    this.stats.connectionStarted(settings.secure);
    this.armIdle();
    codecs.serve(downstream.socket, downstream.tls?.alpn ?? '', settings, this, (codec) => {
      this.codec = codec;
    });
    downstream.onDrain(() => this.codec?.drain());
  }

  onRequestBegun(): void {
    this.idleSince = BUSY;
  }

  onStream(stream: ServerStream): void {
    this.idleSince = BUSY;
    this.requests++;
    this.stats.requestStarted(stream.head.protocol === 'HTTP/2');
    const limit = this.downstream.manager.common_http_protocol_options?.max_requests_per_connection ?? 0;
    const isLast = limit > 0 && this.requests >= limit;
    if (isLast && stream.head.protocol === 'HTTP/2') this.codec?.drain();
    const active = new ActiveStream(this, stream, isLast);
    this.streams.add(active);
    this.idleStreams.watch();
    active.start();
  }

  onRefused(refusal: CodecRefusal): void {
    const info = this.newInfo();
    // Nothing of the request is known; Envoy prints the codec's protocol (spec dataplane.md §3.3).
    info.protocol = this.codec?.protocol === 'http2' ? 'HTTP/2' : 'HTTP/1.1';
    info.status = refusal.status;
    info.details = refusal.details;
    if (refusal.flag !== undefined) info.setFlag(refusal.flag);
    info.bytesSent = refusal.bodyBytes;
    this.stats.protocolError(info);
    this.finish(info);
  }

  onClosed(): void {
    if (this.isGone) return;
    this.isGone = true;
    this.idleTimer?.cancel();
    this.idleStreams.stop();
    this.stats.connectionEnded();
    this.onGone();
  }

  /** From a stream that is over: its log line is due. */
  streamOver(stream: ActiveStream): void {
    if (!this.streams.delete(stream)) return;
    this.stats.requestEnded(stream.info);
    this.finish(stream.info);
    if (this.streams.size === 0) this.armIdle();
  }

  /** The end of the drain time: connections without streams are closed, the others after their last stream. */
  closeIdle(): void {
    if (this.codec === undefined) this.downstream.socket.destroy();
    else if (this.streams.size === 0 || this.codec.protocol === 'http2') this.codec.close();
  }

  newInfo(): StreamInfo {
    const { facts, tls } = this.downstream;
    const info = new StreamInfo(this.services.context.environment.now(), this.peerPort);
    info.downstreamLocal = facts.destination;
    info.downstreamRemote = facts.source;
    info.requestedServerName = facts.serverName;
    if (tls !== undefined) {
      info.downstreamTlsVersion = tls.version;
      info.downstreamTlsCipher = tls.cipher;
      info.downstreamPeerSubject = tls.peerCertificate?.subject ?? '';
    }
    return info;
  }

  private finish(info: StreamInfo): void {
    const { context } = this.services;
    info.endTime = context.environment.now();
    context.observer.finished(info);
  }

  private armIdle(): void {
    if (this.idleTimeout === 0) return;
    this.idleSince = this.services.context.environment.now();
    if (this.idleTimer === undefined) this.startIdleTimer(this.idleTimeout);
  }

  /** One timer, which is not moved with each request: it looks how things are when it runs out. */
  private startIdleTimer(milliseconds: number): void {
    const { environment } = this.services.context;
    this.idleTimer = environment.setTimer(milliseconds, () => {
      this.idleTimer = undefined;
      if (this.idleSince === BUSY) return;
      const left = this.idleSince + this.idleTimeout - environment.now();
      if (left > 0) this.startIdleTimer(Math.ceil(left));
      else if (this.codec === undefined) this.downstream.socket.destroy();
      else if (this.codec.protocol === 'http2')
        this.codec.drain(); // announced, closed five seconds later (measured)
      else this.codec.close();
    });
  }
}
