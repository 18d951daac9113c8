// TCP proxy: flags, half-close, back-pressure, resets, idle timeout (spec dataplane.md §6).
import { createHash } from 'node:crypto';
import net from 'node:net';
import { Duplex } from 'node:stream';
import tls from 'node:tls';
import t from 'tap';
import { counter } from '../../src/dataplane/telemetry/stats.js';
import type { StreamInfo } from '../../src/dataplane/telemetry/stream-info.js';
import { clientHello } from '../support/client-hello.js';
import {
  chain,
  cluster,
  type DataPlane,
  endpoint,
  listener,
  loopbackEnvironment,
  ManualTime,
  rawCall,
  snapshot,
  startDataPlane,
  startRecorder,
  tlsSecret,
  until,
} from '../support/data-plane.js';

const secrets = { a: tlsSecret('a') };

async function freePort(): Promise<number> {
  const server = net.createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as net.AddressInfo;
  await new Promise<void>((resolve) => server.close(() => resolve()));
  return port;
}

async function nextLine(plane: DataPlane, count: number): Promise<StreamInfo> {
  await until(() => plane.log.length >= count, `log line ${count}`);
  const line = plane.log[count - 1];
  if (line === undefined) throw new Error('no line');
  return line;
}

t.test('no upstream: flags, and how the client is closed', async (t) => {
  const dead = await freePort();
  const limits = { max_connections: 0, max_pending_requests: 1, max_requests: 1, max_retries: 1 };
  const names = ['nocluster', 'nohost', 'refused', 'full'];
  const plane = await startDataPlane(
    snapshot({
      listeners: [
        listener(8443, [
          ...names.map((name) => chain({ names: [`${name}.example.com`], cluster: name })),
          ...names.map((name) => chain({ names: [`tls-${name}.example.com`], certificates: ['a'], cluster: name })),
        ]),
        listener(9000, [chain({ cluster: 'nohost' })]),
      ],
      clusterConfigs: [
        cluster('nohost'),
        cluster('refused'),
        cluster('full', { circuit_breakers: { thresholds: [limits] } }),
      ],
      clusters: { nohost: [], refused: [endpoint(dead)], full: [endpoint(dead)] },
      secrets,
    }),
  );
  t.teardown(() => plane.close());
  const wanted = { nocluster: 'NC', nohost: 'UH', refused: 'UF,URX', full: 'UO' } as const;
  let lines = 0;
  for (const [name, flags] of Object.entries(wanted)) {
    const outcome = await rawCall(
      plane.port('0.0.0.0_8443'),
      [clientHello({ serverName: `${name}.example.com` })],
      2000,
    );
    t.equal(outcome.closed, 'reset', `passthrough ${name}`);
    t.equal(outcome.received.length, 0);
    const line = await nextLine(plane, ++lines);
    t.equal(line.flags.join(), flags);
    t.equal(line.upstreamCluster, name === 'nocluster' ? '' : name);
    if (name === 'refused') {
      t.equal(line.upstreamHost, `127.0.0.1:${dead}`);
      t.equal(line.upstreamTransportFailureReason, 'delayed connect error: Connection refused');
    }
  }
  for (const name of ['nocluster', 'nohost']) {
    const outcome = await rawCall(
      plane.port('0.0.0.0_8443'),
      [clientHello({ serverName: `tls-${name}.example.com` })],
      2000,
    );
    t.match(outcome, { closed: 'fin' }, `TLS ends here, ${name}`);
    t.equal(outcome.received.length, 0, 'not even a TLS byte');
    t.match((await nextLine(plane, ++lines)).downstreamTransportFailureReason, /CONNECTION_REJECTED/);
  }
  t.equal((await rawCall(plane.port('0.0.0.0_9000'), [], 2000)).closed, 'fin', 'silent client of a plain TCP port');
  t.equal((await nextLine(plane, ++lines)).flags.join(), 'UH');
  await t.test('refused while the client shakes hands: it finishes and reads the end', (t) => {
    const socket = tls.connect({
      port: plane.port('0.0.0.0_8443'),
      host: '127.0.0.1',
      servername: 'tls-refused.example.com',
      rejectUnauthorized: false,
      minVersion: 'TLSv1.3',
    });
    let done = false;
    socket.once('secureConnect', () => {
      done = true;
    });
    socket.on('error', () => {});
    socket.resume();
    socket.once('close', () => {
      t.equal(done, true);
      t.end();
    });
  });
});

t.test('half-close goes through in both directions', async (t) => {
  // Answers only after the client's FIN, then ends.
  const upstream = await startRecorder((socket) => {
    let sum = 0;
    socket.on('data', (chunk) => {
      sum += chunk.length;
    });
    socket.once('end', () => socket.end(`got ${sum}`));
  });
  const plane = await startDataPlane(
    snapshot({
      listeners: [
        listener(9000, [chain({ cluster: 'up' })]),
        listener(8443, [chain({ names: ['t.example.com'], certificates: ['a'], cluster: 'up' })]),
      ],
      clusters: { up: [endpoint(upstream.port)] },
      secrets,
    }),
  );
  t.teardown(async () => {
    await plane.close();
    await upstream.close();
  });
  const answer = (socket: net.Socket): Promise<string> =>
    new Promise((resolve, reject) => {
      let text = '';
      socket.once('error', reject);
      socket.on('data', (chunk) => {
        text += chunk;
      });
      socket.once('end', () => resolve(text));
      socket.end('hello');
    });
  t.equal(
    await answer(net.connect({ port: plane.port('0.0.0.0_9000'), host: '127.0.0.1', allowHalfOpen: true })),
    'got 5',
  );
  t.match(await nextLine(plane, 1), { bytesReceived: 5, bytesSent: 5, flags: [] });
  const secure = tls.connect({
    port: plane.port('0.0.0.0_8443'),
    host: '127.0.0.1',
    servername: 't.example.com',
    rejectUnauthorized: false,
    allowHalfOpen: true,
  } as tls.ConnectionOptions);
  await new Promise<void>((resolve) => secure.once('secureConnect', resolve));
  t.equal(await answer(secure), 'got 5', 'through TLS');
});

t.test('a reset of the client reaches the upstream as a reset', async (t) => {
  const errors: string[] = [];
  const upstream = net.createServer({ allowHalfOpen: true }, (socket) => {
    socket.on('error', (error: NodeJS.ErrnoException) => errors.push(error.code ?? ''));
    socket.write('up');
  });
  await new Promise<void>((resolve) => upstream.listen(0, '127.0.0.1', resolve));
  const plane = await startDataPlane(
    snapshot({
      listeners: [listener(9000, [chain({ cluster: 'up' })])],
      clusters: { up: [endpoint((upstream.address() as net.AddressInfo).port)] },
    }),
  );
  t.teardown(async () => {
    await plane.close();
    upstream.close();
  });
  const socket = net.connect({ port: plane.port(), host: '127.0.0.1' });
  await new Promise((resolve) => socket.once('data', resolve));
  socket.resetAndDestroy();
  await until(() => errors.length > 0, 'the upstream sees it');
  t.same(errors, ['ECONNRESET']);
});

t.test('an upstream that ends during the handshake ends the client after it', async (t) => {
  const upstream = await startRecorder((socket) => socket.end());
  const plane = await startDataPlane(
    snapshot({
      listeners: [listener(8443, [chain({ certificates: ['a'], cluster: 'up' })])],
      clusters: { up: [endpoint(upstream.port)] },
      secrets,
    }),
  );
  t.teardown(async () => {
    await plane.close();
    await upstream.close();
  });
  const raw = net.connect({ port: plane.port(), host: '127.0.0.1' });
  // Holds back what the gateway says until the upstream has been dialled and is gone.
  const held = new Duplex({ read: () => {}, write: (chunk, _encoding, done) => void raw.write(chunk, () => done()) });
  raw.once('data', async (chunk) => {
    await until(() => upstream.connections[0] !== undefined, 'the upstream is dialled');
    await new Promise((resolve) => setTimeout(resolve, 20));
    held.push(chunk);
    raw.on('data', (later) => held.push(later));
  });
  raw.once('end', () => held.push(null));
  const socket = tls.connect({ socket: held, rejectUnauthorized: false });
  socket.on('error', () => {});
  socket.resume();
  await new Promise((resolve) => socket.once('secureConnect', resolve));
  await new Promise((resolve) => socket.once('end', resolve));
  t.pass('end');
});

t.test('megabytes both ways through slow readers, bounded memory', async (t) => {
  const SIZE = 8 << 20;
  const body = Buffer.allocUnsafe(SIZE);
  for (let i = 0; i < SIZE; i += 4) body.writeUInt32LE(Math.imul(i, 2654435761) >>> 0, i);
  const want = createHash('sha256').update(body).digest('hex');
  const up: { hash: string }[] = [];
  const upstream = net.createServer({ allowHalfOpen: true }, (socket) => {
    socket.on('error', () => {});
    const hash = createHash('sha256');
    slowly(socket, (chunk) => hash.update(chunk));
    socket.once('end', () => up.push({ hash: hash.digest('hex') }));
    socket.end(body);
  });
  await new Promise<void>((resolve) => upstream.listen(0, '127.0.0.1', resolve));
  const plane = await startDataPlane(
    snapshot({
      listeners: [
        listener(9000, [chain({ cluster: 'up' })]),
        listener(8443, [chain({ names: ['t.example.com'], certificates: ['a'], cluster: 'up' })]),
      ],
      clusters: { up: [endpoint((upstream.address() as net.AddressInfo).port)] },
      secrets,
    }),
  );
  t.teardown(async () => {
    await plane.close();
    upstream.close();
  });
  const clients: (() => net.Socket)[] = [
    () => net.connect({ port: plane.port('0.0.0.0_9000'), host: '127.0.0.1', allowHalfOpen: true }),
    () =>
      tls.connect({
        port: plane.port('0.0.0.0_8443'),
        host: '127.0.0.1',
        servername: 't.example.com',
        rejectUnauthorized: false,
        allowHalfOpen: true,
      } as tls.ConnectionOptions),
  ];
  for (const [index, connect] of clients.entries()) {
    const socket = connect();
    const hash = createHash('sha256');
    slowly(socket, (chunk) => hash.update(chunk));
    socket.end(body);
    await new Promise<void>((resolve, reject) => {
      socket.once('error', reject);
      socket.once('end', resolve);
    });
    t.equal(hash.digest('hex'), want, 'down');
    await until(() => up.length === index + 1, 'upstream has it all');
    t.equal(up[index]?.hash, want, 'up');
    t.match(await nextLine(plane, index + 1), { bytesReceived: SIZE, bytesSent: SIZE });
  }
  t.test('several at once share the read buffer without mixing', async (t) => {
    const hashes = await Promise.all(
      Array.from({ length: 6 }, () => {
        const socket = (clients[0] as () => net.Socket)();
        const hash = createHash('sha256');
        slowly(socket, (chunk) => hash.update(chunk));
        socket.end('x');
        return new Promise<string>((resolve) => socket.once('end', () => resolve(hash.digest('hex'))));
      }),
    );
    t.same(new Set(hashes), new Set([want]));
  });
});

// Reads a chunk, then lets some turns of the event loop pass: the sender has to wait.
function slowly(socket: net.Socket, take: (chunk: Buffer) => void): void {
  let count = 0;
  socket.on('data', (chunk) => {
    take(chunk);
    if (++count % 16 !== 0) return;
    socket.pause();
    setImmediate(() => setImmediate(() => socket.resume()));
  });
}

t.test('a reset of the upstream is UR and resets the client', async (t) => {
  const upstream = await startRecorder((socket) => {
    socket.once('data', () => {
      socket.write('partial');
      // Only once the answer has been read: libuv reports a reset that comes together with data as the end of the stream.
      socket.once('data', () => socket.resetAndDestroy());
    });
  });
  const plane = await startDataPlane(
    snapshot({ listeners: [listener(9000, [chain({ cluster: 'up' })])], clusters: { up: [endpoint(upstream.port)] } }),
  );
  t.teardown(async () => {
    await plane.close();
    await upstream.close();
  });
  const socket = net.connect({ port: plane.port(), host: '127.0.0.1' }, () => socket.write('hello'));
  socket.once('data', () => socket.write('again'));
  const error = await new Promise<NodeJS.ErrnoException>((resolve) => socket.once('error', resolve));
  t.equal(error.code, 'ECONNRESET');
  t.match(await nextLine(plane, 1), { flags: ['UR'], bytesReceived: 10, bytesSent: 7 });
});

t.test('a client that vanishes closes the upstream', async (t) => {
  const upstream = await startRecorder();
  const plane = await startDataPlane(
    snapshot({ listeners: [listener(9000, [chain({ cluster: 'up' })])], clusters: { up: [endpoint(upstream.port)] } }),
  );
  t.teardown(async () => {
    await plane.close();
    await upstream.close();
  });
  const socket = net.connect({ port: plane.port(), host: '127.0.0.1' }, () => socket.write('hi'));
  await new Promise<void>((resolve) => socket.once('data', () => resolve()));
  socket.resetAndDestroy();
  t.match(await nextLine(plane, 1), { flags: [], bytesReceived: 2, bytesSent: 2 });
  await until(() => plane.running.clusters.get('up')?.hosts[0]?.activeConnections === 0, 'upstream closed');
});

t.test('idle for the whole timeout: FIN; a byte starts it over', async (t) => {
  const time = new ManualTime();
  const upstream = await startRecorder();
  const plane = await startDataPlane(
    snapshot({
      listeners: [listener(9000, [chain({ cluster: 'up', idleTimeout: '10s' })])],
      clusters: { up: [endpoint(upstream.port)] },
    }),
    loopbackEnvironment(time),
  );
  t.teardown(async () => {
    await plane.close();
    await upstream.close();
  });
  const socket = net.connect({ port: plane.port(), host: '127.0.0.1', allowHalfOpen: true });
  const echo = (): Promise<void> =>
    new Promise((resolve) => {
      socket.once('data', () => resolve());
      socket.write('x');
    });
  await echo();
  time.advance(9_000);
  await echo();
  time.advance(9_000);
  t.equal(plane.log.length, 0, 'still there');
  const ended = new Promise<void>((resolve) => socket.once('end', resolve));
  socket.resume();
  time.advance(1_100);
  await ended;
  socket.destroy();
  t.match(await nextLine(plane, 1), { flags: [], details: '', bytesReceived: 2 });
});

t.test('maximum duration: DT, whatever is under way', async (t) => {
  const time = new ManualTime();
  const upstream = await startRecorder();
  const plane = await startDataPlane(
    snapshot({
      listeners: [listener(9000, [chain({ cluster: 'up', idleTimeout: '0s', maxDuration: '10s' })])],
      clusters: { up: [endpoint(upstream.port)] },
    }),
    loopbackEnvironment(time),
  );
  t.teardown(async () => {
    await plane.close();
    await upstream.close();
  });
  const socket = net.connect({ port: plane.port(), host: '127.0.0.1' });
  const echo = (): Promise<void> =>
    new Promise((resolve) => {
      socket.once('data', () => resolve());
      socket.write('x');
    });
  await echo();
  time.advance(9_900);
  await echo();
  t.equal(plane.log.length, 0, 'still there');
  const ended = new Promise<void>((resolve) => socket.once('end', resolve));
  socket.resume();
  time.advance(100);
  await ended;
  t.match(await nextLine(plane, 1), { flags: ['DT'], details: '', bytesReceived: 2, bytesSent: 2 });
  await until(() => upstream.connections[0]?.ended === true, 'the upstream sees the end');
  t.equal(counter('tcp.up.max_downstream_connection_duration').value, 1);
});

t.test('connect timeout: UF,URX without a failure text', async (t) => {
  const time = new ManualTime();
  const environment = { ...loopbackEnvironment(time), connect: () => new net.Socket() };
  const plane = await startDataPlane(
    snapshot({ listeners: [listener(9000, [chain({ cluster: 'up' })])], clusters: { up: [endpoint(1)] } }),
    environment,
  );
  t.teardown(() => plane.close());
  const outcome = rawCall(plane.port(), [], 3000);
  await until(() => plane.manager.connectionCount === 1, 'accepted');
  time.advance(10_000);
  t.equal((await outcome).closed, 'fin');
  t.match(await nextLine(plane, 1), { flags: ['UF', 'URX'], upstreamTransportFailureReason: '' });
});
