// The one service behind a gateway that is measured: it answers as fast as it can and looks at nothing. HTTP/1.1 and
// HTTP/2 requests get `200 ok`, a TLS hello gets 64 bytes (nobody behind a passthrough chain checks them).
import http2 from 'node:http2';
import net from 'node:net';

/** It runs. */
export interface BenchUpstream {
  readonly port: number;
  close(): void;
}

const ANSWER = Buffer.from('HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 2\r\n\r\nok');
const BYTES = Buffer.alloc(64, 0x61);
const END_OF_HEAD = Buffer.from('\r\n\r\n');
const HANDSHAKE = 22;
const PREFACE = 'PRI * HTTP/2.0';

/** On a port of the system's choice, loopback only. */
export async function startBenchUpstream(): Promise<BenchUpstream> {
  const second = http2.createServer((_request, response) => response.end('ok'));
  const sockets = new Set<net.Socket>();
  const server = net.createServer({ noDelay: true }, (socket) => {
    sockets.add(socket);
    socket.on('error', () => socket.destroy());
    socket.on('close', () => sockets.delete(socket));
    socket.once('data', (chunk: Buffer) => {
      if (chunk[0] === HANDSHAKE) socket.write(BYTES);
      else if (chunk.toString('latin1', 0, PREFACE.length) === PREFACE) {
        socket.pause();
        socket.unshift(chunk);
        second.emit('connection', socket);
      } else answer(socket, chunk);
    });
  });
  await new Promise<void>((resolve) => server.listen({ port: 0, host: '127.0.0.1', backlog: 4096 }, resolve));
  const address = server.address();
  return {
    port: typeof address === 'object' && address !== null ? address.port : 0,
    close: () => {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}

/** Sample requests have no body, so a request ends where its head does. */
function answer(socket: net.Socket, first: Buffer): void {
  let rest: Buffer | undefined;
  const read = (chunk: Buffer): void => {
    const bytes = rest === undefined ? chunk : Buffer.concat([rest, chunk]);
    let at = 0;
    for (let end = bytes.indexOf(END_OF_HEAD); end !== -1; end = bytes.indexOf(END_OF_HEAD, at)) {
      at = end + END_OF_HEAD.length;
      socket.write(ANSWER);
    }
    rest = at < bytes.length ? bytes.subarray(at) : undefined;
  };
  read(first);
  socket.on('data', read);
}
