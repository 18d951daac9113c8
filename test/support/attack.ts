// A gateway with one server of every kind, for tests that attack it: upstreams are raw sockets of the test, so that every
// byte which leaves the gateway is seen, and answers can be anything.
import net from 'node:net';
import { pem } from './data-plane.js';

/** Ports of the test's own upstreams on 127.0.0.1. */
export interface AttackUpstreams {
  readonly http: number;
  readonly http2: number;
  readonly tcp: number;
}

function indent(text: string): string {
  return text
    .trim()
    .split('\n')
    .map((line) => `    ${line}\n`)
    .join('');
}

function secret(name: string, certificate: string, ca?: string): string {
  return `apiVersion: v1
kind: Secret
metadata: { name: ${name}, namespace: istio-system }
stringData:
  tls.crt: |
${indent(pem(`${certificate}.pem`))}  tls.key: |
${indent(pem(`${certificate}.key`))}${ca === undefined ? '' : `  ca.crt: |\n${indent(ca)}`}---
`;
}

function server(port: number, name: string, protocol: string, host: string, tls = ''): string {
  return `  - port: { number: ${port}, name: ${name}, protocol: ${protocol} }
    hosts: ["${host}"]
${tls === '' ? '' : `    tls: { ${tls} }\n`}`;
}

function entry(name: string, port: number, protocol: string): string {
  return `apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: ${name}, namespace: demo }
spec:
  hosts: [${name}.up]
  ports: [{ number: 80, name: ${protocol.toLowerCase()}, protocol: ${protocol} }]
  resolution: STATIC
  location: MESH_EXTERNAL
  endpoints: [{ address: 127.0.0.1, ports: { ${protocol.toLowerCase()}: ${port} } }]
---
`;
}

/** Changes from one version of the configuration to the next. */
export interface AttackChanges {
  /** Bundle of m.test; default: the client CA. */
  readonly clientCa?: string;
  /** Mode of a.test; default SIMPLE. */
  readonly mode?: string;
  /** Answers `/version`; default 0. */
  readonly version?: number;
}

/**
 * HTTPS: a.test SIMPLE, m.test MUTUAL, o.test OPTIONAL_MUTUAL, n.test MUTUAL with another CA, all with one certificate.
 * TLS: t.test SIMPLE and u.test MUTUAL → TCP, p.test PASSTHROUGH. Port 80 HTTP, 9000 TCP. `/h2` goes to the HTTP/2
 * upstream, everything else to the HTTP one.
 */
export function attackConfig(upstreams: AttackUpstreams, changes: AttackChanges = {}): string {
  const { clientCa = pem('client-ca.pem'), mode = 'SIMPLE', version = 0 } = changes;
  const ca = pem('client-ca.pem');
  return `${secret('a', 'a', ca)}${secret('m', 'a', clientCa)}${secret('o', 'a', ca)}${secret('second', 'a', pem('client-ca-2.pem'))}apiVersion: networking.istio.io/v1
kind: Gateway
metadata: { name: edge, namespace: istio-system }
spec:
  selector: { istio: ingressgateway }
  servers:
${server(443, 'a', 'HTTPS', 'a.test', `mode: ${mode}, credentialName: a`)}${server(443, 'm', 'HTTPS', 'm.test', 'mode: MUTUAL, credentialName: m')}${server(443, 'o', 'HTTPS', 'o.test', 'mode: OPTIONAL_MUTUAL, credentialName: o')}${server(443, 'second', 'HTTPS', 'n.test', 'mode: MUTUAL, credentialName: second')}${server(443, 't', 'TLS', 't.test', 'mode: SIMPLE, credentialName: a')}${server(443, 'u', 'TLS', 'u.test', 'mode: MUTUAL, credentialName: m')}${server(443, 'p', 'TLS', 'p.test', 'mode: PASSTHROUGH')}${server(80, 'http', 'HTTP', '*')}${server(9000, 'tcp', 'TCP', '*')}---
${entry('http1', upstreams.http, 'HTTP')}${entry('http2', upstreams.http2, 'HTTP2')}${entry('raw', upstreams.tcp, 'TCP')}apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: web, namespace: demo }
spec:
  hosts: ["*"]
  gateways: [istio-system/edge]
  http:
  - match: [{ uri: { exact: /version } }]
    directResponse: { status: 200, body: { string: "v${version}" } }
  - match: [{ uri: { prefix: /h2 } }]
    route: [{ destination: { host: http2.up, port: { number: 80 } } }]
  - match: [{ uri: { prefix: /once } }]
    retries: { attempts: 0 }
    route: [{ destination: { host: http1.up, port: { number: 80 } } }]
  - route: [{ destination: { host: http1.up, port: { number: 80 } } }]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: raw, namespace: demo }
spec:
  hosts: [t.test, u.test, p.test]
  gateways: [istio-system/edge]
  tls:
  - match: [{ sniHosts: [p.test] }]
    route: [{ destination: { host: raw.up, port: { number: 80 } } }]
  tcp:
  - match: [{ port: 443 }]
    route: [{ destination: { host: raw.up, port: { number: 80 } } }]
  - match: [{ port: 9000 }]
    route: [{ destination: { host: raw.up, port: { number: 80 } } }]
`;
}

/** A raw upstream that keeps every byte. */
export interface RawUpstream {
  readonly port: number;
  /** What each connection has brought, oldest first. */
  readonly received: { text: string; open: boolean }[];
  close(): Promise<void>;
}

/** `answer` sees a connection with its new bytes; `received` is kept in latin1. */
export async function startRawUpstream(
  answer: (socket: net.Socket, chunk: Buffer, all: string) => void,
): Promise<RawUpstream> {
  const received: RawUpstream['received'] = [];
  const sockets = new Set<net.Socket>();
  const server = net.createServer((socket) => {
    const seen = { text: '', open: true };
    received.push(seen);
    sockets.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => {
      seen.open = false;
      sockets.delete(socket);
    });
    socket.on('data', (chunk) => {
      seen.text += chunk.toString('latin1');
      answer(socket, chunk, seen.text);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return {
    port: address.port,
    received,
    close: () =>
      new Promise((resolve) => {
        for (const socket of sockets) socket.destroy();
        server.close(() => resolve());
      }),
  };
}

/** A small generator with a seed, so that a failing run can be played again. */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}
