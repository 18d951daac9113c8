// Our own analyzers, through one door: YAML in, codes with their places out.
import t from 'tap';
import { analyzeGateway } from '../../src/analyze/analyze.js';
import { createDevelopmentCa, issueCertificate } from '../../src/certs/development-ca.js';
import type { KeyPair } from '../../src/certs/key-pair.js';
import { loadConfig } from '../../src/config/load.js';
import type { Diagnostic } from '../../src/diagnostics/diagnostic.js';
import { AnalysisSession } from '../../src/gateway/analysis.js';
import { gatewayProxy } from '../../src/gateway/compile.js';
import { parseUpstreamMapping } from '../../src/gateway/upstream-mapping.js';
import { RouteIndex } from '../../src/match/route-index.js';
import { buildPushContext } from '../../src/registry/build-push-context.js';
import { translate } from '../../src/translate/translate.js';
import { randomNumbers } from '../support/random.js';

async function analyze(yaml: string, now = Date.now()): Promise<readonly Diagnostic[]> {
  const { diagnostics } = await new AnalysisSession().analyze([{ file: 'a.yaml', text: yaml, named: true }], { now });
  return diagnostics;
}

/** Checks findings of PST13xx: each as 'CODE line', in any order; parts of messages where given. */
function check(
  name: string,
  yaml: string | (() => Promise<string>),
  wanted: readonly string[],
  says: Readonly<Record<string, string>> = {},
): void {
  t.test(name, async (t) => {
    const diagnostics = await analyze(typeof yaml === 'string' ? yaml : await yaml());
    const own = diagnostics.filter(({ code }) => code.startsWith('PST13') && code !== 'PST1317');
    const found = own.map(({ code, origin }) => `${code} ${origin?.line}`);
    t.same(found.sort(), [...wanted].sort(), own.map(({ message }) => message).join('\n'));
    for (const [code, text] of Object.entries(says))
      t.match(own.find((diagnostic) => diagnostic.code === code)?.message ?? '', text);
  });
}

const server = (name: string, host: string, tls: string): string =>
  `  - port: {number: 443, name: ${name}, protocol: HTTPS}\n    hosts: ['${host}']\n    tls: {${tls}}\n`;
const gateway = (servers: string, name = 'edge', selector = '{istio: ingressgateway}'): string =>
  `apiVersion: networking.istio.io/v1\nkind: Gateway\nmetadata: {name: ${name}}\nspec:\n  selector: ${selector}\n  servers:\n${servers}---\n`;
const secret = (name: string, data: Readonly<Record<string, string>>): string =>
  `apiVersion: v1\nkind: Secret\nmetadata: {name: ${name}, namespace: istio-system}\ndata: ${JSON.stringify(
    Object.fromEntries(Object.entries(data).map(([key, text]) => [key, Buffer.from(text).toString('base64')])),
  )}\n---\n`;
const tlsSecret = (pair: KeyPair, more: Readonly<Record<string, string>> = {}, name = 'cert'): string =>
  secret(name, { 'tls.crt': pair.certificate, 'tls.key': pair.privateKey, ...more });
const virtualService = (name: string, host: string, http: string, gateways = '[edge]'): string =>
  `apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {name: ${name}}\nspec:\n  hosts: ['${host}']\n  gateways: ${gateways}\n  http:\n${http}---\n`;
const SIMPLE = gateway(server('https', 'shop.test', 'mode: SIMPLE, credentialName: cert'));
const MUTUAL = SIMPLE.replace('SIMPLE', 'MUTUAL');
const HTTP = gateway("  - port: {number: 80, name: http, protocol: HTTP}\n    hosts: ['shop.test', 'blog.test']\n");
const REPLY = '    directResponse: {status: 200}\n';

const ca = createDevelopmentCa();
const issue = async (dnsNames: readonly string[], days = 365, now = Date.now()): Promise<KeyPair> =>
  issueCertificate(await ca, { commonName: dnsNames[0] ?? 'x', dnsNames, usage: 'server', days }, now);
const DAY = 86_400_000;

// --- certificates -----------------------------------------------------------------------------------------------------

check('a certificate for the host', async () => SIMPLE + tlsSecret(await issue(['shop.test'])), []);
check(
  'a wildcard certificate',
  async () => SIMPLE.replace('shop.test', 'www.shop.test') + tlsSecret(await issue(['*.shop.test'])),
  [],
);
check('a certificate for another host', async () => SIMPLE + tlsSecret(await issue(['blog.test'])), ['PST1301 9'], {
  PST1301: 'cert does not cover shop.test (it covers blog.test)',
});
check(
  'a wildcard host needs a wildcard certificate',
  async () => SIMPLE.replace('shop.test', '*.shop.test') + tlsSecret(await issue(['shop.test', 'a.shop.test'])),
  ['PST1301 9'],
);
check('an ended certificate', async () => SIMPLE + tlsSecret(await issue(['shop.test'], 10, Date.now() - 20 * DAY)), [
  'PST1302 9',
]);
check(
  'a certificate of tomorrow',
  async () => SIMPLE + tlsSecret(await issue(['shop.test'], 10, Date.now() + 20 * DAY)),
  ['PST1302 9'],
);
check('a certificate that ends soon', async () => SIMPLE + tlsSecret(await issue(['shop.test'], 5)), ['PST1303 9'], {
  PST1303: 'in 4 days',
});
check(
  'the key of another certificate',
  async () =>
    SIMPLE +
    tlsSecret({
      certificate: (await issue(['shop.test'])).certificate,
      privateKey: (await issue(['shop.test'])).privateKey,
    }),
  ['PST1304 9'],
);
check(
  'a certificate that signed itself',
  async () =>
    SIMPLE +
    tlsSecret(await issueCertificate(undefined, { commonName: 'shop.test', dnsNames: ['shop.test'], usage: 'server' })),
  ['PST1306 9'],
);
check('a chain in the right order, and one that is not', async () => {
  const pair = await issue(['shop.test']);
  const other = await createDevelopmentCa('another CA');
  const chain = (next: string): KeyPair => ({ ...pair, certificate: `${pair.certificate}\n${next}` });
  return (
    gateway(
      server('good', 'shop.test', 'mode: SIMPLE, credentialName: good') +
        server('bad', '*.shop.test', 'mode: SIMPLE, credentialName: bad'),
    ) +
    tlsSecret(chain((await ca).certificate), {}, 'good') +
    tlsSecret(chain(other.certificate), {}, 'bad')
  );
}, ['PST1307 12', 'PST1301 12']);
check('MUTUAL without a CA', async () => MUTUAL + tlsSecret(await issue(['shop.test'])), ['PST1305 9'], {
  PST1305: 'mode MUTUAL',
});
check('MUTUAL with a CA in the Secret, or in one of its own', async () => {
  const pair = await issue(['shop.test']);
  const { certificate } = await ca;
  return (
    gateway(
      server('a', 'shop.test', 'mode: MUTUAL, credentialName: cert') +
        server('b', 'SHOP.test', 'mode: MUTUAL, credentialName: apart'),
    ) +
    tlsSecret(pair, { 'ca.crt': certificate }) +
    tlsSecret(pair, {}, 'apart') +
    secret('apart-cacert', { cacert: certificate })
  );
}, []);

// --- connections that are reused ---------------------------------------------------------------------------------------

const TWO = (credential: string, other: string): string =>
  gateway(server('a', 'a.shop.test', `mode: SIMPLE, credentialName: ${credential}`), 'one') +
  gateway(server('b', 'b.shop.test', `mode: SIMPLE, credentialName: ${other}`), 'two') +
  virtualService('a', 'a.shop.test', `  -${REPLY.slice(3)}`, '[one]') +
  virtualService('b', 'b.shop.test', `  -${REPLY.slice(3)}`, '[two]');
check(
  'one wildcard certificate for two servers, under two names',
  async () => {
    const pair = await issue(['*.shop.test']);
    return TWO('cert-a', 'cert-b') + tlsSecret(pair, {}, 'cert-a') + tlsSecret(pair, {}, 'cert-b');
  },
  ['PST1314 9', 'PST1314 19'],
  { PST1314: 'covers b.shop.test of server b of Gateway default/two' },
);
check(
  'the table of a server without a VirtualService serves no host of another, either',
  async () => {
    const pair = await issue(['*.shop.test']);
    return (
      gateway(server('a', 'a.shop.test', 'mode: SIMPLE, credentialName: cert-a'), 'one') +
      gateway(server('b', 'b.shop.test', 'mode: SIMPLE, credentialName: cert-b'), 'two') +
      virtualService('b', 'b.shop.test', `  -${REPLY.slice(3)}`, '[two]') +
      tlsSecret(pair, {}, 'cert-a') +
      tlsSecret(await issue(['b.shop.test']), {}, 'cert-b')
    );
  },
  ['PST1314 9'],
  { PST1314: 'cert-a covers b.shop.test of server b of Gateway default/two' },
);
check(
  'a certificate for each server',
  async () =>
    TWO('cert-a', 'cert-b') +
    tlsSecret(await issue(['a.shop.test']), {}, 'cert-a') +
    tlsSecret(await issue(['b.shop.test']), {}, 'cert-b'),
  [],
);

// --- routes ------------------------------------------------------------------------------------------------------------

const rule = (match: string): string => `  - match: [${match}]\n${REPLY}`;
check(
  'a rule behind a wider one of another VirtualService',
  HTTP +
    virtualService('a', 'shop.test', rule('{uri: {prefix: /a}}')) +
    virtualService('b', 'shop.test', rule('{uri: {prefix: /api}}')),
  ['PST1310 27', 'PST1311 24'],
  { PST1310: 'the rule of VirtualService/default/a (a.yaml:17)', PST1311: 'default/a, default/b for shop.test' },
);
check(
  'rules that only seem to be behind each other',
  HTTP +
    virtualService(
      'a',
      'shop.test',
      [
        '{uri: {prefix: /api}, headers: {x-beta: {exact: "1"}}}',
        '{uri: {prefix: /api}, method: {exact: GET}}',
        '{uri: {exact: /api}}',
        '{uri: {regex: "/api/[a-z0-9/]*"}}',
        '{uri: {prefix: /api}, withoutHeaders: {x-old: {}}}',
        '{uri: {prefix: /api}}',
        '{uri: {prefix: /}}',
      ]
        .map(rule)
        .join(''),
    ),
  [],
);
check(
  'a rule that is shadowed on one of two Gateways only',
  `${HTTP}${gateway("  - port: {number: 81, name: http, protocol: HTTP}\n    hosts: ['shop.test']\n", 'side')}${virtualService('a', 'shop.test', rule('{uri: {prefix: /a}}'))}${virtualService('b', 'shop.test', rule('{uri: {prefix: /api}}'), '[edge, side]')}`,
  ['PST1311 33'],
);

// Whatever is called shadowed is never chosen, whichever request comes.
t.test('shadowed rules never match', async (t) => {
  const random = randomNumbers(11);
  const pick = <T>(...items: readonly T[]): T => items[random(items.length)] as T;
  const uris = ['/', '/a', '/a/', '/a/b', '/ab'];
  const match = (): string => {
    const parts = [`uri: {${pick('prefix', 'exact')}: ${pick(...uris)}}`];
    if (random(3) === 0) parts.push(`method: {${pick('exact: GET', 'prefix: G')}}`);
    if (random(3) === 0) parts.push(`headers: {x-a: {${pick('exact: "1"', 'prefix: "1"', 'regex: "1.*"')}}}`);
    if (random(5) === 0) parts.push('withoutHeaders: {x-b: {exact: "2"}}');
    if (random(5) === 0) parts.push('queryParams: {q: {exact: "1"}}');
    if (random(5) === 0) parts.push('ignoreUriCase: true');
    return `{${parts.join(', ')}}`;
  };
  let shadowed = 0;
  for (let round = 0; round < 40; round++) {
    const rules = Array.from({ length: 12 }, () => rule(match()));
    const yaml =
      HTTP +
      virtualService('a', 'shop.test', rules.slice(0, 6).join('')) +
      virtualService('b', 'shop.test', rules.slice(6).join(''));
    const { index, lines, found } = routesOf(yaml);
    for (let request = 0; request < 300; request++) {
      const headers = new Map<string, string>();
      if (random(2) === 0) headers.set('x-a', pick('1', '12', '2', ''));
      if (random(2) === 0) headers.set('x-b', pick('2', '3'));
      const chosen = index.find({
        method: pick('GET', 'POST', 'GO'),
        authority: 'shop.test',
        scheme: 'http',
        path: `${pick(...uris, '/A', '/A/B', '/a/b/c', '/abc', '/x')}${pick('', '?q=1', '?q=2')}`,
        headers: {
          get: (name) => headers.get(name),
          values: (name) => (headers.has(name) ? [headers.get(name) ?? ''] : []),
          has: (name) => headers.has(name),
        },
      });
      if (chosen !== -1 && found.has(lines[chosen])) t.fail(`line ${lines[chosen]} was chosen:\n${yaml}`);
    }
    shadowed += found.size;
  }
  t.ok(shadowed > 40, `${shadowed} shadowed rules`);
});

/** The routes of shop.test, their lines, and the lines that are called shadowed. */
function routesOf(yaml: string): {
  readonly index: RouteIndex;
  readonly lines: readonly (number | undefined)[];
  readonly found: ReadonlySet<number | undefined>;
} {
  const load = loadConfig([{ file: 'a.yaml', text: yaml, named: true }]);
  const push = buildPushContext(load.store, gatewayProxy());
  const { snapshot, origins } = translate(push, () => {});
  const options = { assumed: { namespace: 'istio-system', labels: {} }, now: 0, mesh: {} };
  const diagnostics = analyzeGateway(load.objects, { push, snapshot, origins }, options);
  const routes = snapshot.routes[0]?.virtual_hosts.find(({ name }) => name === 'shop.test:80')?.routes ?? [];
  return {
    index: new RouteIndex(routes),
    lines: routes.map(({ originId }) => origins.get(originId)?.line),
    found: new Set(diagnostics.filter(({ code }) => code === 'PST1310').map(({ origin }) => origin?.line)),
  };
}

// --- other workloads, AUTO_PASSTHROUGH, destinations -------------------------------------------------------------------

check(
  'a Gateway for other pods, and a VirtualService that has no other',
  HTTP.replace('ingressgateway', 'egressgateway') + virtualService('a', 'shop.test', `  -${REPLY.slice(3)}`),
  ['PST1312 5', 'PST1313 15'],
  { PST1312: 'selector istio=egressgateway does not fit app=istio-ingressgateway,istio=ingressgateway' },
);

const AUTO = (host: string): string =>
  gateway(
    `  - port: {number: 15443, name: tls, protocol: TLS}\n    hosts: ['${host}']\n    tls: {mode: AUTO_PASSTHROUGH}\n`,
  );
const WEB = (podLabels: string): string =>
  `apiVersion: v1\nkind: Service\nmetadata: {name: web, namespace: shop}\nspec: {selector: {app: web}, ports: [{name: http, port: 80, protocol: TCP}]}\n---
apiVersion: v1\nkind: Pod\nmetadata: {name: web-1, namespace: shop, labels: {app: web${podLabels}}}\nspec: {containers: [{name: web}]}\nstatus: {podIP: 10.0.0.1}\n---\n`;
check('AUTO_PASSTHROUGH to nobody', AUTO('*.nowhere.svc.cluster.local'), ['PST1315 8']);
check('AUTO_PASSTHROUGH to pods without a sidecar', AUTO('*.shop.svc.cluster.local') + WEB(''), ['PST1316 8'], {
  PST1316: 'web.shop.svc.cluster.local, none',
});
check(
  'AUTO_PASSTHROUGH to pods with a sidecar',
  AUTO('*.shop.svc.cluster.local') + WEB(', security.istio.io/tlsMode: istio'),
  [],
);

t.test('a destination that nothing places is told once, and not when it is mapped', async (t) => {
  const route = '  - route: [{destination: {host: web.shop.svc.cluster.local}}]\n';
  const [service = ''] = WEB('').split('---\n');
  const text = `${HTTP}${virtualService('a', 'shop.test', route)}${virtualService('b', 'blog.test', route)}${service}`;
  const sources = [{ file: 'a.yaml', text, named: true }];
  const told = (await new AnalysisSession().analyze(sources, {})).diagnostics;
  t.same(
    told.filter(({ code }) => code === 'PST1317').map(({ severity, origin }) => `${severity} ${origin?.line}`),
    ['info 26'],
  );
  const mapping = parseUpstreamMapping('web.shop.svc.cluster.local=127.0.0.1:3000');
  t.ok(mapping);
  const mapped = await new AnalysisSession().analyze(sources, { upstreams: mapping === undefined ? [] : [mapping] });
  t.same(mapped.diagnostics, []);
});
