// What the regression gate makes of its figures: pure, so that it can be tried with figures made up.

/** What a figure counts; each kind has its floor. */
export type Kind = 'bytes' | 'kept' | 'copies' | 'calls' | 'ratio';

/** One figure, measured several times. */
export interface Count {
  readonly name: string;
  readonly kind: Kind;
  readonly runs: readonly number[];
}

/** Figures that were accepted, by name. */
export type Baseline = Readonly<Record<string, number>>;

/** What became of one figure. `limit` is the most that passes; both are `undefined` where there is no baseline. */
export interface Verdict {
  readonly name: string;
  readonly outcome: 'ok' | 'worse' | 'better' | 'new';
  readonly median: number;
  /** Spread of the runs without the highest and the lowest, as a share of their median. */
  readonly noise: number;
  readonly accepted: number | undefined;
  readonly limit: number | undefined;
}

/**
 * The least that a figure may grow by, as a share. The tolerance is this or the noise that was measured, whichever is
 * more. Counts hold on any machine; a ratio to a calibrated loop differs from processor to processor.
 */
export const FLOORS: Readonly<Record<Kind, number>> = { bytes: 0.15, kept: 0.15, copies: 0.15, calls: 0.1, ratio: 0.5 };

/** Noise above this hides what is looked for: it is no excuse, a figure that jumps about is compared as if it did not. */
const MOST_NOISE = 0.5;

/** Differences below these are none, whatever share they are: 0.01 copies per byte that become 0.02. */
const LEAST: Readonly<Record<Kind, number>> = { bytes: 32, kept: 512, copies: 0.05, calls: 0.5, ratio: 0.2 };

/** Each figure beside what was accepted. A figure without a baseline is new and fails nothing. */
export function judge(counts: readonly Count[], baseline: Baseline): readonly Verdict[] {
  return counts.map((count) => judgeOne(count, baseline[count.name]));
}

/** Accepted figures that were not measured: what is left out without a word would pass for ever. */
export function unmeasured(counts: readonly Count[], baseline: Baseline): readonly string[] {
  const measured = new Set(counts.map(({ name }) => name));
  return Object.keys(baseline).filter((name) => !measured.has(name));
}

/** What `--accept` writes down. */
export function baselineOf(counts: readonly Count[]): Baseline {
  return Object.fromEntries(counts.map(({ name, runs }) => [name, Math.round(middleOf(runs) * 100) / 100]));
}

/** One line of the table. */
export function renderVerdict({ name, outcome, median, noise, accepted, limit }: Verdict): string {
  const known = accepted === undefined ? '' : `  accepted ${accepted}, limit ${limit?.toFixed(2)}`;
  const word = outcome === 'worse' ? 'WORSE' : outcome;
  return `${word.padEnd(6)} ${name.padEnd(66)} ${median.toFixed(2).padStart(10)} (noise ${(100 * noise).toFixed(0)} %)${known}`;
}

function judgeOne({ name, kind, runs }: Count, accepted: number | undefined): Verdict {
  const median = middleOf(runs);
  const noise = noiseOf(runs);
  if (accepted === undefined) return { name, outcome: 'new', median, noise, accepted, limit: undefined };
  const tolerance = Math.max(FLOORS[kind], Math.min(noise, MOST_NOISE));
  const limit = Math.max(accepted * (1 + tolerance), accepted + LEAST[kind]);
  const isBetter = median < accepted / (1 + tolerance) && accepted - median > LEAST[kind];
  return { name, outcome: median > limit ? 'worse' : isBetter ? 'better' : 'ok', median, noise, accepted, limit };
}

function middleOf(runs: readonly number[]): number {
  return [...runs].sort((a, b) => a - b)[runs.length >> 1] ?? 0;
}

function noiseOf(runs: readonly number[]): number {
  const sorted = [...runs].sort((a, b) => a - b);
  const median = middleOf(runs);
  if (median === 0 || sorted.length < 3) return 0;
  return ((sorted.at(-2) ?? median) - (sorted[1] ?? median)) / median;
}
