// The cluster of a TCP connection (spec gateway.md §10.3): weights count, health does not.
import type { TcpProxy } from '../xds/index.js';

/** `random` is uniform in [0, 1). '' when the proxy names no cluster at all, which no listener of ours does. */
export function chooseTcpCluster({ cluster, weighted_clusters: weighted }: TcpProxy, random: () => number): string {
  if (cluster !== undefined || weighted === undefined) return cluster ?? '';
  let total = 0;
  for (const { weight } of weighted.clusters) total += weight;
  let left = Math.floor(random() * total);
  for (const { name, weight } of weighted.clusters) {
    if (left < weight) return name;
    left -= weight;
  }
  return weighted.clusters.at(-1)?.name ?? '';
}
