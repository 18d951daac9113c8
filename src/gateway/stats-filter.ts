// The `filter` of the admin listener's `/stats` (spec dataplane.md §8.1).
import { compileRegex, toBytes } from '../regex/index.js';

/**
 * Which statistics a filter shows: names in which the expression is found; one that does not compile is looked for as it
 * is. RE2, because the expression comes from a request: JavaScript's own could be made to run for years.
 */
export function statsFilter(expression: string): (name: string) => boolean {
  const pattern = compileRegex(`(?s).*(?:${expression}).*`);
  return pattern.kind === 'regex' ? (name) => pattern.matches(toBytes(name)) : (name) => name.includes(expression);
}
