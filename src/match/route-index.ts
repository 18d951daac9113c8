// Routes of one virtual host compiled for lookup: the first route in order whose conditions all hold (spec
// virtualservice.md §7). A short list is walked; a longer one finds its candidates by path first, and the candidate
// with the lowest position wins, so the order stays the configuration's (performance.md §7).
import { toBytes } from '../regex/index.js';
import type { HeaderMatcher, HeaderReader, QueryParameterMatcher, Route, RouteMatch } from '../xds/index.js';
import { PrefixTree } from './prefix-tree.js';
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

type Condition = (request: MatchedRequest) => boolean;

/** Up to this many routes a walk costs no more than the index (about 150 ns either way). */
const LINEAR_LIMIT = 12;
/** Past every position, and a small integer as they are. */
const NONE = 0x3fffffff;

/** The routes of one virtual host. */
export class RouteIndex {
  private readonly conditions: readonly Condition[];
  private readonly paths: PathIndex | undefined;

  constructor(routes: readonly Route[], linearLimit: number = LINEAR_LIMIT) {
    this.conditions = routes.map((route) => compileRouteMatch(route.match));
    this.paths = routes.length > linearLimit ? new PathIndex(routes) : undefined;
  }

  /** Position of the first route that matches; -1 = none. */
  find(facts: RequestMatchFacts): number {
    const request = new MatchedRequest(facts);
    const { conditions, paths } = this;
    if (paths !== undefined) return paths.first(request, conditions);
    for (let i = 0; i < conditions.length; i++) if ((conditions[i] as Condition)(request)) return i;
    return -1;
  }
}

/** One request while its routes are tried: what is derived from it is computed once, and only when a condition asks. */
class MatchedRequest {
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

/** Routes by the part of their match that a path settles alone. Every list of positions is ascending. */
class PathIndex {
  private readonly exact = new Map<string, number[]>();
  private readonly prefixes = new PrefixTree();
  /** Regular expressions and case-insensitive paths: always candidates. */
  private readonly others: number[] = [];

  constructor(routes: readonly Route[]) {
    for (const [position, { match }] of routes.entries()) {
      if (match.case_sensitive === false) this.others.push(position);
      else if (match.prefix !== undefined) this.prefixes.add(toBytes(match.prefix), position);
      else if (match.path !== undefined) push(this.exact, toBytes(match.path), position);
      else this.others.push(position);
    }
  }

  /** The smallest position whose condition holds; -1 = none. */
  first(request: MatchedRequest, conditions: readonly Condition[]): number {
    const path = request.pathOnly;
    const exact = this.exact.get(path);
    let best = exact === undefined ? NONE : firstOf(exact, NONE, request, conditions);
    const walk = this.prefixes.walk(path);
    for (let positions = walk.next(); positions !== undefined; positions = walk.next())
      best = firstOf(positions, best, request, conditions);
    // Last, because a position found before cuts this list short, and its conditions are the dear ones.
    best = firstOf(this.others, best, request, conditions);
    return best === NONE ? -1 : best;
  }
}

function firstOf(
  positions: readonly number[],
  best: number,
  request: MatchedRequest,
  conditions: readonly Condition[],
): number {
  for (const position of positions) {
    if (position >= best) return best;
    if ((conditions[position] as Condition)(request)) return position;
  }
  return best;
}

function push(map: Map<string, number[]>, key: string, position: number): void {
  const list = map.get(key);
  if (list === undefined) map.set(key, [position]);
  else list.push(position);
}

function compileRouteMatch(match: RouteMatch): Condition {
  // Nothing here verifies tokens, so the metadata that claims would be in is never set: only an inverted one holds
  // (spec virtualservice.md §7.6).
  if (match.dynamic_metadata?.some((matcher) => matcher.invert !== true) === true) return () => false;
  const conditions: Condition[] = [compilePath(match)];
  for (const header of match.headers ?? []) conditions.push(compileHeader(header));
  for (const parameter of match.query_parameters ?? []) conditions.push(compileParameter(parameter));
  const [first] = conditions;
  if (conditions.length === 1 && first !== undefined) return first;
  return (request) => {
    for (const condition of conditions) if (!condition(request)) return false;
    return true;
  };
}

function compilePath(match: RouteMatch): Condition {
  if (match.safe_regex !== undefined) {
    const matches = compilePattern(match.safe_regex.regex);
    return (request) => matches(request.pathOnly);
  }
  const text = toBytes(match.prefix ?? match.path ?? '');
  const isPrefix = match.prefix !== undefined;
  if (match.case_sensitive === false) {
    const folded = asciiLowerCase(text);
    if (isPrefix) return (request) => asciiLowerCase(request.pathOnly).startsWith(folded);
    return (request) => request.pathOnly.length === folded.length && asciiLowerCase(request.pathOnly) === folded;
  }
  if (isPrefix) return (request) => request.pathOnly.startsWith(text);
  return (request) => request.pathOnly === text;
}

function compileHeader(matcher: HeaderMatcher): Condition {
  const name = matcher.name.toLowerCase();
  const invert = matcher.invert_match === true;
  if (matcher.string_match === undefined) {
    const wanted = matcher.present_match !== false;
    return (request) => (headerLines(request.facts, name).length > 0 === wanted) !== invert;
  }
  const matches = compileStringMatcher(matcher.string_match);
  const missingIsEmpty = matcher.treat_missing_header_as_empty === true;
  return (request) => {
    const lines = headerLines(request.facts, name);
    if (lines.length === 0) return missingIsEmpty && matches('') !== invert;
    // Lines are tested one by one, not joined; one that fits is enough (spec virtualservice.md §7.6).
    for (const line of lines) if (matches(line)) return !invert;
    return invert;
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
  if (matcher.string_match === undefined) {
    const wanted = matcher.present_match !== false;
    return (request) => (request.parameter(name) !== undefined) === wanted;
  }
  const matches = compileStringMatcher(matcher.string_match);
  return (request) => {
    const value = request.parameter(name);
    return value !== undefined && matches(value);
  };
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
