// What one rule becomes: matchers, redirects, retries, hashing, mirrors, faults, CORS, headers. Spec virtualservice.md
// §7-§14; destinations.md §2.7, §8.3.
import t from 'tap';
import { ANY_HOST_GATEWAY, buildRoutes, gatewayYaml, virtualServiceYaml } from '../../support/route-tables.js';

/** The first route of a VirtualService with this one `http` entry; `want` is a part of it, except where it says `null`. */
function checkRule(
  title: string,
  entry: string,
  want: object,
  more: { readonly yaml?: string; readonly mesh?: string; readonly gateway?: string } = {},
): void {
  const rule = virtualServiceYaml('vs', `hosts: [a.test]\nhttp:\n- { ${entry} }`);
  const { tables } = buildRoutes((more.gateway ?? ANY_HOST_GATEWAY) + rule + (more.yaml ?? ''), more.mesh);
  const route = tables[0]?.virtual_hosts[0]?.routes?.[0] as Readonly<Record<string, unknown>> | undefined;
  const got = Object.fromEntries(Object.keys(want).map((key) => [key, pick(route, key) ?? null]));
  t.same(got, want, title);
}

function pick(value: unknown, path: string): unknown {
  return path
    .split('.')
    .reduce<unknown>((at, key) => (at as Readonly<Record<string, unknown>> | undefined)?.[key], value);
}

const TO_WEB = 'route: [{ destination: { host: web } }]';
const REPLY = 'directResponse: { status: 200 }';

checkRule('no match at all', REPLY, { match: { prefix: '/' }, 'decorator.operation': 'vs:80/*' });
checkRule(
  'headers sorted by name, then method, authority, scheme',
  `match: [{ uri: { prefix: /a }, ignoreUriCase: true, scheme: { exact: http }, authority: {}, method: { regex: "GET|HEAD" }, headers: { x-b: { exact: "" }, X-a: {} }, withoutHeaders: { x-c: { regex: "*" }, x-d: { prefix: p } } }], ${REPLY}`,
  {
    match: {
      prefix: '/a',
      case_sensitive: false,
      headers: [
        { name: 'X-a', present_match: true },
        { name: 'x-b', string_match: { exact: '' } },
        { name: 'x-c', present_match: true, invert_match: true },
        { name: 'x-d', string_match: { prefix: 'p' }, invert_match: true, treat_missing_header_as_empty: true },
        { name: ':method', string_match: { safe_regex: { regex: 'GET|HEAD' } } },
        { name: ':authority', present_match: true },
        { name: ':scheme', string_match: { exact: 'http' } },
      ],
    },
  },
);
checkRule('query parameters', `match: [{ queryParams: { q: {}, r: { exact: "" } } }], ${REPLY}`, {
  'match.query_parameters': [
    { name: 'q', present_match: true },
    { name: 'r', string_match: { exact: '' } },
  ],
});
checkRule(
  'JWT claims are metadata, in either spelling',
  `match: [{ headers: { "@request.auth.claims.a.b": { exact: x } }, withoutHeaders: { "@request.auth.claims[c]": {} } }], ${REPLY}`,
  {
    'match.headers': null,
    'match.dynamic_metadata': [
      { filter: 'envoy.filters.http.jwt_authn', path: [{ key: 'payload' }, { key: 'a' }, { key: 'b' }] },
      { filter: 'envoy.filters.http.jwt_authn', path: [{ key: 'payload' }, { key: 'c' }], invert: true },
    ],
  },
);
checkRule('the operation of a regex and of one cluster', `match: [{ uri: { regex: "/a.*" } }], ${TO_WEB}`, {
  'decorator.operation': 'web.apps.svc.cluster.local:80/a.*',
});
checkRule('route name and match name', `match: [{ name: m }], ${REPLY}`, { name: '.m' });

const HTTPS_GATEWAY = gatewayYaml(
  '- { port: { number: 443, name: https, protocol: HTTPS }, hosts: ["*"], tls: { mode: SIMPLE, credentialName: c } }',
);
for (const [redirect, want, gateway] of [
  ['scheme: https', { path_redirect: '', scheme_redirect: 'https' }],
  ['scheme: https, port: 443', { path_redirect: '', scheme_redirect: 'https' }],
  ['scheme: https, port: 8443', { path_redirect: '', scheme_redirect: 'https', port_redirect: 8443 }],
  ['port: 80', { path_redirect: '' }],
  ['port: 80', { path_redirect: '', port_redirect: 80 }, HTTPS_GATEWAY],
  ['uri: /n, redirectCode: 308', { path_redirect: '/n', response_code: 'PERMANENT_REDIRECT' }],
  ['uri: /n, redirectCode: 301', { path_redirect: '/n' }],
  ['scheme: https, derivePort: FROM_REQUEST_PORT', { path_redirect: '', scheme_redirect: 'https', port_redirect: 80 }],
  ['scheme: https, derivePort: FROM_REQUEST_PORT', { path_redirect: '', scheme_redirect: 'https' }, HTTPS_GATEWAY],
  ['authority: b.test, derivePort: FROM_PROTOCOL_DEFAULT', { host_redirect: 'b.test', path_redirect: '' }],
  ['prefixRewrite: /b', { prefix_rewrite: '/b' }],
] as const) {
  checkRule(
    `redirect ${redirect}`,
    `redirect: { ${redirect} }`,
    { redirect: want },
    gateway === undefined ? {} : { gateway },
  );
}
checkRule('a redirect code that Istio cannot express leaves no action', 'redirect: { uri: /n, redirectCode: 304 }', {
  redirect: null,
  route: null,
  direct_response: null,
});

const DEFAULT_RETRY = {
  retry_on: 'connect-failure,refused-stream,unavailable,cancelled,retriable-status-codes',
  num_retries: 2,
  retry_host_predicate: [{ name: 'envoy.retry_host_predicates.previous_hosts', typed_config: {} }],
  host_selection_retry_max_attempts: '5',
};
for (const [retries, want, mesh] of [
  ['', DEFAULT_RETRY],
  ['retries: {}', null],
  ['retries: { attempts: 0 }', null],
  ['retries: { attempts: 3 }', { ...DEFAULT_RETRY, num_retries: 3 }],
  [
    'retries: { attempts: 1, retryOn: "503" }',
    { ...DEFAULT_RETRY, num_retries: 1, retry_on: ',retriable-status-codes', retriable_status_codes: [503] },
  ],
  [
    'retries: { attempts: 1, retryOn: "reset,429" }',
    { ...DEFAULT_RETRY, num_retries: 1, retry_on: 'reset,retriable-status-codes', retriable_status_codes: [429] },
  ],
  [
    'retries: { attempts: 1, perTryTimeout: 250ms, backoff: 2s, retryIgnorePreviousHosts: false, retryRemoteLocalities: true }',
    {
      retry_on: DEFAULT_RETRY.retry_on,
      num_retries: 1,
      per_try_timeout: '0.250s',
      retry_priority: { name: 'envoy.retry_priorities.previous_priorities', typed_config: { update_frequency: 2 } },
      host_selection_retry_max_attempts: '5',
      retry_back_off: { base_interval: '2s' },
    },
  ],
  ['', { ...DEFAULT_RETRY, num_retries: 5, retry_on: '5xx' }, 'defaultHttpRetryPolicy: { attempts: 5, retryOn: 5xx }'],
  ['', null, 'defaultHttpRetryPolicy: { attempts: 0 }'],
  ['retries: { attempts: 1 }', { ...DEFAULT_RETRY, num_retries: 1 }, 'defaultHttpRetryPolicy: { attempts: 0 }'],
] as const) {
  checkRule(
    `retries: ${retries || 'none'}${mesh === undefined ? '' : `, mesh ${mesh}`}`,
    `${retries === '' ? '' : `${retries}, `}${TO_WEB}`,
    { 'route.retry_policy': want },
    mesh === undefined ? {} : { mesh },
  );
}

const rule = (policy: string, rest = ''): string => `
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: web, namespace: apps }
spec:
  host: web
  trafficPolicy: { ${policy} }
${rest}
---
apiVersion: v1
kind: Service
metadata: { name: web, namespace: apps }
spec: { ports: [{ name: http, port: 80 }] }
---`;
const hash = (key: string): string => `loadBalancer: { consistentHash: { ${key} } }`;
const { retry_host_predicate: _predicate, ...NO_PREDICATE } = DEFAULT_RETRY;

checkRule(
  'consistent hash: policy, and retries stay on the hash',
  TO_WEB,
  { 'route.hash_policy': [{ header: { header_name: 'x-user' } }], 'route.retry_policy': NO_PREDICATE },
  { yaml: rule(hash('httpHeaderName: x-user')) },
);
checkRule(
  'consistent hash in a weighted route keeps the predicate',
  'route: [{ destination: { host: web }, weight: 1 }, { destination: { host: web }, weight: 1 }, { destination: { host: web }, weight: 0 }]',
  {
    'route.hash_policy': [{ query_parameter: { name: 'q' } }, { query_parameter: { name: 'q' } }],
    'route.retry_policy': DEFAULT_RETRY,
  },
  { yaml: rule(hash('httpQueryParameterName: q')) },
);
checkRule(
  'consistent hash: a cookie, its attributes, a source address, a false one',
  TO_WEB,
  { 'route.hash_policy': [{ cookie: { name: 'c', ttl: '0s', path: '/p' } }] },
  { yaml: rule(hash('httpCookie: { name: c, ttl: 0s, path: /p }')) },
);
checkRule(
  'useSourceIp: false is a policy without effect',
  TO_WEB,
  { 'route.hash_policy': [{ connection_properties: {} }] },
  { yaml: rule(hash('useSourceIp: false')) },
);
const LEVELS = rule(
  `${hash('httpHeaderName: top')}, portLevelSettings: [{ port: { number: 80 }, ${hash('httpHeaderName: port')} }]`,
  `  subsets:
  - name: own
    trafficPolicy: { ${hash('httpHeaderName: subset')}, portLevelSettings: [{ port: { number: 80 }, ${hash('httpHeaderName: subset-port')} }] }
  - name: plain`,
);
for (const [destination, want] of [
  ['host: web', 'top'],
  ['host: web, port: { number: 80 }', 'port'],
  ['host: web, subset: own', 'subset'],
  ['host: web, subset: own, port: { number: 80 }', 'subset-port'],
  ['host: web, subset: plain, port: { number: 81 }', 'top'],
] as const) {
  checkRule(
    `consistent hash of { ${destination} }`,
    `route: [{ destination: { ${destination} } }]`,
    { 'route.hash_policy': [{ header: { header_name: want } }] },
    { yaml: LEVELS },
  );
}

const shadow = (percent: object): object => ({
  cluster: 'outbound|80||shadow.apps.svc.cluster.local',
  runtime_fraction: { default_value: percent },
  trace_sampled: false,
  disable_shadow_host_suffix_append: true,
});
for (const [mirror, want] of [
  ['mirror: { host: shadow }', [shadow({ numerator: 100 })]],
  ['mirror: { host: shadow }, mirrorPercentage: { value: 0.5 }', [shadow({ numerator: 5000, denominator: 'MILLION' })]],
  ['mirror: { host: shadow }, mirrorPercentage: { value: 0.00005 }', [shadow({ denominator: 'MILLION' })]],
  ['mirror: { host: shadow }, mirrorPercentage: { value: 0 }', null],
  ['mirror: { host: shadow }, mirrorPercent: 7', [shadow({ numerator: 7 })]],
  [
    'mirrors: [{ destination: { host: shadow } }, { destination: { host: shadow }, percentage: { value: 0 } }, { destination: { host: shadow }, percentage: { value: 12.3456789 } }], mirrorPercentage: { value: 1 }',
    [shadow({ numerator: 100 }), shadow({ numerator: 123456, denominator: 'MILLION' })],
  ],
] as const) {
  checkRule(`mirror { ${mirror} }`, `${mirror}, ${TO_WEB}`, { 'route.request_mirror_policies': want });
}

const MILLION = { numerator: 1_000_000, denominator: 'MILLION' };
for (const [fault, want] of [
  ['delay: { fixedDelay: 3s, percentage: { value: 100 } }', { delay: { fixed_delay: '3s', percentage: MILLION } }],
  ['delay: { fixedDelay: 3s, percent: 5 }', { delay: { fixed_delay: '3s', percentage: { numerator: 5 } } }],
  ['delay: { fixedDelay: 3s }', { delay: { fixed_delay: '3s', percentage: {} } }],
  ['abort: { httpStatus: 500 }', { abort: { http_status: 500 } }],
  ['abort: { httpStatus: 500, percentage: { value: 100 } }', { abort: { http_status: 500, percentage: MILLION } }],
  [
    'abort: { grpcStatus: UNAVAILABLE, percentage: { value: 0 } }',
    { abort: { grpc_status: 14, percentage: { denominator: 'MILLION' } } },
  ],
  ['abort: { percentage: { value: 100 } }', {}],
] as const) {
  checkRule(`fault { ${fault} }`, `fault: { ${fault} }, ${TO_WEB}`, {
    typed_per_filter_config: { 'envoy.filters.http.fault': want },
  });
}

checkRule(
  'CORS, all of it',
  `corsPolicy: { allowOrigins: [{ exact: "*" }, { regex: "https://.*" }], allowMethods: [GET, POST], allowHeaders: ["*"], exposeHeaders: [x-a, x-b], maxAge: 24h, allowCredentials: false, unmatchedPreflights: IGNORE }, ${TO_WEB}`,
  {
    typed_per_filter_config: {
      'envoy.filters.http.cors': {
        allow_origin_string_match: [{ exact: '*' }, { safe_regex: { regex: 'https://.*' } }],
        allow_methods: 'GET,POST',
        allow_headers: '*',
        expose_headers: 'x-a,x-b',
        max_age: '86400',
        allow_credentials: false,
        filter_enabled: { default_value: { numerator: 100 } },
        forward_not_matching_preflights: false,
      },
    },
  },
);
checkRule('CORS, the old list', `corsPolicy: { allowOrigin: [https://a.test] }, ${TO_WEB}`, {
  typed_per_filter_config: {
    'envoy.filters.http.cors': {
      allow_origin_string_match: [{ exact: 'https://a.test' }],
      filter_enabled: { default_value: { numerator: 100 } },
      forward_not_matching_preflights: true,
    },
  },
});

const set = (key: string, value: string): object => ({
  header: { key, value },
  append_action: 'OVERWRITE_IF_EXISTS_OR_ADD',
});
checkRule(
  'headers of the route and of its single destination are one block; sorted within set and add',
  `headers: { request: { set: { x-b: "1", X-a: "2" }, add: { x-c: "3" }, remove: [x-d] } }, route: [{ destination: { host: web }, headers: { request: { set: { x-b: dst } }, response: { remove: [x-e] } } }]`,
  {
    request_headers_to_add: [
      set('X-a', '2'),
      set('x-b', '1'),
      { header: { key: 'x-c', value: '3' } },
      set('x-b', 'dst'),
    ],
    request_headers_to_remove: ['x-d'],
    response_headers_to_add: null,
    response_headers_to_remove: ['x-e'],
  },
);
checkRule(
  'headers of weighted destinations stay theirs; an empty value is left out',
  `headers: { request: { set: { x-b: "" } } }, route: [{ destination: { host: web }, weight: 1, headers: { request: { set: { host: dst.test, x-b: dst } } } }, { destination: { host: web }, weight: 2 }]`,
  {
    request_headers_to_add: [{ header: { key: 'x-b' }, append_action: 'OVERWRITE_IF_EXISTS_OR_ADD' }],
    'route.host_rewrite_literal': null,
    'route.weighted_clusters.clusters': [
      {
        name: 'outbound|80||web.apps.svc.cluster.local',
        weight: 1,
        host_rewrite_literal: 'dst.test',
        request_headers_to_add: [set('x-b', 'dst')],
      },
      { name: 'outbound|80||web.apps.svc.cluster.local', weight: 2 },
    ],
  },
);
for (const [entry, want] of [
  ['headers: { request: { set: { Host: set.test } } }', 'set.test'],
  ['headers: { request: { add: { ":authority": add.test } } }', 'add.test'],
  ['rewrite: { authority: rewritten.test }', 'rewritten.test'],
] as const) {
  checkRule(`Host of { ${entry} }`, `${entry}, ${TO_WEB}`, {
    'route.host_rewrite_literal': want,
    request_headers_to_add: null,
  });
}
checkRule(
  'Host of a single destination gives way to the route',
  'rewrite: { authority: route.test }, route: [{ destination: { host: web }, headers: { request: { set: { host: dst.test } } } }]',
  { 'route.host_rewrite_literal': 'route.test' },
);
checkRule(
  'x-forwarded-host only with a rewrite',
  `rewrite: { uri: /b }, ${TO_WEB}`,
  { 'route.append_x_forwarded_host': true, 'route.prefix_rewrite': '/b' },
  { mesh: 'defaultConfig: { proxyHeaders: { xForwardedHost: { enabled: true } } }' },
);
checkRule(
  'a regex rewrite',
  `rewrite: { uriRegexRewrite: { match: "^/a", rewrite: /b } }, timeout: 1500ms, ${TO_WEB}`,
  {
    'route.regex_rewrite': { pattern: { regex: '^/a' }, substitution: '/b' },
    'route.timeout': '1.500s',
    'route.max_grpc_timeout': '1.500s',
  },
);
checkRule('a body of bytes', 'directResponse: { status: 200, body: { bytes: AAH/CgA= } }', {
  direct_response: { status: 200, body: { inline_bytes: 'AAH/CgA=' } },
});

t.test('attempt counts are switched off for all virtual hosts', async (t) => {
  const yaml = ANY_HOST_GATEWAY + virtualServiceYaml('vs', `hosts: [a.test]\nhttp: [{ ${REPLY} }]`);
  const on = buildRoutes(yaml).tables[0]?.virtual_hosts[0];
  const off = buildRoutes(yaml, 'defaultConfig: { proxyHeaders: { attemptCount: { disabled: true } } }');
  t.equal(on?.include_request_attempt_count, true);
  t.equal(off.tables[0]?.virtual_hosts[0]?.include_request_attempt_count, undefined);
});
