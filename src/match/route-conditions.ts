// The conditions of one route, compiled, each with the words that say why a request does not meet it (spec
// virtualservice.md §7). Lookups ask `holds`; explain asks the same conditions one by one and prints `failure`.
import { toBytes } from '../regex/index.js';
import type { HeaderMatcher, HeaderReader, QueryParameterMatcher, RouteMatch, StringMatcher } from '../xds/index.js';
import { asciiLowerCase, compilePattern, compileStringMatcher } from './string-matcher.js';

/** A request as matchers see it: after the connection manager's own changes to path and headers (spec virtualservice.md §7.1). */
export interface RequestMatchFacts {
  readonly method: string;
  /** As sent, with port and case. */
  readonly authority: string;
  readonly scheme: string;
  /** With query. */
  readonly path: string;
  readonly headers: HeaderReader;
}

/** One request while its routes are tried: what is derived from it is computed once, and only when a condition asks. */
export class MatchedRequest {
  readonly facts: RequestMatchFacts;
  readonly pathOnly: string;
  private readonly query: string;
  private parameters: ReadonlyMap<string, string> | undefined = undefined;

  constructor(facts: RequestMatchFacts) {
    const mark = facts.path.indexOf('?');
    this.facts = facts;
    this.pathOnly = mark === -1 ? facts.path : facts.path.slice(0, mark);
    this.query = mark === -1 ? '' : facts.path.slice(mark + 1);
  }

  parameter(name: string): string | undefined {
    this.parameters ??= parseQuery(this.query);
    return this.parameters.get(name);
  }
}

/** One condition of a route. */
export interface Condition {
  readonly holds: (request: MatchedRequest) => boolean;
  /** Why it does not hold for a request for which it does not. */
  readonly failure: (request: MatchedRequest) => string;
}

/** Conditions in the order in which Envoy tries them: path, headers, query parameters. */
export function compileConditions(match: RouteMatch): readonly Condition[] {
  // Nothing here verifies tokens, so the metadata that claims would be in is never set: only an inverted one holds
  // (spec virtualservice.md §7.6).
  const claim = match.dynamic_metadata?.find((matcher) => matcher.invert !== true);
  if (claim !== undefined) {
    const name = claim.path.map(({ key }) => key).join('.');
    return [{ holds: () => false, failure: () => `no token is verified here, so there is no claim ${name}` }];
  }
  return [
    compilePath(match),
    ...(match.headers ?? []).map(compileHeader),
    ...(match.query_parameters ?? []).map(compileParameter),
  ];
}

function compilePath(match: RouteMatch): Condition {
  if (match.safe_regex !== undefined) {
    const { regex } = match.safe_regex;
    const matches = compilePattern(regex);
    return {
      holds: (request) => matches(request.pathOnly),
      failure: (request) => `path ${quote(request.pathOnly)} does not match the regex ${quote(regex)} as a whole`,
    };
  }
  const text = toBytes(match.prefix ?? match.path ?? '');
  const isPrefix = match.prefix !== undefined;
  const ignored = match.case_sensitive === false ? ', case ignored' : '';
  const failure = (request: MatchedRequest): string =>
    `path ${quote(request.pathOnly)} ${isPrefix ? 'does not begin with' : 'is not'} ${quote(text)}${ignored}`;
  if (match.case_sensitive === false) {
    const folded = asciiLowerCase(text);
    return isPrefix
      ? { holds: (request) => asciiLowerCase(request.pathOnly).startsWith(folded), failure }
      : {
          holds: (request) => request.pathOnly.length === folded.length && asciiLowerCase(request.pathOnly) === folded,
          failure,
        };
  }
  return isPrefix
    ? { holds: (request) => request.pathOnly.startsWith(text), failure }
    : { holds: (request) => request.pathOnly === text, failure };
}

function compileHeader(matcher: HeaderMatcher): Condition {
  const name = matcher.name.toLowerCase();
  const invert = matcher.invert_match === true;
  const { string_match: string } = matcher;
  if (string === undefined) {
    const wanted = matcher.present_match !== false;
    return {
      holds: (request) => (headerLines(request.facts, name).length > 0 === wanted) !== invert,
      failure: () => `${called(name)} is ${wanted !== invert ? 'absent' : 'present'}`,
    };
  }
  const matches = compileStringMatcher(string);
  const missingIsEmpty = matcher.treat_missing_header_as_empty === true;
  return {
    holds: (request) => {
      const lines = headerLines(request.facts, name);
      if (lines.length === 0) return missingIsEmpty && matches('') !== invert;
      // Lines are tested one by one, not joined; one that fits is enough (spec virtualservice.md §7.6).
      for (const line of lines) if (matches(line)) return !invert;
      return invert;
    },
    failure: (request) => {
      const lines = headerLines(request.facts, name);
      const found = lines.length === 0 ? 'absent' : lines.map(quote).join(' and ');
      return `${called(name)} is ${found}, and must${invert ? ' not' : ''} ${demand(string)}`;
    },
  };
}

function headerLines(facts: RequestMatchFacts, name: string): readonly string[] {
  switch (name) {
    case ':method':
      return [facts.method];
    case ':authority':
    case 'host':
      return [facts.authority];
    case ':scheme':
      return [facts.scheme];
    case ':path':
      return [facts.path];
    default:
      return facts.headers.values(name);
  }
}

function compileParameter(matcher: QueryParameterMatcher): Condition {
  const name = toBytes(matcher.name);
  const { string_match: string } = matcher;
  if (string === undefined) {
    const wanted = matcher.present_match !== false;
    return {
      holds: (request) => (request.parameter(name) !== undefined) === wanted,
      failure: () => `query parameter ${name} is ${wanted ? 'absent' : 'present'}`,
    };
  }
  const matches = compileStringMatcher(string);
  return {
    holds: (request) => {
      const value = request.parameter(name);
      return value !== undefined && matches(value);
    },
    failure: (request) => {
      const value = request.parameter(name);
      const found = value === undefined ? 'absent' : quote(value);
      return `query parameter ${name} is ${found}, and must ${demand(string)}`;
    },
  };
}

function called(name: string): string {
  return name.startsWith(':') ? name.slice(1) : `header ${name}`;
}

function demand(matcher: StringMatcher): string {
  const ignored = matcher.ignore_case === true ? ', case ignored' : '';
  if (matcher.exact !== undefined) return `be ${quote(toBytes(matcher.exact))}${ignored}`;
  if (matcher.prefix !== undefined) return `begin with ${quote(toBytes(matcher.prefix))}${ignored}`;
  if (matcher.suffix !== undefined) return `end with ${quote(toBytes(matcher.suffix))}${ignored}`;
  if (matcher.contains !== undefined) return `contain ${quote(toBytes(matcher.contains))}${ignored}`;
  return `match the regex ${quote(matcher.safe_regex?.regex ?? '')} as a whole`;
}

/** For reading: bytes that are UTF-8 become characters, control characters are escaped. */
function quote(text: string): string {
  const bytes = Buffer.from(text, 'latin1');
  const utf8 = bytes.toString('utf8');
  const readable = Buffer.from(utf8, 'utf8').equals(bytes) ? utf8 : text;
  return `'${readable.replace(/[\x00-\x1f\x7f]/g, (control) => `\\x${control.charCodeAt(0).toString(16).padStart(2, '0')}`)}'`;
}

/** Raw keys and values, the first of equal keys; `k` alone has the value '' (spec virtualservice.md §7.8). */
export function parseQuery(query: string): ReadonlyMap<string, string> {
  const parameters = new Map<string, string>();
  for (const part of query.split('&')) {
    const equals = part.indexOf('=');
    const key = equals === -1 ? part : part.slice(0, equals);
    if (!parameters.has(key)) parameters.set(key, equals === -1 ? '' : part.slice(equals + 1));
  }
  return parameters;
}
