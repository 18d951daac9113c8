// One HTTP exchange with an upstream, whatever the protocol: what router and mirrors hold, and what HTTP/1.1 and
// HTTP/2 clients implement (spec dataplane.md §5). Callbacks instead of streams: a proxied request pays for each layer.
import type { ConnectFailure, ConnectFailureReason } from './cluster-manager.js';

/** Envoy's stream reset reasons, spelled as in response code details. */
export type ResetReason =
  | ConnectFailureReason
  | 'connection_termination'
  | 'protocol_error'
  | 'remote_reset'
  | 'remote_refused_stream_reset'
  | 'remote_error_with_CONNECT_request'
  | 'local_reset';

/** What is sent. Header pairs have lower-case names and carry neither `host` nor hop-by-hop headers. */
export interface UpstreamRequestHead {
  readonly method: string;
  readonly path: string;
  readonly authority: string;
  readonly scheme: string;
  /** name, value, name, value … */
  readonly headers: readonly string[];
  /** True when no body follows. */
  readonly endStream: boolean;
  /** True for an upgrade: `connection` and `upgrade` stay in `headers`, and a 101 opens a tunnel. */
  readonly upgrade: boolean;
}

/** The sending side of an exchange, and its brakes. */
export interface UpstreamStream {
  /** False asks the caller to wait for `onDrain`. */
  write(chunk: Uint8Array): boolean;
  /** Ends the request; trailers are dropped towards HTTP/1.1 (spec dataplane.md §3.4). Not for a tunnel. */
  end(trailers?: readonly string[]): void;
  /** Stops and restarts `onData`; calls do not nest. */
  pause(): void;
  resume(): void;
  /** Gives the exchange up; no callback follows. A no-op once it is over. */
  reset(): void;
}

/** Exactly one of `onEnd` and `onReset` is the last call, unless `reset()` came first. */
export interface UpstreamStreamListener {
  /** A 1xx other than an accepted 101. */
  onInformational(status: number, headers: string[]): void;
  /** Header pairs as received, names lower case, hop-by-hop headers included. */
  onHead(status: number, headers: string[], endStream: boolean): void;
  onData(chunk: Buffer): void;
  onEnd(trailers: readonly string[]): void;
  onDrain(): void;
  onReset(reason: ResetReason): void;
}

/** Who waits for a stream. One of the two is called, once, never from within `newStream`. */
export interface StreamRequest {
  readonly head: UpstreamRequestHead;
  readonly listener: UpstreamStreamListener;
  ready(stream: UpstreamStream, info: UpstreamConnectionInfo): void;
  /** `attached` = a connection was there, but a request limit refused it (spec dataplane.md §4.2: the log names the host). */
  failed(failure: ConnectFailure, attached: boolean): void;
}

/** For the access log. */
export interface UpstreamConnectionInfo {
  /** `ip:port` of our end. */
  readonly localAddress: string;
}

/** Connections of one protocol to one host with one set of TLS options. */
export interface UpstreamPool {
  newStream(request: StreamRequest): { cancel(): void };
  /** Ends idle connections now and the others when their exchange is over. */
  close(): void;
}
