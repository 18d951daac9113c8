// Pods, WorkloadEntries and EndpointSlices, indexed by what services look them up by. Spec destinations.md §5.1, §5.3.
import type { Labels } from '../config/model/common.js';
import { labelsMatch } from '../config/model/labels.js';
import type { Resource } from '../config/model/resource.js';
import type { WorkloadEntrySpec } from '../config/model/service-entry.js';
import type { Store } from '../config/store.js';

/** A Pod with an address that has not ended. */
export interface Pod {
  readonly resource: Resource<'Pod'>;
  readonly address: string;
  readonly labels: Labels;
  /** Condition Ready; a Pod whose YAML says nothing counts as ready. */
  readonly isReady: boolean;
  readonly isTerminating: boolean;
}

/** A WorkloadEntry with the labels that select it. */
export interface WorkloadEntry {
  readonly resource: Resource<'WorkloadEntry'>;
  readonly spec: WorkloadEntrySpec;
  /** `spec.labels` with `metadata.labels` laid over them. */
  readonly labels: Labels;
}

/** Everything that can stand behind a service. */
export interface Workloads {
  /** Pods of the namespace that carry all these labels, in store order; an empty selector picks all of them. */
  selectPods(namespace: string, selector: Labels): readonly Pod[];
  pod(namespace: string, name: string): Pod | undefined;
  podByAddress(namespace: string, address: string): Pod | undefined;
  workloadEntries(namespace: string): readonly WorkloadEntry[];
  /** Slices that name this Service. */
  slices(namespace: string, serviceName: string): readonly Resource<'EndpointSlice'>[];
}

const SERVICE_NAME_LABEL = 'kubernetes.io/service-name';

/** Pods that have ended or have no address are left out. */
export function indexWorkloads(store: Store): Workloads {
  const pods = new Map<string, Pod[]>();
  const byLabel = new Map<string, Pod[]>();
  const byName = new Map<string, Pod>();
  const byAddress = new Map<string, Pod>();
  for (const resource of store.all('Pod')) {
    const pod = livePod(resource);
    if (pod === undefined) continue;
    const { namespace, name } = resource.metadata;
    append(pods, namespace, pod);
    for (const [label, value] of Object.entries(pod.labels)) append(byLabel, `${namespace}/${label}=${value}`, pod);
    byName.set(`${namespace}/${name}`, pod);
    // Istio's index by address holds only Pods whose Ready condition is written and true.
    if (resource.spec.ready === true)
      for (const address of addressesOf(resource)) byAddress.set(`${namespace}/${address}`, pod);
  }
  const entries = new Map<string, WorkloadEntry[]>();
  for (const resource of store.all('WorkloadEntry')) {
    const labels = { ...resource.spec.labels, ...resource.metadata.labels };
    append(entries, resource.metadata.namespace, { resource, spec: resource.spec, labels });
  }
  const slices = new Map<string, Resource<'EndpointSlice'>[]>();
  for (const slice of store.all('EndpointSlice'))
    append(slices, `${slice.metadata.namespace}/${slice.metadata.labels[SERVICE_NAME_LABEL] ?? ''}`, slice);
  return {
    selectPods: (namespace, selector) => {
      const first = Object.entries(selector)[0];
      if (first === undefined) return pods.get(namespace) ?? [];
      const candidates = byLabel.get(`${namespace}/${first[0]}=${first[1]}`) ?? [];
      return candidates.filter((pod) => labelsMatch(selector, pod.labels));
    },
    pod: (namespace, name) => byName.get(`${namespace}/${name}`),
    podByAddress: (namespace, address) => byAddress.get(`${namespace}/${address}`),
    workloadEntries: (namespace) => entries.get(namespace) ?? [],
    slices: (namespace, serviceName) => slices.get(`${namespace}/${serviceName}`) ?? [],
  };
}

function livePod(resource: Resource<'Pod'>): Pod | undefined {
  const { phase, ready, deletionTimestamp } = resource.spec;
  if (phase === 'Succeeded' || phase === 'Failed') return undefined;
  const address = addressesOf(resource)[0];
  if (address === undefined) return undefined;
  return {
    resource,
    address,
    labels: resource.metadata.labels,
    isReady: ready !== false && deletionTimestamp === undefined,
    isTerminating: deletionTimestamp !== undefined,
  };
}

function addressesOf(resource: Resource<'Pod'>): readonly string[] {
  const { podIP, podIPs } = resource.spec;
  if (podIP === undefined || podIP === '') return podIPs;
  return podIPs.includes(podIP) ? [podIP, ...podIPs.filter((address) => address !== podIP)] : [podIP, ...podIPs];
}

function append<T>(index: Map<string, T[]>, key: string, value: T): void {
  const list = index.get(key);
  if (list === undefined) index.set(key, [value]);
  else list.push(value);
}
