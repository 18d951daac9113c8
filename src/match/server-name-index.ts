// Names of TLS servers compiled for lookup (spec gateway.md §6.2 steps 1-3; times in performance.md §7).
import { RecentLookups } from './recent-lookups.js';

/** Tables up to this size stay in the processor's caches by themselves. */
const SMALL = 1024;

/**
 * Finds the value of the most specific name: exact, then the longest `*.suffix`, then the catch-all.
 *
 *     const index = new ServerNameIndex([['a.example.com', 1], ['*.example.com', 2], ['', 3]]);
 *     index.find('a.example.com'); // 1
 *     index.find('b.c.example.com'); // 2
 *     index.find('example.com'); // 3: a wildcard never covers its apex
 */
export class ServerNameIndex<T> {
  private readonly exact: ReadonlyMap<string, T>;
  /** Keyed '.example.com', so that the longest suffix is met first. */
  private readonly wildcard: ReadonlyMap<string, T>;
  private readonly catchAll: T | undefined;
  /** `null` = no name fits. */
  private readonly recent: RecentLookups<T | null> | undefined;

  /** Names in any case; '' and '*' are the catch-all. The first of two equal names stays. */
  constructor(entries: Iterable<readonly [name: string, value: T]>) {
    const exact = new Map<string, T>();
    const wildcard = new Map<string, T>();
    let catchAll: T | undefined;
    for (const [name, value] of entries) {
      const key = name.toLowerCase();
      if (key === '' || key === '*') catchAll ??= value;
      else if (key.startsWith('*.')) setFirst(wildcard, key.slice(1), value);
      else setFirst(exact, key, value);
    }
    this.exact = exact;
    this.wildcard = wildcard;
    this.catchAll = catchAll;
    this.recent = exact.size + wildcard.size > SMALL ? new RecentLookups() : undefined;
  }

  /** `name` is already lower case; '' = the client sent none. */
  find(name: string): T | undefined {
    if (this.recent === undefined) return this.search(name);
    const known = this.recent.get(name);
    if (known !== undefined) return known ?? undefined;
    const found = this.search(name);
    this.recent.set(name, found ?? null);
    return found;
  }

  private search(name: string): T | undefined {
    // Envoy keeps both kinds in one map: the name `.example.com` is the key of `*.example.com` itself (measured).
    const exact = this.exact.get(name) ?? this.wildcard.get(name);
    if (exact !== undefined) return exact;
    if (this.wildcard.size > 0) {
      // A dot at the very beginning or end begins no suffix.
      const last = name.length - 1;
      for (let dot = name.indexOf('.', 1); dot !== -1 && dot < last; dot = name.indexOf('.', dot + 1)) {
        const hit = this.wildcard.get(name.slice(dot));
        if (hit !== undefined) return hit;
      }
    }
    return this.catchAll;
  }
}

function setFirst<T>(map: Map<string, T>, key: string, value: T): void {
  if (!map.has(key)) map.set(key, value);
}
