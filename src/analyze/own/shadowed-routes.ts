// Routes that can never match. For each route a request is made up that satisfies exactly its own conditions and nothing
// else, and the matcher of the data plane is asked which route takes it: an earlier one that does, and whose conditions
// hold for everything else that the route describes, shadows it.

import { RouteShadowed } from '../../diagnostics/catalogue.js';
import type { Origin } from '../../diagnostics/origin.js';
import { RouteIndex } from '../../match/route-index.js';
import type { HeaderMatcher, HeaderReader, Route, RouteMatch, StringMatcher, VirtualHost } from '../../xds/index.js';
import type { GatewayAnalysisContext, GatewayAnalyzer } from '../analyzer.js';

export const shadowedRoutes: GatewayAnalyzer = {
  name: 'postern.shadowedRoutes',
  description: 'Finds routes that can never match, and the route that takes their requests',
  inputs: [],
  messages: [RouteShadowed],
  analyze(context) {
    const found = new Map<string, Verdict>();
    for (const table of context.gateway.snapshot.routes)
      for (const virtualHost of table.virtual_hosts) checkHost(context, virtualHost, found);
    for (const { route, at, shadow, by } of found.values()) {
      if (shadow !== undefined && by !== undefined)
        context.report(RouteShadowed, at, { route: describe(route, at), shadow: describeShadow(shadow, by, at) });
    }
  },
};

/** A rule stands in the tables of several servers and hosts: it never matches if it is shadowed in all of them. */
interface Verdict {
  readonly route: Route;
  readonly at: Origin;
  /** The first one that was found. */
  readonly shadow: Route | undefined;
  readonly by: Origin | undefined;
}

function checkHost(context: GatewayAnalysisContext, virtualHost: VirtualHost, found: Map<string, Verdict>): void {
  const routes = virtualHost.routes ?? [];
  const index = new RouteIndex(routes);
  const { origins } = context.gateway;
  for (const [position, route] of routes.entries()) {
    const at = origins.get(route.originId);
    if (at === undefined) continue;
    const key = `${at.file}:${at.line}:${at.column}`;
    const known = found.get(key);
    if (known !== undefined && known.shadow === undefined) continue;
    const shadow = position === 0 ? undefined : shadowOf(index, routes, position);
    const by = shadow === undefined ? undefined : origins.get(shadow.originId);
    if (known === undefined || shadow === undefined) found.set(key, { route, at, shadow, by });
  }
}

/** The route that every request for this one goes to, if that can be shown. */
function shadowOf(index: RouteIndex, routes: readonly Route[], position: number): Route | undefined {
  const route = routes[position];
  const requests = route === undefined ? undefined : witnesses(route.match);
  if (route === undefined || requests === undefined) return undefined;
  const found = new Set(requests.map((request) => index.find(request)));
  const [first] = found;
  if (found.size !== 1 || first === undefined || first < 0 || first >= position) return undefined;
  const shadow = routes[first];
  return shadow !== undefined && isImplied(shadow.match, route.match) ? shadow : undefined;
}

type Witness = Parameters<RouteIndex['find']>[0];

/** Text that no configuration expects. */
const ANY = 'zq9x';

/** Requests that satisfy the conditions of a route and as little else as possible; none where that is not possible. */
function witnesses(match: RouteMatch): readonly Witness[] | undefined {
  const paths =
    match.path !== undefined
      ? [match.path]
      : match.prefix !== undefined
        ? [match.prefix, `${match.prefix}${ANY}`, `${match.prefix}/${ANY}`]
        : undefined;
  if (paths === undefined) return undefined;
  const headers = new Map<string, string>();
  for (const matcher of match.headers ?? []) {
    if (matcher.invert_match === true) continue;
    const value = sample(matcher.string_match);
    if (value === undefined) return undefined;
    headers.set(matcher.name.toLowerCase(), value);
  }
  const query: string[] = [];
  for (const { name, string_match } of match.query_parameters ?? []) {
    const value = sample(string_match);
    if (value === undefined) return undefined;
    query.push(`${encodeURIComponent(name)}=${encodeURIComponent(value)}`);
  }
  const own = new RouteIndex([{ match }]);
  const requests = paths.map(
    (path): Witness => ({
      method: headers.get(':method') ?? ANY,
      authority: headers.get(':authority') ?? ANY,
      scheme: headers.get(':scheme') ?? ANY,
      path: query.length === 0 ? path : `${path}?${query.join('&')}`,
      headers: reader(headers),
    }),
  );
  return requests.every((request) => own.find(request) === 0) ? requests : undefined;
}

/** A value that fits; `undefined` for a regular expression. */
function sample(matcher: StringMatcher | undefined): string | undefined {
  if (matcher === undefined) return ANY;
  return matcher.exact ?? (matcher.prefix === undefined ? undefined : `${matcher.prefix}${ANY}`);
}

function reader(headers: ReadonlyMap<string, string>): HeaderReader {
  return {
    get: (name) => headers.get(name),
    values: (name) => {
      const value = headers.get(name);
      return value === undefined ? [] : [value];
    },
    has: (name) => headers.has(name),
  };
}

/**
 * The made-up requests fit `shadow`; does everything that fits `route`? Regular expressions may fit the samples and not
 * the rest, and a header that must be absent is absent in the samples only.
 */
function isImplied(shadow: RouteMatch, route: RouteMatch): boolean {
  if (shadow.safe_regex !== undefined && !/^\/?\.\*$/.test(shadow.safe_regex.regex)) return false;
  if (route.case_sensitive === false && shadow.case_sensitive !== false && shadow.prefix !== '/') return false;
  const written = new Set([...(route.headers ?? []), ...(route.query_parameters ?? [])].map(render));
  const exact = new Set(
    [...(route.headers ?? []), ...(route.query_parameters ?? [])]
      .filter((matcher) => matcher.string_match?.exact !== undefined)
      .map(({ name }) => name.toLowerCase()),
  );
  const holds = (matcher: HeaderMatcher): boolean => {
    if (written.has(render(matcher))) return true;
    if (matcher.invert_match === true) return false;
    return matcher.string_match?.safe_regex === undefined || exact.has(matcher.name.toLowerCase());
  };
  return [...(shadow.headers ?? []), ...(shadow.query_parameters ?? [])].every(holds);
}

function render(matcher: object): string {
  return JSON.stringify(matcher);
}

function describe(route: Route, at: Origin): string {
  const name = route.name === undefined || route.name === '' ? `the rule at line ${at.line}` : `rule "${route.name}"`;
  return `${name} of ${at.resource ?? at.file}`;
}

function describeShadow(route: Route, by: Origin, at: Origin): string {
  const name = route.name === undefined || route.name === '' ? 'the rule' : `rule "${route.name}"`;
  if (by.resource === at.resource) return `${name} at line ${by.line}`;
  return `${name} of ${by.resource ?? ''} (${by.file}:${by.line})`;
}
