// The recordings as input: every configuration loads, and what the API server says of broken objects is what we say.
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import t from 'tap';
import { loadConfig } from '../../src/config/load.js';
import { caseDirectories, goldenAreas, goldenRoot, readCertificate } from '../golden/support.js';

// The recorder's loader read `name: n` as text, which kubectl would not; and fields that are not emulated say so.
const TOLERATED = ['PST0109', 'PST0130'];

t.test('every recorded configuration loads', async (t) => {
  let count = 0;
  for (const area of goldenAreas()) {
    for (const directory of caseDirectories(area)) {
      const text = readFileSync(path.join(directory, 'istio.yaml'), 'utf8');
      const { diagnostics, counts } = loadConfig([{ file: 'istio.yaml', text: withCertificates(text), named: true }]);
      const unexpected = diagnostics.filter(({ code }) => !TOLERATED.includes(code));
      if (unexpected.length > 0) t.same(unexpected, [], directory);
      t.ok(counts.loaded > 0, directory);
      count++;
    }
  }
  t.ok(count >= 172, `${count} configurations`);
});

/** Some recordings name a certificate where the recorder put its text. */
function withCertificates(text: string): string {
  return text.replace(/"@([\w.-]+)"/g, (_, file: string) => Buffer.from(readCertificate(file)).toString('base64'));
}

interface Answer {
  readonly refusedBy: 'kind' | 'strict' | 'schema' | 'webhook' | null;
  readonly kindUnknown?: string;
  readonly strict?: string;
  readonly schema?: readonly string[];
  readonly webhook: string;
}

// Lines that say nothing of their own: one beside every type error, one beside oneOf where there are two groups.
const BESIDE = [
  'some validation rules were not checked because the object was invalid',
  'must validate all the schemas (allOf)',
];

t.test('kind, strict decoding and schema say what the API server says', async (t) => {
  const folder = path.join(goldenRoot(), 'validation');
  let compared = 0;
  for (const file of readdirSync(folder).filter((name) => name.endsWith('.yaml'))) {
    const answers = JSON.parse(readFileSync(path.join(folder, file.replace('.yaml', '.json')), 'utf8')) as Answer[];
    const text = readFileSync(path.join(folder, file), 'utf8');
    const errors = loadConfig([{ file, text, named: true }]).diagnostics.filter(({ severity }) => severity === 'error');
    const said = errors
      .filter(({ refusedBy }) => refusedBy !== 'webhook')
      .map(({ refusedBy, message }) => `${refusedBy}: ${message}`);
    const wanted = answers.flatMap((answer) => [
      ...(answer.kindUnknown === undefined ? [] : [`kind: ${answer.kindUnknown}`]),
      ...(answer.strict === undefined ? [] : [`strict: ${answer.strict}`]),
      ...(answer.schema ?? [])
        .filter((line) => !BESIDE.some((part) => line.includes(part)))
        .map((line) => `schema: ${line}`),
    ]);
    t.same([...said].sort(), [...wanted].sort(), file);
    compared += wanted.length;
    for (const { message } of errors.filter(({ refusedBy }) => refusedBy === 'webhook')) {
      t.ok(
        answers.some((answer) => answer.webhook.includes(message)),
        `${file}: ${message}`,
      );
    }
  }
  t.ok(compared > 20, `${compared} texts`);
});
