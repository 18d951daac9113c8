// `--assume-services`: services that nobody declares but routes name, so that a configuration can be tried without its
// Kubernetes Services. Ours; Istio answers such routes with NC.
import type { Destination } from '../config/model/common.js';
import type { VirtualServiceSpec } from '../config/model/virtual-service.js';
import type { Store } from '../config/store.js';
import type { GatewayProxy, Service, ServicePort } from './push-context.js';
import { resolveShortName } from './virtual-services.js';

/**
 * `--assume-services`: a service for every destination host that a route of a VirtualService names and nobody
 * declares, with the ports that the routes name (80 when no route names one). Ours; Istio answers NC there.
 */
export function assumedServices(store: Store, proxy: GatewayProxy, known: ReadonlySet<string>): readonly Service[] {
  const ports = new Map<string, { readonly namespace: string; readonly numbers: Set<number> }>();
  for (const { metadata, spec } of store.all('VirtualService')) {
    const serverPorts = gatewayPorts(store, spec.gateways ?? [], metadata.namespace);
    for (const { host, port } of destinationsOf(spec)) {
      const hostname = resolveShortName(host, metadata.namespace, proxy.domain);
      if (host === '' || known.has(hostname)) continue;
      const entry = ports.get(hostname) ?? { namespace: metadata.namespace, numbers: new Set<number>() };
      ports.set(hostname, entry);
      for (const number of port === undefined ? serverPorts : [port.number]) entry.numbers.add(number);
    }
  }
  return [...ports].map(([hostname, { namespace, numbers }]) =>
    assumedService(hostname, namespaceOfHost(hostname, proxy.domain) ?? namespace, [...numbers]),
  );
}

/** The subsets that routes name of each host; an assumed service has them all. */
export function namedSubsets(store: Store, domain: string): ReadonlyMap<string, ReadonlySet<string>> {
  const subsets = new Map<string, Set<string>>();
  for (const { metadata, spec } of store.all('VirtualService'))
    for (const { host, subset } of destinationsOf(spec)) {
      if (subset === undefined || subset === '') continue;
      const hostname = resolveShortName(host, metadata.namespace, domain);
      const names = subsets.get(hostname) ?? new Set<string>();
      subsets.set(hostname, names.add(subset));
    }
  return subsets;
}

/** Every destination of every route, mirrors included. */
function destinationsOf(spec: VirtualServiceSpec): readonly Destination[] {
  const found: Destination[] = [];
  for (const route of spec.http) {
    for (const { destination } of route.route) found.push(destination);
    if (route.mirror !== undefined) found.push(route.mirror);
    for (const { destination } of route.mirrors) found.push(destination);
  }
  for (const route of [...spec.tls, ...spec.tcp]) for (const { destination } of route.route) found.push(destination);
  return found;
}

function assumedService(hostname: string, namespace: string, numbers: readonly number[]): Service {
  const ports: ServicePort[] = [...numbers]
    .sort((a, b) => a - b)
    .map((port) => ({ name: `port-${port}`, port, protocol: 'UnsupportedProtocol' }));
  return {
    hostname,
    namespace,
    source: 'assumed',
    resource: undefined,
    creationTimestamp: 0,
    ports,
    resolution: 'ClientSideLB',
    meshExternal: false,
    exportTo: [],
    externalName: undefined,
    headless: false,
    publishNotReadyAddresses: false,
    subjectAltNames: [],
    labels: {},
  };
}

// A destination without a port goes to the server's port when the service has several ports (spec virtualservice.md
// §8.2); with one it does not matter. 80 stands in where no Gateway is found.
function gatewayPorts(store: Store, gateways: readonly string[], namespace: string): readonly number[] {
  const numbers = new Set<number>();
  for (const reference of gateways) {
    const slash = reference.indexOf('/');
    const gateway = store.get(
      'Gateway',
      slash === -1 ? namespace : reference.slice(0, slash),
      slash === -1 ? reference : reference.slice(slash + 1),
    );
    for (const server of gateway?.spec.servers ?? []) numbers.add(server.port.number);
  }
  return numbers.size === 0 ? [80] : [...numbers];
}

function namespaceOfHost(hostname: string, domain: string): string | undefined {
  const suffix = `.svc.${domain}`;
  if (!hostname.endsWith(suffix)) return undefined;
  return hostname.slice(0, -suffix.length).split('.')[1];
}
