// Loads mutated texts and measures.
import fc from 'fast-check';
import { loadConfig } from '../../src/config/load.js';
import type { Diagnostic } from '../../src/diagnostics/diagnostic.js';
import { renderDiagnostics } from '../../src/diagnostics/render.js';
import { mutate, mutation, season, seedTexts, spice } from './validate.cases.js';

export interface FuzzResult {
  readonly inputs: number;
  /** Messages of what was thrown, with the seed of the run. */
  readonly crashes: readonly string[];
  /** Milliseconds that 99 of 100 inputs stay below. */
  readonly p99: number;
  readonly slowest: number;
  /** How many ended in an error diagnostic. */
  readonly refused: number;
}

/** `count` inputs from a seed; loading and rendering count as one. */
export function runMutations(count: number, seed: number): FuzzResult {
  const seeds = seedTexts();
  const times: number[] = [];
  const crashes: string[] = [];
  let refused = 0;
  const input = fc.tuple(fc.nat(seeds.length - 1), fc.array(mutation, { minLength: 1, maxLength: 6 }), spice);
  for (const [which, mutations, pieces] of fc.sample(input, { numRuns: count, seed })) {
    const text = season(mutate(seeds[which] ?? '', mutations), pieces);
    try {
      const { milliseconds, diagnostics } = loadMeasured(text);
      if (diagnostics.some(({ severity }) => severity === 'error')) refused++;
      times.push(milliseconds);
    } catch (error) {
      crashes.push(`${error instanceof Error ? error.stack : String(error)}\nin\n${text.slice(0, 2000)}`);
    }
  }
  times.sort((a, b) => a - b);
  return {
    inputs: times.length,
    crashes,
    p99: times[Math.floor(times.length * 0.99)] ?? 0,
    slowest: times.at(-1) ?? 0,
    refused,
  };
}

/** Loading and rendering, with the processor's time that they took: the machine may be busy with other tests. */
export function loadMeasured(text: string): { milliseconds: number; diagnostics: readonly Diagnostic[] } {
  const started = process.cpuUsage();
  const { diagnostics } = loadConfig([{ file: 'f.yaml', text, named: true }]);
  renderDiagnostics(diagnostics, [{ file: 'f.yaml', text }]);
  const { user, system } = process.cpuUsage(started);
  return { milliseconds: (user + system) / 1000, diagnostics };
}
