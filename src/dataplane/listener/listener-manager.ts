// Listeners of the running snapshot and their sockets. A reload binds what is new before it touches anything, then swaps
// in one go, then drains what is no more (style P10, spec dataplane.md §1.7).
import net from 'node:net';
import type { FilterChain, ListenerEntry, SocketAddress } from '../../xds/index.js';
import type { DataPlaneContext, HttpServer, RunningSnapshot } from '../downstream-connection.js';
import type { ListenAddress } from '../environment.js';
import { counter, gauge } from '../telemetry/stats.js';
import { Turns } from '../turns.js';
import { plainAddress, resetSocket } from './accepted-socket.js';
import type { ActiveConnection } from './active-connection.js';
import { ActiveListener } from './active-listener.js';
import { chainFingerprint, RunningChain, TlsContexts } from './running-chain.js';

export interface BoundPort {
  readonly name: string;
  /** As configured: the container port. */
  readonly port: number;
  /** Where it really listens: an IP, or the path of a unix socket. */
  readonly address: string;
  readonly boundPort: number;
}

export interface BindFailure {
  readonly name: string;
  readonly port: number;
  readonly address: string;
  /** Where it was to be bound, as `address:port` or path; unlike the above where `Environment.listen` translates. */
  readonly tried: string;
  /** Node's error code: EADDRINUSE, EACCES, EADDRNOTAVAIL. */
  readonly code: string;
}

/** With failures nothing was changed: `bound` is what ran before and still runs. */
export interface ApplyReport {
  readonly bound: readonly BoundPort[];
  readonly failed: readonly BindFailure[];
}

/** How long the end of the last connections may take once they have been destroyed. */
const CLOSE_PATIENCE = 1000;
/** `--drain-time-s 45` of Istio's agent. */
const DRAIN_TIME = 45_000;

/** A listening socket and who serves its connections. Several listeners share one where the system allows no other way. */
class ListeningSocket {
  readonly server: net.Server;
  readonly address: ListenAddress;
  boundPort = 0;
  boundAddress = '';
  /** Serves what no entry of `byAddress` wants; `undefined` while nobody does: the connection is reset. */
  listener: ActiveListener | undefined = undefined;
  /** Listeners with an address of their own on this wildcard socket: the specific address wins. */
  readonly byAddress = new Map<string, ActiveListener>();

  constructor(address: ListenAddress) {
    this.address = address;
    // Paused: a connection without listener filters must not be read before its upstream is there.
    this.server = net.createServer({ allowHalfOpen: true, pauseOnConnect: true, noDelay: true }, (socket) =>
      this.accept(socket),
    );
  }

  private accept(socket: net.Socket): void {
    const specific = this.byAddress.size === 0 ? undefined : this.byAddress.get(plainAddress(socket.localAddress));
    const listener = specific ?? this.listener;
    if (listener === undefined) resetSocket(socket);
    else listener.accept(socket);
  }

  close(): void {
    this.server.close();
  }
}

interface Place {
  readonly listener: ActiveListener;
  readonly socket: ListeningSocket;
  readonly address: ListenAddress;
}

interface Warmed {
  readonly entry: ListenerEntry;
  readonly chains: ReadonlyMap<FilterChain, RunningChain>;
  readonly address: ListenAddress;
  readonly existing: Place | undefined;
  /** Where it will be served: bound now, kept, or shared with a wildcard listener of the same port. */
  socket: ListeningSocket | undefined;
}

export class ListenerManager {
  private readonly context: DataPlaneContext;
  private readonly httpServer: HttpServer;
  private readonly contexts = new TlsContexts();
  private places = new Map<string, Place>();
  private readonly leaving = new Set<ActiveListener>();
  private queue: Promise<unknown> = Promise.resolve();
  private closed = false;

  constructor(context: DataPlaneContext, httpServer: HttpServer) {
    this.context = context;
    this.httpServer = httpServer;
  }

  /**
   * Makes `next` the running snapshot. `commit` is called once everything is bound, in the same turn in which the
   * listeners switch over: the caller swaps its own reference there. With bind failures it is not called.
   */
  apply(next: RunningSnapshot, commit: () => void = () => {}): Promise<ApplyReport> {
    const applied = this.queue.then(() => this.applyNow(next, commit));
    // Whoever called hears of a failure; the queue only says whose turn it is.
    this.queue = applied.catch(() => undefined);
    return applied;
  }

  get bound(): readonly BoundPort[] {
    return [...this.places.values()].map(({ listener, socket, address }) => ({
      name: listener.name,
      port: address.port,
      address: socket.boundAddress,
      boundPort: socket.boundPort,
    }));
  }

  /** Connections of all listeners, draining ones included. */
  get connectionCount(): number {
    let count = 0;
    for (const { listener } of this.places.values()) count += listener.connectionCount;
    for (const listener of this.leaving) count += listener.connectionCount;
    return count;
  }

  /** Graceful drain of the process: answers say `connection: close`, new connections are still accepted. */
  drain(): void {
    for (const { listener } of this.places.values()) listener.drain();
  }

  /** Drains for that many milliseconds, then ends everything; resolves when every socket is closed. */
  async close(drainTime = 0): Promise<void> {
    if (this.closed) return;
    this.closed = true;
    await this.queue.catch(() => undefined);
    this.drain();
    // New connections are still accepted while a gateway drains (spec dataplane.md §8.1).
    if (drainTime > 0 && this.connectionCount > 0) await this.waitForConnections(drainTime);
    const ended = Promise.all([...this.sockets()].map(({ server }) => closeServer(server)));
    this.httpServer.closeAll();
    for (const { listener } of this.places.values()) listener.destroyConnections();
    for (const listener of this.leaving) listener.destroyConnections();
    this.places.clear();
    this.leaving.clear();
    // The ports are free at once; only Node's count of connections is waited for, and that may be wrong for good (a
    // socket that was reset after its FIN).
    await Promise.race([ended, this.patience()]);
  }

  private patience(): Promise<void> {
    return new Promise((resolve) => this.context.environment.setTimer(CLOSE_PATIENCE, resolve));
  }

  private async applyNow(next: RunningSnapshot, commit: () => void): Promise<ApplyReport> {
    if (this.closed) return { bound: [], failed: [] };
    await next.clusters.ready?.();
    const warmed = await this.warm(next);
    const failed = await this.bind(warmed);
    if (failed.length > 0) {
      counter('listener_manager.listener_create_failure').value += failed.length;
      return { bound: this.bound, failed };
    }
    commit();
    next.clusters.activate?.();
    this.swap(next, warmed);
    return { bound: this.bound, failed: [] };
  }

  private async warm(next: RunningSnapshot): Promise<Warmed[]> {
    const warmed: Warmed[] = [];
    const turns = new Turns();
    for (const entry of next.snapshot.listeners) {
      const { listener } = entry;
      // 'warming' counts as active: its chains that lack a Secret are NOT READY (spec gateway.md §8.6).
      if (listener === undefined || entry.state === 'error') continue;
      const existing = this.places.get(entry.name);
      const chains = new Map<FilterChain, RunningChain>();
      for (const chain of listener.filter_chains) {
        if (turns.isOver()) await turns.next();
        const fingerprint = chainFingerprint(chain);
        const previous = existing?.listener.findChain(fingerprint);
        chains.set(
          chain,
          new RunningChain(chain, entry.name, next.snapshot.secrets, this.contexts, fingerprint, previous),
        );
      }
      warmed.push({ entry, chains, address: addressOf(entry), existing, socket: existing?.socket });
    }
    return warmed;
  }

  // Wildcards first: a specific address on the same port then shares the wildcard's socket where it cannot have its own
  // (Linux refuses the second one; Envoy gets around it with SO_REUSEPORT).
  private async bind(warmed: readonly Warmed[]): Promise<BindFailure[]> {
    const fresh: ListeningSocket[] = [];
    const failed: BindFailure[] = [];
    const order = [...warmed].sort((a, b) => Number(isWildcard(b.address)) - Number(isWildcard(a.address)));
    const displaced: ListeningSocket[] = [];
    for (const item of order) {
      if (item.socket !== undefined) continue;
      const socket = new ListeningSocket(item.address);
      const refusal = await this.listen(socket);
      if (refusal === undefined) {
        fresh.push(socket);
        item.socket = socket;
        continue;
      }
      const shared = refusal.code === 'EADDRINUSE' ? this.wildcardSocket(item, warmed) : undefined;
      if (shared !== undefined) {
        item.socket = shared;
        continue;
      }
      if (
        refusal.code === 'EADDRINUSE' &&
        isWildcard(item.address) &&
        (await this.displace(item, warmed, socket, displaced))
      ) {
        fresh.push(socket);
        continue;
      }
      failed.push({
        name: item.entry.name,
        port: item.address.port,
        address: item.address.path ?? item.address.host,
        ...refusal,
      });
    }
    if (failed.length > 0) {
      for (const socket of fresh) socket.close();
      for (const socket of displaced) await this.listen(socket);
    }
    return failed;
  }

  private wildcardSocket(item: Warmed, warmed: readonly Warmed[]): ListeningSocket | undefined {
    if (isWildcard(item.address) || item.address.path !== undefined) return undefined;
    return warmed.find(
      (other) => other.socket !== undefined && isWildcard(other.address) && other.address.port === item.address.port,
    )?.socket;
  }

  // A wildcard listener appears on a port of which single addresses are bound: those give way and share its socket.
  private async displace(
    item: Warmed,
    warmed: readonly Warmed[],
    socket: ListeningSocket,
    displaced: ListeningSocket[],
  ): Promise<boolean> {
    const own = [...this.sockets()].filter(
      (other) =>
        !isWildcard(other.address) && other.address.path === undefined && other.address.port === item.address.port,
    );
    if (own.length === 0) return false;
    for (const other of own) {
      other.close();
      displaced.push(other);
    }
    if ((await this.listen(socket)) !== undefined) return false;
    item.socket = socket;
    for (const other of warmed) if (other.socket !== undefined && own.includes(other.socket)) other.socket = socket;
    return true;
  }

  private async listen(socket: ListeningSocket): Promise<Pick<BindFailure, 'tried' | 'code'> | undefined> {
    try {
      const bound = await this.context.environment.listen(socket.server, socket.address);
      socket.boundPort = bound.port;
      socket.boundAddress = bound.address;
      // A listening socket that breaks later (file descriptors) keeps the process alive.
      socket.server.on('error', () => {});
      return undefined;
    } catch (error) {
      const facts: NodeJS.ErrnoException & { address?: unknown; port?: unknown } =
        error instanceof Error ? error : new Error(String(error));
      const host = String(facts.address ?? socket.address.path ?? socket.address.host);
      const port = socket.address.path === undefined ? `:${Number(facts.port ?? socket.address.port)}` : '';
      return {
        tried: `${host.includes(':') ? `[${host}]` : host}${port}`,
        code: facts.code ?? 'EUNKNOWN',
      };
    }
  }

  // No await from here on: connections see either all of the old or all of the new.
  private swap(next: RunningSnapshot, warmed: readonly Warmed[]): void {
    const places = new Map<string, Place>();
    const draining: ActiveConnection[] = [];
    for (const { entry, chains, address, existing, socket } of warmed) {
      const index = next.index.listeners.get(entry.name);
      if (index === undefined || socket === undefined) continue;
      let listener = existing?.listener;
      if (listener === undefined) {
        listener = new ActiveListener(this.context, this.httpServer, index, chains, configuredOf(address));
        counter('listener_manager.listener_added').value++;
      } else {
        draining.push(...listener.update(index, chains));
        counter('listener_manager.listener_modified').value++;
      }
      places.set(entry.name, { listener, socket, address });
    }
    // A version that Envoy refuses leaves the one before in place (§1.7).
    for (const entry of next.snapshot.listeners) {
      const old = this.places.get(entry.name);
      if (entry.state === 'error' && old !== undefined && !places.has(entry.name)) places.set(entry.name, old);
    }
    const before = this.places;
    const oldSockets = new Set([...before.values()].map(({ socket }) => socket));
    this.places = places;
    this.assign(places);
    const kept = new Set([...places.values()].map(({ socket }) => socket));
    for (const socket of oldSockets) if (!kept.has(socket)) socket.close();
    for (const [name, place] of before) {
      if (places.has(name)) continue;
      counter('listener_manager.listener_removed').value++;
      draining.push(...place.listener.drain());
      this.retire(place.listener);
    }
    gauge('listener_manager.total_listeners_active').value = places.size;
    counter('listener_manager.lds.update_success').value++;
    this.dropContexts();
    this.drainConnections(draining);
  }

  private assign(places: ReadonlyMap<string, Place>): void {
    for (const { socket } of places.values()) {
      socket.byAddress.clear();
      socket.listener = undefined;
    }
    for (const { listener, socket, address } of places.values()) {
      if (sameAddress(socket.address, address)) socket.listener = listener;
      else socket.byAddress.set(address.host, listener);
    }
  }

  private retire(listener: ActiveListener): void {
    if (listener.connectionCount === 0) return;
    this.leaving.add(listener);
  }

  private drainConnections(connections: readonly ActiveConnection[]): void {
    if (connections.length === 0) return;
    for (const connection of connections) connection.drain();
    this.context.environment.setTimer(DRAIN_TIME, () => {
      for (const connection of connections) connection.destroy();
      for (const listener of this.leaving) if (listener.connectionCount === 0) this.leaving.delete(listener);
    });
  }

  private dropContexts(): void {
    const live = new Set<string>();
    for (const { listener } of this.places.values()) {
      for (const { material } of listener.allChains()) if (material !== undefined) live.add(material.key);
    }
    this.contexts.retain(live);
  }

  private sockets(): Set<ListeningSocket> {
    return new Set([...this.places.values()].map(({ socket }) => socket));
  }

  private waitForConnections(limit: number): Promise<void> {
    return new Promise((resolve) => {
      const { environment } = this.context;
      const end = environment.now() + limit;
      const look = (): void => {
        const left = end - environment.now();
        if (left <= 0 || this.connectionCount === 0) resolve();
        else environment.setTimer(Math.min(left, 50), look);
      };
      look();
    });
  }
}

function closeServer(server: net.Server): Promise<void> {
  return new Promise((resolve) => {
    // Resolves when the last connection has gone, too; an error only says that it was closed already.
    server.close(() => resolve());
  });
}

function addressOf(entry: ListenerEntry): ListenAddress {
  const address = entry.listener?.address;
  if (address === undefined) return { host: '', port: 0 };
  if ('pipe' in address) return { host: '', port: 0, path: address.pipe.path };
  return { host: address.socket_address.address, port: address.socket_address.port_value };
}

function configuredOf(address: ListenAddress): SocketAddress {
  return address.path === undefined
    ? { address: address.host, port: address.port }
    : { address: address.path, port: 0 };
}

function isWildcard(address: ListenAddress): boolean {
  return address.path === undefined && (address.host === '0.0.0.0' || address.host === '::');
}

function sameAddress(a: ListenAddress, b: ListenAddress): boolean {
  return a.host === b.host && a.port === b.port && a.path === b.path;
}
