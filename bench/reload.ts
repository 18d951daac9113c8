// A reload of many hosts under load: how long until it is in force, what it does to requests in the meantime.
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';

/** A line of the table. */
export interface ReloadRow {
  readonly name: string;
  readonly unit: string;
  readonly runs: readonly number[];
}

const WINDOW = 10_000;
const CLIENTS = 4;
/** Milliseconds that a client rests between two requests: the load is there, the machine is not full. */
const REST = 4;

/** `edits` reloads each of one changed route and of all changed. Throws when a request fails. */
export async function reloadRows(hosts: number, edits: number): Promise<ReloadRow[]> {
  const folder = mkdtempSync(path.join(tmpdir(), 'postern-bench-'));
  const upstream = http.createServer((_request, response) => response.end('ok'));
  await new Promise<void>((resolve) => upstream.listen(0, '127.0.0.1', resolve));
  const config = path.join(folder, 'istio.yaml');
  const ready = path.join(folder, 'ready.json');
  writeFileSync(
    config,
    yamlOf(hosts, () => 'r'),
  );
  const began = performance.now();
  const child = spawn(
    process.execPath,
    [
      ...['dist/cli/main.js', 'run', config, '--port', '80=0', '--admin', 'off', '--access-log', 'off'],
      ...['--ready-file', ready, '--drain-time', '0s'],
      ...['--upstream', `web.bench.svc.cluster.local=127.0.0.1:${(upstream.address() as AddressInfo).port}`],
    ],
    { stdio: ['ignore', 'ignore', 'pipe'] },
  );
  let said = '';
  child.stderr.on('data', (chunk: Buffer) => {
    said += chunk.toString();
  });
  const agent = new http.Agent({ keepAlive: true, maxSockets: CLIENTS });
  const load = { latencies: [] as number[], errors: 0, over: false };
  try {
    const port = await portOf(ready, child);
    const started = performance.now() - began;
    let next = 0;
    const clients = Array.from({ length: CLIENTS }, async () => {
      while (!load.over) {
        const sent = performance.now();
        const status = await get(port, `h${next++ % hosts}.example.com`, agent);
        if (status !== 200) load.errors++;
        load.latencies.push(performance.now() - sent);
        await wait(REST);
      }
    });
    await wait(2000);
    load.latencies = [];
    await wait(WINDOW / 2);
    const idle = quantiles(load.latencies);
    const rows: ReloadRow[] = [
      { name: `start with ${hosts} hosts`, unit: 'ms', runs: [started] },
      { name: '  idle p99', unit: 'us', runs: [idle.p99 * 1000] },
      { name: '  idle longest', unit: 'us', runs: [idle.longest * 1000] },
    ];
    for (const all of [false, true]) {
      const took: number[] = [];
      const p99s: number[] = [];
      const stalls: number[] = [];
      for (let edit = 0; edit < edits; edit++) {
        load.latencies = [];
        const reloads = said.split('reloaded:').length;
        const from = performance.now();
        writeFileSync(
          config,
          yamlOf(hosts, (i) => (all || i === 0 ? `r${all ? 'all' : 'one'}${edit}` : 'r')),
        );
        while (said.split('reloaded:').length === reloads && performance.now() - from < 60_000) await wait(10);
        took.push(performance.now() - from);
        await wait(Math.max(0, WINDOW - (performance.now() - from)));
        const { p99, longest } = quantiles(load.latencies);
        p99s.push(p99 * 1000);
        stalls.push(longest * 1000);
      }
      const what = all ? 'every route changed' : 'one route changed';
      rows.push(
        { name: `reload of ${hosts} hosts, ${what}: in force after`, unit: 'ms', runs: took },
        { name: `  p99 over ${WINDOW / 1000} s around it`, unit: 'us', runs: p99s },
        { name: '  the same in percent of idle p99', unit: '%', runs: p99s.map((p99) => p99 / idle.p99 / 10) },
        { name: '  longest stall', unit: 'us', runs: stalls },
      );
    }
    load.over = true;
    await Promise.all(clients);
    if (load.errors > 0) throw new Error(`${load.errors} requests failed`);
    rows.push({ name: '  failed requests', unit: '', runs: [load.errors] });
    return rows;
  } finally {
    load.over = true;
    agent.destroy();
    const closed = new Promise((resolve) => child.once('close', resolve));
    child.kill('SIGKILL');
    await closed;
    upstream.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

function get(port: number, host: string, agent: http.Agent): Promise<number> {
  return new Promise((resolve) => {
    const request = http.get({ port, host: '127.0.0.1', agent, path: '/api', headers: { host } }, (response) => {
      response.resume();
      response.on('end', () => resolve(response.statusCode ?? 0));
      response.on('error', () => resolve(0));
    });
    request.on('error', () => resolve(0));
  });
}

function quantiles(latencies: readonly number[]): { readonly p99: number; readonly longest: number } {
  const sorted = [...latencies].sort((a, b) => a - b);
  return { p99: sorted[Math.floor(sorted.length * 0.99)] ?? 0, longest: sorted.at(-1) ?? 0 };
}

async function portOf(file: string, child: { readonly exitCode: number | null }): Promise<number> {
  for (let attempt = 0; attempt < 3000 && child.exitCode === null; attempt++) {
    try {
      const { listeners } = JSON.parse(readFileSync(file, 'utf8')) as { listeners: { boundPort: number }[] };
      return listeners[0]?.boundPort ?? 0;
    } catch {
      await wait(20);
    }
  }
  throw new Error('postern did not get ready');
}

function yamlOf(hosts: number, route: (host: number) => string): string {
  const destination = 'route: [{ destination: { host: web.bench.svc.cluster.local, port: { number: 80 } } }]';
  const documents = [
    `apiVersion: networking.istio.io/v1
kind: Gateway
metadata: { name: edge, namespace: bench }
spec:
  selector: { istio: ingressgateway }
  servers: [{ port: { number: 80, name: http, protocol: HTTP }, hosts: ["*"] }]
`,
    `apiVersion: v1
kind: Service
metadata: { name: web, namespace: bench }
spec: { ports: [{ name: http, port: 80 }] }
`,
  ];
  for (let i = 0; i < hosts; i++)
    documents.push(`apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: vs-${i}, namespace: bench }
spec:
  hosts: [h${i}.example.com]
  gateways: [edge]
  http:
  - name: ${route(i)}
    match: [{ uri: { prefix: /api } }]
    ${destination}
  - ${destination}
`);
  return documents.join('---\n');
}
