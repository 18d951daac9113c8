// The HTTP/1 connection without a socket: one write per turn, what ends a connection and when, timers, backpressure
// (spec dataplane.md §3.3, §3.4, §3.10). Time is a list of timers that the test runs.
import t from 'tap';
import { Http1ServerConnection, type Http1Transport } from '../../../src/dataplane/codec/http1/server-connection.js';
import type { CodecRefusal, ServerStream, StreamFailure } from '../../../src/dataplane/codec/stream.js';
import type { HttpConnectionManager } from '../../../src/xds/index.js';
import { MANAGER, realEnvironment } from '../../support/http-gateway.js';

interface Stage {
  readonly connection: Http1ServerConnection;
  /** What happened, in order: `begun`, `stream METHOD PATH`, `write …`, `refused …`, `failed …`, `finished`, transport calls. */
  readonly events: string[];
  readonly streams: ServerStream[];
  /** Milliseconds and what runs then. */
  readonly timers: { milliseconds: number; run: () => void; cancelled: boolean }[];
  /** What `write` answers. */
  accepts: boolean;
}

function stage(manager: Partial<HttpConnectionManager> = {}): Stage {
  const events: string[] = [];
  const streams: ServerStream[] = [];
  const timers: Stage['timers'] = [];
  const transport: Http1Transport = {
    write: (bytes) => {
      const text = typeof bytes === 'string' ? bytes : Buffer.from(bytes).toString('latin1');
      events.push(`write ${text.replace(/date: [^\r]+/g, 'date').replaceAll('\r\n', '|')}`);
      return built.accepts;
    },
    writeAll: (pieces) => transport.write(Buffer.concat(pieces.map((piece) => Buffer.from(piece as Uint8Array)))),
    pause: () => events.push('pause'),
    resume: () => events.push('resume'),
    finish: () => events.push('finish'),
    destroy: () => events.push('destroy'),
  };
  const environment = {
    ...realEnvironment(),
    setTimer: (milliseconds: number, run: () => void) => {
      const timer = { milliseconds, run, cancelled: false };
      timers.push(timer);
      return {
        cancel: () => {
          timer.cancelled = true;
        },
      };
    },
  };
  const connection = new Http1ServerConnection(
    transport,
    { environment, secure: false, manager: { ...MANAGER, ...manager } },
    {
      onRequestBegun: () => events.push('begun'),
      onStream: (stream) => {
        streams.push(stream);
        events.push(`stream ${stream.head.method} ${stream.head.path}`);
        stream.listen({
          onFailure: (failure: StreamFailure) => events.push(`failed ${failure.kind} ${failure.details}`),
          onFinished: () => events.push('finished'),
          onDrain: () => events.push('drain'),
        });
      },
      onRefused: (refusal: CodecRefusal) =>
        events.push(`refused ${refusal.status} ${refusal.flag ?? '-'} ${refusal.details}`),
      onClosed: () => events.push('closed'),
    },
  );
  const built: Stage = { connection, events, streams, timers, accepts: true };
  return built;
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
const GET = 'GET /a HTTP/1.1\r\nHost: a\r\n\r\n';
const send = ({ connection }: Stage, text: string): void => connection.onBytes(Buffer.from(text, 'latin1'));
const OK = { status: 200, headers: ['content-length', '2'] };

function answer(stream: ServerStream | undefined, headers: readonly string[] = OK.headers): void {
  stream?.respond({ status: 200, headers }, false);
  stream?.write(Buffer.from('ok'));
  stream?.end([]);
}

t.test('a response leaves in one write, at the end of its turn', async (t) => {
  const on = stage();
  send(on, GET);
  answer(on.streams[0]);
  t.same(on.events, ['begun', 'stream GET /a', 'finished']);
  await turn();
  t.same(on.events.slice(3), ['write HTTP/1.1 200 OK|content-length: 2||ok']);
});

t.test('chunks: the framing leaves with the data', async (t) => {
  const on = stage();
  send(on, GET);
  on.streams[0]?.respond({ status: 200, headers: ['transfer-encoding', 'chunked'] }, false);
  on.streams[0]?.write(Buffer.from('0123456789'));
  await turn();
  on.streams[0]?.write(Buffer.from('x'));
  on.streams[0]?.end([]);
  await turn();
  t.same(on.events.slice(2), [
    'write HTTP/1.1 200 OK|transfer-encoding: chunked||a|0123456789|',
    'finished',
    'write 1|x|0||',
  ]);
});

t.test('HEAD: neither data nor chunk framing', async (t) => {
  const on = stage();
  send(on, 'HEAD / HTTP/1.1\r\nHost: a\r\n\r\n');
  answer(on.streams[0], ['transfer-encoding', 'chunked']);
  await turn();
  t.same(on.events.slice(2), ['finished', 'write HTTP/1.1 200 OK|transfer-encoding: chunked||']);
});

t.test('the next request is read when the one before is answered', async (t) => {
  const on = stage();
  send(on, GET + GET.replace('/a', '/b'));
  t.same(on.events, ['begun', 'stream GET /a']);
  answer(on.streams[0]);
  await turn();
  t.same(on.events.slice(2), ['finished', 'begun', 'stream GET /b', 'write HTTP/1.1 200 OK|content-length: 2||ok']);
  t.end();
});

t.test('connection: close ends it at once when the request is complete, else after a second', async (t) => {
  const closing = ['content-length', '2', 'connection', 'close'];
  const complete = stage();
  send(complete, GET + GET);
  answer(complete.streams[0], closing);
  t.same(complete.events.slice(2), [
    'write HTTP/1.1 200 OK|content-length: 2|connection: close||ok',
    'finish',
    'finished',
  ]);
  send(complete, GET);
  await turn();
  t.equal(complete.streams.length, 1, 'later requests are ignored');

  const cut = stage();
  send(cut, 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nhi');
  answer(cut.streams[0], closing);
  t.notOk(cut.events.includes('finish'));
  const [timer] = cut.timers;
  t.equal(timer?.milliseconds, 1000);
  timer?.run();
  t.equal(cut.events.at(-1), 'finish');
});

t.test('a body that is not read holds the client back, and a client that leaves is noticed all the same', async (t) => {
  const on = stage();
  const half = 'x'.repeat(700_000);
  send(on, 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9000000\r\n\r\n');
  const [stream] = on.streams;
  let read = 0;
  stream?.body.on('data', (chunk) => {
    read += chunk.length;
    stream.body.pause();
  });
  await turn();
  send(on, half);
  send(on, half);
  t.notOk(on.events.includes('pause'), 'read ahead');
  send(on, half);
  t.equal(on.events.at(-1), 'pause');
  t.equal(read, half.length);
  stream?.body.resume();
  await turn();
  stream?.body.resume();
  await turn();
  t.equal(read, 3 * half.length);
  t.equal(on.events.at(-1), 'pause', 'until the reader asks again');
  stream?.body.resume();
  await turn();
  t.equal(on.events.at(-1), 'resume');
  send(on, half);
  on.connection.onPeerEnd();
  t.same(on.events.slice(-2), ['failed disconnect downstream_remote_disconnect', 'destroy']);
});

t.test('a client that does not read is waited for', async (t) => {
  const on = stage();
  send(on, GET);
  const [stream] = on.streams;
  stream?.respond({ status: 200, headers: ['content-length', '400000'] }, false);
  t.equal(stream?.write(Buffer.alloc(1000)), true);
  t.equal(stream?.write(Buffer.alloc(99_000)), false);
  await turn();
  t.equal(on.events.at(-1), 'drain', 'it was only this turn');
  on.accepts = false;
  t.equal(stream?.write(Buffer.alloc(100_000)), false);
  await turn();
  t.not(on.events.at(-1), 'drain');
  t.equal(stream?.write(Buffer.alloc(1)), false);
  on.accepts = true;
  on.connection.onDrain();
  t.equal(on.events.at(-1), 'drain');
});

t.test('a third answer behind two that have not left', async (t) => {
  const on = stage();
  on.accepts = false;
  for (let i = 0; i < 2; i++) {
    send(on, GET);
    answer(on.streams[i]);
    await turn();
  }
  send(on, 'G');
  t.equal(on.events.at(-1), 'refused 0 DPE codec_error:Too_many_responses_queued.');
  const other = stage();
  for (let i = 0; i < 3; i++) {
    send(other, GET);
    answer(other.streams[i]);
    await turn();
  }
  t.equal(other.streams.length, 3, 'none when they have');
});

t.test('request_headers_timeout: 408 for a head that takes too long', async (t) => {
  const on = stage({ request_headers_timeout: '60s' });
  t.equal(on.timers.length, 0, 'not before the first byte');
  send(on, 'GET / HTTP/1.1\r\n');
  t.equal(on.timers[0]?.milliseconds, 60_000);
  on.timers[0]?.run();
  t.same(on.events, [
    'begun',
    'refused 408 - request_header_timeout',
    'write HTTP/1.1 408 Request Timeout|content-length: 22|content-type: text/plain|date|server: istio-envoy|connection: close||request header timeout',
  ]);
  on.timers[1]?.run();
  t.equal(on.events.at(-1), 'finish', 'a second later');

  const quick = stage({ request_headers_timeout: '60s' });
  send(quick, GET);
  t.equal(quick.timers[0]?.cancelled, true);
});

t.test('who leaves when', async (t) => {
  const rows: [name: string, bytes: string, events: string[]][] = [
    ['before a byte', '', ['finish']],
    ['behind empty lines', '\r\n', ['begun', 'refused 0 DC downstream_remote_disconnect', 'finish']],
    ['in a head', 'GET / HTTP/1.1\r\n', ['begun', 'refused 0 DC downstream_remote_disconnect', 'finish']],
    [
      'waiting for the answer',
      GET,
      ['begun', 'stream GET /a', 'failed disconnect downstream_remote_disconnect', 'destroy'],
    ],
    [
      'in a body',
      'PUT /a HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nab',
      ['begun', 'stream PUT /a', 'failed disconnect downstream_remote_disconnect', 'destroy'],
    ],
  ];
  for (const [name, bytes, events] of rows) {
    const on = stage();
    if (bytes !== '') send(on, bytes);
    on.connection.onPeerEnd();
    on.connection.onClosed();
    t.same(on.events, [...events, 'closed'], name);
    const reset = stage();
    if (bytes !== '') send(reset, bytes);
    reset.connection.onClosed();
    t.same(reset.events, [...events.slice(0, -1), 'closed'], `${name}, by a reset`);
  }
});

t.test('a bad chunk: answered while it can be, else the connection ends', async (t) => {
  const post = 'POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n';
  const on = stage();
  send(on, `${post}zz\r\n`);
  await turn();
  await turn();
  t.equal(on.events[2], 'failed protocol http1.codec_error');
  t.match(on.events[3], /^write HTTP\/1\.1 400 Bad Request\|.*\|\|Bad Request$/);
  const begun = stage();
  send(begun, post);
  begun.streams[0]?.respond({ status: 200, headers: ['transfer-encoding', 'chunked'] }, false);
  await turn();
  send(begun, 'zz\r\n');
  await turn();
  await turn();
  t.equal(begun.events.at(-1), 'failed protocol http1.codec_error');
  t.equal(begun.timers[0]?.milliseconds, 1000);
});

t.test('an upgrade: bytes wait for the tunnel, whoever ends it gets a FIN at once or a second later', async (t) => {
  const on = stage();
  send(on, 'GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nearly');
  const [stream] = on.streams;
  t.equal(stream?.head.endStream, true);
  const tunnel = stream?.tunnel({ status: 101, headers: ['upgrade', 'websocket'] });
  let got = '';
  tunnel?.fromClient.on('data', (chunk) => {
    got += chunk;
  });
  tunnel?.fromClient.on('end', () => {
    got += '.';
  });
  await turn();
  send(on, ' late');
  t.equal(got, 'early late');
  on.connection.onPeerEnd();
  t.equal(got, 'early late.');
  tunnel?.write(Buffer.from('down'));
  tunnel?.destroy();
  on.connection.onClosed();
  t.same(on.events.slice(2), [
    'write HTTP/1.1 101 Switching Protocols|upgrade: websocket||',
    'write down',
    'finish',
    'closed',
  ]);

  const other = stage();
  send(other, 'GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n');
  const ended = other.streams[0]?.tunnel({ status: 101, headers: [] });
  ended?.write(Buffer.from('bye'));
  ended?.end();
  t.equal(other.events.at(-1), 'write HTTP/1.1 101 Switching Protocols||bye');
  t.equal(other.timers[0]?.milliseconds, 1000);
  other.timers[0]?.run();
  t.equal(other.events.at(-1), 'finish');
});
