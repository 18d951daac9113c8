// Pool limits of a cluster, read once from Envoy's HttpProtocolOptions (spec destinations.md §1.4, §9.3).
import {
  type Cluster,
  HTTP_PROTOCOL_OPTIONS,
  parseDuration,
  UPSTREAM_PROXY_PROTOCOL_TRANSPORT_SOCKET,
} from '../../xds/index.js';
import type { KeepAlive } from './http2-client.js';

/** Envoy's default: connections idle for an hour are closed. */
const DEFAULT_IDLE_TIMEOUT = 3_600_000;
/** Envoy's default of max_concurrent_streams since 1.36. */
const DEFAULT_MAX_STREAMS = 1024;
/** Envoy's default of both durations is none: Istio writes both. */
const DEFAULT_PING_TIMEOUT = 20_000;

/** Limits of each pool of a cluster. */
export interface PoolSettings {
  /** Milliseconds; 0 = never. */
  readonly idleTimeout: number;
  /** Milliseconds after which a connection takes no more requests and ends when it is idle; 0 = never. */
  readonly maxConnectionDuration: number;
  /** Requests after which a connection is closed; Infinity = no limit. */
  readonly maxRequestsPerConnection: number;
  /** Streams at a time on one HTTP/2 connection; the peer may allow fewer. */
  readonly maxConcurrentStreams: number;
  /** PINGs on HTTP/2 connections; undefined = none. */
  readonly keepAlive: KeepAlive | undefined;
  /** A PROXY header names the client, so that connections are not shared between clients. */
  readonly sendsProxyHeader: boolean;
  /** True when the TLS server name or the checked name is the request's authority, so that pools differ by it. */
  readonly namedByRequest: boolean;
}

/** Envoy's defaults where the cluster says nothing. */
export function readPoolSettings(cluster: Cluster): PoolSettings {
  const options = cluster.typed_extension_protocol_options?.[HTTP_PROTOCOL_OPTIONS];
  const common = options?.common_http_protocol_options;
  const http2 =
    options?.explicit_http_config?.http2_protocol_options ??
    options?.use_downstream_protocol_config?.http2_protocol_options;
  const names = options?.upstream_http_protocol_options;
  const idle = common?.idle_timeout === undefined ? undefined : parseDuration(common.idle_timeout);
  return {
    idleTimeout: idle ?? DEFAULT_IDLE_TIMEOUT,
    maxConnectionDuration: parseDuration(common?.max_connection_duration ?? '') ?? 0,
    maxRequestsPerConnection: common?.max_requests_per_connection || Number.POSITIVE_INFINITY,
    maxConcurrentStreams: http2?.max_concurrent_streams || DEFAULT_MAX_STREAMS,
    keepAlive: readKeepAlive(http2?.connection_keepalive),
    sendsProxyHeader: [
      cluster.transport_socket,
      ...(cluster.transport_socket_matches ?? []).map(({ transport_socket }) => transport_socket),
    ].some((socket) => socket?.name === UPSTREAM_PROXY_PROTOCOL_TRANSPORT_SOCKET),
    namedByRequest: names?.auto_sni === true || names?.auto_san_validation === true,
  };
}

function readKeepAlive(
  configured: { readonly interval?: string; readonly timeout?: string } | undefined,
): KeepAlive | undefined {
  const interval = parseDuration(configured?.interval ?? '') ?? 0;
  if (interval === 0) return undefined;
  return { interval, timeout: parseDuration(configured?.timeout ?? '') ?? DEFAULT_PING_TIMEOUT };
}
