// Routes of one virtual host compiled for lookup: the first route in order whose conditions all hold (spec
// virtualservice.md §7). A short list is walked; a longer one finds its candidates by path first, and the candidate
// with the lowest position wins, so the order stays the configuration's (performance.md §7).
import { toBytes } from '../regex/index.js';
import type { Route } from '../xds/index.js';
import { PrefixTree } from './prefix-tree.js';
import { type Condition, compileConditions, MatchedRequest, type RequestMatchFacts } from './route-conditions.js';

export { parseQuery, type RequestMatchFacts } from './route-conditions.js';

type Test = (request: MatchedRequest) => boolean;

/** What became of one route that was considered. */
export interface RouteTrial {
  readonly position: number;
  /** The first condition that fails, in words; `undefined` = it matches. */
  readonly failure: string | undefined;
}

/** Up to this many routes a walk costs no more than the index (about 150 ns either way). */
const LINEAR_LIMIT = 12;
/** Past every position, and a small integer as they are. */
const NONE = 0x3fffffff;

/** The routes of one virtual host. */
export class RouteIndex {
  private readonly conditions: readonly (readonly Condition[])[];
  private readonly tests: readonly Test[];
  private readonly paths: PathIndex | undefined;

  constructor(routes: readonly Route[], linearLimit: number = LINEAR_LIMIT) {
    this.conditions = routes.map((route) => compileConditions(route.match));
    this.tests = this.conditions.map(conjunction);
    this.paths = routes.length > linearLimit ? new PathIndex(routes) : undefined;
  }

  /** Position of the first route that matches; -1 = none. */
  find(facts: RequestMatchFacts): number {
    const request = new MatchedRequest(facts);
    const { tests, paths } = this;
    if (paths !== undefined) return paths.first(request, tests);
    for (let i = 0; i < tests.length; i++) if ((tests[i] as Test)(request)) return i;
    return -1;
  }

  /** Every route up to the one that `find` finds, with what kept the others from matching. */
  explain(facts: RequestMatchFacts): readonly RouteTrial[] {
    const request = new MatchedRequest(facts);
    const found = this.find(facts);
    const considered = found === -1 ? this.conditions : this.conditions.slice(0, found + 1);
    return considered.map((conditions, position) => ({
      position,
      failure: conditions.find(({ holds }) => !holds(request))?.failure(request),
    }));
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
  first(request: MatchedRequest, tests: readonly Test[]): number {
    const path = request.pathOnly;
    const exact = this.exact.get(path);
    let best = exact === undefined ? NONE : firstOf(exact, NONE, request, tests);
    const walk = this.prefixes.walk(path);
    for (let positions = walk.next(); positions !== undefined; positions = walk.next())
      best = firstOf(positions, best, request, tests);
    // Last, because a position found before cuts this list short, and its conditions are the dear ones.
    best = firstOf(this.others, best, request, tests);
    return best === NONE ? -1 : best;
  }
}

function firstOf(positions: readonly number[], best: number, request: MatchedRequest, tests: readonly Test[]): number {
  for (const position of positions) {
    if (position >= best) return best;
    if ((tests[position] as Test)(request)) return position;
  }
  return best;
}

function push(map: Map<string, number[]>, key: string, position: number): void {
  const list = map.get(key);
  if (list === undefined) map.set(key, [position]);
  else list.push(position);
}

function conjunction(conditions: readonly Condition[]): Test {
  const [first, ...rest] = conditions.map(({ holds }) => holds);
  if (first === undefined) return () => true;
  if (rest.length === 0) return first;
  return (request) => {
    if (!first(request)) return false;
    for (const holds of rest) if (!holds(request)) return false;
    return true;
  };
}
