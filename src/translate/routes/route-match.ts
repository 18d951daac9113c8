// One HTTPMatchRequest as Envoy's RouteMatch. Spec virtualservice.md §1.3, §6.3, §7. Source: istio/istio
// pilot/pkg/networking/core/route/route.go (TranslateRouteMatch, IsCatchAllRoute).
import type { StringMatch } from '../../config/model/common.js';
import { jwtClaim } from '../../config/model/jwt-claim.js';
import type { HttpMatchRequest } from '../../config/model/virtual-service.js';
import { compareText } from '../../config/text-order.js';
import type { DynamicMetadataMatcher, HeaderMatcher, Route, RouteMatch } from '../../xds/index.js';
import { headerMatcher, invertedHeaderMatcher, queryParameterMatcher } from './string-match.js';

/** The match of a rule without `match`: every path. */
export const MATCH_ALL: RouteMatch = Object.freeze({ prefix: '/' });

/** Absent conditions are left out; no condition at all is the prefix `/`. */
export function routeMatch(match: HttpMatchRequest): RouteMatch {
  const headers: HeaderMatcher[] = [];
  const claims: DynamicMetadataMatcher[] = [];
  for (const [name, value] of Object.entries(match.headers)) {
    const path = jwtClaim(name);
    if (path === undefined) headers.push(headerMatcher(name, value));
    else claims.push(claimMatcher(path));
  }
  for (const [name, value] of Object.entries(match.withoutHeaders)) {
    const path = jwtClaim(name);
    if (path === undefined) headers.push(invertedHeaderMatcher(name, value));
    else claims.push({ ...claimMatcher(path), invert: true });
  }
  headers.sort((a, b) => compareText(a.name, b.name));
  // These three come behind the sorted ones.
  if (match.method !== undefined) headers.push(headerMatcher(':method', match.method));
  if (match.authority !== undefined) headers.push(headerMatcher(':authority', match.authority));
  if (match.scheme !== undefined) headers.push(headerMatcher(':scheme', match.scheme));
  const query = Object.entries(match.queryParams).map(([name, value]) => queryParameterMatcher(name, value));
  return {
    ...pathMatch(match.uri),
    case_sensitive: !match.ignoreUriCase,
    ...(headers.length === 0 ? {} : { headers }),
    ...(query.length === 0 ? {} : { query_parameters: query }),
    ...(claims.length === 0 ? {} : { dynamic_metadata: claims }),
  };
}

// Prefixes are raw strings here, not path segments (§7.2).
function pathMatch(uri: StringMatch | undefined): RouteMatch {
  if (uri?.exact !== undefined) return { path: uri.exact };
  if (uri?.prefix !== undefined) return { prefix: uri.prefix };
  if (uri?.regex !== undefined) return { safe_regex: { regex: uri.regex } };
  return MATCH_ALL;
}

/** Fits every request, in Istio's opinion: `/.*` and an empty prefix do too, but are not recognised (§6.3). */
export function isCatchAll(route: Route): boolean {
  const { prefix, safe_regex, headers, query_parameters, dynamic_metadata } = route.match;
  return (
    (prefix === '/' || safe_regex?.regex === '.*') &&
    headers === undefined &&
    query_parameters === undefined &&
    dynamic_metadata === undefined
  );
}

function claimMatcher(claims: readonly string[]): DynamicMetadataMatcher {
  return {
    filter: 'envoy.filters.http.jwt_authn',
    path: ['payload', ...claims].map((key) => ({ key })),
  };
}
