// DestinationRule: what each field decides. Spec destinations.md §1.1-1.6, §2, §7-10 and the sections named there.
import { TLS_TRANSPORT_SOCKET } from '../../../src/xds/index.js';
import { GATEWAY, indent, type Made, object, type Probe, SERVICES, V2, WEB } from './probe.js';

const ROUTE = object(
  'VirtualService',
  'web',
  'hosts: ["*"]\ngateways: [gw]\nhttp: [{route: [{destination: {host: web, port: {number: 80}}}]}]',
);

const ROUTE_TO_V2 = ROUTE.replace('host: web,', 'host: web, subset: v2,');

/** Endpoints in three places, seen from eu/eu-1/r1; their host is that of the rule. */
const LOCALITIES = object(
  'ServiceEntry',
  'spread',
  `hosts: [spread.example]
ports: [{number: 80, name: http, protocol: HTTP}]
resolution: STATIC
endpoints:
- {address: 10.1.0.1, locality: eu/eu-1/r1, labels: {tier: gold}}
- {address: 10.1.0.2, locality: us/us-1/r1, labels: {tier: silver}}
- {address: 10.1.0.3, locality: asia/as-1/r1, labels: {tier: gold}}`,
);

function rule(spec: string, name = 'rule'): string {
  return object('DestinationRule', name, spec);
}

function probe(paths: string | readonly string[], yaml: string, look: (made: Made) => unknown, want: unknown): Probe {
  const relative = typeof paths === 'string' ? [paths] : paths;
  return { kind: 'DestinationRule', paths: relative, yaml, look, want };
}

const PORT_SETTINGS = /^(?:loadBalancer|connectionPool|outlierDetection|tls)\b/;

/** Where a policy can stand, with what stands around it; the main cluster is the one that it is for. */
const PLACES = [
  { path: 'spec', around: (policies: string) => `trafficPolicy:\n${indent(policies, 2)}`, cluster: WEB },
  {
    path: 'spec.subsets[]',
    around: (policies: string) => `subsets:\n- name: v2\n  trafficPolicy:\n${indent(policies, 4)}`,
    cluster: V2,
  },
];

/**
 * Fields below a traffic policy of `web`: they do for a subset what they do for the service, and what they do for one
 * port where they may stand there.
 */
function policy(
  fields: string | readonly string[],
  policies: string,
  look: (made: Made) => unknown,
  want: unknown,
): readonly Probe[] {
  const names = typeof fields === 'string' ? [fields] : fields;
  const forms = formsOf(policies).slice(0, names.every((name) => PORT_SETTINGS.test(name)) ? 2 : 1);
  const probes: Probe[] = PLACES.flatMap(({ path, around, cluster }) =>
    forms.map(({ inside, yaml }) => ({
      kind: 'DestinationRule' as const,
      paths: names.map((name) => `${path}.trafficPolicy.${inside}${name}`),
      yaml: `${SERVICES}${GATEWAY}${cluster === V2 ? ROUTE_TO_V2 : ROUTE}${rule(`host: web\n${around(yaml)}`)}`,
      cluster,
      look,
      want,
    })),
  );
  // MeshConfig has these blocks as defaults (§2.6).
  if (names.every((name) => /^(?:connectionPool|outlierDetection)\b/.test(name))) {
    probes.push({
      kind: 'MeshConfig',
      paths: names.map((name) => `defaultTrafficPolicy.${name}`),
      yaml: `${SERVICES}${GATEWAY}${ROUTE}`,
      mesh: `defaultTrafficPolicy:\n${indent(policies, 2)}`,
      look,
      want,
    });
  }
  return probes;
}

/** A field of the policy of `web` that its TCP proxy takes. */
function tcp(field: string, policies: string, want: unknown): Probe {
  const server = '{port: {number: 9000, name: tcp, protocol: TCP}, hosts: ["*"]}';
  const gateway = object('Gateway', 'gw', `selector: {istio: ingressgateway}\nservers: [${server}]`);
  const routes = 'tcp: [{route: [{destination: {host: web, port: {number: 80}}}]}]';
  const service = object('VirtualService', 'web', `hosts: ["*"]\ngateways: [gw]\n${routes}`);
  return {
    kind: 'DestinationRule',
    paths: [`spec.trafficPolicy.${field}`],
    yaml: `${SERVICES}${gateway}${service}${rule(`host: web\ntrafficPolicy:\n${indent(policies, 2)}`)}`,
    look: (made) => made.tcpProxies[0],
    want,
  };
}

/** Which localities take part, and how: `[address, priority, weight of the locality]`. */
function locality(
  fields: string | readonly string[],
  setting: string,
  want: unknown,
  more = 'outlierDetection: {}',
  name = 'localityLbSetting',
): readonly Probe[] {
  const names = typeof fields === 'string' ? [fields] : fields;
  const policies = `loadBalancer: {${name}: ${setting}}\n${more}`;
  const look = (made: Made): unknown =>
    made
      .endpoints()
      ?.map(({ address, priority, localityWeight }) => [address, priority, localityWeight])
      .sort();
  const probes: Probe[] = PLACES.flatMap(({ path, around, cluster }) =>
    formsOf(policies).map(({ inside, yaml }) => ({
      kind: 'DestinationRule' as const,
      paths: names.map((field) => `${path}.trafficPolicy.${inside}loadBalancer.${name}${field}`),
      yaml: `${LOCALITIES}${rule(`host: spread.example\n${around(yaml)}`)}`,
      cluster: cluster.replace('web.apps.svc.cluster.local', 'spread.example'),
      look,
      want,
    })),
  );
  // MeshConfig has a default of it (§8.6).
  return [
    ...probes,
    {
      kind: 'MeshConfig',
      paths: names.map((field) => `${name}${field}`),
      yaml: `${LOCALITIES}${more === '' ? '' : rule(`host: spread.example\ntrafficPolicy: {${more}}`)}`,
      mesh: `${name}: ${setting}`,
      cluster: 'outbound|80||spread.example',
      look,
      want,
    },
  ];
}

/** Zone awareness: priorities by region, without outlier detection; it goes over the setting of localities. */
function zones(fields: string | readonly string[], setting: string, want: unknown): readonly Probe[] {
  return locality(fields, setting, want, '', 'zoneAwareLbSetting');
}

/** Policies as they are, and as those of port 80. */
function formsOf(policies: string): readonly { readonly inside: string; readonly yaml: string }[] {
  const yaml = `portLevelSettings:\n- port: {number: 80}\n${indent(policies, 2)}`;
  return [
    { inside: '', yaml: policies },
    { inside: 'portLevelSettings[].', yaml },
  ];
}

const cluster = (made: Made): unknown => made.cluster();
const thresholds = (made: Made): unknown => made.cluster()?.circuit_breakers?.thresholds[0];
const outlier = (made: Made): unknown => made.cluster()?.outlier_detection;
const http = (made: Made): unknown =>
  made.cluster()?.typed_extension_protocol_options?.['envoy.extensions.upstreams.http.v3.HttpProtocolOptions'];
const hashPolicy = (made: Made): unknown => made.action?.hash_policy;
// For endpoints without a sidecar.
const socket = (made: Made): unknown => made.cluster()?.transport_socket_matches?.at(-1)?.transport_socket;
const tlsContext = (made: Made): unknown => made.cluster()?.transport_socket?.typed_config;
const common = (made: Made): unknown => {
  const found = made.cluster()?.transport_socket;
  return found?.name === TLS_TRANSPORT_SOCKET ? found.typed_config.common_tls_context : undefined;
};

export const destinationRuleProbes: readonly Probe[] = [
  probe(
    ['metadata', 'metadata.namespace', 'metadata.name', 'spec', 'spec.host', 'spec.trafficPolicy'],
    `${SERVICES}${rule('host: web\ntrafficPolicy: {loadBalancer: {simple: RANDOM}}')}`,
    cluster,
    { lb_policy: 'RANDOM' },
  ),
  probe(
    // §2.3: of two policies for a host, the older rule's.
    'metadata.creationTimestamp',
    `${SERVICES}${object('DestinationRule', 'a', 'host: web\ntrafficPolicy: {loadBalancer: {simple: RANDOM}}', ', creationTimestamp: "2024-05-02T00:00:00Z"')}${object(
      'DestinationRule',
      'b',
      'host: web\ntrafficPolicy: {loadBalancer: {simple: ROUND_ROBIN}}',
      ', creationTimestamp: "2024-05-01T00:00:00Z"',
    )}`,
    (made) => made.cluster()?.lb_policy,
    undefined,
  ),
  probe(
    // §2.4: not seen by a gateway of another namespace.
    'spec.exportTo',
    `${SERVICES}${rule('host: web\nexportTo: ["."]\ntrafficPolicy: {loadBalancer: {simple: RANDOM}}')}`,
    cluster,
    { lb_policy: 'LEAST_REQUEST' },
  ),
  probe(
    // §2.5: in the gateway's namespace, and for workloads that it is none of.
    ['spec.workloadSelector', 'spec.workloadSelector.matchLabels'],
    `${SERVICES}${rule(
      'host: web.apps.svc.cluster.local\nworkloadSelector: {matchLabels: {app: another}}\ntrafficPolicy: {loadBalancer: {simple: RANDOM}}',
      'istio-system/rule',
    )}`,
    cluster,
    { lb_policy: 'LEAST_REQUEST' },
  ),

  // Subsets (§1.2, §5.3).
  probe(
    ['spec.subsets', 'spec.subsets[].name', 'spec.subsets[].labels'],
    `${object(
      'ServiceEntry',
      'spread',
      'hosts: [spread.example]\nports: [{number: 80, name: http, protocol: HTTP}]\nresolution: STATIC\nendpoints: [{address: 10.1.0.1, labels: {version: v1}}, {address: 10.1.0.2, labels: {version: v2}}]',
    )}${rule('host: spread.example\nsubsets: [{name: v2, labels: {version: v2}}]')}`,
    (made) => made.addresses('outbound|80|v2|spread.example'),
    ['10.1.0.2:80'],
  ),
  probe(
    // §2.6: what the subset says goes over what the rule says.
    'spec.subsets[].trafficPolicy',
    `${SERVICES}${rule(
      'host: web\ntrafficPolicy: {loadBalancer: {simple: RANDOM}}\nsubsets: [{name: v2, trafficPolicy: {connectionPool: {tcp: {connectTimeout: 3s}}}}]',
    )}`,
    (made) => [made.cluster(V2), made.cluster()],
    [
      { lb_policy: 'RANDOM', connect_timeout: '3s' },
      { lb_policy: 'RANDOM', connect_timeout: '10s' },
    ],
  ),

  // Settings of one port go over those of the rule (§2.6).
  ...policy(
    [
      'portLevelSettings',
      'portLevelSettings[].port',
      'portLevelSettings[].port.number',
      'portLevelSettings[].loadBalancer',
    ],
    'loadBalancer: {simple: RANDOM}\nportLevelSettings: [{port: {number: 81}, loadBalancer: {simple: ROUND_ROBIN}}]',
    (made) => {
      const main = made.cluster();
      return [main?.lb_policy, made.cluster(main?.name.replace('|80|', '|81|'))?.lb_policy];
    },
    ['RANDOM', undefined],
  ),
  ...policy(
    'portLevelSettings[].connectionPool',
    'portLevelSettings: [{port: {number: 80}, connectionPool: {tcp: {connectTimeout: 3s}}}]',
    cluster,
    { connect_timeout: '3s' },
  ),
  ...policy(
    'portLevelSettings[].outlierDetection',
    'portLevelSettings: [{port: {number: 80}, outlierDetection: {interval: 3s}}]',
    outlier,
    { interval: '3s' },
  ),
  ...policy(
    'portLevelSettings[].tls',
    'portLevelSettings: [{port: {number: 80}, tls: {mode: SIMPLE, sni: a.example}}]',
    tlsContext,
    {
      sni: 'a.example',
    },
  ),

  // Load balancing (§8).
  ...policy(['loadBalancer', 'loadBalancer.simple'], 'loadBalancer: {simple: RANDOM}', cluster, {
    lb_policy: 'RANDOM',
  }),
  ...policy(
    ['loadBalancer.consistentHash', 'loadBalancer.consistentHash.httpHeaderName'],
    'loadBalancer: {consistentHash: {httpHeaderName: x-user}}',
    (made) => [hashPolicy(made), made.cluster()?.lb_policy],
    [[{ header: { header_name: 'x-user' } }], 'RING_HASH'],
  ),
  ...policy(
    [
      'loadBalancer.consistentHash.httpCookie',
      'loadBalancer.consistentHash.httpCookie.name',
      'loadBalancer.consistentHash.httpCookie.path',
      'loadBalancer.consistentHash.httpCookie.ttl',
      'loadBalancer.consistentHash.httpCookie.attributes',
      'loadBalancer.consistentHash.httpCookie.attributes[].name',
      'loadBalancer.consistentHash.httpCookie.attributes[].value',
    ],
    'loadBalancer: {consistentHash: {httpCookie: {name: user, path: /shop, ttl: 90s, attributes: [{name: SameSite, value: Strict}]}}}',
    hashPolicy,
    [{ cookie: { name: 'user', path: '/shop', ttl: '90s', attributes: [{ name: 'SameSite', value: 'Strict' }] } }],
  ),
  ...policy(
    'loadBalancer.consistentHash.useSourceIp',
    'loadBalancer: {consistentHash: {useSourceIp: true}}',
    hashPolicy,
    [{ connection_properties: { source_ip: true } }],
  ),
  ...policy(
    'loadBalancer.consistentHash.httpQueryParameterName',
    'loadBalancer: {consistentHash: {httpQueryParameterName: user}}',
    hashPolicy,
    [{ query_parameter: { name: 'user' } }],
  ),
  ...policy(
    ['loadBalancer.consistentHash.ringHash', 'loadBalancer.consistentHash.ringHash.minimumRingSize'],
    'loadBalancer: {consistentHash: {useSourceIp: true, ringHash: {minimumRingSize: 2048}}}',
    cluster,
    { lb_policy: 'RING_HASH', ring_hash_lb_config: { minimum_ring_size: '2048' } },
  ),
  ...policy(
    ['loadBalancer.consistentHash.maglev', 'loadBalancer.consistentHash.maglev.tableSize'],
    'loadBalancer: {consistentHash: {useSourceIp: true, maglev: {tableSize: 251}}}',
    cluster,
    { lb_policy: 'MAGLEV', maglev_lb_config: { table_size: '251' } },
  ),
  ...policy(
    'loadBalancer.consistentHash.minimumRingSize',
    'loadBalancer: {consistentHash: {useSourceIp: true, minimumRingSize: 4096}}',
    cluster,
    { ring_hash_lb_config: { minimum_ring_size: '4096' } },
  ),
  ...locality(
    ['', '.distribute', '.distribute[].from', '.distribute[].to'],
    '{distribute: [{from: us/*, to: {"asia/*": 100}}, {from: eu/eu-1/*, to: {"us/*": 80, "eu/*": 20}}]}',
    [
      ['10.1.0.1:80', 0, 20],
      ['10.1.0.2:80', 0, 80],
    ],
    '',
  ),
  ...locality(['.failover', '.failover[].from', '.failover[].to'], '{failover: [{from: eu, to: asia}]}', [
    ['10.1.0.1:80', 0, 1],
    ['10.1.0.2:80', 2, 1],
    ['10.1.0.3:80', 1, 1],
  ]),
  ...locality('.failoverPriority', '{failoverPriority: [tier=silver]}', [
    ['10.1.0.1:80', 1, 1],
    ['10.1.0.2:80', 0, 1],
    ['10.1.0.3:80', 1, 1],
  ]),
  ...locality('.enabled', '{enabled: false}', [
    ['10.1.0.1:80', 0, undefined],
    ['10.1.0.2:80', 0, undefined],
    ['10.1.0.3:80', 0, undefined],
  ]),

  ...policy(
    [
      'loadBalancer.warmup',
      'loadBalancer.warmup.duration',
      'loadBalancer.warmup.minimumPercent',
      'loadBalancer.warmup.aggression',
    ],
    'loadBalancer: {warmup: {duration: 30s, minimumPercent: 20, aggression: 2}}',
    cluster,
    {
      least_request_lb_config: {
        slow_start_config: {
          slow_start_window: '30s',
          min_weight_percent: { value: 20 },
          aggression: { default_value: 2 },
        },
      },
    },
  ),
  ...policy(
    'loadBalancer.warmupDurationSecs',
    'loadBalancer: {simple: ROUND_ROBIN, warmupDurationSecs: 40s}',
    cluster,
    {
      round_robin_lb_config: { slow_start_config: { slow_start_window: '40s', min_weight_percent: undefined } },
    },
  ),
  ...zones('.enabled', '{enabled: false}', [
    ['10.1.0.1:80', 0, undefined],
    ['10.1.0.2:80', 0, undefined],
    ['10.1.0.3:80', 0, undefined],
  ]),
  ...zones(
    ['', '.failover', '.failover[].from', '.failover[].to'],
    '{enabled: true, failover: [{from: us, to: eu}, {from: eu, to: asia}]}',
    [
      ['10.1.0.1:80', 0, undefined],
      ['10.1.0.2:80', 2, undefined],
      ['10.1.0.3:80', 1, undefined],
    ],
  ),
  ...zones('.failoverPriority', '{enabled: true, failoverPriority: [tier=silver]}', [
    ['10.1.0.1:80', 1, undefined],
    ['10.1.0.2:80', 0, undefined],
    ['10.1.0.3:80', 2, undefined],
  ]),

  // Connection pools and circuit breakers (§9).
  ...policy(
    ['connectionPool', 'connectionPool.tcp', 'connectionPool.tcp.maxConnections'],
    'connectionPool: {tcp: {maxConnections: 7}}',
    thresholds,
    { max_connections: 7, max_pending_requests: 4294967295 },
  ),
  ...policy('connectionPool.tcp.connectTimeout', 'connectionPool: {tcp: {connectTimeout: 250ms}}', cluster, {
    connect_timeout: '0.250s',
  }),
  ...policy(
    ['connectionPool.tcp.tcpKeepalive', 'connectionPool.tcp.tcpKeepalive.time'],
    'connectionPool: {tcp: {tcpKeepalive: {time: 90s}}}',
    cluster,
    { upstream_connection_options: { tcp_keepalive: { keepalive_time: 90 } } },
  ),
  ...policy('connectionPool.tcp.maxConnectionDuration', 'connectionPool: {tcp: {maxConnectionDuration: 90s}}', http, {
    common_http_protocol_options: { max_connection_duration: '90s' },
  }),
  ...policy(
    [
      'connectionPool.http.http2KeepAlive',
      'connectionPool.http.http2KeepAlive.interval',
      'connectionPool.http.http2KeepAlive.timeout',
    ],
    'connectionPool: {http: {h2UpgradePolicy: UPGRADE, http2KeepAlive: {interval: 30s, timeout: 5s}}}',
    http,
    {
      explicit_http_config: {
        http2_protocol_options: { connection_keepalive: { interval: '30s', timeout: '5s' } },
      },
    },
  ),
  ...policy('retryBudget.budgetInterval', 'retryBudget: {budgetInterval: 10s}', thresholds, {
    retry_budget: { budget_interval: '10s' },
  }),
  ...policy(
    'outlierDetection.outlierDetectionHttpErrorCodes',
    'outlierDetection: {outlierDetectionHttpErrorCodes: [404, 429]}',
    (made) => JSON.stringify(http(made)).match(/"exact":"\d+"/g),
    ['"exact":"404"', '"exact":"429"'],
  ),
  ...policy('connectionPool.tcp.idleTimeout', 'connectionPool: {tcp: {idleTimeout: 5s}}', http, {
    common_http_protocol_options: { idle_timeout: '5s' },
  }),
  ...policy(
    ['connectionPool.http', 'connectionPool.http.http1MaxPendingRequests'],
    'connectionPool: {http: {http1MaxPendingRequests: 8}}',
    thresholds,
    { max_pending_requests: 8 },
  ),
  ...policy('connectionPool.http.http2MaxRequests', 'connectionPool: {http: {http2MaxRequests: 9}}', thresholds, {
    max_requests: 9,
  }),
  ...policy(
    'connectionPool.http.maxRequestsPerConnection',
    'connectionPool: {http: {maxRequestsPerConnection: 3}}',
    http,
    {
      common_http_protocol_options: { max_requests_per_connection: 3 },
    },
  ),
  ...policy('connectionPool.http.maxRetries', 'connectionPool: {http: {maxRetries: 2}}', thresholds, {
    max_retries: 2,
  }),
  ...policy('connectionPool.http.idleTimeout', 'connectionPool: {http: {idleTimeout: 6s}}', http, {
    common_http_protocol_options: { idle_timeout: '6s' },
  }),
  ...policy('connectionPool.http.h2UpgradePolicy', 'connectionPool: {http: {h2UpgradePolicy: UPGRADE}}', http, {
    explicit_http_config: { http2_protocol_options: {} },
  }),
  ...policy('connectionPool.http.useClientProtocol', 'connectionPool: {http: {useClientProtocol: true}}', http, {
    use_downstream_protocol_config: { http2_protocol_options: {} },
    explicit_http_config: undefined,
  }),
  ...policy(
    'connectionPool.http.maxConcurrentStreams',
    'connectionPool: {http: {h2UpgradePolicy: UPGRADE, maxConcurrentStreams: 50}}',
    http,
    { explicit_http_config: { http2_protocol_options: { max_concurrent_streams: 50 } } },
  ),
  ...policy(['retryBudget', 'retryBudget.percent'], 'retryBudget: {percent: 30}', thresholds, {
    retry_budget: { budget_percent: { value: 30 }, min_retry_concurrency: 3 },
  }),
  ...policy('retryBudget.minRetryConcurrency', 'retryBudget: {minRetryConcurrency: 5}', thresholds, {
    retry_budget: { budget_percent: { value: 20 }, min_retry_concurrency: 5 },
  }),
  ...policy(['proxyProtocol', 'proxyProtocol.version'], 'proxyProtocol: {version: V2}', socket, {
    name: 'envoy.transport_sockets.upstream_proxy_protocol',
    typed_config: { config: { version: 'V2' }, transport_socket: { name: 'envoy.transport_sockets.raw_buffer' } },
  }),

  // Outlier detection (§10.1).
  ...policy(
    ['outlierDetection', 'outlierDetection.consecutive5xxErrors'],
    'outlierDetection: {consecutive5xxErrors: 3}',
    outlier,
    {
      consecutive_5xx: 3,
      enforcing_consecutive_5xx: 100,
      enforcing_success_rate: 0,
    },
  ),
  ...policy('outlierDetection.consecutiveGatewayErrors', 'outlierDetection: {consecutiveGatewayErrors: 4}', outlier, {
    consecutive_gateway_failure: 4,
    enforcing_consecutive_gateway_failure: 100,
  }),
  ...policy(
    'outlierDetection.splitExternalLocalOriginErrors',
    'outlierDetection: {splitExternalLocalOriginErrors: true}',
    outlier,
    {
      split_external_local_origin_errors: true,
      enforcing_local_origin_success_rate: 0,
    },
  ),
  ...policy(
    'outlierDetection.consecutiveLocalOriginFailures',
    'outlierDetection: {splitExternalLocalOriginErrors: true, consecutiveLocalOriginFailures: 6}',
    outlier,
    { consecutive_local_origin_failure: 6, enforcing_consecutive_local_origin_failure: 100 },
  ),
  ...policy('outlierDetection.interval', 'outlierDetection: {interval: 2s}', outlier, { interval: '2s' }),
  ...policy('outlierDetection.baseEjectionTime', 'outlierDetection: {baseEjectionTime: 45s}', outlier, {
    base_ejection_time: '45s',
  }),
  ...policy('outlierDetection.maxEjectionPercent', 'outlierDetection: {maxEjectionPercent: 50}', outlier, {
    max_ejection_percent: 50,
  }),
  ...policy('outlierDetection.minHealthPercent', 'outlierDetection: {minHealthPercent: 40}', cluster, {
    common_lb_config: { healthy_panic_threshold: { value: 40 } },
  }),

  // TLS to the upstream (§7).
  ...policy(
    ['tls', 'tls.mode'],
    'tls: {mode: SIMPLE}',
    (made) => [made.cluster()?.transport_socket?.name, http(made), common(made)],
    [
      'envoy.transport_sockets.tls',
      { upstream_http_protocol_options: { auto_sni: true, auto_san_validation: true } },
      { combined_validation_context: { validation_context_sds_secret_config: { name: 'file-root:system' } } },
    ],
  ),
  ...policy(
    ['tls.clientCertificate', 'tls.privateKey'],
    'tls: {mode: MUTUAL, clientCertificate: /c.pem, privateKey: /k.pem}',
    common,
    { tls_certificate_sds_secret_configs: [{ name: 'file-cert:/c.pem~/k.pem' }] },
  ),
  ...policy('tls.caCertificates', 'tls: {mode: SIMPLE, caCertificates: /ca.pem}', common, {
    combined_validation_context: { validation_context_sds_secret_config: { name: 'file-root:/ca.pem' } },
  }),
  ...policy('tls.caCrl', 'tls: {mode: SIMPLE, caCertificates: /ca.pem, caCrl: /crl.pem}', common, {
    combined_validation_context: { default_validation_context: { crl: { filename: '/crl.pem' } } },
  }),
  ...policy('tls.credentialName', 'tls: {mode: MUTUAL, credentialName: partner}', common, {
    tls_certificate_sds_secret_configs: [{ name: 'kubernetes://partner' }],
    combined_validation_context: { validation_context_sds_secret_config: { name: 'kubernetes://partner-cacert' } },
  }),
  ...policy(
    'tls.subjectAltNames',
    'tls: {mode: SIMPLE, subjectAltNames: [a.example]}',
    (made) => [common(made), http(made)],
    [
      {
        combined_validation_context: {
          default_validation_context: { match_subject_alt_names: [{ exact: 'a.example' }] },
        },
      },
      { upstream_http_protocol_options: { auto_sni: true, auto_san_validation: undefined } },
    ],
  ),
  ...policy('tls.sni', 'tls: {mode: SIMPLE, sni: a.example}', (made) => [tlsContext(made), http(made)], [
    { sni: 'a.example' },
    undefined,
  ]),
  ...policy(
    'tls.insecureSkipVerify',
    'tls: {mode: SIMPLE, insecureSkipVerify: true}',
    (made) => [common(made), http(made)],
    [
      { combined_validation_context: undefined },
      { upstream_http_protocol_options: { auto_sni: true, auto_san_validation: undefined } },
    ],
  ),

  // What a TCP proxy takes from the rule of its first destination (§8.3, §1.4).
  tcp('connectionPool.tcp.idleTimeout', 'connectionPool: {tcp: {idleTimeout: 5s}}', { idle_timeout: '5s' }),
  tcp('connectionPool.tcp.maxConnectionDuration', 'connectionPool: {tcp: {maxConnectionDuration: 90s}}', {
    max_downstream_connection_duration: '90s',
  }),
  tcp('loadBalancer.consistentHash.useSourceIp', 'loadBalancer: {consistentHash: {useSourceIp: true}}', {
    hash_policy: [{ source_ip: {} }],
  }),
];
