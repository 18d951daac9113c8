// The recordings here are the recordings: every case loads, and where POSTERN_GOLDEN_SOURCE names the original, not one
// byte differs.
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import t from 'tap';
import { caseDirectories, goldenAreas, goldenRoot, loadCase } from './support.js';

t.test('every case loads, and each call has its recording', async (t) => {
  const wrong: string[] = [];
  let calls = 0;
  for (const directory of goldenAreas().flatMap(caseDirectories)) {
    const golden = loadCase(directory);
    calls += golden.calls.length;
    const names = golden.calls.map((call) => call.name);
    const recorded = golden.recorded.calls.map((call) => call.name);
    if (names.join('\n') !== recorded.join('\n')) wrong.push(`${golden.id}: calls and recordings differ`);
    if (new Set(names).size !== names.length) wrong.push(`${golden.id}: two calls of one name`);
  }
  t.same(wrong, []);
  t.ok(calls > 3000, `${calls} calls`);
});

const source = process.env['POSTERN_GOLDEN_SOURCE'];

t.test(
  'the copy equals the original',
  { skip: source === undefined && 'POSTERN_GOLDEN_SOURCE is not set' },
  async (t) => {
    const original = hashes(source ?? '');
    t.ok(original.size > 500, `${original.size} files in the original`);
    t.same(differences(original, hashes(goldenRoot())), []);
  },
);

t.test('a missing, an additional and a changed file are found', async (t) => {
  const original = new Map([
    ['a', '1'],
    ['b', '2'],
    ['c', '3'],
  ]);
  const copy = new Map([
    ['a', '1'],
    ['b', 'x'],
    ['d', '4'],
  ]);
  t.same(differences(original, copy), ['differs: b', 'missing: c', 'not in the original: d']);
});

function differences(original: ReadonlyMap<string, string>, copy: ReadonlyMap<string, string>): string[] {
  const found: string[] = [];
  for (const [file, hash] of original) {
    if (!copy.has(file)) found.push(`missing: ${file}`);
    else if (copy.get(file) !== hash) found.push(`differs: ${file}`);
  }
  for (const file of copy.keys()) if (!original.has(file)) found.push(`not in the original: ${file}`);
  return found.sort();
}

function hashes(root: string): Map<string, string> {
  if (!existsSync(root)) throw new Error(`${root} is not there`);
  const found = new Map<string, string>();
  const walk = (folder: string): void => {
    for (const entry of readdirSync(folder, { withFileTypes: true })) {
      const location = path.join(folder, entry.name);
      if (entry.isDirectory()) walk(location);
      else found.set(path.relative(root, location), createHash('sha256').update(readFileSync(location)).digest('hex'));
    }
  };
  walk(root);
  return found;
}
