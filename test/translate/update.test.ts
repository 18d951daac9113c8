// What a running gateway keeps when an update has gaps. Spec gateway.md §4.6, §8.6; virtualservice.md §17.4.
import t, { type Test } from 'tap';
import { chainReadiness } from '../../src/decide/chain-readiness.js';
import { acceptUpdate } from '../../src/translate/update.js';
import type { Snapshot } from '../../src/xds/index.js';
import { GOOD, MUST_STAPLE } from '../support/odd-certificates.js';
import { gatewayYaml, translateYaml } from '../support/translation.js';

const base64 = (text: string): string => Buffer.from(text).toString('base64');
const secret = (name: string, certificate = GOOD.certificate, key = GOOD.key): string => `
apiVersion: v1
kind: Secret
metadata: { name: ${name}, namespace: istio-system }
data: { tls.crt: ${base64(certificate)}, tls.key: ${base64(key)} }
---
`;
const https = (host: string, name: string, credential: string): string =>
  `{ port: { number: 443, name: ${name}, protocol: HTTPS }, hosts: [${host}], tls: { mode: SIMPLE, credentialName: ${credential} } }`;
const routes = (value: string): string => `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: web, namespace: apps }
spec:
  hosts: ["*"]
  gateways: [gw]
  http: [{ headers: { request: { set: { x-v: "${value}" } } }, route: [{ destination: { host: web } }] }]
---
`;
const http = '{ port: { number: 80, name: http, protocol: HTTP }, hosts: [a.test] }';

function checkUpdate(name: string, running: string, update: string, check: (t: Test, next: Snapshot) => void): void {
  t.test(name, (t) => {
    const before = translateYaml(running).snapshot;
    const raw = translateYaml(update).snapshot;
    check(t, acceptUpdate(before, raw));
    t.same(acceptUpdate(before, before), before, 'an update without a change changes nothing');
    t.end();
  });
}

const edge = (...servers: string[]): string => gatewayYaml('gw', servers);

checkUpdate(
  'a deleted Secret goes on being served',
  secret('c') + edge(https('a.test', 'a', 'c')),
  edge(https('a.test', 'a', 'c')),
  (t, next) => {
    const chain = next.listeners[0]?.listener?.filter_chains[0];
    t.equal(chain && chainReadiness(chain, next.secrets), 'ready');
  },
);
checkUpdate(
  'until its listener changes',
  secret('c') + edge(https('a.test', 'a', 'c')),
  edge(https('a.test', 'a', 'c'), https('b.test', 'b', 'd')),
  (t, next) => t.equal(next.secrets['kubernetes://c'], undefined),
);
checkUpdate(
  'a Secret that Envoy refuses leaves the old material, a good one replaces it',
  secret('c') + secret('d') + edge(https('a.test', 'a', 'c'), https('b.test', 'b', 'd')),
  secret('c', GOOD.certificate, MUST_STAPLE.key) +
    secret('d', GOOD.certificate + GOOD.certificate) +
    edge(https('a.test', 'a', 'c'), https('b.test', 'b', 'd')),
  (t, next) => {
    t.match(next.secrets['kubernetes://c'], { kind: 'tls_certificate', privateKey: GOOD.key });
    t.notOk('originId' in (next.secrets['kubernetes://c'] ?? {}));
    t.match(next.secrets['kubernetes://d'], { certificateChain: GOOD.certificate + GOOD.certificate });
  },
);
checkUpdate(
  'a Secret that appears heals its chain',
  secret('d') + edge(https('a.test', 'a', 'c'), https('b.test', 'b', 'd')),
  secret('c') + secret('d') + edge(https('a.test', 'a', 'c'), https('b.test', 'b', 'd')),
  (t, next) => t.equal(next.secrets['kubernetes://c']?.kind, 'tls_certificate'),
);
checkUpdate(
  'a refused listener leaves its previous version, with empty tables for servers that are gone',
  secret('c') + edge(https('a.test', 'a', 'c'), http),
  secret('c') + edge(https('ns1/z.test', 'x', 'c'), https('ns2/z.test', 'w', 'c'), http),
  (t, next) => {
    const kept = next.listeners.find(({ name }) => name === '0.0.0.0_8443');
    t.equal(kept?.state, 'active');
    t.same(
      kept?.listener?.filter_chains.map(({ label }) => label),
      ['apps/gw:a [a.test]'],
    );
    t.same(next.routes.find(({ name }) => name === 'https.443.a.gw.apps')?.virtual_hosts, []);
    t.equal(next.listeners.find(({ name }) => name === '0.0.0.0_8080')?.state, 'active');
  },
);
checkUpdate(
  'a refused route table leaves the last good one',
  edge(http) + routes('one'),
  edge(http) + routes('%FOO%'),
  (t, next) => {
    t.equal(next.refusedRoutes, undefined);
    t.match(JSON.stringify(next.routes), '"x-v","value":"one"');
  },
);

t.test('a fresh gateway has nothing to keep', (t) => {
  const { snapshot } = translateYaml(edge(http) + routes('%FOO%'));
  t.match(snapshot.refusedRoutes, { 'http.8080': /Not supported field in StreamInfo: FOO/ });
  const again = acceptUpdate(snapshot, snapshot);
  t.same(again.refusedRoutes, snapshot.refusedRoutes);
  t.end();
});
