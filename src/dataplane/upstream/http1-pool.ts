// HTTP/1.1 connections to one host (spec dataplane.md §5.4, destinations.md §9.2, §9.3): last used first, one request at
// a time, requests wait while a connection is being made, circuit breakers as Envoy checks them.
import type { Environment, Timer } from '../environment.js';
import type { ConnectFailure, Host, UpstreamCluster, UpstreamConnectOptions } from './cluster-manager.js';
import type { StreamRequest, UpstreamPool } from './http-stream.js';
import { Http1Connection, type Http1ConnectionOwner } from './http1-client.js';
import type { PoolSettings } from './pool-settings.js';
import { CodecReads, ReadBuffers } from './read-buffers.js';

const OVERFLOW: ConnectFailure = { reason: 'overflow', transportFailure: '' };

const BUSY = Number.POSITIVE_INFINITY;

interface Entry {
  /** Holds a slot of max_connections; the first connection of a host exists without one if need be. */
  readonly counted: boolean;
  /** Looks for idleness. */
  timer: Timer | undefined;
  /** Wall clock milliseconds since which it carries nothing. */
  idleSince: number;
  /** Until the connection has lived as long as it may. */
  lifetime: Timer | undefined;
  expired: boolean;
  /** Holds a slot of max_requests. */
  busy: boolean;
}

/** Holds the slots of max_connections, max_pending_requests and max_requests for what it runs. */
export class Http1Pool implements UpstreamPool, Http1ConnectionOwner {
  private readonly environment: Environment;
  private readonly cluster: UpstreamCluster;
  private readonly host: Host;
  private readonly options: UpstreamConnectOptions;
  private readonly settings: PoolSettings;
  private readonly connections = new Map<Http1Connection, Entry>();
  private readonly idle: Http1Connection[] = [];
  private readonly pending: PendingRequest[] = [];
  private readonly dials = new Set<{ cancel(): void }>();
  private dialling = 0;
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
    const pending = new PendingRequest(request, this);
    process.nextTick(beginRequest, this, pending, this.idle.pop());
    return pending;
  }

  /** @internal A turn after `newStream`: the connection may have died, or the caller left, in between. */
  begin(request: PendingRequest, ready: Http1Connection | undefined): void {
    if (ready === undefined || !this.connections.has(ready)) this.enqueue(request);
    else if (request.cancelled) this.onIdle(ready);
    else this.attach(request, ready);
  }

  close(): void {
    this.closed = true;
    for (const connection of this.idle.splice(0)) connection.close();
  }

  onIdle(connection: Http1Connection): void {
    const entry = this.connections.get(connection);
    if (entry === undefined) return;
    this.releaseRequest(entry);
    const isSpent = entry.expired || connection.served >= this.settings.maxRequestsPerConnection;
    // A pool that is closed still serves who waits in it.
    const next = isSpent ? undefined : this.takePending();
    if (next !== undefined) {
      this.attach(next, connection);
      return;
    }
    if (isSpent || this.closed) {
      connection.close();
      return;
    }
    this.idle.push(connection);
    if (this.settings.idleTimeout === 0) return;
    entry.idleSince = this.environment.now();
    if (entry.timer === undefined) this.startIdleTimer(connection, entry, this.settings.idleTimeout);
  }

  /** One timer per connection, which is not moved with each request: it looks how things are when it runs out. */
  private startIdleTimer(connection: Http1Connection, entry: Entry, milliseconds: number): void {
    entry.timer = this.environment.setTimer(milliseconds, () => {
      entry.timer = undefined;
      if (entry.idleSince === BUSY) return;
      const left = entry.idleSince + this.settings.idleTimeout - this.environment.now();
      if (left > 0) this.startIdleTimer(connection, entry, Math.ceil(left));
      else connection.close();
    });
  }

  onClosed(connection: Http1Connection): void {
    const entry = this.connections.get(connection);
    if (entry === undefined) return;
    this.connections.delete(connection);
    entry.timer?.cancel();
    entry.lifetime?.cancel();
    this.releaseRequest(entry);
    if (entry.counted) this.cluster.circuit.release('connection');
    const at = this.idle.indexOf(connection);
    if (at !== -1) this.idle.splice(at, 1);
    this.dialForPending();
  }

  /** From a pending request that nobody waits for any more. */
  drop(request: PendingRequest): void {
    const at = this.pending.indexOf(request);
    if (at === -1) return;
    this.pending.splice(at, 1);
    this.cluster.circuit.release('pending');
    // Envoy gives up connections that nobody waits for.
    if (this.pending.length === 0) for (const dial of [...this.dials]) dial.cancel();
  }

  private enqueue(request: PendingRequest): void {
    if (request.cancelled) return;
    if (!this.cluster.circuit.tryAcquire('pending')) {
      request.fail(OVERFLOW, false);
      return;
    }
    this.pending.push(request);
    this.dialForPending();
  }

  private takePending(): PendingRequest | undefined {
    const next = this.pending.shift();
    if (next !== undefined) this.cluster.circuit.release('pending');
    return next;
  }

  private attach(request: PendingRequest, connection: Http1Connection): void {
    const entry = this.connections.get(connection) as Entry;
    entry.idleSince = BUSY;
    if (!this.cluster.circuit.tryAcquire('request')) {
      request.fail(OVERFLOW, true);
      this.onIdle(connection);
      return;
    }
    entry.busy = true;
    this.host.activeRequests++;
    request.start(connection);
  }

  private releaseRequest(entry: Entry): void {
    if (!entry.busy) return;
    entry.busy = false;
    this.host.activeRequests--;
    this.cluster.circuit.release('request');
  }

  // A connection that is due serves its request to the end (Envoy drains it).
  private limitLifetime(connection: Http1Connection, entry: Entry): void {
    if (this.settings.maxConnectionDuration === 0) return;
    entry.lifetime = this.environment.setTimer(this.settings.maxConnectionDuration, () => {
      this.cluster.countMaxDuration?.();
      entry.expired = true;
      if (this.idle.includes(connection)) connection.close();
    });
  }

  private dialForPending(): void {
    while (this.dialling < this.pending.length) {
      const counted = this.cluster.circuit.tryAcquire('connection');
      if (!counted && this.connections.size + this.dialling > 0) return;
      this.dial(counted);
    }
  }

  private dial(counted: boolean): void {
    this.dialling++;
    let over = false;
    const finish = (): boolean => {
      if (over) return false;
      over = true;
      this.dialling--;
      this.dials.delete(dial);
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
          const connection = new Http1Connection(socket, info.localAddress, this);
          reads.reader = connection;
          const entry: Entry = {
            counted,
            timer: undefined,
            idleSince: BUSY,
            lifetime: undefined,
            expired: false,
            busy: false,
          };
          this.connections.set(connection, entry);
          this.limitLifetime(connection, entry);
          this.onIdle(connection);
        },
        failed: (failure) => {
          if (!finish()) return;
          if (counted) this.cluster.circuit.release('connection');
          // Envoy fails every request that waits in this pool.
          for (let next = this.takePending(); next !== undefined; next = this.takePending()) next.fail(failure, false);
        },
      },
    );
    const dial = {
      cancel: (): void => {
        if (!finish()) return;
        handle.cancel();
        if (counted) this.cluster.circuit.release('connection');
      },
    };
    if (!over) this.dials.add(dial);
  }
}

function beginRequest(pool: Http1Pool, request: PendingRequest, ready: Http1Connection | undefined): void {
  pool.begin(request, ready);
}

class PendingRequest {
  cancelled = false;
  private readonly request: StreamRequest;
  private readonly pool: Http1Pool;

  constructor(request: StreamRequest, pool: Http1Pool) {
    this.request = request;
    this.pool = pool;
  }

  cancel(): void {
    if (this.cancelled) return;
    this.cancelled = true;
    this.pool.drop(this);
  }

  fail(failure: ConnectFailure, attached: boolean): void {
    this.cancelled = true;
    this.request.failed(failure, attached);
  }

  start(connection: Http1Connection): void {
    this.cancelled = true;
    const stream = connection.begin(this.request.head, this.request.listener);
    this.request.ready(stream, { localAddress: connection.localAddress });
  }
}
