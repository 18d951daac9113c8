// Destinations of VirtualServices lead to services, and to one of their ports. Spec validation.md §11 IST0101 host,
// mirror host, host:port; IST0112; IST0140. Istio: virtualservice/destinationhosts.go.

import { goList, goQuote } from '../../config/validate/go-text.js';
import type { WrittenObject } from '../../config/written-object.js';
import {
  IngressRouteRulesNotAffected,
  ReferencedResourceNotFound,
  VirtualServiceDestinationPortSelectorRequired,
} from '../../diagnostics/catalogue.js';
import type { AnalysisContext, Analyzer, FindingDetails } from '../analyzer.js';
import { Field } from '../field.js';
import { perObject } from '../per-object.js';
import { fullName } from '../selector.js';
import { type AnalyzedService, serviceLookup } from './destination-lookup.js';
import { type AnalyzedDestination, mirrorDestinations, routeDestinations } from './virtual-service-destinations.js';

export const destinationHosts: Analyzer = {
  name: 'virtualservice.DestinationHostAnalyzer',
  description: 'Checks the destination hosts associated with each virtual service',
  inputs: ['ServiceEntry', 'VirtualService', 'Service'],
  messages: [ReferencedResourceNotFound, VirtualServiceDestinationPortSelectorRequired, IngressRouteRulesNotAffected],
  analyze(context) {
    const findService = serviceLookup(context);
    const routedBySubset = subsetRoutes(context);
    for (const virtualService of context.all('VirtualService')) {
      const exportTo = exportToOf(virtualService);
      for (const found of [...routeDestinations(virtualService), ...mirrorDestinations(virtualService)]) {
        const service = findService(virtualService.namespace, exportTo, found.host);
        if (service === undefined) reportMissing(context, found);
        else checkPort(context, found, service);
      }
      checkSubsets(context, virtualService, routedBySubset);
    }
  },
};

function reportMissing(context: AnalysisContext, found: AnalyzedDestination): void {
  context.report(
    ReferencedResourceNotFound,
    found.destination.get('host'),
    { reftype: found.isMirror ? 'mirror host' : 'host', refval: goQuote(found.host) },
    printed(found),
  );
}

function checkPort(context: AnalysisContext, found: AnalyzedDestination, service: AnalyzedService): void {
  const port = found.destination.get('port');
  if (!port.isWritten) {
    if (service.ports.length <= 1) return;
    context.report(
      VirtualServiceDestinationPortSelectorRequired,
      found.destination.get('host'),
      { host: goQuote(found.host), ports: goList(service.ports.map(String)) },
      printed(found),
    );
    return;
  }
  const number = port.get('number').number();
  if (service.ports.includes(number)) return;
  context.report(
    ReferencedResourceNotFound,
    port.get('number'),
    { reftype: 'host:port', refval: goQuote(`${found.host}:${number}`) },
    printed(found),
  );
}

function printed({ printed }: AnalyzedDestination): FindingDetails {
  return printed === undefined ? {} : { printed };
}

/** Host as written → VirtualServices of that host that route it to a subset. */
function subsetRoutes(context: AnalysisContext): ReadonlyMap<string, ReadonlySet<WrittenObject>> {
  const routes = new Map<string, Set<WrittenObject>>();
  for (const virtualService of context.all('VirtualService')) {
    for (const host of ownSubsetHosts(virtualService)) {
      const known = routes.get(host);
      if (known === undefined) routes.set(host, new Set([virtualService]));
      else known.add(virtualService);
    }
  }
  return routes;
}

function checkSubsets(
  context: AnalysisContext,
  virtualService: WrittenObject,
  routes: ReadonlyMap<string, ReadonlySet<WrittenObject>>,
): void {
  if (routes.size === 0 || Field.of(virtualService).get('spec', 'gateways').items().length === 0) return;
  for (const { host, subset, destination } of httpDestinations(virtualService)) {
    if (subset !== '') continue;
    for (const other of routes.get(host) ?? []) {
      context.report(IngressRouteRulesNotAffected, destination.get('host'), {
        other: fullName(other),
        virtualService: fullName(virtualService),
      });
    }
  }
}

/** Hosts of the VirtualService that it routes to a subset. */
const ownSubsetHosts: (virtualService: WrittenObject) => readonly string[] = perObject((virtualService) => {
  const hosts = new Set(Field.of(virtualService).get('spec', 'hosts').texts());
  return httpDestinations(virtualService)
    .filter(({ host, subset }) => subset !== '' && hosts.has(host))
    .map(({ host }) => host);
});

const exportToOf: (virtualService: WrittenObject) => readonly string[] = perObject((virtualService) =>
  Field.of(virtualService).get('spec', 'exportTo').texts(),
);

interface HttpDestination {
  readonly destination: Field;
  readonly host: string;
  readonly subset: string;
}

const httpDestinations: (virtualService: WrittenObject) => readonly HttpDestination[] = perObject((virtualService) =>
  Field.of(virtualService)
    .get('spec', 'http')
    .items()
    .flatMap((rule) => rule.get('route').items())
    .map((route) => {
      const destination = route.get('destination');
      return { destination, host: destination.get('host').text(), subset: destination.get('subset').text() };
    }),
);
