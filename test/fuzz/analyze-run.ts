// Mutated configurations through everything that `postern analyze` does: keys dropped, values of other types, names that
// lead elsewhere. Whatever comes, it ends in findings, each with a place.
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { parseAllDocuments, stringify } from 'yaml';
import { AnalysisSession } from '../../src/gateway/analysis.js';
import { goldenRoot } from '../golden/support.js';
import { randomNumbers } from '../support/random.js';

/** What became of one input. */
export interface Outcome {
  readonly text: string;
  /** What went wrong; `undefined`: nothing. */
  readonly problem: string | undefined;
  /** Milliseconds of CPU. */
  readonly time: number;
}

const ODD: readonly unknown[] = [
  null,
  0,
  -1,
  1e300,
  '',
  '*',
  '\u0000',
  'a/b/c',
  '.',
  [],
  {},
  [null],
  [[]],
  { a: null },
  true,
  'x'.repeat(300),
  ['*/*'],
  '::1',
  { exact: '' },
  { regex: '(' },
  '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----',
];

/** Analyzes `count` mutations of the recorded files, always the same ones for a seed. */
export async function* analyzeMutations(count: number, seed: number): AsyncGenerator<Outcome> {
  const random = randomNumbers(seed);
  const files = ['analysis', 'validation'].flatMap((folder) =>
    readdirSync(path.join(goldenRoot(), folder))
      .filter((file) => file.endsWith('.yaml'))
      .map((file) => path.join(goldenRoot(), folder, file)),
  );
  const parsed = files.flatMap((file) => parse(readFileSync(file, 'utf8')));
  for (let n = 0; n < count; n++) {
    const documents = parsed[random(parsed.length)] ?? [];
    yield analyze(documents.map((document) => stringify(mutate(document, random))).join('---\n'));
  }
}

async function analyze(text: string): Promise<Outcome> {
  const start = process.cpuUsage();
  let problem: string | undefined;
  try {
    const { diagnostics } = await new AnalysisSession().analyze([{ file: 'a.yaml', text, named: true }], {});
    const placeless = diagnostics.find(({ origin }) => origin === undefined);
    if (placeless !== undefined) problem = `no place for ${placeless.code}`;
  } catch (error) {
    problem = error instanceof Error ? (error.stack ?? error.message) : String(error);
  }
  const { user, system } = process.cpuUsage(start);
  return { text, problem, time: (user + system) / 1000 };
}

function parse(text: string): readonly (readonly unknown[])[] {
  try {
    return [parseAllDocuments(text).map((document) => document.toJS() as unknown)];
  } catch {
    return []; // recorded because it cannot be parsed
  }
}

function mutate(value: unknown, random: (bound: number) => number): unknown {
  if (random(12) === 0) return ODD[random(ODD.length)];
  if (Array.isArray(value)) {
    const items = value.map((item) => mutate(item, random));
    if (random(15) === 0) items.splice(random(items.length + 1), 1);
    if (random(15) === 0 && items.length > 0) items.push(items[random(items.length)]);
    return items;
  }
  if (typeof value !== 'object' || value === null) return value;
  const mutated: Record<string, unknown> = {};
  for (const [key, inside] of Object.entries(value)) {
    if (random(20) === 0) continue;
    const isKind = (key === 'kind' || key === 'apiVersion') && random(30) !== 0;
    mutated[key] = isKind ? inside : mutate(inside, random);
  }
  return mutated;
}
