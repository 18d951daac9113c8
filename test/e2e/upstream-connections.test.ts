// Connections to upstreams as an upstream sees them (spec dataplane.md §5.4, destinations.md §9): reuse, limits, what a
// stale one does to a request, HTTP/1.1 and HTTP/2. Holds for Envoy as well (POSTERN_TEST_ENVOY).
import http from 'node:http';
import http2 from 'node:http2';
import net from 'node:net';
import { setTimeout as wait } from 'node:timers/promises';
import t from 'tap';
import { type ClientService, listenOnLoopback, startClientGateway, toService } from '../support/client-gateway.js';
import { frame } from '../support/nasty-upstream.js';

/** An upstream that counts its connections. */
interface Counting {
  readonly port: number;
  readonly seen: { connections: number; requests: number; closed: number };
  close(): void;
}

const OK = 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok';

/** `answer` is told of each request head: which of its connection it is, from 1. */
async function http1Upstream(answer: (socket: net.Socket, nth: number) => void): Promise<Counting> {
  const seen = { connections: 0, requests: 0, closed: 0 };
  const sockets = new Set<net.Socket>();
  const server = net.createServer({ noDelay: true }, (socket) => {
    seen.connections++;
    sockets.add(socket);
    let nth = 0;
    socket.on('error', () => {});
    socket.on('close', () => seen.closed++);
    socket.on('data', (chunk: Buffer) => {
      if (!chunk.includes('\r\n\r\n')) return;
      seen.requests++;
      answer(socket, ++nth);
    });
  });
  const close = (): void => {
    for (const socket of sockets) socket.destroy();
    server.close();
  };
  return { port: await listenOnLoopback(server), seen, close };
}

async function http2Upstream(
  answer: (stream: http2.ServerHttp2Stream, nth: number, socket: net.Socket) => void,
  settings: http2.Settings = {},
): Promise<Counting> {
  const seen = { connections: 0, requests: 0, closed: 0 };
  const server = http2.createServer({ settings });
  const sessions = new Set<http2.ServerHttp2Session>();
  let socket = new net.Socket();
  server.prependListener('connection', (accepted: net.Socket) => {
    socket = accepted;
  });
  server.on('session', (session) => {
    seen.connections++;
    sessions.add(session);
    const raw = socket;
    let nth = 0;
    session.on('error', () => {});
    session.on('close', () => seen.closed++);
    session.on('stream', (stream) => {
      seen.requests++;
      stream.on('error', () => {});
      stream.resume();
      const mine = ++nth;
      setImmediate(() => answer(stream, mine, raw));
    });
  });
  const close = (): void => {
    for (const session of sessions) session.destroy();
    server.close();
  };
  return { port: await listenOnLoopback(server), seen, close };
}

const fine = (stream: http2.ServerHttp2Stream): void => {
  if (stream.destroyed) return;
  stream.respond({ ':status': 200 });
  stream.end('ok');
};
const later = (run: () => void): void => void setTimeout(run, 300);

interface Case {
  readonly name: string;
  readonly upstream: () => Promise<Counting>;
  readonly protocol: 'HTTP' | 'HTTP2';
  /** trafficPolicy of the service, YAML in flow form. */
  readonly policy?: string;
  readonly retries?: string;
  /** How many requests go at a time, one batch after another. */
  readonly batches: readonly number[];
  /** Milliseconds between the requests of a batch. */
  readonly stagger?: number;
  /** Milliseconds between batches. */
  readonly pause?: number;
  /** Between batches every connection ends; the next batch waits for that. */
  readonly untilClosed?: boolean;
  /** `code flags` of the log, sorted. */
  readonly log: readonly string[];
  readonly connections: number | readonly [least: number, most: number];
  readonly requests?: number;
  readonly closed?: number;
}

const times = (count: number, text: string): string[] => Array.from({ length: count }, () => text);

const CASES: readonly Case[] = [
  {
    name: 'HTTP/1.1: one after another on one connection',
    upstream: () => http1Upstream((socket) => socket.write(OK)),
    protocol: 'HTTP',
    batches: [1, 1, 1, 1],
    log: times(4, '200 -'),
    connections: 1,
  },
  {
    name: 'HTTP/1.1: ten at a time on ten, which the next ten use again',
    upstream: () => http1Upstream((socket) => later(() => socket.write(OK))),
    protocol: 'HTTP',
    batches: [10, 10],
    log: times(20, '200 -'),
    connections: 10,
  },
  {
    name: 'HTTP/1.1: two requests per connection',
    upstream: () => http1Upstream((socket) => socket.write(OK)),
    protocol: 'HTTP',
    policy: '{ connectionPool: { http: { maxRequestsPerConnection: 2 } } }',
    batches: [1, 1, 1, 1],
    log: times(4, '200 -'),
    connections: 2,
    closed: 2,
  },
  {
    name: 'HTTP/1.1: one connection, one waits, the third is too many',
    upstream: () => http1Upstream((socket) => later(() => socket.write(OK))),
    protocol: 'HTTP',
    policy: '{ connectionPool: { tcp: { maxConnections: 1 }, http: { http1MaxPendingRequests: 1 } } }',
    batches: [3],
    stagger: 50, // one that waits for its connection is one that waits
    log: ['200 -', '200 -', '503 UO'],
    connections: 1,
  },
  {
    name: 'HTTP/1.1: idle connections end',
    upstream: () => http1Upstream((socket) => socket.write(OK)),
    protocol: 'HTTP',
    policy: '{ connectionPool: { http: { idleTimeout: 0.3s } } }',
    batches: [1, 1],
    pause: 1000,
    log: times(2, '200 -'),
    connections: 2,
    closed: 2,
  },
  {
    name: 'HTTP/1.1: `connection: close` is the end of one',
    upstream: () =>
      http1Upstream((socket) => socket.write('HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok')),
    protocol: 'HTTP',
    batches: [1, 1],
    log: times(2, '200 -'),
    connections: 2,
    closed: 2,
  },
  {
    name: 'HTTP/1.1: bytes behind the answer are the end of one',
    upstream: () => http1Upstream((socket) => socket.write(`${OK}more`)),
    protocol: 'HTTP',
    batches: [1, 1],
    log: times(2, '200 -'),
    connections: 2,
    closed: 2,
  },
  {
    name: 'HTTP/1.1: one that the upstream has closed meanwhile is not used',
    upstream: () => http1Upstream((socket) => socket.end(OK)),
    protocol: 'HTTP',
    batches: [1, 1, 1],
    untilClosed: true,
    log: times(3, '200 -'),
    connections: 3,
  },
  {
    name: 'HTTP/1.1: one that ends under a request is UC, by default not tried again',
    upstream: () => http1Upstream((socket, nth) => (nth === 1 ? socket.write(OK) : socket.destroy())),
    protocol: 'HTTP',
    batches: [1, 1, 1],
    pause: 20,
    log: ['200 -', '200 -', '503 UC'],
    connections: 2,
    requests: 3,
  },
  {
    name: 'HTTP/1.1: with `reset` in the policy it is tried again',
    upstream: () => http1Upstream((socket, nth) => (nth === 1 ? socket.write(OK) : socket.destroy())),
    protocol: 'HTTP',
    retries: '{ attempts: 2, retryOn: reset }',
    batches: [1, 1],
    pause: 20,
    log: times(2, '200 -'),
    connections: 2,
    requests: 3,
  },
  {
    name: 'HTTP/2: one after another, and thirty at a time, on one connection',
    upstream: () => http2Upstream(fine),
    protocol: 'HTTP2',
    batches: [1, 1, 30],
    log: times(32, '200 -'),
    connections: 1,
  },
  {
    name: 'HTTP/2: the peer takes two at a time, which is known from the second batch on',
    upstream: () => http2Upstream((stream) => later(() => fine(stream)), { maxConcurrentStreams: 2 }),
    protocol: 'HTTP2',
    batches: [1, 6],
    log: times(7, '200 -'),
    connections: 3,
  },
  {
    name: 'HTTP/2: two streams at a time by the policy',
    upstream: () => http2Upstream((stream) => later(() => fine(stream))),
    protocol: 'HTTP2',
    policy: '{ connectionPool: { http: { maxConcurrentStreams: 2 } } }',
    batches: [6],
    log: times(6, '200 -'),
    connections: 3,
  },
  {
    name: 'HTTP/2: two requests per connection',
    upstream: () => http2Upstream(fine),
    protocol: 'HTTP2',
    policy: '{ connectionPool: { http: { maxRequestsPerConnection: 2 } } }',
    batches: [1, 1, 1, 1],
    log: times(4, '200 -'),
    connections: 2,
    closed: 2,
  },
  {
    name: 'HTTP/2: one request at a time, the others are too many',
    upstream: () => http2Upstream((stream) => later(() => fine(stream))),
    protocol: 'HTTP2',
    policy: '{ connectionPool: { http: { http2MaxRequests: 1 } } }',
    batches: [1, 3],
    log: ['200 -', '200 -', '503 UO', '503 UO'],
    connections: 1,
  },
  {
    name: 'HTTP/2: idle connections end',
    upstream: () => http2Upstream(fine),
    protocol: 'HTTP2',
    policy: '{ connectionPool: { http: { idleTimeout: 0.3s } } }',
    batches: [1, 1],
    pause: 1000,
    log: times(2, '200 -'),
    connections: 2,
    closed: 2,
  },
  {
    name: 'HTTP/2: GOAWAY between requests',
    upstream: () =>
      http2Upstream((stream) => {
        const { session } = stream;
        stream.on('close', () => session?.goaway(http2.constants.NGHTTP2_NO_ERROR, stream.id as number));
        fine(stream);
      }),
    protocol: 'HTTP2',
    batches: [1, 1],
    untilClosed: true,
    log: times(2, '200 -'),
    connections: 2,
  },
  {
    name: 'HTTP/2: GOAWAY that refuses the stream: tried again',
    upstream: () => {
      let first = true;
      return http2Upstream((stream, _nth, socket) => {
        if (!first) return fine(stream);
        first = false;
        socket.write(frame(7, 0, 0, Buffer.alloc(8))); // no stream was looked at
      });
    },
    protocol: 'HTTP2',
    batches: [1],
    log: ['200 -'],
    connections: 2,
    requests: 2,
  },
  {
    name: 'HTTP/2: one that ends under its requests is UC for all of them',
    upstream: () =>
      http2Upstream((stream, nth, socket) => {
        if (nth === 1) fine(stream);
        else if (nth === 5) socket.destroy();
      }),
    protocol: 'HTTP2',
    batches: [1, 4],
    log: ['200 -', ...times(4, '503 UC')],
    connections: 1,
  },
];

const upstreams = await Promise.all(CASES.map((one) => one.upstream()));
const gateway = await startClientGateway(
  CASES.map(
    ({ protocol, policy, retries }, i): ClientService => ({
      name: `s${i}`,
      port: upstreams[i]?.port,
      protocol,
      ...(policy === undefined ? {} : { policy }),
      routes: `- ${retries === undefined ? '' : `retries: ${retries}\n  `}${toService(`s${i}`)}`,
    }),
  ),
);

const agent = new http.Agent({ keepAlive: true });
const ask = (host: string): Promise<number> =>
  new Promise((resolve, reject) => {
    const request = http.get({ port: gateway.plain, host: '127.0.0.1', path: '/', headers: { host }, agent });
    request.on('response', (response) => {
      response.resume();
      response.on('close', () => resolve(response.statusCode ?? 0));
    });
    request.on('error', reject);
  });

await t.test('connections to upstreams', async (t) => {
  await Promise.all(
    CASES.map(
      async ({ name, batches, stagger = 0, pause = 0, untilClosed = false, log, connections, requests, closed }, i) => {
        const host = `s${i}.example.com`;
        const { seen } = upstreams[i] as Counting;
        let asked = 0;
        const lines = (): string[] =>
          gateway
            .lines()
            .filter(({ authority }) => authority === host)
            .map((line) => `${line['response_code']} ${line['response_flags']}`);
        for (const size of batches) {
          await Promise.all(Array.from({ length: size }, (_, nth) => wait(nth * stagger).then(() => ask(host))));
          asked += size;
          for (let turns = 0; turns < 400 && lines().length < asked; turns++) await wait(10);
          await wait(pause);
          for (let turns = 0; untilClosed && turns < 300 && seen.closed < seen.connections; turns++) await wait(10);
        }
        t.same(lines().sort(), log, name);
        const [least, most] = typeof connections === 'number' ? [connections, connections] : connections;
        t.ok(seen.connections >= least && seen.connections <= most, `${name}: ${seen.connections} connections`);
        if (requests !== undefined) t.equal(seen.requests, requests, `${name}: requests`);
        if (closed !== undefined) {
          for (let turns = 0; turns < 300 && seen.closed < closed; turns++) await wait(10);
          t.equal(seen.closed, closed, `${name}: closed`);
        }
      },
    ),
  );
});

agent.destroy();
t.same(await gateway.stop(), { code: 0, errors: '' }, 'it ended well, and had no errors of its own');
for (const upstream of upstreams) upstream.close();
