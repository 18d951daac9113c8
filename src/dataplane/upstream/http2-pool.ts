// HTTP/2 connections to one host (spec dataplane.md §5.4): one connection until its stream limit, then another; requests
// wait while the first one is being made.
import type { Environment, Timer } from '../environment.js';
import type { ConnectFailure, Host, UpstreamCluster, UpstreamConnectOptions } from './cluster-manager.js';
import type { StreamRequest, UpstreamPool, UpstreamStreamListener } from './http-stream.js';
import { Http2Connection, type Http2ConnectionOwner } from './http2-client.js';
import type { PoolSettings } from './pool-settings.js';
import { CodecReads, ReadBuffers } from './read-buffers.js';

const OVERFLOW: ConnectFailure = { reason: 'overflow', transportFailure: '' };

interface Entry {
  readonly counted: boolean;
  timer: Timer | undefined;
  /** Until the connection has lived as long as it may. */
  lifetime: Timer | undefined;
  expired: boolean;
}

/** Holds the slots of max_connections, max_pending_requests and max_requests for what it runs. */
export class Http2Pool implements UpstreamPool, Http2ConnectionOwner {
  private readonly environment: Environment;
  private readonly cluster: UpstreamCluster;
  private readonly host: Host;
  private readonly options: UpstreamConnectOptions;
  private readonly settings: PoolSettings;
  /** Live connections and whether each holds a slot of max_connections. */
  private readonly connections = new Map<Http2Connection, Entry>();
  private readonly pending: { request: StreamRequest; cancelled: boolean }[] = [];
  private dialling: { cancel(): void } | undefined = undefined;
  private closed = false;

  constructor(
    environment: Environment,
    cluster: UpstreamCluster,
    host: Host,
    options: UpstreamConnectOptions,
    settings: PoolSettings,
  ) {
    this.environment = environment;
    this.cluster = cluster;
    this.host = host;
    this.options = options;
    this.settings = settings;
  }

  newStream(request: StreamRequest): { cancel(): void } {
    const waiting = { request, cancelled: false };
    queueMicrotask(() => {
      if (waiting.cancelled) return;
      const connection = this.pick();
      if (connection !== undefined) {
        this.attach(request, connection);
        return;
      }
      if (!this.cluster.circuit.tryAcquire('pending')) {
        request.failed(OVERFLOW, false);
        return;
      }
      this.pending.push(waiting);
      this.dial();
    });
    return {
      cancel: () => {
        if (waiting.cancelled) return;
        waiting.cancelled = true;
        const at = this.pending.indexOf(waiting);
        if (at === -1) return;
        this.pending.splice(at, 1);
        this.cluster.circuit.release('pending');
        if (this.pending.length === 0) this.dialling?.cancel();
      },
    };
  }

  close(): void {
    this.closed = true;
    for (const connection of [...this.connections.keys()]) connection.close();
  }

  onStreamOver(connection: Http2Connection): void {
    this.host.activeRequests--;
    this.cluster.circuit.release('request');
    const isSpent =
      this.connections.get(connection)?.expired === true || connection.served >= this.settings.maxRequestsPerConnection;
    if (isSpent || this.closed) connection.close();
    else if (connection.active === 0) this.armIdle(connection);
    this.serve();
  }

  onMoreStreams(): void {
    this.serve();
  }

  onKeepAliveTimeout(): void {
    this.cluster.countKeepAliveTimeout?.();
  }

  onClosed(connection: Http2Connection): void {
    const entry = this.connections.get(connection);
    if (entry === undefined) return;
    this.connections.delete(connection);
    entry.timer?.cancel();
    entry.lifetime?.cancel();
    if (entry.counted) this.cluster.circuit.release('connection');
    if (this.pending.length > 0) this.dial();
  }

  private pick(): Http2Connection | undefined {
    for (const [connection, { expired }] of this.connections) {
      if (!expired && connection.served < this.settings.maxRequestsPerConnection && connection.canTake())
        return connection;
    }
    return undefined;
  }

  private serve(): void {
    while (this.pending.length > 0) {
      const connection = this.pick();
      if (connection === undefined) {
        this.dial();
        return;
      }
      const next = this.pending.shift();
      this.cluster.circuit.release('pending');
      if (next !== undefined && !next.cancelled) {
        next.cancelled = true;
        this.attach(next.request, connection);
      }
    }
  }

  private attach(request: StreamRequest, connection: Http2Connection): void {
    if (!this.cluster.circuit.tryAcquire('request')) {
      request.failed(OVERFLOW, true);
      return;
    }
    const entry = this.connections.get(connection);
    if (entry !== undefined) {
      entry.timer?.cancel();
      entry.timer = undefined;
    }
    this.host.activeRequests++;
    const listener: UpstreamStreamListener = request.listener;
    request.ready(connection.begin(request.head, listener), { localAddress: connection.localAddress });
  }

  private armIdle(connection: Http2Connection): void {
    const entry = this.connections.get(connection);
    if (entry === undefined || this.settings.idleTimeout === 0) return;
    entry.timer?.cancel();
    entry.timer = this.environment.setTimer(this.settings.idleTimeout, () => connection.close());
  }

  // A connection that is due serves its streams to the end (Envoy drains it).
  private limitLifetime(connection: Http2Connection, entry: Entry): void {
    if (this.settings.maxConnectionDuration === 0) return;
    entry.lifetime = this.environment.setTimer(this.settings.maxConnectionDuration, () => {
      this.cluster.countMaxDuration?.();
      entry.expired = true;
      if (connection.active === 0) connection.close();
    });
  }

  private dial(): void {
    if (this.dialling !== undefined) return;
    const counted = this.cluster.circuit.tryAcquire('connection');
    if (!counted && this.connections.size > 0) return;
    let over = false;
    const finish = (): boolean => {
      if (over) return false;
      over = true;
      this.dialling = undefined;
      return true;
    };
    const reads = new CodecReads();
    const handle = this.cluster.connect(
      this.host,
      { ...this.options, onread: new ReadBuffers(reads) },
      {
        connected: (socket, info) => {
          if (!finish()) {
            socket.destroy();
            return;
          }
          const { environment } = this;
          const { maxConcurrentStreams: maxStreams, keepAlive } = this.settings;
          const connection = new Http2Connection(
            socket,
            info.localAddress,
            { environment, maxStreams, keepAlive },
            this,
          );
          reads.reader = connection;
          const entry: Entry = { counted, timer: undefined, lifetime: undefined, expired: false };
          this.connections.set(connection, entry);
          this.limitLifetime(connection, entry);
          this.serve();
          if (connection.active > 0) return;
          if (this.closed) connection.close();
          else this.armIdle(connection);
        },
        failed: (failure) => {
          if (!finish()) return;
          if (counted) this.cluster.circuit.release('connection');
          for (const waiting of this.pending.splice(0)) {
            this.cluster.circuit.release('pending');
            waiting.cancelled = true;
            waiting.request.failed(failure, false);
          }
        },
      },
    );
    if (over) return;
    this.dialling = {
      cancel: () => {
        if (!finish()) return;
        handle.cancel();
        if (counted) this.cluster.circuit.release('connection');
      },
    };
  }
}
