// Envoy's Maglev table. Spec destinations.md §8.5. Source: envoyproxy/envoy
// source/extensions/load_balancing_policies/maglev/maglev_lb.cc.
import { xxHash64 } from '../xds/xx-hash.js';
import type { BalancedHost } from './balanced-host.js';
import type { HashTable, WeightedHost } from './hash-table.js';

interface Filler<H> {
  readonly host: H;
  readonly offset: number;
  readonly skip: number;
  readonly weight: number;
  targetWeight: number;
  next: number;
}

/** `tableSize` is a prime; every slot holds a host. */
export function buildMaglev<H extends BalancedHost>(
  hosts: readonly WeightedHost<H>[],
  tableSize: number,
): HashTable<H> {
  const table = new Array<H | undefined>(tableSize).fill(undefined);
  if (hosts.length > 0) fill(table, hosts);
  const size = BigInt(tableSize);
  return {
    find(hash: bigint, attempt: number): H | undefined {
      // A retry looks elsewhere: all bits are flipped, and more for each further attempt.
      const key = attempt === 0 ? hash : hash ^ (0xffffffffffffffffn - BigInt(attempt) + 1n);
      return table[Number(key % size)];
    },
  };
}

function fill<H extends BalancedHost>(table: (H | undefined)[], hosts: readonly WeightedHost<H>[]): void {
  const size = BigInt(table.length);
  const largest = Math.max(...hosts.map(({ weight }) => weight));
  const fillers: Filler<H>[] = [...hosts]
    .sort((a, b) => (a.host.address < b.host.address ? -1 : a.host.address > b.host.address ? 1 : 0))
    .map(({ host, weight }) => ({
      host,
      offset: Number(xxHash64(host.address) % size),
      skip: table.length === 1 ? 0 : Number(xxHash64(host.address, 1n) % (size - 1n)) + 1,
      weight,
      targetWeight: 0,
      next: 0,
    }));
  for (let filled = 0, iteration = 1; filled < table.length; iteration++) {
    for (const filler of fillers) {
      if (filled >= table.length) return;
      // A host of a third of the largest weight takes a slot on every third iteration.
      if (iteration * filler.weight < filler.targetWeight) continue;
      filler.targetWeight += largest;
      let slot = slotOf(filler, table.length);
      while (table[slot] !== undefined) {
        filler.next++;
        slot = slotOf(filler, table.length);
      }
      table[slot] = filler.host;
      filler.next++;
      filled++;
    }
  }
}

// Table sizes stay below 5 000 011, so the product is exact.
function slotOf<H>(filler: Filler<H>, size: number): number {
  return (filler.offset + filler.skip * filler.next) % size;
}
