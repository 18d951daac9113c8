// Expectations against facts, and splits against counts.

import type { Decision } from '../decide/decision.js';
import type { Assertion, Expectation, Expected } from './contract.js';
import { isForwarded, isLiveExpectation } from './decided-facts.js';
import { type Facts, holds, renderExpected, renderFact } from './facts.js';
import type { Failure } from './result.js';

/** What came of the assertions of one request. */
export interface Judgement {
  readonly failures: readonly Failure[];
  /** 'status: only a live upstream settles that'. */
  readonly unjudged: readonly string[];
  readonly judged: number;
}

/** `decided`: the facts come from a decision and not from a request. */
export function judge(expect: Expectation, facts: Facts, decision: Decision, decided: boolean): Judgement {
  const failures: Failure[] = [];
  const unjudged: string[] = [];
  let judged = 0;
  const forwarded = isForwarded(decision);
  for (const assertion of expect.assertions) {
    const fact = facts(assertion.path);
    const isLive = decided && forwarded && mentionsLive(assertion, assertion.expected);
    const verdict = isLive ? undefined : holds(assertion.expected, fact);
    const path = assertion.path.join('.');
    if (verdict === undefined) {
      unjudged.push(`${path}: ${fact.kind === 'unknown' ? fact.why : 'only a live upstream settles that'}`);
      continue;
    }
    judged++;
    if (verdict) continue;
    const { expected, origin } = assertion;
    failures.push({ path, expected: renderExpected(expected), actual: renderFact(fact), origin });
  }
  return { failures, unjudged, judged };
}

function mentionsLive(assertion: Assertion, expected: Expected): boolean {
  switch (expected.kind) {
    case 'value':
      return isLiveExpectation(assertion.path, String(expected.value));
    case 'not':
      return mentionsLive(assertion, expected.of);
    case 'anyOf':
      return expected.of.some((one) => mentionsLive(assertion, one));
    default:
      return false;
  }
}

/** What a split calls a cluster: its subset, or its name where it has none. */
export type SplitNames = (cluster: string) => string;

type Split = NonNullable<Expectation['split']>;

/** Exact: the weights of the route, in the same proportions. */
export function judgeWeights(split: Split, decision: Decision, nameOf: SplitNames): readonly Failure[] {
  const actual = new Map<string, number>();
  const clusters =
    decision.weightedClusters ?? (decision.cluster === undefined ? [] : [{ cluster: decision.cluster, weight: 1 }]);
  for (const { cluster, weight } of clusters) add(actual, keyOf(split, cluster, nameOf), weight);
  const total = sum(actual.values());
  const wanted = sum(Object.values(split.weights));
  const shares = (weight: number, of: number): string => percent(of === 0 ? 0 : weight / of);
  const names = new Set([...Object.keys(split.weights), ...actual.keys()]);
  const failures: Failure[] = [];
  for (const name of names) {
    const expected = split.weights[name] ?? 0;
    const found = actual.get(name) ?? 0;
    // Whole numbers, so that no rounding has a say.
    if (total > 0 && wanted > 0 && expected * total === found * wanted) continue;
    failures.push({
      path: `split.${name}`,
      expected: shares(expected, wanted),
      actual: actual.has(name) ? shares(found, total) : `absent${total === 0 ? ', no cluster is picked' : ''}`,
      origin: split.origin,
    });
  }
  return failures;
}

/**
 * Statistical: each count within four standard deviations of its share. A name that no cluster of the route has fails
 * however small its share.
 */
export function judgeCounts(
  split: Split,
  counts: ReadonlyMap<string, number>,
  samples: number,
  decision: Decision,
  nameOf: SplitNames,
): readonly Failure[] {
  const clusters = [...counts.keys(), ...(decision.weightedClusters ?? []).map(({ cluster }) => cluster)];
  const known = new Set(clusters.map((cluster) => keyOf(split, cluster, nameOf)));
  const actual = new Map<string, number>();
  for (const [cluster, count] of counts) add(actual, keyOf(split, cluster, nameOf), count);
  const wanted = sum(Object.values(split.weights));
  const names = new Set([...Object.keys(split.weights), ...actual.keys()]);
  const failures: Failure[] = [];
  for (const name of names) {
    const share = wanted === 0 ? 0 : (split.weights[name] ?? 0) / wanted;
    const found = actual.get(name) ?? 0;
    const tolerance = DEVIATIONS * Math.sqrt(samples * share * (1 - share));
    if (Math.abs(found - samples * share) <= tolerance && (known.has(name) || share === 0)) continue;
    failures.push({
      path: `split.${name}`,
      expected: `${percent(share)} (${Math.round(samples * share)} ± ${Math.round(tolerance)} of ${samples})`,
      actual: known.has(name) ? `${found} of ${samples}` : 'no such cluster in the route',
      origin: split.origin,
    });
  }
  return failures;
}

const DEVIATIONS = 4;

/** A contract may always give the whole cluster name. */
function keyOf(split: Split, cluster: string, nameOf: SplitNames): string {
  return Object.hasOwn(split.weights, cluster) ? cluster : nameOf(cluster);
}

function add(into: Map<string, number>, key: string, amount: number): void {
  into.set(key, (into.get(key) ?? 0) + amount);
}

function sum(numbers: Iterable<number>): number {
  let total = 0;
  for (const number of numbers) total += number;
  return total;
}

function percent(share: number): string {
  return `${Number((share * 100).toFixed(2))} %`;
}
