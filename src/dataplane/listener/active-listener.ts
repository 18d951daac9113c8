// One listener at run time: its index and chains of the running snapshot, its connections, its counters. The socket it
// accepts on belongs to the manager, because a reload may hand it on.
import type net from 'node:net';
import type { ListenerIndex } from '../../decide/snapshot-index.js';
import type { FilterChain, SocketAddress } from '../../xds/index.js';
import type { DataPlaneContext, HttpServer } from '../downstream-connection.js';
import type { Environment, Timer } from '../environment.js';
import { LiveSet } from '../live-set.js';
import type { StreamObserver } from '../telemetry/stream-info.js';
import type { ClusterManager } from '../upstream/cluster-manager.js';
import { plainAddress } from './accepted-socket.js';
import { ActiveConnection } from './active-connection.js';
import { DeadlineList } from './deadline-list.js';
import { type ListenerStats, listenerStats } from './listener-stats.js';
import type { RunningChain } from './running-chain.js';

/** Envoy's listener_filters_timeout; Istio leaves it (spec dataplane.md §1.4). */
const LISTENER_FILTERS_TIMEOUT = 15_000;

const NEVER: Timer = { cancel: () => {} };

export class ActiveListener {
  readonly name: string;
  readonly stats: ListenerStats;
  readonly filterDeadlines: DeadlineList;
  readonly httpServer: HttpServer;
  /** From the moment when the whole listener drains (removed, or the process ends). */
  draining = false;
  private readonly context: DataPlaneContext;
  private readonly configured: SocketAddress;
  private readonly connections = new LiveSet<ActiveConnection>();
  private readonly handshakeDeadlines = new Map<number, DeadlineList>();
  private currentIndex: ListenerIndex;
  private chains: ReadonlyMap<FilterChain, RunningChain>;
  /** Made when a reload asks: thousands of chains look for themselves. */
  private byFingerprint: Map<string, RunningChain> | undefined = undefined;

  /** `configured` is the address of the listener's own configuration; port 0 for a unix socket. */
  constructor(
    context: DataPlaneContext,
    httpServer: HttpServer,
    index: ListenerIndex,
    chains: ReadonlyMap<FilterChain, RunningChain>,
    configured: SocketAddress,
  ) {
    this.name = index.entry.name;
    this.stats = listenerStats(index.entry.name);
    this.filterDeadlines = new DeadlineList(context.environment, LISTENER_FILTERS_TIMEOUT);
    this.httpServer = httpServer;
    this.context = context;
    this.configured = configured;
    this.currentIndex = index;
    this.chains = chains;
  }

  get environment(): Environment {
    return this.context.environment;
  }

  get observer(): StreamObserver {
    return this.context.observer;
  }

  get index(): ListenerIndex {
    return this.currentIndex;
  }

  /** Clusters of the newest snapshot. */
  clusters(): ClusterManager {
    return this.context.current().clusters;
  }

  get connectionCount(): number {
    return this.connections.size;
  }

  accept(socket: net.Socket): void {
    this.stats.total.value++;
    this.stats.active.value++;
    const connection = new ActiveConnection(this, socket, this.destinationOf(socket));
    this.connections.add(connection);
    connection.start();
  }

  remove(connection: ActiveConnection): void {
    if (!this.connections.delete(connection)) return;
    this.stats.active.value--;
    this.stats.destroyed.value++;
  }

  runningChain(chain: FilterChain): RunningChain {
    const running = this.chains.get(chain);
    if (running === undefined) throw new Error(`chain ${chain.label} is not of listener ${this.name}`);
    return running;
  }

  /** The running chain of the same configuration, for a next version of the listener. */
  findChain(fingerprint: string): RunningChain | undefined {
    if (this.byFingerprint === undefined) {
      this.byFingerprint = new Map();
      for (const running of this.chains.values()) this.byFingerprint.set(running.fingerprint, running);
    }
    return this.byFingerprint.get(fingerprint);
  }

  allChains(): Iterable<RunningChain> {
    return this.chains.values();
  }

  /**
   * In-place update: new connections see the new chains; connections of chains that are no more, or not the same, are
   * returned for draining. Those before chain selection choose among the new ones.
   */
  update(index: ListenerIndex, chains: ReadonlyMap<FilterChain, RunningChain>): readonly ActiveConnection[] {
    this.currentIndex = index;
    this.chains = chains;
    this.byFingerprint = undefined;
    const kept = new Set<string>();
    for (const { fingerprint } of chains.values()) kept.add(fingerprint);
    const leaving: ActiveConnection[] = [];
    for (const connection of this.connections) {
      if (connection.chain !== undefined && !kept.has(connection.chain.fingerprint)) leaving.push(connection);
    }
    return leaving;
  }

  /** The whole listener drains; returns the connections that are to be closed at the end of the drain time. */
  drain(): readonly ActiveConnection[] {
    this.draining = true;
    const all = [...this.connections];
    for (const connection of all) connection.drain();
    return all;
  }

  /** Ends every connection at once. */
  destroyConnections(): void {
    for (const connection of [...this.connections]) connection.destroy();
  }

  handshakeDeadline(milliseconds: number, expire: () => void): Timer {
    if (milliseconds <= 0) return NEVER;
    let list = this.handshakeDeadlines.get(milliseconds);
    if (list === undefined) {
      list = new DeadlineList(this.environment, milliseconds);
      this.handshakeDeadlines.set(milliseconds, list);
    }
    return list.add(expire);
  }

  // In configured terms: the port is the container's whatever was bound, and a listener with an address of its own was
  // dialled there.
  private destinationOf(socket: net.Socket): SocketAddress {
    const { address, port } = this.configured;
    const wildcard = address === '0.0.0.0' || address === '::' || address === '';
    return { address: wildcard ? plainAddress(socket.localAddress) : address, port };
  }
}
