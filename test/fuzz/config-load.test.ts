// Mutated configurations: whatever the bytes, loading and rendering return, with places inside the text.

import { readFileSync } from 'node:fs';
import path from 'node:path';
import t from 'tap';
import { loadConfig } from '../../src/config/load.js';
import { renderDiagnostics } from '../../src/diagnostics/render.js';
import { caseDirectories, goldenAreas } from '../golden/support.js';
import { randomNumbers } from '../support/random.js';

const ROUNDS = 400;
const LONGEST_SEED = 6000;
const SPICE = [
  '\n',
  '  ',
  '\t',
  '"',
  "'",
  '{',
  '}',
  '[',
  ']',
  ': ',
  '- ',
  '&a ',
  '*a',
  '<<: *a',
  '|',
  '>',
  '#',
  '---\n',
  '!!int ',
  '\0',
  '\uFEFF',
  'é',
  'null',
  '~',
  '1e999',
  '__proto__: x\n',
  '? ',
  '%YAML 1.1\n',
  '\r',
];

function mutate(text: string, below: (limit: number) => number): string {
  let mutated = text;
  for (let count = 1 + below(4); count > 0; count--) {
    const at = below(mutated.length + 1);
    const cut = below(3) === 0 ? below(40) : 0;
    const piece = below(4) === 0 ? mutated.slice(below(mutated.length), at) : (SPICE[below(SPICE.length)] ?? '');
    mutated = mutated.slice(0, at) + piece.slice(0, 400) + mutated.slice(at + cut);
  }
  return mutated;
}

t.test('mutated configurations', async (t) => {
  const texts = goldenAreas()
    .flatMap((area) => caseDirectories(area).slice(0, 4))
    .map((directory) => readFileSync(path.join(directory, 'istio.yaml'), 'utf8'))
    .filter((text) => text.length < LONGEST_SEED);
  t.ok(texts.length > 0);
  const below = randomNumbers(20260801);
  let withErrors = 0;
  for (let round = 0; round < ROUNDS; round++) {
    const text = mutate(texts[round % texts.length] ?? '', below);
    const started = performance.now();
    const { diagnostics, store } = loadConfig([{ file: 'f.yaml', text, named: round % 2 === 0 }]);
    const rendered = renderDiagnostics(diagnostics, [{ file: 'f.yaml', text }]);
    const lines = text.split('\n').length;
    const outside = diagnostics.filter(
      ({ origin }) => origin === undefined || origin.line > lines || origin.column < 1,
    );
    if (outside.length > 0) t.same(outside, [], `round ${round}: a place outside the text`);
    if (diagnostics.length > 0 && rendered === '') t.fail(`round ${round}: nothing rendered`);
    if (performance.now() - started > 5000) t.fail(`round ${round}: too slow`);
    for (const gateway of store.all('Gateway')) gateway.at(['spec', 'servers', 0, 'port', 'number']);
    if (diagnostics.length > 0) withErrors++;
  }
  t.ok(withErrors > ROUNDS / 4, `${withErrors} of ${ROUNDS} were broken`);
});

t.test('a mutated Secret never shows its key', async (t) => {
  const below = randomNumbers(7);
  const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
  const key = Array.from({ length: 400 }, () => letters[below(letters.length)]).join('');
  const pem = `-----BEGIN PRIVATE KEY-----\n${key.replace(/.{64}/g, '    $&\n')}\n    -----END PRIVATE KEY-----\n`;
  const head = 'apiVersion: v1\nkind: Secret\nmetadata: {name: s}\n';
  const texts = [`${head}data:\n  tls.crt: aGk=\n  tls.key: ${key}\n`, `${head}stringData:\n  tls.key: |\n    ${pem}`];
  let shown = 0;
  for (let round = 0; round < ROUNDS; round++) {
    const text = mutate(texts[round % texts.length] ?? '', below);
    const { diagnostics } = loadConfig([{ file: 'f.yaml', text, named: true }]);
    const rendered = renderDiagnostics(diagnostics, [{ file: 'f.yaml', text }]);
    if (rendered !== '') shown++;
    const leaked = leak(rendered, key);
    if (leaked !== undefined) t.fail(`round ${round}: ${leaked} in\n${rendered}`);
  }
  t.ok(shown > ROUNDS / 4, `${shown} of ${ROUNDS} gave something to show`);
});

/** Sixteen characters of the key in a row. */
function leak(text: string, key: string): string | undefined {
  for (let at = 0; at + 16 <= key.length; at++) {
    const part = key.slice(at, at + 16);
    if (text.includes(part)) return part;
  }
  return undefined;
}
