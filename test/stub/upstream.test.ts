// Upstreams for tests and for `postern run`: what they record, how they can misbehave, and what the echo stub says.
// More of it, call by call, in test/golden/replay.test.ts.
import net from 'node:net';
import tls from 'node:tls';
import t from 'tap';
import { createDevelopmentCa, issueCertificate } from '../../src/certs/development-ca.js';
import { parseBehaviour } from '../../src/stub/behaviour.js';
import { startEchoStub } from '../../src/stub/echo-stub.js';
import { startUpstream } from '../../src/stub/recording-upstream.js';

/** Sends bytes, returns everything up to the end of the connection or until `enough`. */
function talk(socket: net.Socket, send: string, enough: (text: string) => boolean = () => false): Promise<string> {
  return new Promise((resolve) => {
    let text = '';
    socket.on('data', (chunk) => {
      text += chunk.toString('latin1');
      if (enough(text)) socket.destroy();
    });
    socket.on('error', (error: NodeJS.ErrnoException) => {
      text += `<${error.code}>`;
    });
    socket.on('close', () => resolve(text));
    socket.write(send, 'latin1');
  });
}

t.test('behaviours are read from one text', async (t) => {
  const none = {
    delay: 0,
    headers: [],
    chunked: false,
    trailers: false,
    abort: false,
    early: false,
    closeAfter: false,
  };
  for (const [text, want] of [
    ['', {}],
    ['status=503;delay=20', { status: 503, delay: 20 }],
    ['reset', { mishap: 'reset' }],
    ['reset=7', { mishap: 'reset', resetCode: 7 }],
    ['fail=2:502', { failures: { count: 2, status: 502 } }],
    ['fail=1:close', { failures: { count: 1, mishap: 'close' } }],
    [
      'header=A:b:c;header=Set-Cookie:x=1',
      {
        headers: [
          ['A', 'b:c'],
          ['Set-Cookie', 'x=1'],
        ],
      },
    ],
    [
      'size=3;chunked;trailers;abort;early;closeafter;grpc=5',
      { size: 3, chunked: true, trailers: true, abort: true, early: true, closeAfter: true, grpcStatus: 5 },
    ],
    ['unknown=1;x', {}],
  ] as const) {
    t.same(parseBehaviour(text), { ...none, ...want }, text);
  }
});

t.test(
  'headers are recorded in order and case, bodies without their framing, pipelined requests one by one',
  async (t) => {
    const upstream = await startUpstream({ name: 'web' });
    const seen = await talk(
      net.connect(upstream.port, upstream.host),
      'POST /1?q HTTP/1.1\r\nHoSt: a\r\nX-B:  2 \r\nx-b: 1\r\nContent-Length: 3\r\n\r\nabc' +
        'PUT /2 HTTP/1.1\r\nTransfer-Encoding: chunked\r\nx-up: closeafter\r\n\r\n3;e=1\r\nd\xe9f\r\n0\r\nt: 1\r\n\r\n',
    );
    t.match(
      seen,
      /^HTTP\/1\.1 200 OK\r\ncontent-type: text\/plain\r\nx-served-by: web\r\ncontent-length: 4\r\n\r\nweb\n/,
    );
    t.same(upstream.received, [
      {
        kind: 'http',
        server: 'web',
        protocol: 'HTTP/1.1',
        method: 'POST',
        path: '/1?q',
        headers: [
          ['HoSt', 'a'],
          ['X-B', '2'],
          ['x-b', '1'],
          ['Content-Length', '3'],
        ],
        body: 'abc',
      },
      {
        kind: 'http',
        server: 'web',
        protocol: 'HTTP/1.1',
        method: 'PUT',
        path: '/2',
        headers: [
          ['Transfer-Encoding', 'chunked'],
          ['x-up', 'closeafter'],
        ],
        body: 'd\xe9f',
      },
    ]);
    await upstream.close();
  },
);

t.test('a request split at every byte is one request', async (t) => {
  const upstream = await startUpstream({ name: 'web' });
  const request = 'PUT / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nx-up: closeafter\r\n\r\n2\r\nhi\r\n0\r\n\r\n';
  const socket = net.connect({ port: upstream.port, host: upstream.host, noDelay: true });
  const answer = talk(socket, request.slice(0, 1));
  for (const byte of request.slice(1)) {
    await new Promise((resolve) => setImmediate(resolve));
    socket.write(byte);
  }
  t.match(await answer, /web\n$/);
  t.equal(upstream.received.length, 1);
  t.match(upstream.received[0], { body: 'hi' });
  await upstream.close();
});

t.test('a request whose body is not complete is not recorded', async (t) => {
  const upstream = await startUpstream({ name: 'web' });
  const socket = net.connect(upstream.port, upstream.host);
  await new Promise<void>((resolve) => socket.write('POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\nhi', () => resolve()));
  socket.end();
  await new Promise((resolve) => socket.on('close', resolve).resume());
  t.same(upstream.received, []);
  await upstream.close();
});

t.test('mishaps', async (t) => {
  const upstream = await startUpstream({ name: 'web' });
  const ask = (up: string): Promise<string> =>
    talk(net.connect(upstream.port, upstream.host), `GET / HTTP/1.1\r\nx-up: ${up}\r\n\r\n`);
  t.equal(await ask('close'), '');
  t.equal(await ask('reset'), '<ECONNRESET>');
  t.notMatch(await ask('garbage'), /^HTTP/);
  t.match(await ask('chunked;abort'), /chunked\r\n\r\n4\r\nweb\n\r\n$/);
  t.match(await ask('size=10;abort'), /content-length: 10\r\n\r\nx{5}$/);
  t.equal(upstream.received.length, 5, 'all of them are recorded');
  await upstream.close();
});

t.test('TLS: what was shown is recorded, and a required client certificate is required', async (t) => {
  const ca = await createDevelopmentCa();
  const certificate = await issueCertificate(ca, { commonName: 'up.test', dnsNames: ['up.test'], usage: 'server' });
  const client = await issueCertificate(ca, {
    commonName: 'partner',
    organization: 'Example',
    uris: ['spiffe://a/b'],
    dnsNames: ['partner.test'],
    usage: 'client',
  });
  const upstream = await startUpstream({
    name: 'secure',
    protocol: 'tls',
    tls: { certificate, clientCa: ca.certificate, alpn: ['x', 'y'] },
  });
  const connect = (more: tls.ConnectionOptions): tls.TLSSocket =>
    tls.connect({ host: upstream.host, port: upstream.port, rejectUnauthorized: false, ...more });
  const shown = { cert: client.certificate, key: client.privateKey };
  const echoed = await talk(connect({ ...shown, servername: 'up.test', ALPNProtocols: ['y'] }), 'hi', (text) =>
    text.endsWith('hi'),
  );
  t.equal(echoed, 'secure:hi');
  t.match(upstream.received, [
    {
      kind: 'tcp',
      server: 'secure',
      bytes: 'hi',
      tls: {
        sni: 'up.test',
        alpn: 'y',
        version: 'TLSv1.3',
        clientSubject: 'commonName=partner,organizationName=Example',
      },
    },
  ]);
  t.same([...(upstream.received[0]?.kind === 'tcp' ? (upstream.received[0].tls?.clientSan ?? []) : [])].sort(), [
    'DNS:partner.test',
    'URI:spiffe://a/b',
  ]);
  const odd = connect({ ...shown, ALPNProtocols: ['z'] });
  t.equal(
    await talk(odd, 'hi', (text) => text.endsWith('hi')),
    'secure:hi',
    'no protocol in common: none is agreed on',
  );
  t.equal(odd.alpnProtocol, false);
  await talk(connect({}), 'hi');
  t.equal(upstream.received.length, 2, 'without a certificate nothing arrives');
  await upstream.close();
});

t.test('the echo stub says what it received, and echoes what is no HTTP', async (t) => {
  const stub = await startEchoStub({ name: 'outbound|80||web' });
  const reply = await fetch(`http://${stub.address}/cart?x=1`, { method: 'POST', body: 'é', headers: { 'X-A': '1' } });
  t.equal(reply.headers.get('content-type'), 'application/json');
  t.match(await reply.json(), { stub: 'outbound|80||web', method: 'POST', path: '/cart?x=1', body: 'é' });
  const [host = '', port = ''] = stub.address.split(':');
  t.equal(await talk(net.connect(Number(port), host), '\x01\x03raw', (text) => text.length >= 5), '\x01\x03raw');
  const secure = tls.connect({ host, port: Number(port), servername: 'a.test', rejectUnauthorized: false });
  const answer = await talk(secure, 'GET /s HTTP/1.1\r\nHost: a.test\r\n\r\n', (text) => text.endsWith('}\n'));
  t.match(answer, /"path": "\/s"/, 'TLS is ended by the stub itself');
  await stub.close();
  await t.rejects(fetch(`http://${stub.address}/`), 'closed');
});
