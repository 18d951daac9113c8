// Label selectors, as plain maps. Istio: pkg/config/labels/instance.go SubsetOf.
import type { Labels } from './common.js';

/**
 * Every label of the selector is there with that value. An empty selector matches everything; whether an *absent* one
 * does too is the caller's question, since Istio and Kubernetes answer it differently from kind to kind.
 */
export function labelsMatch(selector: Labels, labels: Labels): boolean {
  for (const key of Object.keys(selector)) {
    if (!Object.hasOwn(labels, key) || labels[key] !== selector[key]) return false;
  }
  return true;
}
