// Requests per second through TLS termination with keep-alive: the `postern run` binary (access log off) against
// http2-proxy alone on node's codecs doing the same job. One upstream, one load generator in a process of its own; rounds
// of the two subjects alternate; each answer is checked before anything is measured.
import { type ChildProcess, fork, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import http2 from 'node:http2';
import https from 'node:https';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import selfsigned from 'selfsigned';
import type { LoadOrder, LoadResult } from './termination-load.js';

const HOST = 'bench.test';
const ROUNDS = 3;

interface Workload {
  readonly name: string;
  readonly order: Pick<LoadOrder, 'workload' | 'connections' | 'streams'>;
}

const WORKLOADS: readonly Workload[] = [
  { name: 'h1, 64 connections', order: { workload: 'h1', connections: 64, streams: 1 } },
  { name: 'h2, 64 connections x 1 stream', order: { workload: 'h2', connections: 64, streams: 1 } },
  { name: 'h2, 8 connections x 32 streams', order: { workload: 'h2', connections: 8, streams: 32 } },
];

/** One line of the table: every round in order. */
export interface TerminationRow {
  readonly name: string;
  readonly unit: string;
  readonly runs: readonly number[];
}

interface Subject {
  readonly name: string;
  readonly child: ChildProcess;
  readonly port: number;
}

/** Rates and, where /proc tells, CPU per request; the last row of a workload is the ratio of the medians of the rates. */
export async function terminationRows(
  ready: (file: string, child: ChildProcess) => Promise<number>,
): Promise<TerminationRow[]> {
  const folder = mkdtempSync(path.join(tmpdir(), 'postern-bench-'));
  const children: ChildProcess[] = [];
  try {
    const load = fork(beside('termination-load.js'), { stdio: 'inherit' });
    children.push(load);
    const upstream = await portFrom(load);
    const pems = await selfsigned.generate([{ name: 'commonName', value: HOST }], {
      algorithm: 'sha256',
      keyType: 'ec',
      curve: 'P-256',
      extensions: [{ name: 'subjectAltName', altNames: [{ type: 2, value: HOST }] }],
    });
    const certificate = path.join(folder, 'cert.pem');
    const key = path.join(folder, 'key.pem');
    writeFileSync(certificate, pems.cert);
    writeFileSync(key, pems.private);

    const peer = fork(beside('termination-peer.js'), [certificate, key, String(upstream)], { stdio: 'inherit' });
    children.push(peer);
    const config = path.join(folder, 'istio.yaml');
    writeFileSync(config, istioYaml(pems.cert, pems.private));
    const readyFile = path.join(folder, 'ready.json');
    const postern = spawn(
      process.execPath,
      [
        'dist/cli/main.js',
        'run',
        config,
        ...['--port', '443=0', '--admin', 'off', '--access-log', 'off', '--log-level', 'error', '--no-watch'],
        ...['--upstream', `web.bench.svc.cluster.local=127.0.0.1:${upstream}`, '--ready-file', readyFile],
      ],
      { stdio: ['ignore', 'ignore', 'inherit'] },
    );
    children.push(postern);
    const subjects: Subject[] = [
      { name: 'postern', child: postern, port: await ready(readyFile, postern) },
      { name: 'http2-proxy', child: peer, port: await portFrom(peer) },
    ];
    for (const { name, port } of subjects) await checkAnswers(name, port);

    const rows: TerminationRow[] = [];
    for (const { name, order } of WORKLOADS) {
      const rates = subjects.map((): number[] => []);
      const costs = subjects.map((): number[] => []);
      for (let round = 0; round < ROUNDS; round++) {
        for (const i of round % 2 === 0 ? [0, 1] : [1, 0]) {
          const subject = subjects[i] as Subject;
          const measured = await measure(load, subject, order);
          (rates[i] as number[]).push(measured.rate);
          if (measured.cost !== undefined) (costs[i] as number[]).push(measured.cost);
        }
      }
      subjects.forEach((subject, i) => {
        rows.push({ name: `termination ${name}: ${subject.name}`, unit: 'r/s', runs: rates[i] as number[] });
        if ((costs[i] as number[]).length > 0) {
          rows.push({ name: `  CPU per request: ${subject.name}`, unit: 'us', runs: costs[i] as number[] });
        }
      });
      rows.push({
        name: '  postern / http2-proxy',
        unit: '%',
        runs: (rates[0] as number[]).map((rate, i) => (100 * rate) / ((rates[1] as number[])[i] as number)),
      });
    }
    return rows;
  } finally {
    await Promise.all(children.map(stop));
    rmSync(folder, { recursive: true, force: true });
  }
}

async function measure(
  load: ChildProcess,
  subject: Subject,
  order: Workload['order'],
): Promise<{ rate: number; cost: number | undefined }> {
  const started = message<{ measuring: true }>(load);
  load.send({ ...order, port: subject.port, warmUp: 700, milliseconds: 2000 } satisfies LoadOrder);
  await started;
  const before = cpuOf(subject.child);
  const { requests, seconds, errors } = await message<LoadResult>(load);
  const after = cpuOf(subject.child);
  if (errors > 0) throw new Error(`${subject.name}: ${errors} wrong answers`);
  return {
    rate: requests / seconds,
    cost: before === undefined || after === undefined ? undefined : ((after - before) * 1e6) / requests,
  };
}

/** Seconds of CPU that a process has used, where there is a /proc. */
function cpuOf({ pid }: ChildProcess): number | undefined {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
      .replace(/^.*\) /, '')
      .split(' ');
    return (Number(fields[11]) + Number(fields[12])) / 100;
  } catch {
    return undefined;
  }
}

async function checkAnswers(name: string, port: number): Promise<void> {
  const options = { servername: HOST, rejectUnauthorized: false } as const;
  const first = await new Promise<string>((resolve, reject) => {
    https
      .get({ host: '127.0.0.1', port, ...options, headers: { host: HOST }, path: '/x' }, (response) => {
        let body = '';
        response.on('data', (chunk) => {
          body += chunk;
        });
        response.on('end', () => resolve(`${response.statusCode} ${response.headers['x-served-by']} ${body.length}`));
      })
      .on('error', reject);
  });
  const session = http2.connect(`https://127.0.0.1:${port}`, options);
  const second = await new Promise<string>((resolve, reject) => {
    session.on('error', reject);
    const stream = session.request({ ':path': '/x', ':authority': HOST });
    let head = '';
    let body = '';
    stream.on('response', (headers) => {
      head = `${headers[':status']} ${headers['x-served-by']}`;
    });
    stream.on('data', (chunk) => {
      body += chunk;
    });
    stream.on('end', () => resolve(`${head} ${body.length}`));
    stream.on('error', reject);
  });
  session.close();
  for (const answer of [first, second]) {
    if (answer !== '200 bench 64') throw new Error(`${name} answers ${answer}`);
  }
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

async function portFrom(child: ChildProcess): Promise<number> {
  return (await message<{ port: number }>(child)).port;
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const closed = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGKILL');
  await closed;
}

function beside(file: string): string {
  return path.join(path.dirname(fileURLToPath(import.meta.url)), file);
}

function istioYaml(certificate: string, key: string): string {
  const base64 = (text: string): string => Buffer.from(text).toString('base64');
  return `apiVersion: v1
kind: Secret
metadata: { name: bench-tls, namespace: istio-system }
type: kubernetes.io/tls
data: { tls.crt: ${base64(certificate)}, tls.key: ${base64(key)} }
---
apiVersion: v1
kind: Service
metadata: { name: web, namespace: bench }
spec:
  ports: [{ name: http, port: 80 }]
---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: { name: edge, namespace: istio-system }
spec:
  selector: { istio: ingressgateway }
  servers:
  - port: { number: 443, name: https, protocol: HTTPS }
    tls: { mode: SIMPLE, credentialName: bench-tls }
    hosts: [${HOST}]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: web, namespace: bench }
spec:
  hosts: [${HOST}]
  gateways: [istio-system/edge]
  http:
  - route:
    - destination: { host: web.bench.svc.cluster.local, port: { number: 80 } }
`;
}
