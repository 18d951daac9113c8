// Routes that forward: destinations, rewriting, timeout, retries, mirrors. Spec virtualservice.md §8.4, §9.3-9.6, §10,
// §12, §14.2, §14.3. Source: istio/istio pilot/pkg/networking/core/route/route.go (applyHTTPRouteDestination,
// processDestination, processWeightedDestination).
import type { Destination } from '../../config/model/common.js';
import type { HttpRoute, HttpRouteDestination } from '../../config/model/virtual-service.js';
import type { PushContext } from '../../registry/push-context.js';
import {
  type ClusterWeight,
  type FractionalPercent,
  type HashPolicy,
  type RequestMirrorPolicy,
  type RouteAction,
  renderDuration,
} from '../../xds/index.js';
import { destinationCluster, destinationHash } from './destination.js';
import { fractionalPercent, integerPercent } from './fractional-percent.js';
import { authorityOf, headerOperations, type TranslatedHeaders } from './header-operations.js';
import { retryPolicy } from './retry-policy.js';

/** A forwarding route's action, and the header operations of the route (which a single destination adds to). */
export interface ForwardingRoute {
  readonly route: RouteAction;
  readonly headers: TranslatedHeaders;
}

/** The fields of a route that forwards, mirrors and retries included. */
export function forwardingRoute(context: PushContext, http: HttpRoute, serverPort: number): ForwardingRoute {
  const single = http.route.length === 1 ? http.route[0] : undefined;
  const hashes = hashPolicies(context, http.route);
  const retry = retryPolicy(
    http.retries ?? context.mesh.defaultHttpRetryPolicy,
    single !== undefined && hashes.length > 0,
  );
  const host = hostRewrite(http, single);
  const mirrors = mirrorPolicies(context, http, serverPort);
  const timeout = renderDuration(http.timeout ?? 0);
  const route: RouteAction = {
    ...(single === undefined
      ? { weighted_clusters: { clusters: weightedClusters(context, http.route, serverPort) } }
      : { cluster: destinationCluster(context, single.destination, serverPort) }),
    ...pathRewrite(http),
    ...(host === '' ? {} : { host_rewrite_literal: host }),
    ...(appendsForwardedHost(context, http) ? { append_x_forwarded_host: true } : {}),
    timeout,
    ...(retry === undefined ? {} : { retry_policy: retry }),
    ...(hashes.length === 0 ? {} : { hash_policy: hashes }),
    max_grpc_timeout: timeout,
    ...(mirrors.length === 0 ? {} : { request_mirror_policies: mirrors }),
  };
  return { route, headers: headerOperations(http.headers, single?.headers) };
}

// With one destination its weight does not count, not even 0; of several those with 0 are dropped (§8.4). One that
// remains alone is still weighted, which matters for the order of header operations.
function weightedClusters(
  context: PushContext,
  destinations: readonly HttpRouteDestination[],
  serverPort: number,
): readonly ClusterWeight[] {
  return destinations
    .filter((entry) => entry.weight !== 0)
    .map((entry) => {
      const host = authorityOf(entry.headers);
      return {
        name: destinationCluster(context, entry.destination, serverPort),
        weight: entry.weight,
        ...(host === '' ? {} : { host_rewrite_literal: host }),
        ...headerOperations(entry.headers),
      };
    });
}

// All destinations' policies apply, whichever is picked (destinations.md §8.3).
function hashPolicies(context: PushContext, destinations: readonly HttpRouteDestination[]): readonly HashPolicy[] {
  return destinations
    .filter((entry) => destinations.length === 1 || entry.weight !== 0)
    .map((entry) => destinationHash(context, entry.destination))
    .filter((policy) => policy !== undefined);
}

function pathRewrite(http: HttpRoute): Pick<RouteAction, 'prefix_rewrite' | 'regex_rewrite'> {
  const { uri = '', uriRegexRewrite } = http.rewrite ?? {};
  if (uriRegexRewrite !== undefined) {
    return {
      regex_rewrite: { pattern: { regex: uriRegexRewrite.match }, substitution: uriRegexRewrite.rewrite },
    };
  }
  return uri === '' ? {} : { prefix_rewrite: uri };
}

// §9.5: rewrite.authority, then the route's header operations, then those of a single destination.
function hostRewrite(http: HttpRoute, single: HttpRouteDestination | undefined): string {
  return (http.rewrite?.authority ?? '') || authorityOf(http.headers) || authorityOf(single?.headers);
}

function appendsForwardedHost(context: PushContext, http: HttpRoute): boolean {
  return http.rewrite !== undefined && context.mesh.defaultConfig?.proxyHeaders?.xForwardedHost?.enabled === true;
}

function mirrorPolicies(context: PushContext, http: HttpRoute, serverPort: number): readonly RequestMirrorPolicy[] {
  const policies: RequestMirrorPolicy[] = [];
  const add = (destination: Destination, percent: FractionalPercent | undefined): void => {
    if (percent === undefined) return;
    policies.push({
      cluster: destinationCluster(context, destination, serverPort),
      runtime_fraction: { default_value: percent },
      trace_sampled: false,
      disable_shadow_host_suffix_append: true,
    });
  };
  if (http.mirror !== undefined) add(http.mirror, mirrorPercent(http));
  for (const { destination, percentage } of http.mirrors) {
    const never = percentage !== undefined && percentage.value <= 0;
    add(
      destination,
      never ? undefined : percentage === undefined ? integerPercent(100) : fractionalPercent(percentage),
    );
  }
  return policies;
}

// Of `mirror` only; `undefined` = no mirroring, because zero was written.
function mirrorPercent(http: HttpRoute): FractionalPercent | undefined {
  if (http.mirrorPercentage !== undefined)
    return http.mirrorPercentage.value > 0 ? fractionalPercent(http.mirrorPercentage) : undefined;
  if (http.mirrorPercent !== undefined) return http.mirrorPercent > 0 ? integerPercent(http.mirrorPercent) : undefined;
  return integerPercent(100);
}
