// When nothing matched: what comes nearest, in plain words, for explain.
import { type FilterChain, HTTP_CONNECTION_MANAGER, isBlackhole, type Route, type VirtualHost } from '../xds/index.js';
import type { ListenerIndex, SnapshotIndex } from './snapshot-index.js';

/** One candidate that was not taken. */
export interface Candidate {
  readonly text: string;
  readonly originId?: number | undefined;
}

/** More would not be read. */
const MOST = 3;

/** What is listened on, when nobody listens on the port that was asked for. */
export function otherListeners(index: SnapshotIndex): readonly Candidate[] {
  return [...index.listeners.values()].map(({ entry }) => ({
    text: entry.state === 'active' ? entry.name : `${entry.name} (${entry.state}: ${entry.error ?? 'not ready'})`,
    originId: entry.listener?.originId,
  }));
}

/** Chains of the listener whose server names are nearest to this one. */
export function nearestChains(listener: ListenerIndex, serverName: string): readonly Candidate[] {
  const named = chainsOf(listener).flatMap((chain) =>
    (chain.filter_chain_match?.server_names ?? []).map((name) => ({ name, chain })),
  );
  return nearest(serverName, named, ({ name }) => name).map(({ name, chain }) => ({
    text: `server name ${name} leads to chain ${chain.label ?? ''}`,
    originId: chain.originId,
  }));
}

/** Other chains, of any listener, whose route tables know this host. */
export function hostElsewhere(index: SnapshotIndex, host: string, except: FilterChain): readonly Candidate[] {
  const found: Candidate[] = [];
  for (const listener of index.listeners.values()) {
    for (const chain of chainsOf(listener)) {
      if (chain === except) continue;
      const virtualHost = tableOf(index, chain)?.findVirtualHost(host)?.virtualHost;
      if (virtualHost === undefined || isCatchAll(virtualHost) || isBlackhole(virtualHost)) continue;
      const names = chain.filter_chain_match?.server_names;
      const entry = names === undefined ? '' : ` (SNI ${names.join(', ')})`;
      found.push({
        text: `host ${host} is bound by chain ${chain.label ?? ''} of ${listener.entry.name}${entry}, not by this one`,
        originId: virtualHost.originId,
      });
    }
  }
  return found.slice(0, MOST);
}

/** Domains of a table that are nearest to a host that none of them covers. */
export function nearestDomains(hosts: readonly VirtualHost[], host: string): readonly Candidate[] {
  const named = hosts
    .filter((virtualHost) => !isBlackhole(virtualHost))
    .flatMap((virtualHost) => virtualHost.domains.map((domain) => ({ domain, virtualHost })));
  return nearest(host.replace(/:\d*$/, ''), named, ({ domain }) => domain).map(({ domain, virtualHost }) => ({
    text: `virtual host ${virtualHost.name} has ${domain}`,
    originId: virtualHost.originId,
  }));
}

/** Routes whose path is nearest to one that none of them takes. */
export function nearestRoutes(routes: readonly Route[], path: string): readonly Candidate[] {
  const plain = path.replace(/\?.*$/, '');
  const named = routes.flatMap((route) => {
    const text = route.match.prefix ?? route.match.path;
    return text === undefined ? [] : [{ text, route }];
  });
  return nearest(plain, named, ({ text, route }) =>
    route.match.prefix === undefined ? text : plain.length > text.length ? text + plain.slice(text.length) : text,
  ).map(({ text, route }) => ({
    text: `${route.match.prefix === undefined ? 'path' : 'prefix'} ${text} belongs to ${route.name ?? 'an unnamed rule'}`,
    originId: route.originId,
  }));
}

/** Clusters whose name is nearest to one that does not exist. */
export function nearestClusters(index: SnapshotIndex, name: string): readonly Candidate[] {
  return nearest(name, [...index.clusters.values()], (cluster) => cluster.name).map((cluster) => ({
    text: `there is ${cluster.name}`,
    originId: cluster.originId,
  }));
}

function chainsOf(listener: ListenerIndex): readonly FilterChain[] {
  return listener.entry.listener?.filter_chains ?? [];
}

/** The compiled table of a chain that speaks HTTP. */
export function tableOf(index: SnapshotIndex, chain: FilterChain): ReturnType<SnapshotIndex['routes']['get']> {
  const filter = chain.filters.at(-1);
  return filter?.name === HTTP_CONNECTION_MANAGER
    ? index.routes.get(filter.typed_config.rds.route_config_name)
    : undefined;
}

function isCatchAll({ domains }: VirtualHost): boolean {
  return domains.includes('*');
}

// By edit distance, at most half of the longer text: what is further away helps nobody.
function nearest<T>(wanted: string, all: readonly T[], nameOf: (entry: T) => string): readonly T[] {
  const text = wanted.toLowerCase();
  const rated: { readonly entry: T; readonly distance: number }[] = [];
  for (const entry of all) {
    const name = nameOf(entry).toLowerCase();
    const limit = Math.ceil(Math.max(text.length, name.length) / 2);
    if (Math.abs(text.length - name.length) > limit) continue;
    const distance = editDistance(text, name);
    if (distance <= limit) rated.push({ entry, distance });
  }
  rated.sort((a, b) => a.distance - b.distance);
  return rated.slice(0, MOST).map(({ entry }) => entry);
}

/** Insertions, deletions and replacements from one text to the other; texts are cut at 256 characters. */
export function editDistance(a: string, b: string): number {
  const from = a.slice(0, 256);
  const to = b.slice(0, 256);
  let previous = Array.from({ length: to.length + 1 }, (_, i) => i);
  for (let i = 1; i <= from.length; i++) {
    const current = [i];
    for (let j = 1; j <= to.length; j++) {
      const replaced = (previous[j - 1] ?? 0) + (from[i - 1] === to[j - 1] ? 0 : 1);
      current.push(Math.min(replaced, (previous[j] ?? 0) + 1, (current[j - 1] ?? 0) + 1));
    }
    previous = current;
  }
  return previous[to.length] ?? 0;
}
