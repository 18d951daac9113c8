// Contracts as they are run: every expectation in both modes, what a contract may leave to chance, what makes a green
// result worthless, and the reporters.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import net from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import t from 'tap';
import { Parser } from 'tap-parser';
import { ContractError, type ContractOptions, type ContractReport, runContract } from '../../src/testing.js';
import { junitProblems } from '../support/junit.js';

const GATEWAY = `
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: { name: edge, namespace: shop }
spec:
  selector: { istio: ingressgateway }
  servers:
  - port: { number: 443, name: https, protocol: HTTPS }
    tls: { mode: SIMPLE, credentialName: shop }
    hosts: [shop.example.com]
  - port: { number: 443, name: optional, protocol: HTTPS }
    tls: { mode: OPTIONAL_MUTUAL, credentialName: optional }
    hosts: [optional.example.com]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: shop, namespace: shop }
spec:
  hosts: [shop.example.com, optional.example.com]
  gateways: [edge]
  http:
  - name: split
    match: [{ uri: { prefix: /split } }]
    route:
    - { destination: { host: web.shop.svc.cluster.local, subset: v1 }, weight: 70 }
    - { destination: { host: web.shop.svc.cluster.local, subset: v2 }, weight: 20 }
    - { destination: { host: ext.example.com, port: { number: 443 } }, weight: 10 }
  - name: retried
    match: [{ uri: { prefix: /retried } }]
    retries: { attempts: 2, retryOn: 5xx }
    route: [{ destination: { host: flaky.shop.svc.cluster.local } }]
  - name: moved
    match: [{ uri: { exact: /moved } }]
    redirect: { authority: new.example.com }
  - name: pods
    match: [{ uri: { prefix: /pods } }]
    route: [{ destination: { host: pods.shop.svc.cluster.local } }]
  - name: outside
    match: [{ uri: { prefix: /outside } }]
    route: [{ destination: { host: ext.example.com, port: { number: 443 } } }]
  - name: grpc
    match: [{ uri: { prefix: /grpc } }]
    route: [{ destination: { host: grpc.shop.svc.cluster.local } }]
  - name: web
    match: [{ uri: { prefix: /web } }]
    headers: { request: { add: { x-added: "1" } }, response: { set: { x-set: "2" } } }
    route: [{ destination: { host: web.shop.svc.cluster.local, subset: v1 } }]
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: web, namespace: shop }
spec:
  host: web.shop.svc.cluster.local
  subsets: [{ name: v1, labels: { version: v1 } }, { name: v2, labels: { version: v2 } }]
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: ext, namespace: shop }
spec:
  host: ext.example.com
  trafficPolicy: { tls: { mode: SIMPLE, sni: ext.example.com } }
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: ext, namespace: shop }
spec:
  hosts: [ext.example.com]
  location: MESH_EXTERNAL
  resolution: DNS
  ports: [{ number: 443, name: https, protocol: HTTPS }]
---
apiVersion: v1
kind: Service
metadata: { name: web, namespace: shop }
spec: { selector: { app: web }, ports: [{ name: http, port: 80 }] }
---
apiVersion: v1
kind: Service
metadata: { name: flaky, namespace: shop }
spec: { selector: { app: flaky }, ports: [{ name: http, port: 80 }] }
---
apiVersion: v1
kind: Service
metadata: { name: grpc, namespace: shop }
spec: { selector: { app: grpc }, ports: [{ name: grpc, port: 80 }] }
---
apiVersion: v1
kind: Service
metadata: { name: pods, namespace: shop }
spec: { ports: [{ name: http, port: 80 }] }
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: { name: pods-1, namespace: shop, labels: { kubernetes.io/service-name: pods } }
addressType: IPv4
ports: [{ name: http, port: 8080 }]
endpoints: [{ addresses: [10.1.2.3] }]
`;

const HEAD = `contract: v1
config: gateway.yaml
gateway: { devCerts: true }
`;

const url = (target: string): string => `https://shop.example.com${target}`;

interface Given {
  readonly contract: string;
  readonly gateway?: string;
}

async function withContract<T>(
  test: { teardown(run: () => Promise<void>): void },
  given: Given,
  run: (file: string) => Promise<T>,
): Promise<T> {
  const folder = await mkdtemp(path.join(tmpdir(), 'postern-contract-'));
  test.teardown(() => rm(folder, { recursive: true, force: true }));
  await writeFile(path.join(folder, 'gateway.yaml'), given.gateway ?? GATEWAY);
  const file = path.join(folder, 'x.contract.yaml');
  await writeFile(file, given.contract);
  return run(file);
}

function outcomes(report: ContractReport): string[] {
  return report.tests.map(({ name, outcome, steps }) => {
    const failures = steps.flatMap((step) =>
      step.failures.map(({ path: at, expected, actual }) => `${at}: ${expected} / ${actual}`),
    );
    return [name, outcome, ...failures].join(' | ');
  });
}

/** One request with its expectations, which must pass; and, changed, must fail at `path`. */
const EXPECTATIONS: readonly {
  readonly request: string;
  readonly good: string;
  readonly bad: string;
  readonly at: string;
  readonly live?: true;
}[] = [
  { request: url('/web'), good: 'status: 200', bad: 'status: 201', at: 'status', live: true },
  { request: url('/none'), good: 'status: 404', bad: 'status: [200, 204]', at: 'status' },
  {
    request: url('/web'),
    good: 'headers: { X-Set: "2", x-none: { absent: true } }',
    bad: 'headers: { x-set: 3 }',
    at: 'headers.x-set',
    live: true,
  },
  { request: url('/web'), good: 'body: { contains: hello }', bad: 'body: { exact: hello }', at: 'body', live: true },
  {
    request: url('/web'),
    good: 'body: { regex: "(?s).*wor.d.*" }',
    bad: 'body: { regex: wor.d }',
    at: 'body',
    live: true,
  },
  {
    request: url('/web'),
    good: 'route: { listener: 0.0.0.0_8443, filterChain: { prefix: shop/edge }, routeConfig: https.443.https.edge.shop, virtualHost: "shop.example.com:443", route: web, cluster: outbound|80|v1|web.shop.svc.cluster.local, endpoint: { prefix: 127.0.0.1 } }',
    bad: 'route: { cluster: outbound|80|v2|web.shop.svc.cluster.local }',
    at: 'route.cluster',
  },
  {
    request: url('/web?a=1'),
    good: 'upstream: { path: /web?a=1, method: GET, authority: shop.example.com, headers: { x-added: 1, x-forwarded-proto: https } }',
    bad: 'upstream: { headers: { x-added: { not: "1" } } }',
    at: 'upstream.headers.x-added',
  },
  {
    request: url('/web'),
    good: 'upstream: { server: web.shop.svc.cluster.local/v1, protocol: HTTP/1.1, tls: { sni: { absent: true } } }',
    bad: 'upstream: { server: other }',
    at: 'upstream.server',
    live: true,
  },
  { request: url('/none'), good: 'upstream: { absent: true }', bad: 'upstream: { present: true }', at: 'upstream' },
  { request: url('/web'), good: 'upstream: { present: true }', bad: 'upstream: { absent: true }', at: 'upstream' },
  {
    request: url('/web'),
    good: 'tls: { certificate: shop.example.com, version: TLSv1.3, alpn: http/1.1, alert: { absent: true } }',
    bad: 'tls: { certificate: other.example.com }',
    at: 'tls.certificate',
  },
  { request: url('/none'), good: 'error: no_route', bad: 'error: { absent: true }', at: 'error' },
  { request: url('/web'), good: 'error: { absent: true }', bad: 'error: no_route', at: 'error' },
  { request: url('/none'), good: 'flags: NR', bad: 'flags: { oneOf: [UF, DC] }', at: 'flags' },
  { request: url('/none'), good: 'details: route_not_found', bad: 'details: { prefix: via }', at: 'details' },
  {
    request: url('/moved'),
    good: 'location: { suffix: new.example.com/moved }',
    bad: 'location: { absent: true }',
    at: 'location',
  },
  { request: url('/retried'), good: 'status: 200', bad: 'status: 503', at: 'status', live: true },
  { request: url('/grpc'), good: 'status: 200', bad: 'status: 500', at: 'status', live: true },
  {
    request: url('/pods'),
    good: 'route: { endpoint: "10.1.2.3:8080" }',
    bad: 'route: { endpoint: "127.0.0.1:8080" }',
    at: 'route.endpoint',
  },
  {
    request: url('/outside'),
    good: 'upstream: { tls: { sni: ext.example.com } }',
    bad: 'upstream: { tls: { sni: { absent: true } } }',
    at: 'upstream.tls.sni',
    live: true,
  },
];

const UPSTREAMS = `upstreams:
  web.shop.svc.cluster.local/v1: { respond: { headers: { x-a: [1, 2] }, body: "hello\\nworld" } }
  flaky.shop.svc.cluster.local: { respond: [{ status: 503 }, { close: true }, { status: 200 }] }
  grpc.shop.svc.cluster.local: { respond: { grpcStatus: 5, trailers: { x-t: 1 } } }
`;

t.test('every expectation holds and fails, in both modes', async (t) => {
  const tests = (side: 'good' | 'bad'): string =>
    EXPECTATIONS.map(
      (one, index) => `- { name: "${index}", request: { url: "${one.request}" }, expect: { ${one[side]} } }\n`,
    ).join('');
  for (const mode of ['run', 'decide'] as const) {
    const good = await withContract(t, { contract: `${HEAD}${UPSTREAMS}tests:\n${tests('good')}` }, (file) =>
      runContract(file, { mode }),
    );
    t.equal(good.failed, 0, good.output);
    t.equal(good.ok, true);
    const bad = await withContract(t, { contract: `${HEAD}${UPSTREAMS}tests:\n${tests('bad')}` }, (file) =>
      runContract(file, { mode }),
    );
    for (const [index, { at, live }] of EXPECTATIONS.entries()) {
      const result = bad.tests[index];
      const failures = result?.steps.flatMap((step) => step.failures) ?? [];
      if (mode === 'decide' && live) {
        t.match(result, { outcome: 'skipped', reason: /^not computable without a socket: / }, `${index} ${at}`);
      } else {
        t.match(failures, [{ path: at }], `${mode} ${index} ${at}`);
        t.equal(failures[0]?.origin.line, index + 4 + UPSTREAMS.split('\n').length, 'on its line');
        t.ok(
          result?.steps[0]?.decision.trail.some(({ stage }) => stage === 'listener'),
          'with a trail',
        );
      }
    }
  }
});

t.test('splits', async (t) => {
  const split = (weights: string): Given => ({
    contract: `${HEAD}tests:\n- name: s\n  request: { url: "${url('/split')}" }\n  expect: { split: ${weights} }\n  samples: 60\n`,
  });
  for (const [weights, ok] of [
    ['{ v1: 70, v2: 20, "outbound|443||ext.example.com": 10 }', true],
    ['{ v1: 7, v2: 2, "outbound|443||ext.example.com": 1 }', true],
    ['{ v1: 40, v2: 50, "outbound|443||ext.example.com": 10 }', false],
    ['{ v1: 70, v2: 30 }', false],
    ['{ v1: 70, v2: 20, "outbound|443||ext.example.com": 10, v3: 1 }', false],
  ] as const) {
    for (const mode of weights.includes(': 7') || weights.includes('v1: 40')
      ? (['decide', 'run'] as const)
      : (['decide'] as const)) {
      const report = await withContract(t, split(weights), (file) => runContract(file, { mode }));
      t.equal(report.ok, ok, `${mode} ${weights}: ${outcomes(report).join()}`);
    }
  }
  const exact = await withContract(t, split('{ v1: 71, v2: 19, "outbound|443||ext.example.com": 10 }'), (file) =>
    runContract(file, { mode: 'decide' }),
  );
  t.strictSame(
    outcomes(exact),
    ['s | failed | split.v1: 71 % / 70 % | split.v2: 19 % / 20 %'],
    'decide is exact to one in a hundred',
  );
  const counts = async (seed: number): Promise<string[]> => {
    const report = await withContract(t, split('{ v1: 100 }'), (file) => runContract(file, { seed }));
    return outcomes(report);
  };
  t.strictSame(await counts(7), await counts(7), 'the same seed, the same counts');
  t.notSame(await counts(7), await counts(8));
});

t.test('clients, in both modes', async (t) => {
  const contract = `${HEAD}clients: { rogue: { generate: { signedBy: self } }, member: { generate: { signedBy: gateway, uris: [spiffe://a/b] } } }
tests:
- { name: none, request: { url: "https://optional.example.com/none" }, expect: { status: 404 } }
- { name: rogue, request: { url: "https://optional.example.com/none", client: rogue }, expect: { error: mtls_error, tls: { alert: unknown_ca } } }
- { name: member, request: { url: "https://optional.example.com/web", client: member }, expect: { upstream: { headers: { x-forwarded-client-cert: { contains: spiffe://a/b } } } } }
- { name: old, request: { url: "https://optional.example.com/none", version: [TLSv1, TLSv1.2] }, expect: { error: [tls_error, no_route] } }
`;
  for (const mode of ['decide', 'run'] as const) {
    const report = await withContract(t, { contract }, (file) =>
      runContract(file, { mode, grep: mode === 'decide' ? /none|rogue|old/ : /./ }),
    );
    t.ok(report.ok, report.output);
    t.equal(report.skipped, 0);
  }
});

t.test('skip, known bugs, tags, grep, bail', async (t) => {
  const contract = `${HEAD}tests:
- { name: fails, tags: [a], request: { url: "${url('/none')}" }, expect: { status: 200 } }
- { name: passes, tags: [a, b], request: { url: "${url('/none')}", repeat: 3 }, expect: { status: 404 } }
- { name: later, skip: not yet, request: { url: "${url('/none')}" }, expect: { status: 200 } }
- { name: bug, knownBug: "#1", request: { url: "${url('/none')}" }, expect: { status: 200 } }
- { name: gone, knownBug: "#2", request: { url: "${url('/none')}" }, expect: { status: 404 } }
`;
  const run = (options: ContractOptions): Promise<ContractReport> =>
    withContract(t, { contract }, (file) => runContract(file, { mode: 'decide', ...options }));
  const all = await run({});
  t.strictSame(
    all.tests.map(({ outcome }) => outcome),
    ['failed', 'passed', 'skipped', 'knownBug', 'unexpectedPass'],
  );
  t.match(all.counts, { total: 5, passed: 1, failed: 2, skipped: 1, knownBugs: 1 });
  t.equal(all.ok, false);
  t.match(await run({ tags: ['b'] }), { ok: true, passed: 1, counts: { total: 1 } });
  t.match(await run({ grep: '^(bug|later)$' }), { ok: true, counts: { total: 2 } });
  t.match(await run({ bail: true }), { ok: false, counts: { total: 1 } });
  await t.rejects(run({ grep: 'nothing' }), { name: 'OptionError', message: /no test fits/ });
  await t.rejects(run({ tag: ['a'] } as never), { name: 'OptionError', message: /did you mean `tags`/ });
});

t.test('one connection for several requests', async (t) => {
  const contract = (more: string): Given => ({
    contract: `${HEAD}tests:
- name: reuse
  connection: shared
  requests:
  - { url: "${url('/web')}", ${more} expect: { route: { route: web } } }
  - { url: "https://optional.example.com/web", expect: { status: 404, flags: NR, error: no_virtual_host } }
  - { url: "${url('/none')}", method: [GET, POST], expect: { status: 404, error: no_route } }
`,
  });
  for (const mode of ['run', 'decide'] as const) {
    for (const more of ['', 'version: HTTP/1.1,']) {
      const report = await withContract(t, contract(more), (file) => runContract(file, { mode }));
      t.ok(report.ok, report.output);
      t.equal(report.tests[0]?.steps.length, 4);
    }
  }
});

t.test('nothing leaves loopback, whatever the configuration says', async (t) => {
  const dialled: string[] = [];
  const connect = net.connect;
  t.teardown(() => Object.assign(net, { connect }));
  Object.assign(net, {
    connect: (...args: Parameters<typeof connect>) => {
      dialled.push(JSON.stringify(args[0]));
      return connect(...args);
    },
  });
  const contract = `${HEAD}tests:
- { name: pods, request: { url: "${url('/pods')}" }, expect: { status: 200, upstream: { server: stub, path: /pods } } }
- { name: outside, request: { url: "${url('/outside')}" }, expect: { status: 200, upstream: { server: stub } } }
`;
  const report = await withContract(t, { contract }, (file) => runContract(file));
  t.ok(report.ok, report.output);
  t.ok(
    dialled.every((target) => target.includes('127.0.0.1')),
    dialled.join(' '),
  );
});

t.test('false confidence', async (t) => {
  const object = (kind: string, group: string, namespace: string, spec: string): string =>
    `---\napiVersion: ${group}\nkind: ${kind}\nmetadata: { name: x, namespace: ${namespace} }\nspec: ${spec}\n`;
  const security = 'security.istio.io/v1';
  const network = 'networking.istio.io/v1alpha3';
  const patch = (context: string): string =>
    `configPatches: [{ applyTo: HTTP_FILTER, match: { context: ${context} }, patch: { operation: REMOVE } }]`;
  const cases: readonly (readonly [what: string, yaml: string, want: readonly string[]])[] = [
    [
      'a policy of the whole mesh',
      object('AuthorizationPolicy', security, 'istio-system', '{}'),
      ['AuthorizationPolicy/istio-system/x'],
    ],
    [
      'with the labels of the gateway',
      object(
        'RequestAuthentication',
        security,
        'istio-system',
        '{ selector: { matchLabels: { istio: ingressgateway } } }',
      ),
      ['RequestAuthentication/istio-system/x'],
    ],
    [
      'with other labels',
      object('AuthorizationPolicy', security, 'istio-system', '{ selector: { matchLabels: { app: web } } }'),
      [],
    ],
    ['in another namespace', object('WasmPlugin', 'extensions.istio.io/v1alpha1', 'shop', '{}'), []],
    [
      'a plugin',
      object('WasmPlugin', 'extensions.istio.io/v1alpha1', 'istio-system', '{}'),
      ['WasmPlugin/istio-system/x'],
    ],
    [
      'for a waypoint',
      object('AuthorizationPolicy', security, 'istio-system', '{ targetRefs: [{ kind: Service, name: a }] }'),
      [],
    ],
    [
      'a filter for gateways',
      object('EnvoyFilter', network, 'istio-system', `{ ${patch('GATEWAY')} }`),
      ['EnvoyFilter/istio-system/x'],
    ],
    ['a filter for sidecars', object('EnvoyFilter', network, 'istio-system', `{ ${patch('SIDECAR_INBOUND')} }`), []],
    [
      'a filter for other pods',
      object(
        'EnvoyFilter',
        network,
        'istio-system',
        `{ workloadSelector: { labels: { app: a } }, ${patch('GATEWAY')} }`,
      ),
      [],
    ],
  ];
  const tests = `tests:\n- { name: a, request: { url: "${url('/none')}" }, expect: { status: 404 } }\n`;
  const run = (yaml: string, gateway: string, options: ContractOptions = {}): Promise<ContractReport> =>
    withContract(
      t,
      {
        gateway: GATEWAY + yaml,
        contract: `contract: v1\nconfig: gateway.yaml\ngateway: { devCerts: true${gateway} }\n${tests}`,
      },
      (file) => runContract(file, { mode: 'decide', ...options }),
    );
  for (const [what, yaml, want] of cases) {
    const report = await run(yaml, '');
    t.strictSame(
      report.results[0]?.unemulated.map(({ origin }) => origin?.resource),
      want,
      what,
    );
    t.equal(report.ok, want.length === 0, what);
  }
  const [, filter = ''] = cases[6] ?? [];
  for (const accepted of ['true', '[EnvoyFilter]', '[EnvoyFilter/istio-system/x]'])
    t.ok((await run(filter, `, allowUnemulated: ${accepted}`)).ok, accepted);
  t.ok((await run(filter, '', { allowUnemulated: true })).ok);
  const other = await run(filter, ', allowUnemulated: [WasmPlugin]');
  t.equal(other.ok, false);
  t.match(
    other.results[0]?.diagnostics.filter(({ code }) => code === 'PST1018'),
    [{ message: /WasmPlugin.*accepts nothing/ }],
  );
  t.match(other.output, /in use and not emulated\n .*gateway\.yaml:\d+: EnvoyFilter\/istio-system\/x/);
});

t.test('what cannot be run', async (t) => {
  const cases: readonly (readonly [contract: string, code: string, message: RegExp])[] = [
    [
      `${HEAD}upstreams: { webb.shop.svc.cluster.local: {} }\ntests: [{ name: a, request: { url: "${url('/web')}" }, expect: { status: 200 } }]\n`,
      'PST1014',
      /fits no cluster/,
    ],
    [
      `${HEAD}upstreams: { pods.shop.svc.cluster.local: {} }\ntests: [{ name: a, request: { url: "${url('/web')}" }, expect: { status: 200 } }]\n`,
      'PST1014',
      /no request is routed to outbound\|80\|\|pods/,
    ],
    [
      `contract: v1\nconfig: nowhere/\ntests: [{ name: a, request: { url: "${url('/')}" }, expect: { status: 200 } }]\n`,
      'PST1015',
      /nowhere/,
    ],
    [
      `${HEAD}clients: { a: { cert: a.crt, key: a.key } }\ntests: [{ name: a, request: { url: "${url('/')}", client: a }, expect: { status: 200 } }]\n`,
      'PST1015',
      /a\.crt/,
    ],
    [
      `contract: v1\nconfig: gateway.yaml\nclients: { a: { generate: { signedBy: gateway } } }\ntests: [{ name: a, request: { url: "${url('/')}", client: a }, expect: { error: tls_error } }]\n`,
      'PST1016',
      /cannot be signed/,
    ],
  ];
  for (const [contract, code, message] of cases) {
    const error = await withContract(t, { contract }, (file) => runContract(file).catch((thrown: unknown) => thrown));
    t.ok(error instanceof ContractError, String(error));
    if (error instanceof ContractError) t.match(error.diagnostics, [{ code, message, origin: { line: Number } }]);
  }
});

t.test('coverage', async (t) => {
  const contract = `${HEAD}tests:
- { name: a, request: { url: ["${url('/web')}", "${url('/moved')}"] }, expect: { error: { absent: true } } }
- { name: b, request: { url: "https://nope.example.com/" }, expect: { error: no_filter_chain } }
`;
  for (const mode of ['decide', 'run'] as const) {
    const report = await withContract(t, { contract }, (file) => runContract(file, { mode, failUnder: 50 }));
    const items = report.results[0]?.coverage ?? [];
    t.strictSame(
      items.filter(({ reached }) => reached).map(({ kind, name }) => `${kind} ${name}`),
      [
        'server shop/edge:https [shop.example.com]',
        'host shop.example.com:443',
        'match shop.example.com:443 moved (exact /moved)',
        'match shop.example.com:443 web (prefix /web)',
      ],
    );
    t.match(
      items.find(({ name }) => name.includes('retried')),
      { reached: false, origin: { line: 29 } },
    );
    t.equal(report.ok, false);
    t.match(report.output, /coverage 22\.2 %, below 50 %: servers 1\/2, hosts 1\/2, match blocks 2\/14/);
  }
});

t.test('reporters', async (t) => {
  const contract = `${HEAD}${UPSTREAMS.split('\n').slice(0, 2).join('\n')}\ntests:
- { name: "a # sharp \\\\ one", request: { url: "${url('/web')}" }, expect: { status: 201, headers: { x-set: 3 } } }
- { name: passes, request: { url: "${url('/web')}" }, expect: { status: 200 } }
- { name: later, skip: "why # not", request: { url: "${url('/none')}" }, expect: { status: 200 } }
- { name: bug, knownBug: "#1", request: { url: "${url('/none')}" }, expect: { status: 200 } }
- { name: gone, knownBug: "#2", request: { url: "${url('/none')}" }, expect: { status: 404 } }
`;
  const say = async (name: string): Promise<string> =>
    (await withContract(t, { contract }, (file) => runContract(file, { reporters: [name] }))).output;

  const pretty = await say('pretty');
  t.match(
    pretty,
    /✗ a # sharp .* one\n +GET https:\/\/shop\.example\.com\/web\n +status: expected 201, got 200 +\(.*x\.contract\.yaml:7\)\n +headers\.x-set: expected 3, got 2 /,
  );
  t.match(pretty, /trail:\n +listener 0\.0\.0\.0_8443 .*gateway\.yaml:\d+/);
  t.match(pretty, /upstream saw:\n +web\.shop\.svc\.cluster\.local\/v1 GET shop\.example\.com\/web HTTP\/1\.1\n/);
  t.match(
    pretty,
    /- later skipped: why # not\n .*~ bug known bug: #1\n .*✗ gone\n +passes, so its known bug is gone: #2\n1 passed, 2 failed, 1 skipped, 1 known bug/,
  );

  const tap = Parser.parse(await say('tap'));
  const points: { ok: boolean; name: string; todo: unknown; skip: unknown; diag: unknown }[] = [];
  const parser = new Parser({ strict: true });
  parser.on('child', (child: Parser) => child.on('assert', (point) => points.push(point as never)));
  const done = new Promise<{ ok: boolean; count: number; fail: number }>((resolve) =>
    parser.on('complete', (results) => resolve(results as never)),
  );
  parser.end(await say('tap'));
  t.match(await done, { ok: false, count: 1, fail: 1 });
  t.ok(tap.length > 0);
  t.strictSame(
    points.map(({ ok, name }) => [ok, name]),
    [
      [false, 'a # sharp \\ one'],
      [true, 'passes'],
      [true, 'later'],
      [false, 'bug'],
      [false, 'gone'],
    ],
  );
  t.match(points[0]?.diag, {
    message: /status: expected 201, got 200 \(and 1 more\)/,
    at: { lineNumber: 7 },
    failures: [{ path: 'status' }, { path: 'headers.x-set' }],
  });
  t.equal(points[2]?.skip, 'why # not');
  t.equal(points[3]?.todo, '#1');

  const junit = await say('junit');
  t.strictSame(await junitProblems(junit), []);
  t.match(junit, /tests="5" failures="2" errors="0" skipped="2"/);

  const github = (await say('github')).split('\n');
  t.match(
    github[0],
    /^::error file=.*x\.contract\.yaml,line=7,col=\d+,endLine=7,title=a # sharp .* one::status: expected 201, got 200%0A/,
  );
  t.match(github[1], /^::error .*line=7.*::headers\.x-set: expected 3, got 2$/);
  t.match(github[2], /^::error .*line=11.*title=gone::passes/);
  t.match(github[3], /^::notice title=postern test::1 passed, 2 failed/);

  t.match(JSON.parse(await say('json')), {
    ok: false,
    counts: { total: 5 },
    contracts: [
      {
        tests: [
          {
            name: String,
            outcome: 'failed',
            steps: [{ status: 200, failures: [{ path: 'status' }], upstreamsSaw: [{ path: '/web' }] }],
          },
        ],
      },
    ],
  });
});
