// The real outside world: sockets, clock, chance and DNS of this machine.
import { randomFillSync } from 'node:crypto';
import { Resolver } from 'node:dns/promises';
import net from 'node:net';
import type { Environment, ListenAddress, Timer } from '../dataplane/environment.js';
import { isLoopback } from '../xds/index.js';

/** Where listeners are really bound. */
export interface BindSettings {
  /** Where wildcard listeners are bound; default 127.0.0.1. */
  readonly address: string;
  /** Container port → port to bind (0 = any); ports that are not here are bound as they are. */
  readonly ports: ReadonlyMap<number, number>;
  /** For ports that are not in the map; default: as they are. */
  readonly otherwise?: number;
}

/** The real world: wall clock, Node's sockets and DNS. `bind` is asked at each `listen`, so ports may be set after this. */
export function createEnvironment(bind: () => BindSettings): Environment {
  const uuids = new UuidSource();
  return {
    now: () => performance.timeOrigin + performance.now(),
    random: Math.random,
    uuid: () => uuids.next(),
    setTimer: startTimer,
    listen: (server, address) => listen(server, address, bind()),
    connect: (address, port, options) =>
      address.startsWith('/') || address.startsWith('@')
        ? net.connect({ ...options, path: address.startsWith('@') ? `\0${address.slice(1)}` : address })
        : net.connect({ ...options, host: address, port, autoSelectFamily: false }),
    lookup: async (hostname, family) => {
      // /etc/hosts counts as well as DNS: names of development machines live there. It knows no TTL.
      const resolver = new Resolver();
      try {
        const records =
          family === 4
            ? await resolver.resolve4(hostname, { ttl: true })
            : await resolver.resolve6(hostname, { ttl: true });
        return records;
      } catch (error) {
        const { lookup } = await import('node:dns/promises');
        const found = await lookup(hostname, { family, all: true }).catch(() => {
          throw error;
        });
        return found.map(({ address }) => ({ address, ttl: 60 }));
      }
    },
  };
}

/** What setTimeout can count, nearly 25 days; it fires at once when asked for more. */
const LONGEST = 0x7fffffff;

function startTimer(milliseconds: number, run: () => void): Timer {
  let left = milliseconds;
  const start = (): NodeJS.Timeout => {
    const part = Math.min(left, LONGEST);
    left -= part;
    return setTimeout(() => {
      if (left > 0) timer = start();
      else run();
    }, part).unref();
  };
  let timer = start();
  return { cancel: () => clearTimeout(timer) };
}

function listen(
  server: net.Server,
  wanted: ListenAddress,
  bind: BindSettings,
): Promise<{ address: string; port: number }> {
  return new Promise((resolve, reject) => {
    const fail = (error: Error): void => {
      server.off('listening', done);
      reject(error);
    };
    const done = (): void => {
      server.off('error', fail);
      const bound = server.address();
      if (bound === null || typeof bound === 'string') resolve({ address: bound ?? '', port: 0 });
      else resolve({ address: bound.address, port: bound.port });
    };
    server.once('error', fail);
    server.once('listening', done);
    if (wanted.path !== undefined) {
      server.listen({ path: wanted.path });
      return;
    }
    const wildcard = wanted.host === '0.0.0.0' || wanted.host === '::';
    // A `bind` that is no address of loopback belongs to the gateway pod, not to this machine.
    const host = wildcard || !isLoopback(wanted.host) ? bind.address : wanted.host;
    server.listen({ host, port: bind.ports.get(wanted.port) ?? bind.otherwise ?? wanted.port, backlog: 4096 });
  });
}

const HEX = Buffer.from('0123456789abcdef');

// One system call per 256 identifiers instead of one each (performance.md §5.7). Written as bytes and made a string at
// once: put together from pieces, each identifier cost 700 bytes of heap.
class UuidSource {
  private readonly pool = Buffer.allocUnsafe(4096);
  private readonly text = Buffer.allocUnsafe(36);
  private offset = 4096;

  next(): string {
    const { pool, text } = this;
    if (this.offset === 4096) {
      randomFillSync(pool);
      this.offset = 0;
    }
    const at = this.offset;
    this.offset += 16;
    pool[at + 6] = ((pool[at + 6] as number) & 0x0f) | 0x40;
    pool[at + 8] = ((pool[at + 8] as number) & 0x3f) | 0x80;
    let to = 0;
    for (let i = 0; i < 16; i++) {
      if (i === 4 || i === 6 || i === 8 || i === 10) text[to++] = 0x2d;
      const byte = pool[at + i] as number;
      text[to++] = HEX[byte >> 4] as number;
      text[to++] = HEX[byte & 15] as number;
    }
    return text.toString('latin1');
  }
}
