// Every emulated field has a probe, and every probe sees the right value. That each of them would notice if the field
// were not read is for field-mutants.verify.test.ts to show.
import t from 'tap';
import { type Field, listFields } from '../../src/config/fields.js';
import { PROBES } from './field-probes/index.js';
import { fits, lookAt } from './field-probes/probe.js';

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
    const found = lookAt(probe);
    if (fits(found, probe.want)) t.pass(name(probe.kind, probe.paths.join(', ')));
    else t.match(found, probe.want, name(probe.kind, probe.paths.join(', ')));
  }
});

t.test('every emulated field has a probe, and every probe is of such a field', async (t) => {
  const fields = new Map<string, Field>(listFields().map((field) => [name(field.kind, field.path), field]));
  // A row of a message that stands in several places is one line; in each of the main kinds it is shown once.
  const lineOf = ({ kind, path, row }: Field): string =>
    `${MAIN_KINDS.has(kind) && path.startsWith('spec') ? kind : ''} ${ids.get(row)}`;
  const ids = new Map([...new Set([...fields.values()].map(({ row }) => row))].map((row, index) => [row, index]));
  const probed = new Set<string>();
  for (const { kind, paths } of PROBES) {
    for (const path of paths) {
      const field = fields.get(name(kind, path));
      t.equal(field?.status, 'emulated', name(kind, path));
      if (field !== undefined) probed.add(lineOf(field)).add(` ${ids.get(field.row)}`);
    }
  }
  for (const field of fields.values()) {
    const line = lineOf(field);
    if (field.status === 'emulated' && !probed.has(line)) t.fail(`no probe: ${name(field.kind, field.path)}`);
    probed.add(line);
  }
});
