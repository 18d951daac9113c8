// RE2's rewrite strings: `\0` is the whole match, `\1` … `\9` are groups, `\\` is a backslash. Source: google/re2 re2.cc,
// RE2::Rewrite, RE2::MaxSubmatch, RE2::GlobalReplace; spec virtualservice.md §9.4.
import type { Matcher } from 're2js';

/** A parsed rewrite string: literal texts and group numbers, in order. */
export interface Substitution {
  readonly parts: readonly (string | number)[];
  /**
   * RE2's text for what is wrong with it. Envoy loads such a route all the same: a group that the pattern has not turns
   * the whole replacement off, a bad escape ends each replaced text early.
   */
  readonly error?: string;
  /** False when a group is missing. */
  readonly usable: boolean;
}

/** Parses a rewrite string for a pattern with this many groups. */
export function parseSubstitution(text: string, groups: number): Substitution {
  const parts: (string | number)[] = [];
  let literal = '';
  let error: string | undefined;
  for (let i = 0; i < text.length && error === undefined; i++) {
    const char = text.charAt(i);
    if (char !== '\\') {
      literal += char;
      continue;
    }
    const next = text.charAt(++i);
    if (next === '\\') {
      literal += next;
    } else if (/^[0-9]$/.test(next)) {
      if (literal !== '') parts.push(literal);
      literal = '';
      parts.push(Number(next));
    } else {
      error =
        next === ''
          ? "Rewrite schema error: '\\' not allowed at end."
          : "Rewrite schema error: '\\' must be followed by a digit or '\\'.";
    }
  }
  if (literal !== '') parts.push(literal);
  const highest = highestGroup(text);
  if (highest > groups) {
    error = `Rewrite schema requests ${highest} matches, but the regexp only has ${groups} parenthesized subexpressions.`;
  }
  return { parts, usable: highest <= groups, ...(error === undefined ? {} : { error }) };
}

// RE2::MaxSubmatch: reads on behind a bad escape.
function highestGroup(text: string): number {
  let highest = 0;
  for (const [, digit] of text.matchAll(/\\(?:([0-9])|.)/gs))
    if (digit !== undefined) highest = Math.max(highest, Number(digit));
  return highest;
}

/** RE2::GlobalReplace with a parsed rewrite string. `matcher` belongs to `subject`. */
export function substituteAll(matcher: Matcher, subject: string, substitution: Substitution): string {
  let out = '';
  let position = 0;
  let lastEnd = -1;
  let count = 0;
  while (position <= subject.length && matcher.find(position)) {
    const start = matcher.start();
    const end = matcher.end();
    out += subject.slice(position, start);
    if (start === lastEnd && end === start) {
      // An empty match at the end of the last match is not taken: RE2 copies one byte and looks again.
      out += subject.charAt(start);
      position = start + 1;
      continue;
    }
    for (const part of substitution.parts) out += typeof part === 'string' ? part : (matcher.group(part) ?? '');
    position = end;
    lastEnd = end;
    count++;
  }
  return count === 0 ? subject : out + subject.slice(position);
}
