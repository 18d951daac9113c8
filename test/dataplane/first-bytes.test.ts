// What the first bytes of a connection lead to: split hellos, bytes that are no TLS, silence, PROXY headers, and names that
// must not reach a laxer chain (spec dataplane.md §1, gateway.md §6).
import net, { createServer } from 'node:net';
import tls from 'node:tls';
import t from 'tap';
import { counter } from '../../src/dataplane/telemetry/stats.js';
import { clientHello, type HelloOptions } from '../support/client-hello.js';
import {
  chain,
  type DataPlane,
  endpoint,
  listener,
  loopbackEnvironment,
  ManualTime,
  pem,
  type RawOutcome,
  rawCall,
  type SnapshotParts,
  snapshot,
  startDataPlane,
  startRecorder,
  tlsSecret,
  until,
} from '../support/data-plane.js';

const PROTOCOL_VERSION_ALERT = '15030100020246';

interface RawCase {
  readonly name: string;
  readonly bytes: Buffer | string;
  readonly want: RawOutcome['closed'];
  /** Hex of what comes back. */
  readonly received?: string;
  /** Flags of the log line; absent = no line. */
  readonly log?: string;
}

async function checkRaw(title: string, parts: SnapshotParts, cases: readonly RawCase[]): Promise<void> {
  await t.test(title, async (t) => {
    const plane = await startDataPlane(snapshot(parts));
    t.teardown(() => plane.close());
    for (const { name, bytes, want, received, log } of cases) {
      const lines = plane.log.length;
      const outcome = await rawCall(plane.port(), [bytes], want === 'open' ? 60 : 1500);
      t.equal(outcome.closed, want, `${name}: ${want}`);
      if (received !== undefined) t.equal(outcome.received.toString('hex'), received, `${name}: bytes`);
      if (log !== undefined) await until(() => plane.log.length > lines, `${name}: log line`);
      t.same(
        plane.log.slice(lines).map((info) => info.flags.join()),
        log === undefined ? [] : [log],
        `${name}: log`,
      );
    }
    await until(() => plane.manager.connectionCount === 0, 'no connection is left');
  });
}

const secrets = { a: tlsSecret('a') };
const HTTP = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n';

await checkRaw(
  'a terminating listener with names only',
  { listeners: [listener(8443, [chain({ names: ['a.example.com'], certificates: ['a'] })])], secrets },
  [
    { name: 'HTTP', bytes: HTTP, want: 'reset', received: '', log: 'NR' },
    {
      name: 'unknown name',
      bytes: clientHello({ serverName: 'b.example.com' }),
      want: 'reset',
      received: '',
      log: 'NR',
    },
    { name: 'no name', bytes: clientHello({}), want: 'reset', received: '', log: 'NR' },
    {
      name: 'trailing dot',
      bytes: clientHello({ serverName: 'a.example.com.' }),
      want: 'reset',
      received: '',
      log: 'NR',
    },
    {
      name: 'the apex of nothing',
      bytes: clientHello({ serverName: 'example.com' }),
      want: 'reset',
      received: '',
      log: 'NR',
    },
    { name: 'empty name', bytes: clientHello({ serverName: '' }), want: 'reset', received: '', log: 'NR' },
    { name: 'four bytes wait', bytes: 'GET ', want: 'open', received: '' },
    {
      name: 'half a hello waits',
      bytes: clientHello({ serverName: 'a.example.com' }).subarray(0, 90),
      want: 'open',
      received: '',
    },
    {
      name: 'a hello of more than 16 KiB',
      bytes: clientHello({ serverName: 'a.example.com', padTo: 16_385 }),
      want: 'reset',
      received: '',
    },
    { name: 'SSL 3.0', bytes: sslv3Hello(), want: 'reset', received: '' },
  ],
);

await checkRaw('a terminating catch-all', { listeners: [listener(8443, [chain({ certificates: ['a'] })])], secrets }, [
  { name: 'HTTP request', bytes: HTTP, want: 'fin', received: '' },
  { name: 'CONNECT', bytes: 'CONNECT a:443 HTTP/1.1\r\n\r\n', want: 'fin', received: '' },
  { name: 'SSH banner', bytes: 'SSH-2.0-OpenSSH\r\n', want: 'fin', received: PROTOCOL_VERSION_ALERT },
  { name: 'HTTP/2 preface', bytes: 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', want: 'fin', received: PROTOCOL_VERSION_ALERT },
  { name: 'an alert', bytes: Buffer.from('15030100020228', 'hex'), want: 'fin', received: '' },
  {
    name: 'application data',
    bytes: Buffer.from('170303000568656c6c6f', 'hex'),
    want: 'fin',
    received: '1503010002020a',
  },
  { name: 'TLS 1.0 only', bytes: oldHello(0x0301), want: 'fin', received: PROTOCOL_VERSION_ALERT },
  { name: 'TLS 1.1 only', bytes: oldHello(0x0302), want: 'fin', received: PROTOCOL_VERSION_ALERT },
  { name: 'SSL 3.0', bytes: sslv3Hello(), want: 'reset', received: '' },
  { name: 'close_notify', bytes: Buffer.from('15030100020100', 'hex'), want: 'reset', received: '' },
  oddHello('no versions', { more: [[43, Buffer.from('00', 'hex')]] }, '15030100020232'),
  oddHello('an encrypted hello of no kind', { more: [[0xfe0d, Buffer.of(2)]] }, '15030300020232'),
  oddHello('parameters of QUIC', { more: [[57, Buffer.of(0)]] }, '1503030002026e'),
  oddHello('two shares of one group', { more: [[51, twoShares()]] }, '1503030002022f'),
  oddHello('no signature algorithms', { without: [13] }, '15030300020228'),
  oddHello('TLS 1.2 without uncompressed points', { without: [43], more: [[11, Buffer.of(1, 1)]] }, '1503030002022f'),
  oddHello(
    'TLS 1.2 with P-384 alone',
    { without: [43], more: [[10, Buffer.from('00020018', 'hex')]] },
    '15030300020228',
  ),
  oddHello('a byte behind the hello', { tail: Buffer.of(11) }, '1503010002020a'),
]);

await checkRaw(
  'a chain whose Secret is missing',
  { listeners: [listener(8443, [chain({ certificates: ['absent'] })])] },
  [
    { name: 'hello', bytes: clientHello({ serverName: 'a.example.com' }), want: 'reset', received: '' },
    { name: 'plaintext', bytes: HTTP, want: 'reset', received: '' },
  ],
);

t.test('a hello split at any byte, and byte by byte, goes the same way', async (t) => {
  const echo = await startRecorder();
  const plane = await startDataPlane(
    snapshot({
      listeners: [
        listener(8443, [
          chain({ names: ['a.example.com'], certificates: ['a'], cluster: 'wrong' }),
          chain({ names: ['p.example.com'], cluster: 'echo' }),
        ]),
      ],
      clusters: { echo: [endpoint(echo.port)], wrong: [] },
      secrets,
    }),
  );
  t.teardown(async () => {
    await plane.close();
    await echo.close();
  });
  for (const hello of [
    clientHello({ serverName: 'P.example.com', alpn: ['h2'] }),
    clientHello({ serverName: 'p.example.com', recordSize: 40 }),
  ]) {
    const ways: Buffer[][] = [[...hello].map((byte) => Buffer.from([byte]))];
    for (let at = 1; at < hello.length; at++) ways.push([hello.subarray(0, at), hello.subarray(at)]);
    let passed = 0;
    // Sixteen at a time: the whole table takes well below a second.
    for (let from = 0; from < ways.length; from += 16) {
      const results = await Promise.all(
        ways.slice(from, from + 16).map((chunks) => echoed(plane.port(), chunks, hello.length)),
      );
      for (const bytes of results) if (bytes.equals(hello)) passed++;
    }
    t.equal(passed, ways.length, `${ways.length} ways`);
  }
});

t.test('silence is closed after 15 s: FIN without a byte, reset with some', async (t) => {
  const time = new ManualTime();
  const plane = await startDataPlane(
    snapshot({ listeners: [listener(8443, [chain({ certificates: ['a'] })])], secrets }),
    loopbackEnvironment(time),
  );
  t.teardown(() => plane.close());
  const inspected = counter('tls_inspector.tls_found');
  const before = inspected.value;
  const silent = rawCall(plane.port(), [], 3000);
  const half = rawCall(plane.port(), [clientHello({ serverName: 'x' }).subarray(0, 20)], 3000);
  const hello = rawCall(plane.port(), [clientHello({ serverName: 'x' })], 3000);
  await until(() => plane.manager.connectionCount === 3, 'accepted');
  await until(() => inspected.value > before, 'the hello has been read');
  time.advance(14_000);
  t.equal(plane.manager.connectionCount, 3, 'nothing happens before');
  time.advance(1_500);
  t.equal((await silent).closed, 'fin');
  t.equal((await half).closed, 'reset');
  t.equal((await hello).closed, 'fin', 'a handshake that does not go on');
  t.same(plane.log, [], 'no line');
});

t.test('PROXY protocol: addresses are restored, everything else is reset', async (t) => {
  const echo = await startRecorder();
  const plane = await startDataPlane(
    snapshot({
      listeners: [listener(9000, [chain({ cluster: 'echo' })], { proxyProtocol: true })],
      clusters: { echo: [endpoint(echo.port)] },
    }),
  );
  t.teardown(async () => {
    await plane.close();
    await echo.close();
  });
  const line = 'PROXY TCP4 203.0.113.1 198.51.100.1 1000 9001\r\nhello';
  const got = await echoed(plane.port(), [Buffer.from(line)], 5);
  t.equal(got.toString(), 'hello', 'the header is consumed');
  await until(() => plane.log.length === 1, 'log line');
  t.same(plane.log[0]?.downstreamRemote, { address: '203.0.113.1', port: 1000 });
  t.same(plane.log[0]?.downstreamLocal, { address: '198.51.100.1', port: 9001 });
  for (const bytes of ['hello, this is not a header', 'proxy TCP4 1.2.3.4 1.2.3.4 1 2\r\nhello']) {
    t.match(await rawCall(plane.port(), [bytes], 1500), { closed: 'reset' });
  }
  t.equal(plane.log.length, 1, 'no line');
});

t.test('a plaintext listener needs no bytes: the server may speak first', async (t) => {
  const banner = createServer((socket) => void socket.end('220 ready\r\n'));
  await new Promise<void>((resolve) => banner.listen(0, '127.0.0.1', resolve));
  const plane = await startDataPlane(
    snapshot({
      listeners: [listener(9000, [chain({ cluster: 'banner' })])],
      clusters: { banner: [endpoint((banner.address() as { port: number }).port)] },
    }),
  );
  t.teardown(async () => {
    await plane.close();
    banner.close();
  });
  t.match(await rawCall(plane.port(), [], 2000), { closed: 'fin', received: Buffer.from('220 ready\r\n') });
});

t.test('resumption works within a chain and never crosses to another', async (t) => {
  const plane = await startDataPlane(
    snapshot({
      listeners: [
        listener(8443, [
          chain({ names: ['a.example.com'], certificates: ['a'] }),
          chain({ names: ['b.example.com'], certificates: ['a'], ca: 'ca' }),
        ]),
      ],
      secrets: { ...secrets, ca: { kind: 'validation_context', trustedCa: pem('client-ca.pem') } },
    }),
  );
  t.teardown(() => plane.close());
  for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
    const first = await handshake(plane, 'a.example.com', version);
    t.equal((await handshake(plane, 'a.example.com', version, first.session)).reused, true, `${version} resumes`);
    await t.rejects(
      handshake(plane, 'b.example.com', version, first.session),
      'the stricter chain asks for its certificate',
    );
    const material = { cert: pem('client.pem'), key: pem('client.key') };
    const strict = await handshake(plane, 'b.example.com', version, undefined, material);
    const again = await handshake(plane, 'b.example.com', version, strict.session, material);
    t.equal(again.reused, true, `${version} resumes with a client certificate`);
    t.match(again.text, /CN=partner client/, 'and carries it');
  }
});

t.test('a client that ends in the middle of its handshake is closed at once', async (t) => {
  const plane = await startDataPlane(
    snapshot({ listeners: [listener(8443, [chain({ certificates: ['a'] })])], secrets }),
  );
  t.teardown(() => plane.close());
  const socket = net.connect({ port: plane.port(), host: '127.0.0.1', allowHalfOpen: true });
  socket.write(clientHello({ serverName: 'a.example.com' }));
  socket.once('data', () => socket.end());
  await new Promise((resolve) => socket.once('end', resolve));
  await until(() => plane.manager.connectionCount === 0, 'no connection is left');
});

t.test('renegotiation is refused', async (t) => {
  const plane = await startDataPlane(
    snapshot({ listeners: [listener(8443, [chain({ certificates: ['a'] })])], secrets }),
  );
  t.teardown(() => plane.close());
  const socket = tls.connect({
    port: plane.port(),
    host: '127.0.0.1',
    rejectUnauthorized: false,
    maxVersion: 'TLSv1.2',
  });
  await new Promise<void>((resolve) => socket.once('secureConnect', resolve));
  const error = await new Promise<NodeJS.ErrnoException | null>((resolve) => {
    socket.once('error', resolve);
    socket.renegotiate({}, (failure) => {
      if (failure === null) resolve(null);
    });
  });
  t.match(error?.code, /NO_RENEGOTIATION/);
  socket.destroy();
});

interface Handshake {
  readonly session: Buffer | undefined;
  readonly reused: boolean;
  readonly text: string;
}

function handshake(
  plane: DataPlane,
  servername: string,
  version: tls.SecureVersion,
  session?: Buffer,
  material: tls.SecureContextOptions = {},
): Promise<Handshake> {
  return new Promise((resolve, reject) => {
    const socket = tls.connect({
      port: plane.port(),
      host: '127.0.0.1',
      servername,
      rejectUnauthorized: false,
      minVersion: version,
      maxVersion: version,
      ...material,
      ...(session === undefined ? {} : { session }),
    });
    let ticket: Buffer | undefined;
    socket.on('session', (next: Buffer) => {
      ticket = next;
    });
    socket.once('secureConnect', () => socket.write('GET /'));
    socket.once('error', reject);
    socket.once('close', () => reject(new Error('closed')));
    socket.once('data', (chunk) => {
      resolve({ session: ticket, reused: socket.isSessionReused(), text: chunk.toString() });
      socket.destroy();
    });
  });
}

/** Sends chunks, reads as many bytes as are expected, closes. */
async function echoed(port: number, chunks: readonly Buffer[], expected: number): Promise<Buffer> {
  const { connect } = await import('node:net');
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true });
    let received = Buffer.alloc(0);
    socket.once('error', reject);
    socket.on('data', (chunk) => {
      received = Buffer.concat([received, chunk]);
      if (received.length < expected) return;
      socket.end();
      resolve(received);
    });
    socket.once('connect', () => {
      let index = 0;
      const next = (): void => {
        const chunk = chunks[index++];
        if (chunk !== undefined) socket.write(chunk, () => setImmediate(next));
      };
      next();
    });
  });
}

function oddHello(name: string, options: Omit<HelloOptions, 'serverName'>, received: string): RawCase {
  return { name, bytes: clientHello({ serverName: 'a.example.com', ...options }), want: 'fin', received };
}

function twoShares(): Buffer {
  const share = Buffer.concat([Buffer.from('001d0020', 'hex'), Buffer.alloc(32, 9)]);
  return Buffer.concat([Buffer.from([0, share.length * 2]), share, share]);
}

function oldHello(version: number): Buffer {
  const body = Buffer.concat([
    Buffer.from([version >> 8, version & 255]),
    Buffer.alloc(32, 1),
    Buffer.from([0, 0, 4, 0xc0, 0x13, 0, 0x2f, 1, 0]),
  ]);
  return Buffer.concat([Buffer.from([22, 3, 1, 0, body.length + 4, 1, 0, 0, body.length]), body]);
}

function sslv3Hello(): Buffer {
  const hello = oldHello(0x0300);
  hello[2] = 0;
  return hello;
}
