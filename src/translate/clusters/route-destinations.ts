// Every destination that a route of this gateway names, with the clusters that it may mean. Spec destinations.md §4.2,
// §4.5.
import type { Destination } from '../../config/model/common.js';
import type { Origin } from '../../diagnostics/origin.js';
import type { PushContext } from '../../registry/push-context.js';
import { allVirtualServices, type BoundVirtualService, isVisible } from '../../registry/virtual-services.js';
import type { MergedGateways } from '../gateway-merge.js';

/** Where a field of a destination was written. */
export type FieldOrigin = (field: 'host' | 'port' | 'subset') => Origin;

/** `serverPorts`: written ports of the servers that it is reached through, for a destination without a port. */
export type VisitDestination = (destination: Destination, serverPorts: ReadonlySet<number>, at: FieldOrigin) => void;

/** Visits the destinations of all VirtualServices that are bound to a server of this gateway and visible to it. */
export function visitDestinations(context: PushContext, gateways: MergedGateways, visit: VisitDestination): void {
  const servers = gateways.ports.flatMap((port) => port.servers);
  for (const bound of allVirtualServices(context)) {
    const reached = servers.filter(({ gatewayName }) => bound.gateways.includes(gatewayName));
    if (reached.length > 0 && isVisible(context, bound))
      visitRoutes(bound, new Set(reached.map(({ writtenPort }) => writtenPort)), visit);
  }
}

function visitRoutes(bound: BoundVirtualService, ports: ReadonlySet<number>, visit: VisitDestination): void {
  for (const { route, from, index } of bound.http) {
    const at = (...path: readonly (string | number)[]): Origin => from.at(['spec', 'http', index, ...path]);
    for (const [entry, { destination }] of route.route.entries())
      visit(destination, ports, (field) => at('route', entry, 'destination', field));
    if (route.mirror !== undefined) visit(route.mirror, ports, (field) => at('mirror', field));
    for (const [entry, { destination }] of route.mirrors.entries())
      visit(destination, ports, (field) => at('mirrors', entry, 'destination', field));
  }
  for (const section of ['tls', 'tcp'] as const)
    for (const [index, { route }] of bound[section].entries())
      for (const [entry, { destination }] of route.entries())
        visit(destination, ports, (field) =>
          bound.resource.at(['spec', section, index, 'route', entry, 'destination', field]),
        );
}

/** Ports of the service that a destination may mean; several when it has none and neither has the service just one. */
export function destinationPorts(
  destination: Destination,
  servicePorts: readonly { readonly port: number }[],
  serverPorts: ReadonlySet<number>,
): ReadonlySet<number> {
  const written = destination.port?.number ?? (servicePorts.length === 1 ? servicePorts[0]?.port : undefined);
  return written === undefined ? serverPorts : new Set([written]);
}
