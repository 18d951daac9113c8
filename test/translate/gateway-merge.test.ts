// Which servers survive on one port, in which groups and under which route tables. Spec gateway.md §2-§5.
import t from 'tap';
import { collect, type Diagnostic } from '../../src/diagnostics/diagnostic.js';
import { mergeGateways, rewriteHosts, serverNamesOf } from '../../src/translate/gateway-merge.js';
import { contextOfYaml, gatewayYaml, type TranslationOptions } from '../support/translation.js';

interface Outcome {
  /** 'PORT PROTOCOL[ BIND]: ns/gateway[index] …' in order. */
  readonly groups?: readonly string[];
  readonly routes?: Readonly<Record<string, readonly string[]>>;
  readonly codes?: readonly string[];
  readonly messages?: readonly string[];
}

function checkMerge(name: string, yaml: string, want: Outcome, options: TranslationOptions = {}): void {
  t.test(name, (t) => {
    const diagnostics: Diagnostic[] = [];
    const merged = mergeGateways(contextOfYaml(yaml, options), collect(diagnostics));
    const title = (server: { gatewayName: string; index: number }): string => `${server.gatewayName}[${server.index}]`;
    if (want.groups !== undefined) {
      const groups = merged.ports.map(
        (group) =>
          `${group.port} ${group.protocol}${group.bind === '' ? '' : ` ${group.bind}`}: ${group.servers.map(title).join(' ')}`,
      );
      t.same(groups, want.groups);
    }
    if (want.routes !== undefined) {
      const routes = [...merged.serversByRoute].map(([route, servers]) => [route, servers.map(title)]);
      t.same(Object.fromEntries(routes), want.routes);
    }
    if (want.codes !== undefined)
      t.same(
        diagnostics.map((diagnostic) => diagnostic.code),
        want.codes,
      );
    if (want.messages !== undefined)
      t.same(
        diagnostics.map((diagnostic) => diagnostic.message),
        want.messages,
      );
    t.end();
  });
}

const HTTP = '{ port: { number: 80, name: http, protocol: HTTP }, hosts: [a.test] }';
const GRPC = '{ port: { number: 80, name: grpc, protocol: GRPC }, hosts: [b.test] }';
const TCP = '{ port: { number: 80, name: tcp, protocol: TCP }, hosts: [a.test] }';
const OTHER_TCP = '{ port: { number: 80, name: tcp-2, protocol: TCP }, hosts: [b.test] }';
const https = (hosts: string, name = 'https'): string =>
  `{ port: { number: 80, name: ${name}, protocol: HTTPS }, hosts: [${hosts}], tls: { mode: SIMPLE, credentialName: c } }`;
const passthrough = (hosts: string): string =>
  `{ port: { number: 80, name: tls, protocol: TLS }, hosts: [${hosts}], tls: { mode: PASSTHROUGH } }`;
const redirect = (hosts: string): string =>
  `{ port: { number: 80, name: r-${hosts.replace(/\W+/g, '-')}, protocol: HTTP }, hosts: [${hosts}], tls: { httpsRedirect: true } }`;

// The matrix of §4.3: first server, second server, what is left, code of the drop.
const MATRIX: readonly (readonly [name: string, first: string, second: string, groups: string[], codes: string[]])[] = [
  ['HTTP and GRPC share a group', HTTP, GRPC, ['8080 HTTP: apps/one[0] apps/two[0]'], []],
  ['HTTPS after HTTP', HTTP, https('b.test'), ['8080 HTTP: apps/one[0]'], ['PST0202']],
  ['passthrough after HTTP', HTTP, passthrough('b.test'), ['8080 HTTP: apps/one[0]'], ['PST0202']],
  ['TCP after HTTP', HTTP, TCP, ['8080 HTTP: apps/one[0]'], ['PST0202']],
  ['HTTP after TCP', TCP, HTTP, ['8080 TCP: apps/one[0]'], ['PST0202']],
  ['passthrough after TCP', TCP, passthrough('b.test'), ['8080 TCP: apps/one[0]'], ['PST0202']],
  ['TCP after TCP with other hosts', TCP, OTHER_TCP, ['8080 TCP: apps/one[0]'], ['PST0202']],
  ['HTTPS with other hosts', https('a.test'), https('b.test'), ['8080 HTTPS: apps/one[0] apps/two[0]'], []],
  [
    'HTTPS with one host in common',
    https('a.test, b.test'),
    https('b.test, c.test'),
    ['8080 HTTPS: apps/one[0]'],
    ['PST0201'],
  ],
  ['a wildcard is another string', https('"*.test"'), https('a.test'), ['8080 HTTPS: apps/one[0] apps/two[0]'], []],
  ['`*` twice', https('"*"'), https('"*"'), ['8080 HTTPS: apps/one[0]'], ['PST0201']],
  [
    'passthrough beside HTTPS',
    https('a.test'),
    passthrough('b.test'),
    ['8080 HTTPS: apps/one[0]', '8080 TLS: apps/two[0]'],
    [],
  ],
  [
    'passthrough of a terminated host',
    https('a.test'),
    passthrough('a.test'),
    ['8080 HTTPS: apps/one[0]'],
    ['PST0201'],
  ],
  ['one host of two namespaces', https('ns1/a.test'), https('ns2/a.test'), ['8080 HTTPS: apps/one[0] apps/two[0]'], []],
  ['case counts', https('a.test'), https('A.test'), ['8080 HTTPS: apps/one[0] apps/two[0]'], []],
  ['TCP after HTTPS stays', https('a.test'), TCP, ['8080 HTTPS: apps/one[0]', '8080 TCP: apps/two[0]'], []],
  ['HTTP after HTTPS stays', https('a.test'), HTTP, ['8080 HTTPS: apps/one[0]', '8080 HTTP: apps/two[0]'], []],
  ['one redirect host twice', redirect('a.test'), redirect('a.test'), ['8080 HTTP: apps/one[0]'], ['PST0201']],
  ['redirect and plain share a host', redirect('a.test'), HTTP, ['8080 HTTP: apps/one[0] apps/two[0]'], []],
];
for (const [name, first, second, groups, codes] of MATRIX)
  checkMerge(name, gatewayYaml('apps/one', [first]) + gatewayYaml('apps/two', [second]), { groups, codes });

checkMerge(
  'after HTTPS and HTTP a third HTTPS server is dropped',
  gatewayYaml('one', [https('a.test')]) + gatewayYaml('two', [HTTP]) + gatewayYaml('zed', [https('z.test')]),
  {
    groups: ['8080 HTTPS: apps/one[0]', '8080 HTTP: apps/two[0]'],
    messages: ['skipping server on gateway zed port https.8080.HTTPS: conflict with existing server 8080.HTTPS'],
  },
);

checkMerge(
  'a server dropped for its protocol burns its hosts, one dropped for a duplicate does not',
  gatewayYaml('one', [HTTP, https('s.test'), redirect('s.test, t.test'), redirect('t.test')]),
  {
    groups: ['8080 HTTP: apps/one[0] apps/one[3]'],
    messages: [
      'skipping server on gateway one port https.8080.HTTPS: conflict with existing server 8080.HTTPS',
      'skipping server on gateway apps/one, duplicate host names: [s.test]',
    ],
  },
);

checkMerge(
  'Gateways go by age, then name, then namespace, not by file order',
  `${gatewayYaml('b/one', [HTTP])}${gatewayYaml('a/two', [HTTP])}${gatewayYaml('a/one', [HTTP])}`.replace(
    'name: two, namespace: a }',
    'name: two, namespace: a, creationTimestamp: "1970-01-01T00:00:00Z" }',
  ),
  { groups: ['8080 HTTP: a/one[0] b/one[0] a/two[0]'] },
);

checkMerge(
  'route names: the resolved port for HTTP, the written one for HTTPS, with a bind at the end',
  gatewayYaml('one', [
    HTTP,
    '{ port: { number: 443, name: s, protocol: HTTPS }, hosts: [a.test], tls: { mode: SIMPLE, credentialName: c } }',
    '{ port: { number: 443, name: b, protocol: HTTPS }, bind: 127.0.0.3, hosts: [a.test], tls: { mode: SIMPLE, credentialName: c } }',
    '{ port: { number: 80, name: h, protocol: HTTP }, bind: 127.0.0.3, hosts: [a.test] }',
  ]),
  {
    groups: [
      '8080 HTTP: apps/one[0]',
      '8443 HTTPS: apps/one[1]',
      '8443 HTTPS 127.0.0.3: apps/one[2]',
      '8080 HTTP 127.0.0.3: apps/one[3]',
    ],
    routes: {
      'http.8080': ['apps/one[0]'],
      'https.443.s.one.apps': ['apps/one[1]'],
      'https.443.b.one.apps.127.0.0.3': ['apps/one[2]'],
      'http.8080.127.0.0.3': ['apps/one[3]'],
    },
    codes: [],
  },
);

const SERVICE = (name: string, ports: string, more = ''): string => `
apiVersion: v1
kind: Service
metadata: { name: ${name}, namespace: istio-system${more} }
spec:
  selector: { istio: ingressgateway }
  ports: [${ports}]
---
`;
const PORTS = gatewayYaml('one', [
  HTTP,
  '{ port: { number: 81, name: second, protocol: HTTP }, hosts: [x.test] }',
  '{ port: { number: 9000, name: third, protocol: HTTP }, hosts: [y.test] }',
]);
checkMerge('without a Service of its own the gateway has the stock one', PORTS, {
  groups: ['8080 HTTP: apps/one[0]', '81 HTTP: apps/one[1]', '9000 HTTP: apps/one[2]'],
});
checkMerge(
  'a Service that selects the pod replaces the stock one',
  PORTS + SERVICE('edge', '{ name: a, port: 81, targetPort: 8081 }'),
  {
    groups: ['80 HTTP: apps/one[0]', '8081 HTTP: apps/one[1]', '9000 HTTP: apps/one[2]'],
  },
);
checkMerge(
  'the older of two Services translates, an opted-out one never',
  PORTS +
    SERVICE('edge', '{ name: a, port: 80, targetPort: 8001 }', ', creationTimestamp: "2020-01-02T00:00:00Z"') +
    SERVICE(
      'old',
      '{ name: a, port: 80, targetPort: 8002 }, { name: b, port: 81 }',
      ', creationTimestamp: "2020-01-01T00:00:00Z"',
    ) +
    SERVICE(
      'out',
      '{ name: c, port: 9000, targetPort: 9001 }',
      ', labels: { experimental.istio.io/disable-gateway-port-translation: "" }',
    ),
  { groups: ['8002 HTTP: apps/one[0]', '81 HTTP: apps/one[1]', '9000 HTTP: apps/one[2]'] },
);
checkMerge(
  'a named target port needs a pod that has it',
  `${PORTS}${SERVICE('edge', '{ name: a, port: 80, targetPort: web }, { name: b, port: 81, targetPort: none }')}
apiVersion: v1
kind: Pod
metadata: { name: gw, namespace: istio-system, labels: { istio: ingressgateway } }
spec: { containers: [{ name: proxy, ports: [{ name: web, containerPort: 8099 }] }] }
status: { podIP: 127.0.0.2 }
`,
  { groups: ['8099 HTTP: apps/one[0]', '81 HTTP: apps/one[1]', '9000 HTTP: apps/one[2]'] },
);
checkMerge(
  'ports with one target are one group, and a Gateway may name the target itself',
  gatewayYaml('one', [
    '{ port: { number: 443, name: a, protocol: HTTPS }, hosts: [a.test], tls: { mode: SIMPLE, credentialName: c } }',
    '{ port: { number: 8443, name: b, protocol: HTTPS }, hosts: [b.test], tls: { mode: SIMPLE, credentialName: c } }',
  ]),
  {
    groups: ['8443 HTTPS: apps/one[0] apps/one[1]'],
    routes: { 'https.443.a.one.apps': ['apps/one[0]'], 'https.8443.b.one.apps': ['apps/one[1]'] },
  },
);
checkMerge(
  'another selector takes no port away',
  gatewayYaml('one', [HTTP]).replace('ingressgateway', 'egress') + gatewayYaml('two', [TCP]),
  {
    groups: ['8080 TCP: apps/two[0]'],
  },
);

t.test('hosts are rewritten before they are compared', (t) => {
  const rows: readonly (readonly [string[], string[]])[] = [
    [['foo.com'], ['foo.com']],
    [['*/foo.com'], ['foo.com']],
    [['./foo.com'], ['own/foo.com']],
    [
      ['ns/foo.com', '*'],
      ['ns/foo.com', '*'],
    ],
    [['a.com', '*/*', 'b.com'], ['*']],
    [['ns/*'], ['ns/*']],
  ];
  for (const [hosts, want] of rows) t.same(rewriteHosts(hosts, 'own'), want, hosts.join(' '));
  t.same(serverNamesOf(['z.com', 'ns/a.com', 'other/a.com', '*.b.com']), ['*.b.com', 'a.com', 'z.com']);
  t.end();
});
