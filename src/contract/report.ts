// What reporters are given, and the verdict on the whole.
import {
  type ContractResult,
  type Counts,
  type CoverageItem,
  countTests,
  coverageOf,
  type TestResult,
} from './result.js';

/** All contracts of one invocation. */
export interface Report {
  readonly results: readonly ContractResult[];
  readonly counts: Counts;
  /** Per cent; only when coverage was asked for. */
  readonly coverage?: number;
  /** Per cent below which the run fails. */
  readonly failUnder?: number;
  readonly ok: boolean;
  readonly milliseconds: number;
}

/** Writes results somewhere, while they come or at the end. */
export interface ContractReporter {
  begin?(file: string, total: number): void;
  test?(result: TestResult): void;
  end(report: Report): void;
}

/** Where a reporter writes. */
export type Write = (text: string) => void;

/** True when no test failed, nothing that is not emulated is in use, and enough was reached. */
export function buildReport(results: readonly ContractResult[], milliseconds: number, failUnder?: number): Report {
  const counts = countTests(results);
  const items = coverageItems(results);
  const coverage = items === undefined ? undefined : coverageOf(items);
  const isEmulated = results.every(({ unemulated }) => unemulated.length === 0);
  const isCovered = failUnder === undefined || coverage === undefined || coverage >= failUnder;
  return {
    results,
    counts,
    ...(coverage === undefined ? {} : { coverage }),
    ...(failUnder === undefined ? {} : { failUnder }),
    ok: counts.failed === 0 && isEmulated && isCovered,
    milliseconds,
  };
}

/** Of all files: contracts over the same configuration complete each other. */
export function coverageItems(results: readonly ContractResult[]): readonly CoverageItem[] | undefined {
  const merged = new Map<string, CoverageItem>();
  let isAsked = false;
  for (const { coverage } of results) {
    if (coverage === undefined) continue;
    isAsked = true;
    for (const item of coverage) {
      const key = `${item.kind} ${item.name} ${item.origin?.file ?? ''}:${item.origin?.line ?? ''}`;
      const known = merged.get(key);
      if (known === undefined || !known.reached) merged.set(key, item);
    }
  }
  return isAsked ? [...merged.values()] : undefined;
}

/** '12 passed, 1 failed, 1 skipped'. */
export function summaryOf({ passed, failed, skipped, knownBugs }: Counts): string {
  const parts = [`${passed} passed`, `${failed} failed`];
  if (skipped > 0) parts.push(`${skipped} skipped`);
  if (knownBugs > 0) parts.push(`${knownBugs} known bug${knownBugs === 1 ? '' : 's'}`);
  return parts.join(', ');
}
