// Annotations of Istio on Kubernetes' own kinds. Spec validation.md §11 IST0107, IST0108, IST0125, IST0135. Istio:
// annotations/annotations.go.

import { goQuote } from '../../config/validate/go-text.js';
import type { WrittenObject } from '../../config/written-object.js';
import {
  DeprecatedAnnotation,
  InvalidAnnotation,
  MisplacedAnnotation,
  UnknownAnnotation,
} from '../../diagnostics/catalogue.js';
import type { AnalysisContext, AnalyzedKind, Analyzer } from '../analyzer.js';
import { Field } from '../field.js';
import { labelsOf } from '../selector.js';
import { ANNOTATIONS, problemOf } from './annotation-table.js';

const KINDS: readonly AnalyzedKind[] = ['Namespace', 'Service', 'Pod', 'Deployment'];
const INJECT = 'sidecar.istio.io/inject';

export const annotations: Analyzer = {
  name: 'annotations.K8sAnalyzer',
  description: 'Checks for misplaced and invalid Istio annotations in Kubernetes resources',
  inputs: KINDS,
  messages: [MisplacedAnnotation, UnknownAnnotation, InvalidAnnotation, DeprecatedAnnotation],
  analyze(context) {
    for (const kind of KINDS) {
      for (const object of context.all(kind)) {
        for (const [name, at] of Field.of(object).get('metadata', 'annotations').entries())
          if (isIstioName(name)) checkAnnotation(context, object, name, at);
      }
    }
  },
};

function isIstioName(name: string): boolean {
  return name === 'kubernetes.io/ingress.class' || (name.split('/')[0] ?? '').endsWith('istio.io');
}

function checkAnnotation(context: AnalysisContext, object: WrittenObject, name: string, at: Field): void {
  const known = ANNOTATIONS.get(name);
  if (known === undefined) {
    context.report(UnknownAnnotation, at, { annotation: name });
    return;
  }
  // Whoever has the label too knows that the annotation is old, and keeps it for old versions.
  if (known.isDeprecated && !(name === INJECT && Object.hasOwn(labelsOf(object), INJECT))) {
    const extra = name === INJECT ? ` in favor of the "${INJECT}" label` : '';
    context.report(DeprecatedAnnotation, at, { annotation: goQuote(name), extra });
  }
  if (known.kinds.includes('Any')) return;
  if (!known.kinds.includes(object.kind)) {
    context.report(MisplacedAnnotation, at, { annotation: name, kinds: known.kinds.join(', ') });
    return;
  }
  const problem = problemOf(name, at.text());
  if (problem !== undefined) context.report(InvalidAnnotation, at, { annotation: name, problem });
}
