// The addresses behind a service: EndpointSlices (written, or made from Pods as Kubernetes would), Endpoints,
// WorkloadEntries and the endpoints of ServiceEntries. Spec destinations.md §5, §6.1–6.2. Source: istio/istio
// pilot/pkg/serviceregistry/kube/controller/endpointslice.go, serviceentry/conversion.go.
import type { Labels } from '../config/model/common.js';
import { isIpAddress } from '../config/model/ip-address.js';
import type { EndpointPort } from '../config/model/kubernetes.js';
import { labelsMatch } from '../config/model/labels.js';
import type { Resource } from '../config/model/resource.js';
import type { ServicePortSpec, WorkloadEntrySpec } from '../config/model/service-entry.js';
import type { Store } from '../config/store.js';
import { localityOfLabels, tlsModeOfLabels, withTopologyLabels } from './labels.js';
import type { IstioEndpoint } from './push-context.js';
import type { Pod, Workloads } from './workloads.js';

const UNIX_PREFIX = 'unix://';
const DRAINING_LABEL = 'istio.io/draining';

/** Every endpoint of every port of a Kubernetes Service, in Istio's order. */
export function serviceEndpoints(
  resource: Resource<'Service'>,
  store: Store,
  workloads: Workloads,
  trustDomain: string,
): readonly IstioEndpoint[] {
  const { metadata, spec } = resource;
  const found = new EndpointList();
  const slices = workloads.slices(metadata.namespace, metadata.name);
  for (const slice of slices) addSlice(found, slice, workloads, trustDomain);
  if (Object.keys(spec.selector).length > 0) {
    for (const pod of workloads.selectPods(metadata.namespace, spec.selector))
      addPod(found, pod, resource, trustDomain);
    if (spec.clusterIP !== 'None' && spec.type !== 'ExternalName')
      for (const entry of workloads.workloadEntries(metadata.namespace))
        if (Object.keys(entry.labels).length > 0 && labelsMatch(spec.selector, entry.labels))
          addWorkloadEntry(found, entry, resource, trustDomain);
  } else if (slices.length === 0) {
    const mirrored = store.get('Endpoints', metadata.namespace, metadata.name);
    if (mirrored !== undefined) addMirrored(found, mirrored, workloads, trustDomain);
  }
  return found.endpoints;
}

/** Every endpoint of every port that one ServiceEntry gives to one of its hosts. */
export function serviceEntryEndpoints(
  resource: Resource<'ServiceEntry'>,
  hostname: string,
  workloads: Workloads,
  trustDomain: string,
): readonly IstioEndpoint[] {
  const { metadata, spec } = resource;
  const found = new EndpointList();
  const byName = spec.resolution === 'DNS' || spec.resolution === 'DNS_ROUND_ROBIN';
  for (const port of spec.ports) {
    if (spec.workloadSelector !== undefined) {
      for (const pod of workloads.selectPods(metadata.namespace, spec.workloadSelector.labels)) {
        if (!pod.isReady) continue;
        // istiod passes over container ports without a written protocol here (the API server always writes one).
        const named = pod.resource.spec.containerPorts.find(
          (candidate) => candidate.name === port.name && candidate.protocol === 'TCP',
        );
        found.add(podEndpoint(pod, named?.containerPort ?? port.targetPort ?? port.number, port.name, trustDomain));
      }
      for (const entry of workloads.workloadEntries(metadata.namespace)) {
        if (!labelsMatch(spec.workloadSelector.labels, entry.labels)) continue;
        const address = entry.spec.address ?? '';
        if (!byName && !isIpAddress(address) && !address.startsWith(UNIX_PREFIX)) continue;
        found.add(workloadEntryEndpoint(entry.spec, entry.labels, port, metadata.namespace, trustDomain));
      }
    } else if (spec.endpoints.length === 0 && byName) {
      found.add(plainEndpoint(hostname, port.targetPort ?? port.number, port.name, metadata.namespace));
    } else {
      for (const entry of spec.endpoints)
        found.add(workloadEntryEndpoint(entry, entry.labels, port, metadata.namespace, trustDomain));
    }
  }
  return found.endpoints;
}

// The same address and port name is sent once (spec destinations.md §5.1 item 6).
class EndpointList {
  readonly endpoints: IstioEndpoint[] = [];
  private readonly seen = new Set<string>();

  add(endpoint: IstioEndpoint | undefined): void {
    if (endpoint === undefined) return;
    this.endpoints.push(endpoint);
  }

  addOnce(endpoint: IstioEndpoint | undefined): void {
    if (endpoint === undefined) return;
    const key = `${endpoint.address}|${endpoint.port}|${endpoint.servicePortName}`;
    if (this.seen.has(key)) return;
    this.seen.add(key);
    this.endpoints.push(endpoint);
  }
}

function addSlice(
  found: EndpointList,
  slice: Resource<'EndpointSlice'>,
  workloads: Workloads,
  trustDomain: string,
): void {
  if (slice.spec.addressType === 'FQDN') return;
  const { namespace } = slice.metadata;
  for (const endpoint of slice.spec.endpoints) {
    const health = healthOf(endpoint);
    if (health === undefined) continue;
    for (const address of endpoint.addresses) {
      const reference = endpoint.targetRef;
      const pod =
        reference?.kind === 'Pod'
          ? workloads.pod(reference.namespace ?? namespace, reference.name ?? '')
          : workloads.podByAddress(namespace, address);
      // A reference to a Pod that is not there: Istio waits for the Pod and sends nothing meanwhile.
      if (reference?.kind === 'Pod' && pod === undefined) continue;
      for (const port of slice.spec.ports)
        found.addOnce(addressEndpoint(address, port, pod, namespace, health, endpoint.nodeName, trustDomain));
    }
  }
}

// Ready (or not said) is usable. Not ready and terminating, or not said to be: gone. Not ready but alive: sent as
// unhealthy (Istio ≥ 1.31, spec destinations.md §5.2).
function healthOf(endpoint: {
  readonly ready?: boolean;
  readonly terminating?: boolean;
}): 'HEALTHY' | 'UNHEALTHY' | undefined {
  if (endpoint.ready !== false) return 'HEALTHY';
  return endpoint.terminating === false ? 'UNHEALTHY' : undefined;
}

function addMirrored(
  found: EndpointList,
  resource: Resource<'Endpoints'>,
  workloads: Workloads,
  trustDomain: string,
): void {
  const { namespace } = resource.metadata;
  for (const subset of resource.spec.subsets) {
    const states = [
      [subset.addresses, 'HEALTHY'],
      [subset.notReadyAddresses, 'UNHEALTHY'],
    ] as const;
    for (const [addresses, health] of states) {
      for (const { ip, nodeName, targetRef } of addresses) {
        const pod =
          targetRef?.kind === 'Pod'
            ? workloads.pod(targetRef.namespace ?? namespace, targetRef.name ?? '')
            : workloads.podByAddress(namespace, ip);
        if (targetRef?.kind === 'Pod' && pod === undefined) continue;
        for (const port of subset.ports)
          found.addOnce(addressEndpoint(ip, port, pod, namespace, health, nodeName, trustDomain));
      }
    }
  }
}

function addressEndpoint(
  address: string,
  port: EndpointPort,
  pod: Pod | undefined,
  namespace: string,
  health: 'HEALTHY' | 'UNHEALTHY',
  nodeName: string | undefined,
  trustDomain: string,
): IstioEndpoint | undefined {
  if (port.port === undefined) return undefined;
  const name = port.name ?? '';
  if (pod !== undefined) {
    const endpoint = podEndpoint(pod, port.port, name, trustDomain);
    return endpoint === undefined ? undefined : { ...endpoint, address, health };
  }
  const endpoint = plainEndpoint(address, port.port, name, namespace);
  return { ...endpoint, health, labels: withTopologyLabels({}, '', nodeName) };
}

function addPod(found: EndpointList, pod: Pod, service: Resource<'Service'>, trustDomain: string): void {
  const { spec } = service;
  const isReady = pod.isReady || spec.publishNotReadyAddresses;
  if (!isReady && pod.isTerminating) return;
  for (const port of spec.ports) {
    const number = podPort(pod, port.targetPort ?? port.port, port.protocol);
    if (number === undefined) continue;
    const endpoint = podEndpoint(pod, number, port.name ?? '', trustDomain);
    if (endpoint !== undefined) found.addOnce(isReady ? endpoint : { ...endpoint, health: 'UNHEALTHY' });
  }
}

function podPort(pod: Pod, target: number | string, protocol: string): number | undefined {
  if (typeof target === 'number') return target;
  return pod.resource.spec.containerPorts.find((port) => port.name === target && (port.protocol ?? 'TCP') === protocol)
    ?.containerPort;
}

function podEndpoint(pod: Pod, port: number, servicePortName: string, trustDomain: string): IstioEndpoint | undefined {
  if (pod.labels[DRAINING_LABEL] !== undefined) return undefined;
  const { namespace } = pod.resource.metadata;
  const locality = localityOfLabels(pod.labels);
  return {
    address: pod.address,
    port,
    servicePortName,
    labels: withTopologyLabels(pod.labels, locality, pod.resource.spec.nodeName),
    locality,
    weight: 1,
    health: 'HEALTHY',
    tlsMode: tlsModeOfLabels(pod.labels, 'disabled'),
    serviceAccount: spiffe(trustDomain, namespace, pod.resource.spec.serviceAccountName ?? ''),
    namespace,
    hostname: undefined,
  };
}

// A Service picks up WorkloadEntries by its selector; their `ports` map is read by the named target port, or by the
// service port's name when the target port is a number (spec destinations.md §5.4).
function addWorkloadEntry(
  found: EndpointList,
  entry: { readonly spec: WorkloadEntrySpec; readonly labels: Labels },
  service: Resource<'Service'>,
  trustDomain: string,
): void {
  if (!isIpAddress(entry.spec.address ?? '')) return;
  for (const port of service.spec.ports) {
    const target = port.targetPort ?? port.port;
    const number =
      typeof target === 'string' ? entry.spec.ports[target] : (entry.spec.ports[port.name ?? ''] ?? target);
    if (number === undefined) continue;
    const servicePort: ServicePortSpec = { number, name: port.name ?? '' };
    const { ports: _ports, ...rest } = entry.spec;
    found.addOnce(
      workloadEntryEndpoint({ ...rest, ports: {} }, entry.labels, servicePort, service.metadata.namespace, trustDomain),
    );
  }
}

function workloadEntryEndpoint(
  entry: WorkloadEntrySpec,
  labels: Labels,
  port: ServicePortSpec,
  namespace: string,
  trustDomain: string,
): IstioEndpoint | undefined {
  // Without an address an entry stands for the east-west gateway of another network, which nobody emulates.
  const address = entry.address ?? '';
  if (address === '' || labels[DRAINING_LABEL] !== undefined) return undefined;
  const isUnix = address.startsWith(UNIX_PREFIX);
  const locality = entry.locality ?? localityOfLabels(labels);
  const mapped = entry.ports[port.name];
  const hasAccount = entry.serviceAccount !== undefined && entry.serviceAccount !== '';
  return {
    address: isUnix ? address.slice(UNIX_PREFIX.length) : address,
    port: isUnix ? 0 : mapped !== undefined && mapped > 0 ? mapped : (port.targetPort ?? port.number),
    servicePortName: port.name,
    labels: withTopologyLabels(labels, locality, undefined, entry.network),
    locality,
    weight: entry.weight === undefined || entry.weight === 0 ? 1 : entry.weight,
    health: 'HEALTHY',
    tlsMode: tlsModeOfLabels(labels, hasAccount ? 'istio' : 'disabled'),
    serviceAccount: hasAccount ? spiffe(trustDomain, namespace, entry.serviceAccount ?? '') : undefined,
    namespace,
    hostname: undefined,
  };
}

function plainEndpoint(address: string, port: number, servicePortName: string, namespace: string): IstioEndpoint {
  return {
    address,
    port,
    servicePortName,
    labels: {},
    locality: '',
    weight: 1,
    health: 'HEALTHY',
    tlsMode: 'disabled',
    serviceAccount: undefined,
    namespace,
    hostname: undefined,
  };
}

function spiffe(trustDomain: string, namespace: string, account: string): string {
  return `spiffe://${trustDomain}/ns/${namespace}/sa/${account}`;
}
