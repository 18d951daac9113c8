// The catalogue: codes are unique and well formed, every row explains itself and is given somewhere.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import * as catalogue from '../../src/diagnostics/catalogue.js';
import { createDiagnostic, type MessageType } from '../../src/diagnostics/diagnostic.js';

const SRC = findSources(path.dirname(fileURLToPath(import.meta.url)));
const rows: readonly (readonly [string, MessageType])[] = Object.entries(catalogue);

t.test('rows', async (t) => {
  const codes = new Map<string, string>();
  for (const [name, type] of rows) {
    t.match(type.code, /^(IST|PST)\d{4}$/, name);
    t.equal(codes.get(type.code), undefined, `${name}: the code is its own`);
    codes.set(type.code, name);
    t.ok(type.template.length > 0);
    t.ok((type.explanation ?? '').length > 20, `${name} is explained`);
  }
});

t.test('every row is given somewhere', async (t) => {
  const sources = filesBelow(SRC).filter((file) => !/-messages\.ts$/.test(file));
  const text = sources.map((file) => readFileSync(file, 'utf8')).join('\n');
  for (const [name] of rows) t.match(text, new RegExp(`\\b${name}\\b`), name);
});

// The test may run compiled, from another folder.
function findSources(folder: string): string {
  const candidate = path.join(folder, 'src');
  return existsSync(path.join(candidate, 'diagnostics/catalogue.ts')) ? candidate : findSources(path.dirname(folder));
}

function filesBelow(folder: string): readonly string[] {
  return readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.ts'))
    .map((entry) => path.join(entry.parentPath, entry.name));
}

t.test('filling in', async (t) => {
  const type: MessageType = { code: 'PST9999', severity: 'info', template: '{a} and {b} {toString}', help: 'use {a}' };
  t.same(createDiagnostic(type, undefined, { a: 1 }), {
    code: 'PST9999',
    severity: 'info',
    message: '1 and {b} {toString}',
    help: 'use 1',
  });
  t.match(createDiagnostic(type, undefined, {}, { help: 'other', refusedBy: 'schema' }), {
    help: 'other',
    refusedBy: 'schema',
  });
});
