// Random but valid configurations: Gateways, VirtualServices and DestinationRules over services that always exist. What
// chance would decide (which of several endpoints, shares other than all or nothing) is left out, so that two gateways
// must agree on every call.
import fc from 'fast-check';

/** One Kubernetes object. */
export type Resource = { readonly [field: string]: unknown };

/** Services, their pods and Secrets stand in every configuration; `routing` is what is random. */
export interface FuzzConfig {
  readonly routing: readonly Resource[];
}

export const HOSTS: readonly string[] = [
  'shop.test',
  'www.shop.test',
  'api.shop.test',
  '*.shop.test',
  '*.wild.test',
  'a.b.wild.test',
  '*',
];
export const PATHS: readonly string[] = [
  '/',
  '/api',
  '/api/',
  '/api/v1',
  '/Api',
  '/items/42',
  '/a/b',
  '/a//b',
  '/a.b',
  '/a%20b',
  '/a%2Fb',
  '/old/page.html',
];
export const HEADER_NAMES: readonly string[] = ['x-user', 'x-a', 'x-b', 'cookie', 'origin', 'user-agent'];
export const HEADER_VALUES: readonly string[] = ['alice', 'bob', 'alice,bob', '1', '', 'a=b; user=alice', 'Alice'];
const REGEXES: readonly string[] = [
  '.*',
  '/.*',
  '/items/[0-9]+',
  '(?i)/api.*',
  '/(api|items)/?.*',
  '[^?]*b',
  '/\\w+/\\d+',
  '/a.b',
  'ali.*',
  '(bob|alice)',
  '',
  '/api/?',
];

const one = <T>(values: readonly T[]): fc.Arbitrary<T> => fc.constantFrom(...values);
/** `arbitrary` in one of `times` cases. */
const rarely = <T>(arbitrary: fc.Arbitrary<T>, times = 4): fc.Arbitrary<T | undefined> =>
  fc.oneof({ weight: Math.round((times - 1) * 10), arbitrary: fc.constant(undefined) }, { weight: 10, arbitrary });

const stringMatch = (values: readonly string[]): fc.Arbitrary<Resource> =>
  fc.oneof(
    one(values).map((exact) => ({ exact })),
    one(values.filter((value) => value !== '')).map((prefix) => ({ prefix })),
    one(REGEXES.filter((value) => value !== '')).map((regex) => ({ regex })),
  );

const headerMatch = fc.oneof(
  { weight: 4, arbitrary: stringMatch(HEADER_VALUES) },
  { weight: 1, arbitrary: fc.constant({}) },
  { weight: 1, arbitrary: fc.constant({ exact: '' }) },
);

const match: fc.Arbitrary<Resource> = record({
  name: rarely(one(['m1', 'm2']), 8),
  uri: fc.option(stringMatch(PATHS), { freq: 3, nil: undefined }),
  ignoreUriCase: rarely(fc.constant(true), 5),
  method: rarely(stringMatch(['GET', 'POST', 'OPTIONS'])),
  authority: rarely(stringMatch(['shop.test', 'api', 'www.shop.test', 'SHOP.test']), 8),
  scheme: rarely(stringMatch(['http', 'https']), 10),
  headers: rarely(fc.dictionary(one(HEADER_NAMES), headerMatch, { minKeys: 1, maxKeys: 2 }), 3),
  withoutHeaders: rarely(fc.dictionary(one(HEADER_NAMES), headerMatch, { minKeys: 1, maxKeys: 2 }), 6),
  queryParams: rarely(
    fc.dictionary(one(['x', 'y', 'q', 'x-user']), stringMatch(['1', 'alice', 'a b', '']), { minKeys: 1, maxKeys: 2 }),
    5,
  ),
  port: rarely(one([80, 443, 8080]), 10),
});

/** Values of header operations, with Envoy's operators. */
const OPERATORS: readonly string[] = [
  'plain',
  '',
  'a, b',
  '%REQ(x-user)%',
  '%REQ(x-none)%',
  '%REQ(x-none?x-user):3%',
  '%REQ(:PATH)% x',
  '%REQ(:METHOD)% %REQ(:AUTHORITY)%',
  '%PROTOCOL%',
  '%RESPONSE_CODE%',
  '%RESPONSE_CODE_DETAILS%',
  '%RESPONSE_FLAGS%',
  '%ROUTE_NAME%',
  '%REQUESTED_SERVER_NAME%',
  '%UPSTREAM_CLUSTER%',
  '%UPSTREAM_HOST%',
  '%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%',
  '%DOWNSTREAM_TLS_VERSION%',
  '%DOWNSTREAM_PEER_SUBJECT%',
  '%RESP(x-served-by)%',
  '%RESP(content-type)%',
  '%UPSTREAM_TRANSPORT_FAILURE_REASON%',
  '%CONNECTION_TERMINATION_DETAILS%',
  '%UPSTREAM_REQUEST_ATTEMPT_COUNT%',
  '%REQ(X-ENVOY-ORIGINAL-PATH?:PATH)%',
];
const OPERATION_NAMES: readonly string[] = ['x-a', 'x-b', 'X-Mixed', 'x-user', 'cache-control', 'x-served-by'];

const operations = (names: readonly string[]): fc.Arbitrary<Resource> =>
  record({
    set: rarely(fc.dictionary(one(names), one(OPERATORS), { minKeys: 1, maxKeys: 3 }), 2),
    add: rarely(fc.dictionary(one(names), one(OPERATORS), { minKeys: 1, maxKeys: 3 }), 2),
    remove: rarely(fc.uniqueArray(one([...names, 'user-agent', 'x-none']), { minLength: 1, maxLength: 2 }), 3),
  });

const headerOperations: fc.Arbitrary<Resource> = record({
  request: rarely(operations([...OPERATION_NAMES, 'x-forwarded-proto', 'content-type', 'x-forwarded-for']), 2),
  response: rarely(operations([...OPERATION_NAMES, 'server', 'content-type', 'set-cookie']), 2),
});

const destination: fc.Arbitrary<Resource> = fc.oneof(
  { weight: 6, arbitrary: fc.constant({ host: 'web.demo.svc.cluster.local', port: { number: 80 } }) },
  { weight: 3, arbitrary: fc.constant({ host: 'api', port: { number: 8080 } }) },
  { weight: 2, arbitrary: fc.constant({ host: 'split', subset: 'v1' }) },
  { weight: 2, arbitrary: fc.constant({ host: 'split', subset: 'v2' }) },
  { weight: 2, arbitrary: fc.constant({ host: 'hashed' }) },
  { weight: 1, arbitrary: fc.constant({ host: 'split', subset: 'ghost' }) },
  { weight: 1, arbitrary: fc.constant({ host: 'split', subset: 'unknown' }) },
  { weight: 1, arbitrary: fc.constant({ host: 'nobody' }) },
  { weight: 1, arbitrary: fc.constant({ host: 'missing.demo.svc.cluster.local' }) },
  { weight: 1, arbitrary: fc.constant({ host: 'web', port: { number: 81 } }) },
  { weight: 1, arbitrary: fc.constant({ host: 'closed', port: { number: 80 } }) },
  { weight: 1, arbitrary: fc.constant({ host: 'ext.example.org' }) },
);

const route: fc.Arbitrary<readonly Resource[]> = fc.oneof(
  {
    weight: 4,
    arbitrary: record({ destination, headers: rarely(headerOperations, 5) }).map((only) => [only]),
  },
  {
    weight: 1,
    arbitrary: fc
      .tuple(destination, destination, fc.boolean(), rarely(headerOperations, 3))
      .map(([left, right, first, headers]) => [
        { destination: left, weight: first ? 100 : 0, ...(headers === undefined ? {} : { headers }) },
        { destination: right, weight: first ? 0 : 100 },
      ]),
  },
);

const percentage = one([{ value: 100 }, { value: 0 }]);

const abort: fc.Arbitrary<Resource> = fc.oneof(
  fc.tuple(one([200, 204, 400, 418, 500, 503, 599]), percentage).map(([httpStatus, share]) => ({
    httpStatus,
    percentage: share,
  })),
  fc.tuple(one(['UNAVAILABLE', 'OK', 'NOT_FOUND']), percentage).map(([grpcStatus, share]) => ({
    grpcStatus,
    percentage: share,
  })),
);
const delay: fc.Arbitrary<Resource> = percentage.map((share) => ({ fixedDelay: '0.005s', percentage: share }));
const fault: fc.Arbitrary<Resource> = fc.oneof(record({ abort }), record({ delay }), record({ abort, delay }));

const retries: fc.Arbitrary<Resource> = fc.oneof(
  fc.constant({ attempts: 0 }),
  record({
    attempts: one([1, 2, 3]),
    perTryTimeout: rarely(fc.constant('0.15s'), 3),
    retryOn: rarely(
      one([
        '5xx',
        'gateway-error',
        'retriable-4xx',
        'connect-failure,refused-stream',
        'reset',
        '503,404',
        'retriable-headers',
        'reset-before-request',
        'cancelled,unavailable',
        'envoy-ratelimited',
      ]),
      2,
    ),
    backoff: rarely(fc.constant('0.002s'), 2),
    retryIgnorePreviousHosts: rarely(fc.boolean(), 5),
  }),
);

const cors: fc.Arbitrary<Resource> = record({
  allowOrigins: rarely(
    fc.array(
      fc.oneof(
        one(['https://good.test', '*', 'null']).map((exact) => ({ exact })),
        one(['https://good']).map((prefix) => ({ prefix })),
        one(['https://.*\\.test', '.*']).map((regex) => ({ regex })),
      ),
      { minLength: 1, maxLength: 2 },
    ),
    1.2,
  ),
  allowMethods: rarely(fc.uniqueArray(one(['GET', 'POST', 'DELETE', 'PUT']), { minLength: 1, maxLength: 3 }), 2),
  allowHeaders: rarely(fc.uniqueArray(one(['x-a', 'content-type']), { minLength: 1, maxLength: 2 }), 2),
  exposeHeaders: rarely(fc.uniqueArray(one(['x-b', 'x-served-by']), { minLength: 1, maxLength: 2 }), 2),
  maxAge: rarely(one(['24h', '1m', '1s']), 2),
  allowCredentials: rarely(fc.boolean(), 2),
  unmatchedPreflights: rarely(one(['FORWARD', 'IGNORE']), 2),
});

const rewrite: fc.Arbitrary<Resource> = fc.oneof(
  record({
    uri: one(['/', '/new', '/new/', '/a b', '/%41']),
    authority: rarely(one(['other.test', 'other.test:99']), 3),
  }),
  fc.constant({ authority: 'other.test' }),
  fc
    .tuple(
      one(['/items/(\\d+)', '^/api', '/', '(.*)', '/a(.)b', '[a-z]+']),
      one(['/things/\\1', '/x', '\\0\\0', '/-', '-']),
    )
    .map(([pattern, substitution]) => ({ uriRegexRewrite: { match: pattern, rewrite: substitution } })),
);

const redirect: fc.Arbitrary<Resource> = fc
  .tuple(
    record({
      authority: rarely(one(['new.test', 'new.test:8443', 'NEW.test']), 2),
      scheme: rarely(one(['http', 'https']), 2),
      redirectCode: rarely(one([301, 302, 303, 307, 308]), 2),
    }),
    fc.oneof(
      one(['/', '/new', '/new?a=b', '/new#x', 'new']).map((uri) => ({ uri })),
      one(['/', '/new/']).map((prefixRewrite) => ({ prefixRewrite })),
      fc.constant({}),
    ),
    fc.oneof(
      one([80, 443, 8443, 1234]).map((port) => ({ port })),
      one(['FROM_PROTOCOL_DEFAULT', 'FROM_REQUEST_PORT']).map((derivePort) => ({ derivePort })),
      fc.constant({}),
    ),
  )
  .map(([fields, path, port]) => ({ authority: 'moved.test', ...fields, ...path, ...port }));

const directResponse: fc.Arbitrary<Resource> = record({
  status: one([200, 204, 302, 404, 503]),
  body: rarely(
    fc.oneof(
      one(['hello', '', '{"a":1}', '<b>x</b>']).map((string) => ({ string })),
      one(['aGk=']).map((bytes) => ({ bytes })),
    ),
    1.5,
  ),
});

const action: fc.Arbitrary<Resource> = fc.oneof(
  {
    weight: 6,
    arbitrary: record({
      route,
      rewrite: rarely(rewrite, 3),
      timeout: rarely(one(['0.2s', '5s']), 4),
      retries: rarely(retries, 3),
      mirrors: rarely(
        fc
          .tuple(one(['mirror', 'nobody', 'missing']), percentage)
          .map(([host, share]) => [{ destination: { host }, percentage: share }]),
        6,
      ),
    }),
  },
  { weight: 1, arbitrary: redirect.map((value) => ({ redirect: value })) },
  { weight: 1, arbitrary: directResponse.map((value) => ({ directResponse: value })) },
);

const rule: fc.Arbitrary<Resource> = fc
  .tuple(
    record({
      name: rarely(one(['first', 'second', 'a.b']), 3),
      match: fc.option(fc.array(match, { minLength: 1, maxLength: 3 }), { freq: 4, nil: undefined }),
      headers: rarely(headerOperations, 3),
      corsPolicy: rarely(cors, 5),
      fault: rarely(fault, 6),
    }),
    action,
  )
  .map(([common, what]) => {
    const merged: Resource = { ...common, ...what };
    // The webhook takes no fault beside these, and a prefix only where prefixes are matched.
    if ('redirect' in merged || 'directResponse' in merged) {
      const { fault: _fault, ...rest } = merged;
      const redirected = rest['redirect'] as Resource | undefined;
      if (redirected?.['prefixRewrite'] === undefined) return rest;
      return { ...rest, match: [{ uri: { prefix: '/api' } }, { uri: { prefix: '/' }, method: { exact: 'POST' } }] };
    }
    return merged;
  });

const virtualService: fc.Arbitrary<Resource> = record({
  // Hosts of one VirtualService may not cover each other.
  hosts: one([
    ['*'],
    ['*'],
    ['shop.test'],
    ['*.shop.test'],
    ['www.shop.test', 'api.shop.test'],
    ['*.wild.test', 'shop.test'],
    ['a.b.wild.test', '*.shop.test'],
  ]),
  gateways: fc.constant(['istio-system/edge']),
  http: fc.array(rule, { minLength: 1, maxLength: 6 }),
});

const server: fc.Arbitrary<Resource> = fc
  .tuple(
    one(['SIMPLE', 'SIMPLE', 'MUTUAL', 'OPTIONAL_MUTUAL']),
    fc.uniqueArray(one([...HOSTS, '*', '*', '*']), { minLength: 1, maxLength: 2 }),
    rarely(one(['TLSV1_2', 'TLSV1_3']), 5),
  )
  .map(([mode, hosts, version]) => ({
    hosts,
    tls: {
      mode,
      credentialName: 'a-tls',
      ...(version === undefined ? {} : { minProtocolVersion: version }),
    },
  }));

const gateway: fc.Arbitrary<Resource> = fc
  .tuple(
    fc.uniqueArray(one(HOSTS), { minLength: 1, maxLength: 3 }),
    rarely(fc.constant(true), 8),
    fc.uniqueArray(server, {
      minLength: 1,
      maxLength: 3,
      selector: ({ hosts }) => JSON.stringify(hosts),
    }),
    fc.nat({ max: 3 }),
  )
  .map(([hosts, redirects, servers, open]) => ({
    apiVersion: 'networking.istio.io/v1',
    kind: 'Gateway',
    metadata: { name: 'edge', namespace: 'istio-system' },
    spec: {
      selector: { istio: 'ingressgateway' },
      servers: [
        {
          port: { number: 80, name: 'http', protocol: 'HTTP' },
          hosts: open > 0 ? ['*'] : hosts,
          ...(redirects === true ? { tls: { httpsRedirect: true } } : {}),
        },
        ...servers.map((one, index) => ({ port: { number: 443, name: `https-${index}`, protocol: 'HTTPS' }, ...one })),
      ],
    },
  }));

const hashing: fc.Arbitrary<Resource> = fc.oneof(
  one(['x-user', 'x-a']).map((httpHeaderName) => ({ httpHeaderName })),
  fc.constant({ httpCookie: { name: 'user', ttl: '0s' } }),
  fc.constant({ httpQueryParameterName: 'x' }),
  fc.constant({ useSourceIp: true }),
  fc.constant({ httpHeaderName: 'x-user', maglev: { tableSize: 251 } }),
  fc.constant({ httpQueryParameterName: 'x', ringHash: { minimumRingSize: 64 } }),
);

const policy: fc.Arbitrary<Resource | undefined> = rarely(
  record({
    connectionPool: rarely(
      fc.constantFrom<Resource>(
        { http: { h2UpgradePolicy: 'UPGRADE' } },
        { http: { maxRequestsPerConnection: 1 } },
        { http: { maxRetries: 1 } },
        { tcp: { connectTimeout: '1s' } },
        { http: { idleTimeout: '5s' } },
      ),
      1.5,
    ),
    loadBalancer: one([{ simple: 'ROUND_ROBIN' }, { simple: 'RANDOM' }, { simple: 'LEAST_REQUEST' }]),
  }),
  2,
);

const rules: fc.Arbitrary<readonly Resource[]> = fc.tuple(hashing, policy, policy).map(([hash, web, api]) => [
  destinationRule('hashed', { trafficPolicy: { loadBalancer: { consistentHash: hash } } }),
  destinationRule('split', {
    subsets: ['v1', 'v2', 'ghost'].map((version) => ({ name: version, labels: { version } })),
  }),
  ...(web === undefined ? [] : [destinationRule('web', { trafficPolicy: web })]),
  ...(api === undefined ? [] : [destinationRule('api', { trafficPolicy: api })]),
]);

/** A whole configuration. */
export const fuzzConfig: fc.Arbitrary<FuzzConfig> = fc
  .tuple(gateway, fc.array(virtualService, { minLength: 1, maxLength: 4 }), rules)
  .map(([edge, services, destinationRules]) => ({
    routing: [
      edge,
      ...services.map((spec, index) => ({
        apiVersion: 'networking.istio.io/v1',
        kind: 'VirtualService',
        metadata: {
          name: `vs-${index}`,
          namespace: 'demo',
          creationTimestamp: `2026-01-01T00:00:0${index}Z`,
        },
        spec,
      })),
      ...destinationRules,
    ],
  }));

function destinationRule(name: string, spec: Resource): Resource {
  return {
    apiVersion: 'networking.istio.io/v1',
    kind: 'DestinationRule',
    metadata: { name, namespace: 'demo' },
    spec: { host: `${name}.demo.svc.cluster.local`, ...spec },
  };
}

/** A record whose undefined members are left out. */
function record<T extends Readonly<Record<string, unknown>>>(
  model: {
    readonly [K in keyof T]: fc.Arbitrary<T[K]>;
  },
): fc.Arbitrary<Resource> {
  return fc
    .record(model as { [K in keyof T]: fc.Arbitrary<T[K]> })
    .map((value) => Object.fromEntries(Object.entries(value).filter(([, member]) => member !== undefined)));
}
