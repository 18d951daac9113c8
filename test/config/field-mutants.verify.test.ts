// Takes the row of every emulated field out of its decoder, one by one, and runs the probes that name the field: each
// of them must notice. A probe that does not is none; a field without an effect is not emulated.
import t from 'tap';
import { type Field, listFields } from '../../src/config/fields.js';
import { PROBES } from './field-probes/index.js';
import { withoutRow } from './field-probes/mutant.js';
import { fits, lookAt, type Probe } from './field-probes/probe.js';

/** True when the probe sees the right value; a configuration that cannot be made at all has none. */
function holds(probe: Probe): boolean {
  try {
    return fits(lookAt(probe), probe.want);
  } catch {
    return false;
  }
}

t.test('every row is missed when it is taken out', async (t) => {
  const fields = new Map<string, Field>(listFields().map((field) => [`${field.kind} ${field.path}`, field]));
  let mutants = 0;
  let killed = 0;
  for (const probe of PROBES) {
    t.ok(holds(probe), `${probe.kind} ${probe.paths[0]}: holds with every row in place`);
    for (const path of probe.paths) {
      const field = fields.get(`${probe.kind} ${path}`);
      if (field === undefined) throw new Error(`no such field: ${probe.kind} ${path}`);
      mutants++;
      if (!withoutRow(field, () => holds(probe))) killed++;
      else t.fail(`${probe.kind} ${path}: nothing changes without its row`);
    }
  }
  const rows = new Set([...fields.values()].filter(({ status }) => status === 'emulated').map(({ row }) => row));
  const probed = new Set(PROBES.flatMap(({ kind, paths }) => paths.map((path) => fields.get(`${kind} ${path}`)?.row)));
  // Past the reporter, which keeps comments to itself.
  process.stderr.write(
    `fields: ${killed} of ${mutants} mutants killed, ${probed.size} of ${rows.size} emulated rows\n`,
  );
  t.equal(probed.size, rows.size, 'every emulated row was taken out');
  t.ok(PROBES.every(holds), 'and put back');
});
