// What the regression gate counts by: one configuration, the services behind it, and clients that do one thing at a time.
import net from 'node:net';
import tls from 'node:tls';
import selfsigned from 'selfsigned';
import { clientHello } from '../test/support/client-hello.js';

/** Ports of the services behind the gateway. */
export interface GateBackends {
  readonly http: number;
  readonly tcp: number;
}

/** Where the services of the configuration are. */
export const SERVICES = { http: 'web.bench.svc.cluster.local', tcp: 'tcp.bench.svc.cluster.local' } as const;
/** Bytes of one download. */
export const BULK_BYTES = 16 * 1024 * 1024;
/** What opens a passthrough connection. */
export const HELLO: Buffer = clientHello({ serverName: 'ping.bench.test', alpn: ['h2', 'http/1.1'], padTo: 517 });

const REPLY = Buffer.alloc(64, 0x61);
const BULK = Buffer.alloc(256 * 1024, 0x62);
const ANSWER = Buffer.from('HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 2\r\n\r\nok');
const HEADERS = [
  ['user-agent', 'gate'],
  ['accept', '*/*'],
  ['x-user', 'ann'],
  ['cookie', 'session=0123456789abcdef'],
] as const;
const REQUEST = Buffer.from(
  `GET /api/cart?q=1 HTTP/1.1\r\nhost: web.bench.test\r\n${HEADERS.map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n`,
);

/** The configuration, with a certificate made now. */
export async function gateYaml(): Promise<string> {
  const pems = await selfsigned.generate([{ name: 'commonName', value: 'tls.bench.test' }], {
    algorithm: 'sha256',
    keyType: 'ec',
    curve: 'P-256',
    extensions: [{ name: 'subjectAltName', altNames: [{ type: 2, value: 'tls.bench.test' }] }],
  });
  const base64 = (text: string): string => Buffer.from(text).toString('base64');
  return `apiVersion: v1
kind: Secret
metadata: { name: pair, namespace: istio-system }
type: kubernetes.io/tls
data: { tls.crt: ${base64(pems.cert)}, tls.key: ${base64(pems.private)} }
---
apiVersion: v1
kind: Service
metadata: { name: web, namespace: bench }
spec: { ports: [{ name: http, port: 80 }] }
---
apiVersion: v1
kind: Service
metadata: { name: tcp, namespace: bench }
spec: { ports: [{ name: tls, port: 443 }] }
---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: { name: edge, namespace: istio-system }
spec:
  selector: { istio: ingressgateway }
  servers:
  - { port: { number: 80, name: http, protocol: HTTP }, hosts: ["*"] }
  - { port: { number: 443, name: tls, protocol: TLS }, hosts: [ping.bench.test], tls: { mode: PASSTHROUGH } }
  - { port: { number: 443, name: https, protocol: HTTPS }, hosts: [tls.bench.test], tls: { mode: SIMPLE, credentialName: pair } }
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: tcp, namespace: bench }
spec:
  hosts: [ping.bench.test]
  gateways: [istio-system/edge]
  tls:
  - match: [{ port: 443, sniHosts: [ping.bench.test] }]
    route: [{ destination: { host: ${SERVICES.tcp}, port: { number: 443 } } }]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: web, namespace: bench }
spec:
  hosts: [web.bench.test, tls.bench.test]
  gateways: [istio-system/edge]
  http:
  - match: [{ uri: { prefix: /api }, headers: { x-user: { exact: ann } } }]
    route: [{ destination: { host: ${SERVICES.http} } }]
    headers: { request: { set: { x-route: api } } }
  - route: [{ destination: { host: ${SERVICES.http} } }]
`;
}

/** Services in this process; they do not keep it alive. */
export async function startGateBackends(): Promise<GateBackends> {
  return {
    http: await listen((socket) => socket.on('data', () => socket.write(ANSWER))),
    // A hello is answered shortly, a hello with one byte more by a download.
    tcp: await listen((socket) => {
      socket.once('data', (chunk: Buffer) => {
        if (chunk.length === HELLO.length) socket.write(REPLY);
        else writeBulk(socket);
      });
    }),
  };
}

/** A passthrough connection: hello, 64 bytes back, end. */
export function helloOnce(port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = net.connect({ port, host: '127.0.0.1', noDelay: true, autoSelectFamily: false });
    socket.write(HELLO);
    socket.on('data', () => socket.end());
    socket.on('error', reject);
    socket.on('close', () => resolve());
  });
}

/** A full TLS handshake, one request, end. */
export function handshakeOnce(port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const options = { port, host: '127.0.0.1', servername: 'tls.bench.test', rejectUnauthorized: false };
    const socket = tls.connect({ ...options, ALPNProtocols: ['http/1.1'] });
    socket.write('GET /api/cart HTTP/1.1\r\nhost: tls.bench.test\r\nx-user: ann\r\n\r\n');
    socket.on('data', () => socket.end());
    socket.on('error', reject);
    socket.on('close', () => resolve());
  });
}

/** A passthrough connection that brings `BULK_BYTES`; rejects when it brings another number. */
export function download(port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    let got = 0;
    const callback = (length: number): boolean => {
      got += length;
      return true;
    };
    const onread = { buffer: Buffer.alloc(1024 * 1024), callback };
    const socket = net.connect({ port, host: '127.0.0.1', onread });
    socket.write(Buffer.concat([HELLO, Buffer.from('.')]));
    socket.on('error', reject);
    socket.on('end', () => socket.end());
    socket.on('close', () => (got === BULK_BYTES ? resolve() : reject(new Error(`${got} bytes`))));
  });
}

/** A connection that stays, with one request at a time. */
export interface KeptConnection {
  request(): Promise<void>;
  close(): void;
}

/** HTTP/1.1 on a port without TLS. */
export async function keepHttp1(port: number): Promise<KeptConnection> {
  const { socket, asks } = await connect(port);
  socket.on('data', () => asks.answered());
  return asks.connection(() => REQUEST);
}

/** HTTP/2 with prior knowledge on a port without TLS. */
export async function keepHttp2(port: number): Promise<KeptConnection> {
  const { socket, asks } = await connect(port);
  let rest: Buffer = Buffer.alloc(0);
  socket.on('data', (chunk: Buffer) => {
    const bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    let at = 0;
    while (bytes.length - at >= 9 && bytes.length - at >= 9 + bytes.readUIntBE(at, 3)) {
      const isEnd = (bytes[at + 3] as number) <= 1 && ((bytes[at + 4] as number) & 1) === 1;
      if (isEnd) asks.answered();
      at += 9 + bytes.readUIntBE(at, 3);
    }
    rest = bytes.subarray(at);
  });
  socket.write(
    Buffer.concat([Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'), Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0])]),
  );
  const block = headerBlock();
  let stream = -1;
  return asks.connection(() => {
    stream += 2;
    const head = Buffer.from([0, block.length >> 8, block.length & 255, 1, 5, 0, 0, 0, 0]);
    head.writeUInt32BE(stream, 5);
    return Buffer.concat([head, block]);
  });
}

/** Literal headers that are never indexed: the same block serves every stream. */
function headerBlock(): Buffer {
  const parts: Buffer[] = [Buffer.from([0x82, 0x86])];
  for (const [name, value] of [[':path', '/api/cart?q=1'], [':authority', 'web.bench.test'], ...HEADERS] as const)
    parts.push(Buffer.from([0x00, name.length]), Buffer.from(name), Buffer.from([value.length]), Buffer.from(value));
  return Buffer.concat(parts);
}

async function connect(port: number): Promise<{ readonly socket: net.Socket; readonly asks: Asks }> {
  const socket = net.connect(port, '127.0.0.1');
  await new Promise<void>((resolve, reject) => {
    socket.once('connect', resolve);
    socket.once('error', reject);
  });
  return { socket, asks: new Asks(socket) };
}

class Asks {
  private readonly socket: net.Socket;
  private waiting: (() => void) | undefined = undefined;

  constructor(socket: net.Socket) {
    this.socket = socket;
  }

  answered(): void {
    this.waiting?.();
  }

  connection(next: () => Buffer): KeptConnection {
    return {
      request: () =>
        new Promise((resolve) => {
          this.waiting = resolve;
          this.socket.write(next());
        }),
      close: () => this.socket.destroy(),
    };
  }
}

function listen(serve: (socket: net.Socket) => void): Promise<number> {
  return new Promise((resolve) => {
    const server = net.createServer({ noDelay: true }, (socket) => {
      socket.on('error', () => socket.destroy());
      serve(socket);
    });
    server.unref();
    server.listen(0, '127.0.0.1', () => resolve((server.address() as net.AddressInfo).port));
  });
}

function writeBulk(socket: net.Socket): void {
  let left = BULK_BYTES;
  const more = (): void => {
    while (left > 0) {
      left -= BULK.length;
      if (!socket.write(BULK)) return;
    }
    socket.end();
  };
  socket.on('drain', more);
  more();
}
