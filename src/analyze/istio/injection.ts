// Namespaces and Pods get their sidecar. Spec validation.md §12 IST0102, IST0103, IST0123. Istio: injection/injection.go.

import { goList } from '../../config/validate/go-text.js';
import type { WrittenObject } from '../../config/written-object.js';
import {
  NamespaceMultipleInjectionLabels,
  NamespaceNotInjected,
  PodMissingProxy,
} from '../../diagnostics/catalogue.js';
import type { AnalysisContext, Analyzer } from '../analyzer.js';
import { Field } from '../field.js';
import { fullName, labelsOf } from '../selector.js';
import { hasProxy } from './mesh-membership.js';
import { isSystemNamespace } from './system-namespaces.js';

export const injection: Analyzer = {
  name: 'injection.Analyzer',
  description: 'Checks conditions related to Istio sidecar injection',
  inputs: ['Namespace', 'Pod'],
  messages: [NamespaceNotInjected, NamespaceMultipleInjectionLabels, PodMissingProxy],
  analyze(context) {
    const injected = new Set<string>();
    for (const namespace of context.all('Namespace')) if (isInjected(context, namespace)) injected.add(namespace.name);
    for (const pod of context.all('Pod')) {
      if (!injected.has(pod.namespace) || isLeftAlone(pod)) continue;
      const containers = Field.of(pod).get('spec', 'containers').items();
      const initContainers = Field.of(pod).get('spec', 'initContainers').items();
      if (!hasProxy([...containers, ...initContainers]))
        context.report(PodMissingProxy, Field.of(pod).get('metadata', 'name'), { pod: fullName(pod) });
    }
  },
};

function isInjected(context: AnalysisContext, namespace: WrittenObject): boolean {
  if (namespace.name === 'istio-system' || isSystemNamespace(namespace.name)) return false;
  const labels = labelsOf(namespace);
  const injectionLabel = labels['istio-injection'] ?? '';
  const hasRevision = Object.hasOwn(labels, 'istio.io/rev');
  if (labels['istio.io/dataplane-mode'] === 'ambient' && injectionLabel === '') return false;
  const name = Field.of(namespace).get('metadata', 'name');
  if (injectionLabel === '' && !hasRevision) {
    context.report(NamespaceNotInjected, name, { namespace: namespace.name }, { printed: name });
    return false;
  }
  if (!hasRevision) return injectionLabel === 'enabled';
  if (injectionLabel === '') return true;
  const both = goList(['istio-injection', 'istio.io/rev']);
  context.report(NamespaceMultipleInjectionLabels, name, { labels: both }, { printed: name });
  return false;
}

/** A Pod that is meant to have no sidecar, or cannot have one. */
function isLeftAlone(pod: WrittenObject): boolean {
  const metadata = Field.of(pod).get('metadata');
  const annotations = metadata.get('annotations').labels();
  const word = labelsOf(pod)['sidecar.istio.io/inject'] ?? annotations['sidecar.istio.io/inject'] ?? '';
  if (word.toLowerCase() === 'false' || annotations['ambient.istio.io/redirection'] === 'enabled') return true;
  return Field.of(pod).get('spec', 'hostNetwork').boolean();
}
