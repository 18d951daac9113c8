// Orders of events and bytes that once ended the process, kept a connection for ever, or let one request's bytes be
// taken for another's (spec dataplane.md §3.3, §3.9, §5.3).
import http2 from 'node:http2';
import net from 'node:net';
import { setTimeout as wait } from 'node:timers/promises';
import t from 'tap';
import { startRawUpstream } from '../../support/attack.js';
import { routeTo, startHttpGateway, type TestGateway } from '../../support/http-gateway.js';
import { frame } from '../../support/nasty-upstream.js';

const OK = 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok';
const PREFACE = Buffer.concat([Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'), frame(4, 0, 0, Buffer.alloc(0))]);
// GET http / a.test
const HEAD = Buffer.concat([Buffer.from([0x82, 0x86, 0x84, 0x41, 6]), Buffer.from('a.test')]);
const CANCEL = Buffer.from([0, 0, 0, 8]);

/** Writes raw bytes and gathers what comes until `done` says so or the connection ends. */
function talk(port: number, bytes: Uint8Array | string, done: (text: string) => boolean): Promise<string> {
  return new Promise((resolve) => {
    let text = '';
    const socket = net.connect(port, '127.0.0.1');
    socket.write(typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes);
    socket.on('error', () => {});
    socket.on('data', (chunk) => {
      text += chunk.toString('latin1');
      if (done(text)) socket.destroy();
    });
    socket.on('close', () => resolve(text));
    socket.setTimeout(3000, () => socket.destroy());
  });
}

async function stillServes(gateway: TestGateway, t: { match(found: unknown, wanted: string): unknown }): Promise<void> {
  t.match(await talk(gateway.port, 'GET /reply HTTP/1.1\r\nhost: a\r\n\r\n', (text) => text.includes('fine')), 'fine');
}

t.test('a stream that is reset in the flight of its head', async (t) => {
  const gateway = await startHttpGateway({ routes: [reply()], clusters: [] });
  const none = Buffer.alloc(4);
  const flights = [
    [frame(1, 4, 1, HEAD), frame(3, 0, 1, CANCEL)],
    [frame(1, 5, 1, HEAD), frame(3, 0, 1, CANCEL)],
    [frame(1, 4, 1, HEAD), frame(0, 1, 1, Buffer.from('x')), frame(3, 0, 1, none)],
    [frame(1, 4, 1, HEAD), frame(3, 0, 1, none)],
    [frame(1, 5, 1, HEAD), frame(3, 0, 1, none)],
    [frame(1, 4, 1, HEAD), frame(0, 0, 1, Buffer.from('x')), frame(3, 0, 1, CANCEL)],
    [frame(1, 4, 1, HEAD), frame(1, 4, 1, HEAD)],
  ];
  for (const flight of flights) {
    const socket = net.connect(gateway.port, '127.0.0.1');
    socket.on('error', () => {});
    socket.write(Buffer.concat([PREFACE, ...flight]));
    // Trailers without an end are refused without a word.
    await new Promise((resolve) => socket.once('data', resolve).once('close', resolve));
    socket.destroy();
  }
  await stillServes(gateway, t);
  await gateway.close();
});

t.test('header names that JavaScript knows are names like any other', async (t) => {
  const upstream = await startRawUpstream((socket) =>
    socket.write('HTTP/1.1 200 OK\r\nconstructor: a\r\ntoString: b\r\n__proto__: c\r\ncontent-length: 0\r\n\r\n'),
  );
  const gateway = await startHttpGateway({
    routes: [routeTo('up')],
    clusters: [{ name: 'up', ports: [upstream.port] }],
  });
  const session = http2.connect(`http://127.0.0.1:${gateway.port}`);
  const raw = await new Promise<readonly string[]>((resolve) => {
    const stream = session.request({ ':path': '/' });
    stream.on('response', (_headers, _flags, ...rest: unknown[]) => resolve(rest[0] as readonly string[]));
    stream.resume();
  });
  const pairs = raw.flatMap((name, i) => (i % 2 === 0 ? [`${name}: ${raw[i + 1]}`] : []));
  for (const line of ['constructor: a', 'tostring: b', '__proto__: c']) t.ok(pairs.includes(line), line);
  t.notOk(pairs.some((line) => line.includes('native code')));
  session.destroy();
  await gateway.close();
  await upstream.close();
});

t.test('a client that breaks HTTP/2 and leaves is noticed', async (t) => {
  const gateway = await startHttpGateway({
    routes: [reply()],
    clusters: [],
    environment: {
      setTimer: (milliseconds, run) => {
        const timer = setTimeout(run, milliseconds / 20);
        return { cancel: () => clearTimeout(timer) };
      },
    },
  });
  // Some with GOAWAY, some without a word.
  const breaches = [
    frame(0, 0, 7, Buffer.from('idle stream')),
    frame(6, 0, 0, Buffer.alloc(3)),
    frame(8, 0, 0, Buffer.from([0x7f, 255, 255, 255])),
    frame(4, 0, 0, Buffer.alloc(5)),
  ];
  const sockets = breaches.map((breach) => {
    const socket = net.connect(gateway.port, '127.0.0.1');
    socket.on('error', () => {});
    socket.write(Buffer.concat([PREFACE, breach, breach]));
    return socket;
  });
  await Promise.all(
    sockets.map((socket) => new Promise((resolve) => socket.once('data', resolve).once('close', resolve))),
  );
  for (const socket of sockets) socket.destroy();
  for (let i = 0; i < 300 && gateway.open.size > 0; i++) await wait(10);
  t.equal(gateway.open.size, 0, 'connections that are still open');
  await gateway.close();
});

t.test('the body of an h2c upgrade, which Envoy ignores, is a body', async (t) => {
  const upstream = await startRawUpstream((socket, _chunk, all) => {
    if (all.endsWith('hello') || all.endsWith('0\r\n\r\n')) socket.write(OK);
  });
  const gateway = await startHttpGateway({
    routes: [routeTo('up')],
    clusters: [{ name: 'up', ports: [upstream.port] }],
  });
  const head =
    'POST / HTTP/1.1\r\nhost: a\r\nconnection: upgrade, http2-settings\r\nupgrade: h2c\r\nhttp2-settings: AA\r\n';
  const sized = await talk(gateway.port, `${head}content-length: 5\r\n\r\nhello`, (text) => text.endsWith('ok'));
  t.match(sized, /^HTTP\/1\.1 200 /);
  t.match(upstream.received[0]?.text, /content-length: 5\r\n(?:[^\r]+\r\n)*\r\nhello$/);
  const chunked = await talk(
    gateway.port,
    `${head}transfer-encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n`,
    (text) => text.endsWith('ok'),
  );
  t.match(chunked, /^HTTP\/1\.1 200 /);
  t.match(upstream.received.map(({ text }) => text).join(''), /(?:3\r\nhel\r\n2\r\nlo|5\r\nhello)\r\n0\r\n\r\n$/);
  await gateway.close();
  await upstream.close();
});

t.test('a second answer behind the first is nobody’s', async (t) => {
  let requests = 0;
  const upstream = await startRawUpstream((socket) => {
    requests++;
    socket.write(requests === 1 ? `${OK}HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil` : OK);
  });
  const gateway = await startHttpGateway({
    routes: [routeTo('up')],
    clusters: [{ name: 'up', ports: [upstream.port], limits: { connection: 1 } }],
  });
  const ask = (path: string): Promise<string> =>
    talk(gateway.port, `GET ${path} HTTP/1.1\r\nhost: a\r\n\r\n`, (text) => /\r\n\r\n\w+$/.test(text));
  // The second one waits for the only connection while the first is answered twice.
  const answers = await Promise.all([ask('/1'), ask('/2')]);
  for (const answer of answers) t.match(answer, /\r\n\r\nok$/);
  await gateway.close();
  await upstream.close();
});

function reply(): Parameters<typeof startHttpGateway>[0]['routes'][number] {
  return { match: { prefix: '/' }, direct_response: { status: 200, body: { inline_string: 'fine' } } };
}
