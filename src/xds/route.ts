// Route tables: Envoy's RouteConfiguration and everything below it, as istiod sends it to a gateway.
import type { CORS_FILTER, FAULT_FILTER } from './names.js';
import type { EmptyMessage, IstioMetadata } from './snapshot.js';
import type { StringMatcher } from './transport-socket.js';

export interface RouteConfiguration {
  /** `http.8080`, `https.443.https.web-gateway.istio-system`. */
  readonly name: string;
  readonly virtual_hosts: readonly VirtualHost[];
  readonly validate_clusters: false;
  readonly max_direct_response_body_size_bytes?: number;
  readonly ignore_port_in_host_matching?: boolean;
}

export interface VirtualHost {
  /** `www.example.com:443`, `blackhole:443`. */
  readonly name: string;
  readonly originId?: number;
  readonly domains: readonly string[];
  readonly routes?: readonly Route[];
  readonly require_tls?: 'ALL';
  readonly include_request_attempt_count?: boolean;
}

export interface Route {
  readonly originId?: number;
  /** `http[].name`, with `.` and the match's name; absent when nothing is named. */
  readonly name?: string;
  readonly match: RouteMatch;
  /** The VirtualService; left out where the recordings are compared. */
  readonly metadata?: IstioMetadata;
  /** Exactly one of the three is set. */
  readonly route?: RouteAction;
  readonly redirect?: RedirectAction;
  readonly direct_response?: DirectResponseAction;
  readonly decorator?: { readonly operation: string };
  readonly request_headers_to_add?: readonly HeaderValueOption[];
  readonly request_headers_to_remove?: readonly string[];
  readonly response_headers_to_add?: readonly HeaderValueOption[];
  readonly response_headers_to_remove?: readonly string[];
  readonly typed_per_filter_config?: {
    readonly [CORS_FILTER]?: CorsPolicy;
    readonly [FAULT_FILTER]?: HttpFault;
  };
}

export interface RouteMatch {
  /** One of the three is set. */
  readonly prefix?: string;
  readonly path?: string;
  readonly safe_regex?: { readonly regex: string };
  /** Absent means true. */
  readonly case_sensitive?: boolean;
  readonly headers?: readonly HeaderMatcher[];
  readonly query_parameters?: readonly QueryParameterMatcher[];
  readonly dynamic_metadata?: readonly DynamicMetadataMatcher[];
}

/** From `@request.auth.claims…`. Without a JWT filter there is no such metadata: holds only when inverted. */
export interface DynamicMetadataMatcher {
  readonly filter: 'envoy.filters.http.jwt_authn';
  readonly path: readonly { readonly key: string }[];
  readonly invert?: boolean;
}

export interface HeaderMatcher {
  /** May be a pseudo header: `:method`, `:authority`, `:scheme`. */
  readonly name: string;
  readonly string_match?: StringMatcher;
  readonly present_match?: boolean;
  readonly invert_match?: boolean;
  readonly treat_missing_header_as_empty?: boolean;
}

export interface QueryParameterMatcher {
  readonly name: string;
  readonly string_match?: StringMatcher;
  readonly present_match?: boolean;
}

export interface RouteAction {
  readonly cluster?: string;
  readonly weighted_clusters?: { readonly clusters: readonly ClusterWeight[] };
  /** '0s' disables it. */
  readonly timeout?: string;
  readonly max_grpc_timeout?: string;
  readonly retry_policy?: RetryPolicy;
  readonly prefix_rewrite?: string;
  readonly regex_rewrite?: { readonly pattern: { readonly regex: string }; readonly substitution: string };
  readonly host_rewrite_literal?: string;
  /** `x-forwarded-host` with the original Host, where the Host is rewritten. */
  readonly append_x_forwarded_host?: boolean;
  readonly hash_policy?: readonly HashPolicy[];
  readonly request_mirror_policies?: readonly RequestMirrorPolicy[];
}

export interface ClusterWeight {
  readonly name: string;
  readonly weight: number;
  readonly host_rewrite_literal?: string;
  readonly request_headers_to_add?: readonly HeaderValueOption[];
  readonly request_headers_to_remove?: readonly string[];
  readonly response_headers_to_add?: readonly HeaderValueOption[];
  readonly response_headers_to_remove?: readonly string[];
}

export interface RetryPolicy {
  /** Comma separated words. */
  readonly retry_on: string;
  readonly num_retries: number;
  readonly per_try_timeout?: string;
  readonly retriable_status_codes?: readonly number[];
  readonly retry_back_off?: { readonly base_interval: string; readonly max_interval?: string };
  readonly retry_host_predicate?: readonly { readonly name: string; readonly typed_config: EmptyMessage }[];
  readonly retry_priority?: { readonly name: string; readonly typed_config: { readonly update_frequency: number } };
  /** int64, so a string in proto JSON. */
  readonly host_selection_retry_max_attempts?: string;
}

export interface HashPolicy {
  /** One member is set. */
  readonly header?: { readonly header_name: string };
  readonly cookie?: {
    readonly name: string;
    readonly ttl?: string;
    readonly path?: string;
    readonly attributes?: readonly { readonly name: string; readonly value?: string }[];
  };
  readonly query_parameter?: { readonly name: string };
  /** `{}` when `useSourceIp: false` is written: a policy without effect. */
  readonly connection_properties?: { readonly source_ip?: true };
  readonly terminal?: boolean;
}

export interface RequestMirrorPolicy {
  readonly cluster: string;
  readonly runtime_fraction: { readonly default_value: FractionalPercent };
  readonly trace_sampled: false;
  readonly disable_shadow_host_suffix_append: boolean;
}

export interface FractionalPercent {
  /** Absent means 0. */
  readonly numerator?: number;
  /** Absent means HUNDRED. */
  readonly denominator?: 'HUNDRED' | 'TEN_THOUSAND' | 'MILLION';
}

export interface RedirectAction {
  readonly scheme_redirect?: string;
  readonly https_redirect?: boolean;
  readonly host_redirect?: string;
  readonly port_redirect?: number;
  readonly path_redirect?: string;
  readonly prefix_rewrite?: string;
  readonly regex_rewrite?: { readonly pattern: { readonly regex: string }; readonly substitution: string };
  /** Absent means MOVED_PERMANENTLY (301). */
  readonly response_code?: 'MOVED_PERMANENTLY' | 'FOUND' | 'SEE_OTHER' | 'TEMPORARY_REDIRECT' | 'PERMANENT_REDIRECT';
}

export interface DirectResponseAction {
  readonly status: number;
  /** `inline_bytes` is base64. */
  readonly body?: { readonly inline_string?: string; readonly inline_bytes?: string };
}

export interface HeaderValueOption {
  /** `value` absent means '' (proto JSON leaves it out). */
  readonly header: { readonly key: string; readonly value?: string };
  /** Absent means APPEND_IF_EXISTS_OR_ADD. */
  readonly append_action?: 'APPEND_IF_EXISTS_OR_ADD' | 'OVERWRITE_IF_EXISTS_OR_ADD';
}

export interface CorsPolicy {
  readonly allow_origin_string_match?: readonly StringMatcher[];
  readonly allow_methods?: string;
  readonly allow_headers?: string;
  readonly expose_headers?: string;
  readonly max_age?: string;
  readonly allow_credentials?: boolean;
  readonly filter_enabled?: { readonly default_value: FractionalPercent };
  readonly forward_not_matching_preflights?: boolean;
}

export interface HttpFault {
  readonly delay?: { readonly fixed_delay: string; readonly percentage?: FractionalPercent };
  readonly abort?: {
    readonly http_status?: number;
    readonly grpc_status?: number;
    readonly percentage?: FractionalPercent;
  };
}
