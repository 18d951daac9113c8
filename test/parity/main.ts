// npm run parity -- [--area A]… [DIR…] [--install] [--verbose] [--fuzz 10m --seed N [--lanes N] [--codec]]
//
// The same calls to postern and to a real Envoy on the exported configuration, compared. Without arguments: all golden
// cases. With --fuzz: random configurations and calls for that long. Exits 1 when something differs that is on no list,
// 2 when there is no Envoy.
import { parseArgs } from 'node:util';
import { caseDirectories, goldenAreas } from '../golden/support.js';
import { envoyVersion, findEnvoy, installEnvoy } from './envoy.js';
import { fuzz } from './fuzz/fuzz.js';
import { renderParity, replayParity } from './golden-parity.js';
import { isolate } from './isolation.js';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    area: { type: 'string', multiple: true, default: [] },
    install: { type: 'boolean', default: false },
    verbose: { type: 'boolean', default: false },
    fuzz: { type: 'string' },
    seed: { type: 'string', default: '1' },
    lanes: { type: 'string', default: '3' },
    calls: { type: 'string', default: '40' },
    reductions: { type: 'string', default: '150' },
    codec: { type: 'boolean', default: false },
  },
});

const binary = values.install ? installEnvoy() : findEnvoy();
if (binary === undefined) {
  console.error('parity was skipped: no Envoy (set ENVOY_BIN, or run with --install)');
  process.exit(2);
}
isolate();
console.log(`Envoy ${envoyVersion(binary)}`);
process.exit(values.fuzz === undefined ? await golden(binary) : await fuzzFor(binary, values.fuzz));

async function golden(envoy: string): Promise<number> {
  const directories =
    positionals.length > 0
      ? positionals
      : (values.area.length > 0 ? values.area : goldenAreas()).flatMap((area) => caseDirectories(area));
  const results = await replayParity(directories, envoy);
  console.log(renderParity(results, values.verbose));
  return results.some(({ listed, differences, error }) => !listed && (differences.length > 0 || error !== undefined))
    ? 1
    : 0;
}

async function fuzzFor(envoy: string, written: string): Promise<number> {
  const match = /^(\d+(?:\.\d+)?)(s|m|h)$/.exec(written);
  if (match === null) throw new Error(`--fuzz ${written}: expected a duration, as in 10m`);
  process.on('uncaughtException', (error) => console.log(`UNCAUGHT ${error.stack ?? error.message}`));
  const unit = { s: 1000, m: 60_000, h: 3_600_000 }[match[2] as 's' | 'm' | 'h'];
  const summary = await fuzz({
    binary: envoy,
    seed: Number(values.seed),
    duration: Number(match[1]) * unit,
    lanes: Number(values.lanes),
    callsPerConfig: Number(values.calls),
    codec: values.codec,
    reductions: Number(values.reductions),
    report: (finding) => console.log(`\n==== seed ${finding.seed}\n${finding.text}`),
  });
  const { findings, ...counts } = summary;
  console.log(`\n${JSON.stringify({ ...counts, findings: findings.length })}`);
  return findings.length > 0 ? 1 : 0;
}
