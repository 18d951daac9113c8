// Services of the registry: one per Kubernetes Service and one per host of a ServiceEntry, those that the gateway's
// namespace may see, one per hostname, in Istio's order. Spec destinations.md §4, §6.1. Source: istio/istio
// pilot/pkg/model/push_context.go (initServiceRegistry), sidecar.go (appendSidecarServices).
import { parseProtocol } from '../config/model/protocol.js';
import type { Resource } from '../config/model/resource.js';
import type { Store } from '../config/store.js';
import { compareText } from '../config/text-order.js';
import type { Service } from './push-context.js';
import { protocolOfServicePort } from './service-protocol.js';

/** Every service there is, oldest first; of equal age by name (a ServiceEntry's name is the host), then namespace. */
export function collectServices(store: Store, domain: string): readonly Service[] {
  const trustDomain = store.mesh.trustDomain ?? 'cluster.local';
  const services: { readonly service: Service; readonly name: string }[] = [];
  for (const resource of store.all('Service'))
    services.push({ service: kubernetesService(resource, domain, trustDomain), name: resource.metadata.name });
  for (const resource of store.all('ServiceEntry'))
    for (const host of resource.spec.hosts) services.push({ service: serviceEntryService(resource, host), name: host });
  services.sort(
    (a, b) =>
      Math.floor(a.service.creationTimestamp / 1000) - Math.floor(b.service.creationTimestamp / 1000) ||
      compareText(a.name, b.name) ||
      compareText(a.service.namespace, b.service.namespace),
  );
  return services.map((entry) => entry.service);
}

/** Keeps what the gateway's namespace may see and one service per hostname (spec destinations.md §4.7). */
export function visibleServices(
  all: readonly Service[],
  namespace: string,
  defaultExportTo: readonly string[] = ['*'],
): readonly Service[] {
  const own: Service[] = [];
  const exported: Service[] = [];
  const open: Service[] = [];
  for (const service of all) {
    const visibility = visibilityOf(service, namespace, defaultExportTo);
    if (visibility === 'private') own.push(service);
    else if (visibility === 'exported') exported.push(service);
    else if (visibility === 'public') open.push(service);
  }
  const index = new Map<string, number>();
  const kept: Service[] = [];
  for (const service of [...own, ...exported, ...open]) {
    const at = index.get(service.hostname);
    const existing = at === undefined ? undefined : kept[at];
    if (at === undefined || existing === undefined) {
      index.set(service.hostname, kept.push(service) - 1);
    } else if (existing.source !== 'kubernetes' && service.source === 'kubernetes') {
      kept[at] = service;
    } else if (mayMergePorts(existing, service)) {
      const numbers = new Set(existing.ports.map((port) => port.port));
      const added = service.ports.filter((port) => !numbers.has(port.port));
      if (added.length > 0) kept[at] = { ...existing, ports: [...existing.ports, ...added] };
    }
  }
  return kept;
}

function kubernetesService(resource: Resource<'Service'>, domain: string, trustDomain: string): Service {
  const { metadata, spec } = resource;
  const alias = spec.type === 'ExternalName' && spec.externalName !== undefined && spec.externalName !== '';
  const headless = spec.clusterIP === 'None';
  return {
    hostname: `${metadata.name}.${metadata.namespace}.svc.${domain}`,
    namespace: metadata.namespace,
    source: 'kubernetes',
    resource,
    creationTimestamp: metadata.creationTimestamp,
    ports: spec.ports.map((port) => ({
      name: port.name ?? '',
      port: port.port,
      protocol: protocolOfServicePort(port),
    })),
    resolution: alias ? 'Alias' : headless ? 'Passthrough' : 'ClientSideLB',
    meshExternal: alias,
    exportTo: splitList(metadata.annotations['networking.istio.io/exportTo']),
    externalName: alias ? spec.externalName : undefined,
    headless,
    publishNotReadyAddresses: spec.publishNotReadyAddresses,
    subjectAltNames: annotatedServiceAccounts(resource, trustDomain),
    labels: metadata.labels,
  };
}

// `alpha.istio.io/canonical-serviceaccounts` is taken verbatim; `…/kubernetes-serviceaccounts` names accounts of the
// Service's own namespace (spec destinations.md §4.1).
function annotatedServiceAccounts(resource: Resource<'Service'>, trustDomain: string): readonly string[] {
  const { annotations, namespace } = resource.metadata;
  const canonical = splitList(annotations['alpha.istio.io/canonical-serviceaccounts']);
  const kubernetes = splitList(annotations['alpha.istio.io/kubernetes-serviceaccounts']);
  return [...canonical, ...kubernetes.map((account) => `spiffe://${trustDomain}/ns/${namespace}/sa/${account}`)];
}

const SERVICE_ENTRY_RESOLUTIONS = {
  NONE: 'Passthrough',
  STATIC: 'ClientSideLB',
  DNS: 'DNSLB',
  DNS_ROUND_ROBIN: 'DNSRoundRobinLB',
  DYNAMIC_DNS: 'DynamicDNS',
} as const;

function serviceEntryService(resource: Resource<'ServiceEntry'>, host: string): Service {
  const { metadata, spec } = resource;
  return {
    hostname: host,
    namespace: metadata.namespace,
    source: 'serviceEntry',
    resource,
    creationTimestamp: metadata.creationTimestamp,
    ports: spec.ports.map((port) => ({
      name: port.name,
      port: port.number,
      protocol: parseProtocol(port.protocol ?? ''),
    })),
    resolution: SERVICE_ENTRY_RESOLUTIONS[spec.resolution],
    meshExternal: spec.location === 'MESH_EXTERNAL',
    exportTo: spec.exportTo ?? [],
    externalName: undefined,
    headless: false,
    publishNotReadyAddresses: false,
    subjectAltNames: spec.subjectAltNames,
    labels: metadata.labels,
  };
}

type Visibility = 'private' | 'exported' | 'public' | 'hidden';

function visibilityOf(service: Service, namespace: string, defaultExportTo: readonly string[]): Visibility {
  const exportTo = service.exportTo.length === 0 ? defaultExportTo : service.exportTo;
  if (exportTo.includes('*')) return 'public';
  if (exportTo.includes('~')) return 'hidden';
  if (service.namespace === namespace && (exportTo.includes('.') || exportTo.includes(namespace))) return 'private';
  return exportTo.includes(namespace) ? 'exported' : 'hidden';
}

// Two ServiceEntries (or two equal Services) may share a hostname and add ports to each other only when everything
// else about them is the same.
function mayMergePorts(a: Service, b: Service): boolean {
  return (
    a.namespace === b.namespace &&
    a.source === b.source &&
    a.resolution === b.resolution &&
    sameList([...a.exportTo].sort(), [...b.exportTo].sort()) &&
    sameLabels(a.labels, b.labels) &&
    sameLabels(selectorOf(a), selectorOf(b))
  );
}

function selectorOf(service: Service): Readonly<Record<string, string>> {
  const resource = service.resource;
  if (resource === undefined) return {};
  return resource.kind === 'Service'
    ? (resource as Resource<'Service'>).spec.selector
    : ((resource as Resource<'ServiceEntry'>).spec.workloadSelector?.labels ?? {});
}

function splitList(text: string | undefined): readonly string[] {
  return (text ?? '')
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '');
}

function sameList(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((value, index) => value === b[index]);
}

function sameLabels(a: Readonly<Record<string, string>>, b: Readonly<Record<string, string>>): boolean {
  const names = Object.keys(a);
  return names.length === Object.keys(b).length && names.every((name) => a[name] === b[name]);
}
