// Large bodies in bounded memory with backpressure both ways, the forwarding engine's part, WebSocket with a real client.
import http from 'node:http';
import http2 from 'node:http2';
import { createRequire } from 'node:module';
import net from 'node:net';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import t from 'tap';
import { WebSocket, WebSocketServer } from 'ws';
import {
  RawClient,
  routeTo,
  startHttpGateway,
  startRawUpstream,
  type TestCluster,
  type TestGateway,
} from '../../support/http-gateway.js';

const SIZE = 64 * 1024 * 1024;
const CHUNK = Buffer.alloc(64 * 1024, 'x');
/** Growth of live buffers that a 64 MiB transfer may cause, both ends and all sockets in one process; unbounded buffering would take all 64. */
const BOUND = 48 * 1024 * 1024;

interface Server {
  readonly port: number;
  close(): Promise<void>;
}

async function listen(server: net.Server, destroy: () => void): Promise<Server> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  return {
    port: typeof address === 'object' && address !== null ? address.port : 0,
    close: async () => {
      destroy();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

/** Sends 64 MiB to GET and counts what POST brings; reads slowly where the path says so. */
async function startBulkUpstream(): Promise<Server & { received: number }> {
  const state = { received: 0 };
  const server = http.createServer((request, response) => {
    if (request.method === 'GET') {
      response.writeHead(200, { 'content-length': String(SIZE) });
      let left = SIZE / CHUNK.length;
      const pump = (): void => {
        while (left > 0) {
          left--;
          if (!response.write(CHUNK)) {
            response.once('drain', pump);
            return;
          }
        }
        response.end();
      };
      pump();
      return;
    }
    request.on('data', (chunk: Buffer) => {
      state.received += chunk.length;
    });
    request.on('end', () => response.end('ok'));
  });
  return Object.assign(state, await listen(server, () => server.closeAllConnections()));
}

setFlagsFromString('--expose-gc');
const collect: () => void = runInNewContext('gc');

/** Largest growth of live buffers while `run` is at it. Garbage is collected first: it says nothing about buffering. */
async function growth(run: () => Promise<void>): Promise<number> {
  collect();
  const start = process.memoryUsage().arrayBuffers;
  let most = 0;
  const timer = setInterval(() => {
    collect();
    most = Math.max(most, process.memoryUsage().arrayBuffers - start);
  }, 60);
  await run();
  clearInterval(timer);
  return most;
}

async function withBulk(
  cluster: Partial<TestCluster>,
  run: (gateway: TestGateway, upstream: { received: number }) => Promise<void>,
): Promise<void> {
  const upstream = await startBulkUpstream();
  const gateway = await startHttpGateway({
    routes: [routeTo('web')],
    clusters: [{ name: 'web', ports: [upstream.port], ...cluster }],
  });
  try {
    await run(gateway, upstream);
  } finally {
    await gateway.close();
    await upstream.close();
  }
}

await t.test('64 MiB down over HTTP/1.1, the client pausing now and then', async (t) => {
  await withBulk({}, async (gateway) => {
    const most = await growth(async () => {
      const socket = net.connect(gateway.port, '127.0.0.1');
      socket.write('GET / HTTP/1.1\r\nHost: a.test\r\n\r\n');
      let received = 0;
      let sincePause = 0;
      await new Promise<void>((resolve) => {
        socket.on('data', (chunk: Buffer) => {
          received += chunk.length;
          sincePause += chunk.length;
          if (sincePause > 8 * 1024 * 1024) {
            sincePause = 0;
            socket.pause();
            setTimeout(() => socket.resume(), 20);
          }
          if (received >= SIZE) resolve();
        });
      });
      socket.destroy();
    });
    t.ok(most < BOUND, `grew by ${most}`);
    t.equal((await gateway.logged(1))[0]?.bytesSent, SIZE);
  });
});

await t.test('64 MiB up over HTTP/1.1, no retry policy', async (t) => {
  await withBulk({}, async (gateway, upstream) => {
    const most = await growth(async () => {
      const client = new RawClient(gateway.port);
      client.send(`POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: ${SIZE}\r\n\r\n`);
      for (let left = SIZE / CHUNK.length; left > 0; left--) {
        if (!client.socket.write(CHUNK)) await new Promise((resolve) => client.socket.once('drain', resolve));
      }
      t.equal((await client.response()).status, 200);
      client.destroy();
    });
    t.ok(most < BOUND, `grew by ${most}`);
    t.equal(upstream.received, SIZE);
    t.equal((await gateway.logged(1))[0]?.bytesReceived, SIZE);
  });
});

await t.test('64 MiB down and up over HTTP/2', async (t) => {
  await withBulk({}, async (gateway, upstream) => {
    const session = http2.connect(`http://127.0.0.1:${gateway.port}`, { settings: { initialWindowSize: 1 << 20 } });
    const most = await growth(async () => {
      const down = session.request({ ':path': '/', ':authority': 'a.test' });
      let received = 0;
      down.on('data', (chunk: Buffer) => {
        received += chunk.length;
      });
      await new Promise((resolve) => down.on('end', resolve));
      t.equal(received, SIZE);
      const up = session.request({ ':method': 'POST', ':path': '/', ':authority': 'a.test' });
      up.resume();
      for (let left = SIZE / CHUNK.length; left > 0; left--) {
        if (!up.write(CHUNK)) await new Promise((resolve) => up.once('drain', resolve));
      }
      up.end();
      await new Promise((resolve) => up.on('close', resolve));
    });
    t.equal(upstream.received, SIZE);
    t.ok(most < 2 * BOUND, `grew by ${most}`); // Envoy's windows allow 24 MiB in flight each way
    session.destroy();
  });
});

await t.test('an upstream that does not read stops the client', async (t) => {
  const upstream = await startRawUpstream((socket) => socket.pause());
  const gateway = await startHttpGateway({
    routes: [routeTo('web')],
    clusters: [{ name: 'web', ports: [upstream.port] }],
  });
  const client = new RawClient(gateway.port);
  client.send(`POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: ${SIZE}\r\n\r\n`);
  let written = 0;
  // Writes until a quarter of a second has passed without a drain.
  for (let stuck = false; !stuck && written < SIZE; ) {
    written += CHUNK.length;
    if (client.socket.write(CHUNK)) continue;
    stuck = await new Promise<boolean>((resolve) => {
      const timer = setTimeout(() => resolve(true), 250);
      client.socket.once('drain', () => {
        clearTimeout(timer);
        resolve(false);
      });
    });
  }
  t.ok(written < SIZE / 2, `${written} bytes went in`);
  for (const { socket } of upstream.connections) socket.destroy();
  t.equal((await gateway.logged(1))[0]?.flags.join(), 'UC');
  client.destroy();
  await gateway.close();
  await upstream.close();
});

for (const protocol of ['HTTP/1.1', 'HTTP/2'] as const) {
  await t.test(`a client that does not read stops the upstream, ${protocol}`, async (t) => {
    let written = 0;
    let stuck: () => void = () => {};
    const isStuck = new Promise<void>((resolve) => {
      stuck = resolve;
    });
    const server = http.createServer((_request, response) => {
      response.writeHead(200, { 'content-length': String(SIZE) });
      const pump = (): void => {
        while (written < SIZE) {
          written += CHUNK.length;
          if (response.write(CHUNK)) continue;
          const timer = setTimeout(stuck, 250);
          response.once('drain', () => {
            clearTimeout(timer);
            pump();
          });
          return;
        }
        stuck();
      };
      pump();
    });
    const upstream = await listen(server, () => server.closeAllConnections());
    const gateway = await startHttpGateway({
      routes: [routeTo('web')],
      clusters: [{ name: 'web', ports: [upstream.port] }],
    });
    let leave: () => void;
    if (protocol === 'HTTP/1.1') {
      const socket = net.connect(gateway.port, '127.0.0.1');
      socket.on('error', () => {});
      socket.write('GET / HTTP/1.1\r\nHost: a.test\r\n\r\n');
      socket.pause();
      leave = () => socket.resetAndDestroy();
    } else {
      const session = http2.connect(`http://127.0.0.1:${gateway.port}`);
      session.on('error', () => {});
      const stream = session.request({ ':path': '/', ':authority': 'a.test' });
      stream.on('error', () => {});
      leave = () => session.destroy();
    }
    await isStuck;
    t.ok(written < SIZE / 2, `${written} bytes went in`);
    leave();
    const [info] = await gateway.logged(1);
    t.equal(info?.status, 200);
    t.match(info?.flags.join(), /^(?:DC|)$/);
    t.equal(gateway.clusters.get('web')?.hosts[0]?.activeRequests, 0);
    await gateway.close();
    await upstream.close();
  });
}

await t.test('http2-proxy is what forwards bodies: without it none reaches an upstream', async (t) => {
  const engine: { web: unknown } = createRequire(import.meta.url)('http2-proxy');
  const { web } = engine;
  const upstream = await startRawUpstream((socket) => socket.write('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok'));
  const gateway = await startHttpGateway({
    routes: [routeTo('web')],
    clusters: [{ name: 'web', ports: [upstream.port] }],
  });
  const client = new RawClient(gateway.port);
  engine.web = () => {
    throw new Error('stubbed');
  };
  try {
    client.send('PUT / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 2\r\n\r\nhi');
    t.equal((await client.response()).status, 503);
    t.equal(upstream.connections.length, 0);
    t.equal((await gateway.logged(1))[0]?.flags.join(), 'LR');
  } finally {
    engine.web = web;
  }
  client.send('GET / HTTP/1.1\r\nHost: a.test\r\n\r\n');
  t.equal((await client.response()).status, 200);
  client.destroy();
  await gateway.close();
  await upstream.close();
});

await t.test('WebSocket: messages both ways, closed by either side', async (t) => {
  const server = http.createServer();
  const sockets = new WebSocketServer({ server });
  sockets.on('connection', (socket) => {
    socket.on('message', (data, isBinary) => {
      if (String(data) === 'bye') socket.close(1000, 'done');
      else socket.send(data, { binary: isBinary });
    });
  });
  const upstream = await listen(server, () => {
    for (const socket of sockets.clients) socket.terminate();
  });
  const gateway = await startHttpGateway({
    routes: [routeTo('web')],
    clusters: [{ name: 'web', ports: [upstream.port] }],
  });
  const open = async (): Promise<WebSocket> => {
    const socket = new WebSocket(`ws://127.0.0.1:${gateway.port}/chat`, { perMessageDeflate: false });
    await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject));
    return socket;
  };
  const echo = (socket: WebSocket, text: string): Promise<string> =>
    new Promise((resolve) => {
      socket.once('message', (data) => resolve(String(data)));
      socket.send(text);
    });
  const first = await open();
  t.equal(await echo(first, 'hello'), 'hello');
  t.equal(await echo(first, 'x'.repeat(300_000)), 'x'.repeat(300_000));
  const closed = new Promise<number>((resolve) => first.once('close', (code) => resolve(code)));
  first.send('bye');
  t.equal(await closed, 1000);
  const second = await open();
  t.equal(await echo(second, 'hi'), 'hi');
  second.close(1001);
  await new Promise((resolve) => second.once('close', resolve));
  const log = await gateway.logged(2);
  t.same(
    log.map(({ status }) => status),
    [101, 101],
  );
  t.ok((log[0]?.bytesSent ?? 0) > 300_000 && (log[0]?.bytesReceived ?? 0) > 300_000);
  await gateway.close();
  sockets.close();
  await upstream.close();
});
