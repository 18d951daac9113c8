// Routed clusters without a host that could answer, and why. Asked of the final snapshot, because mappings and stubs may
// stand in for what the files do not place anywhere. Spec destinations.md §3, §5.1, §5.2, §5.6.
import type { Subset } from '../../config/model/destination-rule.js';
import { labelsMatch } from '../../config/model/labels.js';
import type { Resource } from '../../config/model/resource.js';
import {
  NoReadyEndpoint,
  PodWithoutAddress,
  ServiceWithoutEndpoints,
  SubsetWithoutEndpoints,
} from '../../diagnostics/catalogue.js';
import type { Reporter } from '../../diagnostics/diagnostic.js';
import type { PushContext, Service } from '../../registry/push-context.js';
import type { Snapshot } from '../../xds/index.js';
import { mergeGateways } from '../gateway-merge.js';
import { outboundClusterName } from '../names.js';
import { destinationPorts, type FieldOrigin, visitDestinations } from './route-destinations.js';

/** Reports each routed EDS cluster of the snapshot that has no healthy endpoint, at the first route that names it. */
export function reportEmptyClusters(
  context: PushContext,
  { endpoints }: Pick<Snapshot, 'endpoints'>,
  report: Reporter,
): void {
  const seen = new Set<string>();
  const gateways = mergeGateways(context, () => {});
  visitDestinations(context, gateways, (destination, serverPorts, at) => {
    const named = context.service(destination.host);
    const service = named?.externalName === undefined ? named : context.service(named.externalName);
    if (named === undefined || service === undefined || hasNoEndpointsByDesign(service)) return;
    for (const port of destinationPorts(destination, named.ports, serverPorts)) {
      const name = outboundClusterName(service.hostname, port, destination.subset);
      const hosts = endpoints[name];
      if (hosts === undefined || seen.has(name)) continue;
      seen.add(name);
      if (hosts.length === 0) reportEmpty(context, service, port, destination.subset ?? '', at, report);
      else if (hosts.every(({ health }) => health !== 'HEALTHY'))
        report(NoReadyEndpoint, at('host'), { cluster: name });
    }
  });
}

// Reported as such (EntryWithoutResolution).
function hasNoEndpointsByDesign(service: Service): boolean {
  return service.source === 'serviceEntry' && service.resolution === 'Passthrough';
}

function reportEmpty(
  context: PushContext,
  service: Service,
  port: number,
  subset: string,
  at: FieldOrigin,
  report: Reporter,
): void {
  const cluster = outboundClusterName(service.hostname, port, subset);
  const servicePort = service.ports.find((candidate) => candidate.port === port);
  const whole = servicePort === undefined ? [] : context.endpoints(service, servicePort);
  const rule = context.destinationRule(service.hostname)?.spec;
  const declared = rule?.subsets.find(({ name }) => name === subset);
  if (declared !== undefined && whole.length > 0)
    report(SubsetWithoutEndpoints, at('subset'), { cluster, labels: renderLabels(declared) });
  else report(ServiceWithoutEndpoints, at('host'), { cluster, reason: explainEmpty(context, service, report) });
}

function renderLabels({ labels }: Subset): string {
  return Object.entries(labels)
    .map(([name, value]) => `${name}=${value}`)
    .join(', ');
}

/** Reports at the Pods what keeps the service empty; returns the reason as the end of a sentence. */
function explainEmpty(context: PushContext, service: Service, report: Reporter): string {
  const { resource } = service;
  if (resource === undefined) return 'nothing is known about it';
  if (resource.kind === 'ServiceEntry') return 'the ServiceEntry has no endpoint that can be used';
  const { metadata, spec } = resource as Resource<'Service'>;
  const name = `${metadata.namespace}/${metadata.name}`;
  if (Object.keys(spec.selector).length === 0)
    return `Service ${name} has no selector, and no EndpointSlice or Endpoints gives it a usable address under the name of its port`;
  const pods = context.store
    .all('Pod')
    .filter((pod) => pod.metadata.namespace === metadata.namespace && labelsMatch(spec.selector, pod.metadata.labels));
  const entries = context.store
    .all('WorkloadEntry')
    .filter(
      (entry) =>
        entry.metadata.namespace === metadata.namespace &&
        labelsMatch(spec.selector, { ...entry.spec.labels, ...entry.metadata.labels }),
    );
  if (pods.length === 0 && entries.length === 0) {
    const labels = Object.entries(spec.selector).map(([label, value]) => `${label}=${value}`);
    return `the selector of Service ${name} (${labels.join(', ')}) matches no Pod and no WorkloadEntry`;
  }
  const nowhere = pods.filter((pod) => (pod.spec.podIP ?? '') === '' && pod.spec.podIPs.length === 0);
  for (const pod of nowhere)
    report(PodWithoutAddress, pod.origin, {
      pod: `${pod.metadata.namespace}/${pod.metadata.name}`,
      service: `Service ${name}`,
    });
  if (nowhere.length === pods.length && entries.length === 0) return `no Pod of Service ${name} has an address`;
  return `no Pod of Service ${name} is running and has the port`;
}
