// No two VirtualServices of the mesh have one host. Spec validation.md §11 IST0109. Istio:
// virtualservice/conflictingmeshgatewayhosts.go.
import { overlaps } from '../../config/model/host-name.js';
import type { WrittenObject } from '../../config/written-object.js';
import { ConflictingMeshGatewayVirtualServiceHosts } from '../../diagnostics/catalogue.js';
import type { AnalysisContext, Analyzer } from '../analyzer.js';
import { Field } from '../field.js';
import { perObject } from '../per-object.js';
import { fullName } from '../selector.js';
import { expandHost, exportScopes } from './destination-lookup.js';

interface ScopedHost {
  readonly scope: string;
  readonly host: string;
  readonly virtualServices: WrittenObject[];
}

export const meshHosts: Analyzer = {
  name: 'virtualservice.ConflictingMeshGatewayHostsAnalyzer',
  description: 'Checks if multiple virtual services associated with the mesh gateway have conflicting hosts',
  inputs: ['VirtualService'],
  messages: [ConflictingMeshGatewayVirtualServiceHosts],
  analyze(context) {
    const scoped = scopedHosts(context);
    const everywhere = [...scoped.values()].filter(({ scope }) => scope === '*');
    // Istio's choice among several conflicts of one VirtualService is random; ours is the first by scope and host.
    const told = new Set<WrittenObject>();
    for (const { scope, host, virtualServices } of scoped.values()) {
      const conflicting = new Set(virtualServices);
      if (scope !== '*') {
        for (const other of everywhere)
          if (overlaps(host, other.host))
            for (const virtualService of other.virtualServices) conflicting.add(virtualService);
      }
      if (conflicting.size < 2) continue;
      const names = [...conflicting].map(fullName).join(',');
      for (const virtualService of conflicting) {
        if (told.has(virtualService)) continue;
        told.add(virtualService);
        const name = Field.of(virtualService).get('metadata', 'name');
        context.report(
          ConflictingMeshGatewayVirtualServiceHosts,
          name,
          { virtualServices: names, host: `${scope}/${host}` },
          { printed: name },
        );
      }
    }
  },
};

const isInMesh: (virtualService: WrittenObject) => boolean = perObject((virtualService) => {
  const gateways = Field.of(virtualService).get('spec', 'gateways').texts();
  return gateways.length === 0 || gateways.includes('mesh');
});

function scopedHosts(context: AnalysisContext): ReadonlyMap<string, ScopedHost> {
  const scoped = new Map<string, ScopedHost>();
  for (const virtualService of context.all('VirtualService')) {
    if (!isInMesh(virtualService)) continue;
    const spec = Field.of(virtualService).get('spec');
    for (const scope of exportScopes(spec.get('exportTo').texts(), virtualService.namespace)) {
      for (const written of spec.get('hosts').texts()) {
        const host = expandHost(virtualService.namespace, written);
        const known = scoped.get(`${scope}/${host}`);
        if (known === undefined) scoped.set(`${scope}/${host}`, { scope, host, virtualServices: [virtualService] });
        else known.virtualServices.push(virtualService);
      }
    }
  }
  return scoped;
}
