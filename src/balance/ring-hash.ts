// Envoy's ring (ketama style). Spec destinations.md §8.4. Source: envoyproxy/envoy
// source/extensions/load_balancing_policies/ring_hash/ring_hash_lb.cc.
import { xxHash64 } from '../xds/xx-hash.js';
import type { BalancedHost } from './balanced-host.js';
import type { HashTable, WeightedHost } from './hash-table.js';

const MAX_RING_SIZE = 8388608;

/** A ring over hosts whose weights sum to 1. */
export function buildRing<H extends BalancedHost>(
  hosts: readonly WeightedHost<H>[],
  minimumRingSize: number,
): HashTable<H> {
  const smallest = Math.min(...hosts.map(({ weight }) => weight));
  const scale = Math.min(Math.ceil(smallest * minimumRingSize) / smallest, MAX_RING_SIZE);
  const entries: { readonly hash: bigint; readonly host: H }[] = [];
  let target = 0;
  for (const { host, weight } of hosts) {
    target += scale * weight;
    for (let index = 0; entries.length < target; index++)
      entries.push({ hash: xxHash64(`${host.address}_${index}`), host });
  }
  entries.sort((a, b) => (a.hash < b.hash ? -1 : a.hash > b.hash ? 1 : 0));
  const hashes = BigUint64Array.from(entries, ({ hash }) => hash);
  return {
    find(hash: bigint, attempt: number): H | undefined {
      if (entries.length === 0) return undefined;
      const at = firstNotBelow(hashes, hash);
      return entries[(at + attempt) % entries.length]?.host;
    },
  };
}

/** Index of the first hash that is not smaller; past the end it wraps to 0. */
function firstNotBelow(hashes: BigUint64Array, hash: bigint): number {
  let low = 0;
  let high = hashes.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((hashes[middle] as bigint) < hash) low = middle + 1;
    else high = middle;
  }
  return low === hashes.length ? 0 : low;
}
