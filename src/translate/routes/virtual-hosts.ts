// The virtual hosts of one route table: one per host of the intersection of servers and VirtualServices, then merged and
// sorted. Spec virtualservice.md §4.1, §4.2; gateway.md §9. Source: istio/istio pilot/pkg/networking/core/gateway.go
// (buildGatewayHTTPRouteConfig, collapseDuplicateRoutes).

import { isWildcard } from '../../config/model/host-name.js';
import { compareText } from '../../config/text-order.js';
import type { OriginTable } from '../../diagnostics/origin.js';
import type { PushContext } from '../../registry/push-context.js';
import { type BoundVirtualService, virtualServicesForGateway } from '../../registry/virtual-services.js';
import type { Route, VirtualHost } from '../../xds/index.js';
import type { MergedServer } from '../gateway-merge.js';
import { blackholeVirtualHostName, virtualHostName } from '../names.js';
import { httpRoutes } from './http-routes.js';
import { isCatchAll } from './route-match.js';
import { serverHosts } from './server-hosts.js';

/** A virtual host while it is being filled. */
interface DraftVirtualHost {
  readonly name: string;
  readonly originId: number;
  readonly domains: string[];
  readonly routes: Route[];
  requireTls: boolean;
}

/** The virtual hosts of a route table that these servers share, as Istio sends them; at least one. */
export function virtualHosts(
  context: PushContext,
  servers: readonly MergedServer[],
  origins: OriginTable,
): readonly VirtualHost[] {
  const drafts = new Map<string, DraftVirtualHost>();
  const routesOf = routeCache(context, origins);
  for (const server of servers) {
    for (const bound of virtualServicesForGateway(context, server.gatewayName)) {
      const hosts = serverHosts(server, bound.namespace).intersection(bound.hosts);
      if (hosts.length === 0) continue;
      const routes = routesOf(server, bound);
      if (routes.length === 0) continue; // no virtual host either: another one may take the Host (§4.1 item 5)
      const origin = origins.add(bound.resource.at(['spec', 'hosts']));
      for (const host of hosts) addRoutes(drafts, host.toLowerCase(), routes, server, origin);
    }
    if (server.server.tls?.httpsRedirect === true) redirectHosts(drafts, server, origins);
  }
  const first = servers[0];
  if (drafts.size === 0) {
    // Knows every Host and has no route: 404 to everything.
    return [{ name: blackholeVirtualHostName(first?.writtenPort ?? 0), domains: ['*'] }];
  }
  const attemptCount = context.mesh.defaultConfig?.proxyHeaders?.attemptCount?.disabled !== true;
  return collapse(drafts)
    .map((draft) => finish(draft, attemptCount))
    .sort((a, b) => compareText(a.name, b.name));
}

// Routes are made once per Gateway and VirtualService: the first server that gets any lends its port to all servers of
// that Gateway in the table (§4.1 item 5).
function routeCache(
  context: PushContext,
  origins: OriginTable,
): (server: MergedServer, bound: BoundVirtualService) => readonly Route[] {
  const cache = new Map<string, Map<BoundVirtualService, readonly Route[]>>();
  return (server, bound) => {
    const ofGateway = cache.get(server.gatewayName) ?? new Map<BoundVirtualService, readonly Route[]>();
    cache.set(server.gatewayName, ofGateway);
    const known = ofGateway.get(bound);
    if (known !== undefined) return known;
    const { gatewayName, writtenPort } = server;
    const hasTls = server.server.tls !== undefined;
    const routes = httpRoutes(context, bound, { gatewayName, port: writtenPort, hasTls }, origins);
    if (routes.length > 0) ofGateway.set(bound, routes);
    return routes;
  };
}

function addRoutes(
  drafts: Map<string, DraftVirtualHost>,
  host: string,
  routes: readonly Route[],
  server: MergedServer,
  originId: number,
): void {
  const redirects = server.server.tls?.httpsRedirect === true;
  const existing = drafts.get(host);
  if (existing === undefined) {
    const name = virtualHostName(host, server.writtenPort);
    drafts.set(host, { name, originId, domains: [host], routes: [...routes], requireTls: redirects });
    return;
  }
  existing.routes.push(...routes);
  if (redirects) existing.requireTls = true;
}

// A host that no VirtualService claims redirects too. Its namespace is not taken off here, so `ns/host` makes a domain
// that no request ever has (gateway.md §9 item 2).
function redirectHosts(drafts: Map<string, DraftVirtualHost>, server: MergedServer, origins: OriginTable): void {
  const originId = origins.add(server.gateway.at(['spec', 'servers', server.index, 'tls', 'httpsRedirect']));
  for (const written of server.hosts) {
    const host = written.toLowerCase();
    const existing = drafts.get(host);
    if (existing !== undefined) {
      existing.requireTls = true;
      continue;
    }
    const name = virtualHostName(host, server.writtenPort);
    drafts.set(host, { name, originId, domains: [host], routes: [], requireTls: true });
  }
}

// Hosts with the same routes (the very same, not equal ones) and the same redirect mark share a virtual host, named
// after the most specific of them (§4.1 item 9).
function collapse(drafts: ReadonlyMap<string, DraftVirtualHost>): readonly DraftVirtualHost[] {
  const kept: DraftVirtualHost[] = [];
  const known = new Map<string, DraftVirtualHost>();
  const numbers = new Map<Route, number>();
  const numberOf = (route: Route): number => {
    const number = numbers.get(route) ?? numbers.size;
    numbers.set(route, number);
    return number;
  };
  for (const [host, draft] of [...drafts].sort(([a], [b]) => bySpecificity(a, b))) {
    const key = draft.routes.map(numberOf).join();
    const existing = known.get(key);
    if (existing !== undefined && existing.requireTls === draft.requireTls) {
      existing.domains.push(host);
    } else {
      known.set(key, draft);
      kept.push(draft);
    }
  }
  return kept;
}

// Wildcards last, longer names first, then by bytes.
function bySpecificity(a: string, b: string): number {
  return Number(isWildcard(a)) - Number(isWildcard(b)) || b.length - a.length || compareText(a, b);
}

function finish(draft: DraftVirtualHost, attemptCount: boolean): VirtualHost {
  const specific = draft.routes.filter((route) => !isCatchAll(route));
  const catchAll = draft.routes.filter(isCatchAll);
  const routes = [...specific, ...catchAll];
  return {
    name: draft.name,
    originId: draft.originId,
    domains: draft.domains,
    ...(routes.length === 0 ? {} : { routes }),
    ...(draft.requireTls ? { require_tls: 'ALL' as const } : {}),
    ...(attemptCount ? { include_request_attempt_count: true } : {}),
  };
}
