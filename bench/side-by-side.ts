// postern and what a user would take instead, in one run: every workload in rounds over all of them, in an order that is
// reversed on every second round; medians with their spread, rates and processor time per operation, and ratios to nginx
// round by round. Each answer is checked first; a slice with an error is no number.
import { type ChildProcess, fork } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, cpus, release, tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import selfsigned from 'selfsigned';
import { cpuOf, HOSTS, type Material, memoryOf, PEERS, type Peer, pin, SERVERS, startPostern } from './peers.js';
import type { TcpOrder, TcpResult } from './tcp-load.js';
import type { LoadOrder, LoadResult } from './termination-load.js';

interface Workload {
  readonly id: string;
  readonly unit: string;
  readonly order:
    | { readonly tcp: Omit<TcpOrder, 'port' | 'warmUp' | 'milliseconds'> }
    | { readonly http: Pick<LoadOrder, 'workload' | 'connections' | 'streams'> };
  /** Floor and aim of the ratio to nginx: of rates, or of processor time where `cpu`. */
  readonly target?: { readonly least: number; readonly aim: number; readonly cpu?: boolean };
}

/** One side of one workload. */
interface Measured {
  readonly proxy: string;
  readonly rates: number[];
  /** Nanoseconds of processor time per operation. */
  readonly costs: number[];
  readonly p99s: number[];
  /** Share of one processor that was used. */
  readonly shares: number[];
}

/** What the bench prints and writes. */
export interface SideBySide {
  readonly schema: 1;
  readonly when: string;
  readonly host: Readonly<Record<string, string | number>>;
  readonly settings: Readonly<Record<string, string | number | boolean>>;
  readonly results: readonly Readonly<Record<string, unknown>>[];
  readonly ratios: readonly Readonly<Record<string, unknown>>[];
  readonly skipped: readonly string[];
  readonly invalid: readonly string[];
}

const MEGABYTE = 1e6;

function workloads(client: { cert: string; key: string }): readonly Workload[] {
  const tcp = (workload: TcpOrder['workload'], serverName: string, connections: number): Workload['order'] => ({
    tcp: { workload, serverName, connections },
  });
  const handshake = (serverName: string, tls: NonNullable<TcpOrder['tls']>): Workload['order'] => ({
    tcp: { workload: 'handshake', serverName, connections: 16, tls },
  });
  return [
    { id: 'pt.hello', unit: 'conn/s', order: tcp('hello', HOSTS.ping, 32), target: { least: 0.32, aim: 0.48 } },
    { id: 'pt.ping', unit: 'msg/s', order: tcp('ping', HOSTS.ping, 64), target: { least: 0.55, aim: 0.75 } },
    { id: 'pt.down1', unit: 'MB/s', order: tcp('down', HOSTS.down, 1) },
    { id: 'pt.down64', unit: 'MB/s', order: tcp('down', HOSTS.down, 64), target: { least: 1.6, aim: 3 } },
    { id: 'pt.up1', unit: 'MB/s', order: tcp('up', HOSTS.up, 1) },
    { id: 'pt.up64', unit: 'MB/s', order: tcp('up', HOSTS.up, 64), target: { least: 0.65, aim: 0.9 } },
    {
      id: 'hs.ecdsa',
      unit: 'hs/s',
      order: handshake(SERVERS.ecdsa, { resume: false }),
      target: { least: 1.4, aim: 1.25, cpu: true },
    },
    { id: 'hs.rsa', unit: 'hs/s', order: handshake(SERVERS.rsa, { resume: false }) },
    { id: 'hs.resume', unit: 'hs/s', order: handshake(SERVERS.ecdsa, { resume: true }) },
    { id: 'hs.mutual', unit: 'hs/s', order: handshake(SERVERS.mutual, { resume: false, ...client }) },
    {
      id: 'http.h1',
      unit: 'req/s',
      order: { http: { workload: 'h1', connections: 64, streams: 1 } },
      target: { least: 0.44, aim: 0.8 },
    },
    {
      id: 'http.h2x1',
      unit: 'req/s',
      order: { http: { workload: 'h2', connections: 64, streams: 1 } },
      target: { least: 0.43, aim: 0.9 },
    },
    {
      id: 'http.h2x32',
      unit: 'req/s',
      order: { http: { workload: 'h2', connections: 8, streams: 32 } },
      target: { least: 0.53, aim: 1.3 },
    },
  ];
}

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
  readonly idle: number;
}

/** Runs everything that the words pick; prints as it goes. */
export async function sideBySide(options: SideBySideOptions): Promise<SideBySide> {
  const folder = mkdtempSync(path.join(tmpdir(), 'postern-bench-'));
  const children: ChildProcess[] = [];
  try {
    const { material, client } = await makeMaterial(folder);
    const tcpLoad = forkLoad('tcp-load.js');
    const httpLoad = forkLoad('termination-load.js');
    children.push(tcpLoad, httpLoad);
    const tcpPorts = await message<{ ping: number; down: number; up: number }>(tcpLoad);
    const { port: http } = await message<{ port: number }>(httpLoad);
    const setup = { folder, backends: { ...tcpPorts, http }, material, accessLog: options.accessLog };
    const all = workloads(client);
    const named = (words: readonly string[], names: readonly string[]): readonly string[] => {
      const picked = names.filter((name) => words.some((word) => name === word || name.startsWith(`${word}.`)));
      return picked.length === 0 ? names : picked;
    };
    const peers: Peer[] = [];
    const skipped: string[] = [];
    for (const name of named(options.words, Object.keys(PEERS))) {
      const started = await PEERS[name]?.(setup);
      if (typeof started === 'object') peers.push(started);
      else skipped.push(started ?? name);
    }
    if (options.base !== undefined) {
      const started = await startPostern(setup, options.base, 1);
      if (typeof started === 'object') peers.push({ ...started, name: 'base' });
      else skipped.push(started);
    }
    children.push(...peers.map(({ child }) => child));
    for (const line of skipped) process.stderr.write(`skipped: ${line}\n`);

    const results: Record<string, unknown>[] = [];
    const ratios: Record<string, unknown>[] = [];
    const invalid: string[] = [];
    const ids = named(options.words, [...all.map(({ id }) => id), 'pt.idle']);
    for (const workload of all) {
      if (!ids.includes(workload.id)) continue;
      const able = peers.filter((peer) => isAble(peer, workload));
      const measured = able.map((peer): Measured => ({ proxy: peer.name, rates: [], costs: [], p99s: [], shares: [] }));
      // The first round warms up: code is compiled, pools are filled.
      for (let round = 0; round <= options.rounds; round++) {
        const order = able.map((_, index) => index);
        if (round % 2 === 1) order.reverse();
        for (const index of order) {
          const peer = able[index] as Peer;
          const load = 'tcp' in workload.order ? tcpLoad : httpLoad;
          const slice = await measure(load, peer, workload, round === 0 ? options.warmUp : options.milliseconds);
          if (slice.errors > 0 || (slice.rate === 0 && round > 0))
            invalid.push(`${workload.id} ${peer.name}: ${slice.errors} errors, rate ${slice.rate}`);
          else if (round > 0) {
            const into = measured[index] as Measured;
            into.rates.push(slice.rate);
            into.costs.push(slice.cost);
            into.p99s.push(slice.p99);
            into.shares.push(slice.share);
          }
        }
      }
      report(workload, measured, results, ratios);
    }
    if (ids.includes('pt.idle') && options.idle > 0)
      for (const peer of peers.filter(({ name, passthrough }) => passthrough !== 0 && name !== 'direct')) {
        const cost = await idleCost(tcpLoad, peer, options.idle);
        process.stderr.write(
          `pt.idle      ${peer.name.padEnd(12)} ${cost.toFixed(1)} KiB per idle connection (${options.idle})\n`,
        );
        results.push({ workload: 'pt.idle', proxy: peer.name, unit: 'KiB', median: cost, connections: options.idle });
      }
    for (const line of invalid) process.stderr.write(`invalid: ${line}\n`);
    return {
      schema: 1,
      when: new Date().toISOString(),
      host: host(),
      settings: settingsOf(options),
      results,
      ratios,
      skipped,
      invalid,
    };
  } finally {
    await Promise.all(children.map(stop));
    rmSync(folder, { recursive: true, force: true });
  }
}

function isAble(peer: Peer, { id, order }: Workload): boolean {
  if (peer.name === 'direct') return id === 'pt.hello' || id === 'pt.ping';
  if ('tcp' in order && order.tcp.workload !== 'handshake') return peer.passthrough !== 0;
  if (peer.name === 'http2-proxy') return 'http' in order || id === 'hs.ecdsa';
  return peer.termination !== 0;
}

interface Slice {
  readonly rate: number;
  readonly cost: number;
  readonly p99: number;
  readonly share: number;
  readonly errors: number;
}

async function measure(load: ChildProcess, peer: Peer, workload: Workload, milliseconds: number): Promise<Slice> {
  const started = message<unknown>(load);
  const common = { warmUp: 300, milliseconds };
  if ('tcp' in workload.order) {
    const port = workload.order.tcp.workload === 'handshake' ? peer.termination : peer.passthrough;
    load.send({ ...workload.order.tcp, ...common, port } satisfies TcpOrder);
  } else {
    load.send({ ...workload.order.http, ...common, port: peer.termination } satisfies LoadOrder);
  }
  await started;
  const pid = peer.child.pid ?? 0;
  const before = cpuOf(pid);
  const result = await message<TcpResult | LoadResult>(load);
  const used = cpuOf(pid) - before;
  const operations =
    ('operations' in result ? result.operations : result.requests) / (workload.unit === 'MB/s' ? MEGABYTE : 1);
  return {
    rate: operations / result.seconds,
    cost: operations === 0 ? 0 : used / operations,
    p99: 'p99' in result ? result.p99 : 0,
    share: used / 1e9 / result.seconds,
    errors: result.errors,
  };
}

function report(
  workload: Workload,
  measured: readonly Measured[],
  results: Record<string, unknown>[],
  ratios: Record<string, unknown>[],
): void {
  const nginx = measured.find(({ proxy }) => proxy === 'nginx');
  for (const one of measured) {
    if (one.rates.length === 0) continue;
    const rate = median(one.rates);
    const cost = median(one.costs);
    results.push({
      workload: workload.id,
      proxy: one.proxy,
      unit: workload.unit,
      runs: one.rates,
      median: rate,
      p99ms: median(one.p99s),
      cpuUsPerOp: cost / 1000,
      cpuUsRuns: one.costs.map((ns) => Math.round(ns / 100) / 10),
      cpuShare: median(one.shares),
      loadBound: median(one.shares) < 0.85,
    });
    let line = `${workload.id.padEnd(12)} ${one.proxy.padEnd(12)} ${rate.toFixed(0).padStart(8)} ${workload.unit.padEnd(7)} ${spread(one.rates, 0).padEnd(16)} ${(cost / 1000).toFixed(1).padStart(8)} us/op ${(100 * median(one.shares)).toFixed(0).padStart(4)} %`;
    if (nginx !== undefined && one !== nginx && nginx.rates.length === one.rates.length) {
      const rates = one.rates.map((value, i) => value / (nginx.rates[i] as number));
      const costs = one.costs.map((value, i) => value / (nginx.costs[i] as number));
      const { target } = workload;
      const ratio = target?.cpu === true ? median(costs) : median(rates);
      const isOk =
        target === undefined ? undefined : target.cpu === true ? ratio <= target.least : ratio >= target.least;
      const verdict = one.proxy !== 'postern' || isOk === undefined ? '' : isOk ? 'pass' : 'MISSED';
      ratios.push({
        workload: workload.id,
        a: one.proxy,
        b: 'nginx',
        rate: summary(rates),
        cpuPerOp: summary(costs),
        ...(verdict === '' ? {} : { target, verdict }),
      });
      line += `   x${median(rates).toFixed(2)} rate (${spread(rates, 2)})  x${median(costs).toFixed(2)} CPU  ${verdict}`;
    }
    process.stderr.write(`${line}\n`);
  }
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

async function makeMaterial(folder: string): Promise<{ material: Material; client: { cert: string; key: string } }> {
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

function forkLoad(file: string): ChildProcess {
  const child = fork(path.join(path.dirname(fileURLToPath(import.meta.url)), file), { stdio: 'inherit' });
  pin(child, availableParallelism() > 1 ? 1 : 0);
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

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? 0;
}

function spread(values: readonly number[], digits: number): string {
  return `${Math.min(...values).toFixed(digits)}..${Math.max(...values).toFixed(digits)}`;
}

function summary(values: readonly number[]): { median: number; min: number; max: number } {
  return { median: median(values), min: Math.min(...values), max: Math.max(...values) };
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
  const file = path.join(folder, `${results.when.replaceAll(':', '-')}.json`);
  writeFileSync(file, `${JSON.stringify(results, null, 1)}\n`);
  return file;
}
