// Kubernetes' own kinds and PeerAuthentication: what each field decides. Spec destinations.md §4, §5, §7.6;
// gateway.md §3.3, §8.
import type { Kind } from '../../../src/config/model/resource.js';
import { indent, type Made, object, type Probe, WEB } from './probe.js';

function core(kind: string, name: string, body: string, metadata = ''): string {
  const slash = name.indexOf('/');
  const namespace = slash === -1 ? 'apps' : name.slice(0, slash);
  const group = kind === 'EndpointSlice' ? 'discovery.k8s.io/v1' : 'v1';
  return `
apiVersion: ${group}
kind: ${kind}
metadata: {name: ${name.slice(slash + 1)}, namespace: ${namespace}${metadata}}
${indent(body, 0)}
---`;
}

/** Service `web`, whose only port is 80, `http`, with further fields. */
export function service(spec = '', port = '', metadata = ''): string {
  return core('Service', 'web', `spec: {ports: [{name: http, port: 80${port}}]${spec}}`, metadata);
}

export function slice(endpoint: string, more = ''): string {
  return core(
    'EndpointSlice',
    'web-1',
    `addressType: IPv4\nendpoints: [{addresses: [10.0.0.1]${endpoint}}]\nports: [{name: http, port: 8080}]\n${more}`,
    ', labels: {kubernetes.io/service-name: web}',
  );
}

export interface PodParts {
  readonly spec?: string;
  readonly status?: string;
  readonly ports?: string;
  readonly metadata?: string;
}

export function pod({ spec = '', status = '', ports = '', metadata = '' }: PodParts, name = 'web-0'): string {
  return core(
    'Pod',
    name,
    `spec: {containers: [{name: c, image: i, ports: [${ports}]}]${spec}}\nstatus: {podIP: 10.2.0.1${status}}`,
    `, labels: {app: web, version: v2}${metadata}`,
  );
}

/** A Service that selects Pods. */
export const SELECTING: string = service(', selector: {app: web}', ', targetPort: 8080');
const READY = ', conditions: [{type: Ready, status: "True"}]';
const SUBSET = object('DestinationRule', 'rule', 'host: web\nsubsets: [{name: v2, labels: {version: v2}}]');
const V2 = 'outbound|80|v2|web.apps.svc.cluster.local';
const ON_NODE = object(
  'DestinationRule',
  'rule',
  'host: web\nsubsets: [{name: v2, labels: {kubernetes.io/hostname: node-1}}]',
);

const TLS_GATEWAY = object(
  'Gateway',
  'gw',
  'selector: {istio: ingressgateway}\nservers: [{port: {number: 8443, name: https, protocol: HTTPS}, hosts: ["*"], tls: {mode: SIMPLE, credentialName: shop}}]',
);

const addresses = (made: Made): unknown => made.addresses();
const endpoints = (made: Made): unknown => made.endpoints(WEB);
const clusters = (made: Made): unknown =>
  made.snapshot.clusters.map(({ name }) => name).filter((name) => name.includes('web'));
const secret = (made: Made): unknown => made.snapshot.secrets['kubernetes://shop'];
const socketMatches = (made: Made): unknown => made.cluster(WEB)?.transport_socket_matches?.map(({ name }) => name);

type Checks = (paths: string | readonly string[], yaml: string, look: (made: Made) => unknown, want: unknown) => Probe;

function probesOf(kind: Kind): Checks {
  return (paths, yaml, look, want) => ({ kind, paths: typeof paths === 'string' ? [paths] : paths, yaml, look, want });
}

const ofService = probesOf('Service');
const ofPod = probesOf('Pod');
const ofSlice = probesOf('EndpointSlice');
const ofEndpoints = probesOf('Endpoints');
const ofSecret = probesOf('Secret');
const ofConfigMap = probesOf('ConfigMap');
const ofNamespace = probesOf('Namespace');
const ofPeerAuthentication = probesOf('PeerAuthentication');

const serviceProbes: readonly Probe[] = [
  ofService(['metadata', 'spec', 'spec.ports', 'spec.ports[].port'], service(), clusters, [WEB]),
  ofService('spec.ports[].name', service() + slice(''), addresses, ['10.0.0.1:8080']),
  ofService(
    // §4.7: seen in its own namespace alone.
    'metadata.annotations',
    service('', '', ', annotations: {networking.istio.io/exportTo: "."}'),
    clusters,
    [],
  ),
  ofService(
    ['spec.type', 'spec.externalName'],
    core('Service', 'web', 'spec: {type: ExternalName, externalName: a.example, ports: [{name: http, port: 80}]}'),
    clusters,
    [],
  ),
  ofService(
    // §7.6: of a headless service one endpoint without a sidecar is enough for plaintext to all.
    'spec.clusterIP',
    service(', clusterIP: None') + slice(''),
    socketMatches,
    undefined,
  ),
  ofService('spec.selector', SELECTING + pod({}), addresses, ['10.2.0.1:8080']),
  ofService('spec.ports[].targetPort', service(', selector: {app: web}', ', targetPort: 9090') + pod({}), addresses, [
    '10.2.0.1:9090',
  ]),
  ofService(
    // §4.1: endpoints of the gateway's own node, which is node-1.
    'spec.internalTrafficPolicy',
    service(', internalTrafficPolicy: Local') + slice(', nodeName: node-2'),
    addresses,
    [],
  ),
  ofService('spec.ports[].protocol', service('', ', protocol: UDP'), clusters, []),
  ofService(
    'spec.ports[].appProtocol',
    service('', ', appProtocol: kubernetes.io/h2c'),
    (made) =>
      made.cluster(WEB)?.typed_extension_protocol_options?.['envoy.extensions.upstreams.http.v3.HttpProtocolOptions'],
    { explicit_http_config: { http2_protocol_options: {} } },
  ),
  ofService(
    'spec.publishNotReadyAddresses',
    service(', selector: {app: web}, publishNotReadyAddresses: true') +
      pod({ status: ', conditions: [{type: Ready, status: "False"}]' }),
    endpoints,
    [{ health: 'HEALTHY' }],
  ),
  ofService(
    // §8.6: failover without outlier detection; the endpoint of another zone is second to the one of eu/eu-1.
    'spec.trafficDistribution',
    service(', selector: {app: web}, trafficDistribution: PreferClose') +
      pod({ metadata: '' }).replace('version: v2', 'topology.istio.io/locality: us.us-1') +
      pod({}, 'web-1').replace('version: v2', 'topology.istio.io/locality: eu.eu-1').replace('10.2.0.1', '10.2.0.2'),
    (made) =>
      made
        .endpoints(WEB)
        ?.map(({ address, priority }) => [address, priority])
        .sort(),
    [
      ['10.2.0.1:80', 1],
      ['10.2.0.2:80', 0],
    ],
  ),
];

const podProbes: readonly Probe[] = [
  ofPod(['metadata', 'metadata.labels', 'status', 'status.podIP'], SELECTING + pod({}), addresses, ['10.2.0.1:8080']),
  ofPod(
    ['status.podIPs', 'status.podIPs[].ip'],
    SELECTING + pod({ status: ', podIPs: [{ip: 10.2.0.9}]' }).replace('podIP: 10.2.0.1, ', ''),
    addresses,
    ['10.2.0.9:8080'],
  ),
  ofPod('status.phase', SELECTING + pod({ status: ', phase: Succeeded' }), addresses, []),
  ofPod(
    ['status.conditions', 'status.conditions[].type'],
    SELECTING + pod({ status: ', conditions: [{type: PodScheduled, status: "True"}, {type: Ready, status: "False"}]' }),
    endpoints,
    [{ health: 'UNHEALTHY' }],
  ),
  ofPod('status.conditions[].status', SELECTING + pod({ status: READY }), endpoints, [{ health: 'HEALTHY' }]),
  // Gone, and not sent.
  ofPod(
    'metadata.deletionTimestamp',
    SELECTING + pod({ metadata: ', deletionTimestamp: "2024-05-01T00:00:00Z"' }),
    addresses,
    [],
  ),
  ofPod(
    // §5.3: the labels of an endpoint say on which node it is.
    ['spec', 'spec.nodeName'],
    `${SELECTING}${pod({ spec: ', nodeName: node-1' })}${ON_NODE}`,
    (made) => made.addresses(V2),
    ['10.2.0.1:8080'],
  ),
  ofPod(
    // §7.5: whom a gateway expects behind ISTIO_MUTUAL.
    'spec.serviceAccountName',
    `${SELECTING}${pod({ spec: ', serviceAccountName: shop' })}${object('DestinationRule', 'rule', 'host: web\ntrafficPolicy: {tls: {mode: ISTIO_MUTUAL}}')}`,
    (made) => made.cluster(WEB)?.transport_socket?.typed_config,
    {
      common_tls_context: {
        combined_validation_context: {
          default_validation_context: {
            match_subject_alt_names: [{ exact: 'spiffe://cluster.local/ns/apps/sa/shop' }],
          },
        },
      },
    },
  ),
  ofPod(
    [
      'spec.containers',
      'spec.containers[].ports',
      'spec.containers[].ports[].name',
      'spec.containers[].ports[].containerPort',
      'spec.containers[].ports[].protocol',
    ],
    service(', selector: {app: web}', ', targetPort: main') +
      pod({
        ports: '{name: main, containerPort: 9091, protocol: UDP}, {name: main, containerPort: 9090, protocol: TCP}',
      }),
    addresses,
    ['10.2.0.1:9090'],
  ),
];

const sliceProbes: readonly Probe[] = [
  ofSlice(
    ['metadata', 'endpoints', 'endpoints[].addresses', 'ports', 'ports[].name', 'ports[].port'],
    service() + slice(''),
    addresses,
    ['10.0.0.1:8080'],
  ),
  ofSlice('addressType', service() + slice('').replace('IPv4', 'FQDN'), addresses, []),
  ofSlice(
    ['endpoints[].conditions', 'endpoints[].conditions.ready'],
    service() + slice(', conditions: {ready: false}'),
    addresses,
    [],
  ),
  ofSlice(
    'endpoints[].conditions.terminating',
    service() + slice(', conditions: {ready: false, terminating: false}'),
    endpoints,
    [{ health: 'UNHEALTHY' }],
  ),
  ofSlice('endpoints[].nodeName', service() + slice(', nodeName: node-1') + ON_NODE, (made) => made.addresses(V2), [
    '10.0.0.1:8080',
  ]),
  ofSlice(
    [
      'endpoints[].targetRef',
      'endpoints[].targetRef.kind',
      'endpoints[].targetRef.name',
      'endpoints[].targetRef.namespace',
    ],
    `${service()}${slice(', targetRef: {kind: Pod, name: web-0, namespace: pods}')}${pod({}, 'pods/web-0')}${SUBSET}`,
    (made) => made.addresses(V2),
    ['10.0.0.1:8080'],
  ),
];

/** An Endpoints object with one address in this list. */
function endpointsObject(list: string, fields = ''): string {
  return `${service()}${core('Endpoints', 'web', `subsets: [{${list}: [{ip: 10.0.0.1${fields}}], ports: [{name: http, port: 8080}]}]`)}`;
}

const endpointsProbes: readonly Probe[] = [
  ofEndpoints(
    ['metadata', 'subsets', 'subsets[].ports', 'subsets[].ports[].name', 'subsets[].ports[].port'],
    endpointsObject('addresses'),
    addresses,
    ['10.0.0.1:8080'],
  ),
  ...['addresses', 'notReadyAddresses'].flatMap((list) => [
    ofEndpoints([`subsets[].${list}`, `subsets[].${list}[].ip`], endpointsObject(list), endpoints, [
      { address: '10.0.0.1:8080', health: list === 'addresses' ? 'HEALTHY' : 'UNHEALTHY' },
    ]),
    ofEndpoints(
      `subsets[].${list}[].nodeName`,
      endpointsObject(list, ', nodeName: node-1') + ON_NODE,
      (made) => made.addresses(V2),
      ['10.0.0.1:8080'],
    ),
    ofEndpoints(
      ['', '.kind', '.name', '.namespace'].map((field) => `subsets[].${list}[].targetRef${field}`),
      `${endpointsObject(list, ', targetRef: {kind: Pod, name: web-0, namespace: pods}')}${pod({}, 'pods/web-0')}${SUBSET}`,
      (made) => made.addresses(V2),
      ['10.0.0.1:8080'],
    ),
  ]),
];

const PEM = '-----BEGIN CERTIFICATE-----\nTUlJ\n-----END CERTIFICATE-----\n';
const base64 = (text: string): string => Buffer.from(text).toString('base64');

const otherProbes: readonly Probe[] = [
  ofSecret(
    ['metadata', 'data'],
    `${TLS_GATEWAY}${core('Secret', 'istio-system/shop', `data: {tls.crt: ${base64(PEM)}, tls.key: ${base64('no key')}}`)}`,
    secret,
    { kind: 'refused' },
  ),
  ofSecret(
    'stringData',
    `${TLS_GATEWAY}${core('Secret', 'istio-system/shop', 'stringData: {tls.crt: no certificate, tls.key: no key}')}`,
    secret,
    { kind: 'refused' },
  ),
  ofSecret(
    // §8.4: such Secrets are invisible.
    'type',
    `${TLS_GATEWAY}${core('Secret', 'istio-system/shop', 'type: helm.sh/release.v1\nstringData: {tls.crt: no certificate, tls.key: no key}')}`,
    secret,
    undefined,
  ),
  ofConfigMap(
    // Gateway.tls.caCertCredentialName may name one (§8.1); its text is no certificate here.
    ['metadata', 'data'],
    `${TLS_GATEWAY.replace('SIMPLE, credentialName: shop', 'MUTUAL, credentialName: shop, caCertCredentialName: "configmap://apps/clients"')}${core('ConfigMap', 'clients', 'data: {ca.crt: no certificate}')}`,
    (made) => made.snapshot.secrets['configmap://apps/clients'],
    { kind: 'refused' },
  ),
  ofNamespace(
    // §4.1: where the Service says nothing of it.
    'metadata',
    `${service(', selector: {app: web}')}${pod({}).replace('version: v2', 'topology.istio.io/locality: us.us-1')}${pod(
      {},
      'web-1',
    )
      .replace('version: v2', 'topology.istio.io/locality: eu.eu-1')
      .replace('10.2.0.1', '10.2.0.2')}
apiVersion: v1
kind: Namespace
metadata: {name: apps, annotations: {networking.istio.io/traffic-distribution: PreferClose}}
---`,
    (made) =>
      made
        .endpoints(WEB)
        ?.map(({ priority }) => priority)
        .sort(),
    [0, 1],
  ),
];

function peerAuthentication(name: string, spec: string): string {
  return object('PeerAuthentication', name, spec).replace('networking.istio.io', 'security.istio.io');
}

/** A service with one Pod behind a sidecar: automatic mutual TLS, unless a policy disables it. */
const MESH_POD = `${service(', selector: {app: web}', ', targetPort: 8080')}${pod({ status: READY }).replace('version: v2', 'security.istio.io/tlsMode: istio')}`;
const tlsModes = (made: Made): unknown => made.endpoints(WEB)?.map(({ tlsMode }) => tlsMode);

const peerAuthenticationProbes: readonly Probe[] = [
  ofPeerAuthentication(
    ['metadata', 'spec', 'spec.mtls', 'spec.mtls.mode'],
    `${service()}${peerAuthentication('all', 'mtls: {mode: DISABLE}')}`,
    socketMatches,
    undefined,
  ),
  ofPeerAuthentication(
    ['spec.selector', 'spec.selector.matchLabels'],
    `${MESH_POD}${peerAuthentication('some', 'selector: {matchLabels: {app: another}}\nmtls: {mode: DISABLE}')}`,
    tlsModes,
    ['istio'],
  ),
  ofPeerAuthentication(
    ['spec.portLevelMtls', 'spec.portLevelMtls{}.mode'],
    `${MESH_POD}${peerAuthentication('some', 'selector: {matchLabels: {app: web}}\nportLevelMtls: {8080: {mode: DISABLE}}')}`,
    tlsModes,
    ['disabled'],
  ),
];

export const kubernetesProbes: readonly Probe[] = [
  ...serviceProbes,
  ...podProbes,
  ...sliceProbes,
  ...endpointsProbes,
  ...otherProbes,
  ...peerAuthenticationProbes,
];
