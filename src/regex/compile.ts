// RE2 as Envoy (`safe_regex`, `uriRegexRewrite`) and istiod's webhook (Go's regexp) use it. Source:
// envoyproxy/envoy source/common/common/regex.cc; spec dataplane.md §11, virtualservice.md §7.3.
//
// Envoy matches in Latin-1 mode: pattern and subject are bytes. A JavaScript string in which every code unit is one byte
// ("latin1", what Node's parsers give for header values) therefore is the subject, and a pattern is compiled from the
// bytes of its UTF-8 form. That makes all measured oddities of non-ASCII patterns come out by themselves.
import { RE2JS, RE2JSSyntaxException } from 're2js';
import { parseSubstitution, type Substitution, substituteAll } from './substitution.js';

/** A pattern that compiles. One object per pattern text, shared by all who ask for it. */
export interface CompiledRegex {
  readonly kind: 'regex';
  /** As written. */
  readonly pattern: string;
  /** Of re2js; near RE2's number, not equal to it (spec dependencies.md). */
  readonly programSize: number;
  readonly groups: number;
  /** Whole-string match. `subject` holds bytes: no code unit above 0xFF. */
  matches(subject: string): boolean;
  /**
   * Replaces every non-overlapping match, as RE2::GlobalReplace does: empty matches count, except right behind the
   * previous match. `substitution` is RE2's: `\0` … `\9` and `\\`; for what happens to a bad one see
   * `Substitution`.
   *
   *     regex('z*').replaceAll('/em', '-'); // '-/-e-m-'
   */
  replaceAll(subject: string, substitution: string): string;
}

/** Why a pattern does not compile. */
export interface RegexError {
  readonly kind: 'error';
  readonly pattern: string;
  /** In Go's words: 'error parsing regexp: missing closing ]: `[`'. */
  readonly message: string;
  /**
   * 'webhook': not a pattern at all, for Go and RE2 alike. 'envoy': only not one of bytes (`\x{100}`); the object is
   * accepted and the route table refused.
   */
  readonly refusedBy: 'webhook' | 'envoy';
}

/** Istio's bootstrap sets Envoy's `re2.max_program_size.error_level` to this. */
export const MAX_PROGRAM_SIZE = 32_768;

/** Enough for every configuration that people write; beyond it the oldest patterns are compiled again when asked for. */
const CACHE_LIMIT = 10_000;

const cache = new Map<string, CompiledRegex | RegexError>();

/**
 * Compiles a pattern, or finds it in the cache. Never throws.
 *
 *     const regex = compileRegex('/v[0-9]+');
 *     if (regex.kind === 'regex') regex.matches('/v1'); // true; '/v1/x' is false: always the whole subject
 */
export function compileRegex(pattern: string): CompiledRegex | RegexError {
  const known = cache.get(pattern);
  if (known !== undefined) return known;
  const compiled = compile(pattern);
  if (cache.size >= CACHE_LIMIT) {
    const oldest = cache.keys().next();
    if (oldest.done !== true) cache.delete(oldest.value);
  }
  cache.set(pattern, compiled);
  return compiled;
}

/** The bytes of the UTF-8 form of a text, one code unit each: the form in which patterns and subjects are compared. */
export function toBytes(text: string): string {
  return isAscii(text) ? text : Array.from(utf8.encode(text), (byte) => String.fromCharCode(byte)).join('');
}

const utf8 = new TextEncoder();

function isAscii(text: string): boolean {
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) > 0x7f) return false;
  return true;
}

function compile(pattern: string): CompiledRegex | RegexError {
  // The webhook judges the text, Envoy the bytes.
  const text = parse(pattern);
  if (typeof text === 'string') return { kind: 'error', pattern, message: text, refusedBy: 'webhook' };
  const wide = wideEscape(pattern);
  if (wide !== undefined) {
    const message = `error parsing regexp: invalid escape sequence: \`${wide}\``;
    return { kind: 'error', pattern, message, refusedBy: 'envoy' };
  }
  const bytes = isAscii(pattern) ? text : parse(toBytes(pattern));
  if (typeof bytes === 'string') return { kind: 'error', pattern, message: bytes, refusedBy: 'envoy' };
  return new Re2Regex(pattern, bytes);
}

/** A string is the error. */
function parse(pattern: string): RE2JS | string {
  try {
    return RE2JS.compile(pattern);
  } catch (error) {
    // Go quotes the fragment at fault even where there is none.
    if (error instanceof RE2JSSyntaxException) return error.message.replace(/ end of expression$/, '$&: ``');
    return `error parsing regexp: ${error instanceof Error ? error.message : String(error)}: \`${pattern}\``;
  }
}

// RE2 in Latin-1 mode knows no code point above 0xFF (google/re2 re2/parse.cc, rune_max_).
function wideEscape(pattern: string): string | undefined {
  for (const [sequence, digits] of pattern.matchAll(/\\x\{([0-9a-fA-F]+)\}|\\./gs)) {
    if (digits !== undefined && Number.parseInt(digits, 16) > 0xff) return sequence;
  }
  return undefined;
}

class Re2Regex implements CompiledRegex {
  readonly kind = 'regex';
  readonly pattern: string;
  readonly programSize: number;
  readonly groups: number;
  private readonly re2: RE2JS;
  private readonly substitutions = new Map<string, Substitution>();

  constructor(pattern: string, re2: RE2JS) {
    this.pattern = pattern;
    this.programSize = re2.programSize();
    this.groups = re2.groupCount();
    this.re2 = re2;
  }

  // testExact asks for no groups, so that the linear-time DFA runs (dependencies.md: 0.1–3.6 µs).
  matches(subject: string): boolean {
    return this.re2.testExact(subject);
  }

  replaceAll(subject: string, substitution: string): string {
    let parsed = this.substitutions.get(substitution);
    if (parsed === undefined) {
      parsed = parseSubstitution(toBytes(substitution), this.groups);
      this.substitutions.set(substitution, parsed);
    }
    return parsed.usable ? substituteAll(this.re2.matcher(subject), subject, parsed) : subject;
  }
}
