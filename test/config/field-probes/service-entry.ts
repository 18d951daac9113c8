// ServiceEntry and WorkloadEntry: what each field decides. Spec destinations.md §1.7, §1.8, §4.7, §6.
import type { Kind } from '../../../src/config/model/resource.js';
import { TLS_TRANSPORT_SOCKET } from '../../../src/xds/index.js';
import { type Made, object, type Probe } from './probe.js';

const HOST = 'ext.example';
const CLUSTER = `outbound|80||${HOST}`;
const PORTS = 'ports: [{number: 80, name: http, protocol: HTTP}]';

function entry(spec: string, more = ''): string {
  return object('ServiceEntry', 'ext', `hosts: [${HOST}]\n${spec}`, more);
}

/** One static endpoint with these fields beside its address. */
function endpoint(fields: string, more = ''): string {
  return `${entry(`${PORTS}\nresolution: STATIC\nlocation: MESH_INTERNAL\nendpoints: [{address: 10.1.0.1${fields}}]`)}${more}`;
}

/** A service whose endpoints are those of selected WorkloadEntries, and one of these. */
function workload(spec: string, metadata = '', selector = '{app: ext}', name = 'apps/one'): string {
  return `${entry(`${PORTS}\nresolution: STATIC\nlocation: MESH_INTERNAL\nworkloadSelector: {labels: ${selector}}`)}${object('WorkloadEntry', name, spec, metadata)}`;
}

function probe(paths: string | readonly string[], yaml: string, look: (made: Made) => unknown, want: unknown): Probe {
  return { kind: 'ServiceEntry', paths: typeof paths === 'string' ? [paths] : paths, yaml, look, want };
}

function entryProbe(
  paths: string | readonly string[],
  yaml: string,
  look: (made: Made) => unknown,
  want: unknown,
): Probe {
  const kind: Kind = 'WorkloadEntry';
  return { kind, paths: typeof paths === 'string' ? [paths] : paths, yaml, look, want };
}

const RULE_OF_V2 = object('DestinationRule', 'rule', `host: ${HOST}\nsubsets: [{name: v2, labels: {version: v2}}]`);
const RULE_OF_NEAR = object(
  'DestinationRule',
  'rule',
  `host: ${HOST}\nsubsets: [{name: near, labels: {topology.istio.io/network: near}}]`,
);
const NEAR = `outbound|80|near|${HOST}`;
const SUBSET = `outbound|80|v2|${HOST}`;
const cluster = (made: Made): unknown => made.cluster(CLUSTER);
const names = (made: Made): unknown =>
  made.snapshot.clusters.map(({ name }) => name).filter((name) => name.includes(HOST));
const endpoints = (made: Made): unknown => made.endpoints(CLUSTER);
const addresses = (made: Made): unknown => made.addresses(CLUSTER);
const sans = (made: Made): unknown => {
  const socket = made.cluster(CLUSTER)?.transport_socket;
  return socket?.name === TLS_TRANSPORT_SOCKET
    ? socket.typed_config.common_tls_context.combined_validation_context?.default_validation_context
        .match_subject_alt_names
    : undefined;
};

export const serviceEntryProbes: readonly Probe[] = [
  probe(
    [
      'metadata',
      'metadata.name',
      'spec',
      'spec.hosts',
      'spec.ports',
      'spec.ports[].number',
      'spec.resolution',
      'spec.endpoints',
      'spec.endpoints[].address',
    ],
    endpoint(''),
    (made) => [names(made), addresses(made)],
    [[CLUSTER], ['10.1.0.1:80']],
  ),
  // WorkloadEntries of other namespaces are not selected.
  probe(
    'metadata.namespace',
    workload('address: 10.1.0.1\nlabels: {app: ext}', '', '{app: ext}', 'others/one'),
    addresses,
    [],
  ),
  probe(
    // §4.7: of two for a host, the older one's ports count.
    'metadata.creationTimestamp',
    `${object('ServiceEntry', 'a', `hosts: [${HOST}]\nresolution: DNS\nports: [{number: 81, name: http, protocol: HTTP}]`, ', creationTimestamp: "2024-05-02T00:00:00Z"')}${object(
      'ServiceEntry',
      'b',
      `hosts: [${HOST}]\nresolution: STATIC\nports: [{number: 80, name: http, protocol: HTTP}]`,
      ', creationTimestamp: "2024-05-01T00:00:00Z"',
    )}`,
    names,
    [CLUSTER],
  ),
  probe(
    'spec.ports[].protocol',
    entry('resolution: DNS\nports: [{number: 80, name: a, protocol: GRPC}]'),
    (made) =>
      made.cluster(CLUSTER)?.typed_extension_protocol_options?.[
        'envoy.extensions.upstreams.http.v3.HttpProtocolOptions'
      ],
    { explicit_http_config: { http2_protocol_options: {} } },
  ),
  probe(
    'spec.ports[].targetPort',
    entry(
      'resolution: STATIC\nendpoints: [{address: 10.1.0.1}]\nports: [{number: 80, name: http, protocol: HTTP, targetPort: 8080}]',
    ),
    addresses,
    ['10.1.0.1:8080'],
  ),
  probe(
    // §6.6, §7.6: automatic mutual TLS inside the mesh alone.
    'spec.location',
    `${entry(`${PORTS}\nresolution: STATIC\nlocation: MESH_INTERNAL`)}`,
    (made) => made.cluster(CLUSTER)?.transport_socket_matches?.map(({ name }) => name),
    ['tlsMode-istio', 'tlsMode-disabled'],
  ),
  probe('spec.resolution', entry(`${PORTS}\nresolution: DNS_ROUND_ROBIN`), cluster, { type: 'LOGICAL_DNS' }),
  probe('spec.exportTo', entry(`${PORTS}\nresolution: STATIC\nexportTo: ["."]`), names, []),
  probe(
    // §7.2: the names that a certificate is looked through for, where the rule gives none.
    'spec.subjectAltNames',
    `${entry(`${PORTS}\nresolution: STATIC\nsubjectAltNames: [a.example]`)}${object('DestinationRule', 'rule', `host: ${HOST}\ntrafficPolicy: {tls: {mode: SIMPLE}}`)}`,
    sans,
    [{ exact: 'a.example' }],
  ),
  probe(
    ['spec.workloadSelector', 'spec.workloadSelector.labels'],
    workload('address: 10.1.0.1\nlabels: {app: another}') +
      object('WorkloadEntry', 'two', 'address: 10.1.0.2\nlabels: {app: ext}'),
    addresses,
    ['10.1.0.2:80'],
  ),
  // §6.2
  probe(['spec.endpoints[].ports', 'spec.ports[].name'], endpoint(', ports: {http: 8081}'), addresses, [
    '10.1.0.1:8081',
  ]),
  probe('spec.endpoints[].labels', endpoint(', labels: {version: v2}', RULE_OF_V2), (made) => made.addresses(SUBSET), [
    '10.1.0.1:80',
  ]),
  probe('spec.endpoints[].locality', endpoint(', locality: eu/eu-1/r1'), endpoints, [
    { locality: { region: 'eu', zone: 'eu-1', sub_zone: 'r1' } },
  ]),
  probe('spec.endpoints[].weight', endpoint(', weight: 7'), endpoints, [{ weight: 7 }]),
  probe('spec.endpoints[].serviceAccount', endpoint(', serviceAccount: shop'), endpoints, [{ tlsMode: 'istio' }]),
  // §5.3: the labels of an endpoint say in which network it is.
  probe('spec.endpoints[].network', endpoint(', network: near', RULE_OF_NEAR), (made) => made.addresses(NEAR), [
    '10.1.0.1:80',
  ]),
];

export const workloadEntryProbes: readonly Probe[] = [
  entryProbe(
    ['metadata', 'metadata.name', 'spec', 'spec.address', 'spec.labels'],
    workload('address: 10.1.0.1\nlabels: {app: ext}'),
    addresses,
    ['10.1.0.1:80'],
  ),
  entryProbe(
    'metadata.namespace',
    workload('address: 10.1.0.1\nlabels: {app: ext}', '', '{app: ext}', 'others/one'),
    addresses,
    [],
  ),
  // §1.8: those of the object win.
  entryProbe(
    'metadata.labels',
    workload('address: 10.1.0.1\nlabels: {app: another}', ', labels: {app: ext}'),
    addresses,
    ['10.1.0.1:80'],
  ),
  entryProbe('spec.ports', workload('address: 10.1.0.1\nlabels: {app: ext}\nports: {http: 8081}'), addresses, [
    '10.1.0.1:8081',
  ]),
  entryProbe('spec.locality', workload('address: 10.1.0.1\nlabels: {app: ext}\nlocality: eu/eu-1'), endpoints, [
    { locality: { region: 'eu', zone: 'eu-1' } },
  ]),
  entryProbe('spec.weight', workload('address: 10.1.0.1\nlabels: {app: ext}\nweight: 7'), endpoints, [{ weight: 7 }]),
  entryProbe(
    'spec.serviceAccount',
    workload('address: 10.1.0.1\nlabels: {app: ext}\nserviceAccount: shop'),
    endpoints,
    [{ tlsMode: 'istio' }],
  ),
  entryProbe(
    'spec.network',
    workload('address: 10.1.0.1\nlabels: {app: ext}\nnetwork: near') + RULE_OF_NEAR,
    (made) => made.addresses(NEAR),
    ['10.1.0.1:80'],
  ),
];
