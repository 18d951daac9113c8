// How traffic is split over priorities, and when a priority panics. Spec destinations.md §8.6, §10.4. Source:
// envoyproxy/envoy source/extensions/load_balancing_policies/common/load_balancer_impl.cc
// (recalculatePerPriorityState, recalculatePerPriorityPanic, recalculateLoadInTotalPanic).

/** Numbers of hosts of one priority. */
export interface PriorityHealth {
  readonly total: number;
  readonly healthy: number;
}

/** Both lists are indexed by priority. */
export interface PriorityLoad {
  /** Percent of the traffic, by priority; 100 in sum when there is a host at all. */
  readonly load: readonly number[];
  /** Priorities whose unhealthy hosts are used too. */
  readonly panic: readonly boolean[];
}

/** A priority counts as wholly available while at least this share (1/1.4) of its hosts is healthy. */
const OVERPROVISIONING_PERCENT = 140;

/** `panicThreshold` in percent; 0 switches panic off. */
export function computePriorityLoad(priorities: readonly PriorityHealth[], panicThreshold: number): PriorityLoad {
  const health = priorities.map(({ total, healthy }) =>
    total === 0 ? 0 : Math.min(100, Math.floor((OVERPROVISIONING_PERCENT * healthy) / total)),
  );
  const available = Math.min(100, sum(health));
  const load = distribute(health, available);
  // Nobody healthy and no panic: priority 0 takes the blame, and finds no host there.
  if (panicThreshold === 0 && available === 0) {
    if (load.length > 0) load[0] = 100;
    return { load, panic: priorities.map(() => false) };
  }
  const panic = priorities.map(
    ({ total, healthy }) => available !== 100 && (total === 0 ? 0 : (100 * healthy) / total) < panicThreshold,
  );
  return { load: panic.every((isPanic) => isPanic) ? distributeByHosts(priorities) : load, panic };
}

function distribute(health: readonly number[], available: number): number[] {
  if (available === 0) return health.map(() => 0);
  let rest = 100;
  const load = health.map((percent) => {
    const share = Math.min(rest, Math.floor((percent * 100) / available));
    rest -= share;
    return share;
  });
  const first = health.findIndex((percent) => percent > 0);
  load[first] = (load[first] ?? 0) + rest; // rounding
  return load;
}

function distributeByHosts(priorities: readonly PriorityHealth[]): number[] {
  const hosts = sum(priorities.map(({ total }) => total));
  if (hosts === 0) return priorities.map((_, index) => (index === 0 ? 100 : 0));
  const load = priorities.map(({ total }) => Math.floor((100 * total) / hosts));
  const first = priorities.findIndex(({ total }) => total > 0);
  load[first] = (load[first] ?? 0) + 100 - sum(load);
  return load;
}

/** The priority of a draw; `value` is uniform in 0..99. */
export function choosePriority(load: readonly number[], value: number): number {
  let limit = 0;
  for (const [priority, percent] of load.entries()) {
    limit += percent;
    if (value < limit) return priority;
  }
  return 0;
}

function sum(values: readonly number[]): number {
  let total = 0;
  for (const value of values) total += value;
  return total;
}
