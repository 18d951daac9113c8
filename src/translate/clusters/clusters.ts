// Every cluster that istiod sends to this gateway: one for each port of each visible service, one more for each subset
// of its DestinationRule, and those of AUTO_PASSTHROUGH. Spec destinations.md §3, §11. Source: istio/istio
// pilot/pkg/networking/core/cluster.go (buildOutboundClusters, buildOutboundSniDnatClusters).
import type { Subset } from '../../config/model/destination-rule.js';
import { compareText } from '../../config/text-order.js';
import type { Reporter } from '../../diagnostics/diagnostic.js';
import type { Origin, OriginTable } from '../../diagnostics/origin.js';
import { namedSubsets } from '../../registry/assumed-services.js';
import { indexPeerAuthentications, type PeerAuthentications } from '../../registry/peer-authentication.js';
import type { PushContext, Service, ServicePort } from '../../registry/push-context.js';
import type { Cluster, Endpoint } from '../../xds/index.js';
import type { MergedGateways } from '../gateway-merge.js';
import { outboundClusterName, sniDnatClusterName } from '../names.js';
import { type BuiltCluster, buildCluster, type ClusterInput } from './cluster.js';
import { reportDestinations } from './destination-diagnostics.js';
import { reportRules } from './rule-diagnostics.js';
import { buildSniDnatCluster } from './sni-dnat-cluster.js';

/** Clusters and, beside them, what EDS would send for them. */
export interface BuiltClusters {
  /** By name, as the recordings list them. */
  readonly clusters: readonly Cluster[];
  /** Of every EDS cluster, empty ones included. */
  readonly endpoints: Readonly<Record<string, readonly Endpoint[]>>;
}

/**
 * Builds all clusters of the gateway.
 *
 *     const { clusters, endpoints } = buildClusters(context, gateways, origins, report);
 *     endpoints['outbound|80||web.shop.svc.cluster.local']; // [{ address: '10.0.0.7:8080', … }]
 *
 * A DNS service or subset without endpoints has no cluster (NC at run time); an EDS one has an empty cluster (UH).
 */
export function buildClusters(
  context: PushContext,
  gateways: MergedGateways,
  origins: OriginTable,
  report: Reporter,
): BuiltClusters {
  const collected = new ClusterCollection(origins);
  const peers = indexPeerAuthentications(context.store);
  const assumed = namedSubsets(context.store, context.proxy.domain);
  const hasAutoPassthrough = gateways.autoPassthrough.length > 0;
  for (const service of context.services) {
    if (service.resolution === 'Alias') continue;
    const subsets = subsetsOf(context, service, assumed);
    for (const port of service.ports) {
      if (port.protocol === 'UDP') continue;
      for (const subset of subsets) {
        const origin = originOf(context, service, port, subset);
        collected.add(buildCluster(context, clusterInput(service, port, subset, peers)), origin);
        if (hasAutoPassthrough && !service.meshExternal) {
          const name = sniDnatClusterName(service.hostname, port.port, subset?.name);
          collected.add(buildSniDnatCluster(context, { ...clusterInput(service, port, subset, peers), name }), origin);
        }
      }
    }
  }
  const result = collected.result();
  const built = { ...result, clusters: new Map(result.clusters.map((cluster) => [cluster.name, cluster])) };
  reportDestinations(context, gateways, built, report);
  reportRules(context, built, report);
  return result;
}

class ClusterCollection {
  private readonly origins: OriginTable;
  private readonly built = new Map<
    string,
    { readonly cluster: Cluster; readonly endpoints: BuiltCluster['endpoints'] }
  >();

  constructor(origins: OriginTable) {
    this.origins = origins;
  }

  /** Of two clusters with one name the first stays. */
  add(built: BuiltCluster | undefined, origin: Origin | undefined): void {
    if (built === undefined || this.built.has(built.cluster.name)) return;
    const originId = origin === undefined ? undefined : this.origins.add(origin);
    this.built.set(built.cluster.name, {
      cluster: originId === undefined ? built.cluster : { ...built.cluster, originId },
      endpoints: built.endpoints,
    });
  }

  result(): BuiltClusters {
    const sorted = [...this.built].sort(([a], [b]) => compareText(a, b));
    const endpoints: Record<string, readonly Endpoint[]> = {};
    for (const [name, built] of sorted) if (built.endpoints !== undefined) endpoints[name] = built.endpoints;
    return { clusters: sorted.map(([, { cluster }]) => cluster), endpoints };
  }
}

function clusterInput(
  service: Service,
  port: ServicePort,
  subset: Subset | undefined,
  peers: PeerAuthentications,
): ClusterInput {
  return { name: outboundClusterName(service.hostname, port.port, subset?.name), service, port, subset, peers };
}

/** First the service itself, then its subsets. An assumed service has every subset that a route names. */
function subsetsOf(
  context: PushContext,
  service: Service,
  assumed: ReadonlyMap<string, ReadonlySet<string>>,
): readonly (Subset | undefined)[] {
  if (service.resolution === 'DynamicDNS') return [undefined];
  const declared = context.destinationRule(service.hostname)?.spec.subsets ?? [];
  if (service.source !== 'assumed') return [undefined, ...declared];
  const names = new Set(declared.map(({ name }) => name));
  const missing = [...(assumed.get(service.hostname) ?? [])].filter((name) => !names.has(name));
  return [undefined, ...declared, ...missing.map((name) => ({ name, labels: {} }))];
}

function originOf(
  context: PushContext,
  service: Service,
  port: ServicePort,
  subset: Subset | undefined,
): Origin | undefined {
  if (subset !== undefined) {
    for (const rule of context.destinationRule(service.hostname)?.from ?? []) {
      const index = rule.spec.subsets.indexOf(subset);
      if (index !== -1) return rule.at(['spec', 'subsets', index]);
    }
  }
  const index = service.ports.indexOf(port);
  return service.resource?.at(['spec', 'ports', index]);
}
