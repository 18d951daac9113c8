// Reload: what stays, what drains, what fails without harm (spec dataplane.md §1.7, gateway.md §8.6, style P10).
import net from 'node:net';
import tls from 'node:tls';
import t, { type TAP } from 'tap';
import type { Environment } from '../../src/dataplane/environment.js';
import type { Snapshot } from '../../src/xds/index.js';
import {
  chain,
  type DataPlane,
  endpoint,
  listener,
  loopbackEnvironment,
  ManualTime,
  snapshot,
  startDataPlane,
  startRecorder,
  tlsSecret,
  until,
} from '../support/data-plane.js';

const secrets = { a: tlsSecret('a'), b: tlsSecret('b') };

function connect(port: number, servername: string): Promise<tls.TLSSocket> {
  return new Promise((resolve, reject) => {
    const socket = tls.connect({ port, host: '127.0.0.1', servername, rejectUnauthorized: false }, () =>
      resolve(socket),
    );
    socket.once('error', reject);
  });
}

function subjectOf(socket: tls.TLSSocket): string {
  const { CN } = socket.getPeerCertificate().subject;
  socket.destroy();
  return CN;
}

function ask(socket: net.Socket): Promise<string> {
  return new Promise((resolve, reject) => {
    socket.once('error', reject);
    socket.once('data', (chunk) => resolve(chunk.toString()));
    socket.write('ping');
  });
}

function https(chains: Readonly<Record<string, string>>, more: Partial<Snapshot> = {}): Snapshot {
  const list = Object.entries(chains).map(([name, certificate]) =>
    chain({ names: [name], certificates: [certificate] }),
  );
  return { ...snapshot({ listeners: [listener(8443, list)], secrets }), ...more };
}

t.test('chains that are the same keep their connections, others drain and end', async (t) => {
  const time = new ManualTime();
  const plane = await startDataPlane(https({ 'a.example.com': 'a', 'b.example.com': 'a' }), loopbackEnvironment(time));
  t.teardown(() => plane.close());
  const port = plane.port();
  const a = await connect(port, 'a.example.com');
  const b = await connect(port, 'b.example.com');
  await until(() => plane.http.accepted.length === 2, 'both accepted');
  const drained: string[] = [];
  for (const accepted of plane.http.accepted) accepted.onDrain(() => drained.push(accepted.chain.label));
  t.same(await plane.reload(https({ 'a.example.com': 'a', 'b.example.com': 'b', 'c.example.com': 'a' })), {
    bound: [{ name: '0.0.0.0_8443', port: 8443, address: '127.0.0.1', boundPort: port }],
    failed: [],
  });
  t.same(drained, ['test/b.example.com']);
  t.same(
    plane.http.accepted.map((accepted) => accepted.isDraining()),
    [false, true],
  );
  t.equal(subjectOf(await connect(port, 'b.example.com')), 'b.example.com', 'new connections get the new certificate');
  t.equal(subjectOf(await connect(port, 'c.example.com')), 'a.example.com');
  const ended = new Promise<void>((resolve) => b.once('close', () => resolve()));
  b.resume();
  time.advance(45_000);
  await ended;
  t.match(await ask(a), /200 OK/, 'the other one lives on');
  a.destroy();
});

t.test('a Secret that changes serves new handshakes at once; one that vanishes stays in use', async (t) => {
  const plane = await startDataPlane(https({ 'a.example.com': 'a' }));
  t.teardown(() => plane.close());
  const open = await connect(plane.port(), 'a.example.com');
  await plane.reload(https({ 'a.example.com': 'a' }, { secrets: { a: tlsSecret('b') } }));
  t.equal(subjectOf(await connect(plane.port(), 'a.example.com')), 'b.example.com');
  await plane.reload(https({ 'a.example.com': 'a' }, { secrets: {} }));
  t.equal(subjectOf(await connect(plane.port(), 'a.example.com')), 'b.example.com', 'deleted');
  await plane.reload(https({ 'a.example.com': 'a' }, { secrets: { a: { kind: 'refused', reason: 'x' } } }));
  t.equal(subjectOf(await connect(plane.port(), 'a.example.com')), 'b.example.com', 'refused');
  t.match(await ask(open), /200 OK/, 'the old connection lives');
  open.destroy();
});

t.test('a listener that Envoy refuses keeps its version; a removed one stops accepting', async (t) => {
  const plane = await startDataPlane(https({ 'a.example.com': 'a' }));
  t.teardown(() => plane.close());
  const port = plane.port();
  const open = await connect(port, 'a.example.com');
  const [entry] = https({ 'b.example.com': 'b' }).listeners;
  await plane.reload({ ...https({}), listeners: [{ ...entry, name: '0.0.0.0_8443', state: 'error', error: 'no' }] });
  t.equal(plane.port(), port);
  t.equal(subjectOf(await connect(port, 'a.example.com')), 'a.example.com');
  await plane.reload({ ...https({}), listeners: [] });
  t.same(plane.manager.bound, []);
  await t.rejects(connect(port, 'a.example.com'), { code: 'ECONNREFUSED' });
  t.match(await ask(open), /200 OK/, 'its connections drain');
  open.destroy();
});

t.test('a port that cannot be bound changes nothing', async (t) => {
  const taken = net.createServer();
  await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve));
  const busy = (taken.address() as net.AddressInfo).port;
  const base = loopbackEnvironment();
  const bound: net.Server[] = [];
  const environment: Environment = {
    ...base,
    listen: (server, address) => {
      if (address.port !== busy) {
        bound.push(server);
        return base.listen(server, address);
      }
      return new Promise((_resolve, reject) => {
        server.once('error', reject);
        server.listen(busy, '127.0.0.1');
      });
    },
  };
  const plane = await startDataPlane(https({ 'a.example.com': 'a' }), environment);
  t.teardown(async () => {
    await plane.close();
    taken.close();
  });
  const before = plane.running;
  const report = await plane.reload(
    snapshot({
      listeners: [listener(9001, [chain({})]), listener(busy, [chain({})]), listener(8443, [chain({})])],
      secrets,
    }),
  );
  t.match(report.failed, [{ name: `0.0.0.0_${busy}`, port: busy, address: '0.0.0.0', code: 'EADDRINUSE' }]);
  t.match(report.failed[0]?.tried, /^127\.0\.0\.1:\d+$/);
  t.equal(plane.running, before, 'the running snapshot stays');
  t.same(
    report.bound.map(({ name }) => name),
    ['0.0.0.0_8443'],
  );
  t.equal(subjectOf(await connect(plane.port(), 'a.example.com')), 'a.example.com');
  t.equal(bound.at(-1)?.listening, false, 'what was bound on the way is closed');
});

t.test('wildcard and specific address on one port: the specific one wins', async (t) => {
  const free = await freePort();
  const base = loopbackEnvironment();
  const environment: Environment = {
    ...base,
    listen: (server, address) =>
      new Promise((resolve, reject) => {
        server.once('error', reject);
        server.listen({ host: address.host, port: free }, () => {
          server.off('error', reject);
          resolve({ address: address.host, port: free });
        });
      }),
  };
  const both = (first: string, second: string): Snapshot =>
    snapshot({
      listeners: [
        listener(7001, [chain({ cluster: first })]),
        listener(7001, [chain({ cluster: second })], { address: '127.0.0.3' }),
      ],
      clusters: { wild: [endpoint(wild.port)], three: [endpoint(three.port)] },
    });
  const wild = await startRecorder((socket) => void socket.end('wild'));
  const three = await startRecorder((socket) => void socket.end('three'));
  const specific = snapshot({
    listeners: [listener(7001, [chain({ cluster: 'three' })], { address: '127.0.0.3' })],
    clusters: { three: [endpoint(three.port)] },
  });
  const plane = await startDataPlane(specific, environment);
  t.teardown(async () => {
    await plane.close();
    await wild.close();
    await three.close();
  });
  t.equal(await read(free, '127.0.0.3'), 'three');
  t.same((await plane.reload(both('wild', 'three'))).failed, [], 'the wildcard appears');
  t.equal(await read(free, '127.0.0.3'), 'three');
  t.equal(await read(free, '127.0.0.1'), 'wild');
  await plane.reload(
    snapshot({ listeners: [listener(7001, [chain({ cluster: 'wild' })])], clusters: { wild: [endpoint(wild.port)] } }),
  );
  t.equal(await read(free, '127.0.0.3'), 'wild', 'the specific one is gone');
});

t.test('drain says so, close ends everything', async (t) => {
  const plane = await startDataPlane(https({ 'a.example.com': 'a' }));
  const socket = await connect(plane.port(), 'a.example.com');
  socket.on('error', () => {});
  socket.resume();
  await until(() => plane.http.accepted.length === 1, 'accepted');
  plane.manager.drain();
  t.equal(plane.http.accepted[0]?.isDraining(), true);
  t.equal(
    subjectOf(await connect(plane.port(), 'a.example.com')),
    'a.example.com',
    'new connections are still accepted',
  );
  const ended = new Promise<void>((resolve) => socket.once('close', () => resolve()));
  await plane.close();
  await ended;
  t.equal(plane.manager.connectionCount, 0);
});

t.test('idle connections through reloads: none is lost, nothing grows', async (t) => {
  await checkIdle(t, 40, 20);
});

async function checkIdle(
  t: { equal: TAP['equal']; ok: TAP['ok'] },
  connections: number,
  reloads: number,
): Promise<void> {
  const plane: DataPlane = await startDataPlane(https({ 'a.example.com': 'a', 'x.example.com': 'b' }));
  const open = await Promise.all(Array.from({ length: connections }, () => connect(plane.port(), 'a.example.com')));
  for (let i = 0; i < reloads; i++) await plane.reload(https({ 'a.example.com': 'a', [`x${i}.example.com`]: 'b' }));
  t.equal(plane.manager.connectionCount, connections);
  const answers = await Promise.all(open.map(ask));
  t.ok(answers.every((answer) => answer.includes('200 OK')));
  for (const socket of open) socket.destroy();
  await until(() => plane.manager.connectionCount === 0, 'all closed');
  await plane.close();
}

async function freePort(): Promise<number> {
  const server = net.createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as net.AddressInfo;
  await new Promise<void>((resolve) => server.close(() => resolve()));
  return port;
}

function read(port: number, host: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = '';
    const socket = net.connect({ port, host });
    socket.once('error', reject);
    socket.on('data', (chunk) => {
      text += chunk;
    });
    socket.once('end', () => resolve(text));
  });
}
