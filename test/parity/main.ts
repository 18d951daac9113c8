// `npm run parity`: the same calls to postern and to a real Envoy on the exported configuration, compared.
import { parseArgs } from 'node:util';
import { caseDirectories, goldenAreas } from '../golden/support.js';
import { envoyVersion, findEnvoy, installEnvoy } from './envoy.js';
import { renderParity, replayParity } from './golden-parity.js';
import { isolate } from './isolation.js';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    area: { type: 'string', multiple: true, default: [] },
    install: { type: 'boolean', default: false },
    verbose: { type: 'boolean', default: false },
  },
});

const binary = values.install ? installEnvoy() : findEnvoy();
if (binary === undefined) {
  console.error('parity was skipped: no Envoy (set ENVOY_BIN, or run with --install)');
  process.exit(2);
}
isolate();
console.log(`Envoy ${envoyVersion(binary)}`);
const directories =
  positionals.length > 0
    ? positionals
    : (values.area.length > 0 ? values.area : goldenAreas()).flatMap((area) => caseDirectories(area));
const results = await replayParity(directories, binary);
console.log(renderParity(results, values.verbose));
process.exit(0);
