// Which servers of this gateway a VirtualService reaches, and what keeps it from reaching any. Spec virtualservice.md
// §3, §4.1, §16; the traps G1-G6, G16, G17 of §20.
import {
  SectionWithoutServer,
  VirtualServiceGatewayUnknown,
  VirtualServiceHostUnbound,
  VirtualServiceNotExported,
} from '../../diagnostics/catalogue.js';
import type { Reporter } from '../../diagnostics/diagnostic.js';
import type { PushContext } from '../../registry/push-context.js';
import { type BoundVirtualService, isVisible } from '../../registry/virtual-services.js';
import type { MergedGateways, MergedServer } from '../gateway-merge.js';
import { isHttpServer } from '../server-protocol.js';
import { serverHosts } from './server-hosts.js';

/** Servers by the name of their Gateway. */
export function serversByGateway(gateways: MergedGateways): ReadonlyMap<string, readonly MergedServer[]> {
  const byGateway = new Map<string, MergedServer[]>();
  for (const { servers } of gateways.ports) {
    for (const server of servers) {
      const list = byGateway.get(server.gatewayName);
      if (list === undefined) byGateway.set(server.gatewayName, [server]);
      else list.push(server);
    }
  }
  return byGateway;
}

/**
 * Reports what is wrong with the binding; false when the VirtualService has no effect at all on this gateway.
 *
 * @param servers of the Gateways that it names
 */
export function reportBinding(
  context: PushContext,
  bound: BoundVirtualService,
  servers: readonly MergedServer[],
  report: Reporter,
): boolean {
  const virtualService = `${bound.namespace}/${bound.name}`;
  for (const gateway of bound.gateways) {
    const [namespace = '', name = ''] = gateway.split('/');
    if (context.store.get('Gateway', namespace, name) !== undefined) continue;
    report(VirtualServiceGatewayUnknown, bound.resource.at(['spec', 'gateways', writtenIndex(bound, gateway)]), {
      virtualService,
      gateway,
    });
  }
  if (servers.length === 0) return false;
  if (!isVisible(context, bound)) {
    const { namespace } = context.proxy;
    report(VirtualServiceNotExported, bound.resource.at(['spec', 'exportTo']), { virtualService, namespace });
    return false;
  }
  const reached = reportHosts(bound, servers, report);
  if (reached.length === 0) return false;
  for (const section of ['http', 'tls', 'tcp'] as const) {
    if (bound.resource.spec[section].length === 0 || reached.some((server) => sectionOf(server) === section)) continue;
    report(SectionWithoutServer, bound.resource.at(['spec', section]), { virtualService, section });
  }
  return true;
}

function writtenIndex(bound: BoundVirtualService, gateway: string): number {
  const resolved = bound.resource.spec.gateways ?? [];
  const name = gateway.slice(gateway.indexOf('/') + 1);
  const index = resolved.findIndex(
    (written) => written === gateway || written === name || written.startsWith(`${name}.`),
  );
  return Math.max(index, 0);
}

function reportHosts(
  bound: BoundVirtualService,
  servers: readonly MergedServer[],
  report: Reporter,
): readonly MergedServer[] {
  const reached = new Set<MergedServer>();
  for (const [index, host] of bound.hosts.entries()) {
    const fitting = servers.filter((server) => serverHosts(server, bound.namespace).overlaps(host));
    for (const server of fitting) reached.add(server);
    if (fitting.length > 0) continue;
    report(VirtualServiceHostUnbound, bound.resource.at(['spec', 'hosts', index]), {
      host,
      virtualService: `${bound.namespace}/${bound.name}`,
      gateways: [
        ...new Set(servers.map(({ gatewayName, server }) => `${gatewayName}: ${server.hosts.join(', ')}`)),
      ].join('; '),
    });
  }
  return [...reached];
}

/** The section that a server reads (§16); `undefined` for AUTO_PASSTHROUGH, which reads none. */
function sectionOf({ server }: MergedServer): 'http' | 'tls' | 'tcp' | undefined {
  if (isHttpServer(server)) return 'http';
  if (server.tls?.mode === 'AUTO_PASSTHROUGH') return undefined;
  return server.tls?.mode === 'PASSTHROUGH' ? 'tls' : 'tcp';
}
