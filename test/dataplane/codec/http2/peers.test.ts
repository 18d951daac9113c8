// node:http2 on both ends and the data plane between them, HTTP/2 on both sides: bodies of any size both ways, small
// windows, trailers, many streams at a time. Everything arrives as it was sent.
import http2 from 'node:http2';
import type net from 'node:net';
import fc from 'fast-check';
import t from 'tap';
import { routeTo, startHttpGateway, type TestGateway } from '../../../support/http-gateway.js';

interface Exchange {
  /** Bytes of the request, in pieces; none = the head ends it. */
  readonly up: readonly number[];
  readonly down: readonly number[];
  readonly trailers: boolean;
  readonly header: string;
}

const exchange: fc.Arbitrary<Exchange> = fc.record({
  up: fc.array(fc.integer({ min: 0, max: 40_000 }), { maxLength: 4 }),
  down: fc.array(fc.integer({ min: 0, max: 60_000 }), { maxLength: 4 }),
  trailers: fc.boolean(),
  header: fc
    .string({ unit: fc.constantFrom('a', ' ', '~', '"', '0', 'Z'), minLength: 1, maxLength: 300 })
    .map((s) => `x${s}x`),
});

/** Answers with the sizes that `x-down` lists, and with the request's own numbers in trailers or in a header. */
function startUpstream(settings: http2.Settings): Promise<http2.Http2Server> {
  const server = http2.createServer({ settings });
  server.on('stream', (stream, headers) => {
    let bytes = 0;
    let sum = 0;
    stream.on('error', () => {});
    stream.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
      for (const byte of chunk) sum = (sum * 31 + byte) >>> 0;
    });
    stream.on('end', () => {
      const down = JSON.parse(String(headers['x-down'])) as number[];
      const seen = { 'x-seen': `${bytes} ${sum} ${headers['x-echo']}` };
      const trailers = headers['x-trailers'] === '1';
      stream.respond({ ':status': 200, ...(trailers ? {} : seen) }, { waitForTrailers: trailers });
      stream.on('wantTrailers', () => stream.sendTrailers(seen));
      for (const size of down) stream.write(Buffer.alloc(size, size & 0xff));
      stream.end();
    });
  });
  return new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(server)));
}

function run(session: http2.ClientHttp2Session, { up, down, trailers, header }: Exchange): Promise<string> {
  return new Promise((resolve, reject) => {
    const stream = session.request(
      {
        ':method': 'POST',
        ':path': '/',
        ':authority': 'a.test',
        'x-down': JSON.stringify(down),
        'x-trailers': trailers ? '1' : '0',
        'x-echo': header,
      },
      { endStream: up.length === 0 },
    );
    let bytes = 0;
    let sum = 0;
    let seen: unknown;
    stream.on('response', (headers) => {
      seen = headers['x-seen'];
    });
    stream.on('trailers', (headers) => {
      seen = headers['x-seen'];
    });
    stream.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
      for (const byte of chunk) sum = (sum * 31 + byte) >>> 0;
    });
    stream.on('error', reject);
    stream.on('end', () => resolve(`${bytes} ${sum} | ${String(seen)}`));
    for (const size of up) stream.write(Buffer.alloc(size, size & 0xff));
    if (up.length > 0) stream.end();
  });
}

function digest(sizes: readonly number[]): string {
  let bytes = 0;
  let sum = 0;
  for (const size of sizes) {
    bytes += size;
    for (let i = 0; i < size; i++) sum = (sum * 31 + (size & 0xff)) >>> 0;
  }
  return `${bytes} ${sum}`;
}

async function withPeers(
  settings: http2.Settings,
  work: (session: http2.ClientHttp2Session, gateway: TestGateway) => Promise<void>,
): Promise<void> {
  const upstream = await startUpstream(settings);
  const { port } = upstream.address() as net.AddressInfo;
  const gateway = await startHttpGateway({
    routes: [routeTo('up')],
    clusters: [{ name: 'up', ports: [port], protocol: 'http2' }],
    manager: {
      http2_protocol_options: { initial_stream_window_size: 65_536, initial_connection_window_size: 100_000 },
    },
  });
  const session = http2.connect(`http://127.0.0.1:${gateway.port}`, { settings });
  session.on('error', () => {});
  try {
    await work(session, gateway);
  } finally {
    session.destroy();
    await gateway.close();
    upstream.close();
  }
}

t.test('what goes through arrives as it was sent', async (t) => {
  for (const settings of [
    {},
    { initialWindowSize: 1000, headerTableSize: 0 },
    { initialWindowSize: 70_000, headerTableSize: 100 },
  ]) {
    await withPeers(settings, async (session, gateway) => {
      let count = 0;
      await fc.assert(
        fc.asyncProperty(fc.array(exchange, { minLength: 1, maxLength: 6 }), async (exchanges) => {
          count += exchanges.length;
          const outcomes = await Promise.all(exchanges.map((each) => run(session, each)));
          exchanges.forEach(({ up, down, header }, i) => {
            const expected = `${digest(down)} | ${digest(up)} ${header}`;
            if (outcomes[i] !== expected) throw new Error(`${outcomes[i]} instead of ${expected}`);
          });
        }),
        { numRuns: 8 },
      );
      const log = await gateway.logged(count);
      t.equal(
        log.filter(({ status, flags }) => status !== 200 || flags.length > 0).length,
        0,
        JSON.stringify(settings),
      );
    });
  }
});

t.test('many streams on one connection', async (t) => {
  await withPeers({}, async (session, gateway) => {
    const outcomes = await Promise.all(
      Array.from({ length: 60 }, (_, i) =>
        run(session, { up: [i], down: [i], trailers: i % 2 === 0, header: `x${i}x` }),
      ),
    );
    const odd = outcomes.filter((outcome, i) => outcome !== `${digest([i])} | ${digest([i])} x${i}x`);
    t.same(odd, []);
    await gateway.logged(60);
  });
});
