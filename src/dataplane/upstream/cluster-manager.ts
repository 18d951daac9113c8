// What tcp-proxy and router need of clusters: pick a host, open a connection to it, and count. The implementation
// (load balancing state, TLS contexts, circuit breakers) is in `cluster.ts`.
import type net from 'node:net';
import type { Cluster, Endpoint } from '../../xds/index.js';

/** Run-time state of one endpoint. */
export interface Host {
  /** As configured now: weight, priority and health change in place. */
  readonly endpoint: Endpoint;
  /** `ip:port` as configured, for logs and hashes. */
  readonly address: string;
  activeRequests: number;
  activeConnections: number;
  ejected: boolean;
  /** For `/clusters`; absent = not counted. */
  readonly counters?: HostCounters;
}

/** Totals since the host was first seen. */
export interface HostCounters {
  connections: number;
  connectFail: number;
  requests: number;
  success: number;
  error: number;
  timeout: number;
}

export interface HostSelection {
  /** Hash of the request's or connection's hash policy. */
  readonly hash?: bigint | undefined;
  /** Hosts that earlier attempts used (previous_hosts predicate). */
  readonly exclude?: readonly Host[];
  /** Draws before a host of `exclude` is taken all the same; default 6. */
  readonly maxDraws?: number | undefined;
  /** Priorities that earlier attempts used (previous_priorities predicate). */
  readonly excludePriorities?: ReadonlySet<number>;
  /** `:authority` that goes upstream: chooses the host of a dynamic forward proxy cluster. */
  readonly authority?: string | undefined;
}

export type ConnectFailureReason =
  | 'remote_connection_failure'
  | 'local_connection_failure'
  | 'connection_timeout'
  | 'overflow';

/** Why no connection came about, in Envoy's words. */
export interface ConnectFailure {
  readonly reason: ConnectFailureReason;
  /** 'delayed connect error: Connection refused', 'TLS_error:|268435581:…', '' = none (spec destinations.md §0.1). */
  readonly transportFailure: string;
}

export interface UpstreamConnectOptions {
  /** Overrides for TLS: SNI and SAN taken from the request (auto_sni, auto_san_validation). */
  readonly serverName?: string;
  /** ALPN to offer instead of the context's. */
  readonly applicationProtocols?: readonly string[];
  /** Reads through shared buffers (performance.md §4); of a plaintext socket, which then emits no 'data'. */
  readonly onread?: net.OnReadOpts;
  /** Downstream addresses for an upstream PROXY header. */
  readonly downstream?: {
    readonly source: { address: string; port: number };
    readonly destination: { address: string; port: number };
  };
}

/** One of the two callbacks is called exactly once, unless `cancel` came first. */
export interface ConnectCallbacks {
  connected(socket: net.Socket, info: { readonly alpn: string; readonly localAddress: string }): void;
  failed(failure: ConnectFailure): void;
}

/** What a request ended like: a status (of a gRPC call its own, mapped to HTTP), or a failure on our side. */
export type RequestOutcome =
  | { readonly status: number; readonly isGrpc?: boolean }
  | { readonly local: 'connect_failed' | 'timeout' | 'reset' };

export interface UpstreamCluster {
  readonly config: Cluster;
  readonly hosts: readonly Host[];
  /** Upstream protocol of HTTP requests (spec destinations.md §9.1). */
  readonly httpProtocol: 'http1' | 'http2' | 'downstream';
  /** `undefined` = no healthy host (UH). */
  chooseHost(selection: HostSelection): Host | undefined;
  /** Dials, with the host's transport socket (TLS, PROXY header) and the cluster's connect timeout. */
  connect(host: Host, options: UpstreamConnectOptions, callbacks: ConnectCallbacks): { cancel(): void };
  /** True when another connection / pending request / request / retry may start; the caller reports start and end. */
  readonly circuit: CircuitBreaker;
  /** Called once when the cluster goes away (reload, shutdown): HTTP pools end their idle connections then. */
  onClose?(listener: () => void): void;
  /** Called with hosts that have left a cluster that stays (EDS, DNS): their HTTP pools drain. */
  onHostsRemoved?(listener: (hosts: readonly Host[]) => void): void;
  /** A connection has reached max_connection_duration (`upstream_cx_max_duration_reached`). */
  countMaxDuration?(): void;
  /** An HTTP/2 PING was not answered in time (`http2.keepalive_timeout`). */
  countKeepAliveTimeout?(): void;
  /** Tells outlier detection what a request ended like: HTTP status, or a local failure. */
  report(host: Host, outcome: RequestOutcome): void;
}

export interface CircuitBreaker {
  tryAcquire(resource: 'connection' | 'pending' | 'request' | 'retry'): boolean;
  release(resource: 'connection' | 'pending' | 'request' | 'retry'): void;
}

export interface ClusterManager {
  /** `undefined` = cluster_not_found (NC). */
  get(name: string): UpstreamCluster | undefined;
  /** Every cluster; absent where nobody asks. */
  all?(): Iterable<UpstreamCluster>;
  /** To be called when the snapshot is taken over: clusters of the previous one that stay get their new endpoints and secrets. */
  activate?(): void;
  /** Resolves when DNS has answered (or failed) once for every name; absent = at once. */
  ready?(): Promise<void>;
  /** Ends pools and timers; open streams go on. */
  close(): void;
}
