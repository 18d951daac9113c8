// Every emulated field has a probe, and every probe sees the right value. That each of them would notice if the field
// were not read is for field-mutants.verify.test.ts to show.
import t from 'tap';
import { type Field, listFields } from '../../src/config/fields.js';
import { PROBES } from './field-probes/index.js';
import { fits, lookAt } from './field-probes/probe.js';

const name = (kind: string, path: string): string => `${kind} ${path}`;

t.test('every probe sees the right value', async (t) => {
  for (const probe of PROBES) {
    const found = lookAt(probe);
    if (fits(found, probe.want)) t.pass(name(probe.kind, probe.paths.join(', ')));
    else t.match(found, probe.want, name(probe.kind, probe.paths.join(', ')));
  }
});

t.test('every emulated field has a probe, and every probe is of such a field', async (t) => {
  const fields = new Map<string, Field>(listFields().map((field) => [name(field.kind, field.path), field]));
  const probed = new Set<object>();
  for (const { kind, paths } of PROBES) {
    for (const path of paths) {
      const field = fields.get(name(kind, path));
      t.equal(field?.status, 'emulated', name(kind, path));
      if (field !== undefined) probed.add(field.row);
    }
  }
  for (const { kind, path, row, status } of fields.values()) {
    if (status === 'emulated' && !probed.has(row)) t.fail(`no probe: ${name(kind, path)}`);
    probed.add(row);
  }
});
