// Labels and annotations that count: what each of them decides. Spec destinations.md §1.7, §4.1, §5.2-5.5.
import { pod, SELECTING, service, slice } from './kubernetes.js';
import { type Made, object, type Probe, WEB } from './probe.js';

/** `paths` has the key alone. */
function probe(kind: Probe['kind'], key: string, yaml: string, look: (made: Made) => unknown, want: unknown): Probe {
  return { kind, paths: [key], yaml, look, want };
}

const EXT = 'outbound|80||ext.example';

/** A service of the mesh with one endpoint per place, the gateway being in eu/eu-1. */
function entry(metadata: string, fields = 'resolution: STATIC'): string {
  return object(
    'ServiceEntry',
    'ext',
    `hosts: [ext.example]\nports: [{number: 80, name: http, protocol: HTTP}]\nlocation: MESH_INTERNAL\n${fields}`,
    metadata,
  );
}

const PLACES =
  'resolution: STATIC\nendpoints: [{address: 10.1.0.1, locality: eu/eu-1/r1}, {address: 10.1.0.2, locality: us/us-1/r1}]';

/** A WorkloadEntry that the service of `entry` selects. */
function workload(metadata: string): string {
  const spec = 'address: 10.1.0.1\nlabels: {app: ext}';
  return (
    entry('', 'resolution: STATIC\nworkloadSelector: {labels: {app: ext}}') +
    object('WorkloadEntry', 'one', spec, metadata)
  );
}

/** Pods in two places. */
const SPREAD = [
  ['us.us-1', '10.2.0.1', 'web-0'],
  ['eu.eu-1', '10.2.0.2', 'web-1'],
]
  .map(([place = '', address = '', name = '']) =>
    pod({}, name).replace('version: v2', `topology.istio.io/locality: ${place}`).replace('10.2.0.1', address),
  )
  .join('');

const MUTUAL = object('DestinationRule', 'rule', 'host: web\ntrafficPolicy: {tls: {mode: ISTIO_MUTUAL}}');

/** A Service in front of the gateway: server port 80 is 8080 there. */
function gatewayService(labels: string): string {
  return `
apiVersion: v1
kind: Service
metadata: {name: istio-ingressgateway, namespace: istio-system, labels: {${labels}}}
spec: {selector: {istio: ingressgateway}, ports: [{name: http, port: 80, targetPort: 8888}]}
---${object('Gateway', 'gw', 'selector: {istio: ingressgateway}\nservers: [{port: {number: 80, name: http, protocol: HTTP}, hosts: ["*"]}]')}`;
}

const addresses = (made: Made): unknown => made.addresses();
const sans = (made: Made): unknown =>
  JSON.stringify(made.cluster(WEB)?.transport_socket ?? null).match(/spiffe:[^"]*/g) ?? [];
const priorities = (name: string): ((made: Made) => unknown) => {
  return (made) =>
    made
      .endpoints(name)
      ?.map(({ priority }) => priority)
      .sort();
};
const places = (name: string): ((made: Made) => unknown) => {
  return (made) => made.endpoints(name)?.map(({ locality }) => locality);
};
const modes = (name: string): ((made: Made) => unknown) => {
  return (made) => made.endpoints(name)?.map(({ tlsMode }) => tlsMode);
};
const PREFER_CLOSE = ', annotations: {networking.istio.io/traffic-distribution: PreferClose}';
const PLACE = [{ region: 'eu', zone: 'eu-1' }];

/** A Pod with this label instead of its version. */
function labelled(label: string): string {
  return SELECTING + pod({}).replace('version: v2', label);
}

export const metadataKeyProbes: readonly Probe[] = [
  probe(
    'Service',
    'networking.istio.io/exportTo',
    service('', '', ', annotations: {networking.istio.io/exportTo: "elsewhere"}'),
    (made) => made.cluster(WEB) === undefined,
    true,
  ),
  probe(
    'Service',
    'networking.istio.io/traffic-distribution',
    service(', selector: {app: web}', '', PREFER_CLOSE) + SPREAD,
    priorities(WEB),
    [0, 1],
  ),
  probe(
    'ServiceEntry',
    'networking.istio.io/traffic-distribution',
    entry(PREFER_CLOSE, PLACES),
    priorities(EXT),
    [0, 1],
  ),
  probe(
    'Namespace',
    'networking.istio.io/traffic-distribution',
    `${service(', selector: {app: web}')}${SPREAD}
apiVersion: v1
kind: Namespace
metadata: {name: apps, annotations: {networking.istio.io/traffic-distribution: PreferClose}}
---`,
    priorities(WEB),
    [0, 1],
  ),
  probe(
    'Service',
    'alpha.istio.io/canonical-serviceaccounts',
    service('', '', ', annotations: {alpha.istio.io/canonical-serviceaccounts: "spiffe://a/b"}') + MUTUAL,
    sans,
    ['spiffe://a/b'],
  ),
  probe(
    'Service',
    'alpha.istio.io/kubernetes-serviceaccounts',
    service('', '', ', annotations: {alpha.istio.io/kubernetes-serviceaccounts: shop}') + MUTUAL,
    sans,
    ['spiffe://cluster.local/ns/apps/sa/shop'],
  ),
  probe(
    'ServiceEntry',
    'istio.io/connect-strategy',
    entry(', annotations: {istio.io/connect-strategy: RACE_FIRST_TCP_CONNECT}', 'resolution: DNS'),
    (made) => made.cluster(EXT),
    { type: 'LOGICAL_DNS', dns_lookup_family: 'ALL' },
  ),
  probe(
    'Service',
    'experimental.istio.io/disable-gateway-port-translation',
    gatewayService('experimental.istio.io/disable-gateway-port-translation: "true"'),
    (made) => made.snapshot.listeners.map(({ name }) => name),
    ['0.0.0.0_80'],
  ),
  probe('EndpointSlice', 'kubernetes.io/service-name', service() + slice(''), addresses, ['10.0.0.1:8080']),
  probe('Pod', 'security.istio.io/tlsMode', labelled('security.istio.io/tlsMode: istio'), modes(WEB), ['istio']),
  probe('Pod', 'topology.istio.io/locality', labelled('topology.istio.io/locality: eu.eu-1'), places(WEB), PLACE),
  probe('Pod', 'istio-locality', labelled('istio-locality: eu.eu-1'), places(WEB), PLACE),
  probe('Pod', 'istio.io/draining', labelled('istio.io/draining: "true"'), addresses, []),
  probe(
    'WorkloadEntry',
    'security.istio.io/tlsMode',
    workload(', labels: {security.istio.io/tlsMode: istio}'),
    modes(EXT),
    ['istio'],
  ),
  probe(
    'WorkloadEntry',
    'topology.istio.io/locality',
    workload(', labels: {topology.istio.io/locality: eu.eu-1}'),
    places(EXT),
    PLACE,
  ),
  probe('WorkloadEntry', 'istio-locality', workload(', labels: {istio-locality: eu.eu-1}'), places(EXT), PLACE),
  probe(
    'WorkloadEntry',
    'istio.io/draining',
    workload(', labels: {istio.io/draining: "true"}'),
    (made) => made.addresses(EXT),
    [],
  ),
];
