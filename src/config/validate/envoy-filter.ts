// What istiod's webhook says of an EnvoyFilter, as far as it can be said without Envoy's API: patches that are incomplete
// or do not fit their match. Istio: pkg/config/validation/envoyfilter/envoyfilter.go.
import { compileRegex } from '../../regex/index.js';
import { Findings } from './findings.js';
import { goQuote } from './go-text.js';
import type { WebhookObject } from './object.js';
import { SELECTOR_WITHOUT_LABELS, validateSelectorLabels } from './references.js';
import type { Written } from './written.js';

export function validateEnvoyFilter({ spec }: WebhookObject, found: Findings): void {
  const selector = spec.message('workloadSelector');
  if (selector !== undefined) {
    const part = new Findings();
    if (!validateSelectorLabels(selector, 'labels', part)) {
      found.addErrors(part);
      return;
    }
  }
  found.warning(
    'EnvoyFilter exposes internal implementation details that may change at any time. Prefer other APIs if possible, and exercise extreme caution, especially around upgrades.',
    spec.span,
  );
  if (selector?.pairs('labels').length === 0) {
    const text = `Envoy filter: ${SELECTOR_WITHOUT_LABELS}, will be applied to all services in namespace`;
    found.warning(text, selector.span);
  }
  for (const patch of spec.messages('configPatches')) validatePatch(patch, found);
}

function validatePatch(patch: Written, found: Findings): void {
  const applyTo = patch.text('applyTo');
  const change = patch.message('patch');
  const operation = change?.text('operation') ?? '';
  const error = (text: string, at: Written = patch): void => found.error(`Envoy filter: ${text}`, at.span);
  if (applyTo === '' || applyTo === 'INVALID') {
    error('missing applyTo');
    return;
  }
  if (change === undefined) {
    error('missing patch');
    return;
  }
  if (operation === '' || operation === 'INVALID') {
    error('missing patch operation', change);
    return;
  }
  if (operation !== 'REMOVE' && !change.has('value')) {
    error('missing patch value for non-remove operation', change);
    return;
  }
  const match = patch.message('match');
  const version = match?.message('proxy')?.text('proxyVersion') ?? '';
  const regex = version === '' ? undefined : compileRegex(version);
  if (regex?.kind === 'error' && regex.refusedBy === 'webhook') {
    error(`invalid regex for proxy version, [${regex.message}]`, match);
    return;
  }
  if (match !== undefined && !validateMatch(match, applyTo, found)) return;
  const value = change.message('value');
  if (value !== undefined) warnOfUntypedConfig(value, applyTo, found);
}

const LISTENER_CLASS: ReadonlySet<string> = new Set(['LISTENER', 'FILTER_CHAIN', 'NETWORK_FILTER', 'HTTP_FILTER']);
const ROUTE_CLASS: ReadonlySet<string> = new Set(['ROUTE_CONFIGURATION', 'VIRTUAL_HOST', 'HTTP_ROUTE']);

/** False where Istio looks no further at the patch. */
function validateMatch(match: Written, applyTo: string, found: Findings): boolean {
  const object = match.oneOf('listener', 'routeConfiguration', 'cluster', 'waypoint');
  if (object === undefined) return true;
  const wrong = (text: string): void => found.error(`Envoy filter: applyTo for ${text} match`, match.spanOf(object));
  if (LISTENER_CLASS.has(applyTo)) {
    if (object === 'listener') return validateListenerMatch(match, applyTo, found);
    wrong('listener class objects cannot have non listener');
    return false;
  }
  if (ROUTE_CLASS.has(applyTo) && object !== 'routeConfiguration') {
    wrong('http route class objects cannot have non route configuration');
  }
  if (applyTo === 'CLUSTER' && object !== 'cluster') wrong('cluster class objects cannot have non cluster');
  return true;
}

const CONNECTION_MANAGER = 'envoy.filters.network.http_connection_manager';

function validateListenerMatch(match: Written, applyTo: string, found: Findings): boolean {
  const filter = match.message('listener')?.message('filterChain')?.message('filter');
  if (filter === undefined) return true;
  if (applyTo === 'LISTENER' || applyTo === 'FILTER_CHAIN') {
    found.warning(`Envoy filter: filter match has no effect when used with ${applyTo}`, filter.span);
  }
  const name = filter.text('name');
  const sub = filter.message('subFilter');
  const problem =
    name === ''
      ? 'filter match has no name to match on'
      : sub === undefined
        ? undefined
        : applyTo !== 'HTTP_FILTER'
          ? 'subfilter match can be used with applyTo HTTP_FILTER only'
          : name !== CONNECTION_MANAGER && name !== 'envoy.http_connection_manager'
            ? `subfilter match requires filter match with ${CONNECTION_MANAGER}`
            : sub.text('name') === ''
              ? 'subfilter match has no name to match on'
              : undefined;
  if (problem !== undefined) {
    found.error(`Envoy filter: ${problem}`, filter.span);
    return false;
  }
  for (const named of sub === undefined ? [filter] : [filter, sub]) {
    const old = named.text('name');
    const renamed = RENAMED.get(old);
    if (renamed === undefined) continue;
    found.warning(
      `using deprecated filter name ${goQuote(old)}; use ${goQuote(renamed)} instead`,
      named.spanOf('name'),
    );
  }
  return true;
}

const RENAMED: ReadonlyMap<string, string> = new Map([
  ['envoy.buffer', 'envoy.filters.http.buffer'],
  ['envoy.cors', 'envoy.filters.http.cors'],
  ['envoy.csrf', 'envoy.filters.http.csrf'],
  ['envoy.http_dynamo_filter', 'envoy.filters.http.dynamo'],
  ['envoy.fault', 'envoy.filters.http.fault'],
  ['envoy.grpc_http1_bridge', 'envoy.filters.http.grpc_http1_bridge'],
  ['envoy.grpc_json_transcoder', 'envoy.filters.http.grpc_json_transcoder'],
  ['envoy.grpc_web', 'envoy.filters.http.grpc_web'],
  ['envoy.gzip', 'envoy.filters.http.gzip'],
  ['envoy.health_check', 'envoy.filters.http.health_check'],
  ['envoy.ip_tagging', 'envoy.filters.http.ip_tagging'],
  ['envoy.lua', 'envoy.filters.http.lua'],
  ['envoy.rate_limit', 'envoy.filters.http.ratelimit'],
  ['envoy.router', 'envoy.filters.http.router'],
  ['envoy.squash', 'envoy.filters.http.squash'],
  ['envoy.listener.http_inspector', 'envoy.filters.listener.http_inspector'],
  ['envoy.listener.original_dst', 'envoy.filters.listener.original_dst'],
  ['envoy.listener.original_src', 'envoy.filters.listener.original_src'],
  ['envoy.listener.proxy_protocol', 'envoy.filters.listener.proxy_protocol'],
  ['envoy.listener.tls_inspector', 'envoy.filters.listener.tls_inspector'],
  ['envoy.client_ssl_auth', 'envoy.filters.network.client_ssl_auth'],
  ['envoy.http_connection_manager', CONNECTION_MANAGER],
  ['envoy.mongo_proxy', 'envoy.filters.network.mongo_proxy'],
  ['envoy.ratelimit', 'envoy.filters.network.ratelimit'],
  ['envoy.redis_proxy', 'envoy.filters.network.redis_proxy'],
  ['envoy.tcp_proxy', 'envoy.filters.network.tcp_proxy'],
]);

const FILTERS: ReadonlySet<string> = new Set(['HTTP_FILTER', 'NETWORK_FILTER', 'LISTENER_FILTER']);

/** A filter that only says its name: Envoy used to find its type by that. */
function warnOfUntypedConfig(value: Written, applyTo: string, found: Findings): void {
  if (!FILTERS.has(applyTo)) return;
  const typed = ['typed_config', 'typedConfig', 'config_discovery', 'configDiscovery'];
  if (typed.some((key) => value.has(key))) return;
  const text = `using deprecated types by name without typed_config; ${value.text('name')}`;
  found.warning(text, value.spanOf('name'));
}
