// AUTO_PASSTHROUGH: one chain per service port and subset, chosen by an SNI that is the cluster's name and by the ALPN
// that sidecars offer. Spec gateway.md §11.
import { subsetOf } from '../config/model/host-name.js';
import type { PushContext, Service } from '../registry/push-context.js';
import type { NetworkFilter } from '../xds/index.js';
import { sniDnatClusterName } from './names.js';
import { networkFilters, tcpProxyToCluster } from './tcp-routes.js';

/** What sidecars offer; any one of them in the ClientHello is enough. */
export const ISTIO_MUTUAL_ALPN: readonly string[] = [
  'istio',
  'istio-peer-exchange',
  'istio-http/1.0',
  'istio-http/1.1',
  'istio-h2',
];

/** The server name is the name of the cluster. */
export interface AutoPassthroughChain {
  readonly serverName: string;
  readonly filters: readonly NetworkFilter[];
}

/** Chains of one server, in the order of services, ports and subsets. `hosts` select services, not server names. */
export function buildAutoPassthroughChains(
  context: PushContext,
  hosts: readonly string[],
): readonly AutoPassthroughChain[] {
  const chains: AutoPassthroughChain[] = [];
  for (const service of inOrder(context.services)) {
    if (service.meshExternal || !hosts.some((host) => subsetOf(service.hostname, host))) continue;
    for (const port of service.ports) {
      if (port.protocol === 'UDP') continue;
      for (const subset of ['', ...subsetNames(context, service)]) {
        const cluster = sniDnatClusterName(service.hostname, port.port, subset);
        const proxy = tcpProxyToCluster(context, cluster, service.hostname, subset);
        chains.push({ serverName: cluster, filters: networkFilters(proxy, port.protocol === 'Mongo') });
      }
    }
  }
  return chains;
}

// A ServiceEntry without a date is as old as the moment when istiod read it, a Service without one is older than
// everything: so undated entries come last.
function inOrder(services: readonly Service[]): readonly Service[] {
  const late = (service: Service): boolean => service.source === 'serviceEntry' && service.creationTimestamp === 0;
  return [...services.filter((service) => !late(service)), ...services.filter(late)];
}

function subsetNames(context: PushContext, service: Service): readonly string[] {
  return (context.destinationRule(service.hostname)?.spec.subsets ?? []).map((subset) => subset.name);
}
