// All clusters of a snapshot: created, carried over from the previous snapshot where nothing changed, and kept up to date
// from DNS (spec destinations.md §6.3).
import net from 'node:net';
import { type Cluster, type Endpoint, parseDuration, renderSocketAddress, type Snapshot } from '../../xds/index.js';
import type { Environment, Timer } from '../environment.js';
import { counter, gauge } from '../telemetry/stats.js';
import { ClusterState } from './cluster.js';
import type { ClusterManager, UpstreamCluster } from './cluster-manager.js';
import { TransportSockets } from './upstream-transport-socket.js';

/** How long a load waits for the first DNS answers. */
const FIRST_ANSWER_TIMEOUT = 5000;
const DEFAULT_REFRESH = 60_000;
/** Envoy's floor between two queries. */
const MIN_REFRESH = 1000;

/**
 * Makes the clusters of a snapshot. A cluster of `previous` whose configuration, endpoints and secrets are the same is
 * taken over as it is: position of the balancer, counts, ejections and pools live on.
 */
export function createClusterManager(
  snapshot: Snapshot,
  environment: Environment,
  previous?: ClusterManager | undefined,
): ClusterManager {
  return new Clusters(snapshot, environment, previous instanceof Clusters ? previous : undefined);
}

interface Entry {
  readonly state: ClusterState;
  readonly resolver: DnsResolver | undefined;
  readonly fingerprint: string;
  /** Snapshots that use it; the last one to close it ends its timers. */
  users: number;
}

class Clusters implements ClusterManager {
  private readonly entries = new Map<string, Entry>();
  private closed = false;

  constructor(snapshot: Snapshot, environment: Environment, previous: Clusters | undefined) {
    for (const config of snapshot.clusters) {
      const sockets = new TransportSockets(config, snapshot.secrets);
      const endpoints = snapshot.endpoints[config.name];
      const fingerprint = fingerprintOf(config, endpoints, sockets);
      const old = previous?.entries.get(config.name);
      if (old !== undefined && old.fingerprint === fingerprint) {
        old.users++;
        this.entries.set(config.name, old);
        continue;
      }
      const state = new ClusterState(config, sockets, environment);
      const resolver = usesDns(config) ? new DnsResolver(state, environment) : undefined;
      if (resolver === undefined) state.setEndpoints(endpoints ?? staticEndpoints(config), old?.state.hosts);
      this.entries.set(config.name, { state, resolver, fingerprint, users: 1 });
    }
    gauge('cluster_manager.active_clusters').value = this.entries.size;
    counter('cluster_manager.cds.update_success').value++;
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

function usesDns(config: Cluster): boolean {
  return config.type === 'STRICT_DNS' || config.type === 'LOGICAL_DNS';
}

// Origins point into a table that each load makes anew; they are no change.
function fingerprintOf(config: Cluster, endpoints: readonly Endpoint[] | undefined, sockets: TransportSockets): string {
  const text = JSON.stringify([config, endpoints ?? null], (key, value: unknown) =>
    key === 'originId' ? undefined : value,
  );
  return `${text} ${sockets.fingerprint()}`;
}

interface Target {
  readonly name: string;
  readonly port: number;
  /** Everything but the address. */
  readonly endpoint: Omit<Endpoint, 'address'>;
}

function targetsOf(config: Cluster): readonly Target[] {
  const targets: Target[] = [];
  for (const group of config.load_assignment?.endpoints ?? []) {
    for (const { endpoint, load_balancing_weight: weight } of group.lb_endpoints) {
      const { address, port_value: port } = endpoint.address.socket_address;
      targets.push({
        name: address,
        port,
        endpoint: {
          weight,
          locality: group.locality,
          priority: group.priority ?? 0,
          health: 'HEALTHY',
          ...(group.load_balancing_weight === undefined ? {} : { localityWeight: group.load_balancing_weight }),
          ...(net.isIP(address) === 0 ? { hostname: address } : {}),
        },
      });
    }
  }
  return targets;
}

function staticEndpoints(config: Cluster): readonly Endpoint[] {
  return targetsOf(config).map(({ name, port, endpoint }) => ({
    ...endpoint,
    address: renderSocketAddress(name, port),
  }));
}

/** Keeps the hosts of a DNS cluster current: never on the request path. */
class DnsResolver {
  /** Settles with the first round of answers, whatever they were. */
  readonly first: Promise<void>;
  private readonly state: ClusterState;
  private readonly environment: Environment;
  private readonly targets: readonly Target[];
  private readonly addresses = new Map<string, readonly string[]>();
  private timer: Timer | undefined = undefined;
  private closed = false;

  constructor(state: ClusterState, environment: Environment) {
    this.state = state;
    this.environment = environment;
    this.targets = targetsOf(state.config);
    this.first = this.firstRound();
  }

  close(): void {
    this.closed = true;
    this.timer?.cancel();
  }

  private firstRound(): Promise<void> {
    return new Promise((resolve) => {
      // A resolver that does not answer must not hold up the start for good.
      const limit = this.environment.setTimer(FIRST_ANSWER_TIMEOUT, resolve);
      void this.refresh().then(() => {
        limit.cancel();
        resolve();
      });
    });
  }

  private async refresh(): Promise<void> {
    const { config } = this.state;
    const fallback =
      (config.dns_refresh_rate === undefined ? undefined : parseDuration(config.dns_refresh_rate)) ?? DEFAULT_REFRESH;
    let wait = Number.POSITIVE_INFINITY;
    await Promise.all(
      [...new Set(this.targets.map(({ name }) => name))].map(async (name) => {
        const answer = await this.lookup(name);
        // A failed refresh keeps the hosts of the last answer.
        if (answer === undefined) {
          wait = Math.min(wait, fallback);
          return;
        }
        this.addresses.set(name, [...new Set(answer.map(({ address }) => address))]);
        const ttl = Math.min(...answer.map((record) => record.ttl)) * 1000;
        wait = Math.min(wait, config.respect_dns_ttl === true && ttl > 0 ? ttl : fallback);
      }),
    );
    if (this.closed) return;
    this.publish();
    if (Number.isFinite(wait))
      this.timer = this.environment.setTimer(Math.max(wait, MIN_REFRESH), () => void this.refresh());
  }

  private async lookup(
    name: string,
  ): Promise<readonly { readonly address: string; readonly ttl: number }[] | undefined> {
    // An address is used as it is and never asked for again.
    if (net.isIP(name) !== 0) return [{ address: name, ttl: 0x7fffffff / 1000 }];
    const families: readonly (4 | 6)[] =
      this.state.config.dns_lookup_family === 'V6_ONLY'
        ? [6]
        : this.state.config.dns_lookup_family === 'ALL'
          ? [4, 6]
          : [4];
    const answers = await Promise.all(families.map((family) => this.environment.lookup(name, family).catch(() => [])));
    const records = answers.flat();
    return records.length === 0 ? undefined : records;
  }

  private publish(): void {
    const endpoints: Endpoint[] = [];
    const logical = this.state.config.type === 'LOGICAL_DNS';
    for (const { name, port, endpoint } of this.targets) {
      const addresses = this.addresses.get(name);
      const first = addresses?.[0];
      if (addresses === undefined || first === undefined) continue;
      if (logical) {
        // One host under its name; each new connection takes the latest first address.
        this.state.setEndpoints([{ ...endpoint, address: renderSocketAddress(name, port) }]);
        this.state.setResolved(renderSocketAddress(first, port));
        return;
      }
      for (const address of addresses) endpoints.push({ ...endpoint, address: renderSocketAddress(address, port) });
    }
    this.state.setEndpoints(endpoints);
  }
}
