// postern and what a user would take instead, in one run: every workload in rounds over all of them, in an order that is
// reversed on every second round; medians with their spread, rates, latencies and processor time per operation, and ratios
// to nginx round by round. Each proxy is checked first; a slice with an error is no number.
import { type ChildProcess, fork } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, cpus, release, tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import selfsigned from 'selfsigned';
import { cpuOf } from '../src/cli/bench/process-cpu.js';
import {
  HOSTS,
  loggedBy,
  type Material,
  memoryOf,
  PEERS,
  type Peer,
  type PeerSetup,
  pin,
  SERVERS,
  startPostern,
} from './peers.js';
import { findFault } from './side-check.js';
import {
  type Measured,
  median,
  printHeading,
  type Report,
  reportWorkload,
  type SideBySide,
  spread,
} from './side-report.js';
import { type ClientPair, isLogged, portFor, type Workload, workloads } from './side-workloads.js';
import type { TcpOrder, TcpResult } from './tcp-load.js';
import type { LoadOrder, LoadResult } from './termination-load.js';

/** Options of a run; `words` pick workloads and proxies by name. */
export interface SideBySideOptions {
  readonly words: readonly string[];
  readonly rounds: number;
  readonly milliseconds: number;
  /** Of the round before the first: code is compiled, pools are filled. */
  readonly warmUp: number;
  readonly accessLog: boolean;
  /** Another checkout's dist/cli/main.js, measured as 'base'. */
  readonly base?: string;
  /** Connections that are held; 0 leaves them out. */
  readonly idle: number;
}

/** Names of what is no workload of its own. */
const IDLE = 'pt.idle';
const CONCURRENCY = 'concurrency';
const START = 'start';

const MEGABYTE = 1e6;
/** Two processes on two processors beside one. */
const LEAST_OF_TWO = 1.3;

/** Runs everything that the words pick; prints as it goes. */
export async function sideBySide(options: SideBySideOptions): Promise<SideBySide> {
  const folder = mkdtempSync(path.join(tmpdir(), 'postern-bench-'));
  const bench = new Bench(folder, options);
  try {
    return await bench.run();
  } finally {
    await bench.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The load generators: each has the services of its kind as well. */
interface Loads {
  readonly tcp: ChildProcess;
  readonly http: ChildProcess;
}

class Bench {
  private readonly folder: string;
  private readonly options: SideBySideOptions;
  private readonly children: ChildProcess[] = [];
  private readonly report: Report = { results: [], ratios: [] };
  private readonly skipped: string[] = [];
  private readonly invalid: string[] = [];

  constructor(folder: string, options: SideBySideOptions) {
    this.folder = folder;
    this.options = options;
  }

  async run(): Promise<SideBySide> {
    const { options } = this;
    const { material, client } = await makeMaterial(this.folder);
    const all = workloads(client);
    const ids = pick(options.words, [...all.map(({ id }) => id), IDLE, CONCURRENCY, START]);
    const isNamed = options.words.some((word) => ids.includes(word));
    const { loads, setup } = await this.startLoads(material, 'one');
    const wanted = all.filter((one) => ids.includes(one.id) && (!options.accessLog || isNamed || isLogged(one)));
    printHeading(`node ${process.version}, access logs ${options.accessLog ? 'ON in all of them' : 'off'}`);
    if (wanted.length > 0 || ids.includes(IDLE) || ids.includes(START)) {
      const peers = await this.startPeers(setup, client);
      if (ids.includes(START)) this.reportStart(peers);
      for (const workload of wanted) await this.measureAll(workload, peers, loads);
      if (ids.includes(IDLE) && options.idle > 0 && !options.accessLog) await this.holdIdle(peers, loads);
      // What follows has both processors for itself.
      await this.close();
    }
    if (ids.includes(CONCURRENCY) && !options.accessLog) await this.measureConcurrency(material);
    for (const line of this.invalid) process.stderr.write(`invalid: ${line}\n`);
    const { results, ratios } = this.report;
    const { skipped, invalid } = this;
    const when = new Date().toISOString();
    return { schema: 2, when, host: host(), settings: settingsOf(options), results, ratios, skipped, invalid };
  }

  async close(): Promise<void> {
    await Promise.all(this.children.splice(0).map(stop));
  }

  private async startLoads(
    material: Material,
    processors: 'one' | 'all',
  ): Promise<{ readonly loads: Loads; readonly setup: PeerSetup }> {
    const loads = { tcp: forkLoad('tcp-load.js', processors), http: forkLoad('termination-load.js', processors) };
    this.children.push(loads.tcp, loads.http);
    const [ports, { port }] = await Promise.all([
      message<{ ping: number; down: number; up: number }>(loads.tcp),
      message<{ port: number }>(loads.http),
    ]);
    const { accessLog } = this.options;
    return {
      loads,
      setup: { folder: this.folder, backends: { ...ports, http: port }, material, accessLog, processors },
    };
  }

  /** Those that come up and do the job; the others are named. */
  private async startPeers(setup: PeerSetup, client: ClientPair): Promise<readonly Peer[]> {
    const starts = pick(this.options.words, Object.keys(PEERS)).map((name) => PEERS[name]);
    const { base } = this.options;
    if (base !== undefined) starts.push((to) => startPostern(to, { name: 'base', main: base }));
    const peers: Peer[] = [];
    for (const start of starts) {
      const started = await start?.(setup);
      if (started === undefined) continue;
      if (typeof started === 'string') {
        this.skip(started);
        continue;
      }
      this.children.push(started.child);
      const fault = await findFault(started, client);
      if (fault === undefined) peers.push(started);
      else this.skip(`${started.name}: does not do the job: ${fault}`);
    }
    return peers;
  }

  private skip(line: string): void {
    this.skipped.push(line);
    process.stderr.write(`skipped: ${line}\n`);
  }

  private async measureAll(workload: Workload, peers: readonly Peer[], loads: Loads): Promise<void> {
    const able = peers.filter((peer) => portFor(peer, workload) !== 0);
    const measured = able.map(
      (peer): Measured => ({ proxy: peer.name, rates: [], costs: [], p50s: [], p99s: [], shares: [] }),
    );
    const logged = able.map(loggedBy);
    const { rounds, warmUp, milliseconds } = this.options;
    // The first round warms up: code is compiled, pools are filled.
    for (let round = 0; round <= rounds; round++) {
      const order = able.map((_, index) => index);
      if (round % 2 === 1) order.reverse();
      for (const index of order) {
        const peer = able[index] as Peer;
        const slice = await measure(loads, peer, workload, round === 0 ? warmUp : milliseconds);
        if (slice.fault !== undefined) this.invalid.push(`${workload.id} ${peer.name}: ${slice.fault}`);
        else if (round > 0) keep(slice, measured[index] as Measured);
      }
    }
    if (this.options.accessLog && isLogged(workload))
      able.forEach((peer, index) => {
        const isSilent = peer.direct === undefined && loggedBy(peer) === logged[index];
        if (isSilent) this.invalid.push(`${workload.id} ${peer.name}: wrote no access log`);
      });
    reportWorkload(workload, measured, this.report);
  }

  private reportStart(peers: readonly Peer[]): void {
    for (const { name, startTime, direct } of peers) {
      if (direct !== undefined) continue;
      process.stderr.write(
        `${START.padEnd(16)} ${name.padEnd(12)} ${startTime.toFixed(0).padStart(8)} ms until its ports answer\n`,
      );
      this.report.results.push({ workload: START, proxy: name, unit: 'ms', median: startTime });
    }
  }

  private async holdIdle(peers: readonly Peer[], loads: Loads): Promise<void> {
    const { idle } = this.options;
    for (const peer of peers.filter(({ passthrough }) => passthrough !== 0)) {
      const cost = await idleCost(loads.tcp, peer, idle);
      process.stderr.write(
        `${IDLE.padEnd(16)} ${peer.name.padEnd(12)} ${cost.toFixed(1).padStart(8)} KiB per connection (${idle} of them)\n`,
      );
      this.report.results.push({ workload: IDLE, proxy: peer.name, unit: 'KiB', median: cost, connections: idle });
    }
  }

  /**
   * New connections with two worker processes beside one. Nothing is pinned: proxy, load and services share all
   * processors, and the system places them. What the load takes of a connection bounds what a second process can add.
   */
  private async measureConcurrency(material: Material): Promise<void> {
    const { loads, setup } = await this.startLoads(material, 'all');
    const peers: Peer[] = [];
    for (const concurrency of [1, 2]) {
      const started = await startPostern(setup, { name: `postern x${concurrency}`, concurrency });
      if (typeof started === 'string') return this.skip(started);
      this.children.push(started.child);
      peers.push(started);
    }
    const { rounds, warmUp, milliseconds } = this.options;
    const sides = peers.map(({ name }): ConcurrencySide => ({ name, rates: [], costs: [], loadCosts: [] }));
    const hello = workloads({ cert: '', key: '' })[0] as Workload;
    for (let round = 0; round <= rounds; round++) {
      for (const index of round % 2 === 0 ? [0, 1] : [1, 0]) {
        const peer = peers[index] as Peer;
        const slice = await measure(loads, peer, hello, round === 0 ? warmUp : milliseconds);
        const side = sides[index] as ConcurrencySide;
        if (slice.fault !== undefined) this.invalid.push(`${CONCURRENCY} ${peer.name}: ${slice.fault}`);
        else if (round > 0) {
          side.rates.push(slice.rate);
          side.costs.push(slice.cost);
          side.loadCosts.push(slice.loadCost);
        }
      }
    }
    reportConcurrency(sides, this.report);
  }
}

/** All names where no word is one of them; a word takes what begins with it and a dot as well. */
function pick(words: readonly string[], names: readonly string[]): readonly string[] {
  const picked = names.filter((name) => words.some((word) => name === word || name.startsWith(`${word}.`)));
  return picked.length === 0 ? names : picked;
}

interface ConcurrencySide {
  readonly name: string;
  readonly rates: number[];
  /** Nanoseconds of processor time per connection: of the proxy, and of load and service together. */
  readonly costs: number[];
  readonly loadCosts: number[];
}

function reportConcurrency(sides: readonly ConcurrencySide[], { results, ratios }: Report): void {
  const [one, two] = sides;
  if (one === undefined || two === undefined) return;
  for (const { name, rates, costs, loadCosts } of sides) {
    const cost = median(costs) / 1000;
    const loadCost = median(loadCosts) / 1000;
    process.stderr.write(
      `${CONCURRENCY.padEnd(16)} ${name.padEnd(12)} ${median(rates).toFixed(0).padStart(8)} conn/s  ${spread(rates, 0).padEnd(16)} CPU of a connection: ${cost.toFixed(0)} us here, ${loadCost.toFixed(0)} us in the load\n`,
    );
    results.push({
      workload: CONCURRENCY,
      proxy: name,
      unit: 'conn/s',
      runs: rates,
      cpuUsPerOp: cost,
      loadUsPerOp: loadCost,
    });
  }
  const runs = two.rates.map((rate, i) => rate / (one.rates[i] ?? rate));
  const cost = median(one.costs);
  // All processors busy with nothing else, and a connection no dearer than with one process.
  const most = (availableParallelism() * cost) / (cost + median(one.loadCosts));
  // Each process with a processor for itself, the load elsewhere.
  const alone = (2 * cost) / median(two.costs);
  const verdict = median(runs) >= LEAST_OF_TWO ? 'pass' : 'MISSED';
  process.stderr.write(
    `${CONCURRENCY.padEnd(16)} x${median(runs).toFixed(2)} of one process (${spread(runs, 2)})  ${verdict}; with this load it can be x${most.toFixed(2)} at most; by the proxy's own CPU x${alone.toFixed(2)}\n`,
  );
  ratios.push({ workload: CONCURRENCY, a: two.name, b: one.name, runs, median: median(runs), most, alone, verdict });
}

interface Slice {
  readonly rate: number;
  readonly cost: number;
  /** The same of load and services. */
  readonly loadCost: number;
  readonly p50: number;
  readonly p99: number;
  readonly share: number;
  /** Why it is no number. */
  readonly fault: string | undefined;
}

async function measure(loads: Loads, peer: Peer, workload: Workload, milliseconds: number): Promise<Slice> {
  const { order, unit } = workload;
  const load = 'tcp' in order ? loads.tcp : loads.http;
  const started = message<unknown>(load);
  const common = { warmUp: 300, milliseconds, port: portFor(peer, workload) };
  if ('tcp' in order) load.send({ ...order.tcp, ...common } satisfies TcpOrder);
  else load.send({ ...order.http, ...common, isPlain: peer.direct !== undefined } satisfies LoadOrder);
  await started;
  const pid = peer.child.pid ?? 0;
  const loadPid = load.pid ?? 0;
  const before = cpuOf(pid);
  const loadBefore = cpuOf(loadPid);
  const result = await message<TcpResult | LoadResult>(load);
  const used = cpuOf(pid) - before;
  const loadUsed = cpuOf(loadPid) - loadBefore;
  const { p50, p99, seconds } = result;
  const counted = 'operations' in result ? result.operations : result.requests;
  const operations = counted / (unit === 'MB/s' ? MEGABYTE : 1);
  return {
    rate: operations / seconds,
    cost: operations === 0 ? 0 : used / operations,
    loadCost: operations === 0 ? 0 : loadUsed / operations,
    p50,
    p99,
    share: used / 1e9 / seconds,
    fault: faultOf(workload, result, counted),
  };
}

function faultOf({ order }: Workload, result: TcpResult | LoadResult, counted: number): string | undefined {
  if (result.errors > 0) return `${result.errors} errors`;
  if (counted === 0) return 'nothing was done';
  if (!('tcp' in order) || order.tcp.tls === undefined || !('resumed' in result)) return undefined;
  // A handshake that was to be full and is not, or the other way round, is another workload. The first one of each client
  // is full, and on a machine that is busy it may come late.
  const share = result.resumed / counted;
  const isRight = order.tcp.tls.resume ? share > 0.8 : share === 0;
  return isRight ? undefined : `${(100 * share).toFixed(0)} % resumed`;
}

function keep(slice: Slice, into: Measured): void {
  into.rates.push(slice.rate);
  into.costs.push(slice.cost);
  into.p50s.push(slice.p50);
  into.p99s.push(slice.p99);
  into.shares.push(slice.share);
}

async function idleCost(load: ChildProcess, peer: Peer, count: number): Promise<number> {
  const pid = peer.child.pid ?? 0;
  const before = memoryOf(pid);
  const started = message<unknown>(load);
  const order: TcpOrder = {
    workload: 'idle',
    serverName: HOSTS.ping,
    connections: count,
    port: peer.passthrough,
    warmUp: 2500,
    milliseconds: 500,
  };
  load.send(order);
  await started;
  const after = memoryOf(pid);
  await message<TcpResult>(load);
  return (after - before) / count;
}

async function makeMaterial(folder: string): Promise<{ material: Material; client: ClientPair }> {
  const pair = async (name: string, keyType: 'ec' | 'rsa', hosts: readonly string[]) => {
    const pems = await selfsigned.generate([{ name: 'commonName', value: hosts[0] ?? name }], {
      algorithm: 'sha256',
      keyType,
      ...(keyType === 'ec' ? { curve: 'P-256' as const } : { keySize: 2048 }),
      extensions: [{ name: 'subjectAltName', altNames: hosts.map((value) => ({ type: 2 as const, value })) }],
    });
    const files = { cert: path.join(folder, `${name}.crt`), key: path.join(folder, `${name}.key`) };
    writeFileSync(files.cert, pems.cert);
    writeFileSync(files.key, pems.private, { mode: 0o600 });
    return { files, pems };
  };
  const ecdsa = await pair('ecdsa', 'ec', [SERVERS.ecdsa, SERVERS.mutual]);
  const rsa = await pair('rsa', 'rsa', [SERVERS.rsa]);
  const client = await pair('client', 'ec', ['client.test']);
  return {
    material: { ecdsa: ecdsa.files, rsa: rsa.files, clientCa: client.files.cert },
    client: { cert: client.pems.cert, key: client.pems.private },
  };
}

function forkLoad(file: string, processors: 'one' | 'all'): ChildProcess {
  const child = fork(path.join(path.dirname(fileURLToPath(import.meta.url)), file), { stdio: 'inherit' });
  if (processors === 'one') pin(child, availableParallelism() > 1 ? 1 : 0);
  return child;
}

function message<T>(child: ChildProcess): Promise<T> {
  return new Promise((resolve, reject) => {
    const gone = (): void => reject(new Error('the load generator has gone'));
    child.once('exit', gone);
    child.once('message', (value) => {
      child.off('exit', gone);
      resolve(value as T);
    });
  });
}

// SIGTERM first: a master that is killed leaves its workers listening.
async function stop(child: ChildProcess): Promise<void> {
  if (child.pid === 0 || child.exitCode !== null || child.signalCode !== null) return;
  const closed = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGTERM');
  const timer = setTimeout(() => child.kill('SIGKILL'), 3000);
  await closed;
  clearTimeout(timer);
}

function host(): Record<string, string | number> {
  return {
    cpus: availableParallelism(),
    model: cpus()[0]?.model ?? '',
    kernel: release(),
    node: process.version,
    openssl: process.versions.openssl,
  };
}

function settingsOf({
  rounds,
  milliseconds,
  warmUp,
  accessLog,
}: SideBySideOptions): Record<string, string | number | boolean> {
  return { rounds, sliceMs: milliseconds, warmUpMs: warmUp, accessLog };
}

/** Writes the JSON beside the bench, where git does not look; returns the file. */
export function keepResults(results: SideBySide): string {
  const folder = path.join('bench', 'results');
  mkdirSync(folder, { recursive: true });
  const logs = results.settings['accessLog'] === true ? '-access-log' : '';
  const file = path.join(folder, `${results.when.replaceAll(':', '-')}${logs}.json`);
  writeFileSync(file, `${JSON.stringify(results, null, 1)}\n`);
  return file;
}
