// What Envoy refuses in a route table although istiod sent it. The whole table is refused then: the last good one stays,
// and a fresh port answers 404 to everything. Spec virtualservice.md §17.4, dataplane.md §11.
import { compileRegex, MAX_PROGRAM_SIZE } from '../../regex/index.js';
import type {
  ClusterWeight,
  HeaderValueOption,
  Route,
  RouteAction,
  RouteConfiguration,
  RouteMatch,
  Snapshot,
  StringMatcher,
} from '../../xds/index.js';
import { CORS_FILTER, FAULT_FILTER, HTTP_CONNECTION_MANAGER } from '../../xds/index.js';
import { headerValueError } from './header-value.js';

/**
 * Tables that Envoy refuses, by name, with Envoy's reason.
 *
 *     refusedRouteTables(routes); // { 'http.8080': 'Not supported field in StreamInfo: FOO' }
 */
export function refusedRouteTables(routes: readonly RouteConfiguration[]): Readonly<Record<string, string>> {
  const refused: Record<string, string> = {};
  for (const table of routes) {
    const refusal = refusalOf(table);
    if (refusal !== undefined) refused[table.name] = refusal.reason;
  }
  return refused;
}

/**
 * The tables that Envoy holds: those that a listener which it took asks for, without those that it refused.
 *
 * A refused listener asks for nothing, so its tables show in no config dump although istiod would make them.
 */
export function acceptedRouteTables(snapshot: Snapshot): readonly RouteConfiguration[] {
  const requested = new Set<string>();
  for (const { state, listener } of snapshot.listeners) {
    if (state === 'error') continue;
    for (const { filters } of listener?.filter_chains ?? []) {
      for (const filter of filters) {
        if (filter.name === HTTP_CONNECTION_MANAGER) requested.add(filter.typed_config.rds.route_config_name);
      }
    }
  }
  return snapshot.routes.filter(({ name }) => requested.has(name) && snapshot.refusedRoutes?.[name] === undefined);
}

/** Why Envoy refuses a table, and the first route that it does not take. */
export interface RouteTableRefusal {
  readonly reason: string;
  readonly route: Route;
}

// Envoy first checks the whole message against the rules of the API, then builds the table and stops at the first
// route that fails.
export function refusalOf(table: RouteConfiguration): RouteTableRefusal | undefined {
  return constraintViolation(table) ?? tableError(table);
}

function constraintViolation(table: RouteConfiguration): RouteTableRefusal | undefined {
  for (const [host, { routes }] of table.virtual_hosts.entries()) {
    for (const [index, route] of (routes ?? []).entries()) {
      const violation = routeViolation(route);
      if (violation === undefined) continue;
      const embedded = 'embedded message failed validation | caused by';
      const reason =
        `Proto constraint validation failed (RouteConfigurationValidationError.VirtualHosts[${host}]: ${embedded} ` +
        `VirtualHostValidationError.Routes[${index}]: ${embedded} ${violation})`;
      return { reason, route };
    }
  }
  return undefined;
}

function tableError(table: RouteConfiguration): RouteTableRefusal | undefined {
  for (const host of table.virtual_hosts) {
    for (const route of host.routes ?? []) {
      const reason = routeError(route);
      if (reason !== undefined) return { reason, route };
    }
  }
  return undefined;
}

function routeViolation(route: Route): string | undefined {
  if (route.route === undefined && route.redirect === undefined && route.direct_response === undefined)
    return 'field: "action", reason: is required';
  const status = route.direct_response?.status;
  if (status !== undefined && (status < 200 || status >= 600)) {
    return (
      'RouteValidationError.DirectResponse: embedded message failed validation | caused by ' +
      'DirectResponseActionValidationError.Status: value must be inside range [200, 600)'
    );
  }
  return undefined;
}

function routeError(route: Route): string | undefined {
  return (
    matchError(route.match) ??
    headersError(route) ??
    (route.route === undefined ? undefined : actionError(route.route)) ??
    filterError(route)
  );
}

function matchError(match: RouteMatch): string | undefined {
  if (match.safe_regex !== undefined) {
    const error = regexError(match.safe_regex.regex);
    if (error !== undefined) return error;
  }
  for (const matcher of [...(match.headers ?? []), ...(match.query_parameters ?? [])]) {
    const error = stringMatcherError(matcher.string_match);
    if (error !== undefined) return error;
  }
  return undefined;
}

function actionError(action: RouteAction): string | undefined {
  if (action.regex_rewrite !== undefined) {
    const error = regexError(action.regex_rewrite.pattern.regex);
    if (error !== undefined) return error;
  }
  const clusters = action.weighted_clusters?.clusters;
  if (clusters === undefined) return undefined;
  const total = clusters.reduce((sum, cluster) => sum + cluster.weight, 0);
  if (total === 0) return 'Sum of weights in the weighted_cluster must be greater than 0.';
  if (total > 0xffff_ffff) return `The sum of weights of all weighted clusters exceeds 4294967295`;
  for (const cluster of clusters) {
    const error = headersError(cluster);
    if (error !== undefined) return error;
  }
  return undefined;
}

function headersError(level: Route | ClusterWeight): string | undefined {
  return valuesError(level.request_headers_to_add) ?? valuesError(level.response_headers_to_add);
}

function valuesError(options: readonly HeaderValueOption[] | undefined): string | undefined {
  for (const { header } of options ?? []) {
    const error = headerValueError(header.value ?? '');
    if (error !== undefined) return error;
  }
  return undefined;
}

function filterError(route: Route): string | undefined {
  for (const matcher of route.typed_per_filter_config?.[CORS_FILTER]?.allow_origin_string_match ?? []) {
    const error = stringMatcherError(matcher);
    if (error !== undefined) return error;
  }
  const status = route.typed_per_filter_config?.[FAULT_FILTER]?.abort?.http_status;
  if (status === undefined || (status >= 200 && status < 600)) return undefined;
  return (
    'Proto constraint validation failed (HTTPFaultValidationError.Abort: embedded message failed validation | caused by ' +
    'FaultAbortValidationError.HttpStatus: value must be inside range [200, 600))'
  );
}

function stringMatcherError(matcher: StringMatcher | undefined): string | undefined {
  return matcher?.safe_regex === undefined ? undefined : regexError(matcher.safe_regex.regex);
}

/** Patterns of a route, for estimates of their size. */
export function patternsOf(route: Route): readonly string[] {
  const { match, route: action } = route;
  const matchers = [...(match.headers ?? []), ...(match.query_parameters ?? [])].map(
    ({ string_match }) => string_match,
  );
  const origins = route.typed_per_filter_config?.[CORS_FILTER]?.allow_origin_string_match ?? [];
  return [
    match.safe_regex?.regex,
    ...[...matchers, ...origins].map((matcher) => matcher?.safe_regex?.regex),
    action?.regex_rewrite?.pattern.regex,
  ].filter((pattern) => pattern !== undefined);
}

/** Envoy's (RE2's) text for a pattern that it does not take; the size is an estimate. */
function regexError(pattern: string): string | undefined {
  const regex = compileRegex(pattern);
  if (regex.kind === 'error') return re2Text(regex.message);
  if (regex.programSize <= MAX_PROGRAM_SIZE) return undefined;
  return (
    `regex '${pattern}' RE2 program size of ${regex.programSize} > max program size of ${MAX_PROGRAM_SIZE} set for the ` +
    'error level threshold. Increase configured max program size if necessary.'
  );
}

// RE2 words what Go's regexp, its twin, says a little differently. Source: google/re2 re2/parse.cc, kErrorStrings.
const RE2_WORDS: readonly (readonly [go: string, re2: string])[] = [
  ['missing closing ]', 'missing ]'],
  ['missing closing )', 'missing )'],
  ['missing argument to repetition operator', 'no argument for repetition operator'],
  ['invalid repeat count', 'invalid repetition size'],
  ['invalid nested repetition operator', 'bad repetition operator'],
  ['invalid or unsupported Perl syntax', 'invalid perl operator'],
  ['invalid named capture', 'invalid named capture group'],
  ['trailing backslash at end of expression', 'trailing \\'],
];

function re2Text(message: string): string {
  let text = message
    .replace(/^error parsing regexp: /, '')
    .replace(/: `(.*)`$/s, (_, fragment: string) => (fragment === '' ? '' : `: ${fragment}`));
  for (const [go, re2] of RE2_WORDS) if (text.startsWith(go)) text = re2 + text.slice(go.length);
  return text;
}
