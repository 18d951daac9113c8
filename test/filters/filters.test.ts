// The pure rules of filters and router, row by row from the specification; the recordings exercise them together.
import t from 'tap';
import { CorsFilter } from '../../src/filters/cors.js';
import { fires } from '../../src/filters/fraction.js';
import { encodeGrpcMessage, grpcWebFormat, parseGrpcTimeout } from '../../src/filters/grpc.js';
import { GrpcWebResponse, GrpcWebTextDecoder, isGrpcWebText, isPlainResponse } from '../../src/filters/grpc-web.js';
import { computeHash } from '../../src/filters/hash-policy.js';
import { HeaderMap } from '../../src/filters/header-map.js';
import { HeaderOperations } from '../../src/filters/header-operations.js';
import { checkHttp1Head } from '../../src/filters/http1-head.js';
import {
  isInlineRequestHeader,
  isInlineResponseHeader,
  joinCookieCrumbs,
  joinInlineHeaders,
} from '../../src/filters/inline-headers.js';
import * as replies from '../../src/filters/local-reply.js';
import { compileHeaderFormat, type OperatorFacts, UNANSWERED } from '../../src/filters/operators.js';
import { normalizePath, type PathNormalizationSettings } from '../../src/filters/path-normalizer.js';
import { redirectLocation } from '../../src/filters/redirect.js';
import { type ReplyFacts, renderLocalReply, UNKNOWN_REQUEST } from '../../src/filters/render-local-reply.js';
import type { RequestHead } from '../../src/filters/request-head.js';
import { mutateRequestHeaders, removeHopByHopHeaders, requestedUpgrade } from '../../src/filters/request-headers.js';
import { applyResponseRules, NO_RESPONSE_RULES } from '../../src/filters/response-headers.js';
import { backOff, compileRetryPolicy, coversReset, coversResponse } from '../../src/filters/retry-policy.js';
import { compileRewrite } from '../../src/filters/rewrite.js';
import { formatTime } from '../../src/filters/time-format.js';
import { compileTimeouts, requestTimeout, writeExpectedTimeout } from '../../src/filters/timeouts.js';
import { compileStringMatcher } from '../../src/match/string-matcher.js';
import type {
  HeaderValueOption,
  HttpConnectionManager,
  RedirectAction,
  RetryPolicy,
  RouteMatch,
} from '../../src/xds/index.js';
import { connectionManager } from '../support/connection-manager.js';

const MANAGER = connectionManager();

interface HeadOptions {
  readonly protocol?: RequestHead['protocol'];
  readonly authority?: string;
  readonly path?: string;
  readonly scheme?: string;
  readonly source?: string;
  readonly tls?: boolean;
}

function head(raw: readonly string[] = [], options: HeadOptions = {}): RequestHead {
  const connection = {
    listener: '0.0.0.0_8080',
    transportProtocol: 'raw_buffer' as const,
    serverName: '',
    applicationProtocols: [],
    source: { address: options.source ?? '203.0.113.7', port: 51_000 },
    destination: { address: '198.51.100.1', port: 8080 },
  };
  return {
    protocol: options.protocol ?? 'HTTP/1.1',
    method: 'GET',
    authority: options.authority ?? 'a.io',
    path: options.path ?? '/x?y=1',
    scheme: options.scheme,
    headers: new HeaderMap([...raw]),
    endStream: true,
    connection,
    tls:
      options.tls === true ? { version: 'TLSv1.3', cipher: '', alpn: '', serverName: '', localUriSans: [] } : undefined,
  };
}

t.test('path normalisation', (t) => {
  const check = (settings: Partial<PathNormalizationSettings>, rows: readonly (readonly [string, string])[]) => {
    const all = { normalize_path: true, path_with_escaped_slashes_action: 'KEEP_UNCHANGED' as const, ...settings };
    for (const [sent, want] of rows) {
      const got = normalizePath(sent, all);
      t.equal(
        got.kind === 'path' ? got.path : `${got.kind} ${'path' in got ? got.path : ''}`.trim(),
        want,
        `${JSON.stringify(settings)} ${sent}`,
      );
    }
  };
  check({}, [
    ['/a/../b', '/b'],
    ['/a/./b', '/a/b'],
    ['/a/%2e%2e/b', '/b'],
    ['/a/%2E./b', '/b'],
    ['/../../x', '/x'],
    ['/a/..', '/'],
    ['/a/b/..', '/a/'],
    ['/a/b/.', '/a/b/'],
    ['/a/.', '/a/'],
    ['/.', '/'],
    ['/..', '/'],
    ['/x//../a', '/x/a'],
    ['//t/../z', '//z'],
    ['/...', '/...'],
    ['/..a', '/..a'],
    ['/a..', '/a..'],
    ['/a\\b', '/a/b'],
    ['/x\\..\\a', '/a'],
    ['/a%5cb', '/a%5cb'],
    ['/a%2Fb', '/a%2Fb'],
    ['/a//b', '/a//b'],
    ['/%61', '/a'],
    ['/%7E%2D%5F', '/~-_'],
    ['/a%2eb', '/a.b'],
    ['/%20%3f%23%2B', '/%20%3f%23%2B'],
    ['/%C3%A4/%e4', '/%C3%A4/%e4'],
    ['/%252e', '/%252e'],
    ['/%', '/%'],
    ['/a/%2', '/a/%2'],
    ['/a/%zz', '/a/%zz'],
    ['/x|"<>{}`^', '/x%7C%22%3C%3E%7B%7D%60%5E'],
    ['/[~;+]', '/[~;+]'],
    ['/a%00b', 'reject'],
    ['/\xc3\xa4', '/%C3%A4'],
    ['/a;x=1/b', '/a;x=1/b'],
    ['/xyz/..;foo=bar/abc', '/abc'],
    ['/xyz/.;x/abc', '/xyz/abc'],
    ['/xyz/..;', '/'],
    ['/xyz/%2e%2e;p/abc', '/xyz/..;p/abc'],
    ['/xyz/..%3b/abc', '/xyz/..%3b/abc'],
    ['/xyz/...;foo', '/xyz/...;foo'],
    ['/a?x=/../b', '/a?x=/../b'],
    ['/a?x="%61#frag', '/a?x="%61'],
    ['/admin#/../a', '/admin'],
  ]);
  check({ normalize_path: false }, [
    ['/a/../b', '/a/../b'],
    ['/%61|\\', '/%61|\\'],
    ['/a%00b#f', '/a%00b'],
  ]);
  check({ merge_slashes: true }, [
    ['/a//b', '/a/b'],
    ['///', '//'],
    ['/a//', '/a/'],
    ['//d', '/d'],
    ['/x//../admin', '/x/admin'],
  ]);
  check({ merge_slashes: true, path_with_escaped_slashes_action: 'UNESCAPE_AND_FORWARD' }, [
    ['/x%2F%2e%2E%5Cadmin', '/admin'],
    ['/%2Fadmin', '/admin'],
    ['/a%252Fb', '/a%252Fb'],
    ['/a?b=%2F', '/a?b=%2F'],
  ]);
  check({ path_with_escaped_slashes_action: 'UNESCAPE_AND_REDIRECT' }, [
    ['/a%2fb?c', 'redirect /a/b?c'],
    ['/a', '/a'],
  ]);
  check({ path_with_escaped_slashes_action: 'REJECT_REQUEST' }, [['/a%5Cb', 'reject']]);
  t.end();
});

t.test('headers of a single value', (t) => {
  const headers = new HeaderMap([
    'accept',
    'a',
    'x-a',
    '1',
    'accept',
    '',
    'x-a',
    '2',
    'accept',
    'b',
    'cookie',
    'a=1',
    'x',
    'y',
    'cookie',
    'b=2',
  ]);
  joinInlineHeaders(headers, isInlineRequestHeader);
  joinCookieCrumbs(headers);
  t.same(headers.raw, ['accept', 'a,b', 'x-a', '1', 'x-a', '2', 'x', 'y', 'cookie', 'a=1; b=2']);
  const response = new HeaderMap(['vary', 'a', 'set-cookie', 'x', 'vary', 'b', 'set-cookie', 'y']);
  joinInlineHeaders(response, isInlineResponseHeader);
  t.same(response.raw, ['vary', 'a,b', 'set-cookie', 'x', 'set-cookie', 'y']);
  // Sent twice to a real Envoy and back: these came out as one.
  const joined = [
    ...['access-control-allow-credentials', 'access-control-max-age', 'grpc-status', 'grpc-message', 'proxy-status'],
    ...['x-envoy-attempt-count', 'x-envoy-degraded', 'x-envoy-ratelimited', 'x-envoy-upstream-healthchecked-cluster'],
  ];
  t.same(
    joined.filter((name) => !isInlineResponseHeader(name)),
    [],
  );
  t.same(
    ['expect', 'authentication'].filter((name) => !isInlineRequestHeader(name)),
    [],
  );
  t.end();
});

t.test('request header mutation', (t) => {
  const mutate = (raw: readonly string[], manager: Partial<HttpConnectionManager> = {}, options: HeadOptions = {}) => {
    const request = head(raw, options);
    joinInlineHeaders(request.headers, isInlineRequestHeader);
    removeHopByHopHeaders(request, requestedUpgrade(request) !== undefined);
    mutateRequestHeaders(request, { ...MANAGER, ...manager }, { uuid: () => 'uuid', localAddress: '10.0.0.5' });
    return request;
  };
  const added = [
    'x-forwarded-for',
    '203.0.113.7',
    'x-forwarded-proto',
    'http',
    'x-envoy-external-address',
    '203.0.113.7',
    'x-request-id',
    'uuid',
  ];
  t.same(mutate(['a', 'b']).headers.raw, ['a', 'b', ...added], 'new ones come last, in order');
  t.equal(
    mutate([], {}, { source: '127.0.0.1' }).headers.get('x-forwarded-for'),
    '10.0.0.5',
    'own address for a loopback client',
  );
  t.equal(
    mutate(['x-forwarded-for', '1.1.1.1', 'x-forwarded-for', '2.2.2.2']).headers.get('x-forwarded-for'),
    '1.1.1.1,2.2.2.2,203.0.113.7',
  );

  const trusted = (value: string, hops: number) =>
    mutate(['x-forwarded-for', value], { xff_num_trusted_hops: hops }).remoteAddress?.address;
  for (const [value, hops, want] of [
    ['1.1.1.1, 2.2.2.2 ', 1, '2.2.2.2'],
    ['1.1.1.1,2.2.2.2', 2, '1.1.1.1'],
    ['1.1.1.1', 2, '203.0.113.7'],
    ['1.1.1.1:80', 1, '203.0.113.7'],
    ['two', 1, '203.0.113.7'],
    ['2001:DB8::0:1', 1, '2001:db8::1'],
  ] as const) {
    t.equal(trusted(value, hops), want, `${hops} hops of ${value}`);
  }

  t.equal(mutate(['x-forwarded-proto', 'https']).headers.get('x-forwarded-proto'), 'http', 'overwritten at the edge');
  t.equal(
    mutate(['x-forwarded-proto', 'HTTPS'], { xff_num_trusted_hops: 1 }).headers.get('x-forwarded-proto'),
    'HTTPS',
    'kept behind proxies',
  );
  t.equal(mutate([], {}, { tls: true }).scheme, 'https');
  t.equal(mutate([], {}, { tls: true, scheme: 'http' }).scheme, 'http', 'an HTTP/2 client says what it likes');

  for (const [value, want] of [
    ['trailers, deflate', 'trailers'],
    ['Trailers', undefined],
    ['trailers;q=1', undefined],
    ['gzip', undefined],
  ] as const) {
    t.equal(mutate(['te', value]).headers.get('te'), want, `te: ${value}`);
  }
  for (const [value, stays] of [
    ['http://a.io/x', true],
    ['/relative', true],
    ['1,2', true],
    ['http://a/b,http://c/d', true],
    ['android-app://x', false],
    ['not a url', false],
    ['http://u@a.io/', false],
    ['http://a.io/#f', false],
    ['about:blank', false],
  ] as const) {
    t.equal(mutate(['referer', value]).headers.has('referer'), stays, `referer: ${value}`);
  }
  t.same(
    mutate([
      'connection',
      'X-Hop, te , close,',
      'x-hop',
      '1',
      'te',
      'trailers',
      'keep-alive',
      'x',
      'x-stay',
      '1',
    ]).headers.raw.slice(0, 4),
    ['te', 'trailers', 'x-stay', '1'],
  );
  t.same(mutate(['x-envoy-max-retries', '9', 'x-envoy-foo', '1', 'x-request-id', 'mine']).headers.raw.slice(0, 4), [
    'x-envoy-foo',
    '1',
    'x-request-id',
    'uuid',
  ]);
  t.equal(mutate(['x-forwarded-client-cert', 'By=x']).headers.has('x-forwarded-client-cert'), false);
  t.equal(
    mutate(['x-forwarded-client-cert', 'By=x'], { forward_client_cert_details: 'ALWAYS_FORWARD_ONLY' }).headers.get(
      'x-forwarded-client-cert',
    ),
    'By=x',
  );

  const upgrade = (...raw: string[]) => requestedUpgrade(head(raw));
  t.equal(upgrade('connection', 'keep-alive, Upgrade', 'upgrade', 'WebSocket'), 'WebSocket');
  t.equal(upgrade('connection', 'upgrade'), undefined);
  t.equal(upgrade('upgrade', 'websocket'), undefined);
  t.equal(upgrade('connection', 'upgrade, http2-settings', 'upgrade', 'h2c'), undefined);
  t.equal(upgrade('connection', 'upgrade', 'upgrade', ''), '');
  t.end();
});

t.test('HTTP/1 heads', (t) => {
  const long = (n: number) => Array.from({ length: n }, (_, i) => [`x-${i}`, '1']).flat();
  const rows: [want: string, target: string, rawHeaders?: string[], method?: string, isTls?: boolean][] = [
    ['a.io /x', '/x'],
    ['a.io /?q', 'http://a.io/?q', ['host', 'b.io']],
    ['A.io:80 /', 'HTTP://u:p@A.io:80', []],
    ['a.io ?x=1', 'http://a.io?x=1'],
    ['a.io *', '*', ['host', 'a.io'], 'OPTIONS'],
    ['undefined /', '/', []],
    [' /', '/', ['Host', '']],
    ['a,b /', '/', ['host', 'a', 'Host', 'b']],
    ['a.io:443 undefined', 'a.io:443', ['host', 'x'], 'CONNECT'],
    ['http1.invalid_url', '*'],
    ['http1.invalid_url', 'http:///p'],
    ['http1.invalid_url', '/x', ['host', 'a'], 'CONNECT'],
    ['http1.invalid_url', 'host', ['host', 'a'], 'CONNECT'],
    ['http1.invalid_scheme', 'ftp://a.io/'],
    ['http1.https_url_on_plaintext_connection', 'https://a.io/'],
    ['a.io /', 'https://a.io/', ['host', 'a'], 'GET', true],
    ['http1.codec_error', 'foo'],
    ['http1.codec_error', '?a'],
    ['http1.codec_error', '#x'],
    ['http1.codec_error', '/a b'],
    ['http1.codec_error', '/\xe4'],
    ['http1.invalid_characters', '/\x7f'],
    ['http1.codec_error', '/', ['host', 'a'], 'get'],
    ['http1.codec_error', '/', ['host', 'a'], 'BREW'],
    ['a /', '/', ['host', 'a'], 'PURGE'],
    ['http.invalid_authority', '/', ['host', 'a b']],
    ['http.invalid_authority', '/', ['host', 'a/b']],
    ['u@a%,_*:abc /', '/', ['host', 'u@a%,_*:abc']],
    ['http1.too_many_headers', '/', ['host', 'a', ...long(100)]],
    ['a /', '/', ['host', 'a', ...long(99)]],
    ['http1.headers_too_large', '/', ['host', 'a', 'x', 'y'.repeat(62_000)]],
    ['http1.content_length_and_chunked_not_allowed', '/', ['content-length', '1', 'transfer-encoding', 'chunked']],
    ['http1.codec_error', '/', ['content-length', '5', 'content-length', '5']],
    ['http1.codec_error', '/', ['content-length', '+5']],
    ['http1.codec_error', '/', ['content-length', '']],
    ['a /', '/', ['host', 'a', 'content-length', '002']],
    ['http1.invalid_transfer_encoding', '/', ['transfer-encoding', 'gzip, chunked']],
    ['a /', '/', ['host', 'a', 'transfer-encoding', 'CHUNKED']],
    ['http1.body_disallowed', 'a:1', ['content-length', '2'], 'CONNECT'],
    ['http1.codec_error', '/', ['a b', '1']],
    ['http1.codec_error', '/', ['', '1']],
    ['http1.invalid_characters', '/', ['a', 'x\x00y']],
    ['a /', '/', ['host', 'a', 'x', 'a\tb\xe4']],
    ['http1.connection_header_rejected', '/', ['connection', 'x-forwarded-for']],
    ['http1.connection_header_rejected', '/', ['connection', 'a,b,c,d,e,f,g,h,i,j']],
    ['http1.connection_header_rejected', '/', ['connection', ':path']],
  ];
  for (const [want, target, rawHeaders = ['host', 'a.io'], method = 'GET', isTls = false] of rows) {
    const got = checkHttp1Head({ method, target, rawHeaders, isTls }, undefined);
    t.equal(
      got.kind === 'head' ? `${got.authority} ${got.path}` : got.reply.details,
      want,
      `${method} ${target.slice(0, 40)} ${rawHeaders.slice(0, 4).join(' ').slice(0, 60)}`,
    );
  }
  const strict = checkHttp1Head(
    { method: 'GET', target: '/', rawHeaders: ['x_a', '1'], isTls: false },
    { headers_with_underscores_action: 'REJECT_REQUEST' },
  );
  t.equal(strict.kind === 'error' && strict.reply.details, 'http1.unexpected_underscore');
  t.end();
});

t.test('redirects', (t) => {
  const rows: [action: RedirectAction, want: string, options?: HeadOptions, proto?: string][] = [
    [{ scheme_redirect: 'https' }, 'https://a.io/x?y=1'],
    [{ scheme_redirect: 'https' }, 'https://a.io:8080/x', { authority: 'a.io:8080', path: '/x' }],
    [{ scheme_redirect: 'https', port_redirect: 8443 }, 'https://a.io:8443/x', { authority: 'a.io:8080', path: '/x' }],
    [{ path_redirect: '/new' }, 'http://a.io/new?y=1'],
    [{ path_redirect: '/new?z=2' }, 'http://a.io/new?z=2'],
    [{ path_redirect: 'new' }, 'http://a.io/new', { path: '/old' }],
    [{ path_redirect: '/new#top' }, 'http://a.io/new#top?y=1'],
    [{ host_redirect: 'b.io' }, 'http://b.io/x?y=1', { authority: 'a.io:8080' }],
    [{ host_redirect: 'b.io:81', port_redirect: 82 }, 'http://b.io:81:82/x?y=1'],
    [{ scheme_redirect: 'https' }, 'https://a.io/x', { authority: 'a.io:80', path: '/x' }],
    [{ scheme_redirect: 'https' }, 'https://a.io:443/x', { authority: 'a.io:443', path: '/x' }],
    [{ scheme_redirect: 'http' }, 'http://a.io/x', { authority: 'a.io:443', path: '/x', tls: true }, 'https'],
    [{ scheme_redirect: 'https' }, 'https://[::1]/x', { authority: '[::1]:80', path: '/x' }],
    [{ scheme_redirect: 'https' }, 'https://[::1]/x', { authority: '[::1]', path: '/x' }],
    [{}, 'http://a.io/x?y=1'],
  ];
  for (const [action, want, options, proto = 'http'] of rows) {
    const request = head(['x-forwarded-proto', proto], { scheme: proto, ...options });
    t.equal(redirectLocation(request, action), want, JSON.stringify([action, options]));
  }
  t.end();
});

t.test('rewrites', (t) => {
  const rows: [match: RouteMatch, rewrite: string, sent: string, want: string][] = [
    [{ prefix: '/api' }, '/', '/api/users?x=1', '//users?x=1'],
    [{ prefix: '/api' }, '/', '/api?x=1', '/?x=1'],
    [{ prefix: '/api/' }, '/', '/api/users', '/users'],
    [{ prefix: '/api' }, '/v1', '/apiary', '/v1ary'],
    [{ prefix: '/' }, '/v1', '/foo', '/v1foo'],
    [{ safe_regex: { regex: '/a/.*' } }, '/b', '/a/x?q', '/b?q'],
    [{ path: '/a' }, '/b/c', '/a?q', '/b/c?q'],
    [{ path: '/q' }, '/find?x=1', '/q?a=1', '/find?x=1?a=1'],
    [{ prefix: '/old/' }, 'bare', '/old/1', 'bare1'],
  ];
  for (const [match, rewrite, sent, want] of rows) {
    t.equal(
      compileRewrite(match, { prefix_rewrite: rewrite })?.(sent),
      want,
      `${JSON.stringify(match)} ${rewrite} ${sent}`,
    );
  }
  const regex = (pattern: string, substitution: string, path: string) =>
    compileRewrite({ prefix: '/' }, { regex_rewrite: { pattern: { regex: pattern }, substitution } })?.(path);
  t.equal(regex('^/svc/([^/]+)(/.*)$', '/x\\2/\\1', '/svc/a/b/c?q=1'), '/x/b/c/a?q=1');
  t.equal(regex('a', 'b', '/a/banana'), '/b/bbnbnb');
  t.equal(regex('/a(.)b', '', '/a.b'), undefined, 'nothing left: no rewrite');
  t.equal(regex('/a(.)b', '', '/a.b?x=1'), undefined);
  t.equal(regex('/none', '', '/a'), '/a', 'nothing replaced: a rewrite all the same');
  t.equal(compileRewrite({ prefix: '/' }, {}), undefined);
  t.end();
});

t.test('operators', (t) => {
  const facts: OperatorFacts = {
    request: head(['x-in', 'one', 'x-in', 'two'], { scheme: 'http' }),
    response: { status: 503, headers: new HeaderMap(['x-out', 'o']) },
    state: { ...UNANSWERED, flags: 'DI,FI', upstreamHost: '10.0.0.1:80' },
    routeName: 'r',
    cluster: 'outbound|80||web',
  };
  const rows: [value: string, want: string | undefined][] = [
    ['plain {x} $1', 'plain {x} $1'],
    ['100%% %%REQ(x-in)%%', '100% %REQ(x-in)%'],
    ['a-%REQ(x-in)%-%REQ(x-no)%-z', 'a-one--z'],
    ['%REQ(x-no?X-IN)%', 'one'],
    ['%REQ(:method)% %REQ(:authority)% %REQ(:path)% %REQ(:scheme)%', 'GET a.io /x?y=1 http'],
    ['%RESP(x-out)%%RESP(:status)%', 'o503'],
    ['%UPSTREAM_CLUSTER%', 'outbound|80||web;'],
    ['%UPSTREAM_HOST%', '10.0.0.1:80'],
    ['%RESPONSE_FLAGS%', 'DI,FI'],
    ['%DOWNSTREAM_REMOTE_ADDRESS% %DOWNSTREAM_LOCAL_PORT%', '203.0.113.7:51000 8080'],
    ['%ENVIRONMENT(X)%', '-'],
    ['%DYNAMIC_METADATA(a:b)%', ''],
    ['%DOWNSTREAM_PEER_SUBJECT%', ''],
    ['%START_TIME(%Y-%m-%d)%', '1970-01-01'],
    ['%START_TIME%', '1970-01-01T00:00:00.000Z'],
    ['%FOO%', undefined],
    ['%REQ()%', undefined],
    ['%REQ%', undefined],
  ];
  for (const [value, want] of rows) t.equal(compileHeaderFormat(value)?.render(facts), want, value);
  t.equal(formatTime(1_700_000_000_123, '%H:%M:%S.%3f %s %E3S %%'), '22:13:20.123 1700000000 20.123 %');
  t.end();
});

t.test('header operations', (t) => {
  const facts: OperatorFacts = { request: head(), response: undefined, state: UNANSWERED, routeName: '', cluster: '' };
  const set = (key: string, value: string): HeaderValueOption => ({
    header: { key, value },
    append_action: 'OVERWRITE_IF_EXISTS_OR_ADD',
  });
  const add = (key: string, value: string): HeaderValueOption => ({ header: { key, value } });
  const apply = (start: readonly string[], toAdd: readonly HeaderValueOption[], toRemove: readonly string[] = []) => {
    const request = head(start);
    const operations = HeaderOperations.compile(toAdd, toRemove);
    if (operations === undefined || operations === 'refused') return operations;
    operations.apply(request.headers, { ...facts, request }, isInlineRequestHeader);
    return request.headers.raw;
  };
  t.same(apply(['a', '1', 'b', '2'], [set('A', 'x')]), ['b', '2', 'a', 'x'], 'a set moves to the end');
  t.same(apply(['a', '1'], [add('a', '2')]), ['a', '1', 'a', '2']);
  t.same(
    apply(['accept', 'x', 'b', '1'], [add('accept', 'y')]),
    ['accept', 'x,y', 'b', '1'],
    'single-valued ones are joined',
  );
  t.same(apply(['a', '1'], [set('a', '')]), ['a', '1'], 'an empty value is no operation');
  t.same(apply(['a', '1'], [add('a', '2')], ['a']), ['a', '2'], 'removes come first');
  t.same(
    apply(['a', 'A'], [set('a', '1%REQ(a)%'), set('b', '%REQ(a)%')]),
    ['a', '1A', 'b', 'A'],
    'values see the state before the sets',
  );
  t.same(apply(['a', '1'], [add('a', 'add'), set('a', 'set')]), ['a', 'set', 'a', 'add'], 'sets before adds');
  t.equal(apply([], []), undefined);
  t.equal(apply([], [set('a', '%NOPE%')]), 'refused');
  t.end();
});

t.test('CORS', (t) => {
  const filter = new CorsFilter(
    {
      allow_origin_string_match: [{ exact: 'https://a.io' }],
      allow_methods: '*',
      allow_headers: '*',
      max_age: '5',
      expose_headers: 'x',
      allow_credentials: true,
    },
    compileStringMatcher,
  );
  const names = (headers: readonly (readonly [string, string])[]) =>
    headers.map(([name, value]) => `${name.slice(15)}=${value}`).join(' ');
  const ask = (method: string, ...raw: string[]) => {
    const outcome = filter.decide(method, new HeaderMap(raw));
    if (outcome.kind === 'preflight') return `preflight ${names(outcome.headers)}`;
    return outcome.kind === 'request' ? `request ${names(outcome.responseHeaders)}` : 'inactive';
  };
  t.equal(ask('GET'), 'inactive');
  t.equal(ask('GET', 'origin', ''), 'inactive');
  t.equal(ask('GET', 'origin', 'https://b.io'), 'inactive');
  t.equal(
    ask('GET', 'origin', 'https://a.io'),
    'request allow-origin=https://a.io allow-credentials=true expose-headers=x',
  );
  t.equal(ask('OPTIONS', 'origin', 'https://b.io', 'access-control-request-method', 'PUT'), 'inactive');
  t.equal(
    ask('OPTIONS', 'origin', 'https://a.io', 'access-control-request-method', 'PUT'),
    'preflight allow-origin=https://a.io allow-credentials=true allow-methods=PUT allow-headers= max-age=5 expose-headers=x',
  );
  const ignoring = new CorsFilter(
    { allow_origin_string_match: [{ exact: '*' }], allow_methods: 'GET,*', forward_not_matching_preflights: false },
    compileStringMatcher,
  );
  t.same(ignoring.decide('OPTIONS', new HeaderMap(['origin', 'x', 'access-control-request-method', 'PUT'])), {
    kind: 'preflight',
    headers: [
      ['access-control-allow-origin', 'x'],
      ['access-control-allow-methods', 'GET,*'],
    ],
  });
  t.end();
});

t.test('hashes', (t) => {
  const hash = (policies: Parameters<typeof computeHash>[0], request: RequestHead) => computeHash(policies, request);
  const key = { header: { header_name: 'x-key' } };
  t.equal(hash([key], head()).hash, undefined, 'no header, no hash');
  t.equal(hash([key], head(['x-key', ''])).hash, 0xef46db3751d8e999n, 'an empty value is hashed');
  t.equal(
    hash([key], head(['x-key', 'b', 'x-key', 'a'])).hash,
    hash([key], head(['x-key', 'a', 'x-key', 'b'])).hash,
    'lines are sorted',
  );
  t.not(
    hash([key, key], head(['x-key', 'a'])).hash,
    hash([key], head(['x-key', 'a'])).hash,
    'equal policies do not cancel out',
  );
  t.same(hash([{ cookie: { name: 'user', ttl: '90s', path: '/shop' } }], head()).setCookies, [
    'user="3b98ddc8b6862b65"; Max-Age=90; Path=/shop; HttpOnly',
  ]);
  t.same(
    hash(
      [
        {
          cookie: { name: 'u', ttl: '1.500s', attributes: [{ name: 'SameSite', value: 'Strict' }, { name: 'Secure' }] },
        },
      ],
      head(),
    ).setCookies,
    ['u="3b98ddc8b6862b65"; Max-Age=1; SameSite=Strict; Secure; HttpOnly'],
  );
  t.same(hash([{ cookie: { name: 'u', ttl: '0s' } }], head()).setCookies, ['u="3b98ddc8b6862b65"; HttpOnly']);
  t.equal(hash([{ cookie: { name: 'u' } }], head()).hash, undefined);
  t.equal(
    hash([{ cookie: { name: 'u', ttl: '0s' } }], head(['cookie', 'x=1; u="v"; u=w'])).hash,
    hash([key], head(['x-key', 'v'])).hash,
  );
  t.equal(hash([{ query_parameter: { name: 'y' } }], head()).hash, hash([key], head(['x-key', '1'])).hash);
  t.equal(
    hash([{ connection_properties: { source_ip: true } }], head()).hash,
    hash([key], head(['x-key', '203.0.113.7'])).hash,
  );
  t.end();
});

t.test('timeouts and gRPC', (t) => {
  for (const [text, want] of [
    ['250m', 250],
    ['250000u', 250],
    ['1S', 1000],
    ['2M', 120_000],
    ['1u', 1],
    ['1', undefined],
    ['123456789m', undefined],
    ['-1S', undefined],
  ] as const) {
    t.equal(parseGrpcTimeout(text), want, text);
  }
  t.equal(encodeGrpcMessage('a~%\xe4\n'), 'a%7E%25%E4%0A');
  const ask = (timeout: string, grpc: string | undefined, perTry?: string) => {
    const policy: RetryPolicy | undefined =
      perTry === undefined ? undefined : { retry_on: '', num_retries: 1, per_try_timeout: perTry };
    const timeouts = compileTimeouts({
      timeout,
      max_grpc_timeout: timeout,
      ...(policy === undefined ? {} : { retry_policy: policy }),
    });
    const headers = new HeaderMap(grpc === undefined ? [] : ['grpc-timeout', grpc]);
    const isGrpc = grpc !== undefined;
    const total = requestTimeout(timeouts, isGrpc, headers);
    writeExpectedTimeout(headers, timeouts, isGrpc, total);
    return [total, headers.get('x-envoy-expected-rq-timeout-ms'), headers.get('grpc-timeout')];
  };
  t.same(ask('0s', undefined), [0, undefined, undefined]);
  t.same(ask('0s', '250m'), [250, '250', '250m']);
  t.same(ask('0s', '0m'), [0, undefined, '0m']);
  t.same(ask('0.300s', '20S'), [300, '300', '300m']);
  t.same(ask('0.300s', '100000u'), [100, '100', '100m']);
  t.same(ask('2s', undefined, '1s'), [2000, '1000', undefined]);
  t.end();
});

t.test('local replies', (t) => {
  const lengths: [reason: replies.UpstreamResetReason, once: number, retried: number][] = [
    ['remote_connection_failure', 98, 121],
    ['local_connection_failure', 97, 120],
    ['connection_timeout', 91, 114],
    ['connection_termination', 95, 118],
    ['overflow', 81, 104],
    ['protocol_error', 87, 110],
    ['remote_reset', 85, 108],
    ['remote_refused_stream_reset', 100, 123],
    ['local_reset', 84, 107],
    ['local_refused_stream_reset', 99, 122],
  ];
  for (const [reason, once, retried] of lengths) {
    t.equal(replies.upstreamReset(reason, false, '').body.length, once, reason);
    t.equal(replies.upstreamReset(reason, true, '').body.length, retried, `${reason}, retried`);
  }
  t.equal(
    replies.upstreamReset('remote_connection_failure', false, 'delayed connect error: Connection refused').details,
    'upstream_reset_before_response_started{remote_connection_failure|delayed_connect_error:_Connection_refused}',
  );
  t.equal(replies.upstreamReset('protocol_error', false, '').status, 502);

  const render = (reply: replies.LocalReply, facts: Partial<ReplyFacts> = {}, close = false) => {
    const rendered = renderLocalReply(reply, {
      facts: { ...UNKNOWN_REQUEST, ...facts },
      date: 'D',
      manager: MANAGER,
      close,
      route: undefined,
    });
    const { raw } = rendered.headers;
    const headers = raw.flatMap((name, i) => (i % 2 === 0 ? [`${name}=${raw[i + 1]}`] : []));
    return `${rendered.status} ${headers.join(' ')} ${rendered.body?.length ?? 'no body'}`;
  };
  const UH = replies.NO_HEALTHY_UPSTREAM;
  t.equal(render(replies.ROUTE_NOT_FOUND), '404 date=D server=istio-envoy content-length=0 no body');
  t.equal(
    render(replies.ROUTE_NOT_FOUND, { isHead: true }),
    '404 date=D server=istio-envoy transfer-encoding=chunked no body',
  );
  t.equal(render(replies.ROUTE_NOT_FOUND, { protocol: 'HTTP/2' }), '404 date=D server=istio-envoy no body');
  t.equal(
    render(replies.ROUTE_NOT_FOUND, { hasBody: true }),
    '404 date=D server=istio-envoy connection=close content-length=0 no body',
  );
  t.equal(
    render(replies.ROUTE_NOT_FOUND, { isUpgrade: true }),
    '404 date=D server=istio-envoy connection=close content-length=0 no body',
  );
  t.equal(render(replies.MISSING_HOST), '400 date=D server=istio-envoy connection=close content-length=0 no body');
  t.equal(
    render(replies.MISSING_HOST, { isGrpc: true }),
    '200 content-type=application/grpc grpc-status=13 date=D server=istio-envoy connection=close content-length=0 no body',
  );
  t.equal(render(UH), '503 content-length=19 content-type=text/plain date=D server=istio-envoy 19');
  t.equal(
    render(UH, { isHead: true }),
    '503 content-length=19 content-type=text/plain date=D server=istio-envoy no body',
  );
  t.equal(
    render(UH, {}, true),
    '503 content-length=19 content-type=text/plain date=D server=istio-envoy connection=close 19',
  );
  t.equal(
    render(UH, { isGrpc: true, protocol: 'HTTP/2' }),
    '200 content-type=application/grpc grpc-status=14 grpc-message=no healthy upstream date=D server=istio-envoy no body',
  );
  t.equal(
    render(UH, { isGrpc: true, isHead: true, protocol: 'HTTP/2' }),
    '200 content-type=application/grpc grpc-status=14 date=D server=istio-envoy no body',
  );
  t.equal(
    render(UH, { isGrpc: true }),
    '200 content-type=application/grpc grpc-status=14 grpc-message=no healthy upstream date=D server=istio-envoy content-length=0 no body',
  );
  t.equal(
    render(UH, { grpcWeb: 'text' }),
    '503 content-type=application/grpc-web-text+proto grpc-message=no healthy upstream grpc-status=14 content-length=0 date=D server=istio-envoy no body',
  );
  t.equal(
    render(replies.faultAbort(200, 5), { isGrpc: true, protocol: 'HTTP/2' }),
    '200 content-type=application/grpc grpc-status=5 grpc-message=fault filter abort date=D server=istio-envoy no body',
  );
  t.equal(
    render(replies.redirectReply(301, 'L'), { isGrpc: true, protocol: 'HTTP/2' }),
    '200 location=L content-type=application/grpc grpc-status=2 date=D server=istio-envoy no body',
  );
  t.equal(render(replies.directResponse(204, '', undefined)), '204 date=D server=istio-envoy no body');
  t.equal(
    render(replies.directResponse(204, 'x', undefined)),
    '204 content-length=1 content-type=text/plain date=D server=istio-envoy 1',
  );
  t.equal(
    render(replies.codecError('http1.codec_error'), { isGrpc: true }),
    '400 content-length=11 content-type=text/plain date=D server=istio-envoy connection=close 11',
  );
  t.equal(
    render(replies.codecError('low_version')),
    '426 content-length=16 content-type=text/plain date=D server=istio-envoy connection=close 16',
  );
  t.equal(
    render(replies.upstreamReset('overflow', false, '')),
    '503 x-envoy-overloaded=true content-length=81 content-type=text/plain date=D server=istio-envoy 81',
  );
  t.end();
});

t.test('responses of upstreams', (t) => {
  const apply = (raw: readonly string[], status = 200, isUpgrade = false) => {
    const headers = new HeaderMap([...raw]);
    applyResponseRules(headers, status, {
      request: head(),
      rules: { ...NO_RESPONSE_RULES, setCookies: ['c=1'] },
      state: UNANSWERED,
      serviceTime: isUpgrade ? undefined : 7,
      date: 'D',
      manager: MANAGER,
      close: false,
      isUpgrade,
    });
    return headers.raw;
  };
  t.same(
    apply([
      'server',
      'nginx',
      'connection',
      'x-a',
      'x-a',
      '1',
      'transfer-encoding',
      'chunked',
      'x-envoy-decorator-operation',
      'd',
    ]),
    ['server', 'istio-envoy', 'x-a', '1', 'x-envoy-upstream-service-time', '7', 'set-cookie', 'c=1', 'date', 'D'],
  );
  t.same(apply(['date', 'odd', 'x-envoy-upstream-service-time', '99', 'a', '1']), [
    'date',
    'odd',
    'x-envoy-upstream-service-time',
    '7',
    'a',
    '1',
    'set-cookie',
    'c=1',
    'server',
    'istio-envoy',
  ]);
  t.same(apply(['upgrade', 'websocket', 'connection', 'Upgrade'], 101, true).slice(0, 4), [
    'upgrade',
    'websocket',
    'connection',
    'Upgrade',
  ]);
  t.equal(apply(['upgrade', 'websocket'], 200, true).includes('upgrade'), false);
  t.end();
});

t.test('retries', (t) => {
  const policy = (retry_on: string, codes?: readonly number[]) =>
    compileRetryPolicy({ retry_on, num_retries: 2, ...(codes === undefined ? {} : { retriable_status_codes: codes }) });
  const standard = policy('connect-failure,refused-stream,unavailable,cancelled,retriable-status-codes');
  const none = new HeaderMap([]);
  const resets: [on: string, reason: Parameters<typeof coversReset>[1], started: boolean, want: boolean][] = [
    ['connect-failure', 'remote_connection_failure', false, true],
    ['connect-failure', 'connection_timeout', false, true],
    ['connect-failure', 'connection_termination', true, false],
    ['refused-stream', 'remote_refused_stream_reset', true, true],
    ['refused-stream', 'remote_reset', true, false],
    ['reset-before-request', 'connection_termination', false, true],
    ['reset-before-request', 'connection_termination', true, false],
    ['reset', 'timeout', true, true],
    ['connect-failure,reset-before-request', 'timeout', false, false],
    ['5xx', 'protocol_error', true, true],
    ['gateway-error', 'connection_termination', true, true],
    ['5xx,reset', 'overflow', false, false],
  ];
  for (const [on, reason, started, want] of resets)
    t.equal(coversReset(policy(on), reason, started), want, `${on}: ${reason}`);
  t.equal(coversResponse(standard, 503, none), false, 'an answered 503 is not retried by default');
  t.equal(coversResponse(standard, 200, new HeaderMap(['grpc-status', '14'])), true);
  t.equal(coversResponse(standard, 200, new HeaderMap(['grpc-status', '13'])), false);
  t.equal(coversResponse(policy('retriable-status-codes', [200]), 200, none), true);
  t.equal(coversResponse(policy('gateway-error'), 500, none), false);
  t.equal(coversResponse(policy('5xx'), 500, none), true);
  t.equal(coversResponse(policy('retriable-4xx'), 409, none), true);
  t.equal(coversResponse(policy('5xx'), 503, new HeaderMap(['x-envoy-ratelimited', 'true'])), false);
  t.equal(coversResponse(policy('envoy-ratelimited'), 429, new HeaderMap(['x-envoy-ratelimited', 'true'])), true);
  t.same(
    [1, 2, 3, 4, 5, 6].map((n) => backOff(standard, n, () => 1)),
    [25, 50, 100, 200, 250, 250],
  );
  const slow = compileRetryPolicy({
    retry_on: '',
    num_retries: 1,
    retry_back_off: { base_interval: '0.100s', max_interval: '0.150s' },
  });
  t.same(
    [1, 2].map((n) => backOff(slow, n, () => 0.5)),
    [50, 75],
  );
  t.end();
});

t.test('gRPC-Web', (t) => {
  t.equal(grpcWebFormat('application/grpc-web', undefined), 'binary');
  t.equal(grpcWebFormat('application/grpc-web-text+proto', 'application/grpc-web-text'), 'text');
  t.equal(grpcWebFormat('application/grpc-web-text', 'application/grpc-web-text+proto'), 'binary');
  t.equal(grpcWebFormat('application/grpc', undefined), undefined);
  t.equal(isGrpcWebText('application/grpc-web-text'), true);
  t.equal(isGrpcWebText('application/grpc-web+proto'), false);

  const message = Buffer.from('0000000003616263', 'hex');
  const text = new GrpcWebResponse('text');
  t.equal(text.encode(message.subarray(0, 3)).length, 0, 'an incomplete frame waits');
  t.equal(String(text.encode(message.subarray(3))), 'AAAAAANhYmM=');
  t.equal(String(text.encodeTrailers(['grpc-status', '0'])), 'gAAAAA9ncnBjLXN0YXR1czowDQo=');
  const binary = new GrpcWebResponse('binary');
  t.same(binary.encode(message), message);
  t.equal(binary.encodeTrailers(['grpc-status', '0']).toString('latin1'), '\x80\0\0\0\x0fgrpc-status:0\r\n');
  const headers = new HeaderMap(['content-type', 'application/grpc', 'content-length', '3']);
  binary.changeHeaders(headers, false);
  t.same(headers.raw, ['content-type', 'application/grpc-web+proto']);

  t.equal(isPlainResponse(new HeaderMap(['content-type', 'text/plain']), false), true);
  t.equal(isPlainResponse(new HeaderMap(['content-type', 'application/grpc']), false), false);
  t.equal(isPlainResponse(new HeaderMap([]), true), false);
  const plain = new HeaderMap(['content-type', 'text/plain', 'content-length', '4']);
  binary.changePlainHeaders(plain, 200, Buffer.from('web\n'));
  t.same(plain.raw, [
    'content-type',
    'application/grpc-web+proto',
    'grpc-message',
    'web%0A',
    'grpc-status',
    '2',
    'content-length',
    '0',
  ]);

  const sent = Buffer.from('AAAAAANhYmM=AAAAAAA=');
  for (let n = 0; n <= sent.length; n++) {
    const decoder = new GrpcWebTextDecoder();
    const parts = [decoder.push(sent.subarray(0, n)), decoder.push(sent.subarray(n))];
    const whole = Buffer.concat(parts.map((part) => (part === 'malformed' ? Buffer.from('?') : part)));
    if (whole.toString('hex') !== '00000000036162630000000000' || !decoder.isComplete())
      t.fail(`cut at ${n}: ${whole.toString('hex')}`);
  }
  t.equal(new GrpcWebTextDecoder().push(Buffer.from('!!!!')), 'malformed');
  t.equal(new GrpcWebTextDecoder().push(Buffer.from('AA=A')), 'malformed');
  const short = new GrpcWebTextDecoder();
  short.push(Buffer.from('AAA'));
  t.equal(short.isComplete(), false);
  t.end();
});

t.test('percentages', (t) => {
  t.equal(fires(undefined, 0), false);
  t.equal(fires({}, 0), false);
  t.equal(fires({ numerator: 100 }, 0.999), true);
  t.equal(fires({ numerator: 5000, denominator: 'MILLION' }, 0.00499), true);
  t.equal(fires({ numerator: 5000, denominator: 'MILLION' }, 0.005), false);
  t.end();
});
