// What accepted sockets need beyond Node's own: plain addresses, and a reset that always ends the socket.
import type net from 'node:net';

/** IPv4 in IPv6 form, as a dual-stack socket reports it, is IPv4. '' when the peer is gone already. */
export function plainAddress(address: string | undefined): string {
  if (address === undefined) return '';
  return address.startsWith('::ffff:') ? address.slice(7) : address;
}

/**
 * Resets the connection (class R of spec dataplane.md §0.3). Only a TCP handle can be reset; a pipe is closed. After a FIN
 * of ours a reset is refused by libuv, and Node would leave the handle open for good: then it is closed.
 */
export function resetSocket(socket: net.Socket): void {
  if (socket.destroyed) return;
  if (socket.writableEnded) {
    socket.destroy();
    return;
  }
  try {
    socket.resetAndDestroy();
  } catch {
    socket.destroy();
  }
}
