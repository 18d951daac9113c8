// EnvoyFilters that depend on order, or that istiod does not apply. Spec validation.md §12 IST0151-0155. Istio:
// envoyfilter/envoyfilter.go; the warnings are the webhook's (pkg/config/validation/envoyfilter).

import type { WrittenObject } from '../../config/written-object.js';
import {
  EnvoyFilterUsesAddOperationIncorrectly,
  EnvoyFilterUsesRelativeOperation,
  EnvoyFilterUsesRelativeOperationWithProxyVersion,
  EnvoyFilterUsesRemoveOperationIncorrectly,
  EnvoyFilterUsesReplaceOperationIncorrectly,
} from '../../diagnostics/catalogue.js';
import type { MessageType } from '../../diagnostics/diagnostic.js';
import type { Analyzer } from '../analyzer.js';
import { Field } from '../field.js';

const ROUTES: ReadonlySet<string> = new Set(['ROUTE_CONFIGURATION', 'HTTP_ROUTE']);
const FILTERS: ReadonlySet<string> = new Set(['NETWORK_FILTER', 'HTTP_FILTER']);

export const envoyFilters: Analyzer = {
  name: 'envoyfilter.EnvoyPatchAnalyzer',
  description: 'Checks the patches of EnvoyFilters',
  inputs: ['EnvoyFilter'],
  messages: [
    EnvoyFilterUsesRelativeOperation,
    EnvoyFilterUsesReplaceOperationIncorrectly,
    EnvoyFilterUsesAddOperationIncorrectly,
    EnvoyFilterUsesRemoveOperationIncorrectly,
    EnvoyFilterUsesRelativeOperationWithProxyVersion,
  ],
  analyze(context) {
    /** Names of filters that a patch for one version of the proxy changes. */
    const versioned = new Set<string>();
    for (const filter of context.all('EnvoyFilter')) {
      for (const patch of Field.of(filter).get('spec', 'configPatches').items()) {
        if (!patch.get('patch').isWritten) break;
        const name = patchedName(patch);
        const type = problemOf(filter, patch, versioned.has(name));
        if (type !== undefined) {
          const value = patch.get('patch', 'value');
          context.report(
            type,
            patch.get('patch', 'operation'),
            {},
            value.isWritten && value.node?.kind === 'scalar' ? { printed: value } : {},
          );
        }
        if (patch.get('match', 'proxy', 'proxyVersion').text() !== '') versioned.add(name);
      }
    }
  },
};

function problemOf(filter: WrittenObject, patch: Field, isVersioned: boolean): MessageType | undefined {
  const applyTo = patch.get('applyTo').text();
  const relative =
    Field.of(filter).get('spec', 'priority').number() !== 0
      ? undefined
      : isVersioned
        ? EnvoyFilterUsesRelativeOperationWithProxyVersion
        : EnvoyFilterUsesRelativeOperation;
  switch (patch.get('patch', 'operation').text()) {
    case 'ADD':
      return ROUTES.has(applyTo) ? EnvoyFilterUsesAddOperationIncorrectly : undefined;
    case 'REMOVE':
      return ROUTES.has(applyTo) ? EnvoyFilterUsesRemoveOperationIncorrectly : relative;
    case 'REPLACE':
      return FILTERS.has(applyTo) ? relative : EnvoyFilterUsesReplaceOperationIncorrectly;
    case 'INSERT_BEFORE':
    case 'INSERT_AFTER':
      return relative;
    default:
      return undefined;
  }
}

function patchedName(patch: Field): string {
  const value = patch.get('patch', 'value');
  if (!value.isWritten) return '';
  return value.get('name').text() || patch.get('match', 'listener', 'filterChain', 'filter', 'name').text();
}
