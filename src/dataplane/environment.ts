// The outside world as a parameter (P13): sockets, clock, chance, DNS. The real one is made in gateway.ts; the golden
// replay passes one whose `listen` and `connect` translate configured addresses to ports of the operating system.
import type net from 'node:net';

/** Where a listener wants to be bound. */
export interface ListenAddress {
  /** As configured: '0.0.0.0', '127.0.0.3', or a unix socket path in `path`. */
  readonly host: string;
  readonly port: number;
  readonly path?: string;
}

/** A timer that has not run out. */
export interface Timer {
  cancel(): void;
}

/** Everything that the data plane asks of the world; tests and the golden replay pass their own. */
export interface Environment {
  /** Wall clock, milliseconds since the epoch, fractions allowed. */
  readonly now: () => number;
  /** 0 <= n < 1. */
  readonly random: () => number;
  /** Lower-case UUIDv4. */
  readonly uuid: () => string;
  /** Calls `run` once after that many milliseconds; does not keep the process alive. */
  readonly setTimer: (milliseconds: number, run: () => void) => Timer;
  /** Binds `server`; resolves with the address really bound, rejects with Node's error (EADDRINUSE, EACCES). */
  readonly listen: (
    server: net.Server,
    address: ListenAddress,
  ) => Promise<{ readonly address: string; readonly port: number }>;
  /** Dials a configured endpoint. `options` carries allowHalfOpen, onread, noDelay; host and port are the environment's. */
  readonly connect: (address: string, port: number, options: Partial<net.TcpNetConnectOpts>) => net.Socket;
  /** A and AAAA addresses of a name, with TTL in seconds. Rejects like node:dns. */
  readonly lookup: (
    hostname: string,
    family: 4 | 6,
  ) => Promise<readonly { readonly address: string; readonly ttl: number }[]>;
}
