// Kubernetes' own kinds, as far as istiod reads them. Fields that only the rest of Kubernetes looks at have no effect
// here; a Pod has too many of them to list, so what its rows do not name is passed over. Spec destinations.md §4, §5.
import { BadValue } from '../../diagnostics/catalogue.js';
import { emulated, message, noEffect, type Row } from '../decode/message.js';
import {
  anything,
  bool,
  bytes,
  converted,
  enumeration,
  int32,
  intOrString,
  list,
  mapOf,
  type OptionalType,
  present,
  string,
} from '../decode/value-type.js';
import type {
  ConfigMapSpec,
  EndpointAddress,
  EndpointPort,
  EndpointSliceSpec,
  EndpointsSpec,
  KubernetesServicePort,
  NamespaceSpec,
  ObjectReference,
  PodSpec,
  SecretSpec,
  ServiceSpec,
  SliceEndpoint,
} from '../model/kubernetes.js';
import { type KindDefinition, labels, rootObject } from './common.js';

const portNumber: OptionalType<number> = converted(int32, (value, node, place) => {
  if (value >= 1 && value <= 65535) return value;
  const problem = `${value}: must be between 1 and 65535, inclusive`;
  place.report(BadValue, node, { problem }, { refusedBy: 'schema' });
  return value;
});
const transportProtocol: OptionalType<'SCTP' | 'TCP' | 'UDP'> = enumeration('SCTP', 'TCP', 'UDP');

/** Rows for fields that Kubernetes has and nothing here looks at. */
function elsewhere(why: string, ...names: readonly string[]): Readonly<Record<string, Row<unknown>>> {
  return Object.fromEntries(names.map((name) => [name, noEffect(anything, why)]));
}

const servicePort: OptionalType<KubernetesServicePort> = message<KubernetesServicePort>('ServicePort', {
  name: emulated(string),
  // What the numbers and names of a Service's ports may be stands in `validate/core-object.ts`.
  port: emulated(int32, { otherwise: 0 }),
  targetPort: emulated(intOrString),
  protocol: emulated(transportProtocol, { otherwise: 'TCP' }),
  appProtocol: emulated(string),
  nodePort: noEffect(int32, 'a port of the nodes; a gateway sends to endpoints'),
});

const serviceSpec: OptionalType<ServiceSpec> = message<ServiceSpec>(
  'ServiceSpec',
  {
    type: emulated(enumeration('ClusterIP', 'ExternalName', 'LoadBalancer', 'NodePort')),
    clusterIP: emulated(string),
    clusterIPs: noEffect(list(string), 'istiod tells a headless Service by clusterIP; a gateway sends to endpoints'),
    externalName: emulated(string),
    externalIPs: noEffect(list(string), 'addresses that the nodes answer; a gateway sends to endpoints'),
    selector: emulated(labels),
    ports: emulated(list(servicePort)),
    publishNotReadyAddresses: emulated(bool, { otherwise: false }),
    trafficDistribution: emulated(string),
    internalTrafficPolicy: emulated(enumeration('Cluster', 'Local')),
  },
  {
    others: {
      ...elsewhere(
        'for load balancers and kube-proxy; a gateway sends to endpoints',
        'allocateLoadBalancerNodePorts',
        'externalTrafficPolicy',
        'healthCheckNodePort',
        'ipFamilies',
        'ipFamilyPolicy',
        'loadBalancerClass',
        'loadBalancerIP',
        'loadBalancerSourceRanges',
        'sessionAffinity',
        'sessionAffinityConfig',
      ),
    },
  },
);

export const service: KindDefinition<'Service'> = {
  kind: 'Service',
  group: '',
  versions: ['v1'],
  namespaced: true,
  root: rootObject<'Service', { readonly spec: ServiceSpec }>(
    'Service',
    { spec: emulated(serviceSpec, 'implied') },
    (object) => object.spec,
  ),
};

interface WrittenContainer {
  readonly ports: PodSpec['containerPorts'];
}

interface WrittenPodSpec {
  readonly nodeName?: string;
  readonly serviceAccountName?: string;
  readonly hostNetwork: boolean;
  readonly containers: readonly WrittenContainer[];
}

interface WrittenPodStatus {
  readonly podIP?: string;
  readonly podIPs: readonly { readonly ip: string }[];
  readonly phase?: string;
  readonly conditions: readonly { readonly type: string; readonly status: string }[];
}

const containerPort: OptionalType<PodSpec['containerPorts'][number]> = message<PodSpec['containerPorts'][number]>(
  'ContainerPort',
  {
    name: emulated(string),
    containerPort: emulated(portNumber, 'required'),
    protocol: emulated(transportProtocol),
  },
  { open: true },
);

const podSpec: OptionalType<WrittenPodSpec> = message<WrittenPodSpec>(
  'PodSpec',
  {
    nodeName: emulated(string),
    serviceAccountName: emulated(string),
    hostNetwork: noEffect(bool, 'istiod looks at it for health checks of sidecars alone', { otherwise: false }),
    containers: emulated(
      list(message<WrittenContainer>('Container', { ports: emulated(list(containerPort)) }, { open: true })),
    ),
  },
  { open: true },
);

const podStatus: OptionalType<WrittenPodStatus> = message<WrittenPodStatus>(
  'PodStatus',
  {
    podIP: emulated(string),
    podIPs: emulated(list(message<{ readonly ip: string }>('PodIP', { ip: emulated(string, { otherwise: '' }) }))),
    phase: emulated(string),
    conditions: emulated(
      list(
        message<WrittenPodStatus['conditions'][number]>(
          'PodCondition',
          { type: emulated(string, { otherwise: '' }), status: emulated(string, { otherwise: '' }) },
          { open: true },
        ),
      ),
    ),
  },
  { open: true },
);

export const pod: KindDefinition<'Pod'> = {
  kind: 'Pod',
  group: '',
  versions: ['v1'],
  namespaced: true,
  root: rootObject<'Pod', { readonly spec: WrittenPodSpec; readonly status: WrittenPodStatus }>(
    'Pod',
    { spec: emulated(podSpec, 'implied'), status: emulated(podStatus, 'implied') },
    ({ metadata, spec, status }): PodSpec => {
      const ready = status.conditions.find((condition) => condition.type === 'Ready');
      const deleted = metadata.deletionTimestamp;
      return {
        ...(status.podIP === undefined ? {} : { podIP: status.podIP }),
        podIPs: status.podIPs.map((address) => address.ip),
        ...(status.phase === undefined ? {} : { phase: status.phase }),
        ...(ready === undefined ? {} : { ready: ready.status === 'True' }),
        ...(deleted === undefined ? {} : { deletionTimestamp: new Date(deleted).toISOString() }),
        ...(spec.nodeName === undefined ? {} : { nodeName: spec.nodeName }),
        ...(spec.serviceAccountName === undefined ? {} : { serviceAccountName: spec.serviceAccountName }),
        hostNetwork: spec.hostNetwork,
        containerPorts: spec.containers.flatMap((container) => container.ports),
      };
    },
  ),
};

const objectReference: OptionalType<ObjectReference> = message<ObjectReference>(
  'ObjectReference',
  { kind: emulated(string), name: emulated(string), namespace: emulated(string) },
  { others: elsewhere('kind and name say which pod it is', 'apiVersion', 'fieldPath', 'resourceVersion', 'uid') },
);

const PORT_OF_SERVICE = 'istiod takes the protocol of the Service port of the same name';
const HOSTNAME = 'names single pods for DNS; a destination is a whole service';

const endpointPort: OptionalType<EndpointPort> = message<EndpointPort>('EndpointPort', {
  name: emulated(string),
  port: emulated(int32),
  protocol: noEffect(transportProtocol, PORT_OF_SERVICE),
  appProtocol: noEffect(string, PORT_OF_SERVICE),
});

interface WrittenSliceEndpoint extends Omit<SliceEndpoint, 'ready' | 'serving' | 'terminating'> {
  readonly conditions: Pick<SliceEndpoint, 'ready' | 'serving' | 'terminating'>;
}

const sliceEndpoint: OptionalType<SliceEndpoint> = converted(
  message<WrittenSliceEndpoint>(
    'Endpoint',
    {
      addresses: emulated(list(string), 'required'),
      conditions: emulated(
        message<WrittenSliceEndpoint['conditions']>('EndpointConditions', {
          ready: emulated(present(bool)),
          serving: noEffect(present(bool), 'istiod looks at ready and terminating'),
          terminating: emulated(present(bool)),
        }),
        { otherwise: {} },
      ),
      hostname: noEffect(string, HOSTNAME),
      zone: noEffect(string, 'istiod takes the locality of the Pod, and of its Node'),
      nodeName: emulated(string),
      targetRef: emulated(objectReference),
    },
    {
      others: elsewhere(
        'for kube-proxy; istiod takes the locality of the Pod, and of its Node',
        'deprecatedTopology',
        'hints',
      ),
    },
  ),
  ({ conditions, ...endpoint }) => ({ ...endpoint, ...conditions }),
);

export const endpointSlice: KindDefinition<'EndpointSlice'> = {
  kind: 'EndpointSlice',
  group: 'discovery.k8s.io',
  versions: ['v1'],
  namespaced: true,
  root: rootObject<'EndpointSlice', EndpointSliceSpec>(
    'EndpointSlice',
    {
      addressType: emulated(enumeration('IPv4', 'IPv6', 'FQDN'), 'required'),
      endpoints: emulated(list(sliceEndpoint)),
      ports: emulated(list(endpointPort)),
    },
    ({ addressType, endpoints, ports }) => ({ addressType, endpoints, ports }),
  ),
};

const endpointAddress: OptionalType<EndpointAddress> = message<EndpointAddress>('EndpointAddress', {
  ip: emulated(string, 'required'),
  hostname: noEffect(string, HOSTNAME),
  nodeName: emulated(string),
  targetRef: emulated(objectReference),
});

const endpointSubset: OptionalType<EndpointsSpec['subsets'][number]> = message<EndpointsSpec['subsets'][number]>(
  'EndpointSubset',
  {
    addresses: emulated(list(endpointAddress)),
    notReadyAddresses: emulated(list(endpointAddress)),
    ports: emulated(list(endpointPort)),
  },
);

export const endpoints: KindDefinition<'Endpoints'> = {
  kind: 'Endpoints',
  group: '',
  versions: ['v1'],
  namespaced: true,
  root: rootObject<'Endpoints', EndpointsSpec>(
    'Endpoints',
    { subsets: emulated(list(endpointSubset)) },
    ({ subsets }) => ({ subsets }),
  ),
};

const IMMUTABLE = 'the API server refuses changes of such objects; what they say is the same';

interface WrittenSecret {
  readonly type?: string;
  readonly data: Readonly<Record<string, string>>;
  readonly stringData: Readonly<Record<string, string>>;
}

export const secret: KindDefinition<'Secret'> = {
  kind: 'Secret',
  group: '',
  versions: ['v1'],
  namespaced: true,
  root: rootObject<'Secret', WrittenSecret>(
    'Secret',
    { type: emulated(string), data: emulated(mapOf(bytes)), stringData: emulated(mapOf(string)) },
    ({ type, data, stringData }): SecretSpec => {
      const written = Object.entries(stringData).map(([key, text]) => [key, Buffer.from(text).toString('latin1')]);
      return {
        ...(type === undefined ? {} : { type }),
        data: { ...data, ...Object.fromEntries(written) },
      };
    },
    { immutable: noEffect(bool, IMMUTABLE) },
  ),
};

export const configMap: KindDefinition<'ConfigMap'> = {
  kind: 'ConfigMap',
  group: '',
  versions: ['v1'],
  namespaced: true,
  root: rootObject<'ConfigMap', ConfigMapSpec>(
    'ConfigMap',
    { data: emulated(mapOf(string)) },
    ({ data }) => ({ data }),
    { immutable: noEffect(bool, IMMUTABLE), binaryData: noEffect(mapOf(bytes), 'istiod reads the keys of data alone') },
  ),
};

export const namespace: KindDefinition<'Namespace'> = {
  kind: 'Namespace',
  group: '',
  versions: ['v1'],
  namespaced: false,
  root: rootObject<'Namespace', NamespaceSpec>(
    'Namespace',
    {},
    () => ({}),
    elsewhere("the API server's bookkeeping", 'spec'),
  ),
};
