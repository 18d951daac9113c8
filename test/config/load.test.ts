// Loading through its one door: texts in, resources, diagnostics and counts out.
import t from 'tap';
import { type LoadOptions, type LoadResult, loadConfig, type Source } from '../../src/config/load.js';
import type { Kind } from '../../src/config/model/resource.js';

interface WantedDiagnostic {
  readonly code: string;
  /** 'line:column'. */
  readonly at?: string;
  /** Part of the message. */
  readonly says?: string;
  readonly label?: string;
  readonly refusedBy?: string;
  readonly resource?: string;
}

interface Wanted {
  /** Exactly these, in this order. Default: none. */
  readonly diagnostics?: readonly WantedDiagnostic[];
  /** 'Kind/namespace/name' of everything in the store, in any order. */
  readonly objects?: readonly string[];
  readonly options?: LoadOptions;
}

function check(name: string, input: string | readonly Source[], want: Wanted): LoadResult {
  const sources = typeof input === 'string' ? [{ file: 'a.yaml', text: input, named: true }] : input;
  const result = loadConfig(sources, want.options);
  const wanted = want.diagnostics ?? [];
  t.test(name, async (t) => {
    t.same(
      result.diagnostics.map((diagnostic) => diagnostic.code),
      wanted.map((diagnostic) => diagnostic.code),
      result.diagnostics.map((diagnostic) => diagnostic.message).join('\n') || 'no diagnostics',
    );
    for (const [index, { code, at, says, label, refusedBy, resource }] of wanted.entries()) {
      const got = result.diagnostics[index];
      if (at !== undefined) t.equal(`${got?.origin?.line}:${got?.origin?.column}`, at, got?.message ?? code);
      if (says !== undefined) t.match(got?.message ?? '', says);
      if (label !== undefined) t.equal(got?.label, label);
      if (refusedBy !== undefined) t.equal(got?.refusedBy, refusedBy);
      if (resource !== undefined) t.equal(got?.origin?.resource, resource);
    }
    if (want.objects !== undefined) t.same(objectsOf(result), [...want.objects].sort());
  });
  return result;
}

const KINDS: readonly Kind[] = [
  'Gateway',
  'VirtualService',
  'DestinationRule',
  'ServiceEntry',
  'WorkloadEntry',
  'PeerAuthentication',
  'Service',
  'Pod',
  'EndpointSlice',
  'Endpoints',
  'Secret',
  'ConfigMap',
  'Namespace',
];

function objectsOf({ store }: LoadResult): readonly string[] {
  return KINDS.flatMap((kind) =>
    store.all(kind).map(({ metadata }) => `${kind}/${metadata.namespace}/${metadata.name}`),
  ).sort();
}

const istio = (kind: string, spec: string, metadata = '{name: x}'): string =>
  `apiVersion: networking.istio.io/v1\nkind: ${kind}\nmetadata: ${metadata}\nspec:\n${spec.replace(/^(?=.)/gm, '  ')}\n`;

const GATEWAY = istio('Gateway', 'servers:\n- port: {number: 80, name: http, protocol: HTTP}\n  hosts: ["*"]');
const ROUTE = 'route: [{destination: {host: web}}]';

// --- documents -------------------------------------------------------------------------------------------------------

check(
  'several documents, empty ones and comments',
  `# nothing\n---\n${GATEWAY}---\n\n---\n${istio('Gateway', 'servers: []', '{name: z}')}`,
  {
    diagnostics: [{ code: 'IST0106', says: 'gateway must have at least one server', refusedBy: 'webhook' }],
    objects: ['Gateway/default/x'],
  },
);

check(
  'a broken document leaves its neighbours alone',
  `${GATEWAY}---\na: "b\n---\n${GATEWAY.replace('name: x', 'name: z')}`,
  {
    diagnostics: [{ code: 'PST0101', at: '9:5', says: 'Missing closing' }],
    objects: ['Gateway/default/x', 'Gateway/default/z'],
  },
);

check('a tab indents nothing', 'a:\n\tb: 1\n', { diagnostics: [{ code: 'PST0101', says: 'tab' }] });

check(
  'byte order mark and CRLF',
  `\uFEFF${GATEWAY.replaceAll('\n', '\r\n')}---\r\n${istio('Gateway', 'foo: 1', '{name: z}').replaceAll('\n', '\r\n')}`,
  {
    diagnostics: [{ code: 'PST0110', at: '13:3', says: 'unknown field "spec.foo"' }],
    objects: ['Gateway/default/x'],
  },
);

check(
  'JSON',
  JSON.stringify(
    { apiVersion: 'v1', kind: 'Service', metadata: { name: 's' }, spec: { ports: [{ port: 80 }] } },
    null,
    '\t',
  ),
  {
    objects: ['Service/default/s'],
  },
);

check(
  'anchors and merge keys',
  istio(
    'Gateway',
    'servers:\n- &one\n  port: {number: 80, name: http, protocol: HTTP}\n  hosts: [a.test]\n- <<: *one\n  port: {number: 81, name: b, protocol: HTTP}',
  ),
  {
    objects: ['Gateway/default/x'],
  },
);

check(
  'the last of two equal keys counts, aloud',
  istio('VirtualService', `hosts: [a]\nhosts: [b]\nhttp: [{${ROUTE}}]`),
  {
    diagnostics: [{ code: 'PST0102', at: '6:3', says: '(line 5)' }],
    objects: ['VirtualService/default/x'],
  },
);

check(
  'an alias bomb ends early',
  `a: &a [${'x,'.repeat(20)}]\n${'bcdefgh'.replace(/./g, (letter) => `${letter}: &${letter} [${`*${String.fromCharCode(letter.charCodeAt(0) - 1)},`.repeat(20)}]\n`)}`,
  {
    diagnostics: [{ code: 'PST0101', says: 'excessive aliasing' }],
  },
);

for (const [name, text] of [
  ['brackets', '['.repeat(100_000)],
  ['lists', `${'- '.repeat(20_000)}x`],
  ['maps', Array.from({ length: 3000 }, (_, depth) => `${' '.repeat(depth)}a:`).join('\n')],
  ['an anchor inside itself', 'a: &x [*x]'],
  ['an unknown anchor', 'a: *x'],
  ['a list as a key', '? [a]\n: b'],
] as const) {
  check(`${name}: an error, not an exception`, text, { diagnostics: [{ code: 'PST0101' }] });
}

// --- objects ---------------------------------------------------------------------------------------------------------

check(
  'lists of objects',
  [
    {
      file: 'l.yaml',
      named: true,
      text: `apiVersion: v1\nkind: List\nitems:\n- ${GATEWAY.replaceAll('\n', '\n  ')}\n- apiVersion: v1\n  kind: Namespace\n  metadata: {name: shop}\n`,
    },
    {
      file: 'g.yaml',
      named: true,
      text: `apiVersion: networking.istio.io/v1\nkind: GatewayList\nitems:\n- metadata: {name: z}\n  spec: {servers: [{port: {number: 80, name: http, protocol: HTTP}, hosts: ["*"]}]}\n`,
    },
  ],
  { objects: ['Gateway/default/x', 'Gateway/default/z', 'Namespace//shop'] },
);

check(
  '-n names the namespace of objects that have none',
  `${GATEWAY}---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: c, namespace: own}\n`,
  {
    options: { namespace: 'shop' },
    objects: ['Gateway/shop/x', 'ConfigMap/own/c'],
  },
);

check(
  'the same object twice: the later one counts, in any version of its group',
  [
    { file: 'a.yaml', named: true, text: GATEWAY },
    { file: 'b.yaml', named: true, text: GATEWAY.replace('/v1', '/v1beta1').replace('80', '81') },
  ],
  {
    diagnostics: [
      {
        code: 'PST0107',
        at: '3:18',
        says: 'Gateway/default/x is already defined at a.yaml:1',
        resource: 'Gateway/default/x',
      },
    ],
    objects: ['Gateway/default/x'],
  },
);

const mixed =
  'foo: bar\n---\ncontract: v1\ntests: []\n---\nkind: DaemonSet\nimage: x\n---\napiVersion: apps/v1\nkind: Deployment\nmetadata: {name: d}\n';
const folder = check(
  'in a folder, what is no configuration is counted',
  [{ file: 'd/a.yaml', text: mixed, named: false }],
  { objects: [] },
);
check('named, it is an error', [{ file: 'a.yaml', text: mixed, named: true }], {
  diagnostics: [{ code: 'PST0103', says: 'apiVersion not set' }, { code: 'PST0104' }, { code: 'PST0103' }],
});
check(
  'one of our kinds without apiVersion is an error in a folder too',
  [{ file: 'd/a.yaml', text: 'kind: Gateway\nmetadata: {name: x}', named: false }],
  {
    diagnostics: [{ code: 'PST0103', says: 'apiVersion not set' }],
  },
);
t.same(folder.counts, {
  documents: 4,
  loaded: 0,
  loadedByKind: {},
  skipped: { noKind: 2, contract: 1, otherKinds: 1, otherByKind: { Deployment: 1 } },
});

check(
  'kinds that matter and are not emulated are warned about',
  [
    'security.istio.io/v1 AuthorizationPolicy',
    'networking.istio.io/v1beta1 ProxyConfig',
    'extensions.istio.io/v1alpha1 WasmPlugin',
    'gateway.networking.k8s.io/v1 Gateway',
    'gateway.networking.k8s.io/v1 HTTPRoute',
    'networking.k8s.io/v1 Ingress',
  ]
    .map((both) => both.replace(/(.*) (.*)/, 'apiVersion: $1\nkind: $2\nmetadata: {name: x}\n'))
    .join('---\n'),
  {
    diagnostics: Array.from({ length: 6 }, () => ({ code: 'PST0106', says: 'is not emulated' })),
    objects: [],
  },
);

check(
  'kinds and versions that Istio does not have',
  'apiVersion: networking.istio.io/v2\nkind: Gateway\nmetadata: {name: x}\n---\napiVersion: networking.istio.io/v1\nkind: VirtualServce\nmetadata: {name: x}\n',
  {
    diagnostics: [
      {
        code: 'PST0105',
        at: '1:13',
        says: 'no matches for kind "Gateway" in version "networking.istio.io/v2"',
        refusedBy: 'kind',
      },
      { code: 'PST0105', at: '6:7', says: 'no matches for kind "VirtualServce"', refusedBy: 'kind' },
    ],
  },
);

check('a name is needed', istio('VirtualService', `http: [{${ROUTE}}]`, '{namespace: a}'), {
  diagnostics: [{ code: 'PST0108' }],
  objects: [],
});
check('a name that YAML takes for a boolean', istio('VirtualService', `http: [{${ROUTE}}]`, '{name: n}'), {
  diagnostics: [{ code: 'PST0109', resource: 'VirtualService/default/n' }],
  objects: ['VirtualService/default/n'],
});

// --- structure -------------------------------------------------------------------------------------------------------

check(
  'everything wrong with an object at once, each at the smallest place',
  istio(
    'Gateway',
    `selector: {istio: true}
servers:
- port: {number: "443", name: https, protocol: HTTPS}
  hosts: [a.example.com]
  tls: {mode: simple, credentialName: c, minProtocolVersion: 1}
- hosts: []
- port: {number: 70000, name: http, protocol: HTTP}
  hosts: a.test
- null`,
  ),
  {
    diagnostics: [
      { code: 'PST0111', at: '5:21', says: 'spec.selector.istio: Invalid value: "boolean"', refusedBy: 'schema' },
      {
        code: 'PST0111',
        at: '7:20',
        says: 'spec.servers[0].port.number in body must be of type integer: "string"',
        label: 'expected integer',
      },
      {
        code: 'PST0113',
        at: '9:17',
        says: 'spec.servers[0].tls.mode: Unsupported value: "simple": supported values: "PASSTHROUGH", "SIMPLE"',
        label: 'did you mean SIMPLE?',
      },
      { code: 'PST0111', at: '9:64' },
      { code: 'PST0113', at: '9:64', says: 'Unsupported value: 1:' },
      { code: 'PST0112', at: '10:5', says: 'spec.servers[1].port: Required value' },
      { code: 'PST0111', at: '12:12', says: 'must be of type array: "string"' },
      { code: 'PST0111', at: '13:5', says: 'must be of type object: "null"' },
      { code: 'PST1202', at: '2:7', says: 'some validation rules were not checked', refusedBy: 'schema' },
    ],
    objects: [],
  },
);

check(
  'unknown fields are named in one text, metadata first, and hide everything else',
  istio(
    'Gateway',
    `servers:
- port: {number: "443", name: https, protocol: HTTPS, target_port: 1}
  hosts: []
  tls: {mode: simple, credentialname: c}`,
    '{name: x, uids: a}',
  ),
  {
    diagnostics: [
      {
        code: 'PST0110',
        at: '3:21',
        says: 'strict decoding error: unknown field "metadata.uids", unknown field "spec.servers[0].port.target_port", unknown field "spec.servers[0].tls.credentialname"',
        label: 'did you mean uid? (3 unknown fields)',
        refusedBy: 'strict',
      },
    ],
    objects: [],
  },
);

const http = (fields: string): string => istio('VirtualService', `hosts: [a.test]\nhttp:\n- ${ROUTE}\n  ${fields}`);
const NOT_CHECKED = 'PST1202';
const rows: readonly (readonly [string, string, string, ...string[]])[] = [
  ['timeout: 0s', 'PST0122', 'Invalid value: "0s": must be a valid duration greater than 1ms'],
  ['timeout: "5"', 'PST0121', "type conversion error from 'string' to 'google.protobuf.Duration'"],
  ['timeout: 5', 'PST0111', 'must be of type string: "integer"', NOT_CHECKED],
  ['timeout: 1d', 'PST0121', 'spec.http[0].timeout'],
  ['retries: {attempts: 1.5}', 'PST0116', 'must be of type integer: "number"', 'PST0117', NOT_CHECKED],
  ['retries: {attempts: 3000000000}', 'PST0117', 'format int32'],
  ['mirrorPercent: -1', 'PST0114', 'greater than or equal to 0'],
  ['directResponse: {status: 4294967296}', 'PST0115', 'less than or equal to 4294967295'],
  ['directResponse: {body: {string: a}}', 'PST0112', 'spec.http[0].directResponse.status: Required value', NOT_CHECKED],
  ['redirect: {port: 1, derivePort: FROM_REQUEST_PORT}', 'PST0120', 'Found 2 valid alternatives'],
  ['match: [{uri: {exact: a, prefix: b, regex: c}}]', 'PST0120', 'Found 3 valid alternatives'],
  ['match: [{headers: {x-1: {exact: on}}}]', 'PST0111', 'spec.http[0].match[0].headers.x-1.exact', NOT_CHECKED],
  ['mirror: {host: m, port: {}}', 'IST0106', 'port number 0 must be in the range 1..65535'],
  ['direct_response: {status: 200}', 'PST0110', 'unknown field "spec.http[0].direct_response"'],
];
for (const [field, code, says, ...more] of rows) {
  check(field, http(field), { diagnostics: [{ code, says }, ...more.map((one) => ({ code: one }))], objects: [] });
}

const accepted = check(
  'zeros, nulls and presence',
  istio(
    'VirtualService',
    'hosts: [a.test]\nhttp:\n- match: [{port: 0, headers: {x-a: null, x-b: {}, x-c: {exact: ""}}}]\n  timeout: null\n  name: ""\n  redirect: {port: 0, uri: ""}\n  retries: {}',
  ),
  {
    objects: ['VirtualService/default/x'],
  },
);
t.test('what became of them', async (t) => {
  const route = accepted.store.get('VirtualService', 'default', 'x')?.spec.http[0];
  t.same(route?.match[0]?.headers, { 'x-b': {}, 'x-c': { exact: '' } }, 'a null condition is gone');
  t.equal(route?.match[0]?.port, undefined, 'proto3: 0 is not written');
  t.equal(route?.name, undefined);
  t.equal(route?.timeout, undefined);
  t.same(route?.redirect, { port: 0 }, 'a member of a oneof keeps its zero');
  t.same(route?.retries, { attempts: 0 });
});

check('lists have limits', istio('ServiceEntry', 'hosts: []\nports: [{number: 80, name: http}]'), {
  diagnostics: [{ code: 'PST0118', says: 'spec.hosts in body should have at least 1 items' }],
});

check(
  'fields that are not emulated are warned about, others that do nothing are not',
  `${istio('DestinationRule', 'host: a\ntrafficPolicy: {loadBalancer: {backendUtilization: {a: b}}}')}---\n${istio('ServiceEntry', 'hosts: [a.test]\naddresses: [10.0.0.1]', '{name: z, uid: u}')}`,
  {
    diagnostics: [
      { code: 'PST0130', at: '6:34', says: 'spec.trafficPolicy.loadBalancer.backendUtilization is not emulated' },
    ],
    objects: ['ServiceEntry/default/z', 'DestinationRule/default/x'],
  },
);

check(
  'rules that join fields',
  `${istio('ServiceEntry', 'hosts: [a.test]\nresolution: DNS\naddresses: [10.0.0.0/8]\nendpoints: []\nworkloadSelector: {labels: {a: "*"}}\nports:\n- {number: 80, name: a, targetPort: 0}\n- {number: 80, name: a}')}---\n${istio('WorkloadEntry', 'address: unix://x/\nports: {a: 0}')}`,
  {
    diagnostics: [
      { code: 'PST0133', says: 'spec: Invalid value: only one of WorkloadSelector or Endpoints can be set' },
      {
        code: 'PST0133',
        says: 'spec: Invalid value: CIDR addresses are allowed only for NONE/STATIC resolution types',
      },
      {
        code: 'PST0133',
        at: '9:34',
        says: 'spec.workloadSelector.labels[a]: Invalid value: "*": wildcard is not supported',
      },
      { code: 'PST0133', at: '11:3', says: 'spec.ports: Invalid value: port number cannot be duplicated' },
      {
        code: 'PST0133',
        at: '11:39',
        says: 'spec.ports[0].targetPort: Invalid value: 0: port must be between 1-65535',
      },
      { code: 'PST0134', at: '12:24', says: 'spec.ports[1]: Duplicate value: {"name":"a"}' },
      { code: 'PST0133', says: 'spec: Invalid value: UDS may not include ports' },
      {
        code: 'PST0133',
        says: 'spec.address: Invalid value: "unix://x/": UDS must be an absolute path or abstract socket',
      },
      { code: 'PST0133', says: 'spec.address: Invalid value: "unix://x/": UDS may not be a dir' },
      { code: 'PST0133', says: 'spec.ports[a]: Invalid value: 0: port must be between 1-65535' },
    ],
    objects: [],
  },
);

check(
  'a field that is not emulated is no news while it asks for nothing',
  `apiVersion: v1\nkind: Service\nmetadata: {name: x}\nspec: {internalTrafficPolicy: Cluster, ports: [{port: 80}]}\n---\n${istio('WorkloadEntry', 'address: 1.2.3.4\nnetwork: ""')}---\n${istio('DestinationRule', 'host: a\ntrafficPolicy: {loadBalancer: {zoneAwareLbSetting: {}}}')}`,
  {
    options: {
      meshConfig: { file: 'm', named: true, text: 'enableTracing: true\ndefaultProviders: {metrics: [prometheus]}' },
    },
    objects: ['Service/default/x', 'WorkloadEntry/default/x', 'DestinationRule/default/x'],
  },
);

const workload = (kind: string, metadata: string): string =>
  `apiVersion: apps/v1\nkind: ${kind}\nmetadata: {name: gw}\nspec:\n  template:\n    metadata: {${metadata}}\n---\n`;

check(
  "ProxyConfig in an annotation of the gateway's pods is said not to be read; a sidecar's is nobody's business",
  workload('Deployment', 'annotations: {inject.istio.io/templates: gateway, proxy.istio.io/config: "{}"}') +
    workload('DaemonSet', 'labels: {istio: edge}, annotations: {proxy.istio.io/config: "{}"}') +
    workload('Deployment', 'labels: {app: web}, annotations: {proxy.istio.io/config: "{}"}') +
    workload('Deployment', 'labels: {istio: edge}') +
    'apiVersion: v1\nkind: Pod\nmetadata: {name: p, labels: {istio: edge}, annotations: {proxy.istio.io/config: "{}"}}\n',
  {
    diagnostics: [
      { code: 'PST0135', at: '6:66', resource: 'Deployment/default/gw' },
      { code: 'PST0135', at: '13:53', resource: 'DaemonSet/default/gw' },
      { code: 'PST0135', at: '31:58', resource: 'Pod/default/p' },
    ],
    objects: ['Pod/default/p'],
  },
);

// --- kinds -----------------------------------------------------------------------------------------------------------

t.test('positions of fields', async (t) => {
  const { store } = loadConfig([{ file: 'g.yaml', text: GATEWAY, named: true }]);
  const gateway = store.get('Gateway', 'default', 'x');
  t.same(gateway?.at(['spec', 'servers', 0, 'port', 'number']), {
    file: 'g.yaml',
    line: 6,
    column: 20,
    endLine: 6,
    endColumn: 22,
    resource: 'Gateway/default/x',
  });
  const lineColumn = (path: readonly (string | number)[]): string => {
    const origin = gateway?.at(path);
    return `${origin?.line}:${origin?.column}`;
  };
  t.equal(lineColumn(['spec', 'servers', 0, 'port']), '6:5', 'a map is shown by its key');
  t.equal(lineColumn(['spec', 'servers', 0, 'hosts', 0]), '7:13');
  t.equal(lineColumn(['spec', 'servers', 0, 'tls', 'mode']), '6:5', 'an absent field is shown by what is around it');
  t.equal(gateway?.origin.line, 1);
});

t.test('TLS settings of servers', async (t) => {
  const tls = (settings: string): unknown => {
    const yaml = istio(
      'Gateway',
      `servers: [{port: {number: 443, name: s, protocol: HTTPS}, hosts: [a.test], tls: ${settings}}]`,
    );
    const { store, diagnostics } = loadConfig([{ file: 'g.yaml', text: yaml, named: true }]);
    t.same(
      diagnostics.filter(({ severity }) => severity === 'error'),
      [],
    );
    return store.get('Gateway', 'default', 'x')?.spec.servers[0]?.tls;
  };
  const lists = {
    subjectAltNames: [],
    verifyCertificateSpki: [],
    verifyCertificateHash: [],
    cipherSuites: [],
    ecdhCurves: [],
  };
  const base = { httpsRedirect: false, insecureSkipVerify: false, ...lists };
  t.same(tls('{}'), { mode: 'PASSTHROUGH', httpsRedirect: false }, 'the forgotten mode is PASSTHROUGH');
  t.same(tls('{credentialName: c}'), { mode: 'PASSTHROUGH', httpsRedirect: false });
  t.same(tls('{mode: SIMPLE, credentialName: c, serverCertificate: /c, minProtocolVersion: TLSV1_3}'), {
    ...base,
    mode: 'SIMPLE',
    minProtocolVersion: 'TLSV1_3',
    certificates: { kind: 'credential', names: ['c'] },
  });
  t.same(tls('{mode: MUTUAL, credentialNames: [a, b], caCertCredentialName: ca, insecureSkipVerify: true}'), {
    ...base,
    insecureSkipVerify: true,
    mode: 'MUTUAL',
    certificates: { kind: 'credential', names: ['a', 'b'], caCertCredentialName: 'ca' },
  });
  t.same(tls('{mode: OPTIONAL_MUTUAL, serverCertificate: /c, privateKey: /k, caCertificates: /ca, caCrl: /crl}'), {
    ...base,
    mode: 'OPTIONAL_MUTUAL',
    certificates: {
      kind: 'files',
      pairs: [{ serverCertificate: '/c', privateKey: '/k' }],
      caCertificates: '/ca',
      caCrl: '/crl',
    },
  });
  t.same(tls('{mode: ISTIO_MUTUAL, caCrl: /crl}'), {
    ...base,
    mode: 'ISTIO_MUTUAL',
    certificates: { kind: 'workload', caCrl: '/crl' },
  });
});

t.test('a whole VirtualService', async (t) => {
  const yaml = istio(
    'VirtualService',
    `hosts: [a.test]
gateways: []
exportTo: ["."]
http:
- name: r
  route:
  - destination: {host: web, subset: v1, port: {number: 8080}}
    weight: 90
    headers: {request: {set: {b: "2", a: "1"}, remove: [c]}}
  timeout: 1m30.5s
  fault: {delay: {fixedDelay: 100ms, percentage: {value: 0.5}}, abort: {httpStatus: 503}}
  corsPolicy: {allowOrigins: [{exact: x}], maxAge: 24h, allowCredentials: false}
tls:
- match: [{sniHosts: [a.test], port: 443}]
  route: [{destination: {host: web}}]`,
  );
  const { store, diagnostics } = loadConfig([{ file: 'v.yaml', text: yaml, named: true }]);
  t.same(diagnostics, []);
  t.same(store.get('VirtualService', 'default', 'x')?.spec, {
    hosts: ['a.test'],
    exportTo: ['.'],
    http: [
      {
        name: 'r',
        match: [],
        route: [
          {
            destination: { host: 'web', subset: 'v1', port: { number: 8080 } },
            weight: 90,
            headers: {
              request: {
                set: [
                  ['b', '2'],
                  ['a', '1'],
                ],
                add: [],
                remove: ['c'],
              },
            },
          },
        ],
        mirrors: [],
        timeout: 90_500,
        fault: { delay: { fixedDelay: 100, percentage: { value: 0.5 } }, abort: { httpStatus: 503 } },
        corsPolicy: {
          allowOrigin: [],
          allowOrigins: [{ exact: 'x' }],
          allowMethods: [],
          allowHeaders: [],
          exposeHeaders: [],
          maxAge: 86_400_000,
          allowCredentials: false,
        },
      },
    ],
    tls: [
      {
        match: [{ sniHosts: ['a.test'], port: 443, destinationSubnets: [], sourceLabels: {}, gateways: [] }],
        route: [{ destination: { host: 'web' }, weight: 0 }],
      },
    ],
    tcp: [],
  });
});

t.test('kinds of Kubernetes', async (t) => {
  const yaml = `apiVersion: v1
kind: Secret
metadata: {name: s}
type: Opaque
data: {a: aGk=, b: "/w==\\n"}
stringData: {a: ü, __proto__: p}
---
apiVersion: v1
kind: Pod
metadata: {name: p, labels: {app: web}, deletionTimestamp: "2026-01-02T03:04:05Z", creationTimestamp: 2026-01-01T00:00:00Z}
spec:
  serviceAccountName: sa
  containers: [{name: c, image: x, ports: [{containerPort: 8080, name: http}]}]
status: {podIP: 10.0.0.1, phase: Running, conditions: [{type: Ready, status: "False"}], podIPs: [{ip: 10.0.0.1}]}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: e}
addressType: IPv4
endpoints: [{addresses: [10.0.0.1], conditions: {ready: false}, targetRef: {kind: Pod, name: p}}]
ports: [{name: http, port: 8080}]
---
apiVersion: v1
kind: Service
metadata: {name: w}
spec: {selector: {app: web}, ports: [{port: 80, targetPort: http}], clusterIP: None}
---
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: {name: a}
spec: {selector: {matchLabels: {app: web}}, mtls: {mode: STRICT}, portLevelMtls: {8080: {mode: DISABLE}}}
`;
  const { store, diagnostics } = loadConfig([{ file: 'k.yaml', text: yaml, named: true }]);
  t.same(diagnostics, []);
  const data = store.get('Secret', 'default', 's')?.spec.data ?? {};
  t.same(
    Object.entries(data).sort(),
    [
      ['__proto__', 'p'],
      ['a', '\u00c3\u00bc'],
      ['b', '\u00ff'],
    ],
    'stringData lies over data; one character per byte',
  );
  const pod = store.get('Pod', 'default', 'p');
  t.equal(pod?.metadata.creationTimestamp, Date.UTC(2026, 0, 1));
  t.same(pod?.spec, {
    podIP: '10.0.0.1',
    podIPs: ['10.0.0.1'],
    phase: 'Running',
    ready: false,
    deletionTimestamp: '2026-01-02T03:04:05.000Z',
    serviceAccountName: 'sa',
    hostNetwork: false,
    containerPorts: [{ name: 'http', containerPort: 8080 }],
  });
  t.same(store.get('EndpointSlice', 'default', 'e')?.spec, {
    addressType: 'IPv4',
    endpoints: [{ addresses: ['10.0.0.1'], ready: false, targetRef: { kind: 'Pod', name: 'p' } }],
    ports: [{ name: 'http', port: 8080 }],
  });
  t.same(store.get('Service', 'default', 'w')?.spec, {
    clusterIP: 'None',
    clusterIPs: [],
    externalIPs: [],
    selector: { app: 'web' },
    publishNotReadyAddresses: false,
    ports: [{ port: 80, targetPort: 'http', protocol: 'TCP' }],
  });
  t.same(store.get('PeerAuthentication', 'default', 'a')?.spec, {
    selector: { app: 'web' },
    mtls: 'STRICT',
    portLevelMtls: { 8080: 'DISABLE' },
  });
});

// --- MeshConfig ------------------------------------------------------------------------------------------------------

const configMap = (mesh: string): string =>
  `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: istio, namespace: istio-system}\ndata:\n  mesh: |\n${mesh.replace(/^(?=.)/gm, '    ')}\n`;

const layered = check(
  'MeshConfig: ConfigMap, then file, then settings; defaultConfig field by field',
  configMap(
    'connectTimeout: 3s\nrootNamespace: a\ndefaultConfig: {proxyMetadata: {A: "1"}, gatewayTopology: {numTrustedProxies: 2}}',
  ),
  {
    diagnostics: [{ code: 'PST0130' }, { code: 'PST0130', says: 'defaultConfig.proxyMetadata is not emulated' }],
    options: {
      meshConfig: {
        file: 'mesh.yaml',
        named: true,
        text: 'root_namespace: b\ndefaultConfig:\n  proxyMetadata: {B: "2"}\n  concurrency: 2\n  gatewayTopology: {num_trusted_proxies: "3"}\n',
      },
      mesh: { trustDomain: 'td' },
    },
  },
);
t.same(layered.store.mesh, {
  connectTimeout: 3000,
  rootNamespace: 'b',
  trustDomain: 'td',
  defaultConfig: { proxyMetadata: { A: '1', B: '2' }, gatewayTopology: { numTrustedProxies: 3 } },
});

check(
  'mistakes inside the ConfigMap are shown where they are written',
  configMap('connectTimeout: 3s\n\naccessLogEncoding: XML\nrootnamespace: x'),
  {
    diagnostics: [
      { code: 'PST0113', at: '8:24', resource: 'ConfigMap/istio-system/istio' },
      {
        code: 'PST0131',
        at: '9:5',
        says: 'MeshConfig has no field "rootnamespace"',
        label: 'did you mean rootNamespace?',
      },
    ],
  },
);

const edge = check('connectionSettings are typed, and what has no effect is said', '', {
  options: {
    meshConfig: {
      file: 'mesh.yaml',
      named: true,
      text: 'defaultConfig:\n  connectionSettings:\n    profile: EDGE\n    httpIdleTimeout: 30s\n    httpMaxConcurrentStreams: "7"\n    http2InitialStreamWindowSize: -1\n    httpHeadersWithUnderscoresAction: HEADERS_WITH_UNDERSCORES_DROP_HEADER\n    httpPathWithEscapedSlashesAction: PATH_WITH_ESCAPED_SLASHES_UNSPECIFIED\n    httpRequestHeadersTimeout: 5s\n    httpDrainTimeout: 5s\n    httpMergeSlash: true\n    httpRequestTimeout: soon\n',
    },
  },
  diagnostics: [
    { code: 'PST0130', at: '10:5', says: 'defaultConfig.connectionSettings.httpDrainTimeout is not emulated' },
    { code: 'PST0131', at: '11:5', label: 'did you mean httpMergeSlashes?' },
    { code: 'PST0121', at: '12:25' },
  ],
});
t.same(edge.store.mesh.defaultConfig?.connectionSettings, {
  profile: 'EDGE',
  httpIdleTimeout: 30_000,
  httpMaxConcurrentStreams: 7,
  httpHeadersWithUnderscoresAction: 'DROP_HEADER',
  httpRequestHeadersTimeout: 5000,
});

check('mesh configuration that is none', configMap('just words'), { diagnostics: [{ code: 'PST0132', at: '6:5' }] });
