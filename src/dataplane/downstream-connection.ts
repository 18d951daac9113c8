// What the listener hands to the HTTP connection manager once a chain is chosen and its transport socket is up.
import type net from 'node:net';
import type tls from 'node:tls';
import type { SnapshotIndex } from '../decide/snapshot-index.js';
import type { ConnectionFacts, FilterChain, HttpConnectionManager, Snapshot, TlsFacts } from '../xds/index.js';
import type { Environment } from './environment.js';
import type { StreamObserver } from './telemetry/stream-info.js';
import type { ClusterManager } from './upstream/cluster-manager.js';

/** One snapshot with everything that was built from it. A stream takes the current one when it starts and keeps it. */
export interface RunningSnapshot {
  readonly snapshot: Snapshot;
  readonly index: SnapshotIndex;
  readonly clusters: ClusterManager;
}

/** What every part of the data plane is given. */
export interface DataPlaneContext {
  readonly environment: Environment;
  /** The newest snapshot; read once per stream. */
  current(): RunningSnapshot;
  readonly observer: StreamObserver;
}

export interface DownstreamConnection {
  /** Bytes that were peeked are already back in it (`unshift`); paused. */
  readonly socket: net.Socket | tls.TLSSocket;
  readonly facts: ConnectionFacts;
  readonly tls: TlsFacts | undefined;
  readonly chain: FilterChain;
  readonly manager: HttpConnectionManager;
  /** True from the moment when the listener, the chain or the process drains: answers say `connection: close` / GOAWAY. */
  isDraining(): boolean;
  /** Called when draining begins. */
  onDrain(listener: () => void): void;
}

/** Serves HTTP on connections of any chain whose last filter is the HTTP connection manager. */
export interface HttpServer {
  accept(connection: DownstreamConnection): void;
  /** Ends idle connections; for the end of the drain time. */
  closeAll(): void;
}
