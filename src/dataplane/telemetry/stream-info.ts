// The single mutable record of a stream or connection. Each step fills its own fields; only telemetry reads it.
import type { ResponseFlag, SocketAddress } from '../../xds/index.js';

/** One HTTP request, one TCP connection, or one connection that found no chain. Strings are '' and numbers -1 while unknown. */
export class StreamInfo {
  /** Wall clock milliseconds. */
  startTime: number;
  /** Wall clock milliseconds of the last byte out; -1 while running. */
  endTime = -1;
  method = '';
  path = '';
  /** `x-envoy-original-path`, set by a rewrite. */
  originalPath = '';
  /** 'HTTP/1.1', 'HTTP/2'; '' on TCP. */
  protocol = '';
  status = 0;
  readonly flags: ResponseFlag[] = [];
  details = '';
  connectionTerminationDetails = '';
  upstreamTransportFailureReason = '';
  downstreamTransportFailureReason = '';
  bytesReceived = 0;
  bytesSent = 0;
  upstreamServiceTime = '';
  forwardedFor = '';
  userAgent = '';
  requestId = '';
  authority = '';
  /** `ip:port` as configured, last host tried. */
  upstreamHost = '';
  upstreamCluster = '';
  upstreamLocalAddress = '';
  downstreamLocal: SocketAddress | undefined = undefined;
  downstreamRemote: SocketAddress | undefined = undefined;
  /** The client's port as accepted, before PROXY protocol and x-forwarded-for: which connection this was. */
  readonly peerPort: number;
  requestedServerName = '';
  routeName = '';
  attemptCount = 0;
  downstreamTlsVersion = '';
  downstreamTlsCipher = '';
  downstreamPeerSubject = '';
  upstreamPath = '';
  /** Whole request and response heads for REQ()/RESP() operators of custom formats; flat name/value arrays. */
  requestHeaders: readonly string[] = [];
  responseHeaders: readonly string[] = [];

  constructor(startTime: number, peerPort = -1) {
    this.startTime = startTime;
    this.peerPort = peerPort;
  }

  /** Flags print in the order in which they were first set. */
  setFlag(flag: ResponseFlag): void {
    if (!this.flags.includes(flag)) this.flags.push(flag);
  }
}

/** Where finished streams go: access log and counters. */
export interface StreamObserver {
  finished(info: StreamInfo): void;
  /** A handshake with a client came to nothing, which no log shows. `certificate`: because of the client's certificate. */
  handshakeFailed?(info: StreamInfo, certificate: boolean): void;
}
