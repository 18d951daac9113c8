// Routes of everything that is not HTTP: the one `tcp` route of a TCP or terminated-TLS server, the `tls` routes of a
// passthrough server, and the TCP proxy that either becomes. Spec gateway.md §10.

import { parseDuration } from '../config/duration.js';
import type { DestinationRuleSpec } from '../config/model/destination-rule.js';
import type { RouteDestination } from '../config/model/virtual-service.js';
import type { PushContext } from '../registry/push-context.js';
import { type BoundVirtualService, virtualServicesForGateway } from '../registry/virtual-services.js';
import { MONGO_PROXY, type NetworkFilter, renderDuration, TCP_PROXY, type TcpProxy } from '../xds/index.js';
import type { MergedServer } from './gateway-merge.js';
import { destinationCluster } from './routes/destination.js';
import { serverHosts } from './routes/server-hosts.js';

/** A route that a server found, with where it was written. */
export interface FoundRoute {
  readonly virtualService: BoundVirtualService;
  /** Index in `tcp` or `tls`. */
  readonly rule: number;
  readonly filters: readonly NetworkFilter[];
}

/** One `tls[].match[]` of a passthrough server. */
export interface FoundSniRoute extends FoundRoute {
  /** Index in `tls[rule].match`. */
  readonly match: number;
  readonly sniHosts: readonly string[];
}

/** The first fitting `tcp` entry over all VirtualServices; its hosts need only overlap the server's. */
export function findTcpRoute(context: PushContext, merged: MergedServer, mongo: boolean): FoundRoute | undefined {
  for (const virtualService of virtualServicesForGateway(context, merged.gatewayName)) {
    if (!fitsServer(virtualService, merged)) continue;
    for (const [rule, route] of virtualService.tcp.entries()) {
      if (route.route.length === 0) continue;
      if (route.match.length > 0 && !route.match.some((match) => isMatch(match, merged))) continue;
      return { virtualService, rule, filters: tcpFilters(context, virtualService, route.route, merged, mongo) };
    }
  }
  return undefined;
}

/**
 * Every `tls[].match[]` that a passthrough server opens, in order. The names are those of the match alone: they are
 * not cut down to the server's hosts.
 */
export function findSniRoutes(context: PushContext, merged: MergedServer): readonly FoundSniRoute[] {
  const found: FoundSniRoute[] = [];
  for (const virtualService of virtualServicesForGateway(context, merged.gatewayName)) {
    if (!fitsServer(virtualService, merged)) continue;
    for (const [rule, route] of virtualService.tls.entries()) {
      if (route.route.length === 0) continue;
      for (const [index, match] of route.match.entries()) {
        if (!isMatch(match, merged)) continue;
        const filters = tcpFilters(context, virtualService, route.route, merged, false);
        found.push({ virtualService, rule, match: index, sniHosts: match.sniHosts, filters });
      }
    }
  }
  return found;
}

/** A TCP proxy to one cluster, with what the DestinationRule says about idle connections and source hashing. */
export function tcpProxyToCluster(context: PushContext, cluster: string, hostname: string, subset: string): TcpProxy {
  const rule = ruleOf(context, hostname);
  return { stat_prefix: cluster, cluster, ...timeLimits(context, rule), ...hashPolicy(rule, subset) };
}

/** The TCP proxy, behind the filter that watches the mongo protocol where the port says so. */
export function networkFilters(proxy: TcpProxy, mongo: boolean): readonly NetworkFilter[] {
  const last: NetworkFilter = { name: TCP_PROXY, typed_config: proxy };
  return mongo ? [{ name: MONGO_PROXY, typed_config: {} }, last] : [last];
}

function fitsServer(virtualService: BoundVirtualService, merged: MergedServer): boolean {
  const hosts = serverHosts(merged, virtualService.namespace);
  return virtualService.hosts.some((host) => hosts.overlaps(host));
}

/** Port and gateway only; subnets, source labels and namespaces do not count on a gateway. */
function isMatch(
  match: { readonly port?: number; readonly gateways: readonly string[] },
  merged: MergedServer,
): boolean {
  const port = match.port ?? 0;
  if (port !== 0 && port !== merged.writtenPort) return false;
  return match.gateways.length === 0 || match.gateways.includes(merged.gatewayName);
}

function tcpFilters(
  context: PushContext,
  virtualService: BoundVirtualService,
  destinations: readonly RouteDestination[],
  merged: MergedServer,
  mongo: boolean,
): readonly NetworkFilter[] {
  const [first] = destinations;
  if (first === undefined) return [];
  if (destinations.length === 1) {
    // The weight of a single destination counts for nothing, not even 0.
    const cluster = destinationCluster(context, first.destination, merged.writtenPort);
    const { host, subset } = first.destination;
    return networkFilters(tcpProxyToCluster(context, cluster, host, subset ?? ''), mongo);
  }
  const clusters = destinations
    .filter((destination) => destination.weight > 0)
    .map((destination) => ({
      name: destinationCluster(context, destination.destination, merged.writtenPort),
      weight: destination.weight,
    }));
  // Idle timeout and hashing are those of the first destination in the list, even if its weight is 0.
  const rule = ruleOf(context, first.destination.host);
  const proxy: TcpProxy = {
    stat_prefix: `${virtualService.name}.${virtualService.namespace}`,
    weighted_clusters: { clusters },
    ...timeLimits(context, rule),
    ...hashPolicy(rule, ''),
  };
  return networkFilters(proxy, mongo);
}

/** The rule of a service that the gateway sees; a rule for any other host has no effect. */
function ruleOf(context: PushContext, hostname: string): DestinationRuleSpec | undefined {
  return context.service(hostname) === undefined ? undefined : context.destinationRule(hostname)?.spec;
}

/** Of the rule as a whole: neither a subset's nor a port's connection pool counts here. */
function timeLimits(
  context: PushContext,
  rule: DestinationRuleSpec | undefined,
): Pick<TcpProxy, 'idle_timeout' | 'max_downstream_connection_duration'> {
  const tcp = rule?.trafficPolicy?.connectionPool?.tcp;
  const idle = tcp?.idleTimeout ?? parseDuration(context.proxy.metadata['IDLE_TIMEOUT'] ?? '');
  const longest = tcp?.maxConnectionDuration;
  return {
    ...(idle === undefined ? {} : { idle_timeout: renderDuration(idle) }),
    ...(longest === undefined ? {} : { max_downstream_connection_duration: renderDuration(longest) }),
  };
}

/** A subset's own load balancer replaces that of the rule, also when it does not hash at all. */
function hashPolicy(rule: DestinationRuleSpec | undefined, subset: string): Pick<TcpProxy, 'hash_policy'> {
  const own = rule?.subsets.find((candidate) => candidate.name === subset)?.trafficPolicy?.loadBalancer;
  const balancer = own ?? rule?.trafficPolicy?.loadBalancer;
  return balancer?.consistentHash?.useSourceIp === true ? { hash_policy: [{ source_ip: {} }] } : {};
}
