// `postern bench`: what a configuration costs, and where the time goes. The stages of a start and the look-ups of every
// connection and request, then the gateway itself under load, on the user's own hosts and rules. How postern compares with
// other proxies is measured in its repository (`npm run bench -- side`).
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { Command, Option } from 'commander';
import type { Source } from '../config/load.js';
import { buildSnapshotIndex, type SnapshotIndex } from '../decide/snapshot-index.js';
import type { Compiled } from '../gateway/compile.js';
import { DevelopmentCertificates } from '../gateway/development-certificates.js';
import { silentStubs } from '../gateway/stubs.js';
import { parseClusterName } from '../translate/names.js';
import { chainRows, decisionRows, type Row } from './bench/look-ups.js';
import { renderTraffic } from './bench/render-traffic.js';
import { type ClientPair, type Subject, subjectsOf } from './bench/subjects.js';
import { measureTraffic, type Traffic } from './bench/traffic.js';
import { startBenchUpstream } from './bench/upstream.js';
import { CertificateFiles, developmentFolder } from './client-material.js';
import {
  addConfigOptions,
  type ConfigFlags,
  compileSources,
  configArguments,
  configPaths,
  loadSources,
} from './config-options.js';
import { CommandError, OK, USAGE } from './exit-codes.js';

interface BenchFlags extends ConfigFlags {
  readonly output: 'text' | 'json';
  readonly seconds: string;
}

export function benchCommand(): Command {
  return addConfigOptions(
    new Command('bench')
      .description(
        'measure a gateway with this configuration: start, look-ups, connections and requests, where time goes',
      )
      .argument('[PATH...]', 'files or folders with Istio YAML, or - for standard input')
      .option('--seconds <N>', 'how long connections and requests are measured in all; 0 opens no socket', '8')
      .addOption(new Option('-o, --output <FORMAT>', 'format').choices(['text', 'json']).default('text')),
  ).action(async (paths: readonly string[], flags: BenchFlags) => {
    const seconds = Number(flags.seconds);
    if (!Number.isFinite(seconds) || seconds < 0 || flags.seconds.trim() === '')
      throw new CommandError(USAGE, `--seconds ${flags.seconds}: expected a number from 0`);
    const files = configPaths(paths, flags);
    const rows: Row[] = [];
    const memory = process.memoryUsage().rss;
    const certificates = new DevelopmentCertificates(developmentFolder());
    const read = await timed(rows, 'read the files', () => loadSources(files));
    // With a stand-in for each destination that the files place nowhere; none of them is started here.
    const stubs = flags.stubs ? silentStubs() : undefined;
    const compiled = await timed(rows, 'load, check and translate', () =>
      compileSources(read, flags, stubs, certificates),
    );
    const index = await timed(rows, 'compile for look-ups', async () => buildSnapshotIndex(compiled.snapshot));
    rows.push(once('memory for all of it', 'MiB', (process.memoryUsage().rss - memory) / 1024 / 1024));
    rows.push(...chainRows(index), ...decisionRows(index));
    // Before the long part: whoever waits has something to read.
    if (flags.output === 'text') process.stdout.write(rows.map((row) => `${renderRow(row)}\n`).join(''));
    const traffic =
      seconds === 0
        ? undefined
        : await new BenchTraffic({ files, flags, read, compiled, certificates }).measure(index, seconds);
    process.stdout.write(
      flags.output === 'json'
        ? `${JSON.stringify({ node: process.version, rows, ...(traffic === undefined ? {} : { traffic }) }, null, 1)}\n`
        : traffic === undefined
          ? ''
          : renderTraffic(traffic),
    );
    process.exitCode = OK;
  });
}

interface BenchInput {
  readonly files: readonly string[];
  readonly flags: BenchFlags;
  readonly read: readonly Source[];
  readonly compiled: Compiled;
  readonly certificates: DevelopmentCertificates;
}

/** Brings together what the load has to know of the configuration. */
class BenchTraffic {
  private readonly input: BenchInput;

  constructor(input: BenchInput) {
    this.input = input;
  }

  async measure(index: SnapshotIndex, seconds: number): Promise<Traffic> {
    const { files, flags, read, compiled } = this.input;
    const subjects = subjectsOf(index);
    const stubbed = new Set(compiled.stubbed);
    const clusters = new Set(subjects.flatMap(({ cluster }) => cluster ?? []).filter((name) => stubbed.has(name)));
    const pairs = await this.clientPairs(subjects);
    const upstream = await startBenchUpstream();
    try {
      return await measureTraffic({
        args: [...configArguments(files, flags), ...[...clusters].flatMap((name) => mappingTo(name, upstream.port))],
        input: read.find(({ file }) => file === '-')?.text ?? '',
        subjects,
        isOurs: (cluster) => clusters.has(cluster),
        pairFor: ({ clientCa }) => (clientCa === undefined ? undefined : pairs.get(clientCa)),
        seconds,
      });
    } finally {
      upstream.close();
    }
  }

  /** By the name of the Secret that clients are checked with. */
  private async clientPairs(subjects: readonly Subject[]): Promise<ReadonlyMap<string, ClientPair>> {
    const pairs = new Map<string, ClientPair>();
    const found = await CertificateFiles.find(this.input.files);
    for (const name of new Set(subjects.flatMap(({ clientCa }) => clientCa ?? []))) {
      const pair = await this.clientPair(name, found);
      if (pair !== undefined) pairs.set(name, pair);
    }
    return pairs;
  }

  private async clientPair(authority: string, found: CertificateFiles): Promise<ClientPair | undefined> {
    const { compiled, certificates, flags } = this.input;
    const isMesh = authority === 'ROOTCA';
    if (isMesh && flags.workloadCerts !== undefined) {
      const file = (name: string): string => path.join(flags.workloadCerts ?? '', name);
      return readPair(file('cert.pem'), file('key.pem'));
    }
    const isOurs = compiled.developmentSecrets.some(
      (secret) => authority === `kubernetes://${secret}` || authority === `kubernetes://${secret}-cacert`,
    );
    if (isMesh || isOurs) {
      const { certificate, privateKey } = await certificates.client();
      return { cert: certificate, key: privateKey };
    }
    const { cert, key } = found.materialFor(undefined, compiled.snapshot.secrets[authority]);
    return cert === undefined || key === undefined ? undefined : readPair(cert, key);
  }
}

function mappingTo(cluster: string, port: number): readonly string[] {
  const name = parseClusterName(cluster);
  if (name === undefined) return [];
  const subset = name.subset === '' ? '' : `/${name.subset}`;
  return [`--upstream=${name.hostname}:${name.port}${subset}=127.0.0.1:${port}`];
}

async function readPair(cert: string, key: string): Promise<ClientPair> {
  return { cert: await readFile(cert, 'utf8'), key: await readFile(key, 'utf8') };
}

async function timed<T>(rows: Row[], name: string, work: () => Promise<T>): Promise<T> {
  const began = performance.now();
  const result = await work();
  rows.push(once(name, 'ms', performance.now() - began));
  return result;
}

function once(name: string, unit: Row['unit'], value: number): Row {
  return { name, unit, median: value, min: value, max: value };
}

function renderRow({ name, unit, median, min, max }: Row): string {
  const spread = min === max ? '' : `  (${min.toFixed(0)}..${max.toFixed(0)})`;
  return `${name.padEnd(58)} ${median.toFixed(0).padStart(8)} ${unit}${spread}`;
}
