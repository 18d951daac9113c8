// Tables of the side-by-side benchmark: medians with their spread, and ratios round by round.
import type { Workload } from './side-workloads.js';

/** One proxy in one workload: a value per round that counted. */
export interface Measured {
  readonly proxy: string;
  readonly rates: number[];
  /** Nanoseconds of processor time per operation. */
  readonly costs: number[];
  /** Milliseconds per operation; 0 where an operation has no beginning and end. */
  readonly p50s: number[];
  readonly p99s: number[];
  /** Share of one processor that was used. */
  readonly shares: number[];
}

/** What the bench prints and writes. */
export interface SideBySide {
  readonly schema: 2;
  readonly when: string;
  readonly host: Readonly<Record<string, string | number>>;
  readonly settings: Readonly<Record<string, string | number | boolean>>;
  readonly results: readonly Readonly<Record<string, unknown>>[];
  readonly ratios: readonly Readonly<Record<string, unknown>>[];
  readonly skipped: readonly string[];
  readonly invalid: readonly string[];
}

/** Where the lines of a table go. */
export interface Report {
  readonly results: Record<string, unknown>[];
  readonly ratios: Record<string, unknown>[];
}

/** Whom a proxy is compared with, round by round. nginx is the unit; the others are what people write in Node. */
const UNITS: readonly string[] = ['nginx', 'http2-proxy'];

/** Of an odd number of values the one in the middle. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? 0;
}

/** Prints one workload and keeps it for the JSON. */
export function reportWorkload(workload: Workload, measured: readonly Measured[], report: Report): void {
  for (const one of measured) {
    if (one.rates.length === 0) continue;
    report.results.push(resultOf(workload, one));
    let line = rowOf(workload, one);
    for (const unit of measured.filter(({ proxy }) => UNITS.includes(proxy))) {
      if (unit === one || unit.rates.length !== one.rates.length) continue;
      // Only postern is of interest beside the second unit.
      if (unit.proxy !== 'nginx' && one.proxy !== 'postern') continue;
      const { text, json } = ratioOf(workload, one, unit);
      report.ratios.push(json);
      line += `   ${text}`;
    }
    process.stderr.write(`${line}\n`);
  }
}

/** What the columns are. */
export function printHeading(title: string): void {
  process.stderr.write(
    `\n${title}\n${'workload'.padEnd(16)} ${'proxy'.padEnd(12)} ${'rate'.padStart(8)} ${''.padEnd(7)} ${'spread'.padEnd(16)} ${'p50'.padStart(7)} ${'p99'.padStart(7)} ms ${'CPU/op'.padStart(8)}       used\n`,
  );
}

function rowOf({ id, unit }: Workload, { proxy, rates, costs, p50s, p99s, shares }: Measured): string {
  const ms = (values: readonly number[]): string =>
    (median(values) === 0 ? '-' : median(values).toFixed(2)).padStart(7);
  const isDirect = proxy === 'direct';
  const cost = isDirect ? '-' : (median(costs) / 1000).toFixed(1);
  const share = isDirect ? '' : `${(100 * median(shares)).toFixed(0)} %`;
  return `${id.padEnd(16)} ${proxy.padEnd(12)} ${median(rates).toFixed(0).padStart(8)} ${unit.padEnd(7)} ${spread(rates, 0).padEnd(16)} ${ms(p50s)} ${ms(p99s)}    ${cost.padStart(8)} us ${share.padStart(7)}`;
}

function resultOf(
  { id, unit }: Workload,
  { proxy, rates, costs, p50s, p99s, shares }: Measured,
): Record<string, unknown> {
  return {
    workload: id,
    proxy,
    unit,
    runs: rates,
    median: median(rates),
    p50ms: median(p50s),
    p99ms: median(p99s),
    cpuUsPerOp: median(costs) / 1000,
    cpuUsRuns: costs.map((ns) => Math.round(ns / 100) / 10),
    cpuShare: median(shares),
    // Whoever does not use its processor whole meets the limit of the load; its rate says little.
    loadBound: median(shares) < 0.85,
  };
}

function ratioOf(
  { id, target }: Workload,
  one: Measured,
  unit: Measured,
): { readonly text: string; readonly json: Record<string, unknown> } {
  const rates = one.rates.map((value, i) => value / (unit.rates[i] as number));
  const costs = one.costs.map((value, i) => value / (unit.costs[i] as number));
  const isJudged = one.proxy === 'postern' && unit.proxy === 'nginx' && target !== undefined;
  const isCpu = target?.cpu === true;
  const ratio = isCpu ? median(costs) : median(rates);
  const isMet = target !== undefined && (isCpu ? ratio <= target.least : ratio >= target.least);
  const verdict = isJudged ? (isMet ? 'pass' : 'MISSED') : '';
  const beside = unit.proxy === 'nginx' ? '' : ` of ${unit.proxy}`;
  const cost = one.proxy === 'direct' ? '' : `  x${median(costs).toFixed(2)} CPU`;
  return {
    text: `x${median(rates).toFixed(2)} rate${beside} (${spread(rates, 2)})${cost}  ${verdict}`.trimEnd(),
    json: {
      workload: id,
      a: one.proxy,
      b: unit.proxy,
      rate: summary(rates),
      cpuPerOp: summary(costs),
      ...(isJudged ? { target, verdict } : {}),
    },
  };
}

/** The least and the most. */
export function spread(values: readonly number[], digits: number): string {
  return `${Math.min(...values).toFixed(digits)}..${Math.max(...values).toFixed(digits)}`;
}

function summary(values: readonly number[]): { median: number; min: number; max: number } {
  return { median: median(values), min: Math.min(...values), max: Math.max(...values) };
}
