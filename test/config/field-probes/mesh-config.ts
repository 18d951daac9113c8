// MeshConfig and ProxyConfig: what each field decides. Spec destinations.md §1.9, gateway.md §12.
import { GATEWAY, type Made, object, type Probe, SERVICES } from './probe.js';

const ROUTE = object(
  'VirtualService',
  'web',
  'hosts: ["*"]\ngateways: [gw]\nhttp: [{rewrite: {authority: b.example.com}, route: [{destination: {host: web, port: {number: 80}}}]}]',
);
const HTTP = `${SERVICES}${GATEWAY}${ROUTE}`;
const HTTPS = object(
  'Gateway',
  'gw',
  'selector: {istio: ingressgateway}\nservers: [{port: {number: 8443, name: https, protocol: HTTPS}, hosts: ["*"], tls: {mode: SIMPLE, credentialName: shop}}]',
);
const SPREAD = object(
  'ServiceEntry',
  'spread',
  'hosts: [spread.example]\nports: [{number: 80, name: http, protocol: HTTP}]\nresolution: STATIC\nendpoints: [{address: 10.1.0.1, locality: eu/eu-1/r1, serviceAccount: shop}, {address: 10.1.0.2, locality: us/us-1/r1}]\nlocation: MESH_INTERNAL',
);
const SPREAD_CLUSTER = 'outbound|80||spread.example';

function probe(
  paths: string | readonly string[],
  mesh: string,
  look: (made: Made) => unknown,
  want: unknown,
  yaml = HTTP,
): Probe {
  return { kind: 'MeshConfig', paths: typeof paths === 'string' ? [paths] : paths, yaml, mesh, look, want };
}

/** A field of the policy of routes that have none. */
function retry(policy: string, field: string, want: unknown): Probe {
  const paths = ['defaultHttpRetryPolicy', `defaultHttpRetryPolicy${field}`];
  return probe(paths, `defaultHttpRetryPolicy: {${policy}}`, (made) => made.action?.retry_policy, want);
}

/** Fields of defaultConfig. */
function proxy(
  paths: string | readonly string[],
  config: string,
  look: (made: Made) => unknown,
  want: unknown,
  yaml = HTTP,
): Probe {
  const names = typeof paths === 'string' ? [paths] : paths;
  return probe(
    names.map((name) => `defaultConfig${name}`),
    `defaultConfig: ${config}`,
    look,
    want,
    yaml,
  );
}

/** Fields of defaultConfig.connectionSettings and what the connection manager makes of them. */
function connection(field: string, value: string | number, want: unknown): Probe {
  return proxy(`.connectionSettings.${field}`, `{connectionSettings: {${field}: ${value}}}`, manager, want);
}

const manager = (made: Made): unknown => made.manager;
const cluster = (made: Made): unknown => made.cluster();
const http = (made: Made): unknown =>
  made.cluster()?.typed_extension_protocol_options?.['envoy.extensions.upstreams.http.v3.HttpProtocolOptions'];
const clusters = (made: Made): unknown => made.cluster() !== undefined;
const downstreamTls = (made: Made): unknown => made.tls?.common_tls_context.tls_params;
const localities = (made: Made): unknown =>
  made.endpoints(SPREAD_CLUSTER)?.map(({ address, localityWeight }) => [address, localityWeight]);

export const meshConfigProbes: readonly Probe[] = [
  probe('accessLogFormat', 'accessLogFormat: "%PROTOCOL%"', (made) => made.snapshot.accessLog.format, '%PROTOCOL%'),
  probe('accessLogEncoding', 'accessLogEncoding: JSON', (made) => made.snapshot.accessLog.encoding, 'JSON'),
  probe(
    // §2.4: rules of the root namespace count where the service's own has none.
    'rootNamespace',
    'rootNamespace: central',
    cluster,
    { lb_policy: 'RANDOM' },
    `${SERVICES}${object('DestinationRule', 'central/rule', 'host: web.apps.svc.cluster.local\ntrafficPolicy: {loadBalancer: {simple: RANDOM}}')}`,
  ),
  probe(
    'trustDomain',
    'trustDomain: mesh.example',
    (made) => made.cluster(SPREAD_CLUSTER)?.transport_socket?.typed_config,
    {
      common_tls_context: {
        combined_validation_context: {
          default_validation_context: {
            match_subject_alt_names: [{ exact: 'spiffe://mesh.example/ns/apps/sa/shop' }],
          },
        },
      },
    },
    SPREAD + object('DestinationRule', 'rule', 'host: spread.example\ntrafficPolicy: {tls: {mode: ISTIO_MUTUAL}}'),
  ),
  probe(
    'trustDomainAliases',
    'trustDomainAliases: [old.example, older.example]',
    (made) => JSON.stringify(made.cluster(SPREAD_CLUSTER)?.transport_socket ?? null).match(/spiffe:[^"]*/g),
    [
      'spiffe://cluster.local/ns/apps/sa/shop',
      'spiffe://old.example/ns/apps/sa/shop',
      'spiffe://older.example/ns/apps/sa/shop',
    ],
    SPREAD + object('DestinationRule', 'rule', 'host: spread.example\ntrafficPolicy: {tls: {mode: ISTIO_MUTUAL}}'),
  ),
  probe('connectTimeout', 'connectTimeout: 3s', cluster, { connect_timeout: '3s' }),
  probe('enableAutoMtls', 'enableAutoMtls: false', cluster, { transport_socket_matches: undefined }),
  probe('defaultServiceExportTo', 'defaultServiceExportTo: ["."]', clusters, false),
  probe('defaultVirtualServiceExportTo', 'defaultVirtualServiceExportTo: ["."]', (made) => made.routes.length, 0),
  probe(
    'defaultDestinationRuleExportTo',
    'defaultDestinationRuleExportTo: ["."]',
    cluster,
    { lb_policy: 'LEAST_REQUEST' },
    SERVICES + object('DestinationRule', 'rule', 'host: web\ntrafficPolicy: {loadBalancer: {simple: RANDOM}}'),
  ),
  retry('attempts: 5', '.attempts', { num_retries: 5, per_try_timeout: undefined }),
  retry('attempts: 1, perTryTimeout: 2s', '.perTryTimeout', { per_try_timeout: '2s' }),
  retry('attempts: 1, retryOn: reset', '.retryOn', { retry_on: 'reset' }),
  retry('attempts: 1, retryRemoteLocalities: true', '.retryRemoteLocalities', {
    retry_priority: { typed_config: { update_frequency: 2 } },
  }),
  retry('attempts: 1, retryIgnorePreviousHosts: false', '.retryIgnorePreviousHosts', {
    retry_host_predicate: undefined,
  }),
  retry('attempts: 1, backoff: 100ms', '.backoff', { retry_back_off: { base_interval: '0.100s' } }),
  probe(
    'dnsRefreshRate',
    'dnsRefreshRate: 5s',
    (made) => made.cluster('outbound|80||dns.example')?.dns_refresh_rate,
    '5s',
    object(
      'ServiceEntry',
      'dns',
      'hosts: [dns.example]\nports: [{number: 80, name: http, protocol: HTTP}]\nresolution: DNS',
    ),
  ),
  probe('h2UpgradePolicy', 'h2UpgradePolicy: UPGRADE', http, { explicit_http_config: { http2_protocol_options: {} } }),
  probe(
    'localityLbSetting',
    'localityLbSetting: {distribute: [{from: "eu/*", to: {"us/*": 100}}]}',
    localities,
    [['10.1.0.2:80', 100]],
    SPREAD,
  ),
  probe(
    ['pathNormalization', 'pathNormalization.normalization'],
    'pathNormalization: {normalization: DECODE_AND_MERGE_SLASHES}',
    manager,
    {
      normalize_path: true,
      merge_slashes: true,
      path_with_escaped_slashes_action: 'UNESCAPE_AND_FORWARD',
    },
  ),
  probe(['tcpKeepalive', 'tcpKeepalive.time'], 'tcpKeepalive: {time: 60s}', cluster, {
    upstream_connection_options: { tcp_keepalive: { keepalive_time: 60 } },
  }),
  probe(
    ['tlsDefaults', 'tlsDefaults.cipherSuites'],
    'tlsDefaults: {cipherSuites: [ECDHE-RSA-AES256-GCM-SHA384]}',
    downstreamTls,
    {
      cipher_suites: ['ECDHE-RSA-AES256-GCM-SHA384'],
    },
    HTTPS,
  ),
  probe(
    'tlsDefaults.ecdhCurves',
    'tlsDefaults: {ecdhCurves: [P-384]}',
    downstreamTls,
    { ecdh_curves: ['P-384'] },
    HTTPS,
  ),
  probe(
    'tlsDefaults.minProtocolVersion',
    'tlsDefaults: {minProtocolVersion: TLSV1_3}',
    downstreamTls,
    {
      tls_minimum_protocol_version: 'TLSv1_3',
    },
    HTTPS,
  ),
  probe(
    ['defaultTrafficPolicy', 'defaultTrafficPolicy.connectionPool'],
    'defaultTrafficPolicy: {connectionPool: {tcp: {connectTimeout: 3s}}}',
    cluster,
    {
      connect_timeout: '3s',
    },
  ),
  probe('defaultTrafficPolicy.outlierDetection', 'defaultTrafficPolicy: {outlierDetection: {interval: 3s}}', cluster, {
    outlier_detection: { interval: '3s' },
  }),

  // ProxyConfig of the gateway (gateway.md §12).
  proxy(
    ['', '.gatewayTopology', '.gatewayTopology.numTrustedProxies'],
    '{gatewayTopology: {numTrustedProxies: 2}}',
    manager,
    {
      xff_num_trusted_hops: 2,
    },
  ),
  proxy(
    '.gatewayTopology.forwardClientCertDetails',
    '{gatewayTopology: {forwardClientCertDetails: APPEND_FORWARD}}',
    manager,
    {
      forward_client_cert_details: 'APPEND_FORWARD',
    },
  ),
  proxy(
    '.gatewayTopology.proxyProtocol',
    '{gatewayTopology: {proxyProtocol: {}}}',
    (made) => made.listener()?.listener_filters?.[0]?.name,
    'envoy.filters.listener.proxy_protocol',
  ),
  proxy(
    ['.proxyHeaders', '.proxyHeaders.requestId', '.proxyHeaders.requestId.disabled'],
    '{proxyHeaders: {requestId: {disabled: true}}}',
    manager,
    {
      generate_request_id: false,
    },
  ),
  proxy(['.proxyHeaders.server', '.proxyHeaders.server.value'], '{proxyHeaders: {server: {value: shop}}}', manager, {
    server_name: 'shop',
  }),
  proxy('.proxyHeaders.server.disabled', '{proxyHeaders: {server: {disabled: true}}}', manager, {
    server_header_transformation: 'PASS_THROUGH',
  }),
  proxy(
    ['.proxyHeaders.attemptCount', '.proxyHeaders.attemptCount.disabled'],
    '{proxyHeaders: {attemptCount: {disabled: true}}}',
    (made) => made.virtualHosts[0]?.include_request_attempt_count,
    undefined,
  ),
  proxy(
    ['.proxyHeaders.envoyDebugHeaders', '.proxyHeaders.envoyDebugHeaders.disabled'],
    '{proxyHeaders: {envoyDebugHeaders: {disabled: true}}}',
    (made) => made.manager?.http_filters.at(-1),
    {
      name: 'envoy.filters.http.router',
      typed_config: { suppress_envoy_headers: true },
    },
  ),
  proxy(
    ['.proxyHeaders.xForwardedHost', '.proxyHeaders.xForwardedHost.enabled'],
    '{proxyHeaders: {xForwardedHost: {enabled: true}}}',
    (made) => made.action,
    {
      append_x_forwarded_host: true,
    },
  ),
  proxy(
    ['.proxyHeaders.xForwardedPort', '.proxyHeaders.xForwardedPort.enabled'],
    '{proxyHeaders: {xForwardedPort: {enabled: true}}}',
    manager,
    {
      append_x_forwarded_port: true,
    },
  ),
  proxy(['.connectionSettings', '.connectionSettings.profile'], '{connectionSettings: {profile: EDGE}}', manager, {
    stream_idle_timeout: '300s',
    merge_slashes: true,
    path_with_escaped_slashes_action: 'UNESCAPE_AND_REDIRECT',
    http2_protocol_options: { max_concurrent_streams: 100 },
  }),
  connection('httpIdleTimeout', '7s', { common_http_protocol_options: { idle_timeout: '7s' } }),
  connection('httpRequestTimeout', '8s', { request_timeout: '8s' }),
  connection('httpRequestHeadersTimeout', '7s', { request_headers_timeout: '7s' }),
  connection('httpStreamIdleTimeout', '9s', { stream_idle_timeout: '9s' }),
  connection('httpMaxConcurrentStreams', 10, { http2_protocol_options: { max_concurrent_streams: 10 } }),
  connection('http2InitialStreamWindowSize', 70000, { http2_protocol_options: { initial_stream_window_size: 70000 } }),
  connection('http2InitialConnectionWindowSize', 80000, {
    http2_protocol_options: { initial_connection_window_size: 80000 },
  }),
  connection('httpHeadersWithUnderscoresAction', 'DROP_HEADER', {
    common_http_protocol_options: { headers_with_underscores_action: 'DROP_HEADER' },
  }),
  connection('httpMergeSlashes', 'true', { merge_slashes: true }),
  connection('httpPathWithEscapedSlashesAction', 'REJECT_REQUEST', {
    path_with_escaped_slashes_action: 'REJECT_REQUEST',
  }),
];
