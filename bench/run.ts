// The benchmarks: `npm run bench [WORD…]`. Numbers of one run compare with each other only; the machine is noisy.
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import tls from 'node:tls';
import { contractRows } from './contract.js';
import {
  clientHelloBench,
  decisionBenches,
  helloToHostBench,
  type MicroBench,
  type Mix,
  routeBench,
  serverNameBench,
  virtualHostBench,
} from './micro.js';
import { reloadRows } from './reload.js';
import { keepResults, sideBySide } from './side-by-side.js';
import type { SideBySide } from './side-report.js';

// `npm run bench -- side [WORKLOAD…] [PROXY…]`: beside nginx, HAProxy, Envoy and others; first without access logs, then
// with one in each of them. `--access-log=off|on` makes one table of it.
const sideWords = process.argv.slice(2).filter((word) => !word.startsWith('--'));
const option = (name: string): string | undefined =>
  process.argv.find((word) => word.startsWith(`--${name}=`))?.slice(name.length + 3);
const flag = (name: string, otherwise: number): number => Number(option(name) ?? otherwise);
if (sideWords[0] === 'side') process.exit(await side(sideWords.slice(1)));

const words = process.argv.slice(2).filter((word) => !word.startsWith('--'));
const wanted = (name: string): boolean => words.length === 0 || words.some((word) => name.includes(word));

interface Row {
  readonly name: string;
  readonly unit: string;
  /** Every round, in order. */
  readonly runs: readonly number[];
}

const rows: Row[] = [];
if (wanted('micro')) {
  const sizes = [10, 1000, 10_000, 100_000];
  const mixes: readonly Mix[] = ['exact', 'wildcard', 'unknown', 'mixed'];
  for (const bench of [
    clientHelloBench(),
    ...sizes.flatMap((size) => mixes.map((mix) => serverNameBench(size, mix, 4096))),
    serverNameBench(100_000, 'mixed', 65_536),
    ...sizes.map((size) => helloToHostBench(size, 'mixed', 4096)),
    helloToHostBench(100_000, 'mixed', 65_536),
    ...sizes.map(virtualHostBench),
    ...[10, 1000, 10_000].flatMap((size) => [routeBench(size, 'exact'), routeBench(size, 'prefix')]),
    ...(await decisionBenches()),
  ])
    rows.push(micro(bench));
}
if (wanted('start')) rows.push(await startUp());
if (wanted('contract')) rows.push(...(await contractRows()));
if (wanted('reload')) rows.push(...(await reloadRows(10_000, 2)));

process.stderr.write(`node ${process.version}, ${process.argv.slice(2).join(' ') || 'all'}\n`);
printRows(rows);
process.stdout.write(`${JSON.stringify({ node: process.version, rows })}\n`);

/** Everything that the words pick, or all: both tables, then start and reload. Returns the exit code. */
async function side(words: readonly string[]): Promise<number> {
  const base = option('base');
  const which = process.argv.includes('--access-log') ? 'on' : (option('access-log') ?? 'both');
  const tables: SideBySide[] = [];
  for (const accessLog of which === 'both' ? [false, true] : [which === 'on']) {
    const results = await sideBySide({
      words,
      rounds: flag('rounds', 5),
      milliseconds: flag('slice', 1200),
      warmUp: flag('warm-up', 2500),
      accessLog,
      idle: flag('idle', 9000),
      ...(base === undefined ? {} : { base }),
    });
    process.stderr.write(`${keepResults(results)}\n`);
    tables.push(results);
  }
  const footprint = words.length === 0 ? [await startUp(), ...(await reloadRows(10_000, 2))] : [];
  printRows(footprint);
  process.stdout.write(`${JSON.stringify({ tables, footprint })}\n`);
  return tables.some(({ invalid }) => invalid.length > 0) ? 1 : 0;
}

function printRows(all: readonly Row[]): void {
  for (const { name, unit, runs } of all) {
    const sorted = [...runs].sort((a, b) => a - b);
    const median = sorted[Math.floor(sorted.length / 2)] ?? 0;
    const spread = `${(sorted[0] ?? 0).toFixed(0)}..${(sorted[sorted.length - 1] ?? 0).toFixed(0)}`;
    process.stderr.write(`${name.padEnd(56)} ${median.toFixed(0).padStart(8)} ${unit.padEnd(4)} (${spread})\n`);
  }
}

// Rounds of about 100 ms after a warm-up; nanoseconds per operation.
function micro({ name, operations = 200_000, check, run }: MicroBench): Row {
  check();
  const runs: number[] = [];
  run(20_000);
  for (let round = 0; round < 7; round++) {
    const began = process.hrtime.bigint();
    run(operations);
    runs.push(Number(process.hrtime.bigint() - began) / operations);
  }
  return { name, unit: 'ns', runs };
}

// From the start of the process to the first answer over HTTPS, with the tutorial's configuration.
async function startUp(): Promise<Row> {
  const runs: number[] = [];
  const ca = readFileSync('examples/tutorial/certs/local-test.crt');
  for (let round = 0; round < 5; round++) {
    const folder = mkdtempSync(path.join(tmpdir(), 'postern-bench-'));
    const ready = path.join(folder, 'ready.json');
    const began = performance.now();
    const child = spawn(
      process.execPath,
      [
        'dist/cli/main.js',
        'run',
        'examples/tutorial/istio',
        '--port',
        '443=0',
        '--admin',
        'off',
        '--ready-file',
        ready,
      ],
      { stdio: 'ignore' },
    );
    try {
      const port = await readyPort(ready, child);
      const status = await firstAnswer(port, ca);
      if (!status.startsWith('HTTP/1.1 200')) throw new Error(`wrong answer: ${status}`);
      runs.push(performance.now() - began);
    } finally {
      child.kill('SIGTERM');
      await new Promise((resolve) => child.once('close', resolve));
      rmSync(folder, { recursive: true, force: true });
    }
  }
  return { name: 'start: process to first HTTPS answer', unit: 'ms', runs };
}

async function readyPort(file: string, child: { readonly exitCode: number | null }): Promise<number> {
  const deadline = performance.now() + 15_000;
  while (performance.now() < deadline && child.exitCode === null) {
    try {
      const { listeners } = JSON.parse(readFileSync(file, 'utf8')) as {
        listeners: { port: number; boundPort: number }[];
      };
      return listeners.find(({ port }) => port === 8443)?.boundPort ?? 0;
    } catch {
      await wait(2);
    }
  }
  throw new Error('postern did not get ready');
}

function firstAnswer(port: number, ca: Buffer): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = tls.connect(
      { host: '127.0.0.1', port, servername: 'local.test', ca, ALPNProtocols: ['http/1.1'] },
      () => {
        socket.write('GET / HTTP/1.1\r\nHost: local.test\r\n\r\n');
      },
    );
    socket.once('data', (chunk) => {
      resolve(chunk.toString('latin1').split('\r\n')[0] ?? '');
      socket.destroy();
    });
    socket.once('error', reject);
  });
}
