// Listeners, filter chains and what hangs on them. Field names are Envoy's proto names, as in a config dump, so that a
// snapshot can be compared with `istioctl proxy-config … -o json` of a real gateway without a mapping.
// `originId` and `label` are ours: they point into the OriginTable and are left out of every published form.

import type { HTTP_CONNECTION_MANAGER, MONGO_PROXY, PROXY_PROTOCOL, TCP_PROXY, TLS_INSPECTOR } from './names.js';
import type { EmptyMessage } from './snapshot.js';
import type { DownstreamTransportSocket } from './transport-socket.js';

/** One listener, with what Envoy made of it: `error` carries Envoy's own text and no listener is bound then. */
export interface ListenerEntry {
  /** `0.0.0.0_8443`, `127.0.0.3_7001`, `unix:///path_0`. */
  readonly name: string;
  readonly state: 'active' | 'warming' | 'error';
  readonly error?: string;
  readonly listener?: Listener;
}

export interface Listener {
  readonly name: string;
  readonly originId?: number;
  readonly address: Address;
  readonly filter_chains: readonly FilterChain[];
  readonly listener_filters?: readonly ListenerFilter[];
  readonly max_connections_to_accept_per_socket_event?: number;
  readonly per_connection_buffer_limit_bytes?: number;
}

export type Address =
  | { readonly socket_address: { readonly address: string; readonly port_value: number } }
  | { readonly pipe: { readonly path: string } };

export type ListenerFilter =
  | { readonly name: typeof TLS_INSPECTOR; readonly typed_config: { readonly initial_read_buffer_size?: number } }
  | { readonly name: typeof PROXY_PROTOCOL; readonly typed_config: EmptyMessage };

export interface FilterChain {
  readonly originId?: number;
  /** Ours, Istio's chains have no name: 'NAMESPACE/GATEWAY:PORTNAME [server names]'. */
  readonly label: string;
  /** Absent for a catch-all chain. */
  readonly filter_chain_match?: FilterChainMatch;
  /** The last one is the HTTP connection manager or the TCP proxy. */
  readonly filters: readonly NetworkFilter[];
  /** Absent for plaintext and passthrough. */
  readonly transport_socket?: DownstreamTransportSocket;
  readonly transport_socket_connect_timeout?: string;
}

export interface FilterChainMatch {
  readonly server_names?: readonly string[];
  readonly application_protocols?: readonly string[];
}

export type NetworkFilter =
  | { readonly name: typeof HTTP_CONNECTION_MANAGER; readonly typed_config: HttpConnectionManager }
  | { readonly name: typeof TCP_PROXY; readonly typed_config: TcpProxy }
  | { readonly name: typeof MONGO_PROXY; readonly typed_config?: EmptyMessage };

export interface TcpProxy {
  /** Set when there is one destination; else `weighted_clusters`. */
  readonly cluster?: string;
  readonly weighted_clusters?: { readonly clusters: readonly { readonly name: string; readonly weight: number }[] };
  readonly idle_timeout?: string;
  /** From `connectionPool.tcp.maxConnectionDuration`: the connection is closed then, whatever passes over it. */
  readonly max_downstream_connection_duration?: string;
  readonly hash_policy?: readonly { readonly source_ip: EmptyMessage }[];
  /** Ours: not in the recordings. */
  readonly stat_prefix?: string;
}

export type ForwardClientCertDetails =
  | 'SANITIZE'
  | 'FORWARD_ONLY'
  | 'APPEND_FORWARD'
  | 'SANITIZE_SET'
  | 'ALWAYS_FORWARD_ONLY';

export interface HttpConnectionManager {
  readonly rds: { readonly config_source: 'ads'; readonly route_config_name: string };
  readonly http_filters: readonly HttpFilter[];
  readonly http_protocol_options: { readonly accept_http_10?: boolean };
  readonly http2_protocol_options?: {
    readonly max_concurrent_streams?: number;
    readonly initial_stream_window_size?: number;
    readonly initial_connection_window_size?: number;
  };
  readonly common_http_protocol_options?: {
    readonly idle_timeout?: string;
    readonly headers_with_underscores_action?: 'ALLOW' | 'REJECT_REQUEST' | 'DROP_HEADER';
    readonly max_requests_per_connection?: number;
  };
  readonly server_name?: string;
  readonly server_header_transformation?: 'OVERWRITE' | 'APPEND_IF_ABSENT' | 'PASS_THROUGH';
  readonly use_remote_address: boolean;
  readonly xff_num_trusted_hops?: number;
  readonly forward_client_cert_details: ForwardClientCertDetails;
  readonly set_current_client_cert_details?: {
    readonly subject?: boolean;
    readonly cert?: boolean;
    readonly chain?: boolean;
    readonly dns?: boolean;
    readonly uri?: boolean;
  };
  readonly proxy_100_continue?: boolean;
  readonly upgrade_configs: readonly { readonly upgrade_type: string }[];
  readonly stream_idle_timeout?: string;
  readonly request_timeout?: string;
  readonly request_headers_timeout?: string;
  readonly normalize_path: boolean;
  readonly merge_slashes?: boolean;
  readonly path_with_escaped_slashes_action:
    | 'KEEP_UNCHANGED'
    | 'REJECT_REQUEST'
    | 'UNESCAPE_AND_REDIRECT'
    | 'UNESCAPE_AND_FORWARD';
  readonly generate_request_id?: boolean;
  /** From `proxyHeaders.xForwardedPort`: `x-forwarded-port` of the port that the client dialled, unless it sent one. */
  readonly append_x_forwarded_port?: boolean;
  readonly request_id_extension?: { readonly typed_config: { readonly use_request_id_for_trace_sampling?: boolean } };
  /** Ours: stat prefix of the HCM (spec gateway.md §12.4); not in the recordings. */
  readonly stat_prefix?: string;
}

/** Filters of a gateway, in order; their per-route settings are in `Route.typed_per_filter_config`. */
export interface HttpFilter {
  readonly name: string;
  readonly typed_config?: EmptyMessage;
}
