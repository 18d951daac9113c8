// HTTP/1 downstream and upstream with every byte visible (spec dataplane.md §3, §5).
import t from 'tap';
import type { HttpConnectionManager, Route } from '../../../src/xds/index.js';
import {
  RawClient,
  routeTo,
  startHttpGateway,
  startRawUpstream,
  type TestGateway,
} from '../../support/http-gateway.js';

const DATE = 'date: <date>';

/** Heads differ in dates, ids and milliseconds only. */
function masked(text: string): string {
  return text
    .replace(/date: [^\r\n]+ GMT/g, DATE)
    .replace(/x-request-id: [0-9a-f-]{36}/g, 'x-request-id: <uuid>')
    .replace(/x-envoy-upstream-service-time: \d+/g, 'x-envoy-upstream-service-time: <ms>');
}

/** Turns of the event loop until the condition holds; half a second at most. */
async function settle(condition: () => boolean): Promise<void> {
  const end = performance.now() + 500;
  while (!condition() && performance.now() < end) await new Promise((resolve) => setImmediate(resolve));
}

interface Exchange {
  readonly name: string;
  /** Bytes of the client. */
  readonly send: string;
  /** What the upstream answers each request with; default a plain 200. */
  readonly answer?: string;
  /** Bytes that reach the client, masked, when everything is quiet. */
  readonly receive?: string;
  /** Bytes that reach the upstream, masked. */
  readonly upstream?: string;
  /** `status flags details bytesReceived bytesSent` of each log line. */
  readonly log?: readonly string[];
  readonly closed?: boolean;
  /** The client leaves once its bytes are out. */
  readonly abandon?: boolean;
  readonly manager?: Partial<HttpConnectionManager>;
  readonly routes?: readonly Route[];
}

const OK = 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok';

async function check(exchange: Exchange): Promise<void> {
  await t.test(exchange.name, async (t) => {
    const upstream = await startRawUpstream((socket) => socket.write(exchange.answer ?? OK, 'latin1'));
    const gateway = await startHttpGateway({
      routes: exchange.routes ?? [routeTo('web')],
      clusters: [
        { name: 'web', ports: [upstream.port] },
        { name: 'empty', ports: [] },
      ],
      ...(exchange.manager === undefined ? {} : { manager: exchange.manager }),
    });
    const client = new RawClient(gateway.port);
    client.send(exchange.send);
    if (exchange.abandon) client.socket.end();
    try {
      if (exchange.receive !== undefined) {
        const want = exchange.receive;
        await client.until((text) => masked(text).length >= want.length || client.closed !== 'no').catch(() => {});
        t.equal(masked(client.received), want, 'client');
      }
      if (exchange.log !== undefined) {
        const log = await gateway.logged(exchange.log.length);
        t.same(
          log.map(
            (info) =>
              `${info.status} ${info.flags.join(',') || '-'} ${info.details} ${info.bytesReceived} ${info.bytesSent}`,
          ),
          exchange.log,
          'log',
        );
      }
      if (exchange.upstream !== undefined) {
        const { upstream: want } = exchange;
        const received = (): string => masked(upstream.connections.map((connection) => connection.received).join(''));
        await t.resolves(settle(() => received().length >= want.length));
        t.equal(received(), want, 'upstream');
      }
      if (exchange.closed === true) await client.end();
      if (exchange.closed === false) {
        // An end that was sent with the answer would be here by then.
        for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
        t.equal(client.closed, 'no');
      }
    } finally {
      client.destroy();
      await gateway.close();
      await upstream.close();
    }
  });
}

const STAMPS =
  'x-forwarded-for: 127.0.0.2\r\nx-forwarded-proto: http\r\nx-envoy-external-address: 127.0.0.1\r\nx-request-id: <uuid>\r\nx-envoy-attempt-count: 1\r\n';
const REPLY = (more = '') =>
  `HTTP/1.1 200 OK\r\ncontent-length: 2\r\nx-envoy-upstream-service-time: <ms>\r\n${DATE}\r\nserver: istio-envoy\r\n${more}\r\nok`;

const EXCHANGES: readonly Exchange[] = [
  {
    name: 'GET: request line, host first, names lower case, order kept, additions last; keep-alive',
    send: 'GET /x?a=1 HTTP/1.1\r\nX-Foo: 1\r\nHost: a.test:8443\r\nX-foo: 2\r\nAccept: */*\r\n\r\n',
    upstream: `GET /x?a=1 HTTP/1.1\r\nhost: a.test:8443\r\nx-foo: 1\r\nx-foo: 2\r\naccept: */*\r\n${STAMPS}\r\n`,
    receive: REPLY(),
    log: ['200 - via_upstream 0 2'],
    closed: false,
  },
  {
    name: 'POST without a body says content-length: 0 behind everything',
    send: 'POST / HTTP/1.1\r\nHost: a.test\r\n\r\n',
    receive: REPLY(),
    upstream: `POST / HTTP/1.1\r\nhost: a.test\r\n${STAMPS}content-length: 0\r\n\r\n`,
  },
  {
    name: 'a body of GET goes upstream',
    send: 'GET / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 5\r\n\r\nhello',
    receive: REPLY(),
    upstream: `GET / HTTP/1.1\r\nhost: a.test\r\ncontent-length: 5\r\n${STAMPS}\r\nhello`,
    log: ['200 - via_upstream 5 2'],
  },
  {
    name: 'chunked stays chunked; extensions and trailers go',
    send: 'PUT / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\nTrailer: x-t\r\n\r\n3;e=1\r\nabc\r\n0\r\nx-t: 1\r\n\r\n',
    receive: REPLY(),
    upstream: `PUT / HTTP/1.1\r\nhost: a.test\r\ntrailer: x-t\r\n${STAMPS}transfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n`,
    log: ['200 - via_upstream 3 2'],
  },
  {
    name: 'response: hop-by-hop headers go, own server replaced in place, phrase is the standard one',
    send: 'GET / HTTP/1.1\r\nHost: a.test\r\n\r\n',
    answer:
      'HTTP/1.1 404 Nope\r\nServer: mine\r\nX-A: 1\r\nX-A: 2\r\nKeep-Alive: 5\r\nConnection: keep-alive, x-named\r\nX-Named: kept\r\nContent-Length: 2\r\n\r\nok',
    receive: `HTTP/1.1 404 Not Found\r\nserver: istio-envoy\r\nx-a: 1\r\nx-a: 2\r\nx-named: kept\r\ncontent-length: 2\r\nx-envoy-upstream-service-time: <ms>\r\n${DATE}\r\n\r\nok`,
  },
  {
    name: 'close-delimited HTTP/1.0 answer becomes chunked',
    send: 'GET / HTTP/1.1\r\nHost: a.test\r\n\r\n',
    answer: 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nx-trailer: dropped\r\n\r\n',
    receive: `HTTP/1.1 200 OK\r\nx-envoy-upstream-service-time: <ms>\r\n${DATE}\r\nserver: istio-envoy\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n`,
  },
  {
    name: 'HEAD: the length is kept, no body',
    send: 'HEAD / HTTP/1.1\r\nHost: a.test\r\n\r\nHEAD /2 HTTP/1.1\r\nHost: a.test\r\n\r\n',
    answer: 'HTTP/1.1 200 OK\r\ncontent-length: 7\r\n\r\n',
    receive:
      `HTTP/1.1 200 OK\r\ncontent-length: 7\r\nx-envoy-upstream-service-time: <ms>\r\n${DATE}\r\nserver: istio-envoy\r\n\r\n`.repeat(
        2,
      ),
  },
  {
    name: '204 and 304 get no framing',
    send: 'GET / HTTP/1.1\r\nHost: a.test\r\n\r\n',
    answer: 'HTTP/1.1 204 No Content\r\n\r\n',
    receive: `HTTP/1.1 204 No Content\r\nx-envoy-upstream-service-time: <ms>\r\n${DATE}\r\nserver: istio-envoy\r\n\r\n`,
  },
  {
    name: 'unknown status: phrase Unknown',
    send: 'GET / HTTP/1.1\r\nHost: a.test\r\n\r\n',
    answer: 'HTTP/1.1 299\r\ncontent-length: 0\r\n\r\n',
    receive: `HTTP/1.1 299 Unknown\r\ncontent-length: 0\r\nx-envoy-upstream-service-time: <ms>\r\n${DATE}\r\nserver: istio-envoy\r\n\r\n`,
  },
  {
    name: 'connection: close in any case closes, and later requests are ignored',
    send: 'GET / HTTP/1.1\r\nHost: a.test\r\nConnection: x, Close\r\n\r\nGET /ignored HTTP/1.1\r\nHost: a.test\r\n\r\n',
    receive: REPLY('connection: close\r\n'),
    upstream: `GET / HTTP/1.1\r\nhost: a.test\r\n${STAMPS}\r\n`,
    log: ['200 - via_upstream 0 2'],
    closed: true,
  },
  {
    name: 'pipelined requests are answered in order, local replies among them',
    send: 'GET /1 HTTP/1.1\r\nHost: none.test\r\n\r\nGET /2 HTTP/1.1\r\nHost: a.test\r\n\r\nGET /3 HTTP/1.1\r\nHost: none.test\r\n\r\n',
    receive: `HTTP/1.1 404 Not Found\r\n${DATE}\r\nserver: istio-envoy\r\ncontent-length: 0\r\n\r\n${REPLY()}HTTP/1.1 404 Not Found\r\n${DATE}\r\nserver: istio-envoy\r\ncontent-length: 0\r\n\r\n`,
    log: ['404 NR route_not_found 0 0', '200 - via_upstream 0 2', '404 NR route_not_found 0 0'],
  },
  {
    name: 'a third answer behind two that have not left: the connection ends behind those',
    send: 'GET /1 HTTP/1.1\r\nHost: a.test\r\n\r\nGET /2 HTTP/1.1\r\nHost: none.test\r\n\r\nGET /3 HTTP/1.1\r\nHost: a.test\r\n\r\n',
    receive: `${REPLY()}HTTP/1.1 404 Not Found\r\n${DATE}\r\nserver: istio-envoy\r\ncontent-length: 0\r\n\r\n`,
    log: ['200 - via_upstream 0 2', '404 NR route_not_found 0 0', '0 DPE codec_error:Too_many_responses_queued. 0 0'],
    closed: true,
  },
  {
    name: '404 to a request with a body closes',
    send: 'POST / HTTP/1.1\r\nHost: none.test\r\nContent-Length: 2\r\n\r\nhi',
    receive: `HTTP/1.1 404 Not Found\r\n${DATE}\r\nserver: istio-envoy\r\nconnection: close\r\ncontent-length: 0\r\n\r\n`,
    log: ['404 NR route_not_found 0 0'],
    closed: true,
  },
  {
    name: '404 to HEAD is chunked',
    send: 'HEAD / HTTP/1.1\r\nHost: none.test\r\n\r\n',
    receive: `HTTP/1.1 404 Not Found\r\n${DATE}\r\nserver: istio-envoy\r\ntransfer-encoding: chunked\r\n\r\n`,
    closed: false,
  },
  {
    name: 'no Host: empty 400 of the connection manager, closed',
    send: 'GET / HTTP/1.1\r\n\r\n',
    receive: `HTTP/1.1 400 Bad Request\r\n${DATE}\r\nserver: istio-envoy\r\nconnection: close\r\ncontent-length: 0\r\n\r\n`,
    log: ['400 - missing_host_header 0 0'],
    closed: true,
  },
  {
    name: 'HTTP/1.0: 426 with body',
    send: 'GET / HTTP/1.0\r\nHost: a.test\r\n\r\n',
    receive: `HTTP/1.1 426 Upgrade Required\r\ncontent-length: 16\r\ncontent-type: text/plain\r\n${DATE}\r\nserver: istio-envoy\r\nconnection: close\r\n\r\nUpgrade Required`,
    log: ['426 DPE low_version 0 16'],
    closed: true,
  },
  {
    name: 'garbage: 400 of the codec',
    send: '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03',
    receive: `HTTP/1.1 400 Bad Request\r\ncontent-length: 11\r\ncontent-type: text/plain\r\n${DATE}\r\nserver: istio-envoy\r\nconnection: close\r\n\r\nBad Request`,
    log: ['400 DPE http1.codec_error 0 11'],
    closed: true,
  },
  {
    name: 'two equal lengths: 400',
    send: 'POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nx',
    log: ['400 DPE http1.codec_error 0 11'],
  },
  {
    name: 'length and chunked: 400',
    send: 'POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
    log: ['400 DPE http1.content_length_and_chunked_not_allowed 0 11'],
  },
  {
    name: 'gzip transfer coding: 501',
    send: 'POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n',
    log: ['501 DPE http1.invalid_transfer_encoding 0 15'],
  },
  {
    name: '101 header lines: 431',
    send: `GET / HTTP/1.1\r\nHost: a.test\r\n${'x-a: 1\r\n'.repeat(100)}\r\n`,
    log: ['431 DPE http1.too_many_headers 0 31'],
  },
  {
    name: '100 header lines are fine',
    send: `GET / HTTP/1.1\r\nHost: a.test\r\n${'x-a: 1\r\n'.repeat(99)}\r\n`,
    log: ['200 - via_upstream 0 2'],
  },
  {
    name: 'a head over 60 KiB: 431',
    send: `GET / HTTP/1.1\r\nHost: a.test\r\nx-a: ${'a'.repeat(61_410)}\r\n\r\n`,
    log: ['431 DPE http1.headers_too_large 0 31'],
  },
  {
    name: 'bad chunk in the body before a response: 400, logged with what is known',
    send: 'POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n',
    answer: '',
    receive: `HTTP/1.1 400 Bad Request\r\ncontent-length: 11\r\ncontent-type: text/plain\r\n${DATE}\r\nserver: istio-envoy\r\nconnection: close\r\n\r\nBad Request`,
    log: ['400 DPE http1.codec_error 0 11'],
  },
  {
    name: '100 of the upstream goes through, Expect is forwarded',
    send: 'POST / HTTP/1.1\r\nHost: a.test\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\nhi',
    answer: `HTTP/1.1 100 Continue\r\n\r\n${OK}`,
    receive: `HTTP/1.1 100 Continue\r\n\r\n${REPLY()}`,
    upstream: `POST / HTTP/1.1\r\nhost: a.test\r\nexpect: 100-continue\r\ncontent-length: 2\r\n${STAMPS}\r\nhi`,
  },
  {
    name: 'only the first of 103 and 102 goes through; 199 never',
    send: 'GET / HTTP/1.1\r\nHost: a.test\r\n\r\n',
    answer: `HTTP/1.1 199 X\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n${OK}`,
    receive: `HTTP/1.1 103 Unknown\r\nlink: </a>\r\n\r\n${REPLY()}`,
  },
  {
    name: 'direct response: 204 with a body carries its bytes',
    send: 'GET / HTTP/1.1\r\nHost: a.test\r\n\r\n',
    routes: [{ match: { prefix: '/' }, direct_response: { status: 204, body: { inline_string: 'odd' } } }],
    receive: `HTTP/1.1 204 No Content\r\ncontent-length: 3\r\ncontent-type: text/plain\r\n${DATE}\r\nserver: istio-envoy\r\n\r\nodd`,
    log: ['204 - direct_response 0 3'],
  },
  {
    name: 'websocket, case-insensitive: tunnel with early bytes, then half-close',
    send: 'GET /ws HTTP/1.1\r\nHost: a.test\r\nUpgrade: WebSocket\r\nConnection: keep-alive, Upgrade\r\n\r\nearly',
    answer: 'HTTP/1.1 101 Switching\r\nUpgrade: WebSocket\r\nConnection: Upgrade\r\n\r\nhello',
    receive: `HTTP/1.1 101 Switching Protocols\r\nupgrade: WebSocket\r\nconnection: Upgrade\r\n${DATE}\r\nserver: istio-envoy\r\n\r\nhello`,
    upstream: `GET /ws HTTP/1.1\r\nhost: a.test\r\nupgrade: WebSocket\r\nconnection: keep-alive, Upgrade\r\n${STAMPS}\r\nearly`,
  },
  {
    name: 'another upgrade: 403 and closed',
    send: 'GET / HTTP/1.1\r\nHost: a.test\r\nUpgrade: foo\r\nConnection: Upgrade\r\n\r\n',
    receive: `HTTP/1.1 403 Forbidden\r\n${DATE}\r\nserver: istio-envoy\r\nconnection: close\r\ncontent-length: 0\r\n\r\n`,
    log: ['403 - upgrade_failed 0 0'],
    closed: true,
  },
  {
    name: 'another upgrade on a route that answers itself: without that answer’s headers',
    send: 'GET / HTTP/1.1\r\nHost: a.test\r\nUpgrade: foo\r\nConnection: Upgrade\r\n\r\n',
    routes: [
      {
        match: { prefix: '/' },
        redirect: { path_redirect: '/x' },
        response_headers_to_add: [{ header: { key: 'x-a', value: '1' } }],
      },
    ],
    receive: `HTTP/1.1 403 Forbidden\r\n${DATE}\r\nserver: istio-envoy\r\nconnection: close\r\ncontent-length: 0\r\n\r\n`,
    closed: true,
  },
  {
    name: 'bad chunk in the body: the answer has what the route adds to any',
    send: 'POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\nz\r\n',
    routes: [
      {
        ...routeTo('web'),
        response_headers_to_add: [{ header: { key: 'x-a', value: '%RESPONSE_FLAGS%%RESPONSE_CODE_DETAILS%' } }],
      },
    ],
    answer: '',
    receive: `HTTP/1.1 400 Bad Request\r\nx-a: -http1.codec_error\r\ncontent-length: 11\r\ncontent-type: text/plain\r\n${DATE}\r\nserver: istio-envoy\r\nconnection: close\r\n\r\nBad Request`,
    closed: true,
  },
  {
    name: 'a redirect that rewrites remembers the original path',
    send: 'GET /api?x HTTP/1.1\r\nHost: a.test\r\n\r\n',
    routes: [
      {
        match: { prefix: '/api' },
        redirect: { prefix_rewrite: '/' },
        response_headers_to_add: [{ header: { key: 'x-a', value: '%REQ(X-ENVOY-ORIGINAL-PATH?:PATH)%' } }],
      },
    ],
    receive: `HTTP/1.1 301 Moved Permanently\r\nlocation: http://a.test/?x\r\nx-a: /api?x\r\n${DATE}\r\nserver: istio-envoy\r\ncontent-length: 0\r\n\r\n`,
  },
  {
    name: 'no endpoint, known while the head is read: the connection lingers though the body came along',
    send: 'POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 3\r\n\r\nx=1',
    routes: [routeTo('empty')],
    receive: `HTTP/1.1 503 Service Unavailable\r\ncontent-length: 19\r\ncontent-type: text/plain\r\n${DATE}\r\nserver: istio-envoy\r\nconnection: close\r\n\r\nno healthy upstream`,
    closed: false,
  },
  {
    name: 'no Host, but x-forwarded-proto: the refusal finds a route and has its headers',
    send: 'GET / HTTP/1.1\r\nX-Forwarded-Proto: https\r\n\r\n',
    routes: [{ ...routeTo('web'), response_headers_to_add: [{ header: { key: 'x-a', value: '1' } }] }],
    receive: `HTTP/1.1 400 Bad Request\r\nx-a: 1\r\n${DATE}\r\nserver: istio-envoy\r\nconnection: close\r\ncontent-length: 0\r\n\r\n`,
  },
  {
    name: 'upgrade refused by the upstream with 400: its answer, closed',
    send: 'GET / HTTP/1.1\r\nHost: a.test\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n',
    answer: 'HTTP/1.1 400 No\r\ncontent-length: 2\r\n\r\nno',
    receive: `HTTP/1.1 400 Bad Request\r\ncontent-length: 2\r\n${DATE}\r\nserver: istio-envoy\r\nconnection: close\r\n\r\nno`,
    log: ['400 - via_upstream 0 2'],
    closed: true,
  },
  {
    name: 'upgrade answered with 200: body and its headers vanish',
    send: 'GET / HTTP/1.1\r\nHost: a.test\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n',
    answer: 'HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 2\r\nx-a: 1\r\n\r\nok',
    receive: `HTTP/1.1 200 OK\r\nx-a: 1\r\n${DATE}\r\nserver: istio-envoy\r\nconnection: close\r\ncontent-length: 0\r\n\r\n`,
    log: ['200 - websocket_handshake_unsuccessful 0 0'],
    closed: true,
  },
  {
    name: 'h2c upgrade proceeds as HTTP/1.1',
    send: 'GET / HTTP/1.1\r\nHost: a.test\r\nUpgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AAMA\r\n\r\n',
    upstream: `GET / HTTP/1.1\r\nhost: a.test\r\n${STAMPS}\r\n`,
    log: ['200 - via_upstream 0 2'],
  },
  {
    name: 'Too early an answer: sent, connection closed',
    send: 'POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 100\r\n\r\nhi',
    receive: `HTTP/1.1 200 OK\r\ncontent-length: 2\r\n${DATE}\r\nserver: istio-envoy\r\nconnection: close\r\n\r\nok`,
    log: ['200 - via_upstream 2 2'],
    closed: true,
  },
  {
    name: 'unasked 101 is a final response without upgrade',
    send: 'GET / HTTP/1.1\r\nHost: a.test\r\n\r\n',
    answer: 'HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n',
    receive: `HTTP/1.1 101 Switching Protocols\r\nx-envoy-upstream-service-time: <ms>\r\n${DATE}\r\nserver: istio-envoy\r\n\r\n`,
  },
];

for (const exchange of EXCHANGES) await check(exchange);

const TIMEOUT_REPLY = (line: string, body: string): string =>
  `HTTP/1.1 ${line}\r\ncontent-length: ${body.length}\r\ncontent-type: text/plain\r\n${DATE}\r\nserver: istio-envoy\r\nconnection: close\r\n\r\n${body}`;

for (const exchange of [
  {
    name: 'a request that is not complete within request_timeout: 408',
    send: 'POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 5\r\n\r\nab',
    answer: '',
    manager: { request_timeout: '0.050s' },
    receive: TIMEOUT_REPLY('408 Request Timeout', 'request timeout'),
    log: ['408 - request_overall_timeout 2 15'],
  },
  {
    name: 'an idle stream, request incomplete: 408 SI',
    send: 'POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 5\r\n\r\nab',
    answer: '',
    manager: { stream_idle_timeout: '0.050s' },
    receive: TIMEOUT_REPLY('408 Request Timeout', 'stream timeout'),
    log: ['408 SI stream_idle_timeout 2 14'],
  },
  {
    name: 'an idle stream, request complete: 504 SI',
    send: 'GET / HTTP/1.1\r\nHost: a.test\r\n\r\n',
    answer: '',
    manager: { stream_idle_timeout: '0.050s' },
    log: ['504 SI stream_idle_timeout 0 14'],
    closed: false,
  },
  {
    name: 'an injected delay, then the upstream: DI, in request headers too',
    send: 'GET / HTTP/1.1\r\nHost: a.test\r\n\r\n',
    upstream: `GET / HTTP/1.1\r\nhost: a.test\r\n${STAMPS}x-f: DI\r\n\r\n`,
    routes: [
      {
        ...routeTo('web'),
        request_headers_to_add: [{ header: { key: 'x-f', value: '%RESPONSE_FLAGS%' } }],
        typed_per_filter_config: {
          'envoy.filters.http.fault': { delay: { fixed_delay: '0.020s', percentage: { numerator: 100 } } },
        },
      },
    ],
    receive: REPLY(),
    log: ['200 DI via_upstream 0 2'],
  },
  {
    name: 'an injected delay, then no cluster: the body has been read, so the connection stays',
    send: 'POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 3\r\n\r\nx=1',
    routes: [
      {
        ...routeTo('unknown'),
        typed_per_filter_config: {
          'envoy.filters.http.fault': { delay: { fixed_delay: '0.020s', percentage: { numerator: 100 } } },
        },
      },
    ],
    receive: `HTTP/1.1 503 Service Unavailable\r\n${DATE}\r\nserver: istio-envoy\r\ncontent-length: 0\r\n\r\n`,
    log: ['503 DI,NC cluster_not_found 3 0'],
    closed: false,
  },
  {
    name: 'HTTP/1.0 where it is accepted: answered as such and closed',
    send: 'GET / HTTP/1.0\r\nHost: a.test\r\n\r\n',
    manager: { http_protocol_options: { accept_http_10: true } },
    receive: REPLY('connection: close\r\n').replace('HTTP/1.1', 'HTTP/1.0'),
    closed: true,
  },
  {
    name: 'HTTP/1.0 with keep-alive and a known length',
    send: 'GET / HTTP/1.0\r\nHost: a.test\r\nConnection: keep-alive\r\n\r\n',
    manager: { http_protocol_options: { accept_http_10: true } },
    receive: REPLY('connection: keep-alive\r\n').replace('HTTP/1.1', 'HTTP/1.0'),
    closed: false,
  },
  {
    name: 'HTTP/1.0, unknown length: delimited by the end',
    send: 'GET / HTTP/1.0\r\nHost: a.test\r\nConnection: keep-alive\r\n\r\n',
    answer: 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n',
    manager: { http_protocol_options: { accept_http_10: true } },
    receive: `HTTP/1.0 200 OK\r\nx-envoy-upstream-service-time: <ms>\r\n${DATE}\r\nserver: istio-envoy\r\nconnection: close\r\n\r\nok`,
    closed: true,
  },
  {
    name: 'CONNECT: 404 and closed',
    send: 'CONNECT a.test:443 HTTP/1.1\r\nHost: a.test:443\r\n\r\n',
    log: ['404 NR route_not_found 0 0'],
    closed: true,
  },
  {
    name: 'status of four digits',
    send: 'GET / HTTP/1.1\r\nHost: a.test\r\n\r\n',
    answer: 'HTTP/1.1 2000 X\r\ncontent-length: 0\r\n\r\n',
    receive: `HTTP/1.1 2000 Unknown\r\ncontent-length: 0\r\nx-envoy-upstream-service-time: <ms>\r\n${DATE}\r\nserver: istio-envoy\r\n\r\n`,
  },
  {
    name: 'a head that the client abandons: DC without an answer',
    send: 'GET / HTTP/1.1\r\nHost: a',
    abandon: true,
    log: ['0 DC downstream_remote_disconnect 0 0'],
  },
  {
    name: 'garbage behind a good request: that one is answered first',
    send: 'GET / HTTP/1.1\r\nHost: a.test\r\n\r\n\x00\x01garbage\r\n\r\n',
    log: ['200 - via_upstream 0 2', '400 DPE http1.codec_error 0 11'],
    closed: true,
  },
] satisfies readonly Exchange[]) {
  await check(exchange);
}

await t.test('keep-alive uses one upstream connection; `Connection: close` of the upstream ends it', async (t) => {
  const upstream = await startRawUpstream((socket, head) => {
    socket.write(
      head.startsWith('GET /close') ? 'HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok' : OK,
    );
  });
  const gateway = await startHttpGateway({
    routes: [routeTo('web')],
    clusters: [{ name: 'web', ports: [upstream.port] }],
  });
  const client = new RawClient(gateway.port);
  for (const path of ['/1', '/2', '/close', '/3']) {
    client.send(`GET ${path} HTTP/1.1\r\nHost: a.test\r\n\r\n`);
    t.equal((await client.response()).body, 'ok');
  }
  t.equal(upstream.connections.length, 2);
  client.destroy();
  await gateway.close();
  await upstream.close();
});

await t.test('three hundred pipelined requests are all answered', async (t) => {
  const upstream = await startRawUpstream((socket) => socket.write(OK));
  const gateway = await startHttpGateway({
    routes: [routeTo('web')],
    clusters: [{ name: 'web', ports: [upstream.port] }],
  });
  const client = new RawClient(gateway.port);
  client.send('GET / HTTP/1.1\r\nHost: a.test\r\n\r\n'.repeat(300));
  const log = await gateway.logged(300);
  t.ok(log.every(({ status }) => status === 200));
  await client.until((text) => text.split('HTTP/1.1 200 OK').length === 301, 'answers');
  t.equal(upstream.connections.length, 1);
  client.destroy();
  await gateway.close();
  await upstream.close();
});

await t.test('a client that half-closes after its request is a client that left', async (t) => {
  const upstream = await startRawUpstream(() => {});
  const gateway = await startHttpGateway({
    routes: [routeTo('web')],
    clusters: [{ name: 'web', ports: [upstream.port] }],
  });
  const client = new RawClient(gateway.port, { allowHalfOpen: true });
  client.send('GET / HTTP/1.1\r\nHost: a.test\r\n\r\n');
  while (upstream.connections.length === 0) await new Promise((resolve) => setImmediate(resolve));
  client.socket.end();
  await client.end();
  const [info] = await gateway.logged(1);
  t.equal(`${info?.status} ${info?.flags.join()} ${info?.details}`, '0 DC downstream_remote_disconnect');
  t.equal(client.received, '');
  await gateway.close();
  await upstream.close();
});

await t.test('draining: the next answer closes', async (t) => {
  const upstream = await startRawUpstream((socket) => socket.write(OK));
  const gateway: TestGateway = await startHttpGateway({
    routes: [routeTo('web')],
    clusters: [{ name: 'web', ports: [upstream.port] }],
  });
  const client = new RawClient(gateway.port);
  client.send('GET / HTTP/1.1\r\nHost: a.test\r\n\r\n');
  t.notOk((await client.response()).headers.includes('connection: close'));
  gateway.drain();
  client.send('GET / HTTP/1.1\r\nHost: a.test\r\n\r\n');
  t.ok((await client.response()).headers.includes('connection: close'));
  await client.end();
  await gateway.close();
  await upstream.close();
});
