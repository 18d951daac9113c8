// @grpc/grpc-js as client and as server, the gateway between them (spec dataplane.md §3.8): every kind of call, over TLS
// and plaintext, and what a gRPC client is told when the gateway answers itself.
import { readFileSync } from 'node:fs';
import net from 'node:net';
import * as grpc from '@grpc/grpc-js';
import t from 'tap';
import {
  CA_FILE,
  type ClientGateway,
  listenOnLoopback,
  startClientGateway,
  toService,
} from '../support/client-gateway.js';
import { type ByteClient, byteClient, byteService, callUnary } from '../support/generic-grpc.js';
import { deadPort } from '../support/http-gateway.js';

const LARGE = 6 * 1024 * 1024;
const LIMITS = { 'grpc.max_receive_message_length': 2 * LARGE, 'grpc.max_send_message_length': 2 * LARGE };

/** What the server has seen of calls that a client or the gateway gave up. */
const cancelled: string[] = [];
let onCancelled: () => void = () => {};

async function startServer(): Promise<{ port: number; stop(): void }> {
  const server = new grpc.Server(LIMITS);
  const giveUp = (call: grpc.ServerUnaryCall<Buffer, Buffer> | grpc.ServerWritableStream<Buffer, Buffer>): void => {
    call.on('cancelled', () => {
      cancelled.push(call.request.toString());
      onCancelled();
    });
  };
  server.addService(byteService('test.Echo'), {
    Unary: (call: grpc.ServerUnaryCall<Buffer, Buffer>, done: grpc.sendUnaryData<Buffer>) => {
      const wish = call.request.subarray(0, 20).toString();
      if (wish.startsWith('silent')) return giveUp(call);
      const trailers = new grpc.Metadata();
      trailers.set('seen-at-the-end', 'yes');
      trailers.set('end-bin', Buffer.from([0, 255, 7]));
      if (wish === 'not found') {
        done({ code: grpc.status.NOT_FOUND, details: 'no “such” thing, 100 %', metadata: trailers });
        return;
      }
      const headers = new grpc.Metadata();
      for (const name of ['custom', 'both-bin', 'grpc-timeout', 'x-request-id', 'te'])
        for (const value of call.metadata.get(name)) headers.add(`got-${name}`, value);
      call.sendMetadata(headers);
      done(null, call.request, trailers);
    },
    Collect: (call: grpc.ServerReadableStream<Buffer, Buffer>, done: grpc.sendUnaryData<Buffer>) => {
      let bytes = 0;
      call.on('data', (message: Buffer) => {
        bytes += message.length;
      });
      call.on('end', () => done(null, Buffer.from(String(bytes))));
    },
    Spread: (call: grpc.ServerWritableStream<Buffer, Buffer>) => {
      const wish = call.request.toString();
      if (wish === 'break') {
        call.write(Buffer.from('one'));
        call.emit('error', { code: grpc.status.DATA_LOSS, details: 'half way' });
        return;
      }
      if (wish.startsWith('endless')) {
        giveUp(call);
        call.write(Buffer.from('first'));
        return;
      }
      for (let i = 0; i < Number(wish); i++) call.write(Buffer.from(`message ${i}`));
      call.end();
    },
    Chat: (call: grpc.ServerDuplexStream<Buffer, Buffer>) => {
      call.on('data', (message: Buffer) => call.write(Buffer.from(message.toString().toUpperCase())));
      call.on('end', () => call.end());
    },
  });
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', grpc.ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    );
  });
  return { port, stop: () => server.forceShutdown() };
}

const server = await startServer();
const routes = `
- match: [{ uri: { prefix: /test.Echo/ } }]
  ${toService('grpc')}
- match: [{ uri: { prefix: /test.Timeout/ } }]
  timeout: 0.2s
  ${toService('silent')}
- match: [{ uri: { prefix: /test.NoHosts/ } }]
  ${toService('empty')}
- match: [{ uri: { prefix: /test.Refused/ } }]
  ${toService('refused')}
- match: [{ uri: { prefix: /test.Once/ } }]
  retries: { attempts: 0 }
  ${toService('refused')}
- match: [{ uri: { prefix: /test.NoCluster/ } }]
  route: [{ destination: { host: grpc.up, subset: undeclared, port: { number: 80 } } }]
- match: [{ uri: { prefix: /test.Fault/ } }]
  fault: { abort: { grpcStatus: RESOURCE_EXHAUSTED, percentage: { value: 100 } } }
  ${toService('grpc')}
- match: [{ uri: { prefix: /test.Abort/ } }]
  fault: { abort: { httpStatus: 429, percentage: { value: 100 } } }
  ${toService('grpc')}
- match: [{ uri: { prefix: /test.Direct/ } }]
  directResponse: { status: 403, body: { string: "keep out: 100 %, ~" } }
- match: [{ uri: { prefix: /test.Http1/ } }]
  rewrite: { uri: /test.Echo/ }
  ${toService('nogrpc')}
`;
// A server of gRPC would end the call by itself at the time that the gateway names it.
const accepted = new Set<net.Socket>();
const silent = net.createServer((socket) => {
  accepted.add(socket);
  socket.on('error', () => {});
  socket.resume();
});
const gateway: ClientGateway = await startClientGateway([
  { name: 'grpc', port: server.port, protocol: 'GRPC', routes },
  { name: 'empty', port: undefined, protocol: 'GRPC' },
  { name: 'refused', port: await deadPort(), protocol: 'GRPC' },
  { name: 'silent', port: await listenOnLoopback(silent), protocol: 'GRPC' },
  // A server of HTTP/2 that is spoken to in HTTP/1.1.
  { name: 'nogrpc', port: server.port, protocol: 'HTTP' },
]);

const name = { 'grpc.ssl_target_name_override': 'grpc.example.com', 'grpc.default_authority': 'grpc.example.com' };
const secureClient = (service = 'test.Echo'): ByteClient =>
  byteClient(service, `127.0.0.1:${gateway.secure}`, grpc.credentials.createSsl(readFileSync(CA_FILE)), {
    ...LIMITS,
    ...name,
  });
const plainClient = (service = 'test.Echo', more: grpc.ClientOptions = {}): ByteClient =>
  byteClient(service, `127.0.0.1:${gateway.plain}`, grpc.credentials.createInsecure(), {
    ...LIMITS,
    'grpc.default_authority': 'grpc.example.com',
    ...more,
  });

for (const [over, makeClient] of [
  ['TLS', secureClient],
  ['plaintext', plainClient],
] as const) {
  await t.test(`every kind of call over ${over}`, async (t) => {
    const client = makeClient();
    const metadata = new grpc.Metadata();
    metadata.add('custom', 'one');
    metadata.add('custom', 'two');
    metadata.set('both-bin', Buffer.from([1, 2, 0, 254]));
    const unary = await callUnary(client, Buffer.from('hello'), metadata);
    t.equal(unary.code, grpc.status.OK);
    t.equal(unary.body?.toString(), 'hello');
    t.same(unary.headers?.get('got-custom'), ['one, two'], 'as grpc-js joins what came apart');
    t.same(unary.headers?.get('got-both-bin'), [Buffer.from([1, 2, 0, 254])]);
    t.equal(unary.headers?.get('got-x-request-id').length, 1);
    t.same(unary.trailers?.get('seen-at-the-end'), ['yes']);
    t.same(unary.trailers?.get('end-bin'), [Buffer.from([0, 255, 7])]);

    const large = await callUnary(client, Buffer.alloc(LARGE, 'x'));
    t.equal(large.body?.length, LARGE, 'six megabytes each way');

    const refused = await callUnary(client, Buffer.from('not found'));
    t.equal(refused.code, grpc.status.NOT_FOUND, 'an answer of trailers only');
    t.equal(refused.details, 'no “such” thing, 100 %');
    t.same(refused.trailers?.get('seen-at-the-end'), ['yes']);

    const collected = await new Promise<string>((resolve, reject) => {
      const call = client.Collect(new grpc.Metadata(), {}, (error, body) =>
        error === null ? resolve(String(body)) : reject(error),
      );
      for (let i = 0; i < 200; i++) call.write(Buffer.alloc(10_000));
      call.end();
    });
    t.equal(collected, '2000000');

    const spread: string[] = [];
    for await (const message of client.Spread(Buffer.from('500'), new grpc.Metadata())) spread.push(String(message));
    t.equal(spread.length, 500);
    t.equal(spread.at(-1), 'message 499');

    const chat = client.Chat(new grpc.Metadata());
    for (const word of ['a', 'b', 'c']) {
      chat.write(Buffer.from(word));
      t.equal(String(await new Promise((resolve) => chat.once('data', resolve))), word.toUpperCase(), 'turn by turn');
    }
    chat.end();
    t.equal((await new Promise<grpc.StatusObject>((resolve) => chat.on('status', resolve))).code, grpc.status.OK);

    const broken = client.Spread(Buffer.from('break'), new grpc.Metadata());
    const seen: string[] = [];
    broken.on('data', (message: Buffer) => seen.push(String(message)));
    const { code, details } = await new Promise<grpc.ServiceError>((resolve) => broken.on('error', resolve));
    t.same([seen, code, details], [['one'], grpc.status.DATA_LOSS, 'half way']);
    client.close();
  });
}

await t.test('two hundred calls at a time on one connection', async (t) => {
  const client = secureClient();
  const calls = Array.from({ length: 200 }, (_, i) => callUnary(client, Buffer.from(`call ${i}`)));
  const outcomes = await Promise.all(calls);
  t.ok(outcomes.every(({ code, body }, i) => code === grpc.status.OK && String(body) === `call ${i}`));
  client.close();
});

await t.test('a call that is cancelled, and one whose deadline passes, end at the server too', async (t) => {
  const client = plainClient();
  const gone = (count: number): Promise<void> =>
    new Promise((resolve) => {
      const check = (): void => {
        if (cancelled.length >= count) resolve();
      };
      onCancelled = check;
      check();
    });
  const stream = client.Spread(Buffer.from('endless, cancelled'), new grpc.Metadata());
  stream.on('data', () => stream.cancel());
  const error = await new Promise<grpc.ServiceError>((resolve) => stream.on('error', resolve));
  t.equal(error.code, grpc.status.CANCELLED);
  await gone(1);

  // Over the deadline the gateway may be first: it takes grpc-timeout for the route's timeout.
  const late = await callUnary(client, Buffer.from('silent, deadline'), new grpc.Metadata(), {
    deadline: Date.now() + 150,
  });
  t.ok([grpc.status.DEADLINE_EXCEEDED, grpc.status.UNAVAILABLE].includes(late.code), `${late.code} ${late.details}`);
  await gone(2);
  t.same(cancelled, ['endless, cancelled', 'silent, deadline']);
  client.close();
});

/** What `status message` a client of that service gets, and `code flags details` of the access log. */
const LOCAL: Readonly<Record<string, { readonly client: string; readonly log: string }>> = {
  'test.Nowhere': { client: '12 ', log: '200 NR route_not_found' },
  'test.NoHosts': { client: '14 no healthy upstream', log: '200 UH no_healthy_upstream' },
  'test.NoCluster': { client: '14 ', log: '200 NC cluster_not_found' },
  'test.Refused': {
    client:
      '14 upstream connect error or disconnect/reset before headers. retried and the latest reset reason: remote connection failure',
    log: '200 URX,UF upstream_reset_before_response_started{remote_connection_failure|delayed_connect_error:_Connection_refused}',
  },
  'test.Once': {
    client: '14 upstream connect error or disconnect/reset before headers. reset reason: remote connection failure',
    log: '200 UF upstream_reset_before_response_started{remote_connection_failure|delayed_connect_error:_Connection_refused}',
  },
  'test.Timeout': { client: '14 upstream request timeout', log: '200 UT response_timeout' },
  'test.Fault': { client: '8 fault filter abort', log: '200 FI fault_filter_abort' },
  'test.Abort': { client: '14 fault filter abort', log: '200 FI fault_filter_abort' },
  'test.Direct': { client: '7 keep out: 100 %, ~', log: '200 - direct_response' },
  // It answers HTTP/1.1 with its SETTINGS frame.
  'test.Http1': {
    client: '14 upstream connect error or disconnect/reset before headers. reset reason: protocol error',
    log: '200 UPE upstream_reset_before_response_started{protocol_error}',
  },
};

await t.test('what a client is told when the gateway answers itself', async (t) => {
  for (const [service, expected] of Object.entries(LOCAL)) {
    const client = plainClient(service);
    const { code, details, body } = await callUnary(client, Buffer.from('silent'));
    // grpc-js makes up a text where grpc-message is absent.
    const said = details.startsWith('Received HTTP') || details === 'Unknown Error' ? '' : details;
    t.equal(`${code} ${said}`, expected.client, service);
    t.equal(body, undefined);
    const line = await gateway.logged(({ path }) => path === `/${service}/Unary`);
    t.equal(
      `${line?.['response_code']} ${line?.['response_flags']} ${line?.['response_code_details']}`,
      expected.log,
      service,
    );
    client.close();
  }
  const stranger = plainClient('test.Echo', { 'grpc.default_authority': 'unknown.example.com' });
  t.equal((await callUnary(stranger, Buffer.from('x'))).code, grpc.status.UNIMPLEMENTED, 'a host that nobody declared');
  stranger.close();
});

await t.test('a server that goes away in the middle of a stream', async (t) => {
  const client = plainClient();
  const stream = client.Spread(Buffer.from('endless, server gone'), new grpc.Metadata());
  await new Promise((resolve) => stream.once('data', resolve));
  server.stop();
  const error = await new Promise<grpc.ServiceError>((resolve) => stream.on('error', resolve));
  t.equal(error.code, grpc.status.INTERNAL, 'RST_STREAM INTERNAL_ERROR');
  client.close();
});

t.same(await gateway.stop(), { code: 0, errors: '' }, 'it ended well, and had no errors of its own');
server.stop();
for (const socket of accepted) socket.destroy();
silent.close();
