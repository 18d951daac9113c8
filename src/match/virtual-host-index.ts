// Virtual hosts of one route table compiled for lookup (spec virtualservice.md §5).
import { RecentLookups } from './recent-lookups.js';

/** Tables up to this size stay in the processor's caches by themselves. */
const SMALL = 1024;

/** What the index needs of a virtual host. */
export interface HasDomains {
  readonly domains: readonly string[];
}

/**
 * Exact domain, then the longest `*suffix`, then the longest `prefix*`, then `*`. There is no way back to a less
 * specific virtual host when the found one has no fitting route.
 */
export class VirtualHostIndex<T extends HasDomains> {
  private readonly exact: ReadonlyMap<string, T>;
  private readonly suffixes: Affixes<T>;
  private readonly prefixes: Affixes<T>;
  private readonly any: T | undefined;
  private readonly ignorePort: boolean;
  /** By authority as sent; `null` = no virtual host. */
  private readonly recent: RecentLookups<T | null> | undefined;

  /** `ignorePort`: the port of an authority is cut off before it is looked up (Istio sets it on every table). */
  constructor(hosts: readonly T[], ignorePort: boolean) {
    const exact = new Map<string, T>();
    const suffixes = new Map<string, T>();
    const prefixes = new Map<string, T>();
    let any: T | undefined;
    for (const host of hosts) {
      for (const text of host.domains) {
        const domain = text.toLowerCase();
        if (domain === '*') any ??= host;
        else if (domain.startsWith('*')) setFirst(suffixes, domain.slice(1), host);
        else if (domain.endsWith('*')) setFirst(prefixes, domain.slice(0, -1), host);
        else setFirst(exact, domain, host);
      }
    }
    this.exact = exact;
    this.suffixes = new Affixes(suffixes);
    this.prefixes = new Affixes(prefixes);
    this.any = any;
    this.ignorePort = ignorePort;
    this.recent = exact.size + suffixes.size + prefixes.size > SMALL ? new RecentLookups() : undefined;
  }

  /** `authority` as sent, any case. */
  find(authority: string): T | undefined {
    if (this.recent === undefined) return this.search(authority);
    const known = this.recent.get(authority);
    if (known !== undefined) return known ?? undefined;
    const found = this.search(authority);
    this.recent.set(authority, found ?? null);
    return found;
  }

  private search(authority: string): T | undefined {
    const host = (this.ignorePort ? hostWithoutPort(authority) : authority).toLowerCase();
    const exact = this.exact.get(host);
    if (exact !== undefined) return exact;
    // A wildcard stands for at least one character, so only affixes shorter than the host are tried.
    for (const length of this.suffixes.lengths) {
      if (length >= host.length) continue;
      const hit = this.suffixes.get(host.slice(host.length - length));
      if (hit !== undefined) return hit;
    }
    for (const length of this.prefixes.lengths) {
      if (length >= host.length) continue;
      const hit = this.prefixes.get(host.slice(0, length));
      if (hit !== undefined) return hit;
    }
    return this.any;
  }
}

/** Wildcards need not begin at a dot (`*-x.example.com`), so they are probed by their lengths, longest first. */
class Affixes<T> {
  readonly lengths: readonly number[];
  private readonly values: ReadonlyMap<string, T>;

  constructor(values: ReadonlyMap<string, T>) {
    this.lengths = [...new Set([...values.keys()].map((affix) => affix.length))].sort((a, b) => b - a);
    this.values = values;
  }

  get(affix: string): T | undefined {
    return this.values.get(affix);
  }
}

/**
 * Envoy's idea of a host without its port: everything before the last `:` that is not followed by a `]`, digits or not
 * (`a:` and `a:abc` give `a`, `fd00::7` gives `fd00:`, `[::1]:80` gives `[::1]`).
 */
export function hostWithoutPort(authority: string): string {
  const colon = authority.lastIndexOf(':');
  return colon === -1 || authority.indexOf(']', colon) !== -1 ? authority : authority.slice(0, colon);
}

function setFirst<T>(map: Map<string, T>, key: string, value: T): void {
  if (!map.has(key)) map.set(key, value);
}
