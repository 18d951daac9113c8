// Upstreams that break every rule, by chance with a seed: for attacks on a running gateway.
import http2 from 'node:http2';
import net from 'node:net';

/** Closes whatever is open. */
export interface NastyUpstream {
  readonly port: number;
  close(): Promise<void>;
}

type Behaviour = (socket: net.Socket, random: () => number) => void;

const ok = (body: string): string => `HTTP/1.1 200 OK\r\ncontent-length: ${body.length}\r\n\r\n${body}`;

/** What an HTTP/1.1 upstream may answer to any bytes at all. */
const HTTP1: readonly Behaviour[] = [
  (socket) => socket.write(ok('fine')),
  (socket) => socket.write(ok('fine') + ok('twice')),
  (socket) => socket.end(ok('fine')),
  (socket) => socket.write('HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nfine and more'),
  (socket) => socket.end('HTTP/1.1 200 OK\r\ncontent-length: 400\r\n\r\ncut'),
  (socket) => socket.write('HTTP/1.1 200 OK\r\ncontent-length: 4\r\ncontent-length: 5\r\n\r\nfour'),
  (socket) => socket.write('HTTP/1.1 200 OK\r\ncontent-length: 4\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n'),
  (socket) => socket.write('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nfine\r\n0\r\ntrailer: x\r\n\r\n'),
  (socket) => socket.write('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nfffffffffffff\r\nfine'),
  (socket) => socket.write('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\nfine'),
  (socket) => socket.write('HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked\r\n\r\n'),
  (socket) => socket.write('HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\nraw'),
  (socket) =>
    socket.write('HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: </x>\r\nconnection: close\r\n\r\n'),
  (socket) => socket.write(`HTTP/1.1 102 Processing\r\n\r\n${ok('late')}`),
  (socket) => socket.write('HTTP/1.1 199 What\r\nx: y\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n'),
  (socket) => socket.write('HTTP/1.1 204 No Content\r\ncontent-length: 4\r\n\r\nbody'),
  (socket) => socket.write('HTTP/1.1 304 Not Modified\r\ncontent-length: 4\r\n\r\n'),
  (socket) => socket.write('HTTP/1.1 2000 Far\r\ncontent-length: 0\r\n\r\n'),
  (socket) => socket.write('HTTP/1.1 099 Low\r\ncontent-length: 0\r\n\r\n'),
  (socket) =>
    socket.write('HTTP/1.1 600 High\r\nconstructor: a\r\n__proto__: b\r\ntoString: c\r\ncontent-length: 0\r\n\r\n'),
  (socket) =>
    socket.write(
      'HTTP/1.1 200 OK\r\nte: x\r\nhttp2-settings: x\r\nkeep-alive: x\r\nproxy-connection: x\r\nupgrade: x\r\nconnection: close, x\r\ncontent-length: 0\r\n\r\n',
    ),
  (socket) =>
    socket.write(
      'HTTP/1.1 200 OK\r\ndate: a\r\ndate: b\r\ncontent-type: a\r\ncontent-type: b\r\nset-cookie: \xe4\xff\r\ncontent-length: 0\r\n\r\n',
      'latin1',
    ),
  (socket) => socket.write('HTTP/1.1 200 OK\r\nbad name: x\r\n\r\n'),
  (socket) => socket.write('HTTP/1.1 200 OK\r\nx: a\0b\r\n\r\n'),
  (socket) => socket.write(`HTTP/1.1 200 OK\r\n${'x: y\r\n'.repeat(150)}\r\n`),
  (socket) => socket.write(`HTTP/1.1 200 OK\r\nx: ${'y'.repeat(100_000)}\r\n\r\n`),
  (socket) => socket.write('HTTP/1.0 200 OK\r\n\r\nuntil the end'),
  (socket) => socket.end('HTTP/1.0 200 OK\r\n\r\nuntil the end'),
  (socket) => socket.write('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'),
  (socket) => socket.write('no http at all\r\n\r\n'),
  (socket, random) => socket.write(randomBytes(random, 200)),
  (socket) => socket.end(),
  (socket) => socket.destroy(),
  (socket) => socket.resetAndDestroy(),
  (socket) => void socket.pause(),
  () => {},
  (socket) => endless(socket, 'HTTP/1.1 200 OK\r\n', 'x-endless: header\r\n'.repeat(50)),
  (socket) =>
    endless(
      socket,
      'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n',
      '400\r\n'.concat('a'.repeat(1024), '\r\n'),
    ),
  (socket) =>
    endless(socket, 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n', 'trailer: x\r\n'.repeat(50)),
  (socket) => endless(socket, '', 'HTTP/1.1 102 Processing\r\n\r\n'.repeat(20)),
  (socket, random) => inPieces(socket, ok('in pieces'), random),
];

/** Bytes by chance. */
export function randomBytes(random: () => number, most: number): Buffer {
  return Buffer.from(Array.from({ length: 1 + Math.floor(random() * most) }, () => Math.floor(random() * 256)));
}

/** Changes, drops, doubles or cuts a few bytes. */
export function mutate(bytes: Buffer, random: () => number): Buffer {
  let out = Buffer.from(bytes);
  for (let i = Math.floor(random() * 4); i >= 0 && out.length > 1; i--) {
    const at = Math.floor(random() * out.length);
    switch (Math.floor(random() * 5)) {
      case 0:
        out[at] = Math.floor(random() * 256);
        break;
      case 1:
        out[at] = (out[at] as number) ^ (1 << Math.floor(random() * 8));
        break;
      case 2:
        out = Buffer.concat([out.subarray(0, at), out.subarray(at + 1)]);
        break;
      case 3:
        out = Buffer.concat([out.subarray(0, at), randomBytes(random, 8), out.subarray(at)]);
        break;
      default:
        out = Buffer.concat([out, out.subarray(at)]);
    }
  }
  return out;
}

function endless(socket: net.Socket, head: string, piece: string): void {
  socket.write(head);
  let left = 400;
  const more = (): void => {
    if (socket.destroyed) return;
    if (left-- === 0) socket.destroy();
    else if (socket.write(piece)) setImmediate(more);
    else socket.once('drain', more);
  };
  more();
}

function inPieces(socket: net.Socket, text: string, random: () => number): void {
  let at = 0;
  const next = (): void => {
    if (socket.destroyed || at >= text.length) return;
    const size = 1 + Math.floor(random() * 5);
    socket.write(text.slice(at, at + size));
    at += size;
    setImmediate(next);
  };
  next();
}

async function listen(onSocket: (socket: net.Socket) => void): Promise<NastyUpstream> {
  const sockets = new Set<net.Socket>();
  const server = net.createServer({ allowHalfOpen: true }, (socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    socket.on('end', () => setImmediate(() => socket.end()));
    socket.on('close', () => sockets.delete(socket));
    onSocket(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return {
    port: address.port,
    close: () =>
      new Promise((resolve) => {
        for (const socket of sockets) socket.destroy();
        server.close(() => resolve());
      }),
  };
}

/** Answers each packet of a connection with one of the behaviours. */
export function startNastyHttp1(random: () => number): Promise<NastyUpstream> {
  return listen((socket) => {
    if (random() < 0.05) {
      socket.destroy();
      return;
    }
    socket.on('data', () => {
      if (socket.writable) HTTP1[Math.floor(random() * HTTP1.length)]?.(socket, random);
    });
  });
}

/** Echoes, drips, cuts, resets. */
export function startNastyTcp(random: () => number): Promise<NastyUpstream> {
  return listen((socket) => {
    const kind = Math.floor(random() * 7);
    if (kind === 0) socket.destroy();
    else if (kind === 1) socket.pause();
    else if (kind === 2) endless(socket, '', 'x'.repeat(8192));
    else if (kind === 3) socket.end('bye');
    else {
      socket.on('data', (chunk) => {
        if (kind === 4) socket.resetAndDestroy();
        else if (socket.writable) socket.write(chunk);
      });
    }
  });
}

/** One HTTP/2 frame. */
export function frame(type: number, flags: number, stream: number, payload: Uint8Array): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head[3] = type;
  head[4] = flags;
  head.writeUInt32BE(stream >>> 0, 5);
  return Buffer.concat([head, payload]);
}

/** Now a correct server whose streams misbehave, now frames that no server would send. */
export function startNastyHttp2(random: () => number): Promise<NastyUpstream> {
  return listen((socket) => {
    if (random() < 0.4) {
      rawHttp2(socket, random);
      return;
    }
    const session = http2.performServerHandshake(socket);
    session.on('error', () => {});
    session.on('stream', (stream) => {
      stream.on('error', () => {});
      stream.resume();
      switch (Math.floor(random() * 10)) {
        case 0:
          stream.close(http2.constants.NGHTTP2_REFUSED_STREAM);
          return;
        case 1:
          session.goaway(http2.constants.NGHTTP2_NO_ERROR);
          return;
        case 2:
          socket.resetAndDestroy();
          return;
        case 3:
          // Not within the frame's own callback: Node aborts when more frames of the same read follow.
          setImmediate(() => session.destroy());
          return;
        case 4:
          stream.additionalHeaders({ ':status': 103, link: '</x>' });
          stream.respond({ ':status': 204 }, { endStream: true });
          return;
        case 5:
          stream.respond({ ':status': 200 });
          stream.write('part');
          setImmediate(() => stream.close(http2.constants.NGHTTP2_INTERNAL_ERROR));
          return;
        case 6:
          return;
        case 7:
          stream.respond({ ':status': 200 }, { waitForTrailers: true });
          stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0', constructor: 'x' }));
          stream.end('trailers follow');
          return;
        default:
          stream.respond({ ':status': 200, 'x-big': 'y'.repeat(1000) });
          stream.end('z'.repeat(Math.floor(random() * 100_000)));
      }
    });
  });
}

function rawHttp2(socket: net.Socket, random: () => number): void {
  socket.write(frame(4, 0, 0, Buffer.alloc(0)));
  let stream = 1;
  socket.on('data', () => {
    if (!socket.writable) return;
    const pick = Math.floor(random() * 12);
    const frames: readonly Buffer[] = [
      frame(1, 5, stream, Buffer.from([0x88])), // :status 200, complete
      frame(1, 4, stream, Buffer.from([0x88])),
      frame(0, 1, stream, Buffer.from('unasked data')),
      frame(3, 0, stream, Buffer.from([0, 0, 0, 8])),
      frame(7, 0, 0, Buffer.from([0, 0, 0, 0, 0, 0, 0, 1])),
      frame(5, 4, stream, Buffer.from([0, 0, 0, 2, 0x82])), // PUSH_PROMISE
      frame(8, 0, 0, Buffer.from([0x7f, 255, 255, 255])),
      frame(8, 0, stream, Buffer.from([0, 0, 0, 0])),
      frame(4, 0, 0, Buffer.from([0, 4, 255, 255, 255, 255])),
      frame(6, 0, 0, randomBytes(random, 12)),
      frame(9, 4, stream, randomBytes(random, 40)),
      frame(Math.floor(random() * 12), Math.floor(random() * 256), stream, randomBytes(random, 60)),
    ];
    socket.write(frames[pick] as Buffer);
    stream += 2;
    if (random() < 0.1) socket.destroy();
  });
}
