// The hosts of one server as VirtualServices of one namespace see them, indexed: thousands of exact hosts on one server
// meet thousands of VirtualServices with one host each, and comparing every pair takes seconds from 5000 on. Spec
// gateway.md §5.2; the algebra of two hosts is in config/model/host-name.ts.
import { hostsForNamespace, isWildcard, overlaps, subsetOf } from '../../config/model/host-name.js';
import type { MergedServer } from '../gateway-merge.js';

/** Hosts without their namespaces. */
export class ServerHosts {
  private readonly all: readonly string[];
  private readonly exact: ReadonlySet<string>;
  private readonly wildcards: readonly string[];

  constructor(hosts: readonly string[]) {
    this.all = hosts;
    this.exact = new Set(hosts.filter((host) => !isWildcard(host)));
    this.wildcards = hosts.filter(isWildcard);
  }

  /**
   * Of each pair of a server's and a VirtualService's host the more specific one, without repetition. This is how the two
   * become virtual hosts.
   *
   *     new ServerHosts(['*.example.com', 'b.test']).intersection(['a.example.com', '*']); // all but the last
   */
  intersection(others: readonly string[]): readonly string[] {
    const result = new Set<string>();
    for (const other of others) {
      if (!isWildcard(other)) {
        if (this.overlaps(other)) result.add(other);
        continue;
      }
      for (const host of this.all) {
        if (subsetOf(host, other)) result.add(host);
        else if (subsetOf(other, host)) result.add(other);
      }
    }
    return [...result];
  }

  /** Some name fits both this host and the server. */
  overlaps(other: string): boolean {
    if (this.exact.has(other)) return true;
    const candidates = isWildcard(other) ? this.all : this.wildcards;
    return candidates.some((host) => overlaps(host, other));
  }
}

const indexes = new WeakMap<MergedServer, Map<string, ServerHosts>>();

/** Built once per server and namespace. */
export function serverHosts(server: MergedServer, namespace: string): ServerHosts {
  const byNamespace = indexes.get(server) ?? new Map<string, ServerHosts>();
  indexes.set(server, byNamespace);
  const known = byNamespace.get(namespace);
  if (known !== undefined) return known;
  const built = new ServerHosts(hostsForNamespace(server.hosts, namespace));
  byNamespace.set(namespace, built);
  return built;
}
