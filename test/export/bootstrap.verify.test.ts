// Envoy itself judges the bootstrap of every recorded case and of the examples (`envoy --mode validate`); without an Envoy
// this says so and checks nothing.
import { readdirSync } from 'node:fs';
import path from 'node:path';
import t from 'tap';
import { caseDirectories, goldenAreas, loadCase } from '../golden/support.js';
import { findEnvoy, validationError } from '../parity/envoy.js';
import { exportCase } from '../parity/envoy-target.js';
import { runToEnd } from '../support/postern.js';

t.setTimeout(600_000);

const binary = findEnvoy();

t.test('Envoy takes every exported configuration', async (t) => {
  if (binary === undefined) {
    t.comment('parity was skipped: no Envoy (set ENVOY_BIN, or npm run parity -- --install)');
    t.ok(readdirSync('.').length > 0, 'nothing was checked');
    return;
  }
  let validated = 0;
  for (const directory of goldenAreas().flatMap(caseDirectories)) {
    const golden = loadCase(directory);
    const { bootstrap } = await exportCase(golden, '127.0.0.1', true);
    t.equal(await validationError(binary, bootstrap), undefined, golden.id);
    validated += 1;
  }
  for (const name of readdirSync('examples')) {
    const exported = await runToEnd(['export', 'envoy', path.join('examples', name), '--dev-certs', '-o', 'json']);
    t.equal(exported.code, 0, exported.stderr);
    t.equal(await validationError(binary, JSON.parse(exported.stdout) as object), undefined, `examples/${name}`);
    validated += 1;
  }
  t.comment(`${validated} configurations validated`);
});
