// From the `http` entries of one VirtualService to Envoy routes, for one server of one Gateway. Spec virtualservice.md
// §6, §18.2 (decorator). Source: istio/istio pilot/pkg/networking/core/route/route.go
// (BuildHTTPRoutesForVirtualService, TranslateRoute, sourceMatchHTTP, GetRouteOperation).
import { labelsMatch } from '../../config/model/labels.js';
import type { HttpMatchRequest, HttpRoute } from '../../config/model/virtual-service.js';
import type { OriginTable } from '../../diagnostics/origin.js';
import type { BoundHttpRoute } from '../../registry/delegates.js';
import type { PushContext } from '../../registry/push-context.js';
import type { BoundVirtualService } from '../../registry/virtual-services.js';
import type { Route, RouteMatch } from '../../xds/index.js';
import { istioMetadata, parseClusterName } from '../names.js';
import { filterConfig } from './filter-config.js';
import { headerOperations } from './header-operations.js';
import { directResponseAction, redirectAction } from './redirect.js';
import { forwardingRoute } from './route-action.js';
import { isCatchAll, MATCH_ALL, routeMatch } from './route-match.js';

/** The server that the routes are made for; static facts that matches and redirects look at. */
export interface RouteServer {
  /** `ns/name` */
  readonly gatewayName: string;
  /** The number in the Gateway. */
  readonly port: number;
  readonly hasTls: boolean;
}

/**
 * Routes in written order, nothing sorted. Ends with the first that fits everything: what follows it can never be reached
 * and is not sent (§6.1). Empty when no match fits the server.
 */
export function httpRoutes(
  context: PushContext,
  bound: BoundVirtualService,
  server: RouteServer,
  origins: OriginTable,
): readonly Route[] {
  const routes: Route[] = [];
  for (const entry of bound.http) {
    if (entry.route.match.length === 0) {
      routes.push(buildRoute(context, bound, entry, undefined, server, origins));
      return routes;
    }
    for (const [index, match] of entry.route.match.entries()) {
      if (!fitsServer(context, match, server)) continue;
      const route = buildRoute(context, bound, entry, index, server, origins);
      routes.push(route);
      if (isCatchAll(route)) return routes;
    }
  }
  return routes;
}

/** The static part of a match (§1.3): where `gateways` is written, only it counts, and labels and namespace do not. */
export function fitsServer(context: PushContext, match: HttpMatchRequest, server: RouteServer): boolean {
  if ((match.port ?? 0) !== 0 && match.port !== server.port) return false;
  if (match.gateways.length > 0) return match.gateways.includes(server.gatewayName);
  const { labels, namespace } = context.proxy;
  if (!labelsMatch(match.sourceLabels, labels)) return false;
  return (match.sourceNamespace ?? '') === '' || match.sourceNamespace === namespace;
}

function buildRoute(
  context: PushContext,
  bound: BoundVirtualService,
  entry: BoundHttpRoute,
  matchIndex: number | undefined,
  server: RouteServer,
  origins: OriginTable,
): Route {
  const http = entry.route;
  const request = matchIndex === undefined ? undefined : http.match[matchIndex];
  const match = request === undefined ? MATCH_ALL : routeMatch(request);
  const name = routeName(http, request);
  const filters = filterConfig(http);
  const action = routeActionOf(context, http, server);
  return {
    originId: origins.add(entry.from.at(originPath(bound, entry, matchIndex))),
    ...(name === '' ? {} : { name }),
    match,
    metadata: istioMetadata('virtual-service', bound.resource.metadata),
    ...action,
    decorator: { operation: routeOperation(match, action.route?.cluster, bound.name, server.port) },
    ...(filters === undefined ? {} : { typed_per_filter_config: filters }),
  };
}

// A merged match of a delegation has no line of its own.
function originPath(
  bound: BoundVirtualService,
  entry: BoundHttpRoute,
  matchIndex: number | undefined,
): readonly (string | number)[] {
  const own = entry.from === bound.resource && matchIndex !== undefined;
  return own ? ['spec', 'http', entry.index, 'match', matchIndex] : ['spec', 'http', entry.index];
}

function routeName(http: HttpRoute, match: HttpMatchRequest | undefined): string {
  const name = http.name ?? '';
  return (match?.name ?? '') === '' ? name : `${name}.${match?.name}`;
}

// If several slipped past validation: redirect, then directResponse, then route. A redirect with a status that Istio
// cannot express leaves the route without an action, which Envoy refuses (`refusedRouteTables`).
function routeActionOf(
  context: PushContext,
  http: HttpRoute,
  server: RouteServer,
): Pick<Route, 'route' | 'redirect' | 'direct_response'> {
  if (http.redirect !== undefined) {
    const redirect = redirectAction(http.redirect, server.port, server.hasTls);
    return { ...(redirect === undefined ? {} : { redirect }), ...headerOperations(http.headers) };
  }
  if (http.directResponse !== undefined)
    return { direct_response: directResponseAction(http.directResponse), ...headerOperations(http.headers) };
  const { route, headers } = forwardingRoute(context, http, server.port);
  return { route, ...headers };
}

// What Envoy sends as x-envoy-decorator-operation: the single cluster's host and port, else the VirtualService's name and
// the server's port, then the path.
function routeOperation(
  match: RouteMatch,
  cluster: string | undefined,
  virtualService: string,
  serverPort: number,
): string {
  const path = match.path ?? match.safe_regex?.regex ?? `${match.prefix}*`;
  const parts = cluster === undefined ? undefined : parseClusterName(cluster);
  return parts === undefined ? `${virtualService}:${serverPort}${path}` : `${parts.hostname}:${parts.port}${path}`;
}
