// nghttp2 stops reading for good once it has given a connection up, and node:http2 tells nobody: not of the peer's FIN
// either, so streams and sockets would be kept for ever (a peer that breaks the protocol and leaves).
import type net from 'node:net';
import type { Environment } from '../environment.js';

/** Milliseconds between two looks at whether the peer is still there. */
const LOOK = 2000;

/** The handle below a socket; as old as `net`, though not documented. */
interface ReadableHandle {
  readonly _handle?: { readonly readStart?: () => void } | null;
}

/** Makes the socket of an HTTP/2 session read on, until it is closed; all that this can bring to a dead session is the end. */
export function keepReading(socket: net.Socket, { setTimer }: Pick<Environment, 'setTimer'>): void {
  const arm = (): ReturnType<Environment['setTimer']> =>
    setTimer(LOOK, () => {
      if (socket.destroyed) return;
      (socket as ReadableHandle)._handle?.readStart?.();
      timer = arm();
    });
  let timer = arm();
  socket.once('close', () => timer.cancel());
}
