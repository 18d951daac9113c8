// Clients as people have them, against the real binary: curl, Python's http.client, undici, ws (gRPC: grpc-clients.test.ts;
// a browser: browser.verify.test.ts). What is not on the machine is skipped and said.
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import http from 'node:http';
import http2 from 'node:http2';
import path from 'node:path';
import t from 'tap';
import { Agent, Client, fetch } from 'undici';
import { WebSocket, WebSocketServer } from 'ws';
import { CA_FILE, commandVersion, listenOnLoopback, startClientGateway, toService } from '../support/client-gateway.js';

const LARGE = 3 * 1024 * 1024;
const curl = commandVersion('curl');
const python = commandVersion('python3');
const version = (name: string): string =>
  (JSON.parse(readFileSync(path.resolve('node_modules', name, 'package.json'), 'utf8')) as { version: string }).version;
t.comment(
  `real clients: ${[
    curl === undefined ? 'curl SKIPPED (not on the path)' : curl.split(' ').slice(0, 2).join(' '),
    python === undefined ? 'python3 SKIPPED (not on the path)' : python,
    `undici ${version('undici')}`,
    `ws ${version('ws')}`,
    `@grpc/grpc-js ${version('@grpc/grpc-js')}`,
  ].join(', ')}`,
);

/** Connections that the HTTP/1.1 upstream has seen. */
let connections = 0;

const web = http.createServer((request, response) => {
  const target = request.url ?? '';
  if (target.startsWith('/large')) {
    response.writeHead(200, { 'content-length': String(LARGE), etag: '"large"' });
    response.end(request.method === 'HEAD' ? '' : Buffer.alloc(LARGE, 'x'));
  } else if (target.startsWith('/stream')) {
    response.write('one ');
    response.write('two ');
    response.end('three');
  } else if (target.startsWith('/hints')) {
    response.writeEarlyHints({ link: '</style.css>; rel=preload' }, () => response.end('hinted'));
  } else if (target.startsWith('/no-content')) {
    response.writeHead(204).end();
  } else if (target.startsWith('/not-modified')) {
    response.writeHead(304, { etag: '"x"' }).end();
  } else if (target.startsWith('/early')) {
    response.writeHead(413, { 'content-length': '9' }).end('too large');
  } else if (target.startsWith('/cut')) {
    response.writeHead(200, { 'content-length': '1000' });
    response.write('half');
    setTimeout(() => response.destroy(), 100); // curl says nothing of a head that comes together with the reset
  } else {
    let bytes = 0;
    request.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
    });
    request.on('end', () => {
      const { headers, httpVersion } = request;
      response.setHeader('content-type', 'application/json');
      response.end(JSON.stringify({ method: request.method, target, bytes, httpVersion, headers }));
    });
  }
});
// Only `/continue` is waved on; what else expects it is not answered before its body.
web.on('checkContinue', (request: http.IncomingMessage, response: http.ServerResponse) => {
  if (request.url?.startsWith('/early') !== true) response.writeContinue();
  web.emit('request', request, response);
});
web.on('connection', () => connections++);
const sockets = new WebSocketServer({
  server: web,
  maxPayload: 64 * 1024 * 1024,
  verifyClient: ({ req }) => req.url !== '/refused',
});
sockets.on('connection', (socket) => {
  socket.on('error', () => {});
  socket.on('message', (data, isBinary) => {
    const close = isBinary ? undefined : /^close (\d+) (.*)$/.exec(String(data));
    if (close) socket.close(Number(close[1]), close[2]);
    else if (String(data) === 'terminate') socket.terminate();
    else socket.send(data, { binary: isBinary });
  });
});
const web2 = http2.createServer();
web2.on('stream', (stream, headers) => {
  let bytes = 0;
  stream.on('error', () => {});
  stream.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
  });
  stream.on('end', () => {
    stream.respond({ ':status': 200 }, { waitForTrailers: true });
    stream.on('wantTrailers', () => stream.sendTrailers({ checksum: 'abc' }));
    stream.end(JSON.stringify({ bytes, authority: headers[':authority'] }));
  });
});
const gateway = await startClientGateway([
  {
    name: 'web',
    port: await listenOnLoopback(web),
    protocol: 'HTTP',
    routes: `
- match: [{ uri: { prefix: /moved } }]
  redirect: { uri: /stream }
- match: [{ uri: { prefix: /nobody } }]
  ${toService('nobody')}
- ${toService('web')}
`,
  },
  { name: 'web2', port: await listenOnLoopback(web2), protocol: 'HTTP2' },
  { name: 'nobody', port: undefined, protocol: 'HTTP' },
]);
const { plain, secure } = gateway;

/** What a command printed. Rejects when it ends with another code than `code`. */
function run(command: string, args: readonly string[], code = 0): Promise<string> {
  return new Promise((resolve, reject) => {
    execFile(command, args, { timeout: 60_000, maxBuffer: 64 << 20 }, (error, stdout, stderr) => {
      if ((error?.code ?? 0) === code) resolve(stdout);
      else reject(new Error(`${command} ${args.join(' ')}: ${error?.code} ${stderr}`));
    });
  });
}

const upload = path.resolve('package-lock.json');
const uploadSize = readFileSync(upload).length;

interface CurlCase {
  readonly args: readonly string[];
  readonly target: string;
  /** `%{http_version} %{http_code} %{num_connects}` of every URL, in order. */
  readonly wrote: string;
  readonly body?: string | RegExp;
  readonly exit?: number;
}

const CURL: readonly CurlCase[] = [
  { args: ['--http1.1'], target: '/a', wrote: '1.1 200 1', body: /"target":"\/a"/ },
  { args: ['--http2'], target: '/a', wrote: '2 200 1', body: /"httpVersion":"1.1"/ },
  { args: ['--http1.1', '-I'], target: '/large', wrote: '1.1 200 1', body: /content-length: 3145728\r\n/ },
  { args: ['--http2', '-I'], target: '/large', wrote: '2 200 1', body: /content-length: 3145728\r\n/ },
  { args: ['--http2'], target: '/stream', wrote: '2 200 1', body: /^one two three/ },
  { args: ['--http1.1', '-T', upload], target: '/up', wrote: '1.1 200 1', body: new RegExp(`"bytes":${uploadSize},`) },
  { args: ['--http2', '-T', upload], target: '/up', wrote: '2 200 1', body: new RegExp(`"bytes":${uploadSize},`) },
  {
    args: ['--http1.1', '-H', 'Expect: 100-continue', '--expect100-timeout', '30', '-T', upload],
    target: '/continue',
    wrote: '1.1 200 1',
    body: /"expect":"100-continue"/,
  },
  {
    args: ['--http1.1', '-H', 'Expect: 100-continue', '--expect100-timeout', '30', '-T', upload],
    target: '/early',
    wrote: '1.1 413 1',
    body: /^too large/,
  },
  {
    args: ['--http1.1', '-H', 'Transfer-Encoding: chunked', '-H', 'Expect:', '--data-binary', `@${upload}`],
    target: '/up',
    wrote: '1.1 200 1',
    body: /"transfer-encoding":"chunked"/,
  },
  { args: ['--http1.1', '-i'], target: '/hints', wrote: '1.1 200 1', body: /^HTTP\/1.1 103 [\s\S]*hinted/ },
  { args: ['--http2', '-i'], target: '/hints', wrote: '2 200 1', body: /^HTTP\/2 103 [\s\S]*hinted/ },
  { args: ['--http1.1'], target: '/no-content', wrote: '1.1 204 1' },
  { args: ['--http2'], target: '/not-modified', wrote: '2 304 1' },
  { args: ['--http1.1', '-L'], target: '/moved', wrote: '1.1 200 1', body: /^one two three/ },
  { args: ['--http1.1'], target: '/nobody', wrote: '1.1 503 1', body: /^no healthy upstream/ },
  { args: ['--http1.1'], target: '/cut', wrote: '1.1 200 1', exit: 18 },
  { args: ['--http2'], target: '/cut', wrote: '2 200 1', exit: 92 },
];

await t.test('curl', { skip: curl === undefined && 'curl is not on the path' }, async (t) => {
  const ask = ({ args, exit }: Pick<CurlCase, 'args' | 'exit'>, urls: readonly string[]): Promise<string> =>
    run(
      'curl',
      [
        ...['-sS', '--cacert', CA_FILE, '-w', '\n%{http_version} %{http_code} %{num_connects}\n', ...args],
        ...['web', 'web2'].flatMap((name) => [
          ...['--resolve', `${name}.example.com:${secure}:127.0.0.1`],
          ...['--resolve', `${name}.example.com:${plain}:127.0.0.1`],
        ]),
        ...urls,
      ],
      exit,
    );
  for (const one of CURL) {
    const printed = await ask(one, [`https://web.example.com:${secure}${one.target}`]);
    const what = `${one.args.join(' ')} ${one.target}`;
    t.equal(printed.trim().split('\n').at(-1), one.wrote, what);
    if (one.body !== undefined) t.match(printed, one.body, what);
  }
  const large = await ask({ args: ['--http2'] }, [`https://web.example.com:${secure}/large`]);
  t.equal(large.lastIndexOf('x') + 1, LARGE, 'the whole of a large body');
  const twice = await ask({ args: ['--http1.1'] }, [
    `http://web.example.com:${plain}/stream`,
    `http://web.example.com:${plain}/stream`,
  ]);
  t.equal(twice, 'one two three\n1.1 200 1\none two three\n1.1 200 0\n', 'the connection is used again');
  // One URL: curl 7.88 fails on the second with Envoy too.
  const prior = await ask({ args: ['--http2-prior-knowledge'] }, [`http://web2.example.com:${plain}/a`]);
  t.match(prior, /"bytes":0.*\n2 200 1\n$/, 'prior knowledge');
  const h2c = await ask({ args: ['--http2'] }, [`http://web.example.com:${plain}/stream`]);
  t.equal(h2c, 'one two three\n1.1 200 1\n', 'Upgrade: h2c is not taken');
  const many = await ask({ args: ['--http2', '-Z'] }, [`https://web.example.com:${secure}/stream?[1-40]`]);
  t.same(
    [/three/g, /^2 200 /gm].map((each) => many.match(each)?.length),
    [40, 40],
    'forty at a time',
  );
});

const PYTHON = `
import http.client, json, ssl, sys
plain, secure, ca = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
out = []
def note(response, body=None):
    body = response.read() if body is None else body
    out.append([response.version, response.status, len(body), response.getheader('server'), response.getheader('content-length')])
    return body
c = http.client.HTTPConnection('127.0.0.1', plain, timeout=30)
host = {'Host': 'web.example.com'}
for i in range(3):
    c.request('GET', '/a?%d' % i, headers=host)
    note(c.getresponse())
port = c.sock.getsockname()[1]
c.request('HEAD', '/large', headers=host); note(c.getresponse())
c.request('POST', '/up', body=iter([b'x' * 10000] * 20), headers=host, encode_chunked=True)
out.append(json.loads(note(c.getresponse()))['bytes'])
c.request('PUT', '/up', body=b'y' * 200000, headers=host)
out.append(json.loads(note(c.getresponse()))['bytes'])
c.request('GET', '/no-content', headers=host); note(c.getresponse())
c.request('GET', '/stream', headers=host); out.append(note(c.getresponse()).decode())
out.append(c.sock is not None and c.sock.getsockname()[1] == port)
c.request('POST', '/early', body=b'z' * 1000, headers=host); note(c.getresponse())
c.close()
c = http.client.HTTPConnection('127.0.0.1', plain, timeout=30)
c.request('GET', '/cut', headers=host)
r = c.getresponse()
try: r.read()
except http.client.IncompleteRead as e: out.append('incomplete %d' % len(e.partial))
c.close()
context = ssl.create_default_context(cafile=ca)
import socket
raw = socket.create_connection(('127.0.0.1', secure), timeout=30)
tls = context.wrap_socket(raw, server_hostname='web.example.com')
c = http.client.HTTPSConnection('web.example.com', secure); c.sock = tls
c.request('GET', '/large')
note(c.getresponse())
c.close()
print(json.dumps(out))
`;

await t.test("Python's http.client", { skip: python === undefined && 'python3 is not on the path' }, async (t) => {
  const notes = JSON.parse(await run('python3', ['-c', PYTHON, String(plain), String(secure), CA_FILE])) as unknown[];
  const answers = notes.filter((note): note is [number, number, number, string, string | null] => Array.isArray(note));
  t.ok(answers.every(([http, , , server]) => http === 11 && server === 'istio-envoy'));
  t.same(
    answers.map(([, status]) => status),
    [200, 200, 200, 200, 200, 200, 204, 200, 413, 200],
  );
  t.same([answers[3]?.[2], answers[3]?.[4]], [0, String(LARGE)], 'HEAD');
  t.equal(answers.at(-1)?.[2], LARGE, 'over TLS');
  t.same(
    notes.filter((note) => !Array.isArray(note)),
    [200_000, 200_000, 'one two three', true, 'incomplete 4'],
    'bodies up, one connection for all, a body that is cut',
  );
});

await t.test('undici: keep-alive, pipelining, bodies both ways', async (t) => {
  const before = connections;
  const client = new Client(`http://127.0.0.1:${plain}`, { pipelining: 10 });
  const headers = { host: 'web.example.com' };
  const answers = await Promise.all(
    Array.from({ length: 30 }, (_, i) => client.request({ path: `/p${i}`, method: 'GET', headers })),
  );
  const targets = await Promise.all(
    answers.map(async ({ body }) => ((await body.json()) as { target: string }).target),
  );
  t.same(
    targets,
    Array.from({ length: 30 }, (_, i) => `/p${i}`),
    'thirty requests, ten at a time, in order',
  );
  t.ok(connections - before <= 1, 'one upstream connection serves a client that pipelines');
  const up = await client.request({ path: '/up', method: 'POST', headers, body: Buffer.alloc(LARGE) });
  t.equal(((await up.body.json()) as { bytes: number }).bytes, LARGE);
  const down = await client.request({ path: '/large', method: 'GET', headers });
  t.equal((await down.body.arrayBuffer()).byteLength, LARGE);
  const cut = await client.request({ path: '/cut', method: 'GET', headers });
  await t.rejects(cut.body.text(), { code: 'UND_ERR_SOCKET' });
  await client.close();
});

await t.test('undici over HTTP/2', async (t) => {
  const connect = { ca: readFileSync(CA_FILE), servername: 'web2.example.com' };
  const agent = new Agent({ allowH2: true, connect });
  const url = `https://127.0.0.1:${secure}`;
  const client = new Client(url, { allowH2: true, connect });
  const headers = { host: 'web2.example.com' };
  const { body, trailers } = await client.request({ path: '/', method: 'POST', headers, body: Buffer.alloc(LARGE) });
  t.match(await body.json(), { bytes: LARGE });
  t.ok(trailers !== undefined);
  const all = await Promise.all(
    Array.from({ length: 50 }, async (_, i) => {
      const answer = await client.request({ path: `/${i}`, method: 'GET', headers });
      await answer.body.text();
      return answer.statusCode;
    }),
  );
  t.ok(
    all.every((status) => status === 200),
    'fifty at a time',
  );
  const fetched = await fetch(`${url}/x`, { dispatcher: agent, headers: { host: 'nowhere.example.com' } });
  t.equal(fetched.status, 404);
  await client.close();
  await agent.close();
});

const socketTo = (address: string, headers: Record<string, string> = {}): WebSocket =>
  new WebSocket(address, {
    perMessageDeflate: false,
    headers: { host: 'web.example.com', ...headers },
    ca: readFileSync(CA_FILE, 'utf8'),
    servername: 'web.example.com',
  });
const opened = (socket: WebSocket): Promise<WebSocket> =>
  new Promise((resolve, reject) => socket.once('open', () => resolve(socket)).once('error', reject));

for (const scheme of ['ws', 'wss'] as const) {
  await t.test(`${scheme}: text, binary, pings, large messages, many at a time, close codes`, async (t) => {
    const address = `${scheme}://127.0.0.1:${scheme === 'ws' ? plain : secure}/chat`;
    const socket = await opened(socketTo(address));
    const echo = (data: string | Buffer, from = socket): Promise<[Buffer, boolean]> =>
      new Promise((resolve) => {
        from.once('message', (answer, isBinary) => resolve([answer, isBinary]));
        from.send(data);
      });
    t.same(await echo('grüße'), [Buffer.from('grüße'), false]);
    t.same(await echo(Buffer.from([0, 1, 255])), [Buffer.from([0, 1, 255]), true]);
    const large = Buffer.alloc(8 * 1024 * 1024, 7);
    const [back] = await echo(large);
    t.ok(back.equals(large), 'eight megabytes');
    const pong = new Promise<string>((resolve) => socket.once('pong', (data) => resolve(String(data))));
    socket.ping('still there?');
    t.equal(await pong, 'still there?');
    const order: string[] = [];
    const all = new Promise<void>((resolve) => {
      socket.on('message', (data) => {
        if (order.push(String(data)) === 500) resolve();
      });
    });
    for (let i = 0; i < 500; i++) socket.send(String(i));
    await all;
    t.same(order.slice(-1), ['499'], 'five hundred in order');
    const closed = (from: WebSocket): Promise<[number, string]> =>
      new Promise((resolve) => from.once('close', (code, reason) => resolve([code, String(reason)])));
    const farewell = closed(socket);
    socket.send('close 4321 over');
    t.same(await farewell, [4321, 'over']);

    const many = await Promise.all(Array.from({ length: 30 }, () => opened(socketTo(address))));
    const said = await Promise.all(many.map((one, i) => echo(`number ${i}`, one)));
    t.ok(
      said.every(([data], i) => String(data) === `number ${i}`),
      'thirty sockets',
    );
    const gone = closed(many[0] as WebSocket);
    many[0]?.send('terminate');
    t.same(await gone, [1006, ''], 'the upstream vanishes');
    const codes = many.slice(1).map((one) => {
      const done = closed(one);
      one.close(1001);
      return done;
    });
    t.ok((await Promise.all(codes)).every(([code]) => code === 1001));

    const refusal = (target: string, headers?: Record<string, string>): Promise<number | undefined> =>
      new Promise((resolve) => {
        const one = socketTo(address.replace('/chat', target), headers);
        one.on('error', () => {});
        one.once('unexpected-response', (_request, response) => {
          response.resume();
          resolve(response.statusCode);
        });
      });
    t.equal(await refusal('/refused'), 401, 'by the upstream');
    t.equal(await refusal('/nobody'), 503, 'no endpoint');
    t.equal(await refusal('/moved'), 301, 'a redirect');
    t.equal(await refusal('/chat', { host: 'nowhere.example.com' }), 404, 'no route');
  });
}

t.same(await gateway.stop(), { code: 0, errors: '' }, 'it ended well, and had no errors of its own');
sockets.close();
web.closeAllConnections();
web.close();
web2.close();
