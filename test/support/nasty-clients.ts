// Clients that break every rule, by chance with a seed: each call opens one connection, does its worst and is gone.
import http2 from 'node:http2';
import net from 'node:net';
import tls from 'node:tls';
import { clientHello } from './client-hello.js';
import { pem } from './data-plane.js';
import { frame, mutate, randomBytes } from './nasty-upstream.js';

/** Bound ports of a gateway made by `attackConfig`. */
export interface AttackPorts {
  readonly http: number;
  readonly https: number;
  readonly tcp: number;
}

const NAMES = ['a.test', 'm.test', 'o.test', 'n.test', 't.test', 'u.test', 'p.test', 'none.test', ''];
const CLIENTS = ['client', 'client-2', 'client-expired', 'client-rsa', 'client-server-eku', ''];
const PATHS = ['/', '/h2', '/once', '/version', '//', '/%00', '/a/../b', '*', 'http://a.test/x', 'http://[', '/ü'];
const METHODS = ['GET', 'POST', 'HEAD', 'PUT', 'DELETE', 'OPTIONS', 'CONNECT', 'PATCH', 'QUERY', 'get', 'PRI'];
const HEADERS = [
  'content-length: 5',
  'content-length: 0',
  'content-length: 5, 5',
  'content-length: -1',
  'transfer-encoding: chunked',
  'transfer-encoding: gzip',
  'connection: close',
  'connection: upgrade',
  'upgrade: websocket',
  'upgrade: h2c',
  'expect: 100-continue',
  'expect: nothing',
  'te: trailers',
  'constructor: x',
  '__proto__: x',
  'x-envoy-upstream-rq-timeout-ms: 1',
  'x-envoy-max-retries: 3',
  'x-forwarded-for: , ,',
  'x: \xff\xfe',
  ' folded',
  'bad name: x',
  'cookie: a=b',
  'cookie: c=d',
  'content-type: application/grpc-web-text',
  'content-type: application/grpc',
  'grpc-timeout: 1m',
  'range: bytes=0-',
];
const BODIES = [
  '',
  'hello',
  '5\r\nhello\r\n0\r\n\r\n',
  'zz\r\n',
  '5\r\nhel',
  'x'.repeat(70_000),
  'AAAA====',
  '0\r\nx: y\r\n\r\n',
];

function pick<T>(list: readonly T[], random: () => number): T {
  return list[Math.floor(random() * list.length)] as T;
}

function http1Bytes(random: () => number): Buffer {
  let text = '';
  for (let i = Math.floor(random() * 3); i >= 0; i--) {
    text += `${pick(METHODS, random)} ${pick(PATHS, random)} HTTP/1.${random() < 0.9 ? 1 : 0}\r\n`;
    if (random() < 0.9) text += 'host: a.test\r\n';
    for (let j = Math.floor(random() * 4); j > 0; j--) text += `${pick(HEADERS, random)}\r\n`;
    text += `\r\n${pick(BODIES, random)}`;
  }
  const bytes = Buffer.from(text, 'latin1');
  return random() < 0.5 ? bytes : mutate(bytes, random);
}

const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
// GET, http, /, authority a.test; then POST and /h2 as literals.
const HEAD_GET = Buffer.concat([Buffer.from([0x82, 0x86, 0x84, 0x41, 6]), Buffer.from('a.test')]);
const HEAD_POST = Buffer.concat([
  Buffer.from([0x83, 0x86, 0x04, 3]),
  Buffer.from('/h2'),
  Buffer.from([0x41, 6]),
  Buffer.from('a.test'),
]);

function http2Bytes(random: () => number): Buffer {
  const parts = [PREFACE, frame(4, 0, 0, Buffer.alloc(0))];
  let stream = 1;
  for (let i = Math.floor(random() * 12); i >= 0; i--) {
    switch (Math.floor(random() * 10)) {
      case 0:
      case 1:
        parts.push(frame(1, 5, stream, HEAD_GET));
        stream += 2;
        break;
      case 2:
      case 3:
        parts.push(frame(1, 4, stream, HEAD_POST), frame(0, random() < 0.5 ? 1 : 0, stream, randomBytes(random, 300)));
        stream += 2;
        break;
      case 4:
        parts.push(frame(3, 0, Math.max(1, stream - 2), Buffer.from([0, 0, 0, 8])));
        break;
      case 5:
        parts.push(frame(8, 0, stream, Buffer.from([0, 0, 1, 0])));
        break;
      case 6:
        parts.push(frame(6, 0, 0, Buffer.alloc(8)));
        break;
      case 7:
        parts.push(frame(1, 4, stream, randomBytes(random, 30)));
        break;
      default:
        parts.push(frame(Math.floor(random() * 11), Math.floor(random() * 256), stream, randomBytes(random, 40)));
    }
  }
  const bytes = Buffer.concat(parts);
  return random() < 0.6 ? bytes : mutate(bytes, random);
}

// Ends a connection by chance in one of the ways that there are; resolves when it is gone.
function leave(socket: net.Socket, raw: net.Socket, random: () => number): Promise<void> {
  return new Promise((resolve) => {
    socket.on('close', () => resolve());
    socket.on('error', () => {});
    raw.on('error', () => {});
    if (random() < 0.1) socket.pause();
    else socket.on('data', () => {});
    const how = random();
    setTimeout(
      () => {
        if (how < 0.3) raw.resetAndDestroy();
        else if (how < 0.6) raw.destroy();
        else socket.end();
        socket.destroySoon();
        setTimeout(() => {
          raw.destroy();
          socket.destroy();
        }, 50);
      },
      how < 0.2 ? 0 : Math.floor(random() * 60),
    );
  });
}

function send(socket: net.Socket, bytes: Buffer, random: () => number): void {
  if (random() < 0.6) {
    socket.write(bytes);
    return;
  }
  let at = 0;
  const next = (): void => {
    if (!socket.writable || at >= bytes.length) return;
    const size = 1 + Math.floor(random() * 80);
    socket.write(bytes.subarray(at, at + size));
    at += size;
    setImmediate(next);
  };
  next();
}

function openTls(
  ports: AttackPorts,
  alpn: readonly string[],
  random: () => number,
): { raw: net.Socket; secure: tls.TLSSocket } {
  const raw = net.connect(ports.https, '127.0.0.1');
  const client = pick(CLIENTS, random);
  const name = random() < 0.5 ? 'a.test' : pick(NAMES, random);
  const version = random() < 0.5 ? 'TLSv1.2' : 'TLSv1.3';
  const secure = tls.connect({
    socket: raw,
    ...(name === '' ? {} : { servername: name }),
    rejectUnauthorized: false,
    minVersion: version,
    maxVersion: version,
    ALPNProtocols: [...alpn],
    ...(client === '' ? {} : { cert: pem(`${client}.pem`), key: pem(`${client}.key`) }),
  });
  return { raw, secure };
}

function http2Client(ports: AttackPorts, random: () => number): Promise<void> {
  return new Promise((resolve) => {
    const secure = random() < 0.5;
    const opened = secure ? openTls(ports, ['h2'], random) : undefined;
    const raw = opened?.raw ?? net.connect(ports.http, '127.0.0.1');
    raw.on('error', () => {});
    opened?.secure.on('error', () => {});
    const session = http2.connect('http://a.test', { createConnection: () => opened?.secure ?? raw });
    session.on('error', () => {});
    raw.on('close', () => {
      session.destroy();
      resolve();
    });
    for (let i = Math.floor(random() * 5); i >= 0; i--) {
      if (session.destroyed) break;
      const stream = session.request({
        ':path': pick(['/', '/h2', '/once', '/version'], random),
        ':method': pick(['GET', 'POST', 'HEAD'], random),
      });
      stream.on('error', () => {});
      if (random() < 0.8) stream.resume();
      if (random() < 0.7 && stream.writable) stream.end('x'.repeat(Math.floor(random() * 50_000)));
      if (random() < 0.4) setTimeout(() => stream.close(http2.constants.NGHTTP2_CANCEL), random() * 20);
    }
    setTimeout(
      () => {
        if (random() < 0.3) session.close();
        else if (random() < 0.5) session.destroy();
        else raw.resetAndDestroy();
        setTimeout(() => raw.destroy(), 50);
      },
      Math.floor(random() * 60),
    );
  });
}

/** One connection of a kind that chance picks. */
export function attackOnce(ports: AttackPorts, random: () => number): Promise<void> {
  const plain = (port: number, bytes: Buffer): Promise<void> => {
    const raw = net.connect(port, '127.0.0.1');
    send(raw, bytes, random);
    return leave(raw, raw, random);
  };
  const secure = (alpn: readonly string[], bytes: Buffer): Promise<void> => {
    const opened = openTls(ports, alpn, random);
    send(opened.secure, bytes, random);
    return leave(opened.secure, opened.raw, random);
  };
  switch (Math.floor(random() * 9)) {
    case 0:
      return plain(pick([ports.http, ports.https, ports.tcp], random), randomBytes(random, 300));
    case 1: {
      const name = pick(NAMES, random);
      const hello = clientHello({
        ...(name === '' ? {} : { serverName: name }),
        alpn: ['h2'],
        recordSize: pick([1, 10, 16_384], random),
      });
      return plain(ports.https, mutate(hello, random));
    }
    case 2:
    case 3:
      return plain(ports.http, http1Bytes(random));
    case 4:
      return plain(ports.http, http2Bytes(random));
    case 5:
      return secure(['http/1.1'], http1Bytes(random));
    case 6:
      return secure(['h2'], http2Bytes(random));
    case 7:
      return plain(ports.tcp, randomBytes(random, 3000));
    default:
      return http2Client(ports, random);
  }
}
