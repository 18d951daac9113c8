// Listeners and their chains: who gets one, in what order, with which match and which TCP proxy; and what Envoy refuses.
// Spec gateway.md §3.5, §4.4-4.6, §6.1, §10, §11, §12.
import t from 'tap';
import type { MeshConfig } from '../../src/config/model/mesh-config.js';
import { rejectionOf } from '../../src/translate/acceptance.js';
import {
  filterChainLabel,
  listenerAddress,
  listenerName,
  outboundClusterName,
  parseClusterName,
  sniDnatClusterName,
} from '../../src/translate/names.js';
import { publishSnapshot } from '../../src/translate/published.js';
import type { FilterChain, HttpConnectionManager, Listener, TcpProxy } from '../../src/xds/index.js';
import { gatewayYaml, type TranslationOptions, translateYaml } from '../support/translation.js';

interface Outcome {
  /** 'LISTENER[ +inspector][ +proxy]' or 'LISTENER error: TEXT'. */
  readonly listeners?: readonly string[];
  /** Of all listeners, in order: 'LABEL -> where it goes'. */
  readonly chains?: readonly string[];
  readonly messages?: readonly string[];
}

function checkListeners(name: string, yaml: string, want: Outcome, options: TranslationOptions = {}): void {
  t.test(name, (t) => {
    const { snapshot, diagnostics } = translateYaml(yaml, options);
    if (want.listeners !== undefined) {
      const listeners = snapshot.listeners.map(({ name, error, listener }) => {
        const filters = (listener?.listener_filters ?? []).map((filter) =>
          filter.name.includes('tls') ? ' +inspector' : ' +proxy',
        );
        return error === undefined ? `${name}${filters.join('')}` : `${name} error: ${error}`;
      });
      t.same(listeners, want.listeners);
    }
    if (want.chains !== undefined) {
      const chains = snapshot.listeners.flatMap(({ listener }) => (listener?.filter_chains ?? []).map(describeChain));
      t.same(chains, want.chains);
    }
    if (want.messages !== undefined) {
      const ours = diagnostics.filter(({ code }) => code.startsWith('PST02'));
      t.same(
        ours.map(({ message }) => message),
        want.messages,
      );
    }
    t.end();
  });
}

function describeChain(chain: FilterChain): string {
  const target = chain.filters.map((filter) => {
    if (filter.name === 'envoy.filters.network.http_connection_manager')
      return filter.typed_config.rds.route_config_name;
    if (filter.name === 'envoy.filters.network.tcp_proxy') return describeProxy(filter.typed_config);
    return 'mongo';
  });
  return `${chain.label} -> ${target.join(' ')}`;
}

function describeProxy(proxy: TcpProxy): string {
  const clusters = proxy.weighted_clusters?.clusters.map(({ name, weight }) => `${name}=${weight}`).join(' ');
  const idle = proxy.idle_timeout === undefined ? '' : ` idle ${proxy.idle_timeout}`;
  const longest = proxy.max_downstream_connection_duration;
  const limit = longest === undefined ? '' : ` at most ${longest}`;
  return `${proxy.cluster ?? clusters}${idle}${limit}${proxy.hash_policy === undefined ? '' : ' hashed'}`;
}

const SERVICES = `
apiVersion: v1
kind: Service
metadata: { name: one, namespace: apps }
spec: { selector: { app: one }, ports: [{ name: tcp, port: 9000 }] }
---
apiVersion: v1
kind: Service
metadata: { name: two, namespace: apps }
spec: { selector: { app: two }, ports: [{ name: tcp, port: 9000 }, { name: tls, port: 9443 }] }
---
`;
const virtualService = (name: string, hosts: string, body: string): string => `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: ${name}, namespace: apps }
spec:
  hosts: [${hosts}]
  gateways: [gw]
${body}
---
`;
const tcp = (hosts: string, more = ''): string =>
  `{ port: { number: 7000, name: tcp, protocol: TCP }, hosts: [${hosts}]${more} }`;
const tls = (hosts: string, mode = 'PASSTHROUGH'): string =>
  `{ port: { number: 443, name: tls, protocol: TLS }, hosts: [${hosts}], tls: { mode: ${mode}${mode === 'PASSTHROUGH' ? '' : ', credentialName: c'} } }`;

checkListeners('a TCP server without a route has no listener', gatewayYaml('gw', [tcp('"*"')]), {
  listeners: [],
  messages: [
    'no virtual service bound to gateway: apps/gw',
    'gateway omitting listener "0.0.0.0_7000" due to: must have more than 0 chains in listener "0.0.0.0_7000"',
  ],
});

checkListeners(
  'the first VirtualService with a fitting entry gives the TCP route',
  SERVICES +
    gatewayYaml('gw', [tcp('"*"')]) +
    virtualService('a', 'db.test', '  tcp: [{ match: [{ port: 1 }], route: [{ destination: { host: one } }] }]') +
    virtualService(
      'b',
      'db.test',
      '  tcp: [{ match: [{ gateways: [other] }, { port: 7000, sourceSubnet: 10.0.0.0/8 }], route: [{ destination: { host: one } }] }]',
    ) +
    virtualService('c', 'db.test', '  tcp: [{ route: [{ destination: { host: two, port: { number: 9443 } } }] }]'),
  { listeners: ['0.0.0.0_7000'], chains: ['apps/gw:tcp [*] -> outbound|9000||one.apps.svc.cluster.local'] },
);

checkListeners(
  'port of a TCP destination: written, the only one, else that of the Gateway; a dotted host is never completed',
  SERVICES +
    gatewayYaml('gw', [
      tcp('a.test', ', bind: 127.0.0.3'),
      tcp('b.test', ', bind: 127.0.0.4').replace('name: tcp', 'name: t2'),
      tcp('c.test', ', bind: 127.0.0.5').replace('name: tcp', 'name: t3'),
    ]) +
    virtualService('a', 'a.test', '  tcp: [{ route: [{ destination: { host: one } }] }]') +
    virtualService('b', 'b.test', '  tcp: [{ route: [{ destination: { host: two } }] }]') +
    virtualService('c', 'c.test', '  tcp: [{ route: [{ destination: { host: one.apps } }] }]'),
  {
    chains: [
      'apps/gw:tcp [*] -> outbound|9000||one.apps.svc.cluster.local',
      'apps/gw:t2 [*] -> outbound|7000||two.apps.svc.cluster.local',
      'apps/gw:t3 [*] -> outbound|7000||one.apps',
    ],
  },
);

checkListeners(
  'weights: entries of weight 0 go, idle timeout and source hash are those of the first in the list',
  `${SERVICES}${gatewayYaml('gw', [tcp('"*"')])}${virtualService('a', 'db.test', '  tcp: [{ route: [{ destination: { host: one }, weight: 0 }, { destination: { host: two, port: { number: 9000 } }, weight: 3 }] }]')}
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: one, namespace: apps }
spec:
  host: one
  trafficPolicy: { connectionPool: { tcp: { idleTimeout: 7s, maxConnectionDuration: 1h } }, loadBalancer: { consistentHash: { useSourceIp: true } } }
`,
  { chains: ['apps/gw:tcp [*] -> outbound|9000||two.apps.svc.cluster.local=3 idle 7s at most 3600s hashed'] },
);

checkListeners(
  'MONGO brings its filter; UDP is built as TCP',
  SERVICES +
    gatewayYaml('gw', [
      tcp('"*"').replace('TCP', 'MONGO'),
      tcp('"*"').replace('7000', '7001').replace('TCP', 'UDP').replace('name: tcp', 'name: u'),
    ]) +
    virtualService('a', 'db.test', '  tcp: [{ route: [{ destination: { host: one } }] }]'),
  {
    chains: [
      'apps/gw:tcp [*] -> mongo outbound|9000||one.apps.svc.cluster.local',
      'apps/gw:u [*] -> outbound|9000||one.apps.svc.cluster.local',
    ],
  },
);

checkListeners(
  'passthrough opens the names of the VirtualService, also beyond the server, and skips a match with a taken name whole',
  SERVICES +
    gatewayYaml('gw', [tls('"*.q.test"')]) +
    virtualService(
      'a',
      '"*.test"',
      `  tls:
  - { match: [{ sniHosts: ["*.far.test", b.q.test] }, { sniHosts: [c.q.test], port: 444 }], route: [{ destination: { host: one } }] }
  - { match: [{ sniHosts: [d.q.test, b.q.test] }, { sniHosts: [e.q.test], sourceLabels: { a: b } }], route: [{ destination: { host: two, port: { number: 9443 } } }] }`,
    ) +
    virtualService(
      'b',
      'other.org',
      '  tls: [{ match: [{ sniHosts: [other.org] }], route: [{ destination: { host: one } }] }]',
    ),
  {
    listeners: ['0.0.0.0_8443 +inspector'],
    chains: [
      'apps/gw:tls [*.far.test, b.q.test] -> outbound|9000||one.apps.svc.cluster.local',
      'apps/gw:tls [e.q.test] -> outbound|9443||two.apps.svc.cluster.local',
    ],
    messages: [
      'skipping VirtualService a rule #0 on server port 443 of gateway apps/gw, duplicate SNI host names: [b.q.test]',
    ],
  },
);

checkListeners(
  'a passthrough `*` is a catch-all with the TLS inspector',
  SERVICES +
    gatewayYaml('gw', [tls('"*"')]) +
    virtualService('a', '"*"', '  tls: [{ match: [{ sniHosts: ["*"] }], route: [{ destination: { host: one } }] }]'),
  { listeners: ['0.0.0.0_8443 +inspector'], chains: ['apps/gw:tls [*] -> outbound|9000||one.apps.svc.cluster.local'] },
);

checkListeners(
  'terminated TLS on TCP matches the names of the server and takes tcp routes only',
  SERVICES +
    gatewayYaml('gw', [
      tls('b.test, ns/a.test', 'SIMPLE'),
      tls('c.test', 'SIMPLE').replace('name: tls', 'name: tls-c'),
    ]) +
    virtualService('a', 'b.test', '  tcp: [{ route: [{ destination: { host: one } }] }]') +
    virtualService(
      'c',
      'c.test',
      '  tls: [{ match: [{ sniHosts: [c.test] }], route: [{ destination: { host: one } }] }]',
    ),
  { chains: ['apps/gw:tls [a.test, b.test] -> outbound|9000||one.apps.svc.cluster.local'] },
);

const https = (hosts: string, more = ''): string =>
  `{ port: { number: 443, name: https, protocol: HTTPS }, hosts: [${hosts}], tls: { mode: SIMPLE, credentialName: c${more} } }`;
const REFUSED = "0.0.0.0_8443 error: error adding listener '0.0.0.0:8443': ";
checkListeners(
  'equal names of two namespaces',
  gatewayYaml('gw', [https('ns1/a.test')]) + gatewayYaml('gw2', [https('ns2/a.test')]),
  {
    listeners: [
      `${REFUSED}filter chain '' has the same matching rules defined as ''. duplicate matcher is: {"server_names":["a.test"]}`,
    ],
  },
);
checkListeners(
  'names that differ in case',
  gatewayYaml('gw', [https('a.test')]) + gatewayYaml('gw2', [https('A.test')]),
  {
    listeners: [`${REFUSED}multiple filter chains with overlapping matching rules are defined`],
  },
);
checkListeners(
  'HTTPS `*` and HTTP on one port: two catch-alls',
  gatewayYaml('gw', [https('"*"')]) +
    gatewayYaml('gw2', ['{ port: { number: 443, name: http, protocol: HTTP }, hosts: ["*"] }']),
  { listeners: [`${REFUSED}filter chain '' has the same matching rules defined as ''. duplicate matcher is: {}`] },
);
checkListeners(
  'SIMPLE with subjectAltNames closes the port',
  gatewayYaml('gw', [https('a.test', ', subjectAltNames: [x]')]),
  {
    listeners: [
      '0.0.0.0_8443 error: SAN-based verification of peer certificates without trusted CA is insecure and not allowed',
    ],
  },
);
checkListeners(
  '0.0.0.0 written and not written are two binds but one listener',
  gatewayYaml('gw', [
    '{ port: { number: 80, name: a, protocol: HTTP }, hosts: [a.test] }',
    '{ port: { number: 80, name: b, protocol: HTTP }, bind: 0.0.0.0, hosts: [b.test] }',
  ]),
  {
    listeners: [
      "0.0.0.0_8080 error: error adding listener '0.0.0.0:8080': filter chain '' has the same matching rules defined as ''. duplicate matcher is: {}",
    ],
  },
);
checkListeners(
  'an unprivileged pod skips low ports',
  gatewayYaml('gw', ['{ port: { number: 81, name: a, protocol: HTTP }, hosts: [a.test] }']),
  { listeners: [], messages: ['skipping privileged gateway port 81 as it is an unprivileged pod'] },
  { proxy: { metadata: { UNPRIVILEGED_POD: 'true' } } },
);
checkListeners(
  'settings of the profile that nothing carries out are said to have no effect',
  gatewayYaml('gw', [https('a.test')]),
  {
    messages: [
      'connectionSettings.listenerPerConnectionBufferLimitBytes is set by the profile EDGE and not emulated: it has no effect here',
      'failed to fetch key and certificate for kubernetes://c: secret istio-system/c not found',
      'gRPC config: initial fetch timed out for type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret',
    ],
  },
  { mesh: { defaultConfig: { connectionSettings: { profile: 'EDGE', httpRequestHeadersTimeout: 1024 } } } },
);
checkListeners(
  'curves and ciphers that OpenSSL may not have are named',
  gatewayYaml('gw', [
    https('a.test', ', ecdhCurves: [X25519MLKEM768, P-256], cipherSuites: [DES-CBC3-SHA, AES128-SHA]'),
  ]),
  {
    messages: [
      'tlsDefaults.ecdhCurves: X25519Kyber768Draft00 is left out where the OpenSSL of this Node does not have it',
      'cipherSuites: DES-CBC3-SHA is left out where the OpenSSL of this Node does not have it',
      'ecdhCurves: X25519MLKEM768 is left out where the OpenSSL of this Node does not have it',
      'failed to fetch key and certificate for kubernetes://c: secret istio-system/c not found',
      'gRPC config: initial fetch timed out for type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret',
    ],
  },
  { mesh: { tlsDefaults: { cipherSuites: [], ecdhCurves: ['X25519Kyber768Draft00'] } } },
);
checkListeners(
  'PROXY protocol stands before the TLS inspector',
  gatewayYaml('gw', [https('a.test')]),
  { listeners: ['0.0.0.0_8443 +proxy +inspector'] },
  { mesh: { defaultConfig: { gatewayTopology: { proxyProtocol: true } } } },
);

t.test('partial wildcards and the ports of the bootstrap', (t) => {
  const listener = (serverNames: string[], port = 8443): Listener => ({
    name: `0.0.0.0_${port}`,
    address: { socket_address: { address: '0.0.0.0', port_value: port } },
    filter_chains: [{ label: '', filter_chain_match: { server_names: serverNames }, filters: [] }],
  });
  t.equal(
    rejectionOf(listener(['a*.test']), '0.0.0.0:8443'),
    `error adding listener '0.0.0.0:8443': partial wildcards are not supported in "server_names"`,
  );
  t.equal(rejectionOf(listener(['*.a.test', 'b.test']), '0.0.0.0:8443'), undefined);
  t.match(rejectionOf(listener(['a.test'], 15090), '0.0.0.0:15090'), /duplicate address '0.0.0.0:15090'/);
  t.end();
});

checkListeners(
  'AUTO_PASSTHROUGH: services that fit the hosts, their ports and subsets',
  `${SERVICES}${gatewayYaml('gw', ['{ port: { number: 15443, name: auto, protocol: TLS }, hosts: ["*.apps.svc.cluster.local"], tls: { mode: AUTO_PASSTHROUGH } }'])}
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: one, namespace: apps }
spec: { host: one, subsets: [{ name: v1, labels: { version: v1 } }] }
`,
  {
    listeners: ['0.0.0.0_15443 +inspector'],
    chains: [
      'apps/gw:auto [outbound_.9000_._.one.apps.svc.cluster.local] -> outbound_.9000_._.one.apps.svc.cluster.local',
      'apps/gw:auto [outbound_.9000_.v1_.one.apps.svc.cluster.local] -> outbound_.9000_.v1_.one.apps.svc.cluster.local',
      'apps/gw:auto [outbound_.9000_._.two.apps.svc.cluster.local] -> outbound_.9000_._.two.apps.svc.cluster.local',
      'apps/gw:auto [outbound_.9443_._.two.apps.svc.cluster.local] -> outbound_.9443_._.two.apps.svc.cluster.local',
    ],
  },
);

function managerOf(
  mesh: MeshConfig,
  options: TranslationOptions = {},
  server = 'protocol: HTTP',
): HttpConnectionManager {
  const yaml = gatewayYaml('gw', [`{ port: { number: 80, name: http, ${server} }, hosts: [a.test] }`]);
  const { snapshot } = translateYaml(yaml, { ...options, mesh });
  const filter = snapshot.listeners[0]?.listener?.filter_chains[0]?.filters[0];
  if (filter?.name !== 'envoy.filters.network.http_connection_manager') throw new Error('no connection manager');
  return filter.typed_config;
}

t.test('what turns the connection manager', (t) => {
  const rows: readonly (readonly [string, MeshConfig, Partial<HttpConnectionManager>])[] = [
    ['server name', { defaultConfig: { proxyHeaders: { server: { value: 'edge' } } } }, { server_name: 'edge' }],
    [
      'server header left alone',
      { defaultConfig: { proxyHeaders: { server: { disabled: true } } } },
      { server_header_transformation: 'PASS_THROUGH' },
    ],
    [
      'request ids',
      { defaultConfig: { proxyHeaders: { requestId: { disabled: true } } } },
      { generate_request_id: false },
    ],
    [
      'x-forwarded-port',
      { defaultConfig: { proxyHeaders: { xForwardedPort: { enabled: true } } } },
      { append_x_forwarded_port: true },
    ],
    ['trusted proxies', { defaultConfig: { gatewayTopology: { numTrustedProxies: 2 } } }, { xff_num_trusted_hops: 2 }],
    [
      'UNDEFINED is the default',
      { defaultConfig: { gatewayTopology: { forwardClientCertDetails: 'UNDEFINED' } } },
      { forward_client_cert_details: 'SANITIZE_SET' },
    ],
    [
      'merged slashes',
      { pathNormalization: 'MERGE_SLASHES' },
      { normalize_path: true, merge_slashes: true, path_with_escaped_slashes_action: 'KEEP_UNCHANGED' },
    ],
    ['no normalisation', { pathNormalization: 'NONE' }, { normalize_path: false }],
    [
      'a written setting beats the profile',
      {
        defaultConfig: {
          connectionSettings: {
            profile: 'EDGE',
            httpStreamIdleTimeout: 90_000,
            httpMaxConcurrentStreams: 7,
            httpMergeSlashes: false,
          },
        },
      },
      {
        stream_idle_timeout: '90s',
        http2_protocol_options: {
          max_concurrent_streams: 7,
          initial_stream_window_size: 65_536,
          initial_connection_window_size: 1_048_576,
        },
        common_http_protocol_options: { idle_timeout: '3600s', headers_with_underscores_action: 'REJECT_REQUEST' },
        path_with_escaped_slashes_action: 'UNESCAPE_AND_REDIRECT',
      },
    ],
  ];
  for (const [name, mesh, want] of rows) t.match(managerOf(mesh), want, name);
  const plain = managerOf({});
  t.equal(plain.stat_prefix, 'outbound_0.0.0.0_8080;');
  t.equal(plain.server_name, 'istio-envoy');
  t.notOk(
    'merge_slashes' in
      managerOf({ defaultConfig: { connectionSettings: { profile: 'EDGE', httpMergeSlashes: false } } }),
  );
  t.notOk(
    'set_current_client_cert_details' in
      managerOf({ defaultConfig: { gatewayTopology: { forwardClientCertDetails: 'FORWARD_ONLY' } } }),
  );
  t.notOk('server_name' in managerOf({ defaultConfig: { proxyHeaders: { server: { disabled: true } } } }));
  t.same(
    managerOf({ defaultConfig: { proxyHeaders: { envoyDebugHeaders: { disabled: true } } } }).http_filters.at(-1)
      ?.typed_config,
    { suppress_envoy_headers: true },
  );
  t.equal(managerOf({}, { proxy: { metadata: { HTTP10: '1' } } }).http_protocol_options.accept_http_10, true);
  t.equal(
    managerOf({}, { proxy: { metadata: { IDLE_TIMEOUT: '30s' } } }).common_http_protocol_options?.idle_timeout,
    '30s',
  );
  t.equal(managerOf({}, {}, 'protocol: grpc-web').http_filters[0]?.name, 'envoy.filters.http.grpc_web');
  t.end();
});

t.test('names are letter for letter those of Istio', (t) => {
  t.equal(outboundClusterName('web.shop.svc.cluster.local', 80), 'outbound|80||web.shop.svc.cluster.local');
  t.equal(sniDnatClusterName('web.shop.svc.cluster.local', 80, 'v1'), 'outbound_.80_.v1_.web.shop.svc.cluster.local');
  for (const name of ['outbound|80|v1|web.shop.svc.cluster.local', 'outbound_.80_.v1_.web.shop.svc.cluster.local'])
    t.same(parseClusterName(name), { hostname: 'web.shop.svc.cluster.local', port: 80, subset: 'v1' });
  t.equal(parseClusterName('BlackHoleCluster'), undefined);
  t.equal(listenerName('', 8443), '0.0.0.0_8443');
  t.equal(listenerName('unix:///run/x', 0), 'unix:///run/x_0');
  t.equal(listenerAddress('unix:///run/x', 0), '/run/x');
  t.equal(listenerAddress('unix://@x', 0), '@x');
  t.equal(listenerAddress('::1', 80), '[::1]:80');
  t.equal(filterChainLabel('ns/gw', 'https', ['a', 'b']), 'ns/gw:https [a, b]');
  t.end();
});

t.test('what is published has neither our own fields nor key material', (t) => {
  const { snapshot } = translateYaml(gatewayYaml('gw', [https('a.test')]));
  const text = JSON.stringify(publishSnapshot(snapshot));
  for (const field of ['originId', '"label"', 'stat_prefix', 'PRIVATE KEY']) t.notOk(text.includes(field), field);
  t.same(publishSnapshot(snapshot).secrets.warming, ['kubernetes://c']);
  t.equal(snapshot.listeners[0]?.listener?.filter_chains[0]?.label, 'apps/gw:https [a.test]');
  t.end();
});

t.test('a snapshot survives structuredClone and points into the YAML', (t) => {
  const { snapshot, origins } = translateYaml(gatewayYaml('gw', [https('a.test')]));
  t.same(structuredClone(snapshot), snapshot);
  const chain = snapshot.listeners[0]?.listener?.filter_chains[0];
  t.match(origins.get(chain?.originId), { file: 'test.yaml', line: 8, resource: 'Gateway/apps/gw' });
  t.end();
});
