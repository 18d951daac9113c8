// Every emulated field has a probe, and every probe sees the right value. That each of them would notice if the field
// were not read is for field-mutants.verify.test.ts to show.
import t from 'tap';
import { METADATA_KEYS } from '../../src/config/fields/metadata-keys.js';
import { type Field, listFields } from '../../src/config/fields.js';
import { PROBES } from './field-probes/index.js';
import { metadataKeyProbes } from './field-probes/metadata-keys.js';
import { withoutRow } from './field-probes/mutant.js';
import { fits, lookAt, Made } from './field-probes/probe.js';
import { WITHOUT_EFFECT } from './field-probes/without-effect.js';

const MAIN_KINDS: ReadonlySet<string> = new Set([
  'Gateway',
  'VirtualService',
  'DestinationRule',
  'ServiceEntry',
  'WorkloadEntry',
]);
const name = (kind: string, path: string): string => `${kind} ${path}`;

t.test('every probe sees the right value', async (t) => {
  for (const probe of PROBES) {
    const title = name(probe.kind, probe.paths.join(', '));
    const made = new Made(probe);
    const errors = made.diagnostics.filter(({ severity }) => severity === 'error');
    if (errors.length > 0) t.same(errors, [], `${title}: a cluster would take it`);
    const found = probe.look(made);
    if (fits(found, probe.want)) t.pass(title);
    else t.match(found, probe.want, title);
  }
});

t.test('every emulated field has a probe, and every probe is of such a field', async (t) => {
  const fields = new Map<string, Field>(listFields().map((field) => [name(field.kind, field.path), field]));
  const probed = new Set(PROBES.flatMap(({ kind, paths }) => paths.map((path) => name(kind, path))));
  for (const path of probed) t.equal(fields.get(path)?.status, 'emulated', path);
  // metadata is one message for all kinds, of which no kind uses everything: there each row is shown once.
  const rows = new Set([...probed].map((path) => fields.get(path)?.row));
  for (const [path, { status, row, path: place }] of fields) {
    if (status !== 'emulated') continue;
    t.ok(probed.has(path) || (place.startsWith('metadata') && rows.has(row)), `${path} has a probe`);
  }
});

t.test('a field without effect has none', async (t) => {
  const fields = new Map<string, Field>(listFields().map((field) => [name(field.kind, field.path), field]));
  const shown = new Set<string>();
  for (const { kind, paths, yaml } of WITHOUT_EFFECT) {
    const made = new Made({ yaml });
    const snapshot = JSON.stringify(made.snapshot);
    const said = made.diagnostics.filter(({ severity, code }) => severity === 'error' || code === 'PST0130');
    t.same(said, [], `${kind}: written without a word`);
    for (const path of paths) {
      const field = fields.get(name(kind, path));
      t.equal(field?.status, 'no effect here', name(kind, path));
      if (field === undefined) continue;
      t.ok(JSON.stringify(withoutRow(field, () => new Made({ yaml }).snapshot)) === snapshot, `${kind} ${path}`);
      shown.add(name(kind, path));
    }
  }
  for (const [path, { kind, status, path: place }] of fields) {
    if (status !== 'no effect here' || !MAIN_KINDS.has(kind) || !place.startsWith('spec')) continue;
    t.ok(shown.has(path), `${path} is shown to have none`);
  }
});

t.test('every label and annotation that counts has a probe, which fails when the key is another', async (t) => {
  const shown = new Set<string>();
  for (const probe of metadataKeyProbes) {
    const [key = ''] = probe.paths;
    const found = lookAt(probe);
    t.ok(fits(found, probe.want), `${probe.kind} ${key}: ${JSON.stringify(found)}`);
    const renamed = { ...probe, yaml: probe.yaml.replaceAll(`${key}: `, 'example.com/none: ') };
    t.notOk(fits(lookAt(renamed), probe.want), `${probe.kind} ${key}: nothing changes without it`);
    shown.add(name(probe.kind, key));
  }
  for (const { kinds, key, status } of METADATA_KEYS) {
    for (const kind of kinds) t.equal(shown.has(name(kind, key)), status === 'emulated', name(kind, key));
  }
});

t.test('a probe compares what it should', async (t) => {
  t.ok(fits({ a: 1, b: { c: [1] } }, { b: { c: [1] } }), 'objects by the keys that are wanted');
  t.notOk(fits({ a: 1 }, { a: 2 }));
  t.notOk(fits({ a: [1, 2] }, { a: [1] }), 'lists by all items');
  t.ok(fits({ a: 1 }, { b: undefined }) && !fits({ b: 1 }, { b: undefined }), 'undefined is absence');
  t.notOk(fits(undefined, {}) || fits([], {}) || fits({}, []) || fits('1', 1), 'kinds of values');
});
