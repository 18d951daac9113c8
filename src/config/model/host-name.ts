// Host names with a leading wildcard, as Istio's control plane compares them. Spec gateway.md §5.1-5.3 (home of the
// algebra). Everything is a case-sensitive string operation: `Foo.com` and `foo.com` are two hosts here, whatever DNS
// says; Envoy folds the case later, where it matters.

/** Begins with `*`: `*`, `*.example.com`, and also `*foo.com` (legal in a VirtualService). */
export function isWildcard(host: string): boolean {
  return host.startsWith('*');
}

/**
 * Every name that `host` stands for is one that `other` stands for.
 *
 *     subsetOf('a.b.example.com', '*.example.com'); // true: a wildcard covers any depth
 *     subsetOf('example.com', '*.example.com');     // false: but not the bare domain
 */
export function subsetOf(host: string, other: string): boolean {
  if (isWildcard(host)) {
    if (!isWildcard(other)) return false;
    return host.length >= other.length && host.slice(1).endsWith(other.slice(1));
  }
  return isWildcard(other) ? host.endsWith(other.slice(1)) : host === other;
}

/** Some name fits both; symmetric. */
export function overlaps(a: string, b: string): boolean {
  if (isWildcard(a)) {
    if (!isWildcard(b)) return b.endsWith(a.slice(1));
    return a.length < b.length ? b.slice(1).endsWith(a.slice(1)) : a.slice(1).endsWith(b.slice(1));
  }
  return isWildcard(b) ? a.endsWith(b.slice(1)) : a === b;
}

/** `ns/host` taken apart at the first slash; `namespace` is `undefined` when nothing is written before the host. */
export interface NamespacedHost {
  readonly namespace: string | undefined;
  readonly host: string;
}

/** Takes any text; `/host` has the namespace ''. */
export function parseNamespacedHost(written: string): NamespacedHost {
  const slash = written.indexOf('/');
  if (slash === -1) return { namespace: undefined, host: written };
  return { namespace: written.slice(0, slash), host: written.slice(slash + 1) };
}

/** Hosts of a server that count for a VirtualService of this namespace, without their namespaces (spec §5.3 step 1). */
export function hostsForNamespace(hosts: readonly string[], namespace: string): readonly string[] {
  const result: string[] = [];
  for (const written of hosts) {
    const parsed = parseNamespacedHost(written);
    if (parsed.namespace === undefined || parsed.namespace === namespace) result.push(parsed.host);
  }
  return result;
}
