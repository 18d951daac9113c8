// Two configurations, asked the same: what is a difference, and what is none. One base, one edit per row.
import t from 'tap';
import { createDevelopmentCa, issueCertificate } from '../../src/certs/development-ca.js';
import { renderTlsSecret } from '../../src/certs/secret-yaml.js';
import { sampleOfPattern, sampleOfRoute } from '../../src/decide/sample-request.js';
import { compareSnapshots } from '../../src/decide/snapshot-comparison.js';
import { buildSnapshotIndex } from '../../src/decide/snapshot-index.js';
import type { Route } from '../../src/xds/index.js';
import { translateYaml } from '../support/translation.js';

const ca = await createDevelopmentCa();
const secret = async () =>
  renderTlsSecret(
    'istio-system',
    'cert',
    await issueCertificate(ca, { commonName: 'a.test', dnsNames: ['a.test'], usage: 'server' }),
  );
const first = await secret();

const BASE = `
${first}
---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: { name: gw, namespace: istio-system }
spec:
  selector: { istio: ingressgateway }
  servers:
  - { port: { number: 443, name: a, protocol: HTTPS }, hosts: [a.test], tls: { mode: SIMPLE, credentialName: cert } }
  - { port: { number: 443, name: p, protocol: TLS }, hosts: ["*.pass.test"], tls: { mode: PASSTHROUGH } }
  - { port: { number: 80, name: http, protocol: HTTP }, hosts: ["*"] }
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: a, namespace: istio-system }
spec:
  hosts: [a.test, "*.b.test"]
  gateways: [gw]
  http:
  - match: [{ uri: { prefix: /api }, headers: { x-beta: { exact: "1" } } }]
    route: [{ destination: { host: web, subset: v2 } }]
  - match: [{ uri: { prefix: /api } }]
    route:
    - { destination: { host: web, subset: v1 }, weight: 90 }
    - { destination: { host: web, subset: v2 }, weight: 10 }
  - match: [{ uri: { exact: /old } }]
    redirect: { uri: /new }
  - match: [{ uri: { regex: "/r/[0-9]+" } }]
    route: [{ destination: { host: web } }]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: p, namespace: istio-system }
spec:
  hosts: ["*.pass.test"]
  gateways: [gw]
  tls: [{ match: [{ sniHosts: ["*.pass.test"] }], route: [{ destination: { host: web } }] }]
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
`;

function compiled(yaml: string) {
  const { snapshot, origins } = translateYaml(yaml);
  return { index: buildSnapshotIndex(snapshot), origins };
}

const base = compiled(BASE);

/** The one door: subjects and aspects that must be among the differences; an empty list means that there is none. */
function checkEdit(
  name: string,
  edit: (yaml: string) => string,
  want: readonly (readonly [aspect: string, subject: RegExp, old?: RegExp, next?: RegExp])[],
): void {
  const edited = edit(BASE);
  t.not(edited, BASE, `${name}: something was edited`);
  const forth = compareSnapshots(base, compiled(edited));
  const back = compareSnapshots(compiled(edited), base);
  if (want.length === 0) t.same(forth.differences, [], name);
  for (const [aspect, subject, old = /./, next = /./] of want) {
    const found = forth.differences.find(
      (one) => one.aspect === aspect && subject.test(one.subject) && old.test(one.old) && next.test(one.new),
    );
    t.ok(
      found,
      `${name}: ${aspect} of ${String(subject)} among ${JSON.stringify(forth.differences.map((one) => [one.aspect, one.subject, one.old, one.new])).slice(0, 1500)}`,
    );
  }
  t.equal(back.differences.length, forth.differences.length, `${name}: the same number backwards`);
}

const replace = (from: string, to: string) => (yaml: string) => yaml.replace(from, to);

t.same(compareSnapshots(base, compiled(BASE)).differences, [], 'nothing differs from itself');
t.ok(compareSnapshots(base, base).requests > 20);

checkEdit(
  'names and blanks',
  (yaml) => yaml.replace('name: a, namespace', 'name:   renamed, namespace').replace('# x', ''),
  [],
);
checkEdit(
  'order of rules that do not meet',
  (yaml) => {
    const redirect = '  - match: [{ uri: { exact: /old } }]\n    redirect: { uri: /new }\n';
    return yaml.replace(redirect, '').replace('  http:\n', `  http:\n${redirect}`);
  },
  [],
);
checkEdit('weight', replace('weight: 90', 'weight: 80'), [
  ['destination', /^https:\/\/a\.test:8443\/api$/, /^10 .*v2.*, 90 /, /80 /],
  ['destination', /\*\.b\.test/],
]);
checkEdit('prefix to exact', replace('prefix: /api } }]', 'exact: /api } }]'), [
  ['status', /\/api\/\*$/, /upstream/, /404 NR/],
]);
checkEdit('header name', replace('x-beta', 'x-gamma'), [['destination', /\/api$/]]);
checkEdit('rule gone', (yaml) => yaml.replace(/ {2}- match: \[\{ uri: \{ exact: \/old.*\n.*new \}\n/, ''), [
  ['status', /\/old$/, /301/, /404/],
]);
checkEdit('redirect elsewhere', replace('/new', '/newer'), [['status', /\/old$/, /direct_response .*\/new$/, /newer/]]);
checkEdit('regex', replace('[0-9]+', '[a-z]+'), [
  ['status', /\/r\/0$/, /upstream/, /404/],
  ['status', /\/r\/a$/, /404/, /upstream/],
]);
checkEdit(
  'rewrite',
  replace(
    '    route: [{ destination: { host: web } }]\n---',
    '    rewrite: { uri: /x }\n    route: [{ destination: { host: web } }]\n---',
  ),
  [['request', /\/r\/0$/, /^\/r\/0 at/, /^\/x at/]],
);
checkEdit(
  'fault of some requests',
  replace(
    '  - match: [{ uri: { prefix: /api } }]',
    '  - fault: { abort: { httpStatus: 418, percentage: { value: 1 } } }\n    match: [{ uri: { prefix: /api } }]',
  ),
  [['status', /\/api$/, /^the upstream's$/, /418 FI/]],
);
checkEdit('host', replace('hosts: [a.test, "*.b.test"]', 'hosts: [a.test]'), [
  ['status', /^http:\/\/\*\.b\.test:8080/],
]);
checkEdit('mutual', replace('mode: SIMPLE', 'mode: OPTIONAL_MUTUAL'), [
  ['tls', /^sni a\.test:8443$/, /^terminated/, /Secret missing/],
]);
checkEdit('versions', replace('mode: SIMPLE,', 'mode: SIMPLE, minProtocolVersion: TLSV1_3,'), [
  ['tls', /^sni a\.test:8443$/, /TLSv1_2 to/, /TLSv1_3 to/],
]);
checkEdit('passthrough gone', replace('"*.pass.test"], tls: { mode: PASS', '"*.other.test"], tls: { mode: PASS'), [
  ['tls', /^sni \*\.pass\.test:8443$/, /not terminated/, /no chain/],
]);
checkEdit(
  'port',
  replace('number: 80, name: http, protocol: HTTP }, hosts', 'number: 81, name: http, protocol: HTTP }, hosts'),
  [
    ['tls', /^plaintext :8080$/, /plaintext/, /no chain/],
    ['tls', /^plaintext :81$/],
  ],
);
checkEdit('subset gone', replace('{ name: v2 }', '{ name: v3 }'), [['destination', /./]]);

t.test('certificate and patterns', async (t) => {
  const { differences } = compareSnapshots(base, compiled(BASE.replace(first, await secret())));
  t.match(differences, [{ aspect: 'tls', subject: 'sni a.test:8443', old: /certificate [0-9a-f]{16}/ }]);
  t.equal(differences.length, 1);
  for (const [pattern, want] of [
    ['/items/(\\d+|new)/.*', '/items/0/'],
    ['/[^/]+/edit', '/a/edit'],
    ['(?i)/ABC', '/ABC'],
    ['^/v[0-9]{2}/x?$', '/v00/'],
    ['\\/x\\.js', '/x.js'],
    ['(/a|/b)(/.*)?', '/a'],
    ['/\\p{L}', undefined],
    ['/(', undefined],
  ] as const)
    t.equal(sampleOfPattern(pattern), want, pattern);
  const skipped = compareSnapshots(base, compiled(BASE.replace('regex: "/r/[0-9]+"', 'regex: "/\\\\p{L}+"'))).skipped;
  t.match(skipped, [/\\p\{L\}/]);
});

t.test('a header value keeps no blanks at its ends, so a sample has none there', async (t) => {
  const withRule = (subset: string) =>
    BASE.replace(
      '  http:\n',
      `  http:\n  - match: [{ uri: { prefix: /me }, headers: { authorization: { prefix: "Bearer " } } }]\n    route: [{ destination: { host: web, subset: ${subset} } }]\n`,
    );
  const { differences } = compareSnapshots(compiled(withRule('v1')), compiled(withRule('v2')));
  t.match(
    differences.find(({ subject }) => subject === 'https://a.test:8443/me'),
    { aspect: 'destination', headers: ['authorization: Bearer a'], old: /v1/, new: /v2/ },
  );
  for (const [matcher, want] of [
    [{ prefix: 'Bearer ' }, 'Bearer a'],
    [{ prefix: 'bearer ', ignore_case: true }, 'bearer a'],
    [{ suffix: ' end' }, 'a end'],
    [{ contains: '\t' }, 'a\ta'],
    [{ safe_regex: { regex: 'Bearer .*' } }, 'Bearer a'],
    [{ safe_regex: { regex: 'Bearer ' } }, undefined],
    [{ exact: ' one' }, undefined],
    [{ exact: 'one' }, 'one'],
    [{ exact: '' }, ''],
  ] as const) {
    const sample = sampleOfRoute({ match: { prefix: '/', headers: [{ name: 'x', string_match: matcher }] } } as Route);
    t.same(sample?.headers, want === undefined ? undefined : [['x', want]], JSON.stringify(matcher));
  }
});
