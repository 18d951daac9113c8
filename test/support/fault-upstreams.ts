// Upstreams that fail in a named way, the name being the last part of the path: for the fault suite. HTTP/1.1 by hand,
// HTTP/2 with Node's session over a socket in our hands.
import { EventEmitter } from 'node:events';
import http2 from 'node:http2';
import net from 'node:net';
import { listenOnLoopback } from './client-gateway.js';

/** A part of 100 bytes of a body of 1000. */
const PART = 'x'.repeat(100);
export const WHOLE = 1000;
/** Between two parts of a body that comes slowly. */
const PACE = 20;
const HEAD = `HTTP/1.1 200 OK\r\ncontent-length: ${WHOLE}\r\n\r\n`;
const CHUNKED = 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n';

/**
 * `head PATH` and `body PATH`: what the client of that request has seen. A reset overtakes bytes that have not been read,
 * so an upstream that is to break off behind them has to know.
 */
export const clientSaw: EventEmitter = new EventEmitter().setMaxListeners(0);

/** Closes whatever is open. */
export interface FaultUpstream {
  readonly port: number;
  /** Streams and exchanges that have begun, and those that are over or whose connection is. */
  readonly seen: { begun: number; over: number };
  readonly open: ReadonlySet<net.Socket>;
  /** Ends idle connections, so that the gateway holds none. */
  dropAll(): void;
  close(): Promise<void>;
}

const HTTP1: Readonly<Record<string, (socket: net.Socket, path: string) => void>> = {
  ok: (socket) => socket.write(HEAD + PART.repeat(10)),
  'reset before head': (socket) => socket.resetAndDestroy(),
  'close before head': (socket) => socket.destroy(),
  'reset in head': (socket) => socket.write('HTTP/1.1 200 OK\r\ncontent-le', () => socket.resetAndDestroy()),
  'reset after head': (socket, path) => {
    socket.write(HEAD);
    clientSaw.once(`head ${path}`, () => socket.resetAndDestroy());
  },
  'reset in body': (socket, path) => {
    socket.write(HEAD + PART);
    clientSaw.once(`body ${path}`, () => socket.resetAndDestroy());
  },
  'truncated body': (socket) => socket.end(HEAD + PART),
  'truncated chunk': (socket) => socket.end(`${CHUNKED}3e8\r\n${PART}`),
  // The writing half is over, the connection stays.
  'half-open before head': (socket) => halfOpen(socket, ''),
  'half-open in body': (socket) => halfOpen(socket, HEAD + PART),
  'timed silent': () => {},
  'timed silent after head': (socket) => socket.write(HEAD),
  'timed silent in body': (socket) => socket.write(HEAD + PART),
  'timed endless': (socket) => drip(socket, CHUNKED, `64\r\n${PART}\r\n`, 1000),
  slow: (socket) => drip(socket, HEAD, PART, 10),
  stuck: () => {},
  'stuck in body': (socket) => socket.write(HEAD + PART),
};

const HALF_OPEN = new WeakSet<net.Socket>();

function halfOpen(socket: net.Socket, text: string): void {
  HALF_OPEN.add(socket);
  socket.end(text);
}

function drip(socket: net.Socket, head: string, part: string, parts: number): void {
  socket.write(head);
  let left = parts;
  const timer = setInterval(() => {
    if (left-- === 0 || !socket.writable) clearInterval(timer);
    else socket.write(part);
  }, PACE);
}

/** HTTP/1.1; one exchange at a time, requests without or with a body. */
export async function startHttp1Faults(): Promise<FaultUpstream> {
  const seen = { begun: 0, over: 0 };
  const sockets = new Set<net.Socket>();
  const server = net.createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    sockets.add(socket);
    let begun = 0;
    let rest = '';
    socket.on('error', () => {});
    socket.on('end', () => {
      if (!HALF_OPEN.has(socket)) socket.end();
    });
    socket.on('close', () => {
      sockets.delete(socket);
      seen.over += begun;
    });
    socket.on('data', (chunk: Buffer) => {
      rest += chunk.toString('latin1');
      const head = /^[A-Z]+ (\S*\/([^/? ]*)\S*) HTTP\/1\.1\r\n[\s\S]*?\r\n\r\n/m.exec(rest);
      if (head === null) return;
      rest = '';
      seen.begun++;
      begun++;
      HTTP1[decodeURIComponent(head[2] as string)]?.(socket, head[1] as string);
    });
  });
  return { port: await listenOnLoopback(server), seen, ...closing(server, sockets) };
}

type Http2Fault = (
  stream: http2.ServerHttp2Stream,
  socket: net.Socket,
  session: http2.ServerHttp2Session,
  path: string,
) => void;

const respond = (stream: http2.ServerHttp2Stream): void =>
  stream.respond({ ':status': 200, 'content-length': String(WHOLE) });
const reset = (code: number): Http2Fault => {
  return (stream) => stream.close(code);
};
const { NGHTTP2_INTERNAL_ERROR, NGHTTP2_PROTOCOL_ERROR, NGHTTP2_REFUSED_STREAM, NGHTTP2_NO_ERROR } = http2.constants;

const HTTP2: Readonly<Record<string, Http2Fault>> = {
  ok: (stream) => {
    respond(stream);
    stream.end(PART.repeat(10));
  },
  'reset before head': (_stream, socket) => socket.resetAndDestroy(),
  'close before head': (_stream, socket) => socket.destroy(),
  'reset after head': (stream, socket, _session, path) => {
    respond(stream);
    stream.write('');
    clientSaw.once(`head ${path}`, () => socket.resetAndDestroy());
  },
  'reset in body': (stream, socket, _session, path) => {
    respond(stream);
    stream.write(PART);
    clientSaw.once(`body ${path}`, () => socket.resetAndDestroy());
  },
  'stream reset before head': reset(NGHTTP2_INTERNAL_ERROR),
  'stream refused': reset(NGHTTP2_REFUSED_STREAM),
  'stream protocol error': reset(NGHTTP2_PROTOCOL_ERROR),
  // `close` would end the body first.
  'stream reset in body': (stream, _socket, _session, path) => {
    respond(stream);
    stream.write(PART);
    clientSaw.once(`body ${path}`, () => stream.destroy(new Error('INTERNAL_ERROR')));
  },
  'truncated body': (stream) => {
    respond(stream);
    stream.end(PART);
  },
  // It takes no new streams, and answers this one.
  'goaway, then answer': (stream, socket, session, path) => {
    session.goaway(NGHTTP2_NO_ERROR, stream.id as number);
    setTimeout(() => {
      if (!stream.destroyed) HTTP2['ok']?.(stream, socket, session, path);
    }, PACE);
  },
  'half-open before head': (_stream, socket) => {
    HALF_OPEN.add(socket);
    socket.end();
  },
  'timed silent': () => {},
  'timed silent after head': (stream) => {
    respond(stream);
    stream.write('');
  },
  'timed silent in body': (stream) => {
    respond(stream);
    stream.write(PART);
  },
  slow: (stream) => {
    respond(stream);
    let left = 10;
    const timer = setInterval(() => {
      if (stream.destroyed || left === 0) clearInterval(timer);
      else if (--left === 0) stream.end(PART);
      else stream.write(PART);
    }, PACE);
  },
  stuck: () => {},
  'stuck in body': (stream) => {
    respond(stream);
    stream.write(PART);
  },
};

/** HTTP/2 by prior knowledge. */
export async function startHttp2Faults(): Promise<FaultUpstream> {
  const seen = { begun: 0, over: 0 };
  const sockets = new Set<net.Socket>();
  const server = net.createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => sockets.delete(socket));
    const session = http2.performServerHandshake(socket);
    session.on('error', () => {});
    session.on('stream', (stream, headers) => {
      seen.begun++;
      stream.on('error', () => {});
      stream.on('close', () => seen.over++);
      stream.resume();
      const path = headers[':path'] ?? '';
      const name = decodeURIComponent(/([^/?]*)(?:\?.*)?$/.exec(path)?.[1] ?? '');
      // Not within the frame's own callback: Node aborts when more frames of the same read follow.
      setImmediate(() => HTTP2[name]?.(stream, socket, session, path));
    });
  });
  return { port: await listenOnLoopback(server), seen, ...closing(server, sockets) };
}

/** Takes connections and resets them at once. */
export async function startResetter(): Promise<FaultUpstream> {
  const sockets = new Set<net.Socket>();
  const server = net.createServer((socket) => {
    socket.on('error', () => {});
    socket.resetAndDestroy();
  });
  return { port: await listenOnLoopback(server), seen: { begun: 0, over: 0 }, ...closing(server, sockets) };
}

function closing(server: net.Server, open: Set<net.Socket>): Pick<FaultUpstream, 'open' | 'dropAll' | 'close'> {
  const dropAll = (): void => {
    for (const socket of open) socket.destroy();
  };
  return {
    open,
    dropAll,
    close: async () => {
      dropAll();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}
