// The glue between an HTTP/1 connection and its socket, plain or TLS: the only HTTP/1 code on the downstream side that
// has a socket.
import type net from 'node:net';
import type { CodecSettings } from '../codec-settings.js';
import type { ServerCodec, ServerCodecListener } from '../stream.js';
import { Http1ServerConnection, type Http1Transport } from './server-connection.js';

/** Serves HTTP/1 on a connected socket; what was put back into it is read first. */
export function serveHttp1(socket: net.Socket, settings: CodecSettings, listener: ServerCodecListener): ServerCodec {
  const connection = new Http1ServerConnection(new SocketTransport(socket), settings, listener);
  socket.on('data', (chunk: Buffer) => connection.onBytes(chunk));
  socket.on('drain', () => connection.onDrain());
  socket.on('end', () => connection.onPeerEnd());
  socket.on('close', () => connection.onClosed());
  socket.on('error', ignore); // 'close' follows
  socket.resume();
  return connection;
}

class SocketTransport implements Http1Transport {
  private readonly socket: net.Socket;

  constructor(socket: net.Socket) {
    this.socket = socket;
  }

  write(bytes: string | Uint8Array): boolean {
    return typeof bytes === 'string' ? this.socket.write(bytes, 'latin1') : this.socket.write(bytes);
  }

  writeAll(pieces: readonly (string | Uint8Array)[]): boolean {
    const { socket } = this;
    let more = true;
    socket.cork();
    for (const piece of pieces) more = this.write(piece);
    socket.uncork();
    return more;
  }

  pause(): void {
    this.socket.pause();
  }

  resume(): void {
    this.socket.resume();
  }

  finish(): void {
    this.socket.destroySoon();
  }

  destroy(): void {
    this.socket.destroy();
  }
}

function ignore(): void {}
