// Messages as Envoy's own configuration writes them: `typed_config` with the type it is of, which the snapshot leaves out.
import {
  CORS_FILTER,
  FAULT_FILTER,
  GRPC_STATS_FILTER,
  GRPC_WEB_FILTER,
  HTTP_CONNECTION_MANAGER,
  HTTP_PROTOCOL_OPTIONS,
  MONGO_PROXY,
  PREVIOUS_HOSTS_PREDICATE,
  PREVIOUS_PRIORITIES,
  PROXY_PROTOCOL,
  RAW_BUFFER_TRANSPORT_SOCKET,
  ROUTER_FILTER,
  TCP_PROXY,
  TLS_INSPECTOR,
  UPSTREAM_PROXY_PROTOCOL_TRANSPORT_SOCKET,
} from '../xds/index.js';

/** A message in proto3 JSON. */
export type Message = { readonly [field: string]: unknown };

export const DOWNSTREAM_TLS = 'envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext';
export const UPSTREAM_TLS = 'envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext';
export const CORS_POLICY = 'envoy.extensions.filters.http.cors.v3.CorsPolicy';

/** Message of an extension's configuration, by the extension's name. TLS has two, see above. */
const TYPES: Readonly<Record<string, string>> = {
  [TLS_INSPECTOR]: 'envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector',
  [PROXY_PROTOCOL]: 'envoy.extensions.filters.listener.proxy_protocol.v3.ProxyProtocol',
  [HTTP_CONNECTION_MANAGER]: 'envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager',
  [TCP_PROXY]: 'envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy',
  [MONGO_PROXY]: 'envoy.extensions.filters.network.mongo_proxy.v3.MongoProxy',
  [GRPC_WEB_FILTER]: 'envoy.extensions.filters.http.grpc_web.v3.GrpcWeb',
  [GRPC_STATS_FILTER]: 'envoy.extensions.filters.http.grpc_stats.v3.FilterConfig',
  [FAULT_FILTER]: 'envoy.extensions.filters.http.fault.v3.HTTPFault',
  [CORS_FILTER]: 'envoy.extensions.filters.http.cors.v3.Cors',
  [ROUTER_FILTER]: 'envoy.extensions.filters.http.router.v3.Router',
  [HTTP_PROTOCOL_OPTIONS]: HTTP_PROTOCOL_OPTIONS,
  [PREVIOUS_HOSTS_PREDICATE]: 'envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate',
  [PREVIOUS_PRIORITIES]: 'envoy.extensions.retry.priority.previous_priorities.v3.PreviousPrioritiesConfig',
  [RAW_BUFFER_TRANSPORT_SOCKET]: 'envoy.extensions.transport_sockets.raw_buffer.v3.RawBuffer',
  // Without a prefix it is the socket inside the PROXY protocol's, as istiod names it.
  raw_buffer: 'envoy.extensions.transport_sockets.raw_buffer.v3.RawBuffer',
  [UPSTREAM_PROXY_PROTOCOL_TRANSPORT_SOCKET]:
    'envoy.extensions.transport_sockets.proxy_protocol.v3.ProxyProtocolUpstreamTransport',
  'envoy.clusters.dynamic_forward_proxy': 'envoy.extensions.clusters.dynamic_forward_proxy.v3.ClusterConfig',
  'envoy.network.dns_resolver.cares': 'envoy.extensions.network.dns_resolver.cares.v3.CaresDnsResolverConfig',
};

/** A message that says which one it is. */
export function typed(type: string, message: object): Message {
  return { '@type': `type.googleapis.com/${type}`, ...message };
}

/** The configuration of a named extension. Throws for one that no part of the translation makes. */
export function extensionConfig(name: string, message: object = {}): Message {
  const type = TYPES[name];
  if (type === undefined) throw new Error(`no message type is known for the extension ${name}`);
  return typed(type, message);
}
