// What a client, the log and the breakers see of upstreams that fail, and of clients that leave (spec dataplane.md §4, §5).
import net from 'node:net';
import t from 'tap';
import type { Route } from '../../../src/xds/index.js';
import { until } from '../../support/data-plane.js';
import {
  Breaker,
  deadPort,
  RawClient,
  routeTo,
  startHttpGateway,
  startRawUpstream,
  type TestCluster,
} from '../../support/http-gateway.js';

const OK = 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok';
const RESET = (reason: string, retried = false): string =>
  `upstream connect error or disconnect/reset before headers. ${retried ? 'retried and the latest ' : ''}reset reason: ${reason}`;
const DEFAULT_RETRIES = {
  retry_on: 'connect-failure,refused-stream,unavailable,cancelled,retriable-status-codes',
  num_retries: 2,
  host_selection_retry_max_attempts: '5',
};
const FIVE_XX = { retry_on: '5xx', num_retries: 2, retry_back_off: { base_interval: '0.001s' } };

interface Fault {
  readonly name: string;
  /** 'dead' = nothing listens; else what the n-th request (from 1) gets. */
  readonly upstream: 'dead' | ((socket: net.Socket, count: number, head: string) => void);
  readonly route?: Partial<NonNullable<Route['route']>>;
  readonly cluster?: Partial<TestCluster>;
  /** The route adds it to responses as x-added. */
  readonly added?: string;
  /** No connection ever comes about. */
  readonly silent?: boolean;
  readonly send?: string;
  readonly status: number;
  readonly body?: string;
  /** A header line that has to be there. */
  readonly header?: string;
  /** `flags details attempts` */
  readonly log: string;
  readonly requests?: number;
  /** The response breaks off: the connection is closed after what is given here. */
  readonly partial?: string;
}

const GET = 'GET / HTTP/1.1\r\nHost: a.test\r\n\r\n';

const FAULTS: readonly Fault[] = [
  {
    name: 'refused, no retries',
    upstream: 'dead',
    status: 503,
    body: RESET('remote connection failure'),
    log: 'UF upstream_reset_before_response_started{remote_connection_failure|delayed_connect_error:_Connection_refused} 1',
  },
  {
    name: 'refused, two retries: URX before UF, the reason as a header value',
    upstream: 'dead',
    route: { retry_policy: DEFAULT_RETRIES },
    added: '%UPSTREAM_TRANSPORT_FAILURE_REASON%',
    status: 503,
    body: RESET('remote connection failure', true),
    header: 'x-added: delayed_connect_error:_Connection_refused',
    log: 'URX,UF upstream_reset_before_response_started{remote_connection_failure|delayed_connect_error:_Connection_refused} 3',
  },
  {
    name: 'closed before headers: UC, not retried by the default policy',
    upstream: (socket) => socket.end(),
    route: { retry_policy: DEFAULT_RETRIES },
    status: 503,
    body: RESET('connection termination'),
    log: 'UC upstream_reset_before_response_started{connection_termination} 1',
  },
  {
    name: 'reset before headers: UC as well',
    upstream: (socket) => socket.resetAndDestroy(),
    status: 503,
    body: RESET('connection termination'),
    log: 'UC upstream_reset_before_response_started{connection_termination} 1',
  },
  {
    name: 'garbage: 502 UPE at its first byte',
    upstream: (socket) => socket.write('SSH-2.0-x'),
    status: 502,
    body: RESET('protocol error'),
    log: 'UPE upstream_reset_before_response_started{protocol_error} 1',
  },
  {
    name: 'two lengths: 502',
    upstream: (socket) => socket.write('HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 2\r\n\r\nok'),
    status: 502,
    log: 'UPE upstream_reset_before_response_started{protocol_error} 1',
  },
  {
    name: 'length and chunked: 502',
    upstream: (socket) =>
      socket.write('HTTP/1.1 200 OK\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n'),
    status: 502,
    log: 'UPE upstream_reset_before_response_started{protocol_error} 1',
  },
  {
    name: 'gzip coding: 502',
    upstream: (socket) => socket.write('HTTP/1.1 200 OK\r\ntransfer-encoding: gzip\r\n\r\n'),
    status: 502,
    log: 'UPE upstream_reset_before_response_started{protocol_error} 1',
  },
  {
    name: 'status below 100: 502',
    upstream: (socket) => socket.write('HTTP/1.1 099 X\r\n\r\n'),
    status: 502,
    log: 'UPE upstream_reset_before_response_started{protocol_error} 1',
  },
  {
    name: 'NUL in a value: 502',
    upstream: (socket) => socket.write('HTTP/1.1 200 OK\r\nx: a\0b\r\ncontent-length: 0\r\n\r\n'),
    status: 502,
    log: 'UPE upstream_reset_before_response_started{protocol_error} 1',
  },
  {
    name: '101 header lines: 502',
    upstream: (socket) => socket.write(`HTTP/1.1 200 OK\r\n${'x: 1\r\n'.repeat(101)}\r\n`),
    status: 502,
    log: 'UPE upstream_reset_before_response_started{protocol_error} 1',
  },
  {
    name: 'bare LF and folded lines are fine',
    upstream: (socket) => socket.write('HTTP/1.1 200\nX-A: one\n two\nContent-Length: 2\n\nok'),
    status: 200,
    body: 'ok',
    header: 'x-a: one two',
    log: '- via_upstream 1',
  },
  {
    name: 'HTTP/1.0 answer delimited by its end',
    upstream: (socket) => socket.end('HTTP/1.0 200 OK\r\n\r\nok'),
    status: 200,
    body: 'ok',
    header: 'transfer-encoding: chunked',
    log: '- via_upstream 1',
  },
  {
    name: 'extra bytes behind the answer do no harm',
    upstream: (socket) => socket.write(`${OK}junk`),
    status: 200,
    body: 'ok',
    log: '- via_upstream 1',
  },
  {
    name: 'body cut: client connection closes, UPE after headers',
    upstream: (socket) => socket.end('HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc'),
    status: 200,
    partial: 'abc',
    log: 'UPE upstream_reset_after_response_started{protocol_error} 1',
  },
  {
    name: 'chunked body cut: UPE',
    upstream: (socket) => socket.end('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n'),
    status: 200,
    partial: '3\r\nabc\r\n',
    log: 'UPE upstream_reset_after_response_started{protocol_error} 1',
  },
  {
    name: 'route timeout before headers: 504 UT',
    upstream: () => {},
    route: { timeout: '0.050s' },
    status: 504,
    body: 'upstream request timeout',
    log: 'UT response_timeout 1',
  },
  {
    name: 'route timeout after headers: closed',
    upstream: (socket) => socket.write('HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc'),
    route: { timeout: '0.050s' },
    status: 200,
    partial: 'abc',
    log: 'UT response_timeout 1',
  },
  {
    name: 'per-try timeout not covered by the policy: 504 at once',
    upstream: () => {},
    route: { timeout: '5s', retry_policy: { ...DEFAULT_RETRIES, per_try_timeout: '0.030s' } },
    status: 504,
    body: 'upstream request timeout',
    log: 'UT upstream_per_try_timeout 1',
    requests: 1,
  },
  {
    name: 'per-try timeouts exhausted: URX,UT',
    upstream: () => {},
    route: { timeout: '5s', retry_policy: { ...FIVE_XX, per_try_timeout: '0.030s' } },
    status: 504,
    log: 'URX,UT upstream_per_try_timeout 3',
    requests: 3,
  },
  {
    name: '5xx retried until it works; attempts are counted upstream',
    upstream: (socket, count, head) => {
      const ok = count === 3 && head.includes('x-envoy-attempt-count: 3');
      socket.write(ok ? OK : 'HTTP/1.1 503 X\r\ncontent-length: 2\r\n\r\nno');
    },
    route: { retry_policy: FIVE_XX },
    status: 200,
    body: 'ok',
    log: '- via_upstream 3',
    requests: 3,
  },
  {
    name: '5xx exhausted: the last answer with URX',
    upstream: (socket) => socket.write('HTTP/1.1 503 X\r\ncontent-length: 2\r\n\r\nno'),
    route: { retry_policy: FIVE_XX },
    status: 503,
    body: 'no',
    log: 'URX via_upstream 3',
  },
  {
    name: 'the body is sent again',
    send: 'POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 5\r\n\r\nhello',
    upstream: (socket, count) => (count === 1 ? socket.end() : socket.write(OK)),
    route: { retry_policy: FIVE_XX },
    status: 200,
    body: 'ok',
    log: '- via_upstream 2',
    requests: 2,
  },
  {
    name: 'a body over 1 MiB loses its retries',
    send: `POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 1200000\r\n\r\n${'x'.repeat(1_200_000)}`,
    upstream: (socket) => {
      let bytes = 0;
      socket.on('data', (chunk: Buffer) => {
        bytes += chunk.length;
        if (bytes > 1_080_000) socket.end('HTTP/1.1 503 X\r\ncontent-length: 2\r\n\r\nno');
      });
    },
    route: { retry_policy: FIVE_XX },
    status: 503,
    body: 'no',
    log: '- via_upstream 1',
    requests: 1,
  },
  {
    name: 'a forwarded 103 ends retrying',
    upstream: (socket) => socket.write('HTTP/1.1 503 X\r\ncontent-length: 2\r\n\r\nno'),
    route: { retry_policy: { ...FIVE_XX, num_retries: 0 } },
    status: 503,
    log: 'URX via_upstream 1',
  },
  {
    name: 'no host: UH',
    upstream: 'dead',
    cluster: { ports: [] },
    status: 503,
    body: 'no healthy upstream',
    log: 'UH no_healthy_upstream 1',
  },
  {
    name: 'pending limit: UO, overloaded',
    upstream: (socket) => socket.write(OK),
    cluster: { limits: { pending: 0 } },
    status: 503,
    body: RESET('overflow'),
    header: 'x-envoy-overloaded: true',
    log: 'UO upstream_reset_before_response_started{overflow} 1',
  },
  {
    name: 'retry limit: the first answer, UO',
    upstream: (socket) => socket.write('HTTP/1.1 503 X\r\ncontent-length: 2\r\n\r\nno'),
    route: { retry_policy: FIVE_XX },
    cluster: { limits: { retry: 0 } },
    status: 503,
    body: 'no',
    log: 'UO via_upstream 1',
  },
  {
    name: 'connect timeout: UF',
    upstream: (socket) => socket.write(OK),
    cluster: { connectTimeout: 20 },
    silent: true,
    status: 503,
    body: RESET('connection timeout'),
    log: 'UF upstream_reset_before_response_started{connection_timeout} 1',
  },
  {
    name: 'gRPC gets its own form',
    send: 'POST / HTTP/1.1\r\nHost: a.test\r\ncontent-type: application/grpc\r\ncontent-length: 0\r\n\r\n',
    upstream: 'dead',
    status: 200,
    header: 'grpc-status: 14',
    log: 'UF upstream_reset_before_response_started{remote_connection_failure|delayed_connect_error:_Connection_refused} 1',
  },
];

for (const fault of FAULTS) {
  await t.test(fault.name, async (t) => {
    const upstream = await startRawUpstream((socket, head, count) => {
      if (fault.upstream !== 'dead') fault.upstream(socket, count, head);
    });
    const gateway = await startHttpGateway({
      routes: [
        {
          ...routeTo('web', fault.route),
          ...(fault.added === undefined
            ? {}
            : { response_headers_to_add: [{ header: { key: 'x-added', value: fault.added } }] }),
        },
      ],
      clusters: [
        { name: 'web', ports: [fault.upstream === 'dead' ? await deadPort() : upstream.port], ...fault.cluster },
      ],
      ...(fault.silent ? { environment: { connect: () => new net.Socket() } } : {}),
    });
    const client = new RawClient(gateway.port);
    client.send(fault.send ?? GET);
    if (fault.partial === undefined) {
      const response = await client.response();
      t.equal(response.status, fault.status);
      if (fault.body !== undefined) t.equal(response.body, fault.body);
      if (fault.header !== undefined)
        t.ok(response.headers.includes(fault.header), `${fault.header} in ${response.headers.join(' | ')}`);
    } else {
      await client.end();
      t.equal(Number(client.received.split(' ')[1]), fault.status);
      t.equal(client.received.slice(client.received.indexOf('\r\n\r\n') + 4), fault.partial);
    }
    const [info] = await gateway.logged(1);
    t.equal(`${info?.flags.join(',') || '-'} ${info?.details} ${info?.attemptCount}`, fault.log);
    t.equal(gateway.log.length, 1, 'one log line');
    if (fault.requests !== undefined) {
      const heads = upstream.connections.map(({ received }) => received.split(' HTTP/1.1\r\n').length - 1);
      t.equal(
        heads.reduce((sum, each) => sum + each, 0),
        fault.requests,
        'requests upstream',
      );
    }
    client.destroy();
    await gateway.close();
    await upstream.close();
    const circuit = gateway.clusters.get('web')?.circuit;
    if (circuit instanceof Breaker) {
      await until(() => Object.values(circuit.held).every((count) => count === 0), 'nothing is held').catch(() => {});
      t.same(circuit.held, { connection: 0, pending: 0, request: 0, retry: 0 }, 'nothing is held');
    }
  });
}

await t.test('limits: one connection, one pending, the third overflows', async (t) => {
  const waiting: net.Socket[] = [];
  const upstream = await startRawUpstream((socket) => waiting.push(socket));
  const gateway = await startHttpGateway({
    routes: [routeTo('web')],
    clusters: [{ name: 'web', ports: [upstream.port], limits: { connection: 1, pending: 1 } }],
  });
  const clients = [1, 2, 3].map(() => new RawClient(gateway.port));
  clients[0]?.send(GET);
  while (waiting.length === 0) await new Promise((resolve) => setImmediate(resolve));
  clients[1]?.send(GET);
  clients[2]?.send(GET);
  const [third] = await gateway.logged(1);
  t.equal(third?.flags.join(), 'UO');
  t.equal(third?.upstreamHost, '');
  for (let served = 0; served < 2; served++) {
    while (waiting.length <= served) await new Promise((resolve) => setImmediate(resolve));
    waiting[served]?.write(OK);
  }
  await gateway.logged(3);
  t.same(gateway.log.map(({ status }) => status).sort(), [200, 200, 503]);
  t.equal(upstream.connections.length, 1);
  for (const client of clients) client.destroy();
  await gateway.close();
  await upstream.close();
});

await t.test('a client that leaves: logged DC, upstream cancelled, nothing left, in every phase', async (t) => {
  const phases: Record<
    string,
    { send: string; upstream: (socket: net.Socket) => void; ready: (received: string) => boolean }
  > = {
    'while waiting for headers': { send: GET, upstream: () => {}, ready: () => true },
    'in its upload': {
      send: 'POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 100\r\n\r\nabc',
      upstream: () => {},
      ready: () => true,
    },
    'in the response': {
      send: GET,
      upstream: (socket) => socket.write('HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nabc'),
      ready: (received) => received.endsWith('abc'),
    },
    'in a tunnel': {
      send: 'GET / HTTP/1.1\r\nHost: a.test\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n',
      upstream: (socket) => socket.write('HTTP/1.1 101 X\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\nhi'),
      ready: (received) => received.endsWith('hi'),
    },
    'before a 101': {
      send: 'GET / HTTP/1.1\r\nHost: a.test\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n',
      upstream: () => {},
      ready: () => true,
    },
  };
  for (const [name, phase] of Object.entries(phases)) {
    let arrived = false;
    const upstream = await startRawUpstream((socket) => {
      arrived = true;
      phase.upstream(socket);
    });
    const gateway = await startHttpGateway({
      routes: [routeTo('web')],
      clusters: [{ name: 'web', ports: [upstream.port] }],
    });
    const client = new RawClient(gateway.port);
    client.send(phase.send);
    await client.until((received) => phase.ready(received), name);
    while (!arrived) await new Promise((resolve) => setImmediate(resolve));
    client.destroy();
    const [info] = await gateway.logged(1);
    t.equal(`${info?.flags.join()} ${info?.details}`, 'DC downstream_remote_disconnect', name);
    const end = performance.now() + 2000;
    while (
      (gateway.open.size > 0 || upstream.connections.some(({ socket }) => !socket.destroyed)) &&
      performance.now() < end
    )
      await new Promise((resolve) => setImmediate(resolve));
    t.ok(
      upstream.connections.every(({ socket }) => socket.destroyed),
      `${name}: upstream connection closed`,
    );
    t.equal(gateway.open.size, 0, `${name}: client connection gone`);
    t.equal(gateway.clusters.get('web')?.hosts[0]?.activeRequests, 0);
    await gateway.close();
    await upstream.close();
  }
});
