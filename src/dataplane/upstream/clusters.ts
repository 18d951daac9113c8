// All clusters of a snapshot: created, carried over from the previous snapshot where Envoy would keep them, and their
// endpoints and secrets brought up to date in place (what EDS and SDS do to a running Envoy).

import type { Cluster, Endpoint, Snapshot } from '../../xds/index.js';
import type { Environment } from '../environment.js';
import { counter, gauge } from '../telemetry/stats.js';
import { Turns } from '../turns.js';
import { ClusterState } from './cluster.js';
import type { ClusterManager, UpstreamCluster } from './cluster-manager.js';
import { DnsResolver, staticEndpoints } from './dns-resolver.js';
import { TransportSockets } from './upstream-transport-socket.js';

/**
 * Makes the clusters of a snapshot. A cluster of `previous` whose own configuration is the same is taken over as it is:
 * position of the balancer, counts, ejections and pools live on, whatever happened to its endpoints and secrets. One
 * whose configuration differs starts anew, as in Envoy.
 */
export function createClusterManager(
  snapshot: Snapshot,
  environment: Environment,
  previous?: ClusterManager | undefined,
): ClusterManager {
  const clusters = new Clusters(snapshot, environment, previous instanceof Clusters ? previous : undefined);
  for (const config of snapshot.clusters) clusters.add(config);
  clusters.finish();
  return clusters;
}

/** The same a little at a time, between which connections are served. */
export async function createClusterManagerInTurns(
  snapshot: Snapshot,
  environment: Environment,
  previous: ClusterManager,
): Promise<ClusterManager> {
  const clusters = new Clusters(snapshot, environment, previous instanceof Clusters ? previous : undefined);
  const turns = new Turns();
  for (const config of snapshot.clusters) {
    if (turns.isOver()) await turns.next();
    clusters.add(config);
  }
  clusters.finish();
  return clusters;
}

interface Entry {
  readonly state: ClusterState;
  readonly resolver: DnsResolver | undefined;
  readonly fingerprint: string;
  /** Of the endpoints and the secrets in use. */
  supplies: string;
  /** Snapshots that use it; the last one to close it ends its timers. */
  users: number;
}

class Clusters implements ClusterManager {
  private readonly entries = new Map<string, Entry>();
  private readonly updates: (() => void)[] = [];
  private closed = false;

  private readonly snapshot: Snapshot;
  private readonly environment: Environment;
  private previous: Clusters | undefined;

  constructor(snapshot: Snapshot, environment: Environment, previous: Clusters | undefined) {
    this.snapshot = snapshot;
    this.environment = environment;
    this.previous = previous;
  }

  add(config: Cluster): void {
    const { snapshot, environment, previous } = this;
    const sockets = new TransportSockets(config, snapshot.secrets);
    const endpoints = snapshot.endpoints[config.name];
    const fingerprint = fingerprintOf(config);
    const supplies = `${endpoints === undefined ? '' : fingerprintOf(endpoints)} ${sockets.fingerprint()}`;
    const old = previous?.entries.get(config.name);
    if (old !== undefined && old.fingerprint === fingerprint) {
      old.users++;
      this.entries.set(config.name, old);
      if (old.supplies !== supplies) this.updates.push(() => supply(old, supplies, sockets, endpoints));
      return;
    }
    const state = new ClusterState(config, sockets, environment);
    const resolver = usesDns(config) ? new DnsResolver(state, environment) : undefined;
    if (resolver === undefined) state.setEndpoints(endpoints ?? staticEndpoints(config));
    this.entries.set(config.name, { state, resolver, fingerprint, supplies, users: 1 });
  }

  finish(): void {
    this.previous = undefined;
    gauge('cluster_manager.active_clusters').value = this.entries.size;
    counter('cluster_manager.cds.update_success').value++;
  }

  activate(): void {
    for (const update of this.updates.splice(0)) update();
  }

  get(name: string): UpstreamCluster | undefined {
    return this.entries.get(name)?.state;
  }

  *all(): Iterable<UpstreamCluster> {
    for (const { state } of this.entries.values()) yield state;
  }

  async ready(): Promise<void> {
    await Promise.all([...this.entries.values()].map(({ resolver }) => resolver?.first));
  }

  close(): void {
    if (this.closed) return;
    this.closed = true;
    for (const entry of this.entries.values()) {
      entry.users--;
      if (entry.users > 0) continue;
      entry.state.close();
      entry.resolver?.close();
    }
  }
}

function supply(
  entry: Entry,
  supplies: string,
  sockets: TransportSockets,
  endpoints: readonly Endpoint[] | undefined,
): void {
  entry.supplies = supplies;
  entry.state.setSockets(sockets);
  if (entry.resolver === undefined) entry.state.setEndpoints(endpoints ?? staticEndpoints(entry.state.config));
}

function usesDns(config: Cluster): boolean {
  return config.type === 'STRICT_DNS' || config.type === 'LOGICAL_DNS';
}

/** A reload hands on the very clusters and endpoints that are the same. */
const fingerprints = new WeakMap<object, string>();

// Origins point into a table that each load makes anew; they are no change.
function fingerprintOf(value: object): string {
  let fingerprint = fingerprints.get(value);
  if (fingerprint === undefined) {
    fingerprint = JSON.stringify(value, (key, member: unknown) => (key === 'originId' ? undefined : member));
    fingerprints.set(value, fingerprint);
  }
  return fingerprint;
}
