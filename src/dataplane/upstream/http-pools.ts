// Which pool a request uses: one per cluster, host, protocol and set of TLS options (spec dataplane.md §5.4,
// destinations.md §7.2: connections with different automatic SNI never share a pool).
import net from 'node:net';
import {
  type SocketAddress,
  TLS_TRANSPORT_SOCKET,
  UPSTREAM_PROXY_PROTOCOL_TRANSPORT_SOCKET,
  type UpstreamTransportSocket,
} from '../../xds/index.js';
import type { Environment } from '../environment.js';
import type { Host, UpstreamCluster, UpstreamConnectOptions } from './cluster-manager.js';
import type { UpstreamPool } from './http-stream.js';
import { Http1Pool } from './http1-pool.js';
import { Http2Pool } from './http2-pool.js';
import { type PoolSettings, readPoolSettings } from './pool-settings.js';

/** What of a request decides which connections it may use. */
export interface PoolFacts {
  readonly authority: string;
  /** The downstream's protocol, for clusters that follow it. */
  readonly downstreamHttp2: boolean;
  readonly source: SocketAddress;
  readonly destination: SocketAddress;
}

/** Of one host: without a name or an address of the request in them, or by what they have of it. */
interface HostPools {
  http1: UpstreamPool | undefined;
  http2: UpstreamPool | undefined;
  readonly byFacts: Map<string, UpstreamPool>;
}

interface ClusterPools {
  readonly settings: PoolSettings;
  readonly byHost: Map<Host, HostPools>;
}

/** All HTTP pools of the data plane; those of a cluster go when the cluster goes. */
export class HttpPools {
  private readonly environment: Environment;
  private readonly clusters = new Map<UpstreamCluster, ClusterPools>();
  /** Clusters that went away while streams still hold them: their connections are not kept. */
  private readonly gone = new WeakSet<UpstreamCluster>();

  constructor(environment: Environment) {
    this.environment = environment;
  }

  /** True when requests of this cluster go out as HTTP/2. */
  static speaksHttp2(cluster: UpstreamCluster, downstreamHttp2: boolean): boolean {
    return cluster.httpProtocol === 'http2' || (cluster.httpProtocol === 'downstream' && downstreamHttp2);
  }

  pool(cluster: UpstreamCluster, host: Host, facts: PoolFacts): UpstreamPool {
    const pools = this.poolsOf(cluster);
    const http2 = HttpPools.speaksHttp2(cluster, facts.downstreamHttp2);
    let ofHost = pools.byHost.get(host);
    if (ofHost === undefined) {
      ofHost = { http1: undefined, http2: undefined, byFacts: new Map() };
      pools.byHost.set(host, ofHost);
    }
    const { settings } = pools;
    if (settings.namedByRequest || settings.sendsProxyHeader) {
      const options = connectOptions(cluster, settings, http2, facts);
      const key = poolKey(http2, options);
      let pool = ofHost.byFacts.get(key);
      if (pool === undefined) {
        pool = this.open(cluster, host, http2, options, settings);
        ofHost.byFacts.set(key, pool);
      }
      return pool;
    }
    // The usual cluster has one pool per host and protocol.
    const known = http2 ? ofHost.http2 : ofHost.http1;
    if (known !== undefined) return known;
    const pool = this.open(cluster, host, http2, connectOptions(cluster, settings, http2, facts), settings);
    if (http2) ofHost.http2 = pool;
    else ofHost.http1 = pool;
    return pool;
  }

  private open(
    cluster: UpstreamCluster,
    host: Host,
    http2: boolean,
    options: UpstreamConnectOptions,
    settings: PoolSettings,
  ): UpstreamPool {
    const pool = http2
      ? new Http2Pool(this.environment, cluster, host, options, settings)
      : new Http1Pool(this.environment, cluster, host, options, settings);
    if (this.gone.has(cluster)) pool.close();
    return pool;
  }

  /** Ends idle connections of all clusters. */
  close(): void {
    for (const cluster of [...this.clusters.keys()]) this.release(cluster);
  }

  private poolsOf(cluster: UpstreamCluster): ClusterPools {
    let pools = this.clusters.get(cluster);
    if (pools === undefined) {
      pools = { settings: readPoolSettings(cluster.config), byHost: new Map() };
      if (this.gone.has(cluster)) return pools;
      this.clusters.set(cluster, pools);
      cluster.onHostsRemoved?.((hosts) => this.removeHosts(cluster, hosts));
      cluster.onClose?.(() => {
        this.gone.add(cluster);
        this.release(cluster);
      });
    }
    return pools;
  }

  private removeHosts(cluster: UpstreamCluster, hosts: readonly Host[]): void {
    const byHost = this.clusters.get(cluster)?.byHost;
    for (const host of hosts) {
      closeAll(byHost?.get(host));
      byHost?.delete(host);
    }
  }

  private release(cluster: UpstreamCluster): void {
    const pools = this.clusters.get(cluster);
    if (pools === undefined) return;
    this.clusters.delete(cluster);
    for (const ofHost of pools.byHost.values()) closeAll(ofHost);
  }
}

function closeAll(pools: HostPools | undefined): void {
  if (pools === undefined) return;
  pools.http1?.close();
  pools.http2?.close();
  for (const pool of pools.byFacts.values()) pool.close();
}

function connectOptions(
  cluster: UpstreamCluster,
  settings: PoolSettings,
  http2: boolean,
  facts: PoolFacts,
): UpstreamConnectOptions {
  const serverName = settings.namedByRequest ? hostOf(facts.authority) : undefined;
  return {
    ...(serverName === undefined ? {} : { serverName }),
    // The HTTP pool offers its own version where the TLS context names none (spec destinations.md §7.2).
    ...(cluster.httpProtocol === 'downstream' || !namesProtocols(cluster.config.transport_socket)
      ? { applicationProtocols: http2 ? ['h2'] : ['http/1.1'] }
      : {}),
    ...(settings.sendsProxyHeader ? { downstream: { source: facts.source, destination: facts.destination } } : {}),
  };
}

function namesProtocols(socket: UpstreamTransportSocket | undefined): boolean {
  if (socket === undefined) return true; // plaintext, or per-endpoint contexts, which name Istio's protocols
  if (socket.name === UPSTREAM_PROXY_PROTOCOL_TRANSPORT_SOCKET)
    return namesProtocols(socket.typed_config.transport_socket);
  if (socket.name !== TLS_TRANSPORT_SOCKET) return true;
  return (socket.typed_config.common_tls_context.alpn_protocols ?? []).length > 0;
}

function poolKey(http2: boolean, options: UpstreamConnectOptions): string {
  const { source, destination } = options.downstream ?? {};
  const addresses =
    source === undefined || destination === undefined
      ? ''
      : `${source.address} ${source.port} ${destination.address} ${destination.port}`;
  return `${http2 ? 2 : 1}|${options.serverName ?? ''}|${addresses}`;
}

/** The authority without its port: 'a.test:8443' → 'a.test', '[::1]:80' → '::1'. */
export function hostOf(authority: string): string {
  if (authority.startsWith('[')) {
    const end = authority.indexOf(']');
    return end === -1 ? authority : authority.slice(1, end);
  }
  if (net.isIPv6(authority)) return authority;
  const colon = authority.lastIndexOf(':');
  return colon === -1 ? authority : authority.slice(0, colon);
}
