// The load balancer of one cluster: priority, then locality, then host. Pure but for its own position (round robin,
// deadlines); randomness is a parameter. Spec destinations.md §8, §10.4. Source: envoyproxy/envoy
// source/extensions/load_balancing_policies/common/{load_balancer_impl,thread_aware_lb_impl}.cc.
import type { Cluster } from '../xds/index.js';
import { type BalancedHost, isHealthy, weightOf } from './balanced-host.js';
import { EdfScheduler } from './edf-scheduler.js';
import { type HashTable, normaliseWeights } from './hash-table.js';
import { buildMaglev } from './maglev.js';
import { choosePriority, computePriorityLoad, type PriorityLoad } from './priority-load.js';
import { buildRing } from './ring-hash.js';
import { SlowStart } from './slow-start.js';

/** What a choice depends on beside the hosts. */
export interface Selection<H extends BalancedHost> {
  /** Hash of the request's or connection's hash policy; other policies ignore it. */
  readonly hash?: bigint | undefined;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  /** Hosts that the previous_hosts predicate turns down. After `maxDraws` the last one is taken all the same. */
  readonly exclude?: readonly H[] | undefined;
  /** Draws at most; default 6. */
  readonly maxDraws?: number | undefined;
  /** Priorities that earlier attempts used (previous_priorities): the load goes to the others while any is healthy. */
  readonly excludePriorities?: ReadonlySet<number> | undefined;
}

/** The hosts of one cluster and the position among them. */
export interface LoadBalancer<H extends BalancedHost> {
  /** `undefined` when no usable host is left (UH). */
  choose(selection: Selection<H>): H | undefined;
  /** To be called when `ejected` of a host has changed; cheap, work is done at the next choice. */
  hostsChanged(): void;
  /** Another set of hosts: the position of round robin and the age of the hosts that stay live on. */
  replaceHosts(hosts: readonly H[]): void;
}

/** Draws before an excluded host is accepted: Istio's host_selection_retry_max_attempts of 5, and the first. */
const DEFAULT_DRAWS = 6;

/** Envoy's default where the cluster does not say; Istio always does. */
const DEFAULT_PANIC_THRESHOLD = 50;

const DEFAULT_RING_SIZE = 1024;
const DEFAULT_TABLE_SIZE = 65537;

/**
 * A balancer over the hosts of a cluster.
 *
 *     const balancer = createLoadBalancer(cluster, hosts);
 *     balancer.choose({ random: Math.random });
 *
 * `now` (milliseconds) is asked by clusters with a warm-up only; without it no time passes.
 */
export function createLoadBalancer<H extends BalancedHost>(
  cluster: Cluster,
  hosts: readonly H[],
  now: () => number = () => 0,
): LoadBalancer<H> {
  return new PriorityLoadBalancer(cluster, hosts, now);
}

class PriorityLoadBalancer<H extends BalancedHost> implements LoadBalancer<H> {
  private readonly cluster: Cluster;
  private hostsByPriority: readonly (readonly H[])[];
  private readonly panicThreshold: number;
  private readonly slowStart: SlowStart<H> | undefined;
  private priorities: PriorityState<H>[] | undefined;
  private load: PriorityLoad;
  /** Position of round robin by pool, so that a health change does not restart it. */
  private readonly positions = new Map<string, number>();

  constructor(cluster: Cluster, hosts: readonly H[], now: () => number) {
    this.cluster = cluster;
    this.hostsByPriority = groupByPriority(hosts);
    const threshold = cluster.common_lb_config?.healthy_panic_threshold;
    this.panicThreshold = threshold === undefined ? DEFAULT_PANIC_THRESHOLD : (threshold.value ?? 0);
    this.slowStart = SlowStart.of<H>(cluster, now);
    this.priorities = undefined;
    this.load = { load: [], panic: [] };
    this.hostsChanged();
  }

  hostsChanged(): void {
    this.priorities = undefined;
    if (this.slowStart === undefined) return;
    this.slowStart.enter(this.hostsByPriority.flat());
    // Deadlines come from the weights of this moment and last until a host is picked (seen on Envoy 1.40: with a minimum
    // of zero a new host may wait longer than its window).
    this.refresh();
  }

  replaceHosts(hosts: readonly H[]): void {
    this.hostsByPriority = groupByPriority(hosts);
    this.hostsChanged();
  }

  choose(selection: Selection<H>): H | undefined {
    // ORIGINAL_DST has no hosts of its own, and nothing else here is CLUSTER_PROVIDED with hosts.
    if (this.hostsByPriority.length === 0) return undefined;
    const priorities = this.priorities ?? this.refresh();
    const { exclude } = selection;
    const isHashed = this.cluster.lb_policy === 'RING_HASH' || this.cluster.lb_policy === 'MAGLEV';
    const hash = isHashed ? (selection.hash ?? randomHash(selection.random)) : undefined;
    let host: H | undefined;
    const maxDraws = selection.maxDraws ?? DEFAULT_DRAWS;
    for (let attempt = 0; attempt < maxDraws; attempt++) {
      const state = priorities.length === 1 ? priorities[0] : priorities[this.drawPriority(selection, hash)];
      host = hash === undefined ? state?.pick(selection.random) : state?.find(hash, attempt);
      if (host === undefined || exclude === undefined || !exclude.includes(host)) return host;
    }
    return host;
  }

  private drawPriority(selection: Selection<H>, hash: bigint | undefined): number {
    const value = hash === undefined ? Math.floor(selection.random() * 100) : Number(hash % 100n);
    return choosePriority(this.loadFor(selection, hash !== undefined), value);
  }

  private refresh(): PriorityState<H>[] {
    const health = this.hostsByPriority.map((hosts) => ({
      total: hosts.length,
      healthy: hosts.filter(isHealthy).length,
    }));
    this.load = computePriorityLoad(health, this.panicThreshold);
    this.priorities = this.hostsByPriority.map((all, priority) => {
      const panics = this.load.panic[priority] === true;
      const usable = panics ? all : all.filter(isHealthy);
      return new PriorityState(this.cluster, priority, all, usable, panics, this.positions, this.slowStart);
    });
    return this.priorities;
  }

  // Attempted priorities get no load; when that leaves nobody the exclusion is forgotten. Hash policies never ask the
  // predicate (seen on Envoy 1.40: a retry stays in the priority of its hash).
  private loadFor({ excludePriorities }: Selection<H>, isHashed: boolean): readonly number[] {
    if (isHashed || excludePriorities === undefined || excludePriorities.size === 0) return this.load.load;
    const health = this.hostsByPriority.map((hosts, priority) => ({
      total: hosts.length,
      healthy: excludePriorities.has(priority) ? 0 : hosts.filter(isHealthy).length,
    }));
    if (health.every(({ healthy }) => healthy === 0)) return this.load.load;
    return computePriorityLoad(health, 0).load;
  }
}

/** One priority between two health changes. */
class PriorityState<H extends BalancedHost> {
  private readonly cluster: Cluster;
  private readonly usable: readonly H[];
  private readonly localityWeights: ReadonlyMap<string, number> | undefined;
  private readonly localities: EdfScheduler<HostPool<H>> | undefined;
  private readonly effectiveWeights: Map<HostPool<H>, number>;
  private readonly whole: HostPool<H>;
  /** Built at the first hash: a ring costs a thousand hashes. */
  private table: HashTable<H> | undefined;

  constructor(
    cluster: Cluster,
    priority: number,
    all: readonly H[],
    usable: readonly H[],
    panics: boolean,
    positions: Map<string, number>,
    slowStart: SlowStart<H> | undefined,
  ) {
    this.cluster = cluster;
    this.usable = usable;
    this.localityWeights = localityWeightsOf(cluster, all);
    this.whole = new HostPool(cluster, usable, `${priority}`, positions, slowStart);
    this.effectiveWeights = new Map();
    this.localities = undefined;
    // In panic all hosts are one list, whatever their localities weigh; only hash tables keep the weights.
    if (this.localityWeights !== undefined && usable.length > 0 && !panics) {
      const localities = new EdfScheduler<HostPool<H>>();
      for (const [locality, weight] of this.localityWeights) {
        const hosts = usable.filter((host) => localityName(host) === locality);
        const total = all.filter((host) => localityName(host) === locality).length;
        if (hosts.length === 0 || weight === 0) continue;
        const pool = new HostPool(cluster, hosts, `${priority}/${locality}`, positions, slowStart);
        // A locality gives up traffic once fewer than 1/1.4 of its hosts are healthy.
        this.effectiveWeights.set(pool, weight * Math.min(1, (1.4 * hosts.length) / total));
        localities.add(pool, this.effectiveWeights.get(pool) ?? weight);
      }
      if (this.effectiveWeights.size > 0) this.localities = localities;
    }
    this.table = undefined;
  }

  pick(random: () => number): H | undefined {
    const pool = this.localities?.pick((candidate) => this.effectiveWeights.get(candidate) ?? 1) ?? this.whole;
    return pool.pick(random);
  }

  find(hash: bigint, attempt: number): H | undefined {
    if (this.usable.length === 0) return undefined;
    this.table ??= this.buildTable();
    return this.table.find(hash, attempt);
  }

  private buildTable(): HashTable<H> {
    const hosts = normaliseWeights(this.usable, this.localityWeights, localityName);
    if (this.cluster.lb_policy === 'MAGLEV')
      return buildMaglev(hosts, Number(this.cluster.maglev_lb_config?.table_size ?? DEFAULT_TABLE_SIZE));
    return buildRing(hosts, Number(this.cluster.ring_hash_lb_config?.minimum_ring_size ?? DEFAULT_RING_SIZE));
  }
}

/** Hosts among which ROUND_ROBIN, LEAST_REQUEST or RANDOM choose. */
class HostPool<H extends BalancedHost> {
  private readonly policy: Cluster['lb_policy'];
  private readonly hosts: readonly H[];
  private readonly key: string;
  private readonly positions: Map<string, number>;
  private readonly slowStart: SlowStart<H> | undefined;
  private readonly scheduler: EdfScheduler<H> | undefined;
  private isOffset: boolean;

  constructor(
    cluster: Cluster,
    hosts: readonly H[],
    key: string,
    positions: Map<string, number>,
    slowStart: SlowStart<H> | undefined,
  ) {
    this.policy = cluster.lb_policy;
    this.hosts = hosts;
    this.key = key;
    this.positions = positions;
    this.slowStart = slowStart;
    this.scheduler = undefined;
    this.isOffset = false;
    const first = hosts[0];
    const isUneven =
      hosts.length > 1 &&
      (slowStart?.isActive === true || hosts.some((host) => weightOf(host) !== weightOf(first as H)));
    if (this.policy !== 'RANDOM' && isUneven) {
      this.scheduler = new EdfScheduler();
      for (const host of hosts) this.scheduler.add(host, this.currentWeight(host));
    }
  }

  pick(random: () => number): H | undefined {
    if (this.hosts.length === 0) return undefined;
    if (this.policy === 'RANDOM') return this.draw(random);
    if (this.scheduler !== undefined) return this.pickScheduled(this.scheduler, random);
    if (this.policy === 'LEAST_REQUEST') {
      const first = this.draw(random);
      const second = this.draw(random);
      return second.activeRequests < first.activeRequests ? second : first;
    }
    const position = this.positions.get(this.key) ?? Math.floor(random() * this.hosts.length);
    this.positions.set(this.key, position + 1);
    return this.hosts[position % this.hosts.length];
  }

  // Deadlines start at a random offset, so that several gateways do not favour the same host.
  private pickScheduled(scheduler: EdfScheduler<H>, random: () => number): H | undefined {
    if (!this.isOffset) {
      this.isOffset = true;
      for (let skips = Math.floor(random() * this.hosts.length); skips > 0; skips--)
        scheduler.pick((host) => this.currentWeight(host));
    }
    return scheduler.pick((host) => this.currentWeight(host));
  }

  private currentWeight(host: H): number {
    const weight = this.policy === 'LEAST_REQUEST' ? weightOf(host) / (host.activeRequests + 1) : weightOf(host);
    return this.slowStart?.isActive === true ? weight * this.slowStart.factor(host) : weight;
  }

  private draw(random: () => number): H {
    return this.hosts[Math.floor(random() * this.hosts.length)] as H;
  }
}

function groupByPriority<H extends BalancedHost>(hosts: readonly H[]): readonly (readonly H[])[] {
  const groups: H[][] = [];
  for (const host of hosts) {
    while (groups.length <= host.endpoint.priority) groups.push([]);
    groups[host.endpoint.priority]?.push(host);
  }
  return groups;
}

function localityWeightsOf<H extends BalancedHost>(
  cluster: Cluster,
  hosts: readonly H[],
): ReadonlyMap<string, number> | undefined {
  if (cluster.common_lb_config?.locality_weighted_lb_config === undefined) return undefined;
  const weights = new Map<string, number>();
  for (const host of hosts) {
    const { localityWeight } = host.endpoint;
    if (localityWeight !== undefined) weights.set(localityName(host), localityWeight);
  }
  return weights.size === 0 ? undefined : weights;
}

function localityName(host: BalancedHost): string {
  const { region = '', zone = '', sub_zone = '' } = host.endpoint.locality;
  return `${region}/${zone}/${sub_zone}`;
}

function randomHash(random: () => number): bigint {
  return BigInt(Math.floor(random() * 0x100000000)) * 0x100000000n + BigInt(Math.floor(random() * 0x100000000));
}
