// Between a session and its socket: one write a turn, and no more DATA than the socket takes.
import type net from 'node:net';
import type { SessionWriter } from './session-writer.js';

/** Parts up to this size are joined; more of them are given to the socket as they are, in one writev. */
const JOIN_LIMIT = 32 * 1024;

export class SocketWriter {
  private readonly socket: net.Socket;
  private readonly session: SessionWriter;
  private readonly parts: Buffer[] = [];
  private scheduled = false;
  private readonly later: () => void;

  constructor(socket: net.Socket, session: SessionWriter) {
    this.socket = socket;
    this.session = session;
    this.later = () => {
      this.scheduled = false;
      this.flush();
    };
    socket.on('drain', () => {
      session.drained();
      this.flush();
    });
  }

  /** At the end of this turn, together with whatever else is written in it. */
  schedule(): void {
    if (this.scheduled) return;
    this.scheduled = true;
    setImmediate(this.later);
  }

  flush(): void {
    const { socket, session, parts } = this;
    if (socket.destroyed || !socket.writable) return;
    if (socket.writableLength === 0) session.drained();
    session.flush(parts, socket.writableNeedDrain);
    if (parts.length === 1) {
      socket.write(parts[0] as Buffer);
    } else if (parts.length > 1) {
      let bytes = 0;
      for (const part of parts) bytes += part.length;
      if (bytes <= JOIN_LIMIT) {
        socket.write(Buffer.concat(parts, bytes));
      } else {
        socket.cork();
        for (const part of parts) socket.write(part);
        socket.uncork();
      }
    }
    parts.length = 0;
    session.flushed();
  }
}
