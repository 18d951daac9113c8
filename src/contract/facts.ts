// What can be compared with an expectation, whichever mode found it, and the comparison itself.
import { compileRegex, toBytes } from '../regex/index.js';
import type { Expected } from './contract.js';

/** One thing about a request that was made or decided. */
export type Fact =
  /** `also`: further values that are as true (names of a certificate). */
  | { readonly kind: 'value'; readonly value: string; readonly also?: readonly string[] }
  | { readonly kind: 'absent' }
  /** Cannot be known in this mode. */
  | { readonly kind: 'unknown'; readonly why: string };

/** Finds facts by the path of an assertion: ['upstream', 'headers', 'x-beta']. */
export type Facts = (path: readonly string[]) => Fact;

export const ABSENT: Fact = { kind: 'absent' };

/** A fact that may not be there. */
export function factOf(value: string | number | undefined): Fact {
  return value === undefined ? ABSENT : { kind: 'value', value: String(value) };
}

export function unknown(why: string): Fact {
  return { kind: 'unknown', why };
}

/** `undefined`: it cannot be known. */
export function holds(expected: Expected, fact: Fact): boolean | undefined {
  if (fact.kind === 'unknown') return undefined;
  const values = fact.kind === 'absent' ? [] : [fact.value, ...(fact.also ?? [])];
  switch (expected.kind) {
    case 'present':
      return values.length > 0;
    case 'absent':
      return values.length === 0;
    case 'value':
      return values.includes(String(expected.value));
    case 'text':
      return values.some((value) => textHolds(expected.how, expected.text, value));
    case 'not': {
      const inner = holds(expected.of, fact);
      return inner === undefined ? undefined : !inner;
    }
    case 'anyOf':
      return expected.of.some((one) => holds(one, fact) === true);
  }
}

function textHolds(how: 'prefix' | 'suffix' | 'contains' | 'regex', text: string, value: string): boolean {
  switch (how) {
    case 'prefix':
      return value.startsWith(text);
    case 'suffix':
      return value.endsWith(text);
    case 'contains':
      return value.includes(text);
    case 'regex': {
      const regex = compileRegex(text);
      return regex.kind === 'regex' && regex.matches(toBytes(value));
    }
  }
}

/** `200`, `prefix "/api"`, `absent`, `200 or 204`. */
export function renderExpected(expected: Expected): string {
  switch (expected.kind) {
    case 'value':
      return renderValue(String(expected.value));
    case 'text':
      return `${expected.how} ${JSON.stringify(expected.text)}`;
    case 'present':
    case 'absent':
      return expected.kind;
    case 'not':
      return `not ${renderExpected(expected.of)}`;
    case 'anyOf':
      return expected.of.map(renderExpected).join(' or ');
  }
}

export function renderFact(fact: Fact): string {
  if (fact.kind === 'absent') return 'absent';
  if (fact.kind === 'unknown') return `unknown (${fact.why})`;
  return [fact.value, ...(fact.also ?? []).filter((name) => name !== fact.value)].map(renderValue).join(', ');
}

/** Words as they are, everything else in quotes and not without end; so are the words that say there is no value. */
function renderValue(value: string): string {
  if (/^(?!(?:absent|present)$)[\w./:|*@-]+$/.test(value)) return value;
  return JSON.stringify(value.length > 300 ? `${value.slice(0, 300)}…` : value);
}
