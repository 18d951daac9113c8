// What a replay has to say: a table per area, the calls that differ, the verdict.
import type { Difference, Level } from './compare.js';
import { allowedDeviations, type Listed, STRICT_AREAS } from './lists.js';
import type { CallResult } from './replay.js';

export interface AreaSummary {
  readonly area: string;
  readonly calls: number;
  readonly client: number;
  readonly upstream: number;
  readonly log: number;
  /** Calls that agree on all levels. */
  readonly all: number;
  readonly listed: number;
  /** Calls that differ and are on no list. */
  readonly unlisted: number;
}

/** One line per reason why the run fails; empty = it passes. `strict`: the areas in which nothing unlisted may differ. */
export function judge(
  results: readonly CallResult[],
  listed: ReadonlyMap<string, Listed>,
  strict: readonly string[] = STRICT_AREAS,
): readonly string[] {
  const problems: string[] = [];
  const deviations = new Map<string, number>();
  const sizes = new Map<string, number>();
  for (const result of results) {
    sizes.set(result.area, (sizes.get(result.area) ?? 0) + 1);
    const entry = listed.get(result.id);
    if (entry !== undefined) {
      // A race may go either way.
      if (agrees(result) && entry.list !== 'race') problems.push(`listed as ${entry.list}, but agrees: ${result.id}`);
      if (entry.list === 'deviation') deviations.set(result.area, (deviations.get(result.area) ?? 0) + 1);
    } else if (!agrees(result) && strict.includes(result.area)) {
      problems.push(`differs: ${result.id}`);
    }
  }
  for (const [area, count] of deviations) {
    const allowed = allowedDeviations(area, sizes.get(area) ?? 0);
    // A run of single cases has too few calls to judge a share by.
    if (count > allowed && isWhole(area, results))
      problems.push(`${area}: ${count} deviations, at most ${allowed} are allowed`);
  }
  return problems;
}

function isWhole(area: string, results: readonly CallResult[]): boolean {
  return new Set(results.filter((result) => result.area === area).map((result) => result.caseId)).size > 5;
}

export function agrees(result: CallResult): boolean {
  return result.error === undefined && result.differences.length === 0;
}

export function agreesOn(result: CallResult, level: Level): boolean {
  return result.error === undefined && result.differences.every((difference) => difference.level !== level);
}

/** In area order, with a total at the end where there is more than one. */
export function summarize(results: readonly CallResult[], listed: ReadonlyMap<string, Listed>): readonly AreaSummary[] {
  const areas = [...new Set(results.map((result) => result.area))].sort();
  const summaries = areas.map((area) =>
    summary(
      area,
      results.filter((result) => result.area === area),
      listed,
    ),
  );
  return areas.length > 1 ? [...summaries, summary('all', results, listed)] : summaries;
}

function summary(area: string, results: readonly CallResult[], listed: ReadonlyMap<string, Listed>): AreaSummary {
  const count = (test: (result: CallResult) => boolean): number => results.filter(test).length;
  return {
    area,
    calls: results.length,
    client: count((result) => agreesOn(result, 'client')),
    upstream: count((result) => agreesOn(result, 'upstream')),
    log: count((result) => agreesOn(result, 'log')),
    all: count(agrees),
    listed: count((result) => listed.has(result.id)),
    unlisted: count((result) => !agrees(result) && !listed.has(result.id)),
  };
}

export function renderTable(summaries: readonly AreaSummary[]): string {
  const columns = ['calls', 'client', 'upstream', 'log', 'all', 'listed', 'unlisted'] as const;
  const lines = [['area', ...columns, 'share'].map((word, index) => pad(word, index)).join('')];
  for (const one of summaries) {
    const share = `${((one.all / Math.max(1, one.calls)) * 100).toFixed(1)} %`;
    lines.push([one.area, ...columns.map((column) => String(one[column])), share].map(pad).join(''));
  }
  return `${lines.join('\n')}\n`;
}

function pad(word: string, index: number): string {
  return index === 0 ? word.padEnd(14) : word.padStart(10);
}

/** One differing call with what differs; long values are cut unless `whole`. */
export function renderCall(result: CallResult, whole = false): string {
  const lines = [result.id];
  if (result.error !== undefined) lines.push(`  did not start: ${whole ? result.error : result.error.split('\n')[0]}`);
  for (const difference of result.differences) lines.push(...renderDifference(difference, whole));
  return `${lines.join('\n')}\n`;
}

function renderDifference({ level, path, recorded, replayed }: Difference, whole: boolean): string[] {
  return [`  ${level} ${path}`, `    - ${renderValue(recorded, whole)}`, `    + ${renderValue(replayed, whole)}`];
}

function renderValue(value: unknown, whole: boolean): string {
  const text = value === undefined ? '(absent)' : JSON.stringify(value);
  return whole || text.length <= 240 ? text : `${text.slice(0, 240)}… (${text.length} characters)`;
}
