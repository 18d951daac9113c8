// Random calls: what clients send to a gateway, well-formed and odd.
import fc from 'fast-check';
import type { CallSpec, HttpSpec, Pairs, TlsSpec } from '../../golden/support.js';
import { HEADER_NAMES, HEADER_VALUES, PATHS } from './config-arbitrary.js';

const one = <T>(values: readonly T[]): fc.Arbitrary<T> => fc.constantFrom(...values);

const AUTHORITIES: readonly string[] = [
  'shop.test',
  'shop.test',
  'www.shop.test',
  'api.shop.test',
  'new.shop.test',
  'a.wild.test',
  'a.b.wild.test',
  'SHOP.test',
  'shop.test:80',
  'shop.test:8080',
  'other.test',
  'shop.test.',
];

const ODD_PATHS: readonly string[] = [
  '/./api',
  '/api/../items/42',
  '/api?x=1&y',
  '/api?',
  '/api?x=alice&x=1',
  '/api?q=a%20b&x=',
  '/items/42?x=1',
  '/api#frag',
  '/api?x=1#frag',
  '//api',
  '/%61pi',
  '/api%2e%2e/x',
  '/a%2fb',
  '/a%zz',
  '/api/%C3%A9',
  '/api;v=1',
  '/API/v1',
  '/api\\b',
  '/a%5Cb',
  '/..',
  '/api/v1/',
  '/items/42/',
  '/items/x',
  '/?x-user=alice',
  '/old/page.html?x=1&X=2',
  '/a/b/%2e%2e/c',
  '/%00',
  '/~x',
  '/%7Ex',
  '/a+b',
  '/"quoted"',
  '/{x}',
];

const BEHAVIOURS: readonly string[] = [
  'status=503',
  'status=500',
  'status=404',
  'status=204',
  'status=304',
  'status=409',
  'delay=20',
  'delay=400',
  'close',
  'reset',
  'chunked',
  'trailers',
  'early',
  'fail=1:503',
  'fail=1:close',
  'fail=1:reset',
  'fail=2:502',
  'header=x-a:1;header=x-a:2',
  'header=x-envoy-upstream-rq-timeout-ms:5;header=server:mine',
  'header=set-cookie:a=b',
  'size=20000',
  'garbage',
  'status=503;header=x-envoy-ratelimited:true',
  'closeafter',
  'grpc=14',
];

const header: fc.Arbitrary<readonly [string, string]> = fc.oneof(
  { weight: 6, arbitrary: fc.tuple(one(HEADER_NAMES), one(HEADER_VALUES)) },
  { weight: 2, arbitrary: one(BEHAVIOURS).map((value) => ['x-up', value] as const) },
  {
    weight: 3,
    arbitrary: fc.constantFrom<readonly [string, string]>(
      ['Origin', 'https://good.test'],
      ['Origin', 'https://bad.example'],
      ['Access-Control-Request-Method', 'GET'],
      ['Access-Control-Request-Headers', 'x-a'],
      ['X-Forwarded-For', '10.1.2.3'],
      ['X-Forwarded-Proto', 'https'],
      ['X-Forwarded-Host', 'x.test'],
      ['x-request-id', 'mine'],
      ['x-envoy-upstream-rq-timeout-ms', '50'],
      ['x-envoy-max-retries', '1'],
      ['x-envoy-retry-on', '5xx'],
      ['x-envoy-original-path', '/evil'],
      ['x-envoy-decorator-operation', 'mine'],
      ['x-envoy-attempt-count', '9'],
      ['x-envoy-fault-abort-request', '503'],
      ['x-envoy-internal', 'true'],
      ['x-envoy-expected-rq-timeout-ms', '7'],
      ['x-envoy-hedge-on-per-try-timeout', 'true'],
      ['x-envoy-retriable-status-codes', '409'],
      ['content-type', 'application/grpc'],
      ['content-type', 'application/json'],
      ['grpc-timeout', '50m'],
      ['te', 'trailers'],
      ['Expect', '100-continue'],
      ['accept', 'text/html'],
      ['x-a', ' padded '],
      ['x-A', 'again'],
      ['x_under', '1'],
      ['via', '1.1 x'],
      ['traceparent', '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'],
      ['x-b3-traceid', '1'],
      ['x-client-trace-id', 'abc'],
      ['x-forwarded-client-cert', 'By=x'],
      ['cache-control', 'no-cache'],
    ),
  },
);

// Codecs decide about these, not routes; a run without them is asked for by `codec: false`.
const CODEC_HEADERS: ReadonlySet<string> = new Set(['expect', 'te']);

const request: fc.Arbitrary<HttpSpec> = fc
  .record({
    method: fc.oneof(
      { weight: 6, arbitrary: fc.constant('GET') },
      { weight: 4, arbitrary: one(['POST', 'PUT', 'OPTIONS', 'HEAD', 'DELETE', 'PATCH', 'FOO']) },
    ),
    host: one(AUTHORITIES),
    path: fc.oneof(
      { weight: 5, arbitrary: one(PATHS) },
      {
        weight: 2,
        arbitrary: fc
          .tuple(one(PATHS), one(['?x=1', '?x=alice&y=1', 'x', '/x', '?q=a%20b']))
          .map((two) => two.join('')),
      },
      { weight: 3, arbitrary: one(ODD_PATHS) },
    ),
    headers: fc.array(header, { maxLength: 5 }),
    body: fc.option(one(['x=1', '', 'hello']), { freq: 3, nil: undefined }),
  })
  .map(({ body, ...rest }) => ({
    ...rest,
    headers: rest.headers as Pairs,
    ...(body === undefined || rest.method === 'GET' || rest.method === 'HEAD' ? {} : { body }),
  }));

const tls: fc.Arbitrary<TlsSpec> = fc
  .record({
    sni: fc.option(
      one(['shop.test', 'www.shop.test', 'a.wild.test', 'A.B.wild.test', 'nope.example', 'api.shop.test']),
      {
        freq: 12,
        nil: undefined,
      },
    ),
    alpn: one([['h2', 'http/1.1'], ['http/1.1'], ['h2'], [], ['foo']]),
    cert: fc.option(one(['client', 'client-rogue', 'client-expired']), { freq: 2, nil: undefined }),
    max: fc.option(one(['1.2', '1.3'] as const), { freq: 2, nil: undefined }),
  })
  .map(({ sni, cert, max, alpn }) => ({
    alpn,
    ...(sni === undefined ? {} : { sni }),
    ...(cert === undefined ? {} : { cert }),
    ...(max === undefined ? {} : { max }),
  }));

/** Heads and frames that a codec has to judge. */
const RAW: readonly string[] = [
  'GET / HTTP/1.1\r\n\r\n',
  'GET / HTTP/1.1\r\nHost: shop.test\r\nHost: www.shop.test\r\n\r\n',
  'GET / HTTP/1.0\r\nHost: shop.test\r\n\r\n',
  'GET http://www.shop.test/api HTTP/1.1\r\nHost: shop.test\r\n\r\n',
  'GET http://www.shop.test HTTP/1.1\r\nHost: shop.test\r\n\r\n',
  'OPTIONS * HTTP/1.1\r\nHost: shop.test\r\n\r\n',
  'GET /a b HTTP/1.1\r\nHost: shop.test\r\n\r\n',
  'GET api HTTP/1.1\r\nHost: shop.test\r\n\r\n',
  'GET / HTTP/1.1\r\nHost : shop.test\r\n\r\n',
  'GET / HTTP/1.1\r\nHost: shop.test\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
  'POST / HTTP/1.1\r\nHost: shop.test\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\nabc',
  'POST / HTTP/1.1\r\nHost: shop.test\r\nContent-Length: 3, 3\r\n\r\nabc',
  'POST / HTTP/1.1\r\nHost: shop.test\r\nContent-Length: -1\r\n\r\n',
  'POST / HTTP/1.1\r\nHost: shop.test\r\nTransfer-Encoding: gzip\r\n\r\n',
  'POST / HTTP/1.1\r\nHost: shop.test\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nx-t: 1\r\n\r\n',
  'POST / HTTP/1.1\r\nHost: shop.test\r\nTransfer-Encoding: chunked\r\n\r\nz\r\nabc\r\n0\r\n\r\n',
  'GET / HTTP/1.1\r\nHost: shop.test\r\nX: \x00\r\n\r\n',
  'GET / HTTP/1.1\r\nHost: shop.test\r\nX: \x80\xff\r\n\r\n',
  'GET / HTTP/1.1\r\nHost: shop.test\r\nX\x80: 1\r\n\r\n',
  'GET / HTTP/1.1\r\nHost: shop.test\r\nConnection: close\r\n\r\n',
  'GET / HTTP/1.1\r\nHost: shop.test\r\nConnection: x-a\r\nx-a: 1\r\n\r\n',
  'GET / HTTP/1.1\r\nHost: shop.test\r\nUpgrade: foo\r\nConnection: upgrade\r\n\r\n',
  'GET / HTTP/1.1\r\nHost: shop test\r\n\r\n',
  'GET / HTTP/1.1\r\nHost: shop.test/x\r\n\r\n',
  'GET / HTTP/1.1\r\nHost: \r\n\r\n',
  'CONNECT shop.test:80 HTTP/1.1\r\nHost: shop.test:80\r\n\r\n',
  'get / HTTP/1.1\r\nHost: shop.test\r\n\r\n',
  'G@T / HTTP/1.1\r\nHost: shop.test\r\n\r\n',
  '\r\n\r\nGET / HTTP/1.1\r\nHost: shop.test\r\n\r\n',
  'GET / HTTP/1.1\r\nHost: shop.test\r\n\r\nGET /api HTTP/1.1\r\nHost: shop.test\r\n\r\n',
  'GET / HTTP/2.0\r\nHost: shop.test\r\n\r\n',
  'GET / HTTP/1.1 \r\nHost: shop.test\r\n\r\n',
  '\x16\x03\x01\x00\x05hello',
];

/** A call to one of the gateway's two ports. `codec` adds raw bytes and headers that a codec answers for. */
export function fuzzCall(options: { readonly codec: boolean }): fc.Arbitrary<CallSpec> {
  const named = (call: Omit<CallSpec, 'name'>): CallSpec => ({ name: 'fuzz', ...call });
  const plain = request.map((http) => named({ port: 8080, http }));
  const cleartext2 = request.map((http) => named({ port: 8080, http: { ...http, version: '2' } }));
  const secure = fc.tuple(tls, request).map(([how, http]) => named({ port: 8443, tls: how, http }));
  const several = fc.array(request, { minLength: 2, maxLength: 3 }).map((requests) => named({ port: 8080, requests }));
  const raw = one(RAW).map((send) => named({ port: 8080, send, wait: 0.15 }));
  const calls = fc.oneof(
    { weight: 10, arbitrary: plain },
    { weight: 3, arbitrary: cleartext2 },
    { weight: 6, arbitrary: secure },
    { weight: 1, arbitrary: several },
    ...(options.codec ? [{ weight: 3, arbitrary: raw }] : []),
  );
  return options.codec ? calls : calls.map(withoutCodecHeaders);
}

function withoutCodecHeaders(call: CallSpec): CallSpec {
  const clean = (http: HttpSpec): HttpSpec => ({
    ...http,
    headers: (http.headers ?? []).filter(([name]) => !CODEC_HEADERS.has(name.toLowerCase())),
  });
  return {
    ...call,
    ...(call.http === undefined ? {} : { http: clean(call.http) }),
    ...(call.requests === undefined ? {} : { requests: call.requests.map(clean) }),
  };
}
