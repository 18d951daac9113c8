// What translation says of VirtualServices without effect, and which route tables Envoy refuses. Spec virtualservice.md
// §17.4, §20.
import t from 'tap';
import { acceptedRouteTables, refusedRouteTables } from '../../../src/translate/routes/acceptance.js';
import type { Route, RouteConfiguration } from '../../../src/xds/index.js';
import { ANY_HOST_GATEWAY, buildRoutes, gatewayYaml, virtualServiceYaml } from '../../support/route-tables.js';

/** Codes with the text at their place. */
function checkDiagnostics(title: string, yaml: string, want: readonly string[]): void {
  const lines = yaml.split('\n');
  const got = buildRoutes(yaml).diagnostics.map(({ code, origin }) => {
    const line = lines[(origin?.line ?? 1) - 1]?.slice((origin?.column ?? 1) - 1) ?? '';
    return `${code} ${line.slice(0, 24).trim()}`;
  });
  t.same(got, want, title);
}

const REPLY = 'directResponse: { status: 200 }';
const TO_WEB = 'route: [{ destination: { host: web } }]';
const vs = (spec: string): string => virtualServiceYaml('a', spec);
const http = (entry: string): string => vs(`hosts: [a.test]\nhttp:\n- ${entry}`);

checkDiagnostics('nothing to say', ANY_HOST_GATEWAY + http(`{ ${TO_WEB} }`), []);
checkDiagnostics(
  'a Gateway that is not there',
  ANY_HOST_GATEWAY + vs(`hosts: [a.test]\ngateways: [gw]\nhttp: [{ ${REPLY} }]`),
  ['PST0306 gw]', 'PST0315 { port: { number: 80, na'],
);
checkDiagnostics(
  'a host that no server has, beside one that is bound',
  gatewayYaml('- { port: { number: 80, name: http, protocol: HTTP }, hosts: [a.test, other/b.test] }') +
    vs(`hosts:\n- a.test\n- b.test\nhttp: [{ ${REPLY} }]`),
  ['PST0304 b.test'],
);
checkDiagnostics('not exported', ANY_HOST_GATEWAY + vs(`hosts: [a.test]\nexportTo: ["."]\nhttp: [{ ${REPLY} }]`), [
  'PST0305 exportTo: ["."]',
  'PST0315 { port: { number: 80, na',
]);
checkDiagnostics(
  'matches that fit no server, and fields that are not looked at',
  ANY_HOST_GATEWAY +
    http(
      `match:
  - port: 8080
  - sourceLabels: { app: ui }
  - sourceNamespace: apps
  - gateways: [other/gw]
  - gateways: [infra/gw]
    sourceLabels: { app: ui }
  ${REPLY}`,
    ),
  [
    'PST0308 sourceLabels: { app: ui',
    'PST0307 8080',
    'PST0307 sourceLabels: { app: ui',
    'PST0307 apps',
    'PST0307 gateways: [other/gw]',
  ],
);
checkDiagnostics(
  'faults that never fire',
  ANY_HOST_GATEWAY + http(`{ fault: { delay: { fixedDelay: 1s }, abort: { httpStatus: 500 } }, ${TO_WEB} }`),
  ['PST0311 delay: { fixedDelay: 1s', 'PST0311 abort: { httpStatus: 500'],
);
checkDiagnostics(
  'mirrorPercentage beside mirrors, policies beside a reply, claims',
  ANY_HOST_GATEWAY +
    http(`match: [{ uri: { exact: /a } }]
  mirrorPercentage: { value: 5 }
  mirrors: [{ destination: { host: shadow } }]
  ${TO_WEB}
- match: [{ headers: { "@request.auth.claims.sub": { exact: me } } }]
  timeout: 1s
  ${REPLY}`),
  ['PST0310 mirrorPercentage: { valu', 'PST0312 1s', 'PST0309 "@request.auth.claims.su'],
);
checkDiagnostics(
  'a section that no bound server reads (G16)',
  gatewayYaml('- { port: { number: 443, name: tls, protocol: TLS }, hosts: ["*"], tls: { mode: PASSTHROUGH } }') +
    http(`{ ${TO_WEB} }`),
  ['PST0317 http:'],
);
checkDiagnostics(
  'a redirect that no request meets',
  gatewayYaml(
    '- { port: { number: 80, name: http, protocol: HTTP }, hosts: [apps/a.test], tls: { httpsRedirect: true } }',
  ),
  ['PST0316 apps/a.test], tls: { htt'],
);
checkDiagnostics(
  'delegates',
  ANY_HOST_GATEWAY +
    http(
      '{ match: [{ uri: { prefix: /b } }], delegate: { name: nobody } }\n- { delegate: { name: hidden, namespace: b } }',
    ) +
    virtualServiceYaml('hidden', `gateways: null\nexportTo: ["."]\nhttp: [{ ${REPLY} }]`, 'b').replace(
      '  gateways: null\n',
      '',
    ),
  ['PST0301 delegate: { name: nobody', 'PST0302 delegate: { name: hidden', 'PST0315 { port: { number: 80, na'],
);
checkDiagnostics(
  'a rewrite of a group that is not there',
  ANY_HOST_GATEWAY + http(`{ rewrite: { uriRegexRewrite: { match: a, rewrite: "\\\\1" } }, ${TO_WEB} }`),
  ['PST0318 "\\\\1" } }, route: [{ des'],
);
checkDiagnostics(
  'a table that Envoy refuses, at the route',
  ANY_HOST_GATEWAY + http(`{ headers: { request: { set: { x-a: "%FOO%" } } }, ${TO_WEB} }`),
  ['PST0313 { headers: { request: {'],
);
checkDiagnostics(
  'a pattern near the limit',
  ANY_HOST_GATEWAY + http(`{ match: [{ uri: { regex: "${'[a-z]{1000}'.repeat(20)}" } }], ${TO_WEB} }`),
  ['PST0314 { uri: { regex: "[a-z]{1'],
);

function refusal(route: Partial<Route>): string | undefined {
  const table: RouteConfiguration = {
    name: 'http.80',
    validate_clusters: false,
    virtual_hosts: [
      {
        name: 'a:80',
        domains: ['a'],
        routes: [{ match: { prefix: '/' }, direct_response: { status: 200 }, ...route }],
      },
    ],
  };
  return refusedRouteTables([table])['http.80'];
}

const value = (text: string): Partial<Route> => ({ response_headers_to_add: [{ header: { key: 'x', value: text } }] });
for (const [text, want] of [
  ['plain', undefined],
  ['100%%', undefined],
  ['%REQ(x-a?:path)% %START_TIME(%s)% %UPSTREAM_CLUSTER%', undefined],
  ['%REQ(x):3%', undefined],
  ['%FOO%', 'Not supported field in StreamInfo: FOO'],
  ['a-%FOO(x)%', 'Not supported field in StreamInfo: FOO'],
  ['%REQ%', 'REQ requires parameters'],
  ['%PROTOCOL(x)%', 'PROTOCOL does not take any parameters'],
  ['%REQ(a?b?c)%', 'More than 1 alternative header specified in token: a?b?c'],
  ['%req(a)%', "Incorrect configuration: %req(a)%. Couldn't find valid command at position 0"],
  ['50%', "Incorrect configuration: 50%. Couldn't find valid command at position 2"],
] as const) {
  t.equal(refusal(value(text)), want, `header value ${text}`);
}

const EMBEDDED = 'embedded message failed validation | caused by';
const AT_ROUTE = `Proto constraint validation failed (RouteConfigurationValidationError.VirtualHosts[0]: ${EMBEDDED} VirtualHostValidationError.Routes[0]: ${EMBEDDED}`;
t.equal(
  refusedRouteTables(buildRoutes(ANY_HOST_GATEWAY + http('{ redirect: { uri: /n, redirectCode: 304 } }')).tables)[
    'http.8080'
  ],
  `${AT_ROUTE} field: "action", reason: is required)`,
  'a redirect with a status that Istio cannot express',
);
t.equal(
  refusal({ direct_response: { status: 600 } }),
  `${AT_ROUTE} RouteValidationError.DirectResponse: ${EMBEDDED} DirectResponseActionValidationError.Status: value must be inside range [200, 600))`,
);
t.equal(refusal({ match: { safe_regex: { regex: '(?=a)' } } }), 'invalid perl operator: (?=', 'in the words of RE2');
t.equal(
  refusal({ match: { prefix: '/', headers: [{ name: 'x', string_match: { safe_regex: { regex: 'a**' } } }] } }),
  'bad repetition operator: **',
);
t.match(
  refusal({ match: { safe_regex: { regex: '[a-z]{1000}'.repeat(40) } } }),
  /RE2 program size of \d+ > max program size of 32768/,
);

t.test('tables that a refused listener would ask for are not accepted', async (t) => {
  const { tables } = buildRoutes(ANY_HOST_GATEWAY + http(`{ ${REPLY} }`));
  const snapshot = {
    listeners: [{ name: '0.0.0.0_8080', state: 'error' as const, error: 'no' }],
    routes: tables,
    clusters: [],
    endpoints: {},
    secrets: {},
    accessLog: {},
    node: { ipAddress: '127.0.0.2' },
  };
  t.equal(tables.length, 1);
  t.same(acceptedRouteTables(snapshot), []);
});
