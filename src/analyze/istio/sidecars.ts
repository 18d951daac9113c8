// One Sidecar per workload. Spec validation.md §12 IST0110, IST0111. Istio: sidecar/selector.go, defaultselector.go.
import { labelsMatch } from '../../config/model/labels.js';
import { goList, goQuote } from '../../config/validate/go-text.js';
import type { WrittenObject } from '../../config/written-object.js';
import {
  ConflictingSidecarWorkloadSelectors,
  MultipleSidecarsWithoutWorkloadSelectors,
  ReferencedResourceNotFound,
} from '../../diagnostics/catalogue.js';
import type { AnalysisContext, Analyzer } from '../analyzer.js';
import { Field } from '../field.js';
import { labelsOf, printSelector } from '../selector.js';

export const sidecars: Analyzer = {
  name: 'sidecar.SelectorAnalyzer',
  description: 'Checks that no two Sidecars apply to one workload, and that selectors match some Pod',
  inputs: ['Sidecar', 'Pod'],
  messages: [ConflictingSidecarWorkloadSelectors, MultipleSidecarsWithoutWorkloadSelectors, ReferencedResourceNotFound],
  analyze(context) {
    checkDefaults(context);
    checkSelectors(context);
  },
};

function checkDefaults(context: AnalysisContext): void {
  const byNamespace = new Map<string, WrittenObject[]>();
  for (const sidecar of context.all('Sidecar')) {
    if (Field.of(sidecar).get('spec', 'workloadSelector').isWritten) continue;
    const list = byNamespace.get(sidecar.namespace);
    if (list === undefined) byNamespace.set(sidecar.namespace, [sidecar]);
    else list.push(sidecar);
  }
  for (const [namespace, list] of byNamespace) {
    if (list.length < 2) continue;
    for (const sidecar of list)
      context.report(MultipleSidecarsWithoutWorkloadSelectors, Field.of(sidecar).get('metadata', 'name'), {
        sidecars: goList(list.map(({ name }) => name)),
        namespace: goQuote(namespace),
      });
  }
}

function checkSelectors(context: AnalysisContext): void {
  const byPod = new Map<WrittenObject, WrittenObject[]>();
  const allPods = context.all('Pod');
  for (const sidecar of context.all('Sidecar')) {
    const at = Field.of(sidecar).get('spec', 'workloadSelector', 'labels');
    const selector = at.labels();
    const first = Object.keys(selector).sort()[0];
    if (first === undefined) continue;
    const pods = allPods.filter((pod) => pod.namespace === sidecar.namespace && labelsMatch(selector, labelsOf(pod)));
    for (const pod of pods) {
      const list = byPod.get(pod);
      if (list === undefined) byPod.set(pod, [sidecar]);
      else list.push(sidecar);
    }
    if (pods.length > 0) continue;
    const parameters = { reftype: 'selector', refval: goQuote(printSelector(selector)) };
    context.report(ReferencedResourceNotFound, at, parameters, { printed: at.get(first) });
  }
  for (const [pod, list] of byPod) {
    if (list.length < 2) continue;
    for (const sidecar of list) {
      const name = Field.of(sidecar).get('metadata', 'name');
      const parameters = {
        sidecars: goList(list.map((other) => other.name)),
        namespace: goQuote(pod.namespace),
        pod: goQuote(pod.name),
      };
      context.report(ConflictingSidecarWorkloadSelectors, name, parameters, { printed: name });
    }
  }
}
