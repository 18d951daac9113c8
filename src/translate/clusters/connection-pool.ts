// Circuit breakers, connect timeout and TCP keepalive of a cluster. Spec destinations.md §1.2, §1.4, §9.2, §9.5. Source:
// istio/istio pilot/pkg/networking/core/cluster_traffic_policy.go (applyConnectionPool, applyRetryBudget).
import type { TrafficPolicy } from '../../config/model/destination-rule.js';
import type { MeshConfig } from '../../config/model/mesh-config.js';
import { type CircuitBreakerThresholds, type Cluster, renderDuration } from '../../xds/index.js';

/** Istio's "no limit". */
const UNLIMITED = 4294967295;

/** Milliseconds. */
const DEFAULT_CONNECT_TIMEOUT = 10_000;

const DEFAULT_RETRY_BUDGET_PERCENT = 20;
const DEFAULT_MIN_RETRY_CONCURRENCY = 3;

/** Zero means "not written" for every number here. */
export function circuitBreakers(policy: TrafficPolicy | undefined): NonNullable<Cluster['circuit_breakers']> {
  const { tcp, http } = policy?.connectionPool ?? {};
  const budget = policy?.retryBudget;
  const thresholds: CircuitBreakerThresholds = {
    max_connections: tcp?.maxConnections || UNLIMITED,
    max_pending_requests: http?.http1MaxPendingRequests || UNLIMITED,
    max_requests: http?.http2MaxRequests || UNLIMITED,
    max_retries: http?.maxRetries || UNLIMITED,
    ...(budget === undefined
      ? {}
      : {
          retry_budget: {
            budget_percent: { value: budget.percent ?? DEFAULT_RETRY_BUDGET_PERCENT },
            min_retry_concurrency: budget.minRetryConcurrency || DEFAULT_MIN_RETRY_CONCURRENCY,
            ...(budget.budgetInterval ? { budget_interval: renderDuration(budget.budgetInterval) } : {}),
          },
        }),
  };
  return { thresholds: [thresholds] };
}

/** The rule's, else the mesh's, else ten seconds. */
export function connectTimeout(policy: TrafficPolicy | undefined, mesh: MeshConfig): string {
  const own = policy?.connectionPool?.tcp?.connectTimeout;
  return renderDuration(own ?? mesh.connectTimeout ?? DEFAULT_CONNECT_TIMEOUT);
}

/** The rule's keepalive laid field by field over the mesh's; `undefined` when neither has one. */
export function upstreamConnectionOptions(
  policy: TrafficPolicy | undefined,
  mesh: MeshConfig,
): NonNullable<Cluster['upstream_connection_options']> | undefined {
  const own = policy?.connectionPool?.tcp?.tcpKeepalive;
  if (own === undefined && mesh.tcpKeepalive === undefined) return undefined;
  const { probes = 0, time, interval } = { ...mesh.tcpKeepalive, ...own };
  return {
    tcp_keepalive: {
      ...(probes > 0 ? { keepalive_probes: probes } : {}),
      ...(time === undefined ? {} : { keepalive_time: Math.floor(time / 1000) }),
      ...(interval === undefined ? {} : { keepalive_interval: Math.floor(interval / 1000) }),
    },
  };
}
