// Clusters and their endpoints.
import type { HTTP_PROTOCOL_OPTIONS } from './names.js';
import type { EmptyMessage, IstioMetadata } from './snapshot.js';
import type { UpstreamTransportSocket } from './transport-socket.js';

export interface Cluster {
  /** `outbound|80|v1|web.shop.svc.cluster.local`, `outbound_.80_._.web.shop.svc.cluster.local` (AUTO_PASSTHROUGH). */
  readonly name: string;
  readonly originId?: number;
  /** The DestinationRule, if there is one; left out where the recordings are compared. */
  readonly metadata?: IstioMetadata;
  readonly type?: 'EDS' | 'STRICT_DNS' | 'LOGICAL_DNS' | 'ORIGINAL_DST' | 'STATIC';
  readonly cluster_type?: {
    readonly name: string;
    readonly typed_config: {
      readonly dns_cache_config: { readonly name: string; readonly dns_lookup_family: string };
    };
  };
  readonly eds_cluster_config?: { readonly eds_config: 'ads'; readonly service_name: string };
  readonly connect_timeout: string;
  /** Absent means ROUND_ROBIN. */
  readonly lb_policy?: 'ROUND_ROBIN' | 'LEAST_REQUEST' | 'RANDOM' | 'RING_HASH' | 'MAGLEV' | 'CLUSTER_PROVIDED';
  readonly circuit_breakers?: { readonly thresholds: readonly CircuitBreakerThresholds[] };
  readonly outlier_detection?: OutlierDetection;
  readonly common_lb_config?: {
    readonly healthy_panic_threshold?: { readonly value?: number };
    readonly locality_weighted_lb_config?: EmptyMessage;
  };
  readonly ring_hash_lb_config?: { readonly minimum_ring_size?: string };
  readonly maglev_lb_config?: { readonly table_size?: string };
  readonly least_request_lb_config?: { readonly slow_start_config?: SlowStartConfig };
  readonly round_robin_lb_config?: { readonly slow_start_config?: SlowStartConfig };
  readonly transport_socket?: UpstreamTransportSocket;
  /** First match by the endpoint's metadata wins; only `tlsMode` is ever used. */
  readonly transport_socket_matches?: readonly {
    readonly name: string;
    readonly match: { readonly tlsMode?: string };
    readonly transport_socket: UpstreamTransportSocket;
  }[];
  readonly typed_extension_protocol_options?: { readonly [HTTP_PROTOCOL_OPTIONS]?: HttpProtocolOptions };
  readonly upstream_connection_options?: {
    readonly tcp_keepalive?: {
      readonly keepalive_probes?: number;
      readonly keepalive_time?: number;
      readonly keepalive_interval?: number;
    };
  };
  readonly load_assignment?: ClusterLoadAssignment;
  readonly dns_refresh_rate?: string;
  readonly dns_jitter?: string;
  readonly dns_lookup_family?: 'V4_ONLY' | 'V6_ONLY' | 'ALL';
  readonly respect_dns_ttl?: boolean;
  readonly typed_dns_resolver_config?: {
    readonly name: string;
    readonly typed_config: { readonly udp_max_queries?: number };
  };
}

export interface SlowStartConfig {
  readonly slow_start_window?: string;
  readonly aggression?: { readonly default_value?: number };
  readonly min_weight_percent?: { readonly value?: number };
}

export interface CircuitBreakerThresholds {
  readonly max_connections: number;
  readonly max_pending_requests: number;
  readonly max_requests: number;
  readonly max_retries: number;
  /** Limits retries instead of `max_retries`. */
  readonly retry_budget?: {
    readonly budget_percent: { readonly value: number };
    readonly min_retry_concurrency: number;
    /** The share is of the requests that began within it; absent = of those under way. */
    readonly budget_interval?: string;
  };
}

export interface OutlierDetection {
  readonly consecutive_5xx?: number;
  readonly consecutive_gateway_failure?: number;
  readonly consecutive_local_origin_failure?: number;
  readonly interval?: string;
  readonly base_ejection_time?: string;
  readonly max_ejection_percent?: number;
  readonly enforcing_consecutive_5xx?: number;
  readonly enforcing_consecutive_gateway_failure?: number;
  readonly enforcing_consecutive_local_origin_failure?: number;
  readonly enforcing_local_origin_success_rate?: number;
  readonly enforcing_success_rate?: number;
  readonly split_external_local_origin_errors?: boolean;
}

export interface HttpProtocolOptions {
  /** Exactly one of the two configs: explicit protocol, or the downstream's own. */
  readonly explicit_http_config?: {
    readonly http_protocol_options?: EmptyMessage;
    readonly http2_protocol_options?: Http2ProtocolOptions;
  };
  readonly use_downstream_protocol_config?: {
    readonly http_protocol_options?: EmptyMessage;
    readonly http2_protocol_options?: Http2ProtocolOptions;
  };
  readonly upstream_http_protocol_options?: { readonly auto_sni?: boolean; readonly auto_san_validation?: boolean };
  readonly outlier_detection?: { readonly error_matcher: MatchPredicate };
  readonly common_http_protocol_options?: {
    readonly idle_timeout?: string;
    readonly max_requests_per_connection?: number;
    readonly max_connection_duration?: string;
  };
}

export interface Http2ProtocolOptions {
  readonly max_concurrent_streams?: number;
  readonly connection_keepalive?: { readonly interval: string; readonly timeout: string };
}

/** Of Envoy's match predicates those that name response statuses. */
export interface MatchPredicate {
  readonly or_match?: { readonly rules: readonly MatchPredicate[] };
  readonly http_response_headers_match?: {
    readonly headers: readonly { readonly name: string; readonly string_match: { readonly exact: string } }[];
  };
}

export interface ClusterLoadAssignment {
  readonly cluster_name: string;
  readonly endpoints: readonly {
    readonly locality: Locality;
    readonly lb_endpoints: readonly {
      readonly endpoint: {
        readonly address: { readonly socket_address: { readonly address: string; readonly port_value: number } };
      };
      readonly load_balancing_weight: number;
    }[];
    readonly load_balancing_weight?: number;
    readonly priority?: number;
  }[];
}

export interface Locality {
  readonly region?: string;
  readonly zone?: string;
  readonly sub_zone?: string;
}

/** One endpoint of an EDS cluster, in the short form of the recordings. */
export interface Endpoint {
  /** `ip:port`, `[v6]:port` or a unix socket path. */
  readonly address: string;
  readonly weight: number;
  readonly locality: Locality;
  readonly priority: number;
  readonly health: 'HEALTHY' | 'UNHEALTHY' | 'DRAINING';
  /** Weight of the whole locality where locality weights are on. */
  readonly localityWeight?: number;
  /** Ours, left out of the published form: chooses among `transport_socket_matches`. */
  readonly tlsMode?: 'istio' | 'disabled';
  /** Ours: host name when a ServiceEntry endpoint has one (auto SNI, strict DNS). */
  readonly hostname?: string;
  readonly originId?: number;
}
