// One cluster at run time: hosts, balancing, circuit breakers, outlier detection, and connections with their transport
// socket (spec destinations.md §0.1, §7, §9, dataplane.md §5.4).
import type net from 'node:net';
import { createLoadBalancer, type LoadBalancer } from '../../balance/load-balancer.js';
import {
  type Cluster,
  type Endpoint,
  HTTP_PROTOCOL_OPTIONS,
  type MatchPredicate,
  parseDuration,
  renderSocketAddress,
} from '../../xds/index.js';
import type { Environment } from '../environment.js';
import { type Counter, counter, gauge } from '../telemetry/stats.js';
import { SECRET_NOT_SUPPLIED } from '../transport-socket/failure-reason.js';
import { ClusterCircuitBreaker } from './circuit-breakers.js';
import type {
  CircuitBreaker,
  ConnectCallbacks,
  Host,
  HostCounters,
  HostSelection,
  RequestOutcome,
  UpstreamCluster,
  UpstreamConnectOptions,
} from './cluster-manager.js';
import { ConnectAttempt, type Dialler } from './connect-attempt.js';
import { parseHostAddress } from './host-address.js';
import { OutlierDetector } from './outlier-detection.js';
import type { TransportSockets } from './upstream-transport-socket.js';

/** Istio writes one; Envoy's default where it is missing. */
const DEFAULT_CONNECT_TIMEOUT = 5000;

const NO_ADDRESSES: readonly string[] = [];

/** A host with its counts; it outlives reloads that leave its cluster, address and locality as they are. */
export class HostState implements Host {
  endpoint: Endpoint;
  /** Changes where a name stands for one host (LOGICAL_DNS, dynamic forward proxy): the address of the latest answer. */
  address: string;
  alternatives: readonly string[] = NO_ADDRESSES;
  readonly counters: HostCounters;
  activeRequests = 0;
  activeConnections = 0;
  ejected = false;

  constructor(endpoint: Endpoint) {
    this.endpoint = endpoint;
    this.address = endpoint.address;
    this.counters = { connections: 0, connectFail: 0, requests: 0, success: 0, error: 0, timeout: 0 };
  }
}

interface ClusterStats {
  readonly connections: Counter;
  readonly active: Counter;
  readonly connectFail: Counter;
  readonly connectTimeout: Counter;
  readonly maxDuration: Counter;
  readonly keepAliveTimeout: Counter;
  readonly noneHealthy: Counter;
  readonly requests: Counter;
  readonly members: Counter;
  readonly healthy: Counter;
}

/** What `ClusterManager.get` hands out. */
export class ClusterState implements UpstreamCluster, Dialler {
  readonly config: Cluster;
  readonly httpProtocol: 'http1' | 'http2' | 'downstream';
  readonly circuit: CircuitBreaker;
  private current: readonly HostState[] = [];
  private readonly balancer: LoadBalancer<Host>;
  private readonly environment: Environment;
  private sockets: TransportSockets;
  private readonly connectTimeout: number;
  private readonly detector: OutlierDetector | undefined;
  private readonly stats: ClusterStats;
  private readonly keepAlive: Partial<net.TcpNetConnectOpts>;
  private readonly autoSni: boolean;
  private readonly autoSan: boolean;
  private readonly errorStatuses: ReadonlySet<number> | undefined;
  private readonly dynamicHosts = new Map<string, HostState>();
  private readonly closeListeners: (() => void)[] = [];
  private readonly removalListeners: ((hosts: readonly Host[]) => void)[] = [];

  constructor(config: Cluster, sockets: TransportSockets, environment: Environment) {
    const prefix = `cluster.${config.name};`;
    this.config = config;
    this.httpProtocol = httpProtocolOf(config);
    this.circuit = new ClusterCircuitBreaker(config.circuit_breakers?.thresholds[0], prefix, environment.now);
    this.environment = environment;
    this.sockets = sockets;
    this.connectTimeout = parseDuration(config.connect_timeout) ?? DEFAULT_CONNECT_TIMEOUT;
    this.balancer = createLoadBalancer<Host>(config, [], environment.now);
    this.detector =
      config.outlier_detection === undefined
        ? undefined
        : new OutlierDetector(
            config.outlier_detection,
            environment,
            () => this.current,
            () => this.healthChanged(),
            prefix,
          );
    this.stats = {
      connections: counter(`${prefix}.upstream_cx_total`),
      active: gauge(`${prefix}.upstream_cx_active`),
      connectFail: counter(`${prefix}.upstream_cx_connect_fail`),
      connectTimeout: counter(`${prefix}.upstream_cx_connect_timeout`),
      maxDuration: counter(`${prefix}.upstream_cx_max_duration_reached`),
      keepAliveTimeout: counter(`${prefix}.http2.keepalive_timeout`),
      noneHealthy: counter(`${prefix}.upstream_cx_none_healthy`),
      requests: counter(`${prefix}.upstream_rq_total`),
      members: gauge(`${prefix}.membership_total`),
      healthy: gauge(`${prefix}.membership_healthy`),
    };
    const keepalive = config.upstream_connection_options?.tcp_keepalive;
    // Node can set the first delay only (spec destinations.md §9.5).
    this.keepAlive =
      keepalive === undefined ? {} : { keepAlive: true, keepAliveInitialDelay: (keepalive.keepalive_time ?? 0) * 1000 };
    const http = config.typed_extension_protocol_options?.[HTTP_PROTOCOL_OPTIONS]?.upstream_http_protocol_options;
    this.autoSni = http?.auto_sni === true;
    this.autoSan = http?.auto_san_validation === true;
    const matcher = config.typed_extension_protocol_options?.[HTTP_PROTOCOL_OPTIONS]?.outlier_detection?.error_matcher;
    this.errorStatuses = matcher === undefined ? undefined : new Set(statusesOf(matcher));
  }

  get hosts(): readonly Host[] {
    return this.config.cluster_type === undefined ? this.current : [...this.dynamicHosts.values()];
  }

  /** Replaces the endpoints. Hosts of the same address and locality stay, with their counts and ejections. */
  setEndpoints(endpoints: readonly Endpoint[]): void {
    // Two names of a DNS cluster may have an address in common: two hosts of one key.
    const known = new Map<string, HostState[]>();
    for (const host of this.current) {
      const same = known.get(hostKey(host.endpoint));
      if (same === undefined) known.set(hostKey(host.endpoint), [host]);
      else same.push(host);
    }
    this.current = endpoints.map((endpoint) => {
      const host = known.get(hostKey(endpoint))?.shift();
      if (host === undefined) return new HostState(endpoint);
      host.endpoint = endpoint;
      return host;
    });
    this.balancer.replaceHosts(this.current);
    this.stats.members.value = this.current.length;
    this.healthChanged();
    const removed = [...known.values()].flat();
    if (removed.length === 0) return;
    this.detector?.forget(removed);
    for (const listener of this.removalListeners) listener(removed);
  }

  /** Other secrets: new connections use them, those that are up stay. */
  setSockets(sockets: TransportSockets): void {
    this.sockets = sockets;
  }

  /** Latest answer of LOGICAL_DNS: new connections go there, and the log shows it; `alternatives` if it cannot be had. */
  setResolved(address: string, alternatives: readonly string[] = NO_ADDRESSES): void {
    for (const host of this.current) {
      host.address = address;
      host.alternatives = alternatives;
    }
  }

  chooseHost(selection: HostSelection): Host | undefined {
    const host =
      this.config.cluster_type === undefined
        ? this.balancer.choose({
            hash: selection.hash,
            exclude: selection.exclude,
            excludePriorities: selection.excludePriorities,
            maxDraws: selection.maxDraws,
            random: this.environment.random,
          })
        : this.dynamicHost(selection.authority);
    if (host === undefined) this.stats.noneHealthy.value++;
    return host;
  }

  connect(host: Host, options: UpstreamConnectOptions, callbacks: ConnectCallbacks): { cancel(): void } {
    const transport = this.sockets.forEndpoint(host.endpoint);
    if (transport.tls === 'notReady') {
      let cancelled = false;
      queueMicrotask(() => {
        if (cancelled) return;
        this.countFailure(host, false);
        callbacks.failed({ reason: 'remote_connection_failure', transportFailure: SECRET_NOT_SUPPLIED });
      });
      return {
        cancel: () => {
          cancelled = true;
        },
      };
    }
    return new ConnectAttempt(this, host, options, callbacks, transport, this.environment).start();
  }

  report(host: Host, outcome: RequestOutcome): void {
    const { counters } = host;
    if (counters !== undefined) {
      counters.requests++;
      this.stats.requests.value++;
      if ('status' in outcome) {
        if (outcome.status < 500) counters.success++;
        else counters.error++;
      } else if (outcome.local === 'timeout') counters.timeout++;
      else counters.error++;
    }
    this.detector?.report(host, this.judged(outcome));
  }

  // What outlier detection sees: where the cluster names its error statuses, they and no others are errors. A listed
  // 502, 503 or 504 stays a gateway error, any other one is a plain 500 (seen on Envoy 1.40).
  private judged(outcome: RequestOutcome): RequestOutcome {
    if (this.errorStatuses === undefined || !('status' in outcome) || outcome.isGrpc === true) return outcome;
    const { status } = outcome;
    if (!this.errorStatuses.has(status)) return { status: 200 };
    return status >= 502 && status <= 504 ? outcome : { status: 500 };
  }

  countKeepAliveTimeout(): void {
    this.stats.keepAliveTimeout.value++;
  }

  countMaxDuration(): void {
    this.stats.maxDuration.value++;
  }

  onClose(listener: () => void): void {
    this.closeListeners.push(listener);
  }

  onHostsRemoved(listener: (hosts: readonly Host[]) => void): void {
    this.removalListeners.push(listener);
  }

  /** Ends timers and HTTP pools. Hosts and balancing go on for streams that still hold the cluster. */
  close(): void {
    this.detector?.close();
    for (const listener of this.closeListeners.splice(0)) listener();
  }

  // What follows is for ConnectAttempt, the Dialler.

  /** @internal */
  alternatives(host: Host): readonly string[] {
    return host instanceof HostState ? host.alternatives : NO_ADDRESSES;
  }

  /** @internal */
  dial(hostAddress: string, options: UpstreamConnectOptions, isTls: boolean): net.Socket {
    const { address, port } = parseHostAddress(hostAddress);
    const onread = isTls || options.onread === undefined ? {} : { onread: options.onread };
    return this.environment.connect(address, port, {
      allowHalfOpen: true,
      noDelay: true,
      ...this.keepAlive,
      ...onread,
    });
  }

  /** @internal */
  get connectTimeoutMs(): number {
    return this.connectTimeout;
  }

  /** @internal */
  requestNames(options: UpstreamConnectOptions): { serverName: string; checkName: string } {
    const name = options.serverName ?? '';
    return { serverName: this.autoSni ? name : '', checkName: this.autoSan ? name : '' };
  }

  /** @internal */
  get addressFamily(): 4 | 6 {
    return this.config.cluster_type?.typed_config.dns_cache_config.dns_lookup_family === 'V6_ONLY' ? 6 : 4;
  }

  /** @internal */
  resolved(host: Host, address: string): void {
    if (host instanceof HostState) host.address = address;
  }

  /** @internal */
  countConnected(host: Host, socket: net.Socket): void {
    host.activeConnections++;
    this.stats.connections.value++;
    this.stats.active.value++;
    if (host.counters !== undefined) host.counters.connections++;
    this.detector?.connected(host);
    socket.once('close', () => {
      host.activeConnections--;
      this.stats.active.value--;
    });
  }

  /** @internal */
  countFailure(host: Host, isTimeout: boolean): void {
    this.stats.connectFail.value++;
    if (isTimeout) this.stats.connectTimeout.value++;
    if (host.counters !== undefined) host.counters.connectFail++;
  }

  private healthChanged(): void {
    this.balancer.hostsChanged();
    this.stats.healthy.value = this.current.filter(
      (host) => host.endpoint.health === 'HEALTHY' && !host.ejected,
    ).length;
  }

  // A dynamic forward proxy goes where the request's authority says (spec destinations.md §6.5).
  private dynamicHost(authority: string | undefined): Host | undefined {
    if (authority === undefined || authority === '') return undefined;
    const { address, port } = parseHostAddress(authority.includes(':') ? authority : `${authority}:80`);
    const key = renderSocketAddress(address, port);
    let host = this.dynamicHosts.get(key);
    if (host === undefined) {
      host = new HostState({
        address: key,
        weight: 1,
        locality: {},
        priority: 0,
        health: 'HEALTHY',
        hostname: address,
      });
      // Answered by every resolver without a query.
      if (address === 'localhost') host.address = renderSocketAddress('127.0.0.1', port);
      this.dynamicHosts.set(key, host);
    }
    return host;
  }
}

function statusesOf({ or_match: any, http_response_headers_match: one }: MatchPredicate): readonly number[] {
  return [
    ...(any?.rules ?? []).flatMap(statusesOf),
    ...(one?.headers ?? []).map(({ string_match }) => Number(string_match.exact)),
  ];
}

// Envoy updates weight, priority and health of a host in place; another locality makes it another host.
function hostKey({ address, locality }: Endpoint): string {
  return `${address} ${locality.region ?? ''}/${locality.zone ?? ''}/${locality.sub_zone ?? ''}`;
}

function httpProtocolOf(config: Cluster): 'http1' | 'http2' | 'downstream' {
  const options = config.typed_extension_protocol_options?.[HTTP_PROTOCOL_OPTIONS];
  if (options?.use_downstream_protocol_config !== undefined) return 'downstream';
  return options?.explicit_http_config?.http2_protocol_options === undefined ? 'http1' : 'http2';
}
