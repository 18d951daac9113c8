// Label selectors as the analyzers compare and print them.
import type { Labels } from '../config/model/common.js';
import { labelsMatch } from '../config/model/labels.js';
import { compareText } from '../config/text-order.js';
import type { WrittenObject } from '../config/written-object.js';
import type { AnalysisContext } from './analyzer.js';
import { Field } from './field.js';
import { perObject } from './per-object.js';

/** `k1=v1,k2=v2` by key, '' for no label; Kubernetes' `labels.Selector.String()`. */
export function printSelector(labels: Labels): string {
  return Object.entries(labels)
    .sort(([a], [b]) => compareText(a, b))
    .map(([key, value]) => `${key}=${value}`)
    .join(',');
}

/** `metadata.labels`. */
export const labelsOf: (object: WrittenObject) => Labels = perObject((object) =>
  Field.of(object).get('metadata', 'labels').labels(),
);

/** The label selector of a Gateway. */
export const gatewaySelector: (gateway: WrittenObject) => Labels = perObject((gateway) =>
  Field.of(gateway).get('spec', 'selector').labels(),
);

/** Pods of any namespace that carry all of these labels; an empty selector picks every Pod. */
export function selectPods(context: AnalysisContext, selector: Labels): readonly WrittenObject[] {
  return context.all('Pod').filter((pod) => labelsMatch(selector, labelsOf(pod)));
}

/** The first label of a Gateway's selector by key: the line that istioctl prints. */
export function firstSelectorLabel(gateway: WrittenObject): Field {
  const selector = Field.of(gateway).get('spec', 'selector');
  const first = Object.keys(selector.labels()).sort()[0];
  return first === undefined ? selector : selector.get(first);
}

/** `ns/name`, or the name alone of what has no namespace. */
export function fullName(object: { readonly namespace: string; readonly name: string }): string {
  return object.namespace === '' ? object.name : `${object.namespace}/${object.name}`;
}

/** Where a reference `name` or `ns/name` of an object leads (Istio's NewShortOrFullName). */
export function resolveName(namespace: string, written: string): { readonly namespace: string; readonly name: string } {
  const slash = written.indexOf('/');
  if (slash === -1) return { namespace, name: written };
  return { namespace: written.slice(0, slash), name: written.slice(slash + 1) };
}
