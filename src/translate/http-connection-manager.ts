// The HTTP connection manager of a gateway: everything that MeshConfig, ProxyConfig and node metadata can turn.
// Spec gateway.md §12.1, §12.3-12.5.
import { parseDuration } from '../config/duration.js';
import type { ConnectionSettings, MeshConfig, ProxyConfig } from '../config/model/mesh-config.js';
import type { GatewayProxy } from '../registry/push-context.js';
import {
  CORS_FILTER,
  FAULT_FILTER,
  GRPC_STATS_FILTER,
  GRPC_WEB_FILTER,
  HTTP_CONNECTION_MANAGER,
  type HttpConnectionManager,
  type HttpFilter,
  type NetworkFilter,
  ROUTER_FILTER,
  renderDuration,
} from '../xds/index.js';
import { connectionSetting } from './connection-settings.js';

const SERVER_NAME = 'istio-envoy';

/** What differs from one chain to the next. */
export interface ConnectionManagerInput {
  readonly mesh: MeshConfig;
  readonly proxy: GatewayProxy;
  readonly routeName: string;
  readonly statPrefix: string;
  /** True when the first server of the port says GRPC-WEB. */
  readonly grpcWeb: boolean;
}

/** The last filter of every chain that speaks HTTP. */
export function buildHttpConnectionManager(input: ConnectionManagerInput): NetworkFilter {
  const { mesh, proxy } = input;
  const config = mesh.defaultConfig ?? {};
  const settings = config.connectionSettings ?? {};
  const manager: HttpConnectionManager = {
    stat_prefix: input.statPrefix,
    rds: { config_source: 'ads', route_config_name: input.routeName },
    http_filters: httpFilters(input.grpcWeb, config),
    http_protocol_options: proxy.metadata['HTTP10'] === '1' ? { accept_http_10: true } : {},
    ...http2Options(settings),
    ...commonHttpOptions(settings, proxy),
    ...serverHeader(config),
    use_remote_address: true,
    ...trustedProxies(config),
    ...clientCertificateHeader(config),
    proxy_100_continue: true,
    upgrade_configs: [{ upgrade_type: 'websocket' }],
    ...timeouts(settings),
    ...pathNormalization(mesh, settings),
    ...(config.proxyHeaders?.requestId?.disabled === true ? { generate_request_id: false } : {}),
    ...(config.proxyHeaders?.xForwardedPort?.enabled === true ? { append_x_forwarded_port: true } : {}),
    request_id_extension: { typed_config: { use_request_id_for_trace_sampling: true } },
  };
  return { name: HTTP_CONNECTION_MANAGER, typed_config: manager };
}

function httpFilters(grpcWeb: boolean, config: ProxyConfig): readonly HttpFilter[] {
  const silent = config.proxyHeaders?.envoyDebugHeaders?.disabled === true;
  return [
    ...(grpcWeb ? [{ name: GRPC_WEB_FILTER, typed_config: {} }] : []),
    { name: GRPC_STATS_FILTER },
    { name: FAULT_FILTER, typed_config: {} },
    { name: CORS_FILTER, typed_config: {} },
    silent ? { name: ROUTER_FILTER, typed_config: { suppress_envoy_headers: true } } : { name: ROUTER_FILTER },
  ];
}

function http2Options(settings: ConnectionSettings): Pick<HttpConnectionManager, 'http2_protocol_options'> {
  const streams = connectionSetting(settings, 'httpMaxConcurrentStreams');
  const streamWindow = connectionSetting(settings, 'http2InitialStreamWindowSize');
  const connectionWindow = connectionSetting(settings, 'http2InitialConnectionWindowSize');
  if (streams === undefined && streamWindow === undefined && connectionWindow === undefined) return {};
  return {
    http2_protocol_options: {
      ...(streams === undefined ? {} : { max_concurrent_streams: streams }),
      ...(streamWindow === undefined ? {} : { initial_stream_window_size: streamWindow }),
      ...(connectionWindow === undefined ? {} : { initial_connection_window_size: connectionWindow }),
    },
  };
}

function commonHttpOptions(
  settings: ConnectionSettings,
  proxy: GatewayProxy,
): Pick<HttpConnectionManager, 'common_http_protocol_options'> {
  const idle = connectionSetting(settings, 'httpIdleTimeout') ?? parseDuration(proxy.metadata['IDLE_TIMEOUT'] ?? '');
  const underscores = connectionSetting(settings, 'httpHeadersWithUnderscoresAction');
  if (idle === undefined && underscores === undefined) return {};
  return {
    common_http_protocol_options: {
      ...(idle === undefined ? {} : { idle_timeout: renderDuration(idle) }),
      ...(underscores === undefined ? {} : { headers_with_underscores_action: underscores }),
    },
  };
}

function timeouts(
  settings: ConnectionSettings,
): Pick<HttpConnectionManager, 'stream_idle_timeout' | 'request_timeout' | 'request_headers_timeout'> {
  const request = connectionSetting(settings, 'httpRequestTimeout');
  const headers = connectionSetting(settings, 'httpRequestHeadersTimeout');
  return {
    // Written even at its default: unset would be Envoy's five minutes.
    stream_idle_timeout: renderDuration(connectionSetting(settings, 'httpStreamIdleTimeout') ?? 0),
    ...(request === undefined ? {} : { request_timeout: renderDuration(request) }),
    ...(headers === undefined ? {} : { request_headers_timeout: renderDuration(headers) }),
  };
}

function pathNormalization(
  mesh: MeshConfig,
  settings: ConnectionSettings,
): Pick<HttpConnectionManager, 'normalize_path' | 'merge_slashes' | 'path_with_escaped_slashes_action'> {
  const level = mesh.pathNormalization ?? 'DEFAULT';
  const mergesByLevel = level === 'MERGE_SLASHES' || level === 'DECODE_AND_MERGE_SLASHES';
  const merge = connectionSetting(settings, 'httpMergeSlashes') ?? mergesByLevel;
  const escaped = level === 'DECODE_AND_MERGE_SLASHES' ? 'UNESCAPE_AND_FORWARD' : 'KEEP_UNCHANGED';
  return {
    normalize_path: level !== 'NONE',
    ...(merge ? { merge_slashes: true } : {}),
    path_with_escaped_slashes_action: connectionSetting(settings, 'httpPathWithEscapedSlashesAction') ?? escaped,
  };
}

function serverHeader(
  config: ProxyConfig,
): Pick<HttpConnectionManager, 'server_name' | 'server_header_transformation'> {
  const server = config.proxyHeaders?.server;
  if (server?.disabled === true) return { server_header_transformation: 'PASS_THROUGH' };
  return { server_name: server?.value === undefined || server.value === '' ? SERVER_NAME : server.value };
}

function trustedProxies(config: ProxyConfig): Pick<HttpConnectionManager, 'xff_num_trusted_hops'> {
  const hops = config.gatewayTopology?.numTrustedProxies ?? 0;
  return hops === 0 ? {} : { xff_num_trusted_hops: hops };
}

// `proxyHeaders.forwardedClientCert` and `.setCurrentClientCertDetails` are for sidecars: a gateway has its topology.
function clientCertificateHeader(
  config: ProxyConfig,
): Pick<HttpConnectionManager, 'forward_client_cert_details' | 'set_current_client_cert_details'> {
  const written = config.gatewayTopology?.forwardClientCertDetails;
  // UNDEFINED is no value of Envoy's and means Istio's default for gateways.
  const details = written === undefined || written === 'UNDEFINED' ? 'SANITIZE_SET' : written;
  if (details !== 'SANITIZE_SET' && details !== 'APPEND_FORWARD') return { forward_client_cert_details: details };
  return {
    forward_client_cert_details: details,
    set_current_client_cert_details: { subject: true, cert: true, dns: true, uri: true },
  };
}
