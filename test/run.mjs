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
    '--reporter=tap',
    ...files,
  ],
  { stdio: ['ignore', 'pipe', 'inherit'] },
);
// One line per file; what a failing file said stands above its line.
let rest = '';
let said = [];
let passed = 0;
let failed = 0;
child.stdout.setEncoding('utf8').on('data', (text) => {
  const lines = (rest + text).split('\n');
  rest = lines.pop();
  for (const line of lines) readLine(line);
});
child.on('close', (code) => {
  if (code !== 0 && failed === 0) failed = 1;
  if (failed > 0) console.log(said.join('\n'));
  // Nothing here needs an Envoy; the comparison with one is a run of its own.
  if (!verify && words.length === 0) console.log('parity with Envoy was skipped (npm run parity)');
  console.log(`${passed} passed, ${failed} failed`);
  process.exit(failed > 0 ? code || 1 : 0);
});

function readLine(line) {
  // What a machine has and has not is part of what a run has shown.
  const clients = /^ *# (real clients: .*)$/.exec(line);
  if (clients !== null) console.log(clients[1]);
  const file = /^(not )?ok \d+ - (.*\.test\.js.*)$/.exec(line);
  const assertion = /^ +(not )?ok \d+ - /.exec(line);
  if (assertion !== null && !/# (Subtest|time=)/.test(line)) assertion[1] === undefined ? passed++ : failed++;
  if (file === null) {
    said.push(line);
    return;
  }
  if (file[1] !== undefined) console.log(failuresIn(said).join('\n'));
  console.log(line.replace('dist-test/test/', ''));
  said = [];
}

// The failing lines with their details, without the assertions that hold.
function failuresIn(lines) {
  const shown = [];
  let showing = false;
  for (const line of lines) {
    if (/^ *not ok /.test(line)) showing = true;
    else if (/^ *(ok \d+ |# Subtest)/.test(line)) showing = false;
    if (showing) shown.push(line);
  }
  return shown;
}

function list(folder) {
  const found = [];
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const location = path.join(folder, entry.name);
    if (entry.isDirectory()) found.push(...list(location));
    else if (entry.name.endsWith('.test.js')) found.push(location);
  }
  return found.sort();
}
