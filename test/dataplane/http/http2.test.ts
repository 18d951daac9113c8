// HTTP/2 downstream and upstream through node:http2 on both ends (spec dataplane.md §3.9, §4.2, §5).
import http2 from 'node:http2';
import net from 'node:net';
import t from 'tap';
import { Http2ServerConnection } from '../../../src/dataplane/codec/http2/server-connection.js';
import {
  MANAGER,
  RawClient,
  realEnvironment,
  routeTo,
  startHttpGateway,
  startRawUpstream,
  type TestGateway,
} from '../../support/http-gateway.js';
import { show } from '../../support/http2-frames.js';

interface H2Response {
  readonly status: number;
  readonly headers: http2.IncomingHttpHeaders;
  readonly body: string;
  readonly trailers: http2.IncomingHttpHeaders | undefined;
  readonly informational: readonly number[];
  readonly rstCode: number;
}

function request(
  session: http2.ClientHttp2Session,
  headers: http2.OutgoingHttpHeaders,
  body?: string,
  trailers?: http2.OutgoingHttpHeaders,
): Promise<H2Response> {
  return new Promise((resolve) => {
    const stream = session.request(
      { ':authority': 'a.test', ...headers },
      { endStream: body === undefined, waitForTrailers: trailers !== undefined },
    );
    const result = {
      status: 0,
      headers: {} as http2.IncomingHttpHeaders,
      body: '',
      trailers: undefined as http2.IncomingHttpHeaders | undefined,
      informational: [] as number[],
      rstCode: 0,
    };
    stream.on('wantTrailers', () => stream.sendTrailers(trailers ?? {}));
    stream.on('headers', (more: http2.IncomingHttpHeaders) => result.informational.push(Number(more[':status'])));
    stream.on('response', (more) => {
      result.status = Number(more[':status']);
      result.headers = more;
    });
    stream.on('data', (chunk: Buffer) => {
      result.body += chunk.toString('latin1');
    });
    stream.on('trailers', (more) => {
      result.trailers = more;
    });
    stream.on('error', () => {});
    stream.on('close', () => resolve({ ...result, rstCode: stream.rstCode ?? 0 }));
    if (body !== undefined) stream.end(body);
  });
}

interface H2Upstream {
  readonly port: number;
  readonly seen: {
    headers: http2.IncomingHttpHeaders;
    raw: readonly string[];
    body: string;
    trailers: http2.IncomingHttpHeaders | undefined;
  }[];
  readonly sessions: http2.ServerHttp2Session[];
  close(): Promise<void>;
}

async function startH2Upstream(
  answer: (stream: http2.ServerHttp2Stream, sockets: readonly net.Socket[]) => void,
): Promise<H2Upstream> {
  const seen: H2Upstream['seen'] = [];
  const sessions: http2.ServerHttp2Session[] = [];
  const sockets: net.Socket[] = [];
  const server = http2.createServer();
  server.on('connection', (socket: net.Socket) => sockets.push(socket));
  server.on('session', (session) => sessions.push(session));
  server.on('stream', (stream, headers, _flags, ...rest: unknown[]) => {
    const entry = {
      headers,
      raw: Array.isArray(rest[0]) ? rest[0] : [],
      body: '',
      trailers: undefined as http2.IncomingHttpHeaders | undefined,
    };
    seen.push(entry);
    stream.on('error', () => {});
    stream.on('trailers', (more) => {
      entry.trailers = more;
    });
    stream.on('data', (chunk: Buffer) => {
      entry.body += chunk.toString('latin1');
    });
    answer(stream, sockets);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  return {
    port: typeof address === 'object' && address !== null ? address.port : 0,
    seen,
    sessions,
    close: async () => {
      for (const session of sessions) session.destroy();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

const OK = 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok';

async function withH1Upstream(
  answer: (socket: net.Socket, head: string, count: number) => void,
  run: (
    gateway: TestGateway,
    session: http2.ClientHttp2Session,
    socket: net.Socket,
    received: () => string,
  ) => Promise<void>,
): Promise<void> {
  const upstream = await startRawUpstream(answer);
  const gateway = await startHttpGateway({
    routes: [routeTo('web')],
    clusters: [{ name: 'web', ports: [upstream.port] }],
  });
  const socket = net.connect(gateway.port, '127.0.0.1');
  const session = http2.connect(`http://127.0.0.1:${gateway.port}`, { createConnection: () => socket });
  session.on('error', () => {});
  try {
    await run(gateway, session, socket, () => upstream.connections.map(({ received }) => received).join(''));
  } finally {
    session.destroy();
    await gateway.close();
    await upstream.close();
  }
}

await t.test(
  'h2 to HTTP/1.1: authority becomes host, crumbs one cookie, te stays, body without length is chunked',
  async (t) => {
    await withH1Upstream(
      (socket) => socket.write(OK),
      async (gateway, session, _socket, received) => {
        const got = await request(
          session,
          { ':method': 'POST', ':path': '/p', cookie: ['a=1', 'b=2'], te: 'trailers', 'x-a': ['1', '2'] },
          'hello',
          { 'x-t': '1' },
        );
        t.equal(got.status, 200);
        t.equal(got.body, 'ok');
        t.equal(got.headers['server'], 'istio-envoy');
        t.notOk(got.headers['connection'] ?? got.headers['transfer-encoding']);
        const head = received();
        t.match(head, /^POST \/p HTTP\/1\.1\r\nhost: a\.test\r\n/);
        t.match(head, /\r\ncookie: a=1; b=2\r\n/);
        t.match(head, /\r\nte: trailers\r\n/);
        t.match(head, /\r\nx-a: 1\r\nx-a: 2\r\n/);
        t.match(head, /\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n$/);
        const [info] = await gateway.logged(1);
        t.equal(
          `${info?.protocol} ${info?.status} ${info?.details} ${info?.bytesReceived} ${info?.bytesSent}`,
          'HTTP/2 200 via_upstream 5 2',
        );
      },
    );
  },
);

await t.test('response lines that node:http2 would refuse', async (t) => {
  await withH1Upstream(
    (socket) =>
      socket.write(
        'HTTP/1.1 200 OK\r\nretry-after: 1\r\nretry-after: 2\r\nte: gzip\r\nlink: a\r\nlink: b\r\nset-cookie: c\r\nset-cookie: d\r\ncontent-length: 2\r\n\r\nok',
      ),
    async (_gateway, session) => {
      const { headers, body } = await request(session, { ':path': '/' });
      t.same(
        [headers['retry-after'], headers['link'], headers['set-cookie'], headers['te'], body],
        ['1', 'a, b', ['c', 'd'], undefined, 'ok'], // node:http2 shows the first of two lines
      );
    },
  );
});

await t.test('many streams on one connection', async (t) => {
  await withH1Upstream(
    (socket) => socket.write(OK),
    async (gateway, session) => {
      const all = await Promise.all(Array.from({ length: 40 }, (_, i) => request(session, { ':path': `/${i}` })));
      t.ok(all.every(({ status, body }) => status === 200 && body === 'ok'));
      await gateway.logged(40);
    },
  );
});

await t.test('local replies over h2 have no framing headers', async (t) => {
  await withH1Upstream(
    (socket) => socket.write(OK),
    async (gateway, session) => {
      const got = await request(session, { ':authority': 'none.test', ':path': '/' });
      t.equal(got.status, 404);
      t.same(Object.keys(got.headers).sort(), [':status', 'date', 'server']);
      const [info] = await gateway.logged(1);
      t.equal(`${info?.status} ${info?.flags.join()} ${info?.details}`, '404 NR route_not_found');
    },
  );
});

await t.test('more than 100 headers, pseudo headers counted: RST_STREAM INTERNAL_ERROR, DR', async (t) => {
  await withH1Upstream(
    (socket) => socket.write(OK),
    async (gateway, session) => {
      const many = (count: number): http2.OutgoingHttpHeaders =>
        Object.fromEntries(Array.from({ length: count }, (_, i) => [`x-${i}`, '1']));
      t.equal((await request(session, { ':path': '/', ...many(96) })).status, 200);
      const got = await request(session, { ':path': '/', ...many(97) });
      t.equal(`${got.status} ${got.rstCode}`, '0 2');
      const log = await gateway.logged(2);
      t.equal(`${log[1]?.status} ${log[1]?.flags.join()} ${log[1]?.details}`, '0 DR http2.too_many_headers');
    },
  );
});

await t.test('a stream that the client resets: DR, upstream cancelled; the connection goes on', async (t) => {
  const sockets: net.Socket[] = [];
  await withH1Upstream(
    (socket, head) => {
      sockets.push(socket);
      if (!head.startsWith('GET /hang')) socket.write(OK);
    },
    async (gateway, session) => {
      const stream = session.request({ ':path': '/hang', ':authority': 'a.test' });
      stream.on('error', () => {});
      while (sockets.length === 0) await new Promise((resolve) => setImmediate(resolve));
      stream.close(http2.constants.NGHTTP2_CANCEL);
      const [info] = await gateway.logged(1);
      t.equal(`${info?.status} ${info?.flags.join()} ${info?.details}`, '0 DR http2.remote_reset');
      await new Promise<void>((resolve) =>
        sockets[0]?.destroyed ? resolve() : sockets[0]?.on('close', () => resolve()),
      );
      t.equal((await request(session, { ':path': '/' })).status, 200);
    },
  );
});

await t.test('a lost connection: DC for its streams', async (t) => {
  let arrived = false;
  await withH1Upstream(
    () => {
      arrived = true;
    },
    async (gateway, session, socket) => {
      const stream = session.request({ ':path': '/', ':authority': 'a.test' });
      stream.on('error', () => {});
      while (!arrived) await new Promise((resolve) => setImmediate(resolve));
      socket.destroy();
      const [info] = await gateway.logged(1);
      t.equal(`${info?.status} ${info?.flags.join()} ${info?.details}`, '0 DC downstream_remote_disconnect');
    },
  );
});

await t.test('upstream breaks off after headers: RST_STREAM INTERNAL_ERROR at once', async (t) => {
  await withH1Upstream(
    (socket) => socket.end('HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc'),
    async (gateway, session) => {
      const got = await request(session, { ':path': '/' });
      t.equal(`${got.status} ${got.rstCode}`, '200 2');
      const [info] = await gateway.logged(1);
      t.equal(`${info?.status} ${info?.flags.join()}`, '200 UPE');
    },
  );
});

await t.test('an answer before the end of the request: whole, then RST_STREAM NO_ERROR', async (t) => {
  for (const answer of [OK, 'HTTP/1.1 204 No Content\r\n\r\n']) {
    await withH1Upstream(
      (socket) => socket.write(answer),
      async (gateway, session) => {
        const stream = session.request({ ':authority': 'a.test', ':method': 'POST', ':path': '/' });
        stream.on('error', () => {});
        stream.write('begun');
        let status = 0;
        let body = '';
        stream.on('response', (headers) => {
          status = Number(headers[':status']);
        });
        stream.on('data', (chunk: Buffer) => {
          body += chunk.toString('latin1');
        });
        await new Promise((resolve) => stream.on('close', resolve));
        t.same([status, body, stream.rstCode], answer === OK ? [200, 'ok', 0] : [204, '', 0]);
        const [info] = await gateway.logged(1);
        t.equal(`${info?.status} ${info?.flags.join()} ${info?.details}`, `${status}  via_upstream`);
      },
    );
  }
});

await t.test('103 with a response', async (t) => {
  await withH1Upstream(
    (socket) => socket.write(`HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n${OK}`),
    async (_gateway, session) => {
      const got = await request(session, { ':path': '/' });
      t.same(got.informational, [103]);
      t.equal(got.body, 'ok');
    },
  );
});

await t.test('cookie crumbs without text leave nothing', async (t) => {
  await withH1Upstream(
    (socket) => socket.write(OK),
    async (_gateway, session, _socket, received) => {
      await request(session, { ':path': '/none', cookie: ['', ''] });
      await request(session, { ':path': '/one', cookie: ['', 'a=1', ''] });
      const [none, one] = received().split('GET /').slice(1);
      t.notMatch(none, /cookie/);
      t.match(one, '\r\ncookie: a=1; \r\n');
    },
  );
});

await t.test('cookie lines of an HTTP/1.1 client stay lines on the way to an h2 upstream', async (t) => {
  await withH2Upstream(
    (stream) => {
      stream.respond({ ':status': 200 });
      stream.end('ok');
    },
    async (gateway, upstream) => {
      const socket = net.connect(gateway.port, '127.0.0.1');
      await new Promise<void>((resolve) => {
        socket.once('data', () => resolve());
        socket.write('GET / HTTP/1.1\r\nHost: a.test\r\nCookie: a=1\r\nX-A: 1\r\nCookie: b=2\r\n\r\n');
      });
      socket.destroy();
      const raw = upstream.seen[0]?.raw ?? [];
      t.same(
        raw.filter((_, index) => index % 2 === 1 && raw[index - 1] === 'cookie'),
        ['a=1', 'b=2'],
      );
    },
  );
});

async function withH2Upstream(
  answer: (stream: http2.ServerHttp2Stream, sockets: readonly net.Socket[]) => void,
  run: (gateway: TestGateway, upstream: H2Upstream, session: http2.ClientHttp2Session) => Promise<void>,
): Promise<void> {
  const upstream = await startH2Upstream(answer);
  const gateway = await startHttpGateway({
    routes: [routeTo('web')],
    clusters: [{ name: 'web', ports: [upstream.port], protocol: 'http2' }],
  });
  const session = http2.connect(`http://127.0.0.1:${gateway.port}`);
  session.on('error', () => {});
  try {
    await run(gateway, upstream, session);
  } finally {
    session.destroy();
    await gateway.close();
    await upstream.close();
  }
}

await t.test('h2 to h2: trailers both ways, one connection', async (t) => {
  await withH2Upstream(
    (stream) => {
      stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
      stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
      stream.on('end', () => stream.end('answer'));
    },
    async (gateway, upstream, session) => {
      for (let i = 0; i < 3; i++) {
        const got = await request(
          session,
          { ':method': 'POST', ':path': '/s/m', te: 'trailers', 'content-type': 'application/grpc' },
          'question',
          { 'x-t': '1' },
        );
        t.equal(`${got.status} ${got.body} ${got.trailers?.['grpc-status']}`, '200 answer 0');
      }
      t.equal(upstream.sessions.length, 1);
      t.equal(upstream.seen[0]?.body, 'question');
      t.equal(upstream.seen[0]?.trailers?.['x-t'], '1');
      t.equal(upstream.seen[0]?.headers[':authority'], 'a.test');
      t.equal(upstream.seen[0]?.headers['te'], 'trailers');
      t.equal((await gateway.logged(3))[0]?.bytesSent, 6);
    },
  );
});

await t.test('HTTP/1.1 client of an h2 upstream', async (t) => {
  await withH2Upstream(
    (stream) => {
      stream.respond({ ':status': 201, 'x-a': '1' });
      stream.end('made');
    },
    async (gateway, upstream) => {
      const client = new RawClient(gateway.port);
      client.send('POST /x HTTP/1.1\r\nHost: a.test\r\nContent-Length: 2\r\n\r\nhi');
      const response = await client.response();
      t.equal(`${response.line} ${response.body}`, 'HTTP/1.1 201 Created made');
      t.ok(response.headers.includes('transfer-encoding: chunked'));
      t.equal(`${upstream.seen[0]?.headers[':scheme']} ${upstream.seen[0]?.body}`, 'http hi');
      client.destroy();
    },
  );
});

const RESETS: readonly [name: string, code: number, status: number, flags: string, reason: string][] = [
  ['PROTOCOL_ERROR', 1, 502, 'UPE', 'protocol_error'],
  ['INTERNAL_ERROR', 2, 503, 'UR', 'remote_reset'],
  ['CANCEL', 8, 503, 'UR', 'remote_reset'],
  ['REFUSED_STREAM', 7, 503, 'UR', 'remote_refused_stream_reset'],
];
for (const [name, code, status, flags, reason] of RESETS) {
  await t.test(`upstream resets with ${name}`, async (t) => {
    await withH2Upstream(
      (stream) => stream.close(code),
      async (gateway, _upstream, session) => {
        const got = await request(session, { ':path': '/' });
        t.equal(got.status, status);
        const [info] = await gateway.logged(1);
        t.equal(`${info?.flags.join()} ${info?.details}`, `${flags} upstream_reset_before_response_started{${reason}}`);
      },
    );
  });
}

await t.test('upstream closes the connection: UC; speaks HTTP/1.1: 502 UPE', async (t) => {
  await withH2Upstream(
    (_stream, sockets) => sockets[0]?.destroy(),
    async (gateway, _upstream, session) => {
      t.equal((await request(session, { ':path': '/' })).status, 503);
      t.equal((await gateway.logged(1))[0]?.details, 'upstream_reset_before_response_started{connection_termination}');
    },
  );
  const server = net.createServer((socket) => {
    socket.on('error', () => {});
    socket.end('HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\nconnection: close\r\n\r\n');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  const gateway = await startHttpGateway({
    routes: [routeTo('web')],
    clusters: [{ name: 'web', ports: [port], protocol: 'http2' }],
  });
  const client = new RawClient(gateway.port);
  client.send('GET / HTTP/1.1\r\nHost: a.test\r\n\r\n');
  t.equal((await client.response()).status, 502);
  t.equal((await gateway.logged(1))[0]?.flags.join(), 'UPE');
  client.destroy();
  await gateway.close();
  server.close();
});

await t.test('draining announces GOAWAY', async (t) => {
  await withH1Upstream(
    (socket) => socket.write(OK),
    async (gateway, session) => {
      t.equal((await request(session, { ':path': '/' })).status, 200);
      const goaway = new Promise<number>((resolve) => session.on('goaway', (code) => resolve(code)));
      gateway.drain();
      t.equal(await goaway, 0);
    },
  );
});

await t.test('an upgrade to an h2 upstream is an extended CONNECT', async (t) => {
  const seen: http2.IncomingHttpHeaders[] = [];
  const server = http2.createServer({ settings: { enableConnectProtocol: true } });
  server.on('stream', (stream, headers) => {
    seen.push(headers);
    stream.on('error', () => {});
    stream.respond({ ':status': 200, 'sec-websocket-accept': 'yes' });
    stream.on('data', (chunk: Buffer) => {
      if (chunk.toString() === 'end') stream.end('bye');
      else stream.write(`echo:${chunk.toString()}`);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const gateway = await startHttpGateway({
    routes: [routeTo('up')],
    clusters: [{ name: 'up', ports: [(server.address() as net.AddressInfo).port], protocol: 'http2' }],
    manager: { upgrade_configs: [{ upgrade_type: 'websocket' }] },
  });
  const client = new RawClient(gateway.port, { allowHalfOpen: true });
  client.send(
    'GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: k\r\n\r\n',
  );
  const head = await client.until((text) => text.includes('\r\n\r\n'));
  t.match(head, /^HTTP\/1\.1 101 Switching Protocols\r\n/);
  t.match(head, /\r\nupgrade: websocket\r\n/);
  t.match(head, /\r\nsec-websocket-accept: yes\r\n/);
  client.send('hello');
  await client.until((text) => text.endsWith('echo:hello'));
  client.send('end');
  await client.until((text) => text.endsWith('bye'));
  t.equal(await client.end(), 'fin'); // a second later
  const [headers] = seen;
  t.same([headers?.[':method'], headers?.[':protocol'], headers?.[':path']], ['CONNECT', 'websocket', '/ws']);
  t.same([headers?.['sec-websocket-key'], headers?.['upgrade'], headers?.['connection']], ['k', undefined, undefined]);
  t.equal((await gateway.logged(1))[0]?.status, 101);
  await gateway.close();
  server.close();
});

await t.test('an idle connection: GOAWAY twice, then FIN', async (t) => {
  const waited: number[] = [];
  const gateway = await startHttpGateway({
    routes: [{ match: { prefix: '/' }, direct_response: { status: 200 } }],
    clusters: [],
    manager: { common_http_protocol_options: { idle_timeout: '0.050s' } },
    environment: {
      setTimer: (milliseconds, run) => {
        waited.push(milliseconds);
        const timer = setTimeout(run, milliseconds < 900 ? milliseconds : milliseconds / 100);
        return { cancel: () => clearTimeout(timer) };
      },
    },
  });
  const client = new RawClient(gateway.port);
  client.send('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0');
  const ended = await client.end();
  t.equal(ended, 'fin');
  t.match(show(Buffer.from(client.received, 'latin1')), /GOAWAY last=2147483647 0, GOAWAY last=0 0$/);
  t.same(
    waited.filter((time) => time >= 900),
    [5000, 1000],
  );
  await gateway.close();
});

await t.test('a client that leaves with the last frame in hand has got its response', async (t) => {
  // As curl manages to.
  const outcomes: Promise<string>[] = [];
  const server = net.createServer((socket) => {
    outcomes.push(
      new Promise((resolve) => {
        const codec = new Http2ServerConnection(
          socket,
          { environment: realEnvironment(), secure: false, manager: MANAGER },
          {
            onRequestBegun: () => {},
            onStream: (stream) => {
              stream.listen({
                onFailure: ({ details }) => resolve(details),
                onFinished: () => resolve('finished'),
                onDrain: () => {},
              });
              stream.respond({ status: 200, headers: [] }, false);
              stream.end([]);
              setImmediate(() => socket.emit('end'));
            },
            onRefused: ({ details }) => resolve(details),
            onClosed: () => {},
          },
        );
        codec.start(Buffer.alloc(0));
      }),
    );
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as net.AddressInfo;
  const session = http2.connect(`http://127.0.0.1:${port}`);
  session.on('error', () => {});
  await request(session, { ':path': '/' });
  t.strictSame(await Promise.all(outcomes), ['finished']);
  session.destroy();
  server.close();
});
