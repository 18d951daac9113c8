// Envoy's tcp_proxy: passthrough, plain TCP, and TLS that ends here and goes on as TCP (spec dataplane.md §6, gateway.md
// §10.3). The upstream is dialled when the chain is chosen, before any byte of the client is forwarded; bytes flow once
// both sides are there.
import type net from 'node:net';
import tls from 'node:tls';
import { chooseTcpCluster } from '../../decide/tcp-cluster.js';
import type { ConnectionFacts, TcpProxy } from '../../xds/index.js';
import { xxHash64 } from '../../xds/xx-hash.js';
import type { Environment, Timer } from '../environment.js';
import type { StreamInfo } from '../telemetry/stream-info.js';
import type { ClusterManager, ConnectFailure, Host, UpstreamCluster } from '../upstream/cluster-manager.js';
import { ReadBuffers, type ReadSink } from '../upstream/read-buffers.js';
import { settingsOf, type TcpProxySettings } from './tcp-proxy-settings.js';

/** How the downstream is to be ended. */
export type DownstreamClose =
  /** By the general rule: reset when bytes of the client are unread, FIN otherwise. */
  | 'unread'
  /** Everything was read and written. */
  | 'fin'
  | 'reset';

/** The connection's owner, who knows the socket before the proxy does. */
export interface TcpProxyOwner {
  /** The upstream is not to be had, or has ended in a way that the client must see. Called once at most. */
  closeDownstream(how: DownstreamClose): void;
  /** Both sides are up: bytes go through from now on. */
  flowing(): void;
  /** The connection is over and `info` complete. Called exactly once. */
  finished(): void;
}

export interface TcpProxyContext {
  readonly environment: Environment;
  readonly clusters: ClusterManager;
}

/** One proxied connection, from the choice of its chain to its log line. */
export class TcpProxySession implements ReadSink {
  private readonly context: TcpProxyContext;
  private readonly config: TcpProxy;
  private readonly settings: TcpProxySettings;
  private readonly facts: ConnectionFacts;
  private readonly info: StreamInfo;
  private readonly owner: TcpProxyOwner;
  private cluster: UpstreamCluster | undefined = undefined;
  private host: Host | undefined = undefined;
  private dialling: { cancel(): void } | undefined = undefined;
  private upstream: net.Socket | undefined = undefined;
  private downstream: net.Socket | undefined = undefined;
  /** Bytes of the upstream that came before the downstream was there. */
  private early: Buffer | undefined = undefined;
  private idle: Timer | undefined = undefined;
  private lifetime: Timer | undefined = undefined;
  private lastActive = 0;
  private holdsConnection = false;
  /** The client's end was a reset: the upstream gets one too (measured). */
  private clientReset = false;
  private over = false;

  constructor(
    context: TcpProxyContext,
    config: TcpProxy,
    facts: ConnectionFacts,
    info: StreamInfo,
    owner: TcpProxyOwner,
  ) {
    this.context = context;
    this.config = config;
    this.settings = settingsOf(config);
    this.facts = facts;
    this.info = info;
    this.owner = owner;
  }

  /** Picks cluster and host and dials. False: there is none, `info` says why, and the owner closes the client at once. */
  start(): boolean {
    const { environment, clusters } = this.context;
    this.settings.connections.value++;
    const name = chooseTcpCluster(this.config, environment.random);
    const cluster = clusters.get(name);
    if (cluster === undefined) {
      this.info.setFlag('NC');
      return false;
    }
    this.info.upstreamCluster = name;
    if (!cluster.circuit.tryAcquire('connection')) {
      this.info.setFlag('UO');
      return false;
    }
    this.cluster = cluster;
    this.holdsConnection = true;
    const hash = this.settings.hashesSource ? xxHash64(this.facts.source.address) : undefined;
    const host = cluster.chooseHost({ hash });
    if (host === undefined) {
      this.holdsConnection = false;
      cluster.circuit.release('connection');
      this.info.setFlag('UH');
      return false;
    }
    this.host = host;
    this.info.upstreamHost = host.address;
    this.info.attemptCount = 1;
    this.touch();
    if (this.settings.idleTimeout > 0) this.startIdleTimer(this.settings.idleTimeout);
    if (this.settings.maxDuration > 0)
      this.lifetime = environment.setTimer(this.settings.maxDuration, () => this.livedLongEnough());
    this.dialling = cluster.connect(
      host,
      {
        onread: new ReadBuffers(this),
        downstream: { source: this.facts.source, destination: this.facts.destination },
      },
      {
        connected: (socket, { localAddress }) => this.connected(socket, localAddress, environment.now()),
        failed: (failure) => this.connectFailed(failure),
      },
    );
    return true;
  }

  /** The client's side is ready: `socket` is paused, whatever it sent first is back in it. Flows start now or when the upstream is up. */
  attach(socket: net.Socket): void {
    this.downstream = socket;
    socket.on('error', (error: NodeJS.ErrnoException) => {
      this.clientReset ||= error.code === 'ECONNRESET';
      socket.destroy();
    });
    socket.once('close', () => this.downstreamClosed());
    if (this.over) {
      socket.destroy();
      return;
    }
    if (this.upstream !== undefined) this.splice(socket, this.upstream);
  }

  /** The client is gone or refused before it was attached: the upstream sees an empty connection. */
  abort(): void {
    this.end();
  }

  private connected(socket: net.Socket, localAddress: string, now: number): void {
    this.dialling = undefined;
    this.upstream = socket;
    this.lastActive = now;
    this.info.upstreamLocalAddress = localAddress;
    // For outlier detection a connection that came about counts as a success (spec destinations.md §10.2).
    if (this.host !== undefined) this.cluster?.report(this.host, { status: 200 });
    socket.on('error', (error) => this.upstreamError(error));
    socket.once('close', () => this.upstreamClosed());
    if (socket instanceof tls.TLSSocket) socket.pause();
    if (this.downstream !== undefined) this.splice(this.downstream, socket);
  }

  private connectFailed(failure: ConnectFailure): void {
    this.dialling = undefined;
    if (this.host !== undefined) {
      this.cluster?.report(this.host, {
        local: failure.reason === 'connection_timeout' ? 'timeout' : 'connect_failed',
      });
    }
    this.info.setFlag('UF');
    this.info.setFlag('URX');
    this.info.upstreamTransportFailureReason = failure.transportFailure;
    this.owner.closeDownstream('unread');
    this.end();
  }

  private splice(downstream: net.Socket, upstream: net.Socket): void {
    const { info } = this;
    this.owner.flowing();
    downstream.on('data', (chunk: Buffer) => {
      this.touch();
      info.bytesReceived += chunk.length;
      if (!upstream.write(chunk)) downstream.pause();
    });
    upstream.on('drain', () => downstream.resume());
    downstream.once('end', () => upstream.end());
    // Only TLS upstreams: a plaintext one reads through `onread`.
    upstream.on('data', (chunk: Buffer) => {
      this.touch();
      info.bytesSent += chunk.length;
      if (!downstream.write(chunk)) upstream.pause();
    });
    downstream.on('drain', () => upstream.resume());
    // An upstream that ended during the client's handshake says so no second time.
    if (upstream.readableEnded) downstream.end();
    else upstream.once('end', () => downstream.end());
    if (this.early !== undefined) {
      downstream.write(this.early);
      info.bytesSent += this.early.length;
      this.early = undefined;
    }
    if (!downstream.writableNeedDrain) upstream.resume();
    downstream.resume();
  }

  /** @internal Bytes of a plaintext upstream; false stops reading until `resume`. */
  read(bytes: Buffer): boolean {
    const { downstream } = this;
    this.touch();
    if (downstream === undefined || this.upstream === undefined) {
      const copy = Buffer.from(bytes);
      this.early = this.early === undefined ? copy : Buffer.concat([this.early, copy]);
      return false;
    }
    if (downstream.destroyed) return false;
    this.info.bytesSent += bytes.length;
    return downstream.write(bytes);
  }

  /** @internal A TLS socket encrypts later than `write` returns, as a rule. */
  takesSlices(): boolean {
    return this.downstream !== undefined && !(this.downstream instanceof tls.TLSSocket);
  }

  /** @internal */
  isDrained(): boolean {
    return this.downstream === undefined || this.downstream.writableLength === 0;
  }

  private touch(): void {
    this.lastActive = this.context.environment.now();
  }

  private startIdleTimer(wait: number): void {
    this.idle = this.context.environment.setTimer(wait, () => {
      this.idle = undefined;
      if (this.over) return;
      const left = this.lastActive + this.settings.idleTimeout - this.context.environment.now();
      if (left > 0) {
        this.startIdleTimer(left);
        return;
      }
      this.settings.idleTimeouts.value++;
      this.owner.closeDownstream('fin');
      this.end();
    });
  }

  // Whatever is under way, and whether or not the upstream is there (seen on Envoy 1.40).
  private livedLongEnough(): void {
    if (this.over) return;
    this.settings.maxDurations.value++;
    this.info.setFlag('DT');
    this.owner.closeDownstream('unread');
    this.end();
  }

  private upstreamError(error: Error): void {
    if (this.over) return;
    const code = 'code' in error ? error.code : '';
    if (code === 'ECONNRESET' || code === 'EPIPE') this.info.setFlag('UR');
    // The client sees what the upstream did (current Envoy; older ones end with FIN).
    this.owner.closeDownstream('reset');
    this.end();
  }

  private upstreamClosed(): void {
    if (this.over) return;
    // Both directions have ended; what was written to the client still has to reach it.
    if (this.downstream === undefined) this.owner.closeDownstream('unread');
    else if (this.downstream.writableEnded && this.downstream.readableEnded) this.downstream.destroySoon();
    else if (!this.downstream.destroyed) this.owner.closeDownstream('fin');
    this.end();
  }

  private downstreamClosed(): void {
    this.end();
  }

  private end(): void {
    if (this.over) return;
    this.over = true;
    this.idle?.cancel();
    this.lifetime?.cancel();
    this.dialling?.cancel();
    const { upstream } = this;
    if (upstream !== undefined && !upstream.destroyed) {
      // What the client sent before it closed is still delivered.
      if (this.clientReset) upstream.resetAndDestroy();
      else if (upstream.writableEnded || upstream.writableLength === 0) upstream.destroy();
      else upstream.destroySoon();
    }
    if (this.holdsConnection) this.cluster?.circuit.release('connection');
    this.owner.finished();
  }
}
