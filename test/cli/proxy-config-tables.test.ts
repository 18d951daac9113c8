// istioctl's columns and cells (spec dataplane.md §8.4), and the way of a snapshot through a config dump and back.
import { readFileSync } from 'node:fs';
import t from 'tap';
import { readConfigDump, renderConfigDump } from '../../src/admin/config-dump.js';
import { isSection, renderSection, type Section } from '../../src/cli/proxy-config-tables.js';
import { asRecorded, dumpSnapshot, publishSnapshot } from '../../src/translate/published.js';
import { translateYaml } from '../support/translation.js';

const certificate = readFileSync('examples/tutorial/certs/local-test.crt', 'utf8');
const base64 = (text: string) => Buffer.from(text).toString('base64');
const key = /tls\.key: (\S+)/.exec(readFileSync('examples/tutorial/istio/1-web.yaml', 'utf8'))?.[1] as string;

const YAML = `
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: { name: gw, namespace: shop }
spec:
  selector: { istio: ingressgateway }
  servers:
  - { port: { number: 443, name: a, protocol: HTTPS }, hosts: [a.example.com], tls: { mode: SIMPLE, credentialName: c } }
  - { port: { number: 443, name: p, protocol: TLS }, hosts: [p.example.com], tls: { mode: PASSTHROUGH } }
  - { port: { number: 80, name: h, protocol: HTTP }, hosts: ["*"] }
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: web, namespace: shop }
spec:
  hosts: [a.example.com]
  gateways: [gw]
  http:
  - match: [{ uri: { prefix: /api } }, { uri: { exact: /x } }, { uri: { regex: "/r.*" } }]
    route: [{ destination: { host: web, subset: v1 } }]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: pass, namespace: shop }
spec:
  hosts: [p.example.com]
  gateways: [gw]
  tls: [{ match: [{ sniHosts: [p.example.com] }], route: [{ destination: { host: web } }] }]
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: rule, namespace: shop }
spec: { host: web, subsets: [{ name: v1, labels: { v: "1" } }] }
---
apiVersion: v1
kind: Service
metadata: { name: web, namespace: shop }
spec: { ports: [{ name: http, port: 80 }] }
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: { name: web-1, namespace: shop, labels: { kubernetes.io/service-name: web } }
addressType: IPv4
ports: [{ name: http, port: 8080 }]
endpoints: [{ addresses: [10.1.2.10] }, { addresses: [10.1.2.9] }]
---
apiVersion: v1
kind: Secret
metadata: { name: c, namespace: istio-system }
type: kubernetes.io/tls
data: { tls.crt: "${base64(certificate)}", tls.key: "${key}" }
`;

const { snapshot } = translateYaml(YAML);
const dumped = dumpSnapshot(snapshot);
const lines = (section: Section, isShort = false): string => renderSection(section, dumped, isShort).join('\n');

t.test('tables', (t) => {
  t.equal(
    lines('listeners'),
    [
      'ADDRESSES PORT MATCH              DESTINATION',
      '0.0.0.0   8080 ALL                Route: http.8080',
      '0.0.0.0   8443 SNI: a.example.com Route: https.443.a.gw.shop',
      '0.0.0.0   8443 SNI: p.example.com Cluster: outbound|80||web.shop.svc.cluster.local',
    ].join('\n'),
  );
  t.equal(
    lines('listeners', true),
    ['ADDRESSES PORT TYPE', '0.0.0.0   8080 HTTP', '0.0.0.0   8443 HTTP+TCP'].join('\n'),
  );
  t.equal(
    lines('routes').replace(/ {5,}/g, ' | '),
    [
      'NAME | VHOST NAME | DOMAINS | MATCH | VIRTUAL SERVICE',
      'http.8080 | a.example.com:80 | a.example.com | /api* | web.shop',
      'http.8080 | a.example.com:80 | a.example.com | /x | web.shop',
      'http.8080 | a.example.com:80 | a.example.com | regex /r.* | web.shop',
      'https.443.a.gw.shop | a.example.com:443 | a.example.com | /api* | web.shop',
      'https.443.a.gw.shop | a.example.com:443 | a.example.com | /x | web.shop',
      'https.443.a.gw.shop | a.example.com:443 | a.example.com | regex /r.* | web.shop',
    ].join('\n'),
  );
  t.equal(
    lines('routes', true).replace(/ {5,}/g, ' | '),
    'NAME | VIRTUAL HOSTS\nhttp.8080 | 1\nhttps.443.a.gw.shop | 1',
  );
  t.equal(
    lines('clusters'),
    [
      'SERVICE FQDN                   PORT     SUBSET     DIRECTION     TYPE     DESTINATION RULE',
      'web.shop.svc.cluster.local     80       -          outbound      EDS      rule.shop',
      'web.shop.svc.cluster.local     80       v1         outbound      EDS      rule.shop',
    ].join('\n'),
  );
  t.equal(
    lines('endpoints'),
    [
      'ENDPOINT           STATUS      OUTLIER CHECK     CLUSTER',
      '10.1.2.10:8080     HEALTHY     OK                outbound|80||web.shop.svc.cluster.local',
      '10.1.2.9:8080      HEALTHY     OK                outbound|80||web.shop.svc.cluster.local',
    ].join('\n'),
  );
  t.match(
    lines('secrets'),
    /^RESOURCE NAME +TYPE +STATUS +VALID CERT +SERIAL NUMBER +NOT AFTER +NOT BEFORE\n(?:.*\n)*kubernetes:\/\/c +Cert Chain +ACTIVE +true +[0-9a-f]{32,40} +\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ +\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/,
  );
  const nothing = dumpSnapshot(translateYaml('').snapshot);
  t.same(
    (['listeners', 'routes', 'clusters'] as const).map((section) => renderSection(section, nothing, false)),
    [['no listeners found'], ['no routes found'], ['no clusters found']],
  );
  t.notOk(isSection('bootstrap'));
  t.end();
});

t.test('domains of a virtual host', (t) => {
  const row = (domains: string[]) =>
    renderSection(
      'routes',
      { ...dumped, routes: [{ name: 'r', virtual_hosts: [{ name: 'v', domains }], validate_clusters: false }] },
      false,
    )[1]?.split(/ {5,}/);
  t.same(row(['a.test']), ['r', 'v', 'a.test', '/*', '404']);
  t.equal(row(['a.test', 'b.test'])?.[2], 'a.test, b.test');
  t.equal(row(['a.test', 'a.test:80', 'b.test', 'b.test:80'])?.[2], 'a.test, b.test');
  t.equal(row(['a.test', 'b.test', 'c.test', 'd.test'])?.[2], 'a.test, b.test + 2 more...');
  t.end();
});

t.test('a dump is read back, keeps certificates and never a key', (t) => {
  const text = JSON.stringify(renderConfigDump(dumped, true, '1'));
  t.notOk(text.includes(key.slice(60, 120)), 'the private key is not in it');
  t.match(text, '"private_key":{"inline_bytes":"W3JlZGFjdGVkXQ=="}');
  const back = readConfigDump(JSON.parse(text));
  t.same(back, JSON.parse(JSON.stringify(dumped)));
  t.same(asRecorded(dumped), publishSnapshot(snapshot));
  t.end();
});
