// Text of the admin endpoint `/clusters` (spec dataplane.md §8.2).
import type { ClusterManager, Host, UpstreamCluster } from '../upstream/cluster-manager.js';

const HIGH_PRIORITY = [
  ['max_connections', 1024],
  ['max_pending_requests', 1024],
  ['max_requests', 1024],
  ['max_retries', 3],
] as const;

const UNLIMITED = 4_294_967_295;

/** A line per fact, clusters sorted by name. */
export function renderClusterLines(manager: ClusterManager): string {
  const clusters = [...(manager.all?.() ?? [])].sort((a, b) => (a.config.name < b.config.name ? -1 : 1));
  return clusters.map(renderCluster).join('');
}

function renderCluster(cluster: UpstreamCluster): string {
  const { config } = cluster;
  const thresholds = config.circuit_breakers?.thresholds[0];
  const facts: (readonly [string, string | number | boolean])[] = [['observability_name', config.name]];
  if (config.outlier_detection !== undefined) {
    for (const scope of ['', 'local_origin_']) {
      facts.push(
        [`outlier::${scope}success_rate_average`, -1],
        [`outlier::${scope}success_rate_ejection_threshold`, -1],
      );
    }
  }
  for (const [name] of HIGH_PRIORITY) facts.push([`default_priority::${name}`, thresholds?.[name] ?? UNLIMITED]);
  for (const [name, value] of HIGH_PRIORITY) facts.push([`high_priority::${name}`, value]);
  facts.push(['added_via_api', true]);
  if (config.eds_cluster_config !== undefined) facts.push(['eds_service_name', config.eds_cluster_config.service_name]);
  const lines = facts.map(([name, value]) => `${config.name}::${name}::${value}\n`);
  return lines.join('') + cluster.hosts.map((host) => renderHost(config.name, host)).join('');
}

function renderHost(cluster: string, host: Host): string {
  const { endpoint, counters } = host;
  const { region = '', zone = '', sub_zone = '' } = endpoint.locality;
  const flags = [
    ...(host.ejected ? ['/failed_outlier_check'] : []),
    ...(endpoint.health === 'HEALTHY' ? [] : ['/failed_eds_health']),
  ].join('');
  const facts: readonly (readonly [string, string | number | boolean])[] = [
    ['cx_active', host.activeConnections],
    ['cx_connect_fail', counters?.connectFail ?? 0],
    ['cx_total', counters?.connections ?? 0],
    ['rq_active', host.activeRequests],
    ['rq_error', counters?.error ?? 0],
    ['rq_success', counters?.success ?? 0],
    ['rq_timeout', counters?.timeout ?? 0],
    ['rq_total', counters?.requests ?? 0],
    ['hostname', endpoint.hostname ?? ''],
    ['health_flags', flags === '' ? 'healthy' : flags],
    ['weight', endpoint.weight],
    ['region', region],
    ['zone', zone],
    ['sub_zone', sub_zone],
    ['canary', false],
    ['priority', endpoint.priority],
    ['success_rate', -1],
    ['local_origin_success_rate', -1],
  ];
  return facts.map(([name, value]) => `${cluster}::${host.address}::${name}::${value}\n`).join('');
}
