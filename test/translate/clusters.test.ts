// Clusters of small configurations: policy merging, every block of a DestinationRule, what is not built, diagnostics.
import t from 'tap';
import { loadConfig } from '../../src/config/load.js';
import { collect, type Diagnostic } from '../../src/diagnostics/diagnostic.js';
import { OriginTable } from '../../src/diagnostics/origin.js';
import { buildPushContext } from '../../src/registry/build-push-context.js';
import type { PushContextOptions } from '../../src/registry/push-context.js';
import { type BuiltClusters, buildClusters } from '../../src/translate/clusters/clusters.js';
import { reportEmptyClusters } from '../../src/translate/clusters/empty-clusters.js';
import { mergeGateways } from '../../src/translate/gateway-merge.js';
import { type Cluster, HTTP_PROTOCOL_OPTIONS, type HttpProtocolOptions } from '../../src/xds/index.js';

interface Built extends BuiltClusters {
  readonly diagnostics: readonly Diagnostic[];
}

interface Setting extends PushContextOptions {
  readonly mesh?: string;
  readonly region?: string;
}

function build(yaml: string, { mesh, region, ...options }: Setting = {}): Built {
  const diagnostics: Diagnostic[] = [];
  const loaded = loadConfig(
    [{ file: 'a.yaml', text: yaml, named: true }],
    mesh === undefined ? {} : { meshConfig: { file: 'mesh.yaml', text: mesh, named: true } },
  );
  t.same(
    loaded.diagnostics.filter(({ severity }) => severity === 'error'),
    [],
    'the YAML is accepted',
  );
  const context = buildPushContext(
    loaded.store,
    {
      namespace: 'istio-system',
      labels: { istio: 'ingressgateway' },
      ipAddress: '127.0.0.2',
      locality: region === undefined ? {} : { region },
      metadata: {},
      domain: 'cluster.local',
    },
    options,
  );
  const report = collect(diagnostics);
  const gateways = mergeGateways(context, report);
  const built = buildClusters(context, gateways, new OriginTable(), report);
  reportEmptyClusters(context, built, report);
  return { ...built, diagnostics };
}

const SERVICES = `
apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop}
spec:
  selector: {app: web}
  ports: [{name: http, port: 80}, {name: http-alt, port: 8080}, {name: grpc, port: 90}, {name: dns, port: 53, protocol: UDP}]
---
apiVersion: v1
kind: Pod
metadata: {name: web-1, namespace: shop, labels: {app: web, version: v1}}
status: {podIP: 10.0.0.1}
`;

const WEB = 'web.shop.svc.cluster.local';

function rule(spec: string, name = 'r', namespace = 'shop'): string {
  return `\n---\napiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: {name: ${name}, namespace: ${namespace}}\nspec: {${spec}}\n`;
}

function entry(spec: string): string {
  return `\n---\napiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata: {name: e, namespace: shop}\nspec: {${spec}}\n`;
}

/** Some fields of one cluster; `undefined` = no such cluster. */
function checkCluster(
  name: string,
  yaml: string,
  clusterName: string,
  want: Partial<Cluster> | undefined,
  setting: Setting = {},
): void {
  const cluster = build(yaml, setting).clusters.find((candidate) => candidate.name === clusterName);
  if (cluster === undefined || want === undefined) {
    t.equal(cluster?.name, want === undefined ? undefined : clusterName, name);
    return;
  }
  const got = Object.fromEntries(Object.keys(want).map((key) => [key, cluster[key as keyof Cluster]]));
  t.strictSame(got, want, name);
}

/** The trafficPolicy of the web service on port 80, flow style. */
function checkPolicy(name: string, policy: string, want: Partial<Cluster>, setting: Setting = {}): void {
  checkCluster(name, SERVICES + rule(`host: web, trafficPolicy: {${policy}}`), `outbound|80||${WEB}`, want, setting);
}

function protocolOptions(options: HttpProtocolOptions): Partial<Cluster> {
  return { typed_extension_protocol_options: { [HTTP_PROTOCOL_OPTIONS]: options } };
}

const HTTP1 = { explicit_http_config: { http_protocol_options: {} } };
const HTTP2 = { explicit_http_config: { http2_protocol_options: {} } };

t.test('which clusters there are', (t) => {
  const names = (yaml: string, setting?: Setting): readonly string[] =>
    build(yaml, setting)
      .clusters.map(({ name }) => name)
      .filter((name) => !name.includes('istio-ingressgateway'));
  t.same(
    names(SERVICES + rule('host: web, subsets: [{name: v1, labels: {version: v1}}]')),
    [53, 80, 8080, 90]
      .filter((port) => port !== 53)
      .flatMap((port) => [`outbound|${port}|v1|${WEB}`, `outbound|${port}||${WEB}`])
      .sort(),
    'each port but UDP, each subset',
  );
  const dns = 'hosts: [a.test], ports: [{number: 80, name: http, protocol: HTTP}], resolution: DNS';
  t.same(
    names(entry(dns) + rule('host: a.test, subsets: [{name: v1, labels: {v: "1"}}, {name: all}]')),
    ['outbound|80|all|a.test', 'outbound|80||a.test'],
    'a DNS subset that selects nothing is not built',
  );
  t.same(
    names(entry(dns.replace('DNS', 'STATIC')) + rule('host: a.test, subsets: [{name: v1, labels: {v: "1"}}]')),
    ['outbound|80|v1|a.test', 'outbound|80||a.test'],
    'an EDS one is, empty',
  );
  const gateway =
    '\n---\napiVersion: networking.istio.io/v1\nkind: Gateway\nmetadata: {name: ew, namespace: shop}\nspec: {selector: {istio: ingressgateway}, servers: [{port: {number: 443, name: tls, protocol: TLS}, hosts: ["*.local"], tls: {mode: AUTO_PASSTHROUGH}}]}\n';
  t.same(
    names(SERVICES + entry(dns) + gateway).filter((name) => name.startsWith('outbound_')),
    [`outbound_.8080_._.${WEB}`, `outbound_.80_._.${WEB}`, `outbound_.90_._.${WEB}`],
    'AUTO_PASSTHROUGH: services of the mesh only',
  );
  const route =
    '\napiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {name: v, namespace: shop}\nspec: {hosts: ["*"], gateways: [gw], http: [{route: [{destination: {host: web, subset: v7}}]}]}\n';
  t.same(
    names(route, { assumeServices: true }),
    [`outbound|80|v7|${WEB}`, `outbound|80||${WEB}`],
    'an assumed service has the subsets that routes name',
  );
  t.end();
});

t.test('which policy counts', (t) => {
  const merged =
    SERVICES +
    rule(
      'host: web, trafficPolicy: {loadBalancer: {simple: RANDOM}, connectionPool: {tcp: {connectTimeout: 3s}}, portLevelSettings: [{port: {number: 8080}, connectionPool: {tcp: {maxConnections: 5}}}]}, subsets: [{name: v1, trafficPolicy: {loadBalancer: {simple: ROUND_ROBIN}}}, {name: v2, trafficPolicy: {loadBalancer: {simple: ROUND_ROBIN}, portLevelSettings: [{port: {number: 80}, connectionPool: {tcp: {maxConnections: 7}}}]}}, {name: v3}]',
    );
  const table: readonly (readonly [
    cluster: string,
    policy: string | undefined,
    timeout: string,
    connections: number,
  ])[] = [
    ['80|', 'RANDOM', '3s', 4294967295],
    ['8080|', 'LEAST_REQUEST', '10s', 5],
    ['80|v1', undefined, '3s', 4294967295],
    ['8080|v1', undefined, '10s', 5],
    // The subset's own port level resets what it leaves out.
    ['80|v2', 'LEAST_REQUEST', '10s', 7],
    ['8080|v2', undefined, '10s', 5],
    ['80|v3', 'RANDOM', '3s', 4294967295],
  ];
  const { clusters } = build(merged);
  for (const [key, policy, timeout, connections] of table) {
    const cluster = clusters.find(({ name }) => name === `outbound|${key}|${WEB}`);
    t.same(
      [cluster?.lb_policy, cluster?.connect_timeout, cluster?.circuit_breakers?.thresholds[0]?.max_connections],
      [policy, timeout, connections],
      key,
    );
  }
  const mesh = 'connectTimeout: 2s\ndefaultTrafficPolicy: {connectionPool: {tcp: {maxConnections: 9}}}';
  const limited = {
    max_connections: 9,
    max_pending_requests: 4294967295,
    max_requests: 4294967295,
    max_retries: 4294967295,
  };
  checkCluster(
    'mesh defaults',
    SERVICES,
    `outbound|80||${WEB}`,
    { connect_timeout: '2s', circuit_breakers: { thresholds: [limited] } },
    { mesh },
  );
  checkPolicy(
    'a written block replaces the mesh default',
    'connectionPool: {http: {maxRetries: 1}}',
    {
      circuit_breakers: { thresholds: [{ ...limited, max_connections: 4294967295, max_retries: 1 }] },
    },
    { mesh },
  );
  t.end();
});

t.test('retry budget', (t) => {
  checkPolicy('replaces the limit of retries', 'retryBudget: {percent: 25}', {
    circuit_breakers: {
      thresholds: [
        {
          max_connections: 4294967295,
          max_pending_requests: 4294967295,
          max_requests: 4294967295,
          max_retries: 4294967295,
          retry_budget: { budget_percent: { value: 25 }, min_retry_concurrency: 3 },
        },
      ],
    },
  });
  checkPolicy('over an interval', 'retryBudget: {minRetryConcurrency: 1, budgetInterval: 10s}', {
    circuit_breakers: {
      thresholds: [
        {
          max_connections: 4294967295,
          max_pending_requests: 4294967295,
          max_requests: 4294967295,
          max_retries: 4294967295,
          retry_budget: { budget_percent: { value: 20 }, min_retry_concurrency: 1, budget_interval: '10s' },
        },
      ],
    },
  });
  t.end();
});

t.test('HTTP version and pools', (t) => {
  checkCluster('http', SERVICES, `outbound|80||${WEB}`, { typed_extension_protocol_options: undefined } as never);
  checkCluster('grpc', SERVICES, `outbound|90||${WEB}`, protocolOptions(HTTP2));
  const http = (settings: string): string => `connectionPool: {http: {${settings}}}`;
  checkPolicy('upgrade by rule', http('h2UpgradePolicy: UPGRADE'), protocolOptions(HTTP2));
  checkPolicy(
    'client protocol',
    http('useClientProtocol: true'),
    protocolOptions({
      use_downstream_protocol_config: { http_protocol_options: {}, http2_protocol_options: {} },
    }),
  );
  checkCluster('upgrade by mesh', SERVICES, `outbound|80||${WEB}`, protocolOptions(HTTP2), {
    mesh: 'h2UpgradePolicy: UPGRADE',
  });
  checkPolicy(
    'not if the rule says so',
    http('h2UpgradePolicy: DO_NOT_UPGRADE'),
    { typed_extension_protocol_options: undefined } as never,
    { mesh: 'h2UpgradePolicy: UPGRADE' },
  );
  checkPolicy(
    'idle timeout and requests',
    http('idleTimeout: 1500ms, maxRequestsPerConnection: 2'),
    protocolOptions({
      common_http_protocol_options: { idle_timeout: '1.500s', max_requests_per_connection: 2 },
      ...HTTP1,
    }),
  );
  checkPolicy(
    'the idle timeout of tcp stands in',
    'connectionPool: {tcp: {idleTimeout: 5s}}',
    protocolOptions({
      common_http_protocol_options: { idle_timeout: '5s' },
      ...HTTP1,
    }),
  );
  checkPolicy('keepalive: whole seconds', 'connectionPool: {tcp: {tcpKeepalive: {time: 7500ms, probes: 3}}}', {
    upstream_connection_options: { tcp_keepalive: { keepalive_probes: 3, keepalive_time: 7 } },
  });
  checkPolicy(
    'PING frames',
    'connectionPool: {http: {h2UpgradePolicy: UPGRADE, http2KeepAlive: {interval: 10s, timeout: 3s}}}',
    protocolOptions({
      explicit_http_config: {
        http2_protocol_options: { connection_keepalive: { interval: '10s', timeout: '3s' } },
      },
    }),
  );
  t.end();
});

t.test('load balancing and outlier detection', (t) => {
  const balancer = (settings: string): string => `loadBalancer: {${settings}}`;
  checkPolicy('ring hash', balancer('consistentHash: {useSourceIp: true}'), {
    lb_policy: 'RING_HASH',
    ring_hash_lb_config: { minimum_ring_size: '1024' },
  });
  checkPolicy('maglev', balancer('consistentHash: {httpHeaderName: x, maglev: {tableSize: 1009}}'), {
    lb_policy: 'MAGLEV',
    maglev_lb_config: { table_size: '1009' },
  });
  checkPolicy('passthrough', balancer('simple: PASSTHROUGH'), { type: 'ORIGINAL_DST', lb_policy: 'CLUSTER_PROVIDED' });
  checkPolicy('warm-up', balancer('simple: LEAST_REQUEST, warmup: {duration: 30s, aggression: 2}'), {
    least_request_lb_config: {
      slow_start_config: {
        slow_start_window: '30s',
        aggression: { default_value: 2 },
        min_weight_percent: { value: 10 },
      },
    },
  });
  checkPolicy('an empty block switches outlier detection on', 'outlierDetection: {}', {
    outlier_detection: { enforcing_success_rate: 0 },
    common_lb_config: { healthy_panic_threshold: {} },
  });
  checkPolicy(
    'gateway errors, zero of the others, panic',
    'outlierDetection: {consecutive5xxErrors: 0, consecutiveGatewayErrors: 3, minHealthPercent: 40}',
    {
      outlier_detection: {
        consecutive_5xx: 0,
        enforcing_consecutive_5xx: 0,
        consecutive_gateway_failure: 3,
        enforcing_consecutive_gateway_failure: 100,
        enforcing_success_rate: 0,
      },
      common_lb_config: { healthy_panic_threshold: { value: 40 } },
    },
  );
  const status = (code: number) => ({
    http_response_headers_match: { headers: [{ name: ':status', string_match: { exact: String(code) } }] },
  });
  checkPolicy('one error status', 'outlierDetection: {outlierDetectionHttpErrorCodes: [404]}', {
    ...protocolOptions({ ...HTTP1, outlier_detection: { error_matcher: status(404) } }),
  });
  checkPolicy('several error statuses', 'outlierDetection: {outlierDetectionHttpErrorCodes: [404, 502]}', {
    ...protocolOptions({
      ...HTTP1,
      outlier_detection: { error_matcher: { or_match: { rules: [status(404), status(502)] } } },
    }),
  });
  const localities = entry(
    'hosts: [a.test], ports: [{number: 80, name: http, protocol: HTTP}], resolution: STATIC, endpoints: [{address: 10.0.0.1, locality: us/us-1/a}, {address: 10.0.0.2, locality: eu/eu-1/a}, {address: 10.0.0.3}]',
  );
  const shape = (yaml: string, setting?: Setting): readonly string[] =>
    (build(yaml, setting).endpoints['outbound|80||a.test'] ?? []).map(
      ({ address, priority, localityWeight }) => `${address} ${priority} ${localityWeight ?? '-'}`,
    );
  t.same(
    shape(localities, { region: 'eu' }),
    ['10.0.0.3:80 0 -', '10.0.0.2:80 0 -', '10.0.0.1:80 0 -'],
    'no outlier detection: flat, by locality',
  );
  const detection = 'outlierDetection: {}';
  t.same(
    shape(localities + rule(`host: a.test, trafficPolicy: {${detection}}`), { region: 'eu' }),
    ['10.0.0.3:80 1 -', '10.0.0.2:80 0 -', '10.0.0.1:80 1 -'],
    'outlier detection turns on failover',
  );
  t.same(
    shape(
      localities +
        rule(
          'host: a.test, trafficPolicy: {loadBalancer: {localityLbSetting: {distribute: [{from: "*", to: {"us/*": 30, "eu/*": 70}}]}}}',
        ),
    ),
    ['10.0.0.2:80 0 70', '10.0.0.1:80 0 30'],
    'distribute leaves out what it does not name',
  );
  const zoneAware = (setting: string): string =>
    localities + rule(`host: a.test, trafficPolicy: {loadBalancer: {zoneAwareLbSetting: ${setting}}}`);
  t.same(
    shape(zoneAware('{enabled: true}'), { region: 'eu' }),
    ['10.0.0.3:80 1 -', '10.0.0.2:80 0 -', '10.0.0.1:80 1 -'],
    'zone aware: the own region first, without outlier detection',
  );
  t.same(
    shape(zoneAware('{failover: [{from: eu, to: us}]}'), { region: 'eu' }),
    ['10.0.0.3:80 2 -', '10.0.0.2:80 0 -', '10.0.0.1:80 1 -'],
    'zone aware: then where failover leads',
  );
  t.same(
    shape(localities, { region: 'us', mesh: 'zoneAwareLbSetting: {enabled: true}' }),
    ['10.0.0.3:80 1 -', '10.0.0.2:80 1 -', '10.0.0.1:80 0 -'],
    'zone aware: of the mesh',
  );
  t.same(
    shape(zoneAware('{enabled: false}'), { region: 'us', mesh: 'zoneAwareLbSetting: {enabled: true}' }),
    ['10.0.0.3:80 0 -', '10.0.0.2:80 0 -', '10.0.0.1:80 0 -'],
    'zone aware: switched off by the rule',
  );
  t.end();
});

t.test('TLS', (t) => {
  const socketOf = (policy: string, mesh?: string): unknown => {
    const cluster = build(
      SERVICES + rule(`host: web, trafficPolicy: {${policy}}`),
      mesh === undefined ? {} : { mesh },
    ).clusters.find(({ name }) => name === `outbound|80||${WEB}`);
    return cluster?.transport_socket ?? (cluster?.transport_socket_matches === undefined ? 'plaintext' : 'by endpoint');
  };
  t.equal(socketOf('loadBalancer: {simple: RANDOM}'), 'by endpoint', 'auto mTLS');
  t.equal(socketOf('loadBalancer: {simple: RANDOM}', 'enableAutoMtls: false'), 'plaintext', 'auto mTLS off');
  t.equal(socketOf('tls: {}'), 'plaintext', 'an empty block is DISABLE');
  const parameters = { tls_minimum_protocol_version: 'TLSv1_2', tls_maximum_protocol_version: 'TLSv1_3' };
  t.strictSame(
    socketOf('tls: {mode: SIMPLE, sni: a.test, subjectAltNames: [b.test]}'),
    {
      name: 'envoy.transport_sockets.tls',
      typed_config: {
        common_tls_context: {
          tls_params: parameters,
          combined_validation_context: {
            default_validation_context: { match_subject_alt_names: [{ exact: 'b.test' }] },
            validation_context_sds_secret_config: { name: 'file-root:system', sds_config: 'sds-grpc' },
          },
        },
        sni: 'a.test',
      },
    },
    'SIMPLE without CA trusts the system',
  );
  t.strictSame(
    socketOf(
      'tls: {mode: MUTUAL, clientCertificate: /c, privateKey: /k, caCertificates: /ca}, connectionPool: {http: {h2UpgradePolicy: UPGRADE}}',
    ),
    {
      name: 'envoy.transport_sockets.tls',
      typed_config: {
        common_tls_context: {
          tls_params: parameters,
          alpn_protocols: ['h2'],
          tls_certificate_sds_secret_configs: [{ name: 'file-cert:/c~/k', sds_config: 'sds-grpc' }],
          combined_validation_context: {
            default_validation_context: {},
            validation_context_sds_secret_config: { name: 'file-root:/ca', sds_config: 'sds-grpc' },
          },
        },
      },
    },
    'MUTUAL from files, HTTP/2',
  );
  checkPolicy(
    'the name of the Host is checked unless names are listed',
    'tls: {mode: SIMPLE}',
    protocolOptions({
      upstream_http_protocol_options: { auto_sni: true, auto_san_validation: true },
      ...HTTP1,
    }),
  );
  checkPolicy(
    'listed names',
    'tls: {mode: SIMPLE, subjectAltNames: [a]}',
    protocolOptions({
      upstream_http_protocol_options: { auto_sni: true },
      ...HTTP1,
    }),
  );
  const matches = build(SERVICES + rule('host: web, trafficPolicy: {proxyProtocol: {version: V2}}')).clusters.find(
    ({ name }) => name === `outbound|80||${WEB}`,
  )?.transport_socket_matches;
  t.same(
    matches?.map(({ transport_socket }) => transport_socket.name),
    ['envoy.transport_sockets.upstream_proxy_protocol', 'envoy.transport_sockets.upstream_proxy_protocol'],
    'a PROXY header goes before either socket of auto mTLS',
  );
  t.end();
});

t.test('diagnostics', (t) => {
  const gateway =
    '\n---\napiVersion: networking.istio.io/v1\nkind: Gateway\nmetadata: {name: gw, namespace: shop}\nspec: {selector: {istio: ingressgateway}, servers: [{port: {number: 80, name: http, protocol: HTTP}, hosts: ["*"]}]}\n';
  const route = (destination: string): string =>
    `${gateway}---\napiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {name: v, namespace: shop}\nspec:\n  hosts: ["*"]\n  gateways: [gw]\n  http:\n  - route: [{destination: {${destination}}}]\n`;
  const check = (name: string, yaml: string, want: readonly string[]): void => {
    const got = build(yaml).diagnostics.map(
      ({ code, message, help }) => `${code} ${message}${help === undefined ? '' : ` (${help})`}`,
    );
    t.same(got, want, name);
  };
  check('nothing to say', SERVICES + route('host: web, port: {number: 80}'), []);
  check('unknown host', SERVICES + route('host: web.shop, port: {number: 80}'), [
    `PST0401 no Service or ServiceEntry has the host web.shop (a host with a dot is taken literally; write ${WEB})`,
  ]);
  check('unknown port', SERVICES + route('host: web, port: {number: 81}'), [
    `PST0403 ${WEB} has no port 81 (it has 80, 8080, 90)`,
  ]);
  check('unknown subset', SERVICES + route('host: web, port: {number: 80}, subset: v9'), [
    `PST0404 no DestinationRule that counts on this gateway declares the subset v9 of ${WEB}`,
  ]);
  check(
    'empty subset',
    SERVICES +
      rule('host: web, subsets: [{name: v9, labels: {version: v9}}]') +
      route('host: web, port: {number: 80}, subset: v9'),
    [`PST0406 cluster outbound|80|v9|${WEB} has no endpoint: no endpoint of the service carries the labels version=v9`],
  );
  check(
    'empty service',
    SERVICES.replace('app: web, version', 'app: other, version') + route('host: web, port: {number: 80}'),
    [
      `PST0405 cluster outbound|80||${WEB} has no endpoint: the selector of Service shop/web (app=web) matches no Pod and no WorkloadEntry`,
    ],
  );
  check('a Pod without address', SERVICES.replace(/status: .*/, '') + route('host: web, port: {number: 80}'), [
    'PST0416 Pod shop/web-1 has no status.podIP, so it is no endpoint of Service shop/web (write status.podIP, or map the service with --upstream)',
    `PST0405 cluster outbound|80||${WEB} has no endpoint: no Pod of Service shop/web has an address`,
  ]);
  check('a rule in a third namespace', SERVICES + rule(`host: ${WEB}, subsets: [{name: a}]`, 'r', 'ops'), [
    `PST0411 DestinationRule ops/r does not count for ${WEB} on this gateway: it is not exported to istio-system, or its namespace is neither shop nor the root namespace`,
  ]);
  check('a rule for nobody', SERVICES + rule('host: web', 'r', 'istio-system'), [
    'PST0410 DestinationRule istio-system/r has no effect: no service has the host web.istio-system.svc.cluster.local',
  ]);
  check(
    'a lost policy',
    SERVICES +
      rule('host: web, trafficPolicy: {loadBalancer: {simple: RANDOM}}', 'a') +
      rule('host: web, trafficPolicy: {tls: {}}', 'b'),
    ['PST0412 trafficPolicy of DestinationRule shop/b is ignored: shop/a has one for the same host'],
  );
  check('an ejection that never comes', SERVICES + rule('host: web, trafficPolicy: {outlierDetection: {}}'), [
    `PST0413 outlierDetection can never eject an endpoint of ${WEB}: 10 % of 1 is less than one (raise maxEjectionPercent)`,
  ]);
  t.end();
});
