// The replayer without a gateway: a plain relay stands where the gateway would, so that client, upstreams, translation
// of addresses, attribution and comparison are proved on their own. Each expectation is written as a recording.
import http2 from 'node:http2';
import net from 'node:net';
import t from 'tap';
import { StreamInfo } from '../../src/dataplane/telemetry/stream-info.js';
import { encodeHeaders, HpackDecoder } from './client/hpack.js';
import { replayCase, type StartTarget } from './replay.js';
import { agrees, judge } from './report.js';
import { type CallOutcome, type CallSpec, decodeEscapes, type GoldenCase, type UpstreamSpec } from './support.js';

const UPSTREAMS: readonly UpstreamSpec[] = [
  { name: 'web', at: '127.0.10.1:3000' },
  { name: 'secure', at: '127.0.10.2:3443', protocol: 'https', cert: 'a', alpn: ['h2', 'http/1.1'] },
  { name: 'echo', at: '127.0.10.3:4000', protocol: 'tcp' },
  { name: 'greeter', at: '127.0.10.4:4001', protocol: 'tcp', banner: 'HTTP/1.1 400 Bad Request\r\n\r\n' },
  { name: 'moody', at: '127.0.10.5:3001', behave: { status: 500, headers: [['x-mood', 'bad']] } },
];

// Port of the relay → configured address of the upstream, or none: nobody behind it.
const ROUTES: ReadonlyMap<number, string | undefined> = new Map([
  [8080, '127.0.10.1:3000'],
  [8443, '127.0.10.2:3443'],
  [9000, '127.0.10.3:4000'],
  [9001, '127.0.10.4:4001'],
  [8081, '127.0.10.5:3001'],
  [9002, '127.0.10.9:1234'],
]);

const startRelay: StartTarget = async (_golden, environment, observe) => {
  const servers: net.Server[] = [];
  const open = new Set<net.Socket>();
  for (const [port, address] of ROUTES) {
    const server = net.createServer((down) => {
      const info = new StreamInfo(environment.now());
      const [host = '', upstreamPort = ''] = (address ?? '').split(':');
      const up = environment.connect(host, Number(upstreamPort), {});
      for (const [from, to] of [[down, up] as const, [up, down] as const]) {
        open.add(from);
        from.on('error', () => {});
        from.on('close', () => to.destroy());
        from.pipe(to);
      }
      down.on('close', () => {
        info.upstreamHost = address ?? '';
        observe(info);
      });
    });
    await environment.listen(server, { host: '0.0.0.0', port });
    servers.push(server);
  }
  return {
    close: async () => {
      for (const socket of open) socket.destroy();
      await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
    },
  };
};

interface Step {
  readonly call: Omit<CallSpec, 'name'>;
  /** Without `log`: the relay's own. */
  readonly recorded: Omit<CallOutcome, 'name'>;
}

function caseOf(steps: Readonly<Record<string, Step>>): GoldenCase {
  const entries = Object.entries(steps);
  return {
    area: 'self',
    name: 'relay',
    id: 'self/relay',
    directory: '',
    about: '',
    mesh: undefined,
    settle: undefined,
    locality: undefined,
    nodeMetadata: undefined,
    gatewayLabels: undefined,
    upstreams: UPSTREAMS,
    calls: entries.map(([name, step]) => ({ name, ...step.call })),
    recorded: {
      ready: 'live',
      envoyLog: [],
      calls: entries.map(([name, { call, recorded }]) => ({
        name,
        log: ROUTES.has(call.port) ? [{ status: 0, upstream: ROUTES.get(call.port) ?? '' }] : [],
        upstream: [],
        ...recorded,
      })),
    },
    readXds: () => ({}),
    istioYaml: '',
  };
}

const served = (by: string, more: [string, string][] = []): [string, string][] => [
  ['content-type', 'text/plain'],
  ['x-served-by', by],
  ...more,
];
const http1 = (server: string, path: string, headers: [string, string][], body = '', method = 'GET') => ({
  server,
  protocol: 'HTTP/1.1',
  method,
  path,
  headers,
  body,
});

const STEPS: Readonly<Record<string, Step>> = {
  'plain GET': {
    call: { port: 8080, http: { host: 'shop.test', path: '/a' } },
    recorded: {
      response: { status: 200, headers: served('web', [['content-length', '4']]), body: 'web\n' },
      upstream: [http1('web', '/a', [['Host', 'shop.test']])],
    },
  },
  'POST with body, early hints and an own header': {
    call: {
      port: 8080,
      http: { method: 'POST', host: 'shop.test', body: 'hé', headers: [['x-up', 'early;status=201;header=X-A:1']] },
    },
    recorded: {
      response: {
        status: 201,
        headers: served('web', [
          ['x-a', '1'],
          ['content-length', '4'],
        ]),
        body: 'web\n',
        informational: [{ status: 103, headers: [['link', '</a.css>; rel=preload']] }],
      },
      upstream: [
        http1(
          'web',
          '/',
          [
            ['Host', 'shop.test'],
            ['x-up', 'early;status=201;header=X-A:1'],
            ['Content-Length', '2'],
          ],
          'hé',
          'POST',
        ),
      ],
    },
  },
  'chunked both ways, trailers': {
    call: {
      port: 8080,
      http: {
        method: 'PUT',
        host: 'shop.test',
        headers: [
          ['Transfer-Encoding', 'chunked'],
          ['x-up', 'chunked;trailers'],
        ],
        body: '5\r\nhello\r\n6\r\n world\r\n0\r\nx: y\r\n\r\n',
      },
    },
    recorded: {
      response: {
        status: 200,
        headers: served('web', [['transfer-encoding', 'chunked']]),
        body: 'web\n',
        trailers: [['x-trail', '1']],
      },
      upstream: [
        http1(
          'web',
          '/',
          [
            ['Host', 'shop.test'],
            ['Transfer-Encoding', 'chunked'],
            ['x-up', 'chunked;trailers'],
          ],
          'hello world',
          'PUT',
        ),
      ],
    },
  },
  'several requests on a connection, which the upstream ends': {
    call: {
      port: 8080,
      requests: [
        { host: 'a', method: 'HEAD' },
        { host: 'a', headers: [['x-up', 'size=5000;closeafter']] },
        { host: 'a', path: '/3' },
        { host: 'a', path: '/4' },
      ],
    },
    recorded: {
      responses: [
        { status: 200, headers: served('web', [['content-length', '4']]), body: '' },
        { status: 200, headers: served('web', [['content-length', '5000']]), body: 'x'.repeat(4096), bodyLength: 5000 },
        { closed: 'eof' },
      ],
      upstream: [
        http1('web', '/', [['Host', 'a']], '', 'HEAD'),
        http1('web', '/', [
          ['Host', 'a'],
          ['x-up', 'size=5000;closeafter'],
        ]),
      ],
    },
  },
  'body cut off': {
    call: { port: 8080, http: { host: 'a', headers: [['x-up', 'chunked;abort']] } },
    recorded: {
      response: { closed: 'eof' },
      upstream: [
        http1('web', '/', [
          ['Host', 'a'],
          ['x-up', 'chunked;abort'],
        ]),
      ],
    },
  },
  'upstream resets': {
    call: { port: 8080, http: { host: 'a', headers: [['x-up', 'reset']] } },
    recorded: {
      response: { closed: 'reset' },
      upstream: [
        http1('web', '/', [
          ['Host', 'a'],
          ['x-up', 'reset'],
        ]),
      ],
    },
  },
  'first try fails': {
    call: {
      port: 8080,
      requests: [
        {
          host: 'a',
          headers: [
            ['x-up', 'fail=1:503'],
            ['x-request-id', '1'],
          ],
        },
        {
          host: 'a',
          headers: [
            ['x-up', 'fail=1:503'],
            ['x-request-id', '1'],
          ],
        },
      ],
    },
    recorded: {
      responses: [
        { status: 503, headers: served('web', [['content-length', '4']]), body: 'web\n' },
        { status: 200, headers: served('web', [['content-length', '4']]), body: 'web\n' },
      ],
      upstream: [
        http1('web', '/', [
          ['Host', 'a'],
          ['x-up', 'fail=1:503'],
          ['x-request-id', '1'],
        ]),
        http1('web', '/', [
          ['Host', 'a'],
          ['x-up', 'fail=1:503'],
          ['x-request-id', '1'],
        ]),
      ],
    },
  },
  'behaviour given at the start': {
    call: { port: 8081, http: { host: 'a' } },
    recorded: {
      response: {
        status: 500,
        headers: served('moody', [
          ['x-mood', 'bad'],
          ['content-length', '6'],
        ]),
        body: 'moody\n',
      },
      upstream: [http1('moody', '/', [['Host', 'a']])],
    },
  },
  'upgrade, then raw bytes': {
    call: {
      port: 8080,
      http: {
        host: 'a',
        headers: [
          ['Upgrade', 'websocket'],
          ['Connection', 'Upgrade'],
        ],
        // biome-ignore lint/suspicious/noThenProperty: the format's own name
        then: 'ping',
      },
    },
    recorded: {
      response: {
        status: 101,
        headers: [
          ['upgrade', 'websocket'],
          ['connection', 'Upgrade'],
          ['x-served-by', 'web'],
        ],
        body: '',
        upgraded: 'ping',
      },
      upstream: [
        http1('web', '/', [
          ['Host', 'a'],
          ['Upgrade', 'websocket'],
          ['Connection', 'Upgrade'],
        ]),
        { server: 'web', upgraded: 'ping' },
      ],
    },
  },
  'h2 by prior knowledge, with trailers and a body': {
    call: {
      port: 8080,
      http: { version: '2', method: 'POST', host: 'shop.test', body: 'hi', headers: [['X-Up', 'trailers']] },
    },
    recorded: {
      response: { status: 200, headers: served('web'), body: 'web\n', trailers: [['x-trail', '1']] },
      upstream: [
        {
          server: 'web',
          protocol: 'HTTP/2',
          method: 'POST',
          path: '/',
          scheme: 'http',
          authority: 'shop.test',
          headers: [['x-up', 'trailers']],
          body: 'hi',
        },
      ],
    },
  },
  'h2 by ALPN: a reset stream, a gRPC echo, a gRPC status': {
    call: {
      port: 8443,
      tls: { sni: 'a.example.com', alpn: ['h2'] },
      requests: [
        { host: 'a', headers: [['x-up', 'reset=7']] },
        { host: 'a', method: 'POST', headers: [['content-type', 'application/grpc']], body: '\0\0\0\0\x01a' },
        {
          host: 'a',
          method: 'POST',
          headers: [
            ['content-type', 'application/grpc'],
            ['x-up', 'grpc=5'],
          ],
          body: '',
        },
      ],
    },
    recorded: {
      tls: { handshake: 'ok', version: 'TLSv1.3', alpn: 'h2', serverCert: 'a.example.com' },
      responses: [
        { headers: [], body: '', reset: 7 },
        {
          status: 200,
          headers: [
            ['content-type', 'application/grpc'],
            ['x-served-by', 'secure'],
          ],
          body: '\0\0\0\0\x01a',
          trailers: [['grpc-status', '0']],
        },
        {
          status: 200,
          headers: [
            ['content-type', 'application/grpc'],
            ['x-served-by', 'secure'],
            ['grpc-status', '5'],
            ['grpc-message', 'no'],
          ],
          body: '',
        },
      ],
      upstream: [
        ...[
          { method: 'GET', headers: [['x-up', 'reset=7']], body: '' },
          { method: 'POST', headers: [['content-type', 'application/grpc']], body: '\0\0\0\0\x01a' },
          {
            method: 'POST',
            headers: [
              ['content-type', 'application/grpc'],
              ['x-up', 'grpc=5'],
            ],
            body: '',
          },
        ].map((one) => ({
          ...one,
          headers: one.headers as [string, string][],
          server: 'secure',
          protocol: 'HTTP/2',
          path: '/',
          scheme: 'https',
          authority: 'a',
          tls: { sni: 'a.example.com', alpn: 'h2' },
        })),
      ],
    },
  },
  'TLS 1.2, no SNI, a client certificate that nobody asks for': {
    call: { port: 8443, tls: { max: '1.2', cert: 'client' }, http: { host: 'a' } },
    recorded: {
      tls: { handshake: 'ok', version: 'TLSv1.2', serverCert: 'a.example.com' },
      response: { status: 200, headers: served('secure', [['content-length', '7']]), body: 'secure\n' },
      upstream: [{ ...http1('secure', '/', [['Host', 'a']]), tls: {} }],
    },
  },
  'TLS 1.0': {
    call: { port: 8443, tls: { sni: 'a.example.com', min: '1.0', max: '1.0' }, send: '', wait: 0.05 },
    recorded: {
      tls: { handshake: 'ok', version: 'TLSv1', serverCert: 'a.example.com' },
      tcp: { open: true, received: '' },
    },
  },
  'no cipher in common': {
    call: { port: 8443, tls: { max: '1.2', ciphers: 'ECDHE-RSA-AES128-GCM-SHA256' }, http: { host: 'a' } },
    recorded: { tls: { handshake: 'failed', alert: 'handshake_failure' } },
  },
  'TLS to a plaintext port': {
    call: { port: 9001, tls: { sni: 'a' }, http: { host: 'a' } },
    recorded: {
      tls: { handshake: 'failed', error: 'WRONG_VERSION_NUMBER' },
      log: [{ status: 0, upstream: '127.0.10.4:4001', downstream_tls_failure: 'the hello is not compared' }],
    },
  },
  'raw bytes': {
    call: { port: 9000, send: 'a\0b', wait: 0.1 },
    recorded: {
      tcp: { open: true, received: 'echo:a\0b' },
      upstream: [{ server: 'echo', protocol: 'tcp', bytes: 'a\0b' }],
    },
  },
  'nobody behind the relay': {
    call: { port: 9002, send: 'x', wait: 1 },
    recorded: { tcp: { closed: 'eof', received: '' } },
  },
  'nobody listens': { call: { port: 7777, send: '' }, recorded: { connect: 'refused' } },
  'many times': {
    call: { port: 9000, send: 'x', wait: 0.5, repeat: 5 },
    recorded: { repeat: 5, tally: { 'None echo': 5 } },
  },
};

t.test('every kind of call comes out as recorded', async (t) => {
  const results = await replayCase(caseOf(STEPS), { kind: 'in-process', start: startRelay });
  t.equal(results.length, Object.keys(STEPS).length);
  for (const result of results) {
    // The bytes of a hello differ each time.
    const left =
      result.call === 'TLS to a plaintext port'
        ? result.differences.filter((one) => one.level !== 'upstream')
        : result.differences;
    t.same(left, [], result.call);
    t.equal(result.error, undefined, result.call);
  }
});

t.test('what was not recorded is found', async (t) => {
  const one = (step: Step): Promise<boolean> =>
    replayCase(caseOf({ one: step }), { kind: 'in-process', start: startRelay }).then(
      ([result]) => result !== undefined && agrees(result),
    );
  const plain = STEPS['plain GET'] as Step;
  t.equal(await one(plain), true);
  t.equal(await one({ ...plain, recorded: { ...plain.recorded, upstream: [] } }), false, 'a request too many');
  t.equal(await one({ ...plain, recorded: { ...plain.recorded, log: [] } }), false, 'a log entry too many');
  t.equal(await one({ ...plain, call: { ...plain.call, http: { host: 'other', path: '/a' } } }), false);
});

t.test('a target that does not start fails its case and nothing else', async (t) => {
  const broken: StartTarget = () => Promise.reject(new Error('no such thing'));
  const results = await replayCase(caseOf(STEPS), { kind: 'in-process', start: broken });
  t.ok(results.every((result) => !agrees(result) && result.error?.includes('no such thing')));
});

t.test('the verdict', async (t) => {
  const [good] = await replayCase(caseOf({ good: STEPS['plain GET'] as Step }), {
    kind: 'in-process',
    start: startRelay,
  });
  const [bad] = await replayCase(caseOf({ bad: { ...(STEPS['plain GET'] as Step), recorded: {} } }), {
    kind: 'in-process',
    start: startRelay,
  });
  if (good === undefined || bad === undefined) throw new Error('no results');
  const listed = (id: string) => new Map([[id, { list: 'deviation' as const, reason: 'because' }]]);
  t.same(judge([good], new Map(), ['self']), []);
  t.same(judge([bad], new Map(), []), [], 'areas that are not finished are only counted');
  t.same(judge([bad], new Map(), ['self']), ['differs: self/relay: bad']);
  t.same(judge([bad], listed(bad.id), ['self']), []);
  t.same(judge([good], listed(good.id), []), ['listed as deviation, but agrees: self/relay: good']);
  const race = new Map([[bad.id, { list: 'race' as const, reason: 'either' }]]);
  t.same(judge([bad], race, ['self']), []);
  t.same(judge([{ ...bad, differences: [] }], race, ['self']), [], 'a race may agree');
});

t.test('HPACK: every byte that node:http2 sends, Huffman code and dynamic table included', async (t) => {
  const bytes = Array.from({ length: 256 }, (_, byte) => byte).filter(
    (byte) => byte === 9 || (byte >= 32 && byte !== 127),
  );
  const value = `.${String.fromCharCode(...bytes)}.`;
  const server = http2.createServer();
  server.on('stream', (stream) =>
    stream.respond({ ':status': 200, 'x-all': value, 'x-own-name': 'one' }, { endStream: true }),
  );
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as net.AddressInfo;
  const { openChannel } = await import('./client/channel.js');
  const { Http2Client } = await import('./client/http2.js');
  const connected = await openChannel({ host: '127.0.0.1', port }, { timeout: 1000 });
  if (connected.kind !== 'up') throw new Error('not connected');
  const client = new Http2Client(connected.channel);
  for (let round = 0; round < 3; round++) {
    const response = await client.exchange({ host: 'a' }, false, performance.now() + 2000);
    t.equal(response.headers?.find(([name]) => name === 'x-all')?.[1], value);
    t.equal(response.headers?.find(([name]) => name === 'x-own-name')?.[1], 'one');
  }
  connected.channel.close();
  server.close();
  const headers: [string, string][] = [
    ['x', 'y'.repeat(1000)],
    ['z', '\xff'],
  ];
  const decoded = new HpackDecoder().decode(encodeHeaders(headers));
  t.same(decoded, [headers[0], ['z', '\xc3\xbf']], 'text goes out as UTF-8 and is read as bytes');
});

t.test('escapes as in Python', async (t) => {
  t.equal(decodeEscapes(String.raw`a\r\n\x00\xff\\x\'\0\v`), "a\r\n\x00\xff\\x'\0\v");
  t.equal(decodeEscapes('already\r\n'), 'already\r\n');
});
