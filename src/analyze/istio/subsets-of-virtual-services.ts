// Subsets that destinations name are declared by some DestinationRule. Spec validation.md §11 IST0101 host+subset.
// Istio: virtualservice/destinationrules.go.

import { goQuote } from '../../config/validate/go-text.js';
import { ReferencedResourceNotFound } from '../../diagnostics/catalogue.js';
import type { Analyzer } from '../analyzer.js';
import { Field } from '../field.js';
import { mirrorDestinations, routeDestinations } from './virtual-service-destinations.js';

const FULL_NAME = /^(.+)\.(.+)\.svc\.cluster\.local$/;

export const subsetsOfVirtualServices: Analyzer = {
  name: 'virtualservice.DestinationRuleAnalyzer',
  description: 'Checks the destination rules associated with each virtual service',
  inputs: ['VirtualService', 'DestinationRule'],
  messages: [ReferencedResourceNotFound],
  analyze(context) {
    const declared = new Set<string>();
    for (const rule of context.all('DestinationRule')) {
      const spec = Field.of(rule).get('spec');
      const host = serviceKey(rule.namespace, spec.get('host').text());
      for (const subset of spec.get('subsets').items()) declared.add(`${host}+${subset.get('name').text()}`);
    }
    for (const virtualService of context.all('VirtualService')) {
      for (const found of [...routeDestinations(virtualService), ...mirrorDestinations(virtualService)]) {
        const { host, subset } = found;
        if (subset === '' || declared.has(`${serviceKey(virtualService.namespace, host)}+${subset}`)) continue;
        const reftype = `${found.isMirror ? 'mirror' : 'host'}+subset in destinationrule`;
        context.report(
          ReferencedResourceNotFound,
          found.destination.get('subset'),
          { reftype, refval: goQuote(`${host}+${subset}`) },
          found.printed === undefined ? {} : { printed: found.printed },
        );
      }
    }
  },
};

/** A Service by its full name; every other host belongs to the namespace of the object that writes it. */
function serviceKey(namespace: string, host: string): string {
  const parts = FULL_NAME.exec(host);
  return parts === null ? `${namespace}/${host}` : `${parts[2]}/${parts[1]}`;
}
