// Builds the PushContext: every index of the registry, once per configuration. Contract in push-context.ts; rules in
// services.ts, endpoints.ts, destination-rules.ts, secret-store.ts.
import type { Resource } from '../config/model/resource.js';
import type { Store } from '../config/store.js';
import { assumedServices } from './assumed-services.js';
import { indexDestinationRules } from './destination-rules.js';
import { serviceEndpoints, serviceEntryEndpoints } from './endpoints.js';
import { withGatewayService } from './gateway-service.js';
import type {
  GatewayProxy,
  IstioEndpoint,
  MergedDestinationRule,
  PushContext,
  PushContextOptions,
  Service,
  ServicePort,
} from './push-context.js';
import { createSecretStore } from './secret-store.js';
import { collectServices, visibleServices } from './services.js';
import { indexWorkloads } from './workloads.js';

/**
 * The immutable context of one gateway over one configuration.
 *
 *     const context = buildPushContext(store, proxy);
 *     const web = context.service('web.shop.svc.cluster.local');
 *     context.endpoints(web, web.ports[0]); // [{ address: '10.0.0.7', port: 8080, … }]
 *
 * Endpoints and rules are computed on first use and kept; the store must not change.
 */
export function buildPushContext(loaded: Store, proxy: GatewayProxy, options: PushContextOptions = {}): PushContext {
  const store = withGatewayService(loaded, proxy);
  const { mesh } = store;
  const trustDomain = mesh.trustDomain ?? 'cluster.local';
  const rootNamespace = mesh.rootNamespace ?? 'istio-system';
  const declared = collectServices(store, proxy.domain);
  const hostnames = new Set(declared.map((service) => service.hostname));
  const all = options.assumeServices ? [...declared, ...assumedServices(store, proxy, hostnames)] : declared;
  const services = visibleServices(all, proxy.namespace, mesh.defaultServiceExportTo);
  const byHostname = new Map(services.map((service) => [service.hostname, service]));
  const byKey = groupByKey(all);
  const workloads = indexWorkloads(store);
  const rules = indexDestinationRules(store, proxy, rootNamespace);
  const ruleCache = new Map<string, MergedDestinationRule | undefined>();
  const endpointCache = new Map<string, readonly IstioEndpoint[]>();

  // ServiceEntries of the Service's namespace with its hostname add to its endpoints; entries elsewhere do not
  // (spec destinations.md §4.7 item 4).
  const endpointsOf = (service: Service): readonly IstioEndpoint[] => {
    const key = serviceKey(service);
    let found = endpointCache.get(key);
    if (found === undefined) {
      found = entriesFirst(byKey.get(key) ?? []).flatMap(({ resource, hostname }): readonly IstioEndpoint[] => {
        if (resource === undefined) return [];
        return isService(resource)
          ? serviceEndpoints(resource, store, workloads, trustDomain)
          : serviceEntryEndpoints(resource, hostname, workloads, trustDomain);
      });
      endpointCache.set(key, found);
    }
    return found;
  };

  // EDS matches endpoints by the port's name; DNS clusters by its number, through whatever names the services of that
  // hostname give it (spec destinations.md §4.7 item 4).
  const portNames = (service: Service, port: ServicePort): ReadonlySet<string> => {
    const names = new Set([port.name]);
    if (service.resolution !== 'DNSLB' && service.resolution !== 'DNSRoundRobinLB') return names;
    for (const other of byKey.get(serviceKey(service)) ?? [])
      for (const candidate of other.ports) if (candidate.port === port.port) names.add(candidate.name);
    return names;
  };

  const secrets = createSecretStore(store, proxy, options);
  return Object.freeze({
    store,
    mesh,
    proxy,
    services,
    service: (hostname: string) => byHostname.get(hostname),
    endpoints: (service: Service, port: ServicePort) => {
      const names = portNames(service, port);
      return endpointsOf(service).filter((endpoint) => names.has(endpoint.servicePortName));
    },
    destinationRule: (hostname: string) => {
      const service = byHostname.get(hostname);
      // Rules for hosts that nobody declares, and for aliases, have no effect (spec destinations.md §4.5).
      if (service === undefined || service.resolution === 'Alias') return undefined;
      if (!ruleCache.has(hostname)) ruleCache.set(hostname, rules.find(hostname, service.namespace));
      return ruleCache.get(hostname);
    },
    credential: secrets,
  });
}

function serviceKey(service: Service): string {
  return `${service.namespace}/${service.hostname}`;
}

function groupByKey(services: readonly Service[]): ReadonlyMap<string, readonly Service[]> {
  const groups = new Map<string, Service[]>();
  for (const service of services) {
    const group = groups.get(serviceKey(service));
    if (group === undefined) groups.set(serviceKey(service), [service]);
    else group.push(service);
  }
  return groups;
}

// Istio keeps endpoints by registry, in order of its name: "External" comes before "Kubernetes".
function entriesFirst(services: readonly Service[]): readonly Service[] {
  return [
    ...services.filter(({ source }) => source === 'serviceEntry'),
    ...services.filter(({ source }) => source !== 'serviceEntry'),
  ];
}

function isService(resource: Resource<'Service'> | Resource<'ServiceEntry'>): resource is Resource<'Service'> {
  return resource.kind === 'Service';
}
