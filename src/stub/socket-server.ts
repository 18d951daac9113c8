// The port of a stub: accepts plaintext or TLS connections, says what TLS saw, and tells HTTP/1.1 from HTTP/2 by the
// first bytes.
import net from 'node:net';
import tls from 'node:tls';
import type { KeyPair } from '../certs/key-pair.js';
import { serveHttp1 } from './http1-server.js';
import { createHttp2Server } from './http2-server.js';
import { offeredProtocols } from './offered-protocols.js';
import type { ReceivedTls, RequestHandler } from './received.js';

export interface TlsServerOptions {
  readonly certificate: KeyPair;
  /** Protocols to agree on, where one of them is offered; otherwise the handshake goes on without. */
  readonly alpn?: readonly string[];
  /** PEM; asks for a client certificate of this authority. */
  readonly clientCa?: string;
  /** Default true, where `clientCa` is given. */
  readonly requireClientCertificate?: boolean;
}

export interface SocketServer {
  readonly host: string;
  readonly port: number;
  close(): Promise<void>;
}

/** `socket` is ready for application bytes; `raw` is the TCP socket beneath it. */
export type ConnectionHandler = (socket: net.Socket, raw: net.Socket, tls: ReceivedTls | undefined) => void;

/** Listens on a port of loopback (0 = any) and hands on each connection once TLS, if any, is up. */
export async function listenForConnections(
  options: { readonly host?: string; readonly port?: number; readonly tls?: TlsServerOptions },
  handler: ConnectionHandler,
): Promise<SocketServer> {
  const open = new Set<net.Socket>();
  const server = net.createServer();
  const secure = options.tls === undefined ? undefined : acceptTls(options.tls, open, handler);
  server.on('connection', (raw) => {
    open.add(raw);
    raw.setNoDelay(true);
    raw.on('close', () => open.delete(raw));
    raw.on('error', ignore);
    if (secure === undefined) handler(raw, raw, undefined);
    else secure(raw);
  });
  const host = options.host ?? '127.0.0.1';
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen({ host, port: options.port ?? 0 }, () => {
      server.off('error', reject);
      resolve();
    });
  });
  const { port } = server.address() as net.AddressInfo;
  return {
    host,
    port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of open) socket.destroy();
      }),
  };
}

/** A connection handler that serves HTTP/1.1, and HTTP/2 where ALPN chose it or its preface comes first. */
export function httpConnections(handler: (tls: ReceivedTls | undefined) => RequestHandler): ConnectionHandler {
  return (socket, raw, seen) => {
    const requests = handler(seen);
    const serveHttp2 = (): void => createHttp2Server(requests).serve(socket, raw);
    if (seen?.alpn === 'h2') {
      serveHttp2();
      return;
    }
    socket.once('data', (first: Buffer) => {
      socket.pause();
      // No HTTP/1.1 method begins like the preface "PRI * HTTP/2.0".
      socket.unshift(first);
      if (first.toString('latin1', 0, 3) === 'PRI') {
        // Not resumed: node:http2 takes what is buffered first and then reads beneath the stream.
        serveHttp2();
        return;
      }
      serveHttp1(socket, raw, requests);
      socket.resume();
    });
  };
}

/** Puts TLS on connections. */
function acceptTls(
  options: TlsServerOptions,
  open: ReadonlySet<net.Socket>,
  handler: ConnectionHandler,
): (raw: net.Socket) => void {
  const { alpn, ...others } = options;
  const plain = createTlsServer(others, open, handler);
  if (alpn === undefined) return (raw) => plain.emit('connection', raw);
  const negotiating = createTlsServer(options, open, handler);
  return (raw) => {
    let seen = Buffer.alloc(0);
    const look = (chunk: Buffer): void => {
      seen = Buffer.concat([seen, chunk]);
      const offered = offeredProtocols(seen);
      if (offered === undefined) return;
      raw.off('data', look);
      raw.pause();
      raw.unshift(seen);
      const server = offered.some((name) => alpn.includes(name)) ? negotiating : plain;
      server.emit('connection', raw);
    };
    raw.on('data', look);
  };
}

function createTlsServer(
  options: TlsServerOptions,
  open: ReadonlySet<net.Socket>,
  handler: ConnectionHandler,
): tls.Server {
  const server = tls.createServer({
    cert: options.certificate.certificate,
    key: options.certificate.privateKey,
    minVersion: 'TLSv1',
    ciphers: `${tls.DEFAULT_CIPHERS}:@SECLEVEL=0`,
    ...(options.alpn === undefined ? {} : { ALPNProtocols: [...options.alpn] }),
    ...(options.clientCa === undefined
      ? {}
      : {
          ca: options.clientCa,
          requestCert: true,
          rejectUnauthorized: options.requireClientCertificate !== false,
        }),
  });
  server.on('tlsClientError', ignore);
  server.on('secureConnection', (socket) => {
    socket.on('error', ignore);
    // Node does not say which raw socket a TLS socket wraps; both have the peer's port.
    const raw = [...open].find((candidate) => candidate.remotePort === socket.remotePort);
    if (raw !== undefined) handler(socket, raw, describeTls(socket));
  });
  return server;
}

/** What the server side of a handshake saw. */
export function describeTls(socket: tls.TLSSocket): ReceivedTls {
  const peer = socket.getPeerCertificate();
  const sni = (socket as { servername?: string | false | null }).servername;
  const subject = peer.subject === undefined ? '' : renderSubject(peer.subject);
  const names = peer.subjectaltname?.split(', ') ?? [];
  return {
    ...(typeof sni === 'string' && sni !== '' ? { sni } : {}),
    ...(typeof socket.alpnProtocol === 'string' && socket.alpnProtocol !== '' ? { alpn: socket.alpnProtocol } : {}),
    version: socket.getProtocol() ?? '',
    ...(subject === '' ? {} : { clientSubject: subject }),
    ...(names.length === 0 ? {} : { clientSan: names }),
  };
}

const LONG_NAMES: Readonly<Record<string, string>> = {
  C: 'countryName',
  ST: 'stateOrProvinceName',
  L: 'localityName',
  O: 'organizationName',
  OU: 'organizationalUnitName',
  CN: 'commonName',
};

function renderSubject(subject: object): string {
  const parts: string[] = [];
  for (const [name, value] of Object.entries(subject)) {
    for (const one of Array.isArray(value) ? value : [value]) parts.push(`${LONG_NAMES[name] ?? name}=${String(one)}`);
  }
  return parts.join(',');
}

// A peer that leaves is no news to a stub.
function ignore(): void {}
