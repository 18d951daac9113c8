// Hosts that several VirtualServices share on one Gateway: their rules are one list, in an order that nobody wrote.
import { VirtualServicesMerged } from '../../diagnostics/catalogue.js';
import { type BoundVirtualService, virtualServicesForGateway } from '../../registry/virtual-services.js';
import type { GatewayAnalysisContext, GatewayAnalyzer } from '../analyzer.js';

export const mergedVirtualServices: GatewayAnalyzer = {
  name: 'postern.mergedVirtualServices',
  description: 'Says in which order the rules of several VirtualServices for one host are tried',
  inputs: ['Gateway'],
  messages: [VirtualServicesMerged],
  analyze(context) {
    for (const gateway of context.all('Gateway')) {
      const name = `${gateway.namespace}/${gateway.name}`;
      const bound = virtualServicesForGateway(context.gateway.push, name);
      if (bound.length > 1) reportShared(context, name, bound);
    }
  },
};

function reportShared(context: GatewayAnalysisContext, gateway: string, bound: readonly BoundVirtualService[]): void {
  const byHost = new Map<string, Set<BoundVirtualService>>();
  for (const one of bound) {
    if (one.http.length === 0) continue;
    for (const host of one.hosts) {
      const known = byHost.get(host);
      if (known === undefined) byHost.set(host, new Set([one]));
      else known.add(one);
    }
  }
  for (const [host, sharing] of byHost) {
    const [, second] = sharing;
    if (second === undefined) continue;
    const virtualServices = [...sharing].map(({ namespace, name }) => `${namespace}/${name}`).join(', ');
    const { resource } = second;
    const position = second.hosts.indexOf(host);
    context.report(VirtualServicesMerged, resource.at(['spec', 'hosts', position]), { virtualServices, host, gateway });
  }
}
