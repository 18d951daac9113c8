// Durations of a DestinationRule that the schema takes for any text, so that istiod is the first to read them. Spec
// validation.md §7.1, §8.1.
import { durationProblem, parseDuration } from '../duration.js';
import { entrySpan, type YamlNode } from '../yaml/tree.js';
import type { WebhookError } from './findings.js';

/** Message → field. */
const PLAIN: ReadonlyMap<string, string> = new Map([
  ['tcp', 'idleTimeout'],
  ['httpCookie', 'ttl'],
  ['retryBudget', 'budgetInterval'],
]);

/** The first text that is no duration; decoding ends there. */
export function plainDurationProblem(root: YamlNode): WebhookError | undefined {
  return search(root, '');
}

function search(node: YamlNode, name: string): WebhookError | undefined {
  if (node.kind === 'list') {
    for (const item of node.items) {
      const problem = search(item, '');
      if (problem !== undefined) return problem;
    }
    return undefined;
  }
  if (node.kind !== 'map') return undefined;
  for (const entry of node.entries) {
    const { key, value } = entry;
    if (PLAIN.get(name) === key && value.kind === 'scalar' && typeof value.value === 'string') {
      if (parseDuration(value.value) !== undefined) continue;
      const text = `error decoding configuration: bad Duration: ${durationProblem(value.value)}`;
      return { text, span: entrySpan(entry), block: false };
    }
    const problem = search(value, key);
    if (problem !== undefined) return problem;
  }
  return undefined;
}
