// From the port that a Gateway names to the port that the gateway pod listens on, through the Services that select the
// pod. Spec gateway.md §3.3.
import type { KubernetesServicePort } from '../config/model/kubernetes.js';
import { labelsMatch } from '../config/model/labels.js';
import type { Resource } from '../config/model/resource.js';
import type { Store } from '../config/store.js';
import { compareText } from '../config/text-order.js';
import type { GatewayProxy } from './push-context.js';

/** N, the port number in a Gateway, to P, the port that is listened on. */
export type ResolveGatewayPort = (writtenPort: number) => number;

const OPT_OUT_LABEL = 'experimental.istio.io/disable-gateway-port-translation';

interface ServicePortTarget {
  readonly port: number;
  readonly targetPort: number;
}

/** The port translation of this gateway workload. `store` is that of the PushContext, with the gateway's own Service. */
export function gatewayPortResolver(store: Store, proxy: GatewayProxy): ResolveGatewayPort {
  const targets = gatewayPortTargets(store, proxy);
  return (port) => targets.get(port) ?? port;
}

/** The same as plain data: ports that are not in it are listened on as they are written. */
export function gatewayPortTargets(store: Store, proxy: GatewayProxy): ReadonlyMap<number, number> {
  const targets = new Map<number, number>();
  for (const target of portTargets(store, proxy)) {
    // The first candidate counts, and it is followed once: 6001 -> 6002 and 6002 -> 6001 swap two ports.
    if (!targets.has(target.port)) targets.set(target.port, target.targetPort);
  }
  return targets;
}

/** Does the Service pick the gateway pod? */
export function selectsGateway(service: Resource<'Service'>, proxy: GatewayProxy): boolean {
  // Unlike a Gateway's selector, an empty one of a Service picks nothing; and Services never reach other namespaces.
  return (
    service.metadata.namespace === proxy.namespace &&
    Object.keys(service.spec.selector).length > 0 &&
    labelsMatch(service.spec.selector, proxy.labels)
  );
}

/** Candidates in Istio's order: creation time, then hostname. */
function portTargets(store: Store, proxy: GatewayProxy): readonly ServicePortTarget[] {
  const pod = gatewayPod(store, proxy);
  const candidates: { readonly age: number; readonly hostname: string; readonly targets: ServicePortTarget[] }[] = [];
  for (const service of store.all('Service')) {
    if (!selectsGateway(service, proxy) || OPT_OUT_LABEL in service.metadata.labels) continue;
    const targets: ServicePortTarget[] = [];
    for (const port of service.spec.ports) {
      const targetPort = targetPortOf(port, pod);
      if (targetPort !== undefined) targets.push({ port: port.port, targetPort });
    }
    const { name, namespace, creationTimestamp } = service.metadata;
    candidates.push({ age: creationTimestamp, hostname: `${name}.${namespace}.svc.${proxy.domain}`, targets });
  }
  for (const entry of store.all('ServiceEntry')) {
    const selector = entry.spec.workloadSelector?.labels;
    if (selector === undefined || entry.metadata.namespace !== proxy.namespace) continue;
    if (Object.keys(selector).length === 0 || !labelsMatch(selector, proxy.labels)) continue;
    if (OPT_OUT_LABEL in entry.metadata.labels) continue;
    const targets = entry.spec.ports.map((port) => ({
      port: port.number,
      targetPort: port.targetPort ?? port.number,
    }));
    for (const hostname of entry.spec.hosts)
      candidates.push({ age: entry.metadata.creationTimestamp, hostname, targets });
  }
  candidates.sort((a, b) => Math.floor(a.age / 1000) - Math.floor(b.age / 1000) || compareText(a.hostname, b.hostname));
  return candidates.flatMap((candidate) => candidate.targets);
}

/** The pod of the workload, should the files hold it: by its address, else by labels that say no other thing. */
function gatewayPod(store: Store, proxy: GatewayProxy): Resource<'Pod'> | undefined {
  const pods = store.all('Pod').filter((pod) => pod.metadata.namespace === proxy.namespace);
  return (
    pods.find((pod) => pod.spec.podIP === proxy.ipAddress) ??
    pods.find(({ metadata: { labels } }) => labelsMatch(proxy.labels, labels)) ??
    pods.find(({ metadata: { labels } }) => Object.keys(labels).length > 0 && labelsMatch(labels, proxy.labels))
  );
}

function targetPortOf(port: KubernetesServicePort, pod: Resource<'Pod'> | undefined): number | undefined {
  const target = port.targetPort;
  if (target === undefined || target === 0) return port.port;
  if (typeof target === 'number') return target;
  return pod?.spec.containerPorts.find(
    (container) => container.name === target && (container.protocol ?? 'TCP') === port.protocol,
  )?.containerPort;
}
