// The endpoint of a cluster where no chance, no DNS and no earlier request has a say: a single usable one, or the one that
// a consistent hash names (spec destinations.md §8).
import { type BalancedHost, isHealthy } from '../balance/balanced-host.js';
import { createLoadBalancer, type LoadBalancer } from '../balance/load-balancer.js';
import { type Cluster, type Endpoint, isIpv4, isIpv6, renderSocketAddress } from '../xds/index.js';

/** Ring and table cost some work; a snapshot is immutable, so each is built once however many calls are asked. */
const balancers = new WeakMap<readonly Endpoint[], LoadBalancer<BalancedHost>>();

/** True when an endpoint can be had at all. DNS and connects are live matters and count as yes. */
export function hasUsableEndpoint(cluster: Cluster, endpoints: readonly Endpoint[]): boolean {
  // There is no original destination on a gateway.
  if (cluster.type === 'ORIGINAL_DST') return false;
  if (cluster.type !== undefined && cluster.type !== 'EDS') return (cluster.load_assignment?.endpoints.length ?? 1) > 0;
  if (endpoints.some(({ health }) => health === 'HEALTHY')) return true;
  // In panic all endpoints are used, healthy or not.
  return endpoints.length > 0 && (cluster.common_lb_config?.healthy_panic_threshold?.value ?? 0) > 0;
}

/** `ip:port` as configured; `undefined` = chance, DNS or load decides. */
export function determinedEndpoint(
  cluster: Cluster,
  endpoints: readonly Endpoint[],
  hash: bigint | undefined,
): string | undefined {
  if (cluster.load_assignment !== undefined) return onlyStaticEndpoint(cluster);
  const candidates = preferredEndpoints(endpoints);
  if (candidates.length === 1) return candidates[0]?.address;
  const isHashed = cluster.lb_policy === 'RING_HASH' || cluster.lb_policy === 'MAGLEV';
  if (!isHashed || hash === undefined) return undefined;
  let balancer = balancers.get(endpoints);
  if (balancer === undefined) {
    balancer = createLoadBalancer(cluster, endpoints.map(hostOf));
    balancers.set(endpoints, balancer);
  }
  return balancer.choose({ hash, random: () => 0 })?.address;
}

/** Healthy endpoints of the first priority when it is whole; where some of it is missing, of all priorities. */
function preferredEndpoints(endpoints: readonly Endpoint[]): readonly Endpoint[] {
  const first = Math.min(...endpoints.map(({ priority }) => priority));
  const best = endpoints.filter(({ priority }) => priority === first);
  const candidates = best.every(({ health }) => health === 'HEALTHY') ? best : endpoints;
  return candidates
    .map(hostOf)
    .filter(isHealthy)
    .map(({ endpoint }) => endpoint);
}

function onlyStaticEndpoint(cluster: Cluster): string | undefined {
  const all = (cluster.load_assignment?.endpoints ?? []).flatMap(({ lb_endpoints }) => lb_endpoints);
  const address = all.length === 1 ? all[0]?.endpoint.address.socket_address : undefined;
  if (address === undefined || !(isIpv4(address.address) || isIpv6(address.address))) return undefined;
  return renderSocketAddress(address.address, address.port_value);
}

function hostOf(endpoint: Endpoint): BalancedHost {
  return { endpoint, address: endpoint.address, activeRequests: 0, ejected: false };
}
