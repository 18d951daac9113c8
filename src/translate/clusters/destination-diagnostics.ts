// What is wrong with the destinations of routes: hosts, ports and subsets that have no cluster. Istio is silent about it
// until a request comes. Spec destinations.md §3, §4, §5, §6.1, §14.3.
import type { Destination } from '../../config/model/common.js';
import { type Resource, resourceName } from '../../config/model/resource.js';
import {
  DestinationNotVisible,
  DestinationPortUnknown,
  DestinationUnknown,
  DnsWithoutEndpoints,
  EntryWithoutResolution,
  GatewayNodeUnknown,
  PassthroughBalancing,
  SubsetUnknown,
} from '../../diagnostics/catalogue.js';
import type { Reporter } from '../../diagnostics/diagnostic.js';
import type { Origin } from '../../diagnostics/origin.js';
import type { PushContext, Service } from '../../registry/push-context.js';
import { collectServices } from '../../registry/services.js';
import type { Cluster, Endpoint } from '../../xds/index.js';
import type { MergedGateways } from '../gateway-merge.js';
import { outboundClusterName } from '../names.js';
import { isNodeLocal, nodeOf } from './node-local.js';
import { destinationPorts, type FieldOrigin, visitDestinations } from './route-destinations.js';

/** What was built, for looking up by name. */
export interface BuiltClusterIndex {
  readonly clusters: ReadonlyMap<string, Cluster>;
  readonly endpoints: Readonly<Record<string, readonly Endpoint[]>>;
}

/** Reports destinations that lead nowhere whatever stands behind the services, each finding once per place. */
export function reportDestinations(
  context: PushContext,
  gateways: MergedGateways,
  built: BuiltClusterIndex,
  report: Reporter,
): void {
  const check = new DestinationCheck(context, built, report);
  visitDestinations(context, gateways, (destination, ports, at) => check.visit(destination, ports, at));
}

class DestinationCheck {
  private readonly context: PushContext;
  private readonly built: BuiltClusterIndex;
  private readonly report: Reporter;
  private readonly declared: ReadonlyMap<string, Service>;
  /** Places already reported (a delegate may be visited through several roots) and clusters already looked into. */
  private readonly seen = new Set<string>();

  constructor(context: PushContext, built: BuiltClusterIndex, report: Reporter) {
    this.context = context;
    this.built = built;
    this.report = report;
    this.declared = new Map(
      collectServices(context.store, context.proxy.domain).map((service) => [service.hostname, service]),
    );
  }

  visit(destination: Destination, serverPorts: ReadonlySet<number>, at: FieldOrigin): void {
    const named = this.context.service(destination.host);
    if (named === undefined) {
      this.once(at('host'), () => this.reportUnknownHost(destination.host, at('host')));
      return;
    }
    const hostname = named.externalName ?? destination.host;
    const service = named.externalName === undefined ? named : this.context.service(hostname);
    // One hop only: an alias of an alias leads nowhere.
    if (service === undefined || service.externalName !== undefined) {
      this.once(at('host'), () =>
        this.report(
          DestinationUnknown,
          at('host'),
          { host: hostname },
          {
            help: `${destination.host} is an ExternalName: its target must be a Service with endpoints of its own, or a ServiceEntry`,
          },
        ),
      );
      return;
    }
    for (const port of destinationPorts(destination, named.ports, serverPorts))
      this.checkCluster(service, port, destination.subset ?? '', at);
  }

  private checkCluster(service: Service, port: number, subset: string, at: FieldOrigin): void {
    const { hostname } = service;
    const usable = service.ports.filter(({ protocol }) => protocol !== 'UDP');
    if (!usable.some((candidate) => candidate.port === port)) {
      const ports = usable.map((candidate) => candidate.port).join(', ') || 'none';
      this.once(at('port'), () => this.report(DestinationPortUnknown, at('port'), { host: hostname, port, ports }));
      return;
    }
    const name = outboundClusterName(hostname, port, subset);
    const cluster = this.built.clusters.get(name);
    if (cluster !== undefined) {
      this.once(name, () => this.checkKind(service, cluster, at));
      return;
    }
    const declares = this.context.destinationRule(hostname)?.spec.subsets.some((each) => each.name === subset);
    if (subset !== '' && declares !== true)
      this.once(at('subset'), () => this.reportUnknownSubset(hostname, subset, at('subset')));
    else this.once(name, () => this.report(DnsWithoutEndpoints, at('host'), { cluster: name }));
  }

  // Without endpoints of their own by design: only a sidecar could know where to connect.
  private checkKind(service: Service, cluster: Cluster, at: FieldOrigin): void {
    const { hostname, resource } = service;
    if (resource?.kind === 'Service' && isNodeLocal(service) && nodeOf(this.context.proxy) === undefined)
      this.report(GatewayNodeUnknown, resource.at(['spec', 'internalTrafficPolicy']), { host: hostname });
    if (cluster.type === 'ORIGINAL_DST') this.report(PassthroughBalancing, at('host'), { host: hostname });
    else if (service.source === 'serviceEntry' && service.resolution === 'Passthrough' && resource !== undefined)
      this.report(EntryWithoutResolution, resource.origin, { entry: resourceName(resource), host: hostname });
  }

  private reportUnknownHost(host: string, origin: Origin): void {
    const hidden = this.declared.get(host);
    if (hidden?.resource !== undefined) {
      const { namespace } = this.context.proxy;
      this.report(DestinationNotVisible, origin, { resource: resourceName(hidden.resource), namespace });
      return;
    }
    const help = this.suggestHost(host);
    this.report(DestinationUnknown, origin, { host }, help === undefined ? {} : { help });
  }

  private suggestHost(host: string): string | undefined {
    const suffix = `.svc.${this.context.proxy.domain}`;
    for (const candidate of [`${host}${suffix}`, `${host}.${this.context.proxy.domain}`])
      if (this.declared.has(candidate)) return `a host with a dot is taken literally; write ${candidate}`;
    if (!host.endsWith(suffix)) return undefined;
    const [name = ''] = host.split('.');
    const elsewhere = [...this.declared.keys()].filter(
      (other) => other.startsWith(`${name}.`) && other.endsWith(suffix),
    );
    return elsewhere.length === 0 ? undefined : `there is ${elsewhere.slice(0, 3).join(', ')}`;
  }

  private reportUnknownSubset(host: string, subset: string, origin: Origin): void {
    const { store, proxy } = this.context;
    const other = store
      .all('DestinationRule')
      .find(
        (rule) =>
          rule.spec.subsets.some(({ name }) => name === subset) &&
          (rule.spec.host === host || host === `${rule.spec.host}.${rule.metadata.namespace}.svc.${proxy.domain}`),
      );
    const help = other === undefined ? undefined : `${resourceName(other)} declares it but does not count here`;
    this.report(SubsetUnknown, origin, { subset, host }, help === undefined ? {} : { help });
  }

  private once(place: Origin | string, say: () => void): void {
    const key = typeof place === 'string' ? place : `${place.file}:${place.line}:${place.column}`;
    if (this.seen.has(key)) return;
    this.seen.add(key);
    say();
  }
}

/** A rule as diagnostics name it. */
export function ruleName(rule: Resource<'DestinationRule'>): string {
  return `${rule.metadata.namespace}/${rule.metadata.name}`;
}
