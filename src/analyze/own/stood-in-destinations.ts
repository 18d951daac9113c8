// Services that routes lead to and that the files place nowhere: postern stands in for them.
import { DestinationStoodIn } from '../../diagnostics/catalogue.js';
import type { Origin } from '../../diagnostics/origin.js';
import type { GatewayAnalysisContext, GatewayAnalyzer } from '../analyzer.js';

/** 'outbound|80|v2|web.shop.svc.cluster.local' */
const CLUSTER = /^outbound\|\d+\|[^|]*\|(.+)$/;

export const stoodInDestinations: GatewayAnalyzer = {
  name: 'postern.stoodInDestinations',
  description: 'Names the destinations that an echo stub stands in for',
  inputs: [],
  messages: [DestinationStoodIn],
  analyze(context) {
    const { snapshot } = context.gateway;
    const routed = routedClusters(context);
    const placed = new Set<string>();
    for (const [cluster, endpoints] of Object.entries(snapshot.endpoints)) {
      const host = CLUSTER.exec(cluster)?.[1];
      if (host !== undefined && endpoints.length > 0) placed.add(host);
    }
    const told = new Set<string>();
    for (const cluster of snapshot.clusters) {
      const host = CLUSTER.exec(cluster.name)?.[1];
      const at = routed.get(cluster.name);
      if (host === undefined || at === undefined || cluster.type !== 'EDS' || placed.has(host) || told.has(host))
        continue;
      told.add(host);
      context.report(DestinationStoodIn, at, { host });
    }
  },
};

/** Cluster → the first route that leads there. */
function routedClusters(context: GatewayAnalysisContext): ReadonlyMap<string, Origin> {
  const { snapshot, origins } = context.gateway;
  const routed = new Map<string, Origin>();
  for (const table of snapshot.routes) {
    for (const { routes } of table.virtual_hosts) {
      for (const { route, originId } of routes ?? []) {
        const names = [route?.cluster, ...(route?.weighted_clusters?.clusters ?? []).map(({ name }) => name)];
        for (const name of names) {
          const origin = name === undefined || routed.has(name) ? undefined : origins.get(originId);
          if (name !== undefined && origin !== undefined) routed.set(name, origin);
        }
      }
    }
  }
  return routed;
}
