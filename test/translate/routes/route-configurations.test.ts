// Route tables from VirtualServices: binding, virtual hosts, order, matches. Spec virtualservice.md §3-§8; its traps §20.
import t from 'tap';
import {
  ANY_HOST_GATEWAY,
  buildRoutes,
  describeTables,
  gatewayYaml,
  serviceYaml,
  virtualServiceYaml,
} from '../../support/route-tables.js';

function checkTables(title: string, yaml: string, want: readonly string[], mesh?: string): void {
  t.same(describeTables(buildRoutes(yaml, mesh).tables), want, title);
}

const TO_WEB = 'http: [{ route: [{ destination: { host: web } }] }]';
const reply = (status: number, match = ''): string =>
  `- { ${match === '' ? '' : `match: [${match}], `}directResponse: { status: ${status} } }`;
const BLACKHOLE = ['http.8080 | blackhole:80 | *'];

checkTables(
  'a name without a namespace means the own one (G1)',
  ANY_HOST_GATEWAY + virtualServiceYaml('a', `hosts: [a.test]\ngateways: [gw]\n${TO_WEB}`),
  BLACKHOLE,
);
checkTables(
  'only bound to the mesh',
  ANY_HOST_GATEWAY + virtualServiceYaml('a', `hosts: [a.test]\ngateways: [mesh]\n${TO_WEB}`),
  BLACKHOLE,
);
checkTables(
  'the old form of a gateway name, short hosts and short destinations',
  ANY_HOST_GATEWAY + virtualServiceYaml('a', `hosts: [localhost]\ngateways: [gw.infra.svc.cluster.local]\n${TO_WEB}`),
  [
    'http.8080 | localhost.apps.svc.cluster.local:80 | localhost.apps.svc.cluster.local',
    '  prefix / -> outbound|80||web.apps.svc.cluster.local',
  ],
);
checkTables(
  'a dot stops expansion (G23)',
  ANY_HOST_GATEWAY +
    virtualServiceYaml('a', 'hosts: [a.test]\nhttp: [{ route: [{ destination: { host: web.apps } }] }]'),
  ['http.8080 | a.test:80 | a.test', '  prefix / -> outbound|80||web.apps'],
);
checkTables(
  'private to another namespace (G4)',
  ANY_HOST_GATEWAY + virtualServiceYaml('a', `hosts: [a.test]\nexportTo: ["."]\n${TO_WEB}`),
  BLACKHOLE,
);
checkTables(
  'the mesh default counts where nothing is written',
  ANY_HOST_GATEWAY + virtualServiceYaml('a', `hosts: [a.test]\n${TO_WEB}`),
  BLACKHOLE,
  'defaultVirtualServiceExportTo: ["."]',
);
checkTables(
  'private before exported before public, whatever their age',
  ANY_HOST_GATEWAY +
    virtualServiceYaml('old', `hosts: [a.test]\nhttp:\n${reply(201)}`, 'apps', '2020-01-01T00:00:00Z') +
    virtualServiceYaml(
      'named',
      `hosts: [a.test]\nexportTo: [istio-system]\nhttp:\n${reply(202)}`,
      'apps',
      '2021-01-01T00:00:00Z',
    ) +
    virtualServiceYaml(
      'own',
      `hosts: [a.test]\nexportTo: ["."]\nhttp:\n${reply(203)}`,
      'istio-system',
      '2022-01-01T00:00:00Z',
    ),
  ['http.8080 | a.test:80 | a.test', '  prefix / -> reply 203', '  prefix / -> reply 202', '  prefix / -> reply 201'],
);
checkTables(
  'by age, then by name, then by namespace; catch-alls last (G12, G13, §4.2)',
  ANY_HOST_GATEWAY +
    virtualServiceYaml(
      'b',
      `hosts: [a.test]\nhttp:\n${reply(201, '{ uri: { prefix: /api } }')}\n${reply(202)}`,
      'apps',
      '2020-01-01T00:00:00Z',
    ) +
    virtualServiceYaml(
      'a',
      `hosts: [a.test]\nhttp:\n${reply(203, '{ uri: { prefix: /api/v2 } }')}\n${reply(204, '{ uri: { regex: /.* } }')}`,
      'apps',
      '2021-01-01T00:00:00Z',
    ),
  [
    'http.8080 | a.test:80 | a.test',
    '  prefix /api -> reply 201',
    '  prefix /api/v2 -> reply 203',
    '  regex /.* -> reply 204',
    '  prefix / -> reply 202',
  ],
);
checkTables(
  'what follows a catch-all is not sent (§6.1, §6.3)',
  ANY_HOST_GATEWAY +
    virtualServiceYaml(
      'a',
      `hosts: [a.test]
http:
${reply(201, '{ uri: { prefix: "" } }, { uri: { prefix: / }, method: { exact: GET } }, { authority: {} }')}
${reply(202, '{ ignoreUriCase: true }, { uri: { exact: /never } }')}
${reply(203)}`,
    ),
  [
    'http.8080 | a.test:80 | a.test',
    '  prefix  -> reply 201',
    '  prefix / +1 -> reply 201',
    '  prefix / +1 -> reply 201',
    '  prefix / -> reply 202',
  ],
);
checkTables(
  'exact and wildcard hosts are two virtual hosts; case differs only after the intersection (G14, G51)',
  ANY_HOST_GATEWAY +
    virtualServiceYaml('a', `hosts: [A.test]\nhttp:\n${reply(201, '{ uri: { prefix: /api } }')}`) +
    virtualServiceYaml('b', `hosts: ["*"]\nhttp:\n${reply(202)}`),
  ['http.8080 | *:80 | *', '  prefix / -> reply 202', 'http.8080 | a.test:80 | a.test', '  prefix /api -> reply 201'],
);
checkTables(
  'the narrower host of server and VirtualService; both merge on an exact server host (§4.3)',
  gatewayYaml(
    '- { port: { number: 80, name: http, protocol: HTTP }, hosts: [x.a.test, apps/y.a.test, other/z.a.test] }',
  ) +
    virtualServiceYaml('a', `hosts: ["*.a.test"]\nhttp:\n${reply(201)}`) +
    virtualServiceYaml('b', `hosts: [x.a.test]\nhttp:\n${reply(202, '{ uri: { exact: /b } }')}`),
  [
    'http.8080 | x.a.test:80 | x.a.test',
    '  path /b -> reply 202',
    '  prefix / -> reply 201',
    'http.8080 | y.a.test:80 | y.a.test',
    '  prefix / -> reply 201',
  ],
);
checkTables(
  'hosts with the same routes share a virtual host, named after the most specific one (§4.1 item 9)',
  ANY_HOST_GATEWAY +
    virtualServiceYaml('a', `hosts: ["*.w.test", 10.1.2.3, x-22.test.example, "fd00::7"]\nhttp:\n${reply(201)}`),
  ['http.8080 | x-22.test.example:80 | x-22.test.example 10.1.2.3 fd00::7 *.w.test', '  prefix / -> reply 201'],
);
checkTables(
  'an IPv6 host is bracketed in the name of its virtual host',
  ANY_HOST_GATEWAY + virtualServiceYaml('a', `hosts: ["fd00::7"]\nhttp:\n${reply(201)}`),
  ['http.8080 | [fd00::7]:80 | fd00::7', '  prefix / -> reply 201'],
);
checkTables(
  'no route for the port, no virtual host (G54); match.port is the number in the Gateway (G44)',
  ANY_HOST_GATEWAY +
    virtualServiceYaml('a', `hosts: [a.test]\nhttp:\n${reply(201, '{ port: 8080 }')}`) +
    virtualServiceYaml('b', `hosts: [b.test]\nhttp:\n${reply(202, '{ port: 80 }')}`),
  ['http.8080 | b.test:80 | b.test', '  prefix / -> reply 202'],
);
checkTables(
  'static conditions: labels and namespace of the workload, unless gateways are named (G45)',
  ANY_HOST_GATEWAY +
    virtualServiceYaml(
      'a',
      `hosts: [a.test]
http:
${reply(201, '{ sourceLabels: { app: ui } }')}
${reply(202, '{ sourceLabels: { app: istio-ingressgateway }, uri: { prefix: /2 } }')}
${reply(203, '{ sourceNamespace: apps }')}
${reply(204, '{ gateways: [infra/gw], sourceLabels: { app: ui }, uri: { prefix: /4 } }')}
${reply(205, '{ gateways: [mesh] }')}`,
    ),
  ['http.8080 | a.test:80 | a.test', '  prefix /2 -> reply 202', '  prefix /4 -> reply 204'],
);
checkTables(
  'servers of one Gateway in one table: the first lends its port; two Gateways do not share (§4.1 item 5)',
  `
apiVersion: v1
kind: Service
metadata: { name: istio-ingressgateway, namespace: istio-system }
spec:
  selector: { istio: ingressgateway }
  ports: [{ name: a, port: 80, targetPort: 8080 }, { name: b, port: 8081, targetPort: 8080 }]
---` +
    gatewayYaml(`- { port: { number: 80, name: http, protocol: HTTP }, hosts: [a.test] }
- { port: { number: 8081, name: http-2, protocol: HTTP }, hosts: [b.test] }`) +
    virtualServiceYaml(
      'a',
      `hosts: [a.test, b.test]\nhttp:\n${reply(201, '{ port: 80 }')}\n${reply(202, '{ port: 8081 }')}`,
    ),
  ['http.8080 | a.test:80 | a.test b.test', '  prefix / -> reply 201'],
);
checkTables(
  'httpsRedirect marks the hosts of its server and makes some, with the namespace left in (§4.1 item 7)',
  gatewayYaml(
    '- { port: { number: 80, name: http, protocol: HTTP }, hosts: [a.test, B.test, apps/c.test], tls: { httpsRedirect: true } }',
  ) + virtualServiceYaml('a', `hosts: [a.test]\nhttp:\n${reply(201)}`),
  [
    'http.8080 | a.test:80 | a.test | ALL',
    '  prefix / -> reply 201',
    'http.8080 | apps/c.test:80 | apps/c.test b.test | ALL',
  ],
);
checkTables(
  'a destination port: written, else the only one of the service, else that of the server (G20, G21)',
  ANY_HOST_GATEWAY +
    serviceYaml('one', [8080]) +
    serviceYaml('two', [8080, 9090]) +
    `
apiVersion: v1
kind: Service
metadata: { name: alias, namespace: apps }
spec: { type: ExternalName, externalName: one.apps.svc.cluster.local, ports: [{ name: http, port: 8080 }] }
---` +
    virtualServiceYaml(
      'a',
      `hosts: [a.test]
http:
- { match: [{ uri: { exact: /1 } }], route: [{ destination: { host: one } }] }
- { match: [{ uri: { exact: /2 } }], route: [{ destination: { host: two } }] }
- { match: [{ uri: { exact: /3 } }], route: [{ destination: { host: two, port: { number: 7 }, subset: v1 } }] }
- { match: [{ uri: { exact: /4 } }], route: [{ destination: { host: alias } }] }
- { match: [{ uri: { exact: /5 } }], route: [{ destination: { host: one }, weight: 0 }] }
- { match: [{ uri: { exact: /6 } }], route: [{ destination: { host: one }, weight: 3 }, { destination: { host: two }, weight: 0 }] }`,
    ),
  [
    'http.8080 | a.test:80 | a.test',
    '  path /1 -> outbound|8080||one.apps.svc.cluster.local',
    '  path /2 -> outbound|80||two.apps.svc.cluster.local',
    '  path /3 -> outbound|7|v1|two.apps.svc.cluster.local',
    '  path /4 -> outbound|8080||one.apps.svc.cluster.local',
    '  path /5 -> outbound|8080||one.apps.svc.cluster.local',
    '  path /6 -> 3*outbound|8080||one.apps.svc.cluster.local',
  ],
);

const ROOT = (entry: string, exportTo = ''): string =>
  virtualServiceYaml('root', `hosts: [a.test]\n${exportTo}http:\n${entry}`, 'edge');
const delegate = (http: string, extra = ''): string => `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: d, namespace: shop }
spec:
${extra}  http:
${http
  .split('\n')
  .map((line) => `  ${line}`)
  .join('\n')}
---`;
const NAMED_DELEGATE = 'delegate: { name: d, namespace: shop }';

checkTables(
  'a delegate: matches multiplied, names joined, its own namespace (§15)',
  ANY_HOST_GATEWAY +
    ROOT(
      `- { name: r, match: [{ name: one, uri: { prefix: /shop } }, { name: two, uri: { prefix: /store } }], timeout: 2s, ${NAMED_DELEGATE} }`,
    ) +
    delegate(
      '- { name: x, match: [{ name: mx, headers: { x-a: {} } }], route: [{ destination: { host: web } }] }\n- { route: [{ destination: { host: web } }] }',
    ),
  [
    'http.8080 | a.test:80 | a.test',
    '  r-x.one-mx: prefix /shop +1 -> outbound|80||web.shop.svc.cluster.local',
    '  r-x.two-mx: prefix /store +1 -> outbound|80||web.shop.svc.cluster.local',
    '  r.one: prefix /shop -> outbound|80||web.shop.svc.cluster.local',
    '  r.two: prefix /store -> outbound|80||web.shop.svc.cluster.local',
  ],
);
for (const [root, own, kept] of [
  ['uri: { prefix: /shop }', 'uri: { prefix: /shop/a }', true],
  ['uri: { prefix: /shop/ }', 'uri: { prefix: /shop }', false],
  ['uri: { prefix: /shop }', 'uri: { exact: /shop/a }', true],
  ['uri: { exact: /shop }', 'uri: { exact: /shop }', true],
  ['uri: { exact: /shop }', 'uri: { prefix: /shop }', false],
  ['uri: { prefix: /shop }', 'uri: { regex: "/shop/.*" }', false],
  ['uri: { regex: "/shop/.*" }', 'method: { exact: GET }', true],
  ['uri: { prefix: /shop }, ignoreUriCase: true', 'method: { exact: GET }', false],
  ['headers: { x-a: { exact: a } }', 'headers: { x-a: { exact: b } }', false],
  ['headers: { x-a: { exact: a } }', 'headers: { x-b: { exact: b } }', true],
  ['headers: { x-a: {} }', 'headers: { x-a: { exact: b } }', false],
  ['port: 80', 'port: 80, method: { exact: GET }', true],
  ['port: 80, uri: { prefix: / }', 'port: 81', false],
] as const) {
  const { tables, diagnostics } = buildRoutes(
    ANY_HOST_GATEWAY +
      ROOT(`- { match: [{ ${root} }], ${NAMED_DELEGATE} }`) +
      delegate(`- { match: [{ ${own} }], directResponse: { status: 200 } }`),
  );
  const routes = tables.flatMap((table) => table.virtual_hosts.flatMap((host) => host.routes ?? []));
  t.equal(routes.length, kept ? 1 : 0, `delegate { ${own} } below { ${root} }`);
  t.equal(
    diagnostics.some(({ code }) => code === 'PST0303'),
    !kept,
    'and the conflict is reported',
  );
}

t.test('what a delegate takes from the root', async (t) => {
  const { tables } = buildRoutes(
    ANY_HOST_GATEWAY +
      ROOT(
        `- { match: [{ uri: { prefix: / } }], timeout: 2s, rewrite: { uri: /root }, mirror: { host: shadow }, headers: { request: { set: { x: root } } }, ${NAMED_DELEGATE} }`,
      ) +
      delegate('- { timeout: 3s, route: [{ destination: { host: web } }] }'),
  );
  t.match(tables[0]?.virtual_hosts[0]?.routes?.[0], {
    route: {
      timeout: '3s',
      prefix_rewrite: '/root',
      request_mirror_policies: [{ cluster: 'outbound|80||shadow.edge.svc.cluster.local' }],
    },
    request_headers_to_add: [{ header: { key: 'x', value: 'root' } }],
  });
});

t.test('routes and virtual hosts know where they were written', async (t) => {
  const yaml =
    ANY_HOST_GATEWAY +
    virtualServiceYaml(
      'a',
      `hosts: [a.test]\nhttp:\n${reply(201, '{ uri: { prefix: /a } }, { uri: { prefix: /b } }')}`,
    );
  const { tables, origins } = buildRoutes(yaml);
  const host = tables[0]?.virtual_hosts[0];
  const lines = yaml.split('\n');
  const text = (id: number | undefined): string => {
    const origin = origins.get(id);
    return lines[(origin?.line ?? 0) - 1]?.slice((origin?.column ?? 1) - 1) ?? '';
  };
  t.match(text(host?.originId), /^hosts: \[a\.test\]/);
  t.match(text(host?.routes?.[1]?.originId), /^\{ uri: \{ prefix: \/b/);
  t.equal(origins.get(host?.routes?.[1]?.originId)?.resource, 'VirtualService/apps/a');
});
