// VirtualService: what each field decides. Spec virtualservice.md §1 and the sections named there.
import { GATEWAY, indent, type Made, object, type Probe, SERVICES, V2, WEB } from './probe.js';

const OTHER = 'outbound|80||other.apps.svc.cluster.local';
const OTHER_V2 = 'outbound|80|v2|other.apps.svc.cluster.local';
const API = 'outbound|80||api.apps.svc.cluster.local';
const TO_WEB = 'route: [{destination: {host: web, port: {number: 80}}}]';

/** A VirtualService for a.example.com; `http` are the items of its list. */
function virtualService(http: string, more = ''): string {
  return `${SERVICES}${GATEWAY}${object('VirtualService', 'web', `hosts: [a.example.com]\ngateways: [gw]\n${more}http:\n${http}`)}`;
}

/** One HTTP route to `web` with further fields. */
function route(fields: string, to = TO_WEB): string {
  return virtualService(`- ${indent(`${to}\n${fields}`, 2).trim()}`);
}

function probe(paths: string | readonly string[], yaml: string, look: (made: Made) => unknown, want: unknown): Probe {
  const relative = typeof paths === 'string' ? [paths] : paths;
  const full = relative.map((path) => (/^(?:spec|metadata)/.test(path) ? path : `spec.http[].${path}`));
  return { kind: 'VirtualService', paths: full, yaml, look, want };
}

/** A probe of one field of an HTTP route to `web`. */
function field(paths: string | readonly string[], fields: string, look: (made: Made) => unknown, want: unknown): Probe {
  return probe(paths, route(fields), look, want);
}

/** Where requests go that differ in one thing only: `match` is what the first route asks for, the second takes the rest. */
function match(paths: string | readonly string[], condition: string, calls: Calls, want: readonly string[]): Probe {
  const yaml = virtualService(
    `- {name: first, match: [{${condition}}], ${TO_WEB}}\n- {name: rest, route: [{destination: {host: other, port: {number: 80}}}]}`,
  );
  return probe(paths, yaml, (made) => calls.map((call) => made.decide(call).route), want);
}

interface Form {
  readonly exact: FormCase;
  readonly prefix: FormCase;
  readonly regex: FormCase;
}

/** What the form says, values that take the first route, and values that do not. */
type FormCase = readonly [form: string, first: readonly string[], rest: readonly string[]];

/** A field of type StringMatch in its three forms. */
function matches(
  field: string,
  condition: (form: string) => string,
  call: (value: string) => Calls[number],
  { exact, prefix, regex }: Form,
): readonly Probe[] {
  return Object.entries({ exact, prefix, regex }).map(([form, [text, first, rest]]) =>
    match(
      [`match[].${field}.${form}`, `match[].${field.replace('{}', '')}`],
      condition(`{${form}: "${text}"}`),
      [...first, ...rest].map(call),
      [...first.map(() => 'first'), ...rest.map(() => 'rest')],
    ),
  );
}

type Calls = readonly NonNullable<Parameters<Made['decide']>[0]>[];

/** A VirtualService for TCP or TLS: `gateway` is the server, `routes` the lists of routes. */
function layer4(server: string, routes: string, gateways = '[gw]'): string {
  return `${SERVICES}${object('Gateway', 'gw', `selector: {istio: ingressgateway}\nservers:\n- ${server}`)}${object(
    'VirtualService',
    'web',
    `hosts: ["*.example.com"]\ngateways: ${gateways}\n${routes}`,
  )}`;
}

const TCP_SERVER = '{port: {number: 9000, name: tcp, protocol: TCP}, hosts: ["*"]}';
const TLS_SERVER =
  '{port: {number: 9443, name: tls, protocol: TLS}, hosts: ["*.example.com"], tls: {mode: PASSTHROUGH}}';
const tcpCluster = (made: Made): unknown => made.tcpProxies.map(({ cluster }) => cluster);
const serverNames = (made: Made): unknown => made.chains.map((chain) => chain.filter_chain_match?.server_names);

const names = (made: Made): unknown => made.context.store.all('VirtualService').map(({ metadata }) => metadata.name);
const cors = (made: Made): unknown => made.route?.typed_per_filter_config?.['envoy.filters.http.cors'];
const fault = (made: Made): unknown => made.route?.typed_per_filter_config?.['envoy.filters.http.fault'];
const retries = (made: Made): unknown => made.action?.retry_policy;
const mirrors = (made: Made): unknown => made.action?.request_mirror_policies;
const location = (made: Made): unknown => made.decide({ path: '/old/x?q=1', host: 'a.example.com:8080' }).location;
const upstreamPath = (made: Made): unknown => made.decide({ path: '/old/x?q=1' }).upstreamRequest?.path;

const HEADER_OPERATIONS = '{set: {x-s: one}, add: {x-a: two}, remove: [x-r]}';

/** Operations at one level of a route to `web`; paths are those of the Headers. */
function headerProbes(path: string, yaml: (operations: string) => string): readonly Probe[] {
  const names = (side: string): readonly string[] =>
    ['', `.${side}`, `.${side}.set`, `.${side}.add`, `.${side}.remove`].map((name) => path + name);
  return [
    probe(
      names('request'),
      yaml(`{request: ${HEADER_OPERATIONS}}`),
      (made) => made.decide({ headers: { 'x-s': 'zero', 'x-a': 'zero', 'x-r': 'zero' } }).upstreamRequest,
      { headersSet: { 'x-s': 'one', 'x-a': 'zero,two' }, headersRemoved: ['x-r'] },
    ),
    probe(names('response'), yaml(`{response: ${HEADER_OPERATIONS}}`), (made) => made.route, {
      response_headers_to_add: [
        { header: { key: 'x-s', value: 'one' }, append_action: 'OVERWRITE_IF_EXISTS_OR_ADD' },
        { header: { key: 'x-a', value: 'two' } },
      ],
      response_headers_to_remove: ['x-r'],
    }),
  ];
}

/** The fields of a Destination, which is `path`. */
function destination(path: string): readonly string[] {
  return ['', '.host', '.subset', '.port', '.port.number'].map((name) => path + name);
}

export const virtualServiceProbes: readonly Probe[] = [
  // The object and its tables.
  probe(['spec', 'spec.hosts', 'spec.http'], route(''), (made) => made.virtualHosts.map(({ domains }) => domains), [
    ['a.example.com'],
  ]),
  probe('spec.gateways', route(''), (made) => made.decide().cluster, WEB),
  probe(
    'spec.exportTo',
    route('').replace('hosts: [a.example.com]', 'hosts: [a.example.com]\n  exportTo: [elsewhere]'),
    (made) => made.decide().error,
    // Nobody in the gateway's namespace sees it, so no host is served.
    'no_virtual_host',
  ),
  probe('metadata', route(''), (made) => names(made), ['web']),
  probe('metadata.name', route(''), (made) => names(made), ['web']),
  // A short destination host is one of the VirtualService's namespace.
  probe('metadata.namespace', route(''), (made) => made.destinations, [WEB]),
  probe(
    // The older of two for one host comes first (§4.2).
    'metadata.creationTimestamp',
    `${SERVICES}${GATEWAY}${object(
      'VirtualService',
      'a',
      `hosts: [a.example.com]\ngateways: [gw]\nhttp: [{${TO_WEB}}]`,
      ', creationTimestamp: "2024-05-02T00:00:00Z"',
    )}${object(
      'VirtualService',
      'b',
      'hosts: [a.example.com]\ngateways: [gw]\nhttp: [{route: [{destination: {host: other, port: {number: 80}}}]}]',
      ', creationTimestamp: "2024-05-01T00:00:00Z"',
    )}`,
    (made) => made.decide().cluster,
    OTHER,
  ),

  // What a route is called, and what it asks for (§7).
  field('name', 'name: shop', (made) => made.decide().route, 'shop'),
  field(['match', 'match[].name'], 'match: [{name: cart, uri: {prefix: /}}]', (made) => made.decide().route, '.cart'),
  match(
    ['match[].uri', 'match[].uri.exact'],
    'uri: {exact: /x}',
    [{ path: '/x?q' }, { path: '/x/y' }],
    ['first', 'rest'],
  ),
  match('match[].uri.prefix', 'uri: {prefix: /x}', [{ path: '/xyz' }, { path: '/y' }], ['first', 'rest']),
  match('match[].uri.regex', 'uri: {regex: "/[a-c]+"}', [{ path: '/abc' }, { path: '/abcd' }], ['first', 'rest']),
  match('match[].ignoreUriCase', 'uri: {exact: /x}, ignoreUriCase: true', [{ path: '/X' }], ['first']),
  ...matches(
    'scheme',
    (form) => `scheme: ${form}`,
    (scheme) => ({ headers: { 'x-forwarded-proto': scheme } }),
    {
      exact: ['https', [], ['http']],
      prefix: ['https', [], ['http']],
      regex: ['http.', [], ['http']],
    },
  ),
  ...matches(
    'method',
    (form) => `method: ${form}`,
    (method) => ({ method }),
    {
      exact: ['PUT', ['PUT'], ['POST']],
      prefix: ['P', ['PUT', 'POST'], ['GET']],
      regex: ['P.T', ['PUT'], ['POST']],
    },
  ),
  // With its port, and in the case of the request.
  ...matches(
    'authority',
    (form) => `authority: ${form}`,
    (host) => ({ host }),
    {
      exact: ['a.example.com:8080', ['a.example.com:8080'], ['a.example.com', 'A.example.com:8080']],
      prefix: ['a.example.com:', ['a.example.com:8080'], ['a.example.com']],
      regex: ['a[.].*:80', ['a.example.com:80'], ['a.example.com:8080']],
    },
  ),
  ...matches(
    'headers{}',
    (form) => `headers: {x-user: ${form}}`,
    (value) => ({ headers: value === '' ? {} : { 'x-user': value } }),
    {
      exact: ['jason', ['jason'], ['jasons', '']],
      prefix: ['ja', ['jason'], ['tom', '']],
      regex: ['j.*n', ['jason'], ['jasons', '']],
    },
  ),
  match(
    'match[].headers',
    'headers: {x-user: {exact: jason}, x-any: {}}',
    [{ headers: { 'x-user': 'jason', 'x-any': '' } }, { headers: { 'x-user': 'jason' } }, {}],
    ['first', 'rest', 'rest'],
  ),
  // The other way round: what the form matches goes to the rest, and a missing header does not.
  ...matches(
    'withoutHeaders{}',
    (form) => `withoutHeaders: {x-user: ${form}}`,
    (value) => ({ headers: value === '' ? {} : { 'x-user': value } }),
    {
      exact: ['jason', ['jasons', ''], ['jason']],
      prefix: ['ja', ['tom', ''], ['jason']],
      regex: ['j.*n', ['jasons', ''], ['jason']],
    },
  ),
  match(
    'match[].withoutHeaders',
    'withoutHeaders: {x-user: {}}',
    [{ headers: { 'x-user': 'jason' } }, {}],
    ['rest', 'first'],
  ),
  ...matches(
    'queryParams{}',
    (form) => `queryParams: {v: ${form}}`,
    (value) => ({ path: value === '' ? '/' : `/?v=${value}` }),
    {
      exact: ['2', ['2'], ['22', '']],
      prefix: ['2', ['22'], ['12', '']],
      regex: ['[0-9]+', ['22'], ['2a', '']],
    },
  ),
  match('match[].queryParams', 'queryParams: {v: {}}', [{ path: '/?v' }, { path: '/' }], ['first', 'rest']),
  match('match[].port', 'port: 8081', [{}], ['rest']),
  match('match[].gateways', 'gateways: [another]', [{}], ['rest']),
  match('match[].sourceLabels', 'sourceLabels: {app: client}', [{}], ['rest']),
  match('match[].sourceNamespace', 'sourceNamespace: clients', [{}], ['rest']),

  // Where it goes (§8).
  field(
    [
      'route',
      'route[].destination',
      'route[].destination.host',
      'route[].destination.port',
      'route[].destination.port.number',
    ],
    '',
    (made) => made.decide().cluster,
    WEB,
  ),
  probe(
    'route[].destination.subset',
    route('', 'route: [{destination: {host: web, subset: v2, port: {number: 80}}}]'),
    (made) => made.destinations,
    ['outbound|80|v2|web.apps.svc.cluster.local'],
  ),
  probe(
    'route[].weight',
    route(
      '',
      'route: [{destination: {host: web, port: {number: 80}}, weight: 30}, {destination: {host: other, port: {number: 80}}, weight: 10}, {destination: {host: api, port: {number: 80}}}]',
    ),
    (made) => made.decide({ random: 0.7 }),
    {
      weightedClusters: [
        { cluster: WEB, weight: 30 },
        { cluster: OTHER, weight: 10 },
      ],
      cluster: WEB,
    },
  ),
  ...headerProbes('route[].headers', (operations) =>
    route('', `route: [{destination: {host: web, port: {number: 80}}, headers: ${operations}}]`),
  ),
  ...headerProbes('headers', (operations) => route(`headers: ${operations}`)),
  probe(
    // Of one of several: they go with the choice (§14.3).
    'route[].headers',
    route(
      '',
      `route: [{destination: {host: web, port: {number: 80}}, weight: 1, headers: {request: ${HEADER_OPERATIONS}}}, {destination: {host: other, port: {number: 80}}, weight: 1}]`,
    ),
    (made) =>
      [0.2, 0.8].map((random) => made.decide({ random, headers: { 'x-r': '1' } }).upstreamRequest?.headersRemoved),
    [['x-r'], []],
  ),

  // Answers without an upstream (§9.1, §9.2).
  probe(
    ['redirect', 'redirect.uri'],
    route('', 'redirect: {uri: /new}'),
    location,
    'http://a.example.com:8080/new?q=1',
  ),
  probe(
    'redirect.prefixRewrite',
    route('match: [{uri: {prefix: /old/}}]', 'redirect: {prefixRewrite: /new/}'),
    location,
    'http://a.example.com:8080/new/x?q=1',
  ),
  probe(
    'redirect.authority',
    route('', 'redirect: {authority: b.example.com}'),
    location,
    'http://b.example.com/old/x?q=1',
  ),
  probe('redirect.scheme', route('', 'redirect: {scheme: https}'), location, 'https://a.example.com:8080/old/x?q=1'),
  probe(
    'redirect.redirectCode',
    route('', 'redirect: {uri: /new, redirectCode: 308}'),
    (made) => made.decide().status,
    308,
  ),
  probe('redirect.port', route('', 'redirect: {port: 9000}'), location, 'http://a.example.com:9000/old/x?q=1'),
  probe(
    'redirect.derivePort',
    route('', 'redirect: {authority: b.example.com, derivePort: FROM_REQUEST_PORT}'),
    location,
    'http://b.example.com:8080/old/x?q=1',
  ),
  probe(
    ['directResponse', 'directResponse.status'],
    route('', 'directResponse: {status: 418}'),
    (made) => made.decide().status,
    418,
  ),
  probe(
    ['directResponse.body', 'directResponse.body.string'],
    route('', 'directResponse: {status: 200, body: {string: hello}}'),
    (made) => made.route?.direct_response?.body,
    { inline_string: 'hello' },
  ),
  probe(
    'directResponse.body.bytes',
    route('', 'directResponse: {status: 200, body: {bytes: aGVsbG8=}}'),
    (made) => made.route?.direct_response?.body,
    { inline_bytes: 'aGVsbG8=' },
  ),

  // Delegation (§15).
  probe(
    ['delegate', 'delegate.name', 'delegate.namespace'],
    `${route('', 'delegate: {name: part, namespace: parts}')}${object(
      'VirtualService',
      'parts/part',
      'http: [{route: [{destination: {host: web.apps.svc.cluster.local, port: {number: 80}}}]}]',
    )}${object('VirtualService', 'apps/part', 'http: [{route: [{destination: {host: other, port: {number: 80}}}]}]')}`,
    (made) => made.decide().cluster,
    WEB,
  ),

  // Rewriting (§9.3-9.5).
  probe(
    ['rewrite', 'rewrite.uri'],
    route('match: [{uri: {prefix: /old}}]\nrewrite: {uri: /new}'),
    upstreamPath,
    '/new/x?q=1',
  ),
  field(
    'rewrite.authority',
    'rewrite: {authority: b.example.com}',
    (made) => made.decide().upstreamRequest?.authority,
    'b.example.com',
  ),
  field(
    ['rewrite.uriRegexRewrite', 'rewrite.uriRegexRewrite.match', 'rewrite.uriRegexRewrite.rewrite'],
    'rewrite: {uriRegexRewrite: {match: "^/old/(.*)$", rewrite: "/\\\\1/new"}}',
    upstreamPath,
    '/x/new?q=1',
  ),

  // Time-outs and retries (§10).
  field('timeout', 'timeout: 1.5s', (made) => made.action?.timeout, '1.500s'),
  field(['retries', 'retries.attempts'], 'retries: {attempts: 7}', retries, {
    num_retries: 7,
    retry_on: 'connect-failure,refused-stream,unavailable,cancelled,retriable-status-codes',
    host_selection_retry_max_attempts: '5',
  }),
  field('retries.perTryTimeout', 'retries: {attempts: 1, perTryTimeout: 250ms}', retries, {
    per_try_timeout: '0.250s',
  }),
  field('retries.retryOn', 'retries: {attempts: 1, retryOn: "gateway-error,503"}', retries, {
    retry_on: 'gateway-error,retriable-status-codes',
    retriable_status_codes: [503],
  }),
  field('retries.retryRemoteLocalities', 'retries: {attempts: 1, retryRemoteLocalities: true}', retries, {
    retry_priority: { name: 'envoy.retry_priorities.previous_priorities', typed_config: { update_frequency: 2 } },
  }),
  field('retries.retryIgnorePreviousHosts', 'retries: {attempts: 1, retryIgnorePreviousHosts: false}', retries, {
    retry_host_predicate: undefined,
  }),
  field('retries.backoff', 'retries: {attempts: 1, backoff: 100ms}', retries, {
    retry_back_off: { base_interval: '0.100s' },
  }),

  // Faults (§11).
  field(
    ['fault', 'fault.delay', 'fault.delay.fixedDelay', 'fault.delay.percentage', 'fault.delay.percentage.value'],
    'fault: {delay: {fixedDelay: 5s, percentage: {value: 12.5}}}',
    fault,
    { delay: { fixed_delay: '5s', percentage: { numerator: 125000, denominator: 'MILLION' } }, abort: undefined },
  ),
  field('fault.delay.percent', 'fault: {delay: {fixedDelay: 5s, percent: 10}}', fault, {
    delay: { percentage: { numerator: 10 } },
  }),
  field(
    ['fault.abort', 'fault.abort.httpStatus', 'fault.abort.percentage', 'fault.abort.percentage.value'],
    'fault: {abort: {httpStatus: 418, percentage: {value: 50}}}',
    (made) => [made.decide({ random: 0.4 }).status, made.decide({ random: 0.6 }).cluster],
    [418, WEB],
  ),
  field('fault.abort.grpcStatus', 'fault: {abort: {grpcStatus: NOT_FOUND, percentage: {value: 100}}}', fault, {
    abort: { grpc_status: 5, http_status: undefined, percentage: { numerator: 1000000, denominator: 'MILLION' } },
  }),

  // Mirrors (§12).
  field(destination('mirror'), 'mirror: {host: other, subset: v2, port: {number: 80}}', mirrors, [
    { cluster: OTHER_V2 },
  ]),
  field(
    ['mirrors', ...destination('mirrors[].destination'), 'mirrors[].percentage', 'mirrors[].percentage.value'],
    'mirrors: [{destination: {host: other, subset: v2, port: {number: 80}}, percentage: {value: 10}}, {destination: {host: api, port: {number: 80}}}]',
    mirrors,
    [
      { cluster: OTHER_V2, runtime_fraction: { default_value: { numerator: 100000, denominator: 'MILLION' } } },
      { cluster: API, runtime_fraction: { default_value: { numerator: 100 } } },
    ],
  ),
  field('mirrorPercent', 'mirror: {host: other, port: {number: 80}}\nmirrorPercent: 20', mirrors, [
    { runtime_fraction: { default_value: { numerator: 20 } } },
  ]),
  field('mirror_percent', 'mirror: {host: other, port: {number: 80}}\nmirror_percent: 30', mirrors, [
    { runtime_fraction: { default_value: { numerator: 30 } } },
  ]),
  field(
    ['mirrorPercentage', 'mirrorPercentage.value'],
    'mirror: {host: other, port: {number: 80}}\nmirrorPercentage: {value: 0.5}',
    mirrors,
    [{ runtime_fraction: { default_value: { numerator: 5000, denominator: 'MILLION' } } }],
  ),

  // CORS (§13).
  field(
    [
      'corsPolicy',
      'corsPolicy.allowOrigins',
      ...['exact', 'prefix', 'regex'].map((form) => `corsPolicy.allowOrigins[].${form}`),
    ],
    'corsPolicy: {allowOrigins: [{exact: "https://a"}, {prefix: "https://b"}, {regex: "https://.*"}]}',
    cors,
    {
      allow_origin_string_match: [
        { exact: 'https://a' },
        { prefix: 'https://b' },
        { safe_regex: { regex: 'https://.*' } },
      ],
    },
  ),
  field('corsPolicy.allowOrigin', 'corsPolicy: {allowOrigin: ["https://b"]}', cors, {
    allow_origin_string_match: [{ exact: 'https://b' }],
  }),
  field('corsPolicy.allowMethods', 'corsPolicy: {allowMethods: [GET, PUT]}', cors, { allow_methods: 'GET,PUT' }),
  field('corsPolicy.allowHeaders', 'corsPolicy: {allowHeaders: [x-a, x-b]}', cors, { allow_headers: 'x-a,x-b' }),
  field('corsPolicy.exposeHeaders', 'corsPolicy: {exposeHeaders: [x-c]}', cors, { expose_headers: 'x-c' }),
  field('corsPolicy.maxAge', 'corsPolicy: {maxAge: 24h}', cors, { max_age: '86400' }),
  field('corsPolicy.allowCredentials', 'corsPolicy: {allowCredentials: true}', cors, { allow_credentials: true }),
  field('corsPolicy.unmatchedPreflights', 'corsPolicy: {unmatchedPreflights: IGNORE}', cors, {
    forward_not_matching_preflights: false,
  }),

  // TLS and TCP routes (§16).
  probe(
    [
      'spec.tls',
      'spec.tls[].match',
      'spec.tls[].match[].sniHosts',
      'spec.tls[].route',
      ...destination('spec.tls[].route[].destination'),
    ],
    layer4(
      TLS_SERVER,
      'tls: [{match: [{sniHosts: [b.example.com]}], route: [{destination: {host: web, subset: v2, port: {number: 80}}}]}]',
    ),
    (made) => [serverNames(made), tcpCluster(made)],
    [[['b.example.com']], [V2]],
  ),
  probe(
    'spec.tls[].match[].port',
    layer4(
      TLS_SERVER,
      'tls: [{match: [{port: 1, sniHosts: [b.example.com]}, {port: 9443, sniHosts: [c.example.com]}], route: [{destination: {host: web, port: {number: 80}}}]}]',
    ),
    serverNames,
    [['c.example.com']],
  ),
  probe(
    'spec.tls[].match[].gateways',
    layer4(
      TLS_SERVER,
      'tls: [{match: [{gateways: [another], sniHosts: [b.example.com]}, {gateways: [gw], sniHosts: [c.example.com]}], route: [{destination: {host: web, port: {number: 80}}}]}]',
      '[gw, another]',
    ),
    serverNames,
    [['c.example.com']],
  ),
  probe(
    'spec.tls[].route[].weight',
    layer4(
      TLS_SERVER,
      'tls: [{match: [{sniHosts: [b.example.com]}], route: [{destination: {host: web, port: {number: 80}}, weight: 3}, {destination: {host: other, port: {number: 80}}, weight: 1}]}]',
    ),
    (made) => made.tcpProxies,
    [
      {
        weighted_clusters: {
          clusters: [
            { name: WEB, weight: 3 },
            { name: OTHER, weight: 1 },
          ],
        },
      },
    ],
  ),
  probe(
    ['spec.tcp', 'spec.tcp[].route', ...destination('spec.tcp[].route[].destination')],
    layer4(TCP_SERVER, 'tcp: [{route: [{destination: {host: web, subset: v2, port: {number: 80}}}]}]'),
    tcpCluster,
    [V2],
  ),
  probe(
    ['spec.tcp[].match', 'spec.tcp[].match[].port'],
    layer4(
      TCP_SERVER,
      'tcp: [{match: [{port: 1}], route: [{destination: {host: web, port: {number: 80}}}]}, {match: [{port: 9000}], route: [{destination: {host: other, port: {number: 80}}}]}]',
    ),
    tcpCluster,
    [OTHER],
  ),
  probe(
    'spec.tcp[].match[].gateways',
    layer4(
      TCP_SERVER,
      'tcp: [{match: [{gateways: [another]}], route: [{destination: {host: web, port: {number: 80}}}]}, {match: [{gateways: [gw]}], route: [{destination: {host: other, port: {number: 80}}}]}]',
      '[gw, another]',
    ),
    tcpCluster,
    [OTHER],
  ),
  probe(
    'spec.tcp[].route[].weight',
    layer4(
      TCP_SERVER,
      'tcp: [{route: [{destination: {host: web, port: {number: 80}}, weight: 3}, {destination: {host: other, port: {number: 80}}, weight: 1}, {destination: {host: api, port: {number: 80}}}]}]',
    ),
    (made) => made.tcpProxies,
    [
      {
        weighted_clusters: {
          clusters: [
            { name: WEB, weight: 3 },
            { name: OTHER, weight: 1 },
          ],
        },
      },
    ],
  ),
];
