// What ring and Maglev have in common: a table over weighted hosts that answers a hash. Spec destinations.md §8.4, §8.5.
import { type BalancedHost, weightOf } from './balanced-host.js';

/** A host with its share of the table, 0 to 1. */
export interface WeightedHost<H extends BalancedHost> {
  readonly host: H;
  /** Normalised: the weights of all hosts sum to 1. */
  readonly weight: number;
}

/** Hosts by hash. */
export interface HashTable<H extends BalancedHost> {
  /** `attempt` counts the hosts that a retry has already turned down. */
  find(hash: bigint, attempt: number): H | undefined;
}

/** Host weights, normalised; with locality weights each locality's share is divided among its hosts. */
export function normaliseWeights<H extends BalancedHost>(
  hosts: readonly H[],
  localityWeights: ReadonlyMap<string, number> | undefined,
  localityOf: (host: H) => string,
): readonly WeightedHost<H>[] {
  if (localityWeights === undefined) {
    const total = hosts.reduce((sum, host) => sum + weightOf(host), 0);
    return hosts.map((host) => ({ host, weight: weightOf(host) / total }));
  }
  const inLocality = new Map<string, number>();
  for (const host of hosts) inLocality.set(localityOf(host), (inLocality.get(localityOf(host)) ?? 0) + weightOf(host));
  let total = 0;
  for (const locality of inLocality.keys()) total += localityWeights.get(locality) ?? 0;
  return hosts
    .map((host) => {
      const locality = localityOf(host);
      const share = (localityWeights.get(locality) ?? 0) / total;
      return { host, weight: (share * weightOf(host)) / (inLocality.get(locality) ?? 1) };
    })
    .filter(({ weight }) => weight > 0);
}
