// Hosts of a cluster from DNS: each name is asked on its own, again after its TTL, never on the request path (spec
// destinations.md §6.3). Source: envoyproxy/envoy source/extensions/clusters/dns (strict and logical).
import net from 'node:net';
import { type Cluster, type Endpoint, parseDuration, renderSocketAddress } from '../../xds/index.js';
import type { Environment, Timer } from '../environment.js';
import type { ClusterState } from './cluster.js';

/** How long a load waits for the first DNS answers. */
const FIRST_ANSWER_TIMEOUT = 5000;
const DEFAULT_REFRESH = 60_000;
/** TTLs are whole seconds, and zero is no TTL. */
const MIN_REFRESH = 1000;

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

/** The endpoints that a cluster's own load assignment lists, names unresolved. */
export function staticEndpoints(config: Cluster): readonly Endpoint[] {
  return targetsOf(config).map(({ name, port, endpoint }) => ({
    ...endpoint,
    address: renderSocketAddress(name, port),
  }));
}

type Records = readonly { readonly address: string; readonly ttl: number }[];

/** Keeps the hosts of a STRICT_DNS or LOGICAL_DNS cluster current until it is closed. */
export class DnsResolver {
  /** Settles with the first round of answers, whatever they were. */
  readonly first: Promise<void>;
  private readonly state: ClusterState;
  private readonly environment: Environment;
  private readonly targets: readonly Target[];
  private readonly isLogical: boolean;
  private readonly addresses = new Map<string, readonly string[]>();
  private readonly timers = new Map<string, Timer>();
  private isReady = false;
  private closed = false;

  constructor(state: ClusterState, environment: Environment) {
    this.state = state;
    this.environment = environment;
    this.targets = targetsOf(state.config);
    this.isLogical = state.config.type === 'LOGICAL_DNS';
    this.first = this.firstRound();
  }

  close(): void {
    this.closed = true;
    for (const timer of this.timers.values()) timer.cancel();
  }

  private firstRound(): Promise<void> {
    const names = [...new Set(this.targets.map(({ name }) => name))];
    return new Promise((resolve) => {
      const done = (): void => {
        this.isReady = true;
        this.publish();
        resolve();
      };
      // A resolver that does not answer must not hold up the start for good.
      const limit = this.environment.setTimer(FIRST_ANSWER_TIMEOUT, done);
      void Promise.all(names.map((name) => this.refresh(name))).then(() => {
        limit.cancel();
        done();
      });
    });
  }

  private async refresh(name: string): Promise<void> {
    // An address is used as it is and never asked for again.
    if (net.isIP(name) !== 0) {
      this.addresses.set(name, [name]);
      return;
    }
    const records = await this.lookup(name);
    if (this.closed) return;
    // No answer at all keeps the hosts of the last one; so does an empty one, for the one host of a logical cluster.
    if (records !== undefined && (records.length > 0 || !this.isLogical)) {
      this.addresses.set(name, [...new Set(records.map(({ address }) => address))]);
      if (this.isReady) this.publish();
    }
    const timer = this.environment.setTimer(this.waitAfter(records), () => void this.refresh(name));
    this.timers.set(name, timer);
  }

  private waitAfter(records: Records | undefined): number {
    const { dns_refresh_rate, respect_dns_ttl, dns_jitter } = this.state.config;
    const ttl = records === undefined || records.length === 0 ? 0 : Math.min(...records.map((record) => record.ttl));
    const wait =
      respect_dns_ttl === true && ttl > 0 ? ttl * 1000 : (parseDuration(dns_refresh_rate ?? '') ?? DEFAULT_REFRESH);
    const jitter = records === undefined ? 0 : (parseDuration(dns_jitter ?? '') ?? 0);
    return Math.max(wait, MIN_REFRESH) + Math.floor(this.environment.random() * jitter);
  }

  // `undefined`: the resolver failed. "There is no such name" and "it has no address" are answers.
  private async lookup(name: string): Promise<Records | undefined> {
    const { dns_lookup_family: wanted } = this.state.config;
    const families: readonly (4 | 6)[] = wanted === 'V6_ONLY' ? [6] : wanted === 'ALL' ? [4, 6] : [4];
    const answers = await Promise.all(
      families.map((family) => this.environment.lookup(name, family).catch((error: unknown) => noRecords(error))),
    );
    const known = answers.filter((answer) => answer !== undefined);
    return known.length === 0 ? undefined : known.flat();
  }

  private publish(): void {
    if (this.closed) return;
    const endpoints: Endpoint[] = [];
    for (const { name, port, endpoint } of this.targets) {
      const addresses = this.addresses.get(name) ?? [];
      const [first, ...others] = addresses;
      if (this.isLogical && first !== undefined) {
        // One host under its name; each new connection takes the latest first address, and races the others only where
        // both families were asked for (connect strategy RACE_FIRST_TCP_CONNECT).
        const races = this.state.config.dns_lookup_family === 'ALL';
        this.state.setEndpoints([{ ...endpoint, address: renderSocketAddress(name, port) }]);
        this.state.setResolved(
          renderSocketAddress(first, port),
          races ? others.map((address) => renderSocketAddress(address, port)) : [],
        );
        return;
      }
      for (const address of addresses) endpoints.push({ ...endpoint, address: renderSocketAddress(address, port) });
    }
    this.state.setEndpoints(endpoints);
  }
}

function noRecords(error: unknown): Records | undefined {
  const code = error instanceof Error && 'code' in error ? error.code : '';
  return code === 'ENOTFOUND' || code === 'ENODATA' ? [] : undefined;
}
