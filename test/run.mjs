// Runs the compiled tests with tap and ends with one plain line that any CI can read.
//   node test/run.mjs            everything except *.verify.test.js
//   node test/run.mjs --verify   only those (soak, fuzzing at length, other Node versions)
//   node test/run.mjs FILTER…    files whose path contains one of the words
import { spawn } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { availableParallelism } from 'node:os';
import path from 'node:path';

const words = process.argv.slice(2).filter((word) => !word.startsWith('--'));
const verify = process.argv.includes('--verify');
const files = list('dist-test/test').filter(
  (file) =>
    file.includes('.verify.test.') === verify && (words.length === 0 || words.some((word) => file.includes(word))),
);
if (files.length === 0) {
  console.error('no test file fits');
  process.exit(1);
}

const tap = path.join(path.dirname(createRequire(import.meta.url).resolve('tap/package.json')), 'dist/esm/run.mjs');
const child = spawn(
  process.execPath,
  [
    tap,
    '--disable-coverage', // coverage is looked at when asked for; a threshold would fail a change for a reason of no interest
    '--allow-empty-coverage',
    `--jobs=${Math.max(2, availableParallelism())}`,
    `--timeout=${verify ? 900 : 240}`, // the golden replay of all areas is one file
    '--reporter=terse',
    ...files,
  ],
  { stdio: ['ignore', 'pipe', 'inherit'] },
);
let output = '';
child.stdout.on('data', (chunk) => {
  output += chunk;
  process.stdout.write(chunk);
});
child.on('close', (code) => {
  // tap's own summary: "# { total: 12, pass: 12 }" or with fail/todo/skip.
  const plain = output.replaceAll(/\u001b\[[0-9;]*m/g, '');
  const summary = /#\s*\{([^}]*)\}(?![\s\S]*#\s*\{)/.exec(plain)?.[1] ?? '';
  const count = (word) => Number(new RegExp(`${word}:\\s*(\\d+)`).exec(summary)?.[1] ?? 0);
  let failed = count('fail');
  if (code !== 0 && failed === 0) failed = 1;
  console.log(`${count('pass')} passed, ${failed} failed`);
  process.exit(code ?? 1);
});

function list(folder) {
  const found = [];
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const location = path.join(folder, entry.name);
    if (entry.isDirectory()) found.push(...list(location));
    else if (entry.name.endsWith('.test.js')) found.push(location);
  }
  return found.sort();
}
