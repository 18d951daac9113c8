// The trail of an explained decision: every rule that was considered with its first failing condition, what comes nearest
// when nothing matched, and the TLS doctor. One configuration, many questions.
import t from 'tap';
import { createDevelopmentCa, issueCertificate } from '../../src/certs/development-ca.js';
import { renderCaSecret, renderTlsSecret } from '../../src/certs/secret-yaml.js';
import { decide } from '../../src/decide/decide.js';
import type { Call, TrailStep } from '../../src/decide/decision.js';
import { editDistance } from '../../src/decide/nearest.js';
import { buildSnapshotIndex } from '../../src/decide/snapshot-index.js';
import { translateYaml } from '../support/translation.js';

const NOW = Date.parse('2026-06-01');
const ca = await createDevelopmentCa('first CA', NOW);
const other = await createDevelopmentCa('other CA', NOW);
const issue = (names: readonly string[], from = ca) =>
  issueCertificate(from, { commonName: names[0] ?? '', dnsNames: names, usage: 'both' }, NOW);
const shared = await issue(['shop.test', 'admin.test', '*.wild.test']);
// Names itself in its common name only, and its key may not sign certificates.
const self = await issueCertificate(
  undefined,
  { commonName: 'self.test', ipAddresses: ['192.0.2.1'], usage: 'server' },
  NOW,
);
const client = await issue(['client.test']);
const rogue = await issue(['client.test'], other);

const YAML = [
  renderTlsSecret('istio-system', 'shared', shared),
  renderCaSecret('istio-system', 'shared-cacert', ca.certificate),
  renderTlsSecret('istio-system', 'self', self),
  `
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: { name: gw, namespace: istio-system }
spec:
  selector: { istio: ingressgateway }
  servers:
  - { port: { number: 443, name: shop, protocol: HTTPS }, hosts: [shop.test], tls: { mode: SIMPLE, credentialName: shared } }
  - { port: { number: 443, name: admin, protocol: HTTPS }, hosts: [admin.test], tls: { mode: MUTUAL, credentialName: shared } }
  - { port: { number: 443, name: wild, protocol: HTTPS }, hosts: ["*.wild.test"], tls: { mode: SIMPLE, credentialName: shared } }
  - { port: { number: 443, name: self, protocol: HTTPS }, hosts: [self.test], tls: { mode: SIMPLE, credentialName: self } }
  - { port: { number: 80, name: http, protocol: HTTP }, hosts: ["plain.test"] }
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: shop, namespace: istio-system }
spec:
  hosts: [shop.test, plain.test]
  gateways: [gw]
  http:
  - name: exact
    match: [{ uri: { exact: /cart } }]
    directResponse: { status: 200 }
  - name: method
    match: [{ uri: { prefix: /api }, method: { exact: POST } }]
    directResponse: { status: 201 }
  - name: header
    match: [{ uri: { prefix: /api }, headers: { x-beta: { exact: "1" } } }]
    directResponse: { status: 202 }
  - name: without
    match: [{ uri: { prefix: /api }, withoutHeaders: { x-beta: {} } }]
    directResponse: { status: 203 }
  - name: query
    match: [{ uri: { regex: "/q/[a-z]+" }, queryParams: { v: { prefix: "2" } } }]
    directResponse: { status: 204 }
  - name: lost
    match: [{ uri: { prefix: /lost } }]
    route: [{ destination: { host: wbe.istio-system.svc.cluster.local, port: { number: 80 } } }]
  - name: split
    match: [{ uri: { prefix: /split } }]
    fault: { delay: { fixedDelay: 1s, percentage: { value: 50 } } }
    corsPolicy: { allowOrigins: [{ exact: "https://a.test" }] }
    route:
    - { destination: { host: web, subset: v1 }, weight: 90 }
    - { destination: { host: web, subset: v2 }, weight: 10 }
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: web, namespace: istio-system }
spec: { host: web, subsets: [{ name: v1 }, { name: v2 }] }
---
apiVersion: v1
kind: Service
metadata: { name: web, namespace: istio-system }
spec: { ports: [{ name: http, port: 80 }] }
---
apiVersion: v1
kind: Endpoints
metadata: { name: web, namespace: istio-system }
subsets: [{ addresses: [{ ip: 10.0.0.1 }], ports: [{ name: http, port: 80 }] }]
`,
].join('---\n');

const { snapshot, origins } = translateYaml(YAML);
const index = buildSnapshotIndex(snapshot);

interface Want {
  readonly [stage: string]: string | RegExp | readonly (string | RegExp)[];
}

/** The one door: per stage the steps, as `verdict: reason`; a stage left out is not asserted. */
function checkTrail(name: string, call: Call, want: Want, clientCertificate?: string): readonly TrailStep[] {
  const { trail } = decide(index, call, {
    origins,
    servicePorts: new Map([[443, 8443]]),
    explain: { now: NOW },
    ...(clientCertificate === undefined ? {} : { clientCertificate: { pem: clientCertificate, now: NOW } }),
  });
  for (const [stage, wanted] of Object.entries(want)) {
    const steps = trail
      .filter((step) => step.stage === stage)
      .map(({ verdict, reason }) => (reason === undefined ? verdict : `${verdict}: ${reason}`));
    t.match(steps, [wanted].flat(), `${name}: ${stage}`);
    t.equal(steps.length, [wanted].flat().length, `${name}: ${stage}, and no more`);
  }
  return trail;
}

const shop = { port: 8443, tls: 'tls', host: 'shop.test' } as const;

checkTrail(
  'rules that failed, then the one that matched',
  { ...shop, path: '/api/x' },
  {
    listener: '0.0.0.0_8443',
    'filter chain': /^istio-system\/gw:shop \[shop\.test\]: server name 'shop\.test'$/,
    'virtual host': 'shop.test:443',
    route: [
      "no match: exact: path '/api/x' is not '/cart'",
      "no match: method: method is 'GET', and must be 'POST'",
      "no match: header: header x-beta is absent, and must be '1'",
      'without',
    ],
    'direct response': '203',
    reply: '203: direct_response',
  },
);
checkTrail(
  'header present',
  { ...shop, path: '/api', headers: { 'x-beta': 'é' } },
  {
    route: [
      /exact/,
      /method/,
      "no match: header: header x-beta is 'é', and must be '1'",
      'no match: without: header x-beta is present',
      "no match: query: path '/api' does not match the regex '/q/[a-z]+' as a whole",
      /lost/,
      /split/,
      'none: no route for /api',
    ],
    hint: [/prefix \/api belongs to/, /prefix \/api belongs to/, /prefix \/api belongs to/],
  },
);
checkTrail(
  'query',
  { ...shop, path: '/q/a?v=1' },
  {
    route: [
      /exact/,
      /method/,
      /header/,
      /without/,
      "no match: query: query parameter v is '1', and must begin with '2'",
      /lost/,
      /split/,
      /none/,
    ],
  },
);
checkTrail(
  'nearest route',
  { ...shop, path: '/crat' },
  {
    route: [/exact/, /method/, /header/, /without/, /query/, /lost/, /split/, /none/],
    hint: [/path \/cart belongs to exact/, /./, /./],
  },
);
checkTrail(
  'chance and filters',
  { ...shop, path: '/split', random: 0.1, headers: { origin: 'https://b.test' } },
  {
    weights:
      'outbound|80|v1|web.istio-system.svc.cluster.local: drawn from 90 outbound|80|v1|web.istio-system.svc.cluster.local, 10 outbound|80|v2|web.istio-system.svc.cluster.local',
    fault: 'delay of 1s: for 50 % of the requests',
    cors: 'no headers: origin https://b.test is not allowed',
    cluster: 'outbound|80|v1|web.istio-system.svc.cluster.local',
    endpoint: '10.0.0.1:80',
  },
);
checkTrail(
  'no cluster',
  { ...shop, path: '/lost' },
  {
    reply: '503: cluster_not_found',
    hint: [/there is outbound\|80\|\|web\.istio-system/, /./, /./],
  },
);
checkTrail(
  'no chain',
  { ...shop, host: 'shpo.test' },
  {
    'filter chain': "none: no chain for server name 'shpo.test' and the protocols http/1.1",
    hint: [/server name shop\.test leads to chain/, /./, /./],
  },
);
checkTrail('no SNI', { ...shop, sni: '' }, { 'filter chain': /^none: no chain for clients without SNI/ });
checkTrail('no listener', { port: 9999 }, { listener: 'none: nothing listens on port 9999', hint: [/8080/, /8443/] });
checkTrail(
  'host of another chain',
  { ...shop, host: 'admin.test', sni: 'shop.test' },
  {
    'virtual host': "none: no virtual host for authority 'admin.test'",
  },
);
checkTrail(
  'host of another listener',
  { ...shop, host: 'plain.test', sni: 'shop.test' },
  {
    hint: /host plain\.test is bound by chain istio-system\/gw:http \[\*?.*\] of 0\.0\.0\.0_8080, not by this one/,
  },
);

t.test('places point into the YAML', (t) => {
  const trail = checkTrail('places', { ...shop, path: '/api/x' }, {});
  const lines = YAML.split('\n');
  for (const { stage, verdict, reason, at } of trail) {
    if (stage !== 'route') continue;
    const name = verdict === 'no match' ? reason?.split(':')[0] : verdict;
    const near = lines.slice((at?.line ?? 0) - 3, (at?.line ?? 0) + 1).join('\n');
    t.match(near, `name: ${name}`, `${name} at line ${at?.line}`);
  }
  t.end();
});

t.test('the doctor', (t) => {
  checkTrail('a healthy one', shop, {
    certificate:
      /^fine: kubernetes:\/\/shared \(shop\.test, admin\.test, \*\.wild\.test; ecdsa\): the only one of this chain$/,
    coverage: 'fine: it covers shop.test',
    dates: /^fine: valid from 2026-05-31 to 2028-/,
    chain: /^note: sent alone: clients must have .*, which signed the last one$/,
    protocol: 'fine: TLS 1.2 to 1.3; http/1.1 of h2, http/1.1',
    'client certificate': 'fine: none is asked for',
    'connection reuse': [
      /^problem: this certificate covers admin\.test too: .* where they get 404 \(NR\); chain istio-system\/gw:admin/,
      /^problem: this certificate covers \*\.wild\.test too: /,
    ],
  });
  checkTrail(
    'a host that it does not cover',
    { ...shop, sni: 'shop.test', host: 'plain.test' },
    {
      coverage: 'problem: it does not cover plain.test: clients that verify refuse it',
    },
  );
  checkTrail(
    'a certificate that signed itself and has no DNS name',
    { ...shop, host: 'self.test' },
    {
      coverage: 'problem: it does not cover self.test: clients that verify refuse it',
      chain: 'note: self-signed: clients must trust it itself',
    },
  );
  checkTrail(
    'its address',
    { ...shop, sni: 'self.test', host: '192.0.2.1' },
    { coverage: 'fine: it covers 192.0.2.1' },
  );
  checkTrail(
    'ALPN without overlap',
    { ...shop, alpn: ['foo'] },
    { protocol: /no protocol of h2, http\/1\.1 was offered/ },
  );
  const admin = { port: 8443, tls: 'mtls', host: 'admin.test' } as const;
  checkTrail(
    'client certificate required',
    { ...admin, tls: 'tls' },
    {
      'client certificate': /^fine: required; signed by .*shared-cacert\)$/,
      tls: 'refused: the client presents no certificate',
    },
  );
  checkTrail('a client that is trusted', admin, { tls: [], 'virtual host': /./ }, client.certificate);
  checkTrail(
    'a client of another CA',
    admin,
    { tls: /^refused: the client's certificate: no valid path leads from it to / },
    rogue.certificate,
  );
  checkTrail('a client without a readable certificate', admin, { tls: /^not decided: .*cannot be read/ }, 'x');
  const late = decide(index, shop, { explain: { now: Date.parse('2999-01-01') } });
  t.match(
    late.trail.find(({ stage }) => stage === 'dates'),
    { verdict: 'problem', reason: /^expired: / },
  );
  const plain = decide(index, shop, { origins });
  t.notOk(
    plain.trail.some(({ stage }) => stage === 'dates' || stage === 'hint'),
    'only explain asks the doctor',
  );
  t.end();
});

t.test('edit distance', (t) => {
  t.equal(editDistance('', 'abc'), 3);
  t.equal(editDistance('kitten', 'sitting'), 3);
  t.equal(editDistance('same', 'same'), 0);
  t.end();
});
