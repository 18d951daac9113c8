// The extension names that Envoy uses as discriminators, and the SDS names that mean something to more than one stage.
// Constants, so that a misspelling does not compile.

export const TLS_INSPECTOR = 'envoy.filters.listener.tls_inspector';
export const PROXY_PROTOCOL = 'envoy.filters.listener.proxy_protocol';
export const HTTP_CONNECTION_MANAGER = 'envoy.filters.network.http_connection_manager';
export const TCP_PROXY = 'envoy.filters.network.tcp_proxy';
export const MONGO_PROXY = 'envoy.filters.network.mongo_proxy';
export const TLS_TRANSPORT_SOCKET = 'envoy.transport_sockets.tls';
export const RAW_BUFFER_TRANSPORT_SOCKET = 'envoy.transport_sockets.raw_buffer';
export const UPSTREAM_PROXY_PROTOCOL_TRANSPORT_SOCKET = 'envoy.transport_sockets.upstream_proxy_protocol';
export const GRPC_WEB_FILTER = 'envoy.filters.http.grpc_web';
export const GRPC_STATS_FILTER = 'envoy.filters.http.grpc_stats';
export const FAULT_FILTER = 'envoy.filters.http.fault';
export const CORS_FILTER = 'envoy.filters.http.cors';
export const ROUTER_FILTER = 'envoy.filters.http.router';
export const HTTP_PROTOCOL_OPTIONS = 'envoy.extensions.upstreams.http.v3.HttpProtocolOptions';
export const PREVIOUS_HOSTS_PREDICATE = 'envoy.retry_host_predicates.previous_hosts';
export const PREVIOUS_PRIORITIES = 'envoy.retry_priorities.previous_priorities';

/** SDS name of the operating system's trust store (spec destinations.md §7.1). */
export const SYSTEM_ROOTS = 'file-root:system';
/** Ours: `Snapshot.secrets` holds the text of `crl.filename`, which Envoy reads from a file, under this and its path. */
export const CRL_FILE_PREFIX = 'file-crl:';

/** Begins the name of the virtual host that istiod writes where a route table would have none. */
export const BLACKHOLE = 'blackhole:';

/** True for that virtual host: no host of the configuration stands behind it. */
export function isBlackhole({ name }: { readonly name: string }): boolean {
  return name.startsWith(BLACKHOLE);
}
