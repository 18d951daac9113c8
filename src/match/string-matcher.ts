// Envoy's StringMatcher, compiled once (spec virtualservice.md §7, dataplane.md §11). Subjects hold one character per
// byte, as header values and paths do everywhere behind the codec.
import { compileRegex, toBytes } from '../regex/index.js';
import type { StringMatcher } from '../xds/index.js';

/** Configured text in the form that subjects have: for whoever compiles routes next to their matchers. */
export { toBytes } from '../regex/index.js';

/** `text` has one character per byte. */
export type StringPredicate = (subject: string) => boolean;

/** A matcher without any member set matches nothing. */
export function compileStringMatcher(matcher: StringMatcher): StringPredicate {
  const fold = matcher.ignore_case === true ? asciiLowerCase : undefined;
  if (matcher.exact !== undefined) {
    const exact = toBytes(matcher.exact);
    if (fold === undefined) return (subject) => subject === exact;
    const folded = fold(exact);
    return (subject) => subject.length === folded.length && fold(subject) === folded;
  }
  if (matcher.prefix !== undefined)
    return compare(toBytes(matcher.prefix), fold, (subject, part) => subject.startsWith(part));
  if (matcher.suffix !== undefined)
    return compare(toBytes(matcher.suffix), fold, (subject, part) => subject.endsWith(part));
  if (matcher.contains !== undefined)
    return compare(toBytes(matcher.contains), fold, (subject, part) => subject.includes(part));
  if (matcher.safe_regex !== undefined) return compilePattern(matcher.safe_regex.regex);
  return () => false;
}

/** Whole-string match. A pattern that RE2 refuses matches nothing: Envoy never accepts such a table, so it is not asked. */
export function compilePattern(pattern: string): StringPredicate {
  const regex = compileRegex(pattern);
  if (regex.kind === 'error') return () => false;
  return (subject) => regex.matches(subject);
}

/** Only A-Z: the other letters of Latin-1 are bytes of UTF-8 here. */
export function asciiLowerCase(text: string): string {
  return /[A-Z]/.test(text) ? text.replace(/[A-Z]+/g, (capitals) => capitals.toLowerCase()) : text;
}

function compare(
  part: string,
  fold: ((text: string) => string) | undefined,
  test: (subject: string, part: string) => boolean,
): StringPredicate {
  if (fold === undefined) return (subject) => test(subject, part);
  const folded = fold(part);
  return (subject) => test(fold(subject), folded);
}
