// A request that meets a route's conditions, made from the conditions themselves: for the commands that `run` prints, for
// comparing two configurations, and for a first contract.
import { compilePattern, compileStringMatcher, toBytes } from '../match/string-matcher.js';
import type { HeaderMatcher, Route, StringMatcher, VirtualHost } from '../xds/index.js';

export interface SampleRequest {
  /** With query. */
  readonly path: string;
  readonly method: string;
  /** Names as the conditions write them; values without blanks at their ends. */
  readonly headers: readonly (readonly [name: string, value: string])[];
}

export const ROOT: SampleRequest = { path: '/', method: 'GET', headers: [] };

/** Of the first rule that can be met by writing its conditions down; `ROOT` where none can. */
export function sampleRequest(virtualHost: VirtualHost): SampleRequest {
  for (const route of virtualHost.routes ?? []) {
    const sample = sampleOfRoute(route);
    if (sample !== undefined) return sample;
  }
  return ROOT;
}

/** A request per rule that can be met this way, in order. */
export function sampleRequests(virtualHost: VirtualHost): readonly SampleRequest[] {
  return (virtualHost.routes ?? []).map(sampleOfRoute).filter((sample) => sample !== undefined);
}

/**
 * `undefined` where no sample could be made: a claim, a pattern that is too much for `sampleOfPattern`, or conditions on
 * authority and scheme. An earlier rule may still take the sample.
 */
export function sampleOfRoute({ match }: Route): SampleRequest | undefined {
  const target =
    match.path ?? match.prefix ?? (match.safe_regex === undefined ? '/' : sampleOfPattern(match.safe_regex.regex));
  if (target?.startsWith('/') !== true || match.dynamic_metadata !== undefined) return undefined;
  let method = 'GET';
  const headers: [string, string][] = [];
  for (const matcher of match.headers ?? []) {
    if (matcher.invert_match === true) {
      // A header that is not sent meets it, unless it would have to be there.
      if (matcher.name.startsWith(':')) return undefined;
      continue;
    }
    const value = headerValue(matcher);
    if (value === undefined) return undefined;
    if (matcher.name === ':method') method = value;
    else if (matcher.name.startsWith(':')) return undefined;
    else headers.push([matcher.name, value]);
  }
  const query: string[] = [];
  for (const matcher of match.query_parameters ?? []) {
    const value = matcher.string_match === undefined ? '' : textFor(matcher.string_match);
    if (value === undefined) return undefined;
    query.push(`${encodeURIComponent(matcher.name)}=${encodeURIComponent(value)}`);
  }
  return { path: query.length === 0 ? target : `${target}?${query.join('&')}`, method, headers };
}

function headerValue({ string_match, present_match }: HeaderMatcher): string | undefined {
  if (string_match !== undefined) return fieldValueFor(string_match);
  return present_match === true ? '1' : undefined;
}

/** Readers of HTTP cut blanks off both ends of a value (RFC 9110 §5.5): of the prefix `Bearer ` something must follow. */
function fieldValueFor(matcher: StringMatcher): string | undefined {
  const text = textFor(matcher);
  if (text === undefined || !hasOuterBlanks(text)) return text;
  const matches = compileStringMatcher(matcher);
  return [`${text}a`, `a${text}`, `a${text}a`].find((value) => !hasOuterBlanks(value) && matches(toBytes(value)));
}

function hasOuterBlanks(value: string): boolean {
  return /^[ \t]|[ \t]$/.test(value);
}

function textFor(matcher: StringMatcher): string | undefined {
  if (matcher.safe_regex !== undefined) return sampleOfPattern(matcher.safe_regex.regex);
  return matcher.exact ?? matcher.prefix ?? matcher.suffix ?? matcher.contains;
}

/**
 * A text that a pattern matches as a whole: the first alternative of every group, one character of every class, repeats
 * as often as they must. What comes out is tried; `undefined` where that was not good enough.
 *
 *     sampleOfPattern('/items/(\\d+|new)/.*'); // '/items/0/'
 */
export function sampleOfPattern(pattern: string): string | undefined {
  const reader = new PatternReader(pattern);
  const text = reader.alternatives();
  if (text === undefined || !reader.isAtEnd) return undefined;
  return compilePattern(pattern)(toBytes(text)) ? text : undefined;
}

const CLASSES: Readonly<Record<string, string>> = { d: '0', w: 'a', s: ' ', D: 'a', W: '-', S: 'a' };
const CANDIDATES = ['a', '0', 'A', '-', '_', '/', '.', ' ', '~', 'z', '9'];

// Just enough of the syntax of RE2; whatever is beyond it makes the sample fail its trial.
class PatternReader {
  private readonly pattern: string;
  private at = 0;

  constructor(pattern: string) {
    this.pattern = pattern;
  }

  get isAtEnd(): boolean {
    return this.at >= this.pattern.length;
  }

  /** The first alternative; the others are read and dropped. */
  alternatives(): string | undefined {
    const first = this.sequence();
    while (this.pattern[this.at] === '|') {
      this.at++;
      if (this.sequence() === undefined) return undefined;
    }
    return first;
  }

  private sequence(): string | undefined {
    let text = '';
    while (this.at < this.pattern.length && this.pattern[this.at] !== '|' && this.pattern[this.at] !== ')') {
      const atom = this.atom();
      if (atom === undefined) return undefined;
      text += atom.repeat(this.repetition());
    }
    return text;
  }

  private atom(): string | undefined {
    const character = this.pattern[this.at++] ?? '';
    switch (character) {
      case '^':
      case '$':
        return '';
      case '.':
        return 'a';
      case '(':
        return this.group();
      case '[':
        return this.characterClass();
      case '\\':
        return this.escape();
      default:
        return character;
    }
  }

  private group(): string | undefined {
    const flags = /^\?(?:P?<\w+>|[imsU-]*:)/.exec(this.pattern.slice(this.at));
    if (flags !== null) this.at += flags[0].length;
    else if (this.pattern[this.at] === '?') {
      // `(?i)` holds for what follows; a sample in the written case fits it.
      const switched = /^\?[imsU-]+\)/.exec(this.pattern.slice(this.at));
      if (switched === null) return undefined;
      this.at += switched[0].length;
      return '';
    }
    const text = this.alternatives();
    if (this.pattern[this.at] !== ')') return undefined;
    this.at++;
    return text;
  }

  private escape(): string | undefined {
    const character = this.pattern[this.at++];
    if (character === undefined || /[pPxQ]/.test(character)) return undefined;
    if (/[bBAz]/.test(character)) return '';
    return CLASSES[character] ?? character;
  }

  private characterClass(): string | undefined {
    const end = this.pattern.indexOf(']', this.at + (this.pattern[this.at] === '^' ? 2 : 1));
    if (end === -1) return undefined;
    const written = this.pattern.slice(this.at - 1, end + 1);
    this.at = end + 1;
    const matches = compilePattern(written);
    const first = written[1] === '^' ? '' : (written.slice(1).replace(/^\\/, '')[0] ?? '');
    return [...(first === '' ? [] : [first]), ...CANDIDATES].find((candidate) => matches(candidate));
  }

  private repetition(): number {
    const counted = /^\{(\d+)(?:,\d*)?\}/.exec(this.pattern.slice(this.at));
    const mark = this.pattern[this.at];
    let count = 1;
    if (counted !== null) {
      this.at += counted[0].length;
      count = Math.min(Number(counted[1]), 1000);
    } else if (mark === '*' || mark === '?' || mark === '+') {
      this.at++;
      count = mark === '+' ? 1 : 0;
    } else return 1;
    if (this.pattern[this.at] === '?') this.at++;
    return count;
  }
}
