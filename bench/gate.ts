// The regression gate: `npm run gate`. Counts and ratios, never times: bytes allocated and copied per connection and per
// request, system calls where strace is there, the price of decisions beside a loop that does nothing of ours. Each is
// measured several times; what is worse than bench/baselines.json by more than its own noise fails. `--accept` takes
// what was measured as the new baseline (review the diff as code).
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { compileAccessLog } from '../src/dataplane/telemetry/access-log-format.js';
import { StreamInfo } from '../src/dataplane/telemetry/stream-info.js';
import { decide } from '../src/decide/decide.js';
import { buildSnapshotIndex } from '../src/decide/snapshot-index.js';
import { compile } from '../src/gateway/compile.js';
import { DevelopmentCertificates } from '../src/gateway/development-certificates.js';
import { type RunningGateway, runGateway } from '../src/gateway/run.js';
import { parseUpstreamEntry } from '../src/gateway/upstream-mapping.js';
import { TlsInspector } from '../src/match/inspect/tls-inspector.js';
import { clientHello } from '../test/support/client-hello.js';

/** What one number may grow by without anybody being asked, beside its noise. */
const SLACK = { bytes: 0.08, copies: 0.05, calls: 0.05, ratio: 0.35 } as const;
const ROUNDS = 7;

type Kind = keyof typeof SLACK;

interface Count {
  readonly name: string;
  readonly kind: Kind;
  readonly runs: readonly number[];
}

const HELLO = clientHello({ serverName: 'ping.bench.test', alpn: ['h2', 'http/1.1'], padTo: 517 });
const REPLY = Buffer.alloc(64, 0x61);
const BULK = Buffer.alloc(256 * 1024, 0x62);
const BULK_BYTES = 16 * 1024 * 1024;
const CONNECTIONS = 100;
/** Waiting for events is left out: how many come at once is a matter of luck. */
const CALLS =
  'read,write,writev,sendto,recvfrom,socket,connect,accept4,close,shutdown,setsockopt,getsockname,getpeername,epoll_ctl';

const YAML = `apiVersion: v1
kind: Service
metadata: { name: web, namespace: bench }
spec: { ports: [{ name: http, port: 80 }] }
---
apiVersion: v1
kind: Service
metadata: { name: tcp, namespace: bench }
spec: { ports: [{ name: tls, port: 443 }] }
---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: { name: edge, namespace: istio-system }
spec:
  selector: { istio: ingressgateway }
  servers:
  - { port: { number: 80, name: http, protocol: HTTP }, hosts: ["*"] }
  - { port: { number: 443, name: tls, protocol: TLS }, hosts: [ping.bench.test], tls: { mode: PASSTHROUGH } }
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: tcp, namespace: bench }
spec:
  hosts: [ping.bench.test]
  gateways: [istio-system/edge]
  tls:
  - match: [{ port: 443, sniHosts: [ping.bench.test] }]
    route: [{ destination: { host: tcp.bench.svc.cluster.local, port: { number: 443 } } }]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: web, namespace: bench }
spec:
  hosts: [web.bench.test]
  gateways: [istio-system/edge]
  http:
  - match: [{ uri: { prefix: /api }, headers: { x-user: { exact: ann } } }]
    route: [{ destination: { host: web.bench.svc.cluster.local } }]
    headers: { request: { set: { x-route: api } } }
  - route: [{ destination: { host: web.bench.svc.cluster.local } }]
`;
const SOURCES = [{ file: 'gate.yaml', text: YAML, named: true }];
const REQUEST = Buffer.from(
  'GET /api/cart?q=1 HTTP/1.1\r\nHost: web.bench.test\r\nUser-Agent: gate\r\nAccept: */*\r\nX-User: ann\r\nCookie: session=0123456789abcdef\r\n\r\n',
);
const ANSWER = Buffer.from('HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 2\r\n\r\nok');

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

const counts: Count[] = [];
let backends: Awaited<ReturnType<typeof startBackends>>;
/** Keeps what a loop works out alive. */
const sink = { hits: 0 };

/** Bytes of the heap that `operation` takes, without a collection in between. */
async function allocated(times: number, operation: () => void | Promise<void>): Promise<number> {
  for (let left = times; left >= 8; left = Math.floor(left / 2)) {
    collectGarbage();
    const before = process.memoryUsage().heapUsed;
    for (let i = 0; i < left; i++) {
      const pending = operation();
      if (pending !== undefined) await pending;
    }
    const bytes = process.memoryUsage().heapUsed - before;
    // A collection in the middle: once more, with less.
    if (bytes > 0) return bytes / left;
  }
  return 0;
}

async function rounds(name: string, kind: Kind, one: () => Promise<number>): Promise<void> {
  const runs: number[] = [];
  await one();
  for (let round = 0; round < ROUNDS; round++) runs.push(await one());
  counts.push({ name, kind, runs });
}

async function allocations(running: RunningGateway): Promise<void> {
  const http = portOf(running, 80);
  const tls = portOf(running, 443);
  const connection = (): Promise<void> => helloOnce(tls);
  // Code that has not been compiled allocates what compiled code does not.
  for (let i = 0; i < 1500; i++) await connection();
  await rounds('allocated per passthrough connection (both ends included)', 'bytes', () => allocated(150, connection));
  const client = await KeptConnection.open(http);
  const request = (): Promise<void> => client.request();
  for (let i = 0; i < 4000; i++) await request();
  await rounds('allocated per HTTP/1.1 request (both ends included)', 'bytes', () => allocated(300, request));
  client.close();
}

async function copies(running: RunningGateway): Promise<void> {
  const port = portOf(running, 443);
  await rounds('copied per byte downloaded (TCP)', 'copies', async () => {
    const counter = new CopyCounter();
    await download(port);
    return counter.stop() / BULK_BYTES;
  });
}

/** Counts what JavaScript is asked to copy. */
class CopyCounter {
  private bytes = 0;
  private readonly restore: (() => void)[] = [];

  constructor() {
    const count = (length: number): void => {
      this.bytes += length;
    };
    const { concat, from } = Buffer;
    const { set } = Uint8Array.prototype;
    const { copy } = Buffer.prototype;
    Buffer.concat = (list, total) => {
      const whole = concat(list, total);
      count(whole.length);
      return whole;
    };
    Buffer.from = ((value: unknown, ...rest: unknown[]) => {
      if (value instanceof Uint8Array) count(value.length);
      return (from as (...all: unknown[]) => Buffer)(value, ...rest);
    }) as typeof Buffer.from;
    Uint8Array.prototype.set = function (this: Uint8Array, array: ArrayLike<number>, offset?: number) {
      count(array.length);
      set.call(this, array, offset);
    };
    Buffer.prototype.copy = function (this: Buffer, ...all: Parameters<Buffer['copy']>) {
      const copied = copy.apply(this, all);
      count(copied);
      return copied;
    };
    this.restore.push(() => {
      Buffer.concat = concat;
      Buffer.from = from;
      Uint8Array.prototype.set = set;
      Buffer.prototype.copy = copy;
    });
  }

  stop(): number {
    for (const restore of this.restore) restore();
    return this.bytes;
  }
}

async function decisions(): Promise<void> {
  const upstream = parseUpstreamEntry('web.bench.svc.cluster.local', '127.0.0.1:1');
  const { snapshot, servicePorts } = await compile(
    SOURCES,
    { upstreams: upstream === undefined ? [] : [upstream] },
    { stubs: undefined, certificates: new DevelopmentCertificates(undefined), devCerts: false },
  );
  const index = buildSnapshotIndex(snapshot);
  const line = compileAccessLog({ encoding: 'TEXT' });
  if (line.kind === 'refused') throw new Error(line.reason);
  const info = new StreamInfo(1_700_000_000_000);
  info.endTime = 1_700_000_000_012;
  const port = servicePorts.get(80) ?? 80;
  const { cluster } = decide(index, { port, tls: 'plaintext', host: 'web.bench.test', path: '/api/cart' });
  if (cluster !== 'outbound|80||web.bench.svc.cluster.local') throw new Error(`decided for ${cluster} on ${port}`);
  const subjects: readonly [string, number, () => unknown][] = [
    ['ClientHello to server name and ALPN', 20_000, () => new TlsInspector().push(HELLO)],
    [
      'decision of a request, from port to endpoint',
      2000,
      () =>
        decide(index, {
          port,
          tls: 'plaintext',
          host: 'web.bench.test',
          method: 'GET',
          path: '/api/cart',
          headers: { 'x-user': 'ann' },
        }),
    ],
    ['access log line', 4000, () => line.write(info)],
  ];
  for (const [name, operations, run] of subjects) {
    for (let i = 0; i < operations; i++) run();
    const runs: number[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      // The fastest of a few: what the machine does beside us only ever adds.
      let best = Number.POSITIVE_INFINITY;
      for (let take = 0; take < 5; take++) {
        const unit = calibrate();
        const began = process.hrtime.bigint();
        for (let i = 0; i < operations; i++) run();
        best = Math.min(best, Number(process.hrtime.bigint() - began) / operations / unit);
      }
      runs.push(best);
    }
    counts.push({ name: `${name} (in calibrated loops)`, kind: 'ratio', runs });
    const bytes: number[] = [];
    for (let round = 0; round < ROUNDS; round++)
      bytes.push(await allocated(Math.min(operations, 1000), run as () => void));
    counts.push({ name: `allocated per ${name}`, kind: 'bytes', runs: bytes });
  }
}

/** Nanoseconds of 64 steps over bytes and one look into a map: the unit of decisions. */
function calibrate(): number {
  const steps = 20_000;
  const map = new Map([[7, 'seven']]);
  const began = process.hrtime.bigint();
  for (let i = 0; i < steps; i++) {
    let hash = i;
    for (let at = 0; at < 64; at++) hash = Math.imul(hash ^ (HELLO[at] as number), 16_777_619);
    if (map.get(hash & 15) !== undefined) sink.hits++;
  }
  return Number(process.hrtime.bigint() - began) / steps;
}

/** System calls of the real binary; none where there is no strace, or none that may look at another process. */
async function systemCalls(): Promise<void> {
  if (spawnSync('strace', ['-o', '/dev/null', 'true']).status !== 0) {
    process.stderr.write('system calls: not counted, strace is not there or not allowed\n');
    return;
  }
  const folder = mkdtempSync(path.join(tmpdir(), 'postern-gate-'));
  const trace = path.join(folder, 'trace');
  const ready = path.join(folder, 'ready.json');
  writeFileSync(path.join(folder, 'gate.yaml'), YAML);
  const child = spawn(
    'strace',
    [
      ...['-f', '-o', trace, '-e', `trace=${CALLS}`, process.execPath, 'dist/cli/main.js', 'run', folder],
      ...['--port', '80=0', '--port', '443=0', '--admin', 'off', '--access-log', 'off', '--no-watch'],
      ...[
        '--ready-file',
        ready,
        '--drain-time',
        '0s',
        '--upstream',
        `web.bench.svc.cluster.local=127.0.0.1:${backends.http}`,
      ],
      ...['--upstream', `tcp.bench.svc.cluster.local=127.0.0.1:${backends.tcp}`],
    ],
    { stdio: 'ignore' },
  );
  let pid = 0;
  try {
    const ports = await untilReady(ready, child);
    pid = ports.pid;
    const counted = async (run: () => Promise<void>): Promise<number> => {
      await settled(trace);
      const before = linesOf(trace);
      await run();
      await settled(trace);
      return (linesOf(trace) - before) / CONNECTIONS;
    };
    await rounds('system calls per passthrough connection', 'calls', () =>
      counted(async () => {
        for (let i = 0; i < CONNECTIONS; i++) await helloOnce(ports.tls);
      }),
    );
    const client = await KeptConnection.open(ports.http);
    await rounds('system calls per HTTP/1.1 request', 'calls', () =>
      counted(async () => {
        for (let i = 0; i < CONNECTIONS; i++) await client.request();
      }),
    );
    client.close();
  } finally {
    const closed = new Promise((resolve) => child.once('close', resolve));
    // strace leaves alone what it has traced; it ends with it.
    if (pid !== 0) process.kill(pid, 'SIGKILL');
    else child.kill('SIGKILL');
    await closed;
    rmSync(folder, { recursive: true, force: true });
  }
}

async function untilReady(
  file: string,
  child: { readonly exitCode: number | null },
): Promise<{ readonly pid: number; readonly http: number; readonly tls: number }> {
  const deadline = performance.now() + 30_000;
  while (performance.now() < deadline && child.exitCode === null) {
    if (existsSync(file)) {
      try {
        const { pid, listeners } = JSON.parse(readFileSync(file, 'utf8')) as {
          pid: number;
          listeners: { port: number; boundPort: number }[];
        };
        const of = (port: number): number => listeners.find((one) => one.port === port)?.boundPort ?? 0;
        return { pid, http: of(8080) || of(80), tls: of(8443) || of(443) };
      } catch {
        // Half written.
      }
    }
    await wait(20);
  }
  throw new Error('postern did not get ready under strace');
}

/** Resolves when nothing more is being written: the last connections are closed. */
async function settled(file: string): Promise<void> {
  for (let size = -1, next = 0; size !== next; ) {
    size = next;
    await wait(60);
    next = readFileSync(file).length;
  }
}

function linesOf(file: string): number {
  // A call that another thread interrupts takes two lines.
  return readFileSync(file, 'latin1')
    .split('\n')
    .filter((line) => !line.includes('resumed>')).length;
}

function finish(): void {
  const file = 'bench/baselines.json';
  const major = process.versions.node.split('.')[0] ?? '';
  const all = (existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : {}) as Record<
    string,
    Record<string, number>
  >;
  const known = all[major] ?? {};
  let failed = 0;
  const next: Record<string, number> = {};
  for (const { name, kind, runs } of counts) {
    const sorted = [...runs].sort((a, b) => a - b);
    const median = sorted[Math.floor(sorted.length / 2)] ?? 0;
    const noise = median === 0 ? 0 : ((sorted.at(-2) ?? median) - (sorted[1] ?? median)) / median;
    const accepted = known[name];
    const limit = accepted === undefined ? undefined : accepted * (1 + SLACK[kind] + noise);
    const isWorse = limit !== undefined && median > limit && median - (accepted ?? 0) > 0.05;
    if (isWorse) failed++;
    next[name] = Math.round(median * 100) / 100;
    process.stderr.write(
      `${isWorse ? 'WORSE' : accepted === undefined ? 'new  ' : 'ok   '} ${name.padEnd(62)} ${median.toFixed(2).padStart(10)} (noise ${(100 * noise).toFixed(0)} %)${accepted === undefined ? '' : `  accepted ${accepted}, limit ${limit?.toFixed(2)}`}\n`,
    );
  }
  if (process.argv.includes('--accept')) {
    all[major] = next;
    writeFileSync(file, `${JSON.stringify(all, null, 2)}\n`);
  } else if (all[major] === undefined) {
    process.stderr.write(`no baseline for Node ${major}: nothing to compare with (--accept makes one)\n`);
  }
  process.exit(failed > 0 && !process.argv.includes('--accept') ? 1 : 0);
}

async function startBackends(): Promise<{ readonly http: number; readonly tcp: number }> {
  const listen = (serve: (socket: net.Socket) => void): Promise<number> =>
    new Promise((resolve) => {
      const server = net.createServer({ noDelay: true }, (socket) => {
        socket.on('error', () => socket.destroy());
        serve(socket);
      });
      server.unref();
      server.listen(0, '127.0.0.1', () => resolve((server.address() as net.AddressInfo).port));
    });
  return {
    http: await listen((socket) => socket.on('data', () => socket.write(ANSWER))),
    // A hello is answered shortly, a hello with one byte more by a download.
    tcp: await listen((socket) => {
      socket.once('data', (chunk: Buffer) => {
        if (chunk.length === HELLO.length) {
          socket.write(REPLY);
          return;
        }
        let left = BULK_BYTES;
        const more = (): void => {
          while (left > 0) {
            left -= BULK.length;
            if (!socket.write(BULK)) return;
          }
          socket.end();
        };
        socket.on('drain', more);
        more();
      });
    }),
  };
}

function portOf(running: RunningGateway, port: number): number {
  const bound = running.listeners.find((listener) => listener.port === (running.servicePorts.get(port) ?? port));
  if (bound === undefined) throw new Error(`no listener on ${port}`);
  return bound.boundPort;
}

function helloOnce(port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = net.connect({ port, host: '127.0.0.1', noDelay: true, autoSelectFamily: false });
    socket.write(HELLO);
    socket.on('data', () => socket.end());
    socket.on('error', reject);
    socket.on('close', () => resolve());
  });
}

function download(port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    let got = 0;
    const buffer = Buffer.alloc(1024 * 1024);
    const socket = net.connect({
      port,
      host: '127.0.0.1',
      onread: {
        buffer,
        callback: (length) => {
          got += length;
          return true;
        },
      },
    });
    socket.write(Buffer.concat([HELLO, Buffer.from('.')]));
    socket.on('error', reject);
    socket.on('end', () => socket.end());
    socket.on('close', () => (got === BULK_BYTES ? resolve() : reject(new Error(`${got} bytes`))));
  });
}

class KeptConnection {
  private readonly socket: net.Socket;
  private answered: (() => void) | undefined = undefined;

  private constructor(socket: net.Socket) {
    this.socket = socket;
    socket.on('data', () => this.answered?.());
  }

  static open(port: number): Promise<KeptConnection> {
    return new Promise((resolve, reject) => {
      const socket = net.connect(port, '127.0.0.1', () => resolve(new KeptConnection(socket)));
      socket.once('error', reject);
    });
  }

  request(): Promise<void> {
    return new Promise((resolve) => {
      this.answered = resolve;
      this.socket.write(REQUEST);
    });
  }

  close(): void {
    this.socket.destroy();
  }
}

async function main(): Promise<void> {
  backends = await startBackends();
  const gateway = await runGateway({
    sources: SOURCES,
    anyPort: true,
    upstreams: ['web.bench.svc.cluster.local', 'tcp.bench.svc.cluster.local'].flatMap((host, i) => {
      const entry = parseUpstreamEntry(host, `127.0.0.1:${i === 0 ? backends.http : backends.tcp}`);
      return entry === undefined ? [] : [entry];
    }),
  });
  await allocations(gateway);
  await copies(gateway);
  await gateway.close();
  await decisions();
  await systemCalls();
  finish();
}

await main();
