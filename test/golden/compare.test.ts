// The comparison: a call agrees with itself in every spelling that means the same, and every difference that counts is
// found, on its level.
import t from 'tap';
import { compareCall } from './compare.js';
import type { CallOutcome } from './support.js';

const RECORDED: CallOutcome = {
  name: 'a call',
  tls: {
    handshake: 'ok',
    version: 'TLSv1.3',
    alpn: 'h2',
    cipher: 'TLS_AES_256_GCM_SHA384',
    serverCert: 'shop.example.com',
  },
  response: {
    version: 'HTTP/1.1',
    status: 200,
    reason: 'OK',
    headers: [
      ['content-type', 'text/plain'],
      ['set-cookie', 'a=1'],
      ['set-cookie', 'b=2'],
      ['date', '<date>'],
      ['x-envoy-upstream-service-time', '<ms>'],
    ],
    body: 'web\n',
    trailers: [['x-trail', '1']],
    informational: [{ status: 103, headers: [['link', '</a.css>']] }],
  },
  elapsedMs: 300,
  upstream: [
    {
      server: 'web',
      protocol: 'HTTP/1.1',
      method: 'GET',
      path: '/',
      headers: [
        ['host', 'shop.example.com'],
        ['x-request-id', '<uuid>'],
      ],
      body: '',
      tls: { sni: 'inner.test', version: 'TLSv1.3', clientSubject: 'commonName=gateway' },
    },
    { server: 'mirror', protocol: 'tcp', bytes: 'hi' },
  ],
  log: [
    { status: 200, cluster: 'outbound|80||web', upstream: '127.0.10.1:3000', route: 'main', sni: 'shop.example.com' },
  ],
};

const UUID = '0f8fad5b-d9cb-469f-a165-70867728950e';
const DATE = 'Tue, 04 Aug 2026 10:00:00 GMT';

t.test('spellings that mean the same agree', async (t) => {
  const [web, mirror] = RECORDED.upstream ?? [];
  const replayed: CallOutcome = {
    ...RECORDED,
    tls: { ...RECORDED.tls, handshake: 'ok', cipher: 'another' },
    response: {
      ...RECORDED.response,
      version: 'HTTP/1.0',
      reason: 'Fine',
      headers: [
        ['X-Envoy-Upstream-Service-Time', '17'],
        ['Date', DATE],
        ['Set-Cookie', 'a=1'],
        ['Set-Cookie', 'b=2'],
        ['Content-Type', 'text/plain'],
      ],
    },
    elapsedMs: 420,
    upstream: [
      mirror as NonNullable<typeof mirror>,
      {
        ...(web as NonNullable<typeof web>),
        headers: [
          ['X-Request-Id', UUID],
          ['Host', 'shop.example.com'],
        ],
        tls: { sni: 'inner.test', version: 'TLSv1.2', clientSubject: 'commonName=gateway' },
      },
    ],
  };
  t.same(compareCall(RECORDED, replayed), []);
});

const tcp = (received: string, more: object = {}): CallOutcome => ({
  name: 'raw',
  tcp: { open: true, received, ...more },
});

t.test('raw bytes may hold a real date, service time and identifier on either side', async (t) => {
  const head = (date: string, ms: string): string =>
    `HTTP/1.1 200 OK\r\ndate: ${date}\r\nx-envoy-upstream-service-time: ${ms}\r\n\r\n`;
  t.same(compareCall(tcp(head('<date>', '<ms>')), tcp(head(DATE, '4'))), []);
  t.same(compareCall(tcp(head(DATE, '4')), tcp(head('<date>', '<ms>'))), []);
  const upstream = (bytes: string): CallOutcome => ({ name: 'b', upstream: [{ server: 'a', protocol: 'tcp', bytes }] });
  t.same(compareCall(upstream('x-request-id: <uuid>\r\n'), upstream(`x-request-id: ${UUID}\r\n`)), []);
});

t.test('a connection that ended ended, by FIN or by reset', async (t) => {
  const ended = (closed: 'eof' | 'reset'): CallOutcome => ({ name: 'end', response: { closed } });
  t.same(compareCall(ended('eof'), ended('reset')), []);
});

// Path of the difference → how the replay differs from RECORDED.
const DIFFERENCES: readonly (readonly [string, (call: Mutable) => void])[] = [
  ['client connect', (call) => Object.assign(call, { connect: 'refused' })],
  ['client tls.handshake', (call) => Object.assign(call.tls, { handshake: 'failed' })],
  ['client tls.version', (call) => Object.assign(call.tls, { version: 'TLSv1.2' })],
  ['client tls.alpn', (call) => Object.assign(call.tls, { alpn: undefined })],
  ['client tls.serverCert', (call) => Object.assign(call.tls, { serverCert: 'other' })],
  ['client tls.alert', (call) => Object.assign(call.tls, { alert: 'unknown_ca' })],
  ['client tls.error', (call) => Object.assign(call.tls, { error: 'WRONG_VERSION_NUMBER' })],
  ['client tls.closed', (call) => Object.assign(call.tls, { closed: 'eof' })],
  ['client response.status', (call) => Object.assign(call.response, { status: 201 })],
  ['client response.headers.x-more', (call) => call.response.headers.push(['x-more', '1'])],
  ['client response.headers.content-type[0]', (call) => Object.assign(call.response.headers, [['content-type', 'x']])],
  ['client response.headers.set-cookie[0]', (call) => call.response.headers.reverse()],
  ['client response.body', (call) => Object.assign(call.response, { body: 'wib\n' })],
  ['client response.body', (call) => Object.assign(call.response, { body: 'web\n1' })],
  ['client response.trailers.x-trail[0]', (call) => Object.assign(call.response, { trailers: [['x-trail', '2']] })],
  ['client response.informational[0]', (call) => Object.assign(call.response, { informational: [] })],
  ['client response.closed', (call) => Object.assign(call.response, { closed: 'eof' })],
  ['client response.alert', (call) => Object.assign(call.response, { alert: 'unknown_ca' })],
  ['client response.reset', (call) => Object.assign(call.response, { reset: 2 })],
  ['client response.upgraded', (call) => Object.assign(call.response, { upgraded: 'x' })],
  ['client response.timeout', (call) => Object.assign(call.response, { timeout: true })],
  ['client elapsedMs', (call) => Object.assign(call, { elapsedMs: 100 })],
  ['client elapsedMs', (call) => Object.assign(call, { elapsedMs: 2000 })],
  ['client elapsedMs', (call) => Object.assign(call, { elapsedMs: undefined })],
  ['upstream web[0].method', (call) => Object.assign(call.upstream[0] as object, { method: 'PUT' })],
  ['upstream web[0].path', (call) => Object.assign(call.upstream[0] as object, { path: '/x' })],
  ['upstream web[0].protocol', (call) => Object.assign(call.upstream[0] as object, { protocol: 'HTTP/2' })],
  ['upstream web[0].authority', (call) => Object.assign(call.upstream[0] as object, { authority: 'a' })],
  ['upstream web[0].scheme', (call) => Object.assign(call.upstream[0] as object, { scheme: 'http' })],
  ['upstream web[0].body', (call) => Object.assign(call.upstream[0] as object, { body: 'x' })],
  ['upstream web[0].headers.x-request-id', (call) => call.upstream[0]?.headers?.pop()],
  ['upstream web[0].tls.sni', (call) => Object.assign(call.upstream[0]?.tls as object, { sni: 'x' })],
  ['upstream web[0].tls.alpn', (call) => Object.assign(call.upstream[0]?.tls as object, { alpn: 'h2' })],
  [
    'upstream web[0].tls.clientSubject',
    (call) => Object.assign(call.upstream[0]?.tls as object, { clientSubject: 'x' }),
  ],
  ['upstream web[0].tls', (call) => Object.assign(call.upstream[0] as object, { tls: undefined })],
  ['upstream mirror[0].bytes', (call) => Object.assign(call.upstream[1] as object, { bytes: 'ho' })],
  ['upstream mirror[0]', (call) => call.upstream.pop()],
  ['upstream web[1]', (call) => call.upstream.push(structuredClone(call.upstream[0]) as Mutable['upstream'][0])],
  ['upstream extra[0]', (call) => call.upstream.push({ server: 'extra', protocol: 'tcp', bytes: '' })],
  ['log [0].status', (call) => Object.assign(call.log[0] as object, { status: 503 })],
  ['log [0].flags', (call) => Object.assign(call.log[0] as object, { flags: 'NR' })],
  ['log [0].details', (call) => Object.assign(call.log[0] as object, { details: 'x' })],
  ['log [0].cluster', (call) => Object.assign(call.log[0] as object, { cluster: 'x' })],
  ['log [0].route', (call) => Object.assign(call.log[0] as object, { route: undefined })],
  ['log [0].sni', (call) => Object.assign(call.log[0] as object, { sni: 'x' })],
  ['log [0].upstream', (call) => Object.assign(call.log[0] as object, { upstream: '127.0.10.1:3001' })],
  ['log [0]', (call) => call.log.pop()],
  ['log [1]', (call) => call.log.push({ status: 0 })],
];

for (const [path, change] of DIFFERENCES) {
  t.test(`a difference in ${path} is found`, async (t) => {
    const replayed = structuredClone(RECORDED) as unknown as Mutable;
    change(replayed);
    const found = compareCall(RECORDED, replayed as unknown as CallOutcome);
    t.ok(found.length > 0);
    t.same(
      found.map((difference) => `${difference.level} ${difference.path}`).find((one) => one === path),
      path,
    );
  });
}

t.test('raw connections: bytes, end, alert', async (t) => {
  t.equal(compareCall(tcp('a'), tcp('b'))[0]?.path, 'tcp.received');
  t.same(
    compareCall(tcp('a'), { name: 'raw', tcp: { closed: 'eof', received: 'a' } }).map(({ path }) => path),
    ['tcp.closed', 'tcp.open'],
  );
  t.equal(
    compareCall(tcp('a'), { name: 'raw', tcp: { alert: 'unknown_ca' } }).some(({ path }) => path === 'tcp.alert'),
    true,
  );
});

t.test('of a long body the recording holds the beginning and the length', async (t) => {
  const long = (body: string, bodyLength?: number): CallOutcome => ({
    name: 'long',
    response: { status: 200, body, ...(bodyLength === undefined ? {} : { bodyLength }) },
  });
  t.same(compareCall(long('xxx', 10), long('x'.repeat(10))), []);
  t.equal(compareCall(long('xxx', 10), long('x'.repeat(9)))[0]?.path, 'response.bodyLength');
  t.equal(compareCall(long('xxx', 10), long(`xxy${'x'.repeat(7)}`))[0]?.path, 'response.body');
});

t.test('the race of terminated TLS before a tcp route', async (t) => {
  const refused = (upstream: CallOutcome['upstream'], host?: string): CallOutcome => ({
    name: 'refused',
    tls: { handshake: 'failed', alert: 'unknown_ca' },
    upstream: upstream ?? [],
    log: [{ status: 0, downstream_tls_failure: 'TLS_error', ...(host === undefined ? {} : { upstream: host }) }],
  });
  const dialled = [{ server: 'tcp', protocol: 'tcp', bytes: '' }];
  t.same(compareCall(refused(dialled, '127.0.10.1:1'), refused([])), []);
  t.same(compareCall(refused([]), refused(dialled, '127.0.10.1:1')), []);
  const payload = compareCall(refused(dialled), refused([{ server: 'tcp', protocol: 'tcp', bytes: 'x' }]));
  t.equal(payload[0]?.level, 'upstream', 'payload is never excused');
  const served: CallOutcome = { name: 'served', upstream: dialled };
  t.equal(
    compareCall(served, { name: 'served', upstream: [] })[0]?.level,
    'upstream',
    'nor a missing connection elsewhere',
  );
});

t.test('tallies agree within chance', async (t) => {
  const tally = (counts: Record<string, number>): CallOutcome => ({ name: 'many', repeat: 100, tally: counts });
  t.same(compareCall(tally({ '200 a': 75, '200 b': 25 }), tally({ '200 a': 68, '200 b': 32 })), []);
  t.same(compareCall(tally({ '200 a': 97, '200 b': 3 }), tally({ '200 a': 100 })), []);
  t.equal(compareCall(tally({ '200 a': 75, '200 b': 25 }), tally({ '200 a': 40, '200 b': 60 }))[0]?.path, 'tally');
  t.equal(compareCall(tally({ '200 a': 100 }), tally({ '200 a': 99, '503 ': 1 }))[0]?.path, 'tally');
  t.equal(compareCall(tally({ '200 a': 100 }), tally({}))[0]?.path, 'tally');
});

interface Mutable {
  tls: object;
  response: { headers: [string, string][] };
  upstream: { server: string; protocol?: string; bytes?: string; headers?: [string, string][]; tls?: object }[];
  log: object[];
}
