// What the API server and istiod's webhook were recorded to say of objects, and what is said here: the same verdict, the
// same texts, the same warnings, for every file.
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import t, { type Test } from 'tap';
import { loadConfig } from '../../../src/config/load.js';
import { askWebhook, denialText } from '../../../src/config/validate/webhook.js';
import { parseYaml } from '../../../src/config/yaml/parse.js';
import { textOf, type YamlNode } from '../../../src/config/yaml/tree.js';
import type { Diagnostic } from '../../../src/diagnostics/diagnostic.js';
import { goldenRoot } from '../../golden/support.js';

interface Answer {
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
  readonly refusedBy: 'kind' | 'strict' | 'schema' | 'webhook' | null;
  readonly kindUnknown?: string;
  readonly strict?: string;
  readonly schema?: readonly string[];
  readonly webhook?: string;
  readonly warnings?: readonly string[];
}

/**
 * What istiod says of an object that it cannot decode. In a cluster nobody hears it: the schema has refused the object
 * before, and those texts are compared.
 */
const NOT_DECODED = 'error decoding configuration: ';

const FOLDER = path.join(goldenRoot(), 'validation');
const FILES = readdirSync(FOLDER).filter((name) => name.endsWith('.yaml'));

t.test('every recording', async (t) => {
  t.ok(FILES.length >= 131, `${FILES.length} files`);
  let objects = 0;
  for (const file of FILES) {
    const answers = JSON.parse(readFileSync(path.join(FOLDER, file.replace('.yaml', '.json')), 'utf8')) as Answer[];
    const text = readFileSync(path.join(FOLDER, file), 'utf8');
    const { diagnostics, counts } = loadConfig([{ file, text, named: true }]);
    const documents = parseYaml(text).filter(({ root }) => root !== undefined);
    for (const [index, answer] of answers.entries()) {
      const resource = `${answer.kind}/${answer.namespace}/${answer.name}`;
      const said = diagnostics.filter(({ origin }) => origin?.resource === resource);
      checkAnswer(t, file, answer, said, documents[index]?.root);
      for (const one of said) t.ok(one.origin !== undefined && one.origin.line > 0, `${file}: ${one.message}`);
      objects++;
    }
    const stored = answers.filter(({ refusedBy }) => refusedBy === null).length;
    const unread = diagnostics.filter(({ code }) => code === 'PST0106').length;
    t.ok(counts.loaded <= stored && counts.loaded >= stored - unread, `${file}: ${counts.loaded} stored`);
  }
  t.comment(`${objects} objects agree`);
});

function checkAnswer(
  t: Test,
  file: string,
  answer: Answer,
  said: readonly Diagnostic[],
  root: YamlNode | undefined,
): void {
  const errors = said.filter(({ severity }) => severity === 'error');
  const refusedBy = errors[0]?.refusedBy ?? null;
  t.equal(refusedBy, answer.refusedBy, `${file}: ${errors[0]?.message ?? 'accepted'}`);
  const messages = errors.map(({ message }) => message);
  switch (answer.refusedBy) {
    case 'kind':
      t.same(messages, [answer.kindUnknown], file);
      break;
    case 'strict':
      t.same(messages, [answer.strict], file);
      break;
    case 'schema':
      t.same([...messages].sort(), answer.schema, file);
      break;
    case 'webhook':
      t.same(
        messages.map((message) => message.replace(/^Schema validation error: /, '')),
        leaves(answer.webhook ?? ''),
        file,
      );
      break;
    case null:
      t.same(messages, [], file);
  }
  if (root === undefined || (answer.refusedBy === 'schema' && answer.webhook?.startsWith(NOT_DECODED) === true)) return;
  const webhook = askWebhook(groupOf(root), answer.kind, root, 'default');
  t.equal(webhook === undefined ? '' : denialText(webhook), answer.webhook ?? '', file);
  const warnings = webhook?.warnings.map((warning) => warning.text) ?? [];
  t.same(warnings, answer.warnings ?? [], file);
  const asked = answer.refusedBy === null || answer.refusedBy === 'webhook';
  const told = said.filter(({ code }) => /^IST013[013]$/.test(code));
  t.equal(told.length, asked ? warnings.length : 0, `${file}: warnings`);
}

/** The errors in a denial. */
function leaves(denial: string): readonly string[] {
  const text = denial.replace(/^configuration is invalid: /, '');
  const block = /^\d+ errors? occurred:\n(.*)\n$/s.exec(text);
  if (block === null) return [text];
  return (block[1] ?? '').split('\n').flatMap((line) => (line.startsWith('\t* ') ? [line.slice(3)] : []));
}

function groupOf(root: YamlNode): string {
  return textOf(root, 'apiVersion')?.split('/')[0] ?? '';
}
