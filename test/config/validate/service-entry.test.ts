// ServiceEntry and WorkloadEntry: spec validation.md §6; Sidecar, PeerAuthentication and EnvoyFilter: Istio's source.
import { checkRows } from './support.js';

const TCP_WARNING =
  'W addresses are required for ports serving TCP (or unset) protocol when IP Autoallocation is not enabled';
const MANY = 'multiple hosts provided with non-HTTP, non-TLS ports';
const fqdn = (mode: string, host: string): string =>
  `hosts must be FQDN or contain only prefix wildcards if no endpoints are provided for resolution mode ${mode}, domain name "${host}" invalid (label "*" invalid)`;

checkRows('ServiceEntry', 'ServiceEntry', (fields) => `{${fields}}`, [
  ['hosts: [a]'],
  ['hosts: ["*"]', 'invalid host *'],
  ['hosts: ["*api.test"]', 'W partial wildcard "*api.test" not allowed'],
  [
    'hosts: [a.test], resolution: STATIC, workloadSelector: {}',
    'W service entry: workload selector specified without labels, will be applied to all services in namespace',
  ],
  [
    'hosts: [a.test], workloadSelector: {labels: {a: b}}',
    'W workloadSelector should not be set when resolution mode is NONE',
  ],
  [
    'hosts: [a.test], addresses: [10.0.0.1/33, a.test, 10.0.0.0/8]',
    '10.0.0.1/33 is not a valid CIDR block',
    'a.test is not a valid IP',
  ],
  [
    'hosts: [a.test], addresses: [10.0.0.0/8], resolution: DNS',
    'CIDR addresses are allowed only for NONE/STATIC resolution types',
  ],
  [
    'hosts: [a.test], resolution: STATIC, ports: [{number: 80, name: a, protocol: HTTP}, {number: 80, name: a, protocol: HTTP, targetPort: 70000}]',
    'service entry port name "a" already defined',
    'service entry port 80 already defined',
    'port number 70000 must be in the range 1..65535',
  ],
  [
    'hosts: [a.test], ports: [{number: 80, name: a_b, protocol: QUIC}]',
    'invalid port name: a_b',
    'unsupported protocol: QUIC',
  ],
  ['hosts: [a.test], ports: [{number: 0, name: a, protocol: HTTP}]', 'port number 0 must be in the range 1..65535'],
  ['hosts: [a.test], ports: [{number: 80, name: a}]', TCP_WARNING],
  ['hosts: [a.test], ports: [{number: 80, name: a, protocol: tcp}]'],
  ['hosts: [a.test], ports: [{number: 80, name: a, protocol: TCP}], resolution: STATIC'],
  ['hosts: [a.test], ports: [{number: 80, name: a, protocol: TCP}], addresses: [10.0.0.1]'],
  ['hosts: [a.test], endpoints: [{address: 10.0.0.1}]', 'no endpoints should be provided for resolution type none'],
  [
    'hosts: [a.test], resolution: STATIC, endpoints: [{address: a.test}]',
    'endpoint address "a.test" is not a valid IP address',
  ],
  ['hosts: [a.test], resolution: STATIC, endpoints: [{}]', 'address is required'],
  ['hosts: [a.test], resolution: STATIC, endpoints: [{network: far}]', 'W address is unset with network "far"'],
  [
    'hosts: [a.test], resolution: STATIC, ports: [{number: 80, name: a, protocol: HTTP}], endpoints: [{address: "unix:///s", ports: {b: 1}}]',
    'unix endpoint unix:///s must not include ports',
    'endpoint port 1 is not defined by the service entry',
  ],
  [
    'hosts: [a.test], resolution: STATIC, endpoints: [{address: "unix://@s"}]',
    'exactly 1 service port required for unix endpoints',
  ],
  ['hosts: ["*.x.com", b.test], resolution: DNS', fqdn('DNS', '*.x.com')],
  ['hosts: ["*.x.com"], resolution: DNS, endpoints: [{address: a.test}]'],
  [
    'hosts: [a.test], resolution: DNS_ROUND_ROBIN, endpoints: [{address: a.test}, {address: b.test}]',
    'there must only be 0 or 1 endpoint for resolution mode DNS_ROUND_ROBIN',
  ],
  [
    'hosts: [a.test], resolution: DNS, endpoints: [{address: "a b"}]',
    'endpoint address "a b" is not a valid FQDN or an IP address',
  ],
  [
    'hosts: [a.test, b.test], resolution: DNS, addresses: [10.0.0.1], ports: [{number: 443, name: a, protocol: TLS}]',
    'W service entry can not have more than one host specified simultaneously with address and tcp port',
  ],
  ['hosts: [a.test, b.test], resolution: STATIC, ports: [{number: 80, name: a}]', MANY],
  ['hosts: [a.test, b.test], resolution: NONE, ports: [{number: 80, name: a, protocol: MONGO}]'],
  [
    'hosts: ["*.x.com"], resolution: DYNAMIC_DNS, addresses: [10.0.0.1], endpoints: [{address: 10.0.0.1}], ports: [{number: 80, name: a, protocol: GRPC}]',
    'addresses cannot be set for resolution type DYNAMIC_DNS. HTTP route domains will only be generatedfrom the hosts field values',
    'endpoints cannot be set for resolution type DYNAMIC_DNS. Destination IP address determined from hostsfield values',
  ],
  [
    'hosts: ["*api.test"], resolution: DYNAMIC_DNS, ports: [{number: 80, name: a, protocol: https}]',
    'only HTTP, TLS, GRPC, and HTTP2 protocols are supported for resolution type DYNAMIC_DNS',
  ],
  ['hosts: [a.test], exportTo: ["~"]'],
  ['hosts: [a.test], exportTo: ["~", a]', 'cannot export service entry to no one (~) and someone'],
]);

checkRows('WorkloadEntry', 'WorkloadEntry', (fields) => `{${fields}}`, [
  ['address: vm.example.com, ports: {http: 8080}'],
  ['labels: {a: b}', 'address is required'],
  ['network: far', 'W address is unset with network "far"'],
  ['address: "unix://a"', 'a is not an absolute path to a file'],
  ['address: "a b"', 'endpoint address "a b" is not a valid FQDN or an IP address'],
  [
    'address: 10.0.0.1, ports: {a_b: 0}, labels: {"-": x}',
    'invalid port name: a_b',
    'port number 0 must be in the range 1..65535',
    'invalid tag key: "-"',
  ],
]);

checkRows('Sidecar', 'Sidecar', (fields) => `{${fields}}`, [
  ['workloadSelector: {labels: {a: b}}', 'sidecar: empty configuration provided'],
  ['egress: [{hosts: ["./*"]}]'],
  ['egress: [{hosts: [a.test]}]', 'host must be of form namespace/dnsName'],
  ['egress: [{}]', 'sidecar: egress listener must contain at least one host'],
  ['egress: [{hosts: ["*/*", "a/*"]}]', 'W `*/*` host select all resources, no other hosts can be added'],
  ['egress: [{hosts: [a/b.test, a/b.test]}]', 'W duplicated egress host: a/b.test'],
  ['egress: [{hosts: ["a_b/x.test", "~/*"]}]', 'invalid namespace value "a_b" in sidecar'],
  [
    'egress: [{hosts: ["*/*"]}, {port: {number: 80, protocol: HTTP}, hosts: ["*/*"]}]',
    'sidecar: the egress listener with empty port should be the last listener in the list',
  ],
  ['ingress: [{}]', 'sidecar: port is required for ingress listeners'],
  ['ingress: [{port: {number: 80, protocol: HTTP, name: a}, defaultEndpoint: "127.0.0.1:80"}]'],
  [
    'ingress: [{port: {number: 80, protocol: HTTP, name: a}, defaultEndpoint: "10.0.0.1:x"}]',
    'sidecar: defaultEndpoint must be of form 127.0.0.1:<port>,0.0.0.0:<port>,[::1]:port,[::]:port,unix://filepath or unset',
    'sidecar: defaultEndpoint port (x) is not a number: strconv.Atoi: parsing "x": invalid syntax',
  ],
  [
    'outboundTrafficPolicy: {egressProxy: {host: a}}',
    'sidecar: egress_proxy must be set only with ALLOW_ANY outbound_traffic_policy mode',
  ],
]);

checkRows('EnvoyFilter', 'EnvoyFilter', (patch) => `{configPatches: [${patch}]}`, [
  ...(
    [
      ['{}', 'missing applyTo'],
      ['{applyTo: CLUSTER}', 'missing patch'],
      ['{applyTo: CLUSTER, patch: {}}', 'missing patch operation'],
      ['{applyTo: CLUSTER, patch: {operation: MERGE}}', 'missing patch value for non-remove operation'],
      [
        '{applyTo: CLUSTER, patch: {operation: REMOVE}, match: {listener: {}}}',
        'applyTo for cluster class objects cannot have non cluster match',
      ],
      [
        '{applyTo: HTTP_FILTER, patch: {operation: REMOVE}, match: {listener: {filterChain: {filter: {}}}}}',
        'filter match has no name to match on',
      ],
    ] as const
  ).map(([patch, text]): [string, string, string] => [
    patch,
    `Envoy filter: ${text}`,
    'W EnvoyFilter exposes internal implementation details that may change at any time. Prefer other APIs if possible, and exercise extreme caution, especially around upgrades.',
  ]),
]);
