// The HTTP protocol options of a cluster: which HTTP version goes upstream, pool limits, automatic SNI. Spec
// destinations.md §7.2, §9.1, §9.3. Source: istio/istio pilot/pkg/networking/core/cluster_builder.go
// (setUpstreamProtocol, setH2Options), cluster_traffic_policy.go (applyConnectionPool, shouldH2Upgrade).
import type { ConnectionPoolSettings, TrafficPolicy } from '../../config/model/destination-rule.js';
import type { MeshConfig } from '../../config/model/mesh-config.js';
import { isHttpProtocol, type Protocol } from '../../config/model/protocol.js';
import { isHttp2 } from '../../registry/service-protocol.js';
import {
  type Http2ProtocolOptions,
  type HttpProtocolOptions,
  type MatchPredicate,
  renderDuration,
} from '../../xds/index.js';

/** True when the cluster itself is set to HTTP/2 (the client's own version is another matter). */
export function isHttp2Cluster(protocol: Protocol, policy: TrafficPolicy | undefined, mesh: MeshConfig): boolean {
  return isHttp2(protocol) || isUpgraded(protocol, policy?.connectionPool?.http?.h2UpgradePolicy, mesh);
}

// The rule's word counts on any port; the mesh's only on ports that say HTTP (spec §9.1 steps 3 and 4).
function isUpgraded(
  protocol: Protocol,
  upgrade: 'DEFAULT' | 'DO_NOT_UPGRADE' | 'UPGRADE' | undefined,
  mesh: MeshConfig,
): boolean {
  if (upgrade === 'UPGRADE') return true;
  if (upgrade === 'DO_NOT_UPGRADE') return false;
  return mesh.h2UpgradePolicy === 'UPGRADE' && isHttpProtocol(protocol);
}

/** `undefined` when every option is Envoy's default, which means HTTP/1.1. */
export function httpProtocolOptions(
  protocol: Protocol,
  policy: TrafficPolicy | undefined,
  mesh: MeshConfig,
): HttpProtocolOptions | undefined {
  const http2 = isHttp2Cluster(protocol, policy, mesh);
  const pool = policy?.connectionPool;
  const common = commonOptions(pool);
  const upstream = automaticServerName(policy);
  const errors = errorMatcher(policy?.outlierDetection?.outlierDetectionHttpErrorCodes ?? []);
  const usesClientProtocol = pool?.http?.useClientProtocol === true;
  if (!http2 && !usesClientProtocol && common === undefined && upstream === undefined && errors === undefined)
    return undefined;
  const http2Options = http2 ? http2ProtocolOptions(pool?.http) : {};
  return {
    ...(common === undefined ? {} : { common_http_protocol_options: common }),
    ...(upstream === undefined ? {} : { upstream_http_protocol_options: upstream }),
    ...(errors === undefined ? {} : { outlier_detection: { error_matcher: errors } }),
    ...(usesClientProtocol
      ? { use_downstream_protocol_config: { http_protocol_options: {}, http2_protocol_options: {} } }
      : {
          explicit_http_config: http2 ? { http2_protocol_options: http2Options } : { http_protocol_options: {} },
        }),
  };
}

function http2ProtocolOptions(settings: ConnectionPoolSettings['http']): Http2ProtocolOptions {
  const streams = settings?.maxConcurrentStreams ?? 0;
  const { interval, timeout } = settings?.http2KeepAlive ?? {};
  return {
    ...(streams > 0 ? { max_concurrent_streams: streams } : {}),
    ...(interval === undefined || timeout === undefined
      ? {}
      : { connection_keepalive: { interval: renderDuration(interval), timeout: renderDuration(timeout) } }),
  };
}

function commonOptions(
  pool: ConnectionPoolSettings | undefined,
): HttpProtocolOptions['common_http_protocol_options'] | undefined {
  const idle = pool?.http?.idleTimeout ?? pool?.tcp?.idleTimeout;
  const requests = pool?.http?.maxRequestsPerConnection ?? 0;
  const duration = pool?.tcp?.maxConnectionDuration;
  const streams = pool?.http?.maxConcurrentStreams ?? 0;
  if (idle === undefined && duration === undefined && requests <= 0 && streams <= 0) return undefined;
  return {
    ...(idle === undefined ? {} : { idle_timeout: renderDuration(idle) }),
    ...(requests > 0 ? { max_requests_per_connection: requests } : {}),
    ...(duration === undefined ? {} : { max_connection_duration: renderDuration(duration) }),
  };
}

// What outlier detection takes for an error instead of 5xx (spec §10.2).
function errorMatcher(codes: readonly number[]): MatchPredicate | undefined {
  const rules = codes.map((code) => ({
    http_response_headers_match: { headers: [{ name: ':status', string_match: { exact: String(code) } }] },
  }));
  // Envoy refuses an `or_match` of one.
  return rules.length > 1 ? { or_match: { rules } } : rules[0];
}

// Without `sni` the name in the request's own Host goes into the ClientHello; it is checked too unless the rule lists
// names or checks nothing. A ServiceEntry's names do not switch that off (spec §7.2).
function automaticServerName(
  policy: TrafficPolicy | undefined,
): HttpProtocolOptions['upstream_http_protocol_options'] | undefined {
  const tls = policy?.tls;
  if (tls === undefined || (tls.mode !== 'SIMPLE' && tls.mode !== 'MUTUAL')) return undefined;
  if (tls.sni !== undefined && tls.sni !== '') return undefined;
  const validates = tls.subjectAltNames.length === 0 && tls.insecureSkipVerify !== true;
  return validates ? { auto_sni: true, auto_san_validation: true } : { auto_sni: true };
}
