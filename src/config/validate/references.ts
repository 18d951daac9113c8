// References that several kinds share: gateways, exportTo, workload selectors. Spec validation.md §2.3, §2.4, §6.
import type { Span } from '../yaml/tree.js';
import type { Findings } from './findings.js';
import { goQuote } from './go-text.js';
import { checkFqdn, isDnsLabel } from './names.js';
import type { Written, WrittenText } from './written.js';

/** P28. */
export function validateGatewayNames(names: readonly WrittenText[], found: Findings): void {
  for (const { value, span } of names) {
    const slash = value.indexOf('/');
    if (slash === -1) {
      if (value.includes('.')) {
        const [name = '', namespace = ''] = value.split('.');
        found.warning(
          `using legacy gatewayName format ${goQuote(value)}; prefer the <namespace>/<name> format: ${goQuote(`${namespace}/${name}`)}`,
          span,
        );
      }
      found.errorIf(checkFqdn(value), span);
      // Istio returns here: nobody looks at the names that follow.
      return;
    }
    const namespace = value.slice(0, slash);
    const name = value.slice(slash + 1);
    if (namespace === '' || name === '') found.error('config namespace and gateway name cannot be empty', span);
    if (!isDnsLabel(namespace)) found.error(`invalid value for namespace: ${goQuote(namespace)}`, span);
    if (!isDnsLabel(name)) found.error(`invalid value for gateway name: ${goQuote(name)}`, span);
  }
}

/** Whose exportTo it is: a ServiceEntry may say `~`, a DestinationRule with a selector only its own namespace. */
export type Exporter = 'ServiceEntry' | 'DestinationRule with selector' | 'other';

/** P29. */
export function validateExportTo(spec: Written, namespace: string, exporter: Exporter, found: Findings): void {
  const entries = spec.texts('exportTo');
  const seen = new Set<string>();
  for (const { value, span } of entries) {
    const key = value === '.' ? namespace : value;
    if (seen.has(key)) {
      const text =
        value === '.'
          ? `duplicate entries in exportTo: . and current namespace ${namespace}`
          : `duplicate entries in exportTo for entry ${value}`;
      found.error(text, span);
      continue;
    }
    const problem = exporter === 'ServiceEntry' && value === '~' ? undefined : visibilityProblem(key);
    if (problem === undefined) seen.add(key);
    else found.error(problem, span);
  }
  const whole = spec.spanOf('exportTo');
  if (exporter === 'DestinationRule with selector' && seen.size > 0) {
    if (!seen.has(namespace)) {
      found.error('destination rule with workload selector cannot have exportTo beyond current namespace', whole);
    } else if (seen.size > 1) {
      found.error('destination rule with workload selector cannot have multiple entries in exportTo', whole);
    }
  }
  if (entries.length < 2) return;
  if (seen.has('*')) {
    found.error('cannot have both public (*) and non-public exportTo values for a resource', whole);
  }
  if (seen.has('~')) found.error('cannot export service entry to no one (~) and someone', whole);
}

function visibilityProblem(entry: string): string | undefined {
  if (entry === '~') return 'exportTo ~ (none) is not allowed for Istio configuration objects';
  if (entry === '.' || entry === '*' || isDnsLabel(entry)) return undefined;
  return 'only .,*, or a valid DNS 1123 label is allowed as exportTo entry';
}

/** Labels of a selector, under `key`; true when it says nothing wrong. */
export function validateSelectorLabels(selector: Written, key: string, found: Findings): boolean {
  const before = found.errors.length;
  for (const { key: name, value, keySpan, span } of selector.pairs(key)) {
    const pair = goQuote(`${name}=${value}`);
    if (name === '') found.error(`empty key is not supported in selector: ${pair}`, keySpan);
    if (name.includes('*') || value.includes('*')) {
      const place: Span = name.includes('*') ? keySpan : span;
      found.error(`wildcard is not supported in selector: ${pair}`, place);
    }
  }
  return found.errors.length === before;
}

export const SELECTOR_WITHOUT_LABELS = 'workload selector specified without labels';

/** `selector: {matchLabels: …}`, and `workloadSelector` of a DestinationRule. */
export function validateWorkloadSelector(selector: Written | undefined, found: Findings): void {
  if (selector === undefined) return;
  validateSelectorLabels(selector, 'matchLabels', found);
  if (selector.pairs('matchLabels').length === 0) found.warning(SELECTOR_WITHOUT_LABELS, selector.span);
}
