// npm run parity -- [--area A]… [DIR…] [--jobs N] [--verbose] [--install] [--record]
// npm run parity -- --fuzz 10m [--seed N] [--lanes N] [--calls N] [--codec] [--record]
//
// The same calls to postern and to a real Envoy on the exported configuration, compared. Without arguments: all golden
// cases and the examples' configurations. With --fuzz: random configurations and calls for that long; --codec adds what
// only a codec decides about. --record keeps the figures and writes docs/fidelity.md. Exits 1 when something differs that is
// on no list, 2 when there is no Envoy.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { caseDirectories, goldenAreas } from '../golden/support.js';
import { envoyVersion, findEnvoy, installEnvoy } from './envoy.js';
import { exampleNames } from './example-cases.js';
import { recordFuzz, recordGolden, writeFidelity } from './fidelity.js';
import { fuzz } from './fuzz/fuzz.js';
import { EXAMPLE, type ParityResult, renderParity, replayParity } from './golden-parity.js';
import { canIsolate, isIsolated, runAgain } from './isolation.js';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    area: { type: 'string', multiple: true, default: [] },
    jobs: { type: 'string', default: '4' },
    install: { type: 'boolean', default: false },
    verbose: { type: 'boolean', default: false },
    record: { type: 'boolean', default: false },
    fuzz: { type: 'string' },
    seed: { type: 'string', default: '1' },
    lanes: { type: 'string', default: '3' },
    calls: { type: 'string', default: '40' },
    reductions: { type: 'string', default: '150' },
    codec: { type: 'boolean', default: false },
    /** Between the processes of one run: which share of the cases, and where the results go. */
    share: { type: 'string' },
    results: { type: 'string' },
  },
});

const binary = values.install ? installEnvoy() : findEnvoy();
if (binary === undefined) {
  console.error('parity was skipped: no Envoy (set ENVOY_BIN, or run with --install)');
  process.exit(2);
}
process.exit(values.fuzz === undefined ? await golden(binary) : await fuzzFor(binary, values.fuzz));

async function golden(envoy: string): Promise<number> {
  if (values.results !== undefined) {
    const [index = 0, of = 1] = (values.share ?? '0/1').split('/').map(Number);
    const share = directories().filter((_, at) => at % of === index);
    writeFileSync(values.results, JSON.stringify(await replayParity(share, envoy)));
    return 0;
  }
  console.log(`Envoy ${envoyVersion(envoy)}`);
  const results = await inProcesses();
  console.log(renderParity(results, values.verbose));
  if (values.record) {
    recordGolden(results, envoyVersion(envoy));
    writeFidelity();
  }
  return results.some(({ listed, differences, error }) => !listed && (differences.length > 0 || error !== undefined))
    ? 1
    : 0;
}

function directories(): readonly string[] {
  if (positionals.length > 0) return positionals;
  const areas = values.area.length > 0 ? values.area : [...goldenAreas(), 'examples'];
  return areas.flatMap((area) =>
    area === 'examples' ? exampleNames().map((name) => EXAMPLE + name) : caseDirectories(area),
  );
}

// Most of a replay is waiting, and each process has all addresses and ports to itself.
async function inProcesses(): Promise<readonly ParityResult[]> {
  const isolated = canIsolate();
  const folder = mkdtempSync(path.join(tmpdir(), 'postern-parity-'));
  try {
    const jobs = isolated ? Number(values.jobs) : 1;
    const files = Array.from({ length: jobs }, (_, index) => path.join(folder, `${index}.json`));
    await Promise.all(
      files.map((file, index) =>
        runAgain([...process.argv.slice(2), '--share', `${index}/${jobs}`, '--results', file], isolated),
      ),
    );
    const results = files.flatMap((file) => JSON.parse(readFileSync(file, 'utf8')) as ParityResult[]);
    return results.sort((a, b) => (a.area < b.area ? -1 : a.area > b.area ? 1 : 0));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function fuzzFor(envoy: string, written: string): Promise<number> {
  if (!isIsolated() && canIsolate()) return runAgain(process.argv.slice(2), true);
  console.log(`Envoy ${envoyVersion(envoy)}`);
  const match = /^(\d+(?:\.\d+)?)(s|m|h)$/.exec(written);
  if (match === null) throw new Error(`--fuzz ${written}: expected a duration, as in 10m`);
  // A gateway that throws would end; that is a finding like any other.
  let crashes = 0;
  process.on('uncaughtException', (error) => {
    crashes += 1;
    console.log(`UNCAUGHT ${error.stack ?? error.message}`);
  });
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
  console.log(`\n${JSON.stringify({ ...counts, findings: findings.length, crashes })}`);
  if (values.record) {
    recordFuzz({ ...counts, findings: findings.length + crashes, codec: values.codec }, envoyVersion(envoy));
    writeFidelity();
  }
  return findings.length + crashes > 0 ? 1 : 0;
}
