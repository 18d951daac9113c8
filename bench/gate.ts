// The regression gate: `npm run gate`, a part of continuous integration. Counts and ratios, never times: bytes allocated
// and copied per connection and per request, system calls where strace is there, the price of decisions beside a loop that
// does nothing of ours. What is worse than bench/baselines.json by more than its own noise fails. `--accept` takes what
// was measured as the new baseline of this Node (review the diff as code).
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { type RunningGateway, runGateway } from '../src/gateway/run.js';
import { TlsInspector } from '../src/match/inspect/tls-inspector.js';
import { accessLogLine, decisionsOf, upstreamMappings } from './decision-subjects.js';
import { allocated, CopyCounter, inCalibratedLoops, outlived } from './gate-counters.js';
import { startTraced } from './gate-system-calls.js';
import {
  BULK_BYTES,
  download,
  type GateBackends,
  gateYaml,
  HELLO,
  handshakeOnce,
  helloOnce,
  type KeptConnection,
  keepHttp1,
  keepHttp2,
  startGateBackends,
} from './gate-traffic.js';
import { type Baseline, baselineOf, type Count, judge, type Kind, renderVerdict, unmeasured } from './gate-verdict.js';

const ROUNDS = 5;
const TRACED = 50;
const BASELINES = 'bench/baselines.json';

const counts: Count[] = [];

async function rounds(name: string, kind: Kind, one: () => number | Promise<number>): Promise<void> {
  const runs: number[] = [];
  await one();
  for (let round = 0; round < ROUNDS; round++) runs.push(await one());
  counts.push({ name, kind, runs });
}

/** Both ends are in this process, so both count. Code that has not been compiled allocates what compiled code does not. */
async function traffic(what: string, warmUp: number, times: number, one: () => Promise<void>): Promise<void> {
  for (let i = 0; i < warmUp; i++) await one();
  await rounds(`allocated per ${what}`, 'bytes', () => allocated(times, one));
  await rounds(`outliving the young generation per ${what}`, 'kept', () => outlived(times, one));
  await rounds(`copied per ${what}`, 'bytes', async () => {
    const counter = new CopyCounter();
    for (let i = 0; i < times; i++) await one();
    return counter.stop() / times;
  });
}

async function served(running: RunningGateway): Promise<void> {
  const http = portOf(running, 80);
  const tls = portOf(running, 443);
  await traffic('passthrough connection', 1500, 150, () => helloOnce(tls));
  await traffic('TLS handshake with a request', 300, 50, () => handshakeOnce(tls));
  for (const [what, keep] of [
    ['HTTP/1.1 request', keepHttp1],
    ['HTTP/2 request', keepHttp2],
  ] as const) {
    const client = await keep(http);
    await traffic(what, 3000, 300, () => client.request());
    client.close();
  }
  await rounds('copied per byte downloaded (TCP)', 'copies', async () => {
    const counter = new CopyCounter();
    await download(tls);
    return counter.stop() / BULK_BYTES;
  });
}

/** Of what takes no socket: its price in calibrated loops and in bytes. */
async function decisions(yaml: string): Promise<void> {
  for (const [name, operations, run] of [
    ['ClientHello to server name and ALPN', 20_000, () => new TlsInspector().push(HELLO)],
    ['decision of a request, from port to endpoint', 2000, (await decisionsOf(yaml)).request],
    ['access log line', 4000, accessLogLine()],
  ] as const) {
    for (let i = 0; i < operations; i++) run();
    await rounds(`${name} (in calibrated loops)`, 'ratio', () => inCalibratedLoops(operations, run));
    await rounds(`allocated per ${name}`, 'bytes', () => allocated(operations, () => void run()));
  }
}

async function systemCalls(yaml: string, backends: GateBackends): Promise<void> {
  const traced = await startTraced(yaml, backends);
  if (traced === undefined) {
    process.stderr.write('system calls: not counted, strace is not there or not allowed\n');
    return;
  }
  const per = (what: string, one: () => Promise<void>): Promise<void> =>
    rounds(`system calls per ${what}`, 'calls', async () => {
      const calls = await traced.count(async () => {
        for (let i = 0; i < TRACED; i++) await one();
      });
      return calls / TRACED;
    });
  try {
    await per('passthrough connection', () => helloOnce(traced.tls));
    await per('TLS handshake with a request', () => handshakeOnce(traced.tls));
    await perRequest('HTTP/1.1 request', await keepHttp1(traced.http), per);
    await perRequest('HTTP/2 request', await keepHttp2(traced.http), per);
  } finally {
    await traced.close();
  }
}

async function perRequest(
  what: string,
  client: KeptConnection,
  per: (what: string, one: () => Promise<void>) => Promise<void>,
): Promise<void> {
  await per(what, () => client.request());
  client.close();
}

/** Prints the table; returns the exit code. */
function conclude(accept: boolean): number {
  const major = process.versions.node.split('.')[0] ?? '';
  const all = (existsSync(BASELINES) ? JSON.parse(readFileSync(BASELINES, 'utf8')) : {}) as Record<string, Baseline>;
  const baseline = all[major];
  const verdicts = judge(counts, baseline ?? {});
  for (const verdict of verdicts) process.stderr.write(`${renderVerdict(verdict)}\n`);
  for (const name of unmeasured(counts, baseline ?? {})) process.stderr.write(`not measured: ${name}\n`);
  if (accept) {
    // What could not be counted here stays as it was.
    all[major] = { ...baseline, ...baselineOf(counts) };
    writeFileSync(BASELINES, `${JSON.stringify(all, null, 2)}\n`);
    return 0;
  }
  if (baseline === undefined)
    process.stderr.write(`NO BASELINE for Node ${major}: nothing was compared (npm run gate -- --accept makes one)\n`);
  const worse = verdicts.filter(({ outcome }) => outcome === 'worse').length;
  const better = verdicts.filter(({ outcome }) => outcome === 'better').length;
  if (worse > 0) process.stderr.write(`${worse} worse than accepted for Node ${major}\n`);
  if (better > 0) process.stderr.write(`${better} better: npm run gate -- --accept keeps it so\n`);
  return worse > 0 ? 1 : 0;
}

function portOf(running: RunningGateway, port: number): number {
  const bound = running.listeners.find((listener) => listener.port === (running.servicePorts.get(port) ?? port));
  if (bound === undefined) throw new Error(`no listener on ${port}`);
  return bound.boundPort;
}

const yaml = await gateYaml();
const backends = await startGateBackends();
const gateway = await runGateway({
  sources: [{ file: 'gate.yaml', text: yaml, named: true }],
  anyPort: true,
  upstreams: upstreamMappings(backends),
});
await served(gateway);
await gateway.close();
await decisions(yaml);
await systemCalls(yaml, backends);
process.exit(conclude(process.argv.includes('--accept')));
