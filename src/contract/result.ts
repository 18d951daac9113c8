// What came of contracts: for reporters, for the library, and for the exit code.
import type { Decision } from '../decide/decision.js';
import type { Diagnostic } from '../diagnostics/diagnostic.js';
import type { Origin } from '../diagnostics/origin.js';
import type { UpstreamSaw } from '../gateway/client/reply.js';

/** An expectation that does not hold. */
export interface Failure {
  /** 'headers.x-served-by'. */
  readonly path: string;
  readonly expected: string;
  readonly actual: string;
  /** The line of the contract at fault. */
  readonly origin: Origin;
}

/** One request of a test, as far as a reader wants to know. */
export interface StepResult {
  /** 'GET https://shop.example.com/cart'. */
  readonly request: string;
  readonly failures: readonly Failure[];
  /** Expectations that this mode cannot judge: 'status: only a live upstream decides'. */
  readonly unjudged: readonly string[];
  readonly decision: Decision;
  readonly status?: number;
  readonly error?: string;
  readonly flags?: string;
  readonly details?: string;
  /** Why there was no whole answer. */
  readonly failure?: string;
  /** Run mode only. */
  readonly upstreamsSaw: readonly UpstreamSaw[];
}

/**
 * `skipped`: by `skip`, or because nothing of it can be judged in this mode. `knownBug`: it fails, as expected.
 * `unexpectedPass`: it has a `knownBug` and passes.
 */
export type Outcome = 'passed' | 'failed' | 'skipped' | 'knownBug' | 'unexpectedPass';

/** One test. */
export interface TestResult {
  readonly name: string;
  /** As it was named. */
  readonly file: string;
  readonly origin: Origin;
  readonly tags: readonly string[];
  readonly outcome: Outcome;
  /** Of `skipped`, `knownBug` and `unexpectedPass`. */
  readonly reason?: string;
  readonly milliseconds: number;
  /** Empty when it was not run. Of repeated requests the first one that failed, or the last. */
  readonly steps: readonly StepResult[];
}

/** A part of the configuration, and whether a test reached it. */
export interface CoverageItem {
  readonly kind: 'server' | 'host' | 'match';
  /** 'shop/public:https [shop.example.com]', 'shop.example.com:443', 'canary'. */
  readonly name: string;
  readonly origin?: Origin;
  readonly reached: boolean;
}

/** One contract file. */
export interface ContractResult {
  readonly file: string;
  readonly mode: 'decide' | 'run';
  readonly tests: readonly TestResult[];
  /** Findings of loading and translating, and what is in use but not emulated. */
  readonly diagnostics: readonly Diagnostic[];
  /** What is in use, not emulated and not accepted: fails the run. */
  readonly unemulated: readonly Diagnostic[];
  /** Only when it was asked for. */
  readonly coverage?: readonly CoverageItem[];
  /** True after `bail` ended the run before its end. */
  readonly bailed: boolean;
  readonly milliseconds: number;
}

/** Numbers of tests by outcome. */
export interface Counts {
  readonly total: number;
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
  readonly knownBugs: number;
}

/** An unexpected pass counts as failed. */
export function countTests(results: readonly ContractResult[]): Counts {
  const tests = results.flatMap((result) => result.tests);
  const count = (...outcomes: readonly Outcome[]): number =>
    tests.filter(({ outcome }) => outcomes.includes(outcome)).length;
  return {
    total: tests.length,
    passed: count('passed'),
    failed: count('failed', 'unexpectedPass'),
    skipped: count('skipped'),
    knownBugs: count('knownBug'),
  };
}

/** Per cent of what a test could reach; 100 when there is nothing. */
export function coverageOf(items: readonly CoverageItem[]): number {
  return items.length === 0 ? 100 : (100 * items.filter(({ reached }) => reached).length) / items.length;
}
