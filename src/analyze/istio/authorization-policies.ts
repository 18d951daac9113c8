// AuthorizationPolicies select workloads and name namespaces that exist. Spec validation.md §12 IST0127. Istio:
// authz/authorizationpolicies.go.
import type { Labels } from '../../config/model/common.js';
import { labelsMatch } from '../../config/model/labels.js';
import { goQuote } from '../../config/validate/go-text.js';
import type { WrittenObject } from '../../config/written-object.js';
import { NoMatchingWorkloadsFound, ReferencedResourceNotFound } from '../../diagnostics/catalogue.js';
import type { AnalysisContext, Analyzer } from '../analyzer.js';
import { Field } from '../field.js';
import { fullName, labelsOf, printSelector } from '../selector.js';
import { isPodInMesh } from './mesh-membership.js';

export const authorizationPolicies: Analyzer = {
  name: 'auth.AuthorizationPoliciesAnalyzer',
  description: 'Checks the validity of authorization policies',
  inputs: ['AuthorizationPolicy', 'Namespace', 'Pod'],
  messages: [NoMatchingWorkloadsFound, ReferencedResourceNotFound],
  analyze(context) {
    const pods = context
      .all('Pod')
      .filter((pod) => isPodInMesh(context, pod))
      .map((pod) => ({ namespace: pod.namespace, labels: labelsOf(pod) }));
    context.all('Namespace');
    for (const policy of context.all('AuthorizationPolicy')) {
      checkWorkloads(context, policy, pods);
      checkNamespaces(context, policy);
    }
  },
};

function checkWorkloads(
  context: AnalysisContext,
  policy: WrittenObject,
  pods: readonly { readonly namespace: string; readonly labels: Labels }[],
): void {
  const selector = Field.of(policy).get('spec', 'selector');
  const isMeshWide = policy.namespace === (context.mesh.rootNamespace ?? 'istio-system');
  if (isMeshWide && !selector.isWritten) return;
  // A policy for a waypoint or a service names its target instead (targetRefs), and selects no Pod.
  const spec = Field.of(policy).get('spec');
  if (spec.get('targetRef').isWritten || spec.get('targetRefs').isWritten) return;
  const labels = selector.get('matchLabels').labels();
  const isMatched = pods.some(
    (pod) => (isMeshWide || pod.namespace === policy.namespace) && labelsMatch(labels, pod.labels),
  );
  if (isMatched) return;
  const at = selector.isWritten ? selector.get('matchLabels') : Field.of(policy).get('metadata', 'name');
  context.report(NoMatchingWorkloadsFound, at, { labels: printSelector(labels) });
}

function checkNamespaces(context: AnalysisContext, policy: WrittenObject): void {
  const names = context.all('Namespace').map(fullName);
  for (const rule of Field.of(policy).get('spec', 'rules').items()) {
    for (const from of rule.get('from').items()) {
      for (const list of ['namespaces', 'notNamespaces']) {
        for (const entry of from.get('source', list).items()) {
          const written = entry.text();
          if (names.some((name) => namespaceFits(name, written))) continue;
          const parameters = { reftype: 'namespace', refval: goQuote(written) };
          context.report(ReferencedResourceNotFound, entry, parameters, { printed: entry });
        }
      }
    }
  }
}

function namespaceFits(name: string, pattern: string): boolean {
  if (pattern === '*') return true;
  if (pattern.startsWith('*')) return name.endsWith(pattern.slice(1));
  if (pattern.endsWith('*')) return name.startsWith(pattern.slice(0, -1));
  return name.toLowerCase() === pattern.toLowerCase();
}
