// The fault suite with figures: fifty connections × every fault over HTTP/1.1 and HTTP/2 on both sides, three rounds;
// slow clients beside others that want an answer; 9,000 idle passthrough connections from another process.
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import net from 'node:net';
import { setTimeout as wait } from 'node:timers/promises';
import t from 'tap';
import { startGatewayProcess } from '../support/client-gateway.js';
import { clientHello } from '../support/client-hello.js';
import {
  type FaultResult,
  footprint,
  runClientFaults,
  runUpstreamFault,
  settle,
  startFaultWorld,
  UPSTREAM_FAULTS,
} from '../support/fault-suite.js';

t.setTimeout(840_000);
const CONNECTIONS = 50;
const IDLE = 9000;

await t.test(`${CONNECTIONS} connections × every fault, three rounds`, async (t) => {
  const world = await startFaultWorld();
  const start = footprint(world);
  const slowest = new Map<string, number>();
  let faults = 0;
  const note = ({ label, wrong, slowest: took }: FaultResult): void => {
    faults++;
    slowest.set(label, Math.max(slowest.get(label) ?? 0, took));
    t.same(wrong, [], label);
  };
  const rounds: ReturnType<typeof footprint>[] = [];
  for (let round = 0; round < 3; round++) {
    for (const downstream of ['h1', 'h2'] as const) {
      for (const fault of UPSTREAM_FAULTS) note(await runUpstreamFault(world, fault, downstream, CONNECTIONS, round));
      for (const upstream of ['h1', 'h2'] as const)
        for (const result of await runClientFaults(world, downstream, upstream, CONNECTIONS, round)) note(result);
    }
    rounds.push(await settle(world, start.descriptors));
  }
  t.comment(`${faults} times ${CONNECTIONS} connections`);
  t.comment(`at the start ${JSON.stringify(start)}, after each round ${JSON.stringify(rounds)}`);
  for (const [label, took] of [...slowest].sort((a, b) => b[1] - a[1]).slice(0, 8))
    t.comment(`${Math.round(took)} ms: ${label}`);
  for (const { descriptors } of rounds) t.equal(descriptors, start.descriptors, 'all descriptors are back');
  const [first, , last] = rounds;
  t.ok((last?.memory ?? 0) - (first?.memory ?? 0) < 60, 'memory does not grow from round to round');

  // Slow clients: they send a byte now and then, and nobody else waits for them.
  const slow = Array.from({ length: 500 }, (_, i) => {
    const socket = net.connect(world.port, '127.0.0.1');
    socket.on('error', () => {});
    // Of HTTP/2 the preface has to come at once, and then half a header block that is never finished.
    if (i % 2 === 1)
      socket.write('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0\0\x20\0\x01\0\0\0\0\x01', 'latin1');
    const text = i % 2 === 0 ? 'GET / HTTP/1.1\r\nhost: a.test\r\nx: ' : '\x82';
    let at = 0;
    const timer = setInterval(() => socket.write(text[Math.min(at++, text.length - 1)] as string, 'latin1'), 50);
    socket.on('close', () => clearInterval(timer));
    return socket;
  });
  await wait(2500);
  const latencies: number[] = [];
  for (let i = 0; i < 20; i++) {
    const { wrong, slowest: took } = await runUpstreamFault(world, UPSTREAM_FAULTS[0] as never, 'h1', 1, 100 + i);
    t.same(wrong, []);
    latencies.push(took);
  }
  const during = footprint(world);
  for (const socket of slow) socket.destroy();
  const afterwards = await settle(world, start.descriptors);
  latencies.sort((a, b) => a - b);
  t.comment(
    `500 slow clients: ${JSON.stringify(during)}, others answered in ${Math.round(latencies[10] as number)} ms (median), ${Math.round(latencies[19] as number)} ms (slowest); then ${JSON.stringify(afterwards)}`,
  );
  t.ok((latencies[19] as number) < 2000);
  t.equal(afterwards.descriptors, start.descriptors, 'all descriptors are back');
  t.same(await world.stop(), { code: 0, errors: '' }, 'it ended well, and had no errors of its own');
});

// Upstream and clients of passthrough in one process of their own: a line for each step, driven by lines on its stdin.
const LOAD = `
const net = require('node:net');
const [port, count, hello] = [Number(process.argv[1]), Number(process.argv[2]), Buffer.from(process.argv[3], 'base64')];
const sockets = [];
let lost = 0;
const open = (n) => new Promise((resolve) => {
  const socket = net.connect({ port, host: '127.0.0.1' }, () => socket.write(hello));
  socket.once('data', () => resolve());
  socket.on('error', () => resolve());
  socket.on('close', () => { lost++; });
  sockets.push(socket);
});
(async () => {
  for (let from = 0; from < count; from += 200) await Promise.all(Array.from({ length: 200 }, open));
  console.log('open ' + sockets.filter((one) => !one.destroyed).length);
})();
process.stdin.on('data', async (line) => {
  if (String(line).startsWith('ping')) {
    let back = 0;
    await Promise.all(sockets.map((one) => new Promise((resolve) => {
      one.once('data', () => { back++; resolve(); });
      one.once('close', resolve);
      one.write('x');
    })));
    console.log('back ' + back + ', lost ' + lost);
  } else process.exit();
});
`;

await t.test(`${IDLE} idle passthrough connections`, async (t) => {
  const accepted = new Set<net.Socket>();
  const upstream = net.createServer((socket) => {
    accepted.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => accepted.delete(socket));
    socket.on('data', () => socket.write('!'));
  });
  await new Promise<void>((resolve) => upstream.listen({ port: 0, host: '127.0.0.1', backlog: 1024 }, resolve));
  const { port } = upstream.address() as net.AddressInfo;
  const gateway = await startGatewayProcess(`apiVersion: networking.istio.io/v1
kind: Gateway
metadata: { name: edge, namespace: istio-system }
spec:
  selector: { istio: ingressgateway }
  servers:
  - port: { number: 443, name: tls, protocol: TLS }
    hosts: ["p.example.com"]
    tls: { mode: PASSTHROUGH }
  - port: { number: 80, name: http, protocol: HTTP }
    hosts: ["*"]
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: raw, namespace: demo }
spec:
  hosts: [raw.up]
  ports: [{ number: 443, name: tls, protocol: TLS }]
  resolution: STATIC
  location: MESH_EXTERNAL
  endpoints: [{ address: 127.0.0.1, ports: { tls: ${port} } }]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: raw, namespace: demo }
spec:
  hosts: [p.example.com]
  gateways: [istio-system/edge]
  tls:
  - match: [{ sniHosts: [p.example.com] }]
    route: [{ destination: { host: raw.up, port: { number: 443 } } }]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: web, namespace: demo }
spec:
  hosts: ["*"]
  gateways: [istio-system/edge]
  http:
  - directResponse: { status: 200 }
`);
  const before = footprint({ gateway });
  const hello = clientHello({ serverName: 'p.example.com' }).toString('base64');
  const load = spawn(process.execPath, ['-e', LOAD, String(gateway.secure), String(IDLE), hello]);
  let said = '';
  load.stdout.setEncoding('utf8').on('data', (text: string) => {
    said += text;
  });
  const ended = new Promise<void>((resolve) => load.once('close', () => resolve()));
  const hears = async (pattern: RegExp): Promise<string> => {
    for (let i = 0; i < 2400 && !pattern.test(said); i++) await wait(100);
    return pattern.exec(said)?.[0] ?? said;
  };
  const from = performance.now();
  t.equal(await hears(/open \d+/), `open ${IDLE}`);
  const opening = performance.now() - from;
  const during = footprint({ gateway });
  const ticks = cpuTicks(gateway.pid);
  await wait(3000);
  const idle = cpuTicks(gateway.pid) - ticks;
  const asked = performance.now();
  const answer = await fetch(`http://127.0.0.1:${gateway.plain}/`, { headers: { connection: 'close' } });
  await answer.arrayBuffer();
  const latency = performance.now() - asked;
  load.stdin.write('ping\n');
  t.equal(await hears(/back .*/), `back ${IDLE}, lost 0`, 'all of them still pass bytes');
  load.stdin.write('end\n');
  await ended;
  let afterwards = footprint({ gateway });
  for (let i = 0; i < 600 && (afterwards.descriptors > before.descriptors || accepted.size > 0); i++) {
    await wait(50);
    afterwards = footprint({ gateway });
  }
  t.comment(
    `${IDLE} opened in ${Math.round(opening)} ms; before ${JSON.stringify(before)}, with them ${JSON.stringify(during)} (${(((during.memory - before.memory) * 1024) / IDLE).toFixed(1)} KiB each), afterwards ${JSON.stringify(afterwards)}`,
  );
  t.comment(
    `idle: ${idle} hundredths of a second of work in three seconds; a request was answered in ${Math.round(latency)} ms`,
  );
  t.ok(during.descriptors >= before.descriptors + 2 * IDLE);
  t.equal(afterwards.descriptors, before.descriptors, 'all descriptors are back');
  t.equal(accepted.size, 0, 'the upstream has none left');
  t.ok(idle < 60, 'idle connections cost no work');
  t.ok(during.memory - before.memory < 400, 'memory is bounded');
  t.same(await gateway.stop(), { code: 0, errors: '' }, 'it ended well, and had no errors of its own');
  upstream.close();
});

function cpuTicks(pid: number | undefined): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(' ');
  return Number(fields[13]) + Number(fields[14]);
}
