// DestinationRule: spec validation.md §5.
import t from 'tap';
import { checkRows, said } from './support.js';

const MS = 'duration must be greater than 1ms';
const policy = (fields: string): string => `{host: web, trafficPolicy: ${fields}}`;

checkRows('the whole', 'DestinationRule', (fields) => `{${fields}}`, [
  ['host: "*"'],
  ['host: ""', 'empty domain name not allowed'],
  ['host: 10.0.0.1', 'domain name "0.0.1" invalid (top level domain "1" cannot be all-numeric)'],
  ['host: a, trafficPolicy: {}', 'traffic policy must have at least one field'],
  ['host: a, trafficPolicy: {portLevelSettings: []}', 'traffic policy must have at least one field'],
  ['host: a, trafficPolicy: {retryBudget: {percent: 10}}'],
  ['host: a, subsets: [{name: v1, labels: {}}]'],
  [
    'host: a, subsets: [{name: ""}, {name: a_b}, {name: a_b, labels: {a: "*"}}]',
    'subset name cannot be empty',
    'subset name is invalid: a_b',
    'duplicate subset names: a_b',
    'subset name is invalid: a_b',
    'invalid tag value: "*"',
  ],
  ['host: a, subsets: [{name: v, trafficPolicy: {outlierDetection: {consecutiveErrors: 1}}}]'],
  ['host: a, workloadSelector: {}', 'W workload selector specified without labels'],
  ['host: a, workloadSelector: {matchLabels: {"": b}}', 'empty key is not supported in selector: "=b"'],
  ['host: a, workloadSelector: {matchLabels: {a: b}}, exportTo: ["."]'],
  [
    'host: a, workloadSelector: {matchLabels: {a: b}}, exportTo: [other]',
    'destination rule with workload selector cannot have exportTo beyond current namespace',
  ],
  [
    'host: a, workloadSelector: {matchLabels: {a: b}}, exportTo: [".", other]',
    'destination rule with workload selector cannot have multiple entries in exportTo',
  ],
]);

checkRows('outlier detection and pools', 'DestinationRule', policy, [
  ['{outlierDetection: {interval: 0s, baseEjectionTime: 1500us}}', 'only durations to ms precision are supported', MS],
  [
    '{outlierDetection: {maxEjectionPercent: 101, minHealthPercent: -1}}',
    'percentage 101 is not in range 0..100',
    'percentage -1 is not in range 0..100',
  ],
  ['{outlierDetection: {consecutiveLocalOriginFailures: 3, splitExternalLocalOriginErrors: true}}'],
  ['{connectionPool: {}}', 'connection pool must have at least one field'],
  ['{connectionPool: {tcp: {idleTimeout: 0s}}}'],
  ['{connectionPool: {tcp: {idleTimeout: 999us}}}'],
  ['{connectionPool: {tcp: {idleTimeout: 1500us}}}', 'only durations to ms precision are supported'],
  ['{connectionPool: {tcp: {idleTimeout: -5s}}}', MS],
  [
    '{connectionPool: {tcp: {idleTimeout: "5"}}}',
    'error decoding configuration: bad Duration: time: missing unit in duration "5"',
  ],
  [
    '{connectionPool: {tcp: {idleTimeout: 1d}}}',
    'error decoding configuration: bad Duration: time: unknown unit "d" in duration "1d"',
  ],
  [
    '{connectionPool: {tcp: {idleTimeout: x}}}',
    'error decoding configuration: bad Duration: time: invalid duration "x"',
  ],
  ['{connectionPool: {http: {idleTimeout: 0s}}}', MS],
  [
    '{connectionPool: {http: {h2UpgradePolicy: UPGRADE, useClientProtocol: true, http2MaxRequests: -1, maxRequestsPerConnection: -1, maxConcurrentStreams: -1}}}',
    'http2 max requests must be non-negative',
    'max requests per connection must be non-negative',
    'use client protocol must not be true when H2UpgradePolicy is UPGRADE',
    'max concurrent streams must be non-negative',
  ],
  [
    '{connectionPool: {http: {http2KeepAlive: {}}}}',
    'http2 keepalive interval is required',
    'http2 keepalive timeout is required',
  ],
  [
    '{connectionPool: {tcp: {connectTimeout: 0s, maxConnectionDuration: 0s, tcpKeepalive: {time: 0s, interval: 0s}}}}',
    ...[MS, MS, MS, MS],
  ],
]);

const hash = (fields: string): string => policy(`{loadBalancer: {consistentHash: ${fields}}}`);
checkRows('consistent hash', 'DestinationRule', hash, [
  ['{httpCookie: {ttl: 0s}}', 'name required for HttpCookie'],
  [
    '{httpCookie: {name: a, attributes: [{name: x}, {name: x}, {}]}}',
    'duplicate cookie attribute name: x',
    'cookie attribute name cannot be empty',
  ],
  [
    '{useSourceIp: true, minimumRingSize: 5, ringHash: {}}',
    'only one of MinimumRingSize or Maglev/Ringhash can be specified',
    "W consistent hash MinimumRingSize is deprecated, use ConsistentHashLB's RingHash configuration instead",
  ],
  ['{maglev: {}}', 'tableSize must be set for maglev', 'tableSize must be a prime number for maglev'],
  ['{maglev: {tableSize: 5000011}}', 'tableSize must be less than 5000011 for maglev'],
  ['{maglev: {tableSize: 9007199254740881}}', 'tableSize must be less than 5000011 for maglev'],
  [
    '{maglev: {tableSize: 9007199254740880}}',
    'tableSize must be less than 5000011 for maglev',
    'tableSize must be a prime number for maglev',
  ],
  ...[1, 2, 3, 65537].map((size): [string] => [`{maglev: {tableSize: ${size}}}`]),
  ...[9, 15, 65536].map((size): [string, string] => [
    `{maglev: {tableSize: ${size}}}`,
    'tableSize must be a prime number for maglev',
  ]),
]);

const locality = (fields: string): string =>
  policy(`{outlierDetection: {}, loadBalancer: {localityLbSetting: ${fields}}}`);
const distribute = (to: string): string => `{distribute: [{from: eu, to: ${to}}]}`;
const OVERLAP = 'overlap with previous specified ones';
checkRows('localities', 'DestinationRule', locality, [
  [distribute('{eu/*: 40, us: 60}')],
  [distribute('{eu/a/*: 70, eu/b/*: 20}'), 'total locality weight 90 != 100'],
  [distribute('{eu: 0, us: 100}'), 'locality weight must be in range [1, 100]'],
  [distribute('{eu: 50, eu/a: 50}'), `locality eu/a ${OVERLAP}`],
  [distribute('{eu/a/*: 50, eu/a/b: 50}'), `locality eu/a/b ${OVERLAP}`],
  [distribute('{"*": 50, eu: 50}'), `locality eu ${OVERLAP}`],
  [distribute('{eu/a/x: 50, eu/a/y: 50}')],
  [distribute('{"e*/a": 100}'), "locality e*/a wildcard '*' number can not exceed 1 and must be in the end"],
  [distribute('{eu//x: 100}'), 'locality eu//x must not contain empty region/zone/subzone info'],
  ['{distribute: [{from: a, to: {b: 100}}, {from: a, to: {b: 100}}]}', `locality a ${OVERLAP}`],
  [
    '{distribute: [{from: a, to: {b: 1}}], failover: [{from: a, to: b}]}',
    "can not simultaneously specify 'distribute' and 'failover'",
  ],
  [
    '{failover: [{from: a, to: b}], failoverPriority: [x, topology.kubernetes.io/zone]}',
    "can not simultaneously set 'failover' and topology label 'topology.kubernetes.io/zone' in 'failover_priority'",
  ],
  [
    '{failover: [{from: a, to: a}, {from: a/b, to: "c*"}]}',
    'locality lb failover settings must specify different regions',
    'locality lb failover only specify region',
    "locality lb failover region should not contain '*' wildcard",
  ],
]);
checkRows('balancers', 'DestinationRule', (fields) => policy(`{loadBalancer: ${fields}}`), [
  ['{localityLbSetting: {failoverPriority: [a]}}', 'W outlier detection policy must be provided for failover'],
  [
    '{localityLbSetting: {}, zoneAwareLbSetting: {}}',
    'only one of localityLbSetting and zoneAwareLbSetting can be set',
  ],
  [
    '{zoneAwareLbSetting: {failoverPriority: [topology.istio.io/subzone], failover: [{from: a, to: a}, {from: a/b, to: "c*"}]}}',
    "'failover_priority' for zone aware lb must not use topology label 'topology.istio.io/subzone'; region- and zone-level routing are handled automatically",
    'zone aware lb failover settings must specify different regions',
    'zone aware lb failover only specifies region; zone and subzone failover are handled automatically',
    "zone aware lb failover region should not contain '*' wildcard",
    'W outlier detection policy must be provided for failover',
  ],
  ['{warmup: {}}', 'duration is required'],
  ['{warmup: {duration: 10s, aggression: 0, minimumPercent: 100}}', 'aggression should be greater than 0'],
]);

checkRows('tls', 'DestinationRule', (fields) => policy(`{tls: ${fields}}`), [
  ['{mode: SIMPLE}'],
  ['{mode: MUTUAL}', 'client certificate required for mutual tls', 'private key required for mutual tls'],
  ['{mode: MUTUAL, credentialName: c}'],
  [
    '{mode: MUTUAL, credentialName: c, caCrl: /c}',
    'cannot specify client certificates or CA certificate or CA CRL If credentialName is set',
  ],
  ['{mode: ISTIO_MUTUAL, clientCertificate: /c}'],
  ['{mode: SIMPLE, credentialName: "configmap://default/ca"}'],
  [
    '{mode: SIMPLE, credentialName: "configmap://ca"}',
    'invalid configmap:// credentialName: invalid resource name "configmap://ca". Expected namespace and name',
  ],
  [
    '{mode: SIMPLE, credentialName: "configmap:///ca"}',
    'invalid configmap:// credentialName: invalid resource name "configmap:///ca". Expected namespace',
  ],
  [
    '{mode: SIMPLE, credentialName: "configmap://default/"}',
    'invalid configmap:// credentialName: invalid resource name "configmap://default/". Expected name',
  ],
  [
    '{mode: SIMPLE, insecureSkipVerify: true, subjectAltNames: [a]}',
    'cannot specify CaCertificates or CredentialName or SubjectAltNames when InsecureSkipVerify is set true',
  ],
  [
    '{mode: MUTUAL, insecureSkipVerify: true, caCertificates: /c, clientCertificate: /c, privateKey: /k}',
    'cannot specify CaCertificates or SubjectAltNames when InsecureSkipVerify is set true',
  ],
  ['{mode: SIMPLE, insecureSkipVerify: true}'],
]);

checkRows('ports, tunnel, proxy protocol', 'DestinationRule', policy, [
  ['{portLevelSettings: [{port: {}, tls: {mode: SIMPLE}}]}'],
  [
    '{portLevelSettings: [{}]}',
    'portTrafficPolicy must have valid port',
    'port traffic policy must have at least one field',
  ],
  ['{portLevelSettings: [{port: {number: 1}, connectionPool: {}}]}', 'connection pool must have at least one field'],
  ['{portLevelSettings: [{port: {number: 1}, outlierDetection: {consecutiveErrors: 1}}]}'],
  ['{tunnel: {targetHost: a.test, targetPort: 443, protocol: POST}}'],
  [
    '{tunnel: {targetHost: a_b, targetPort: 0, protocol: GET}}',
    'tunnel protocol must be "CONNECT" or "POST"',
    'tunnel target host must be valid FQDN or IP address: domain name "a_b" invalid (label "a_b" invalid); a_b is not a valid IP',
    'tunnel target port is invalid: port number 0 must be in the range 1..65535',
  ],
  ['{tunnel: {}, proxyProtocol: {}, connectionPool: {}}', 'tunnel and proxyProtocol must not be set together'],
]);
t.test('a warning of the policy itself is kept', async (t) => {
  t.same(said('DestinationRule', policy('{outlierDetection: {consecutiveErrors: 1}}')), [
    'W outlier detection consecutive errors is deprecated, use consecutiveGatewayErrors or consecutive5xxErrors instead',
  ]);
});
