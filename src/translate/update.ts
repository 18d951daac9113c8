// What a running gateway keeps when an update has gaps or parts that Envoy refuses. A fresh gateway has nothing to keep
// and lives with the snapshot as it is. Spec gateway.md §4.6, §8.6 (right column), virtualservice.md §17.4.
import {
  type Cluster,
  HTTP_CONNECTION_MANAGER,
  type ListenerEntry,
  type RouteConfiguration,
  type Secret,
  type Snapshot,
} from '../xds/index.js';
import { chainSecrets, clusterSecrets, publish } from './published.js';

/**
 * The snapshot that is in force after `update` has come to a gateway that runs `running`.
 *
 *     const next = acceptUpdate(current, translate(context, report).snapshot);
 *
 * - A refused listener leaves its previous version serving.
 * - A refused route table leaves the last good one.
 * - A Secret that is gone, or that Envoy refuses, leaves the previous material, as long as a listener or cluster that
 *   asked for it is still the same.
 *
 * Parts that stay have no origin any more: their numbers belong to another table.
 */
export function acceptUpdate(running: Snapshot, update: Snapshot): Snapshot {
  const listeners = update.listeners.map((entry) => keptListener(running, entry) ?? entry);
  const { routes, refused } = acceptedRoutes(running, update, listeners);
  const { refusedRoutes: _, ...rest } = update;
  return Object.freeze({
    ...rest,
    listeners,
    routes,
    secrets: acceptedSecrets(running, { ...update, listeners }),
    ...(Object.keys(refused).length === 0 ? {} : { refusedRoutes: refused }),
  });
}

function keptListener(running: Snapshot, entry: ListenerEntry): ListenerEntry | undefined {
  if (entry.state !== 'error') return undefined;
  const previous = running.listeners.find(({ name, listener }) => name === entry.name && listener !== undefined);
  return previous === undefined ? undefined : withoutOrigins(previous);
}

function acceptedRoutes(
  running: Snapshot,
  update: Snapshot,
  listeners: readonly ListenerEntry[],
): { readonly routes: readonly RouteConfiguration[]; readonly refused: Readonly<Record<string, string>> } {
  const refused: Record<string, string> = {};
  const routes = new Map(update.routes.map((table) => [table.name, table]));
  for (const [name, reason] of Object.entries(update.refusedRoutes ?? {})) {
    const good = goodTable(running, name);
    if (good === undefined) refused[name] = reason;
    else routes.set(name, withoutOrigins(good));
  }
  // A listener that stayed may ask for a table whose servers are gone: istiod answers with an empty one.
  for (const name of routeNamesOf(listeners))
    if (!routes.has(name)) routes.set(name, { name, virtual_hosts: [], validate_clusters: false });
  return { routes: [...routes.values()], refused };
}

function routeNamesOf(listeners: readonly ListenerEntry[]): readonly string[] {
  return listeners.flatMap(({ listener }) =>
    (listener?.filter_chains ?? []).flatMap((chain) =>
      chain.filters.flatMap((filter) =>
        filter.name === HTTP_CONNECTION_MANAGER ? [filter.typed_config.rds.route_config_name] : [],
      ),
    ),
  );
}

function goodTable(running: Snapshot, name: string): RouteConfiguration | undefined {
  if (running.refusedRoutes?.[name] !== undefined) return undefined;
  return running.routes.find((table) => table.name === name);
}

function acceptedSecrets(running: Snapshot, update: Snapshot): Readonly<Record<string, Secret>> {
  const secrets: Record<string, Secret> = { ...update.secrets };
  for (const name of unchangedRequests(running, update)) {
    const previous = running.secrets[name];
    const next = secrets[name];
    if (previous === undefined || previous.kind === 'refused') continue;
    if (next === undefined || next.kind === 'refused') secrets[name] = withoutOrigins(previous);
  }
  return secrets;
}

/** Names that a listener or cluster asks for which is in both snapshots and the same. */
function unchangedRequests(running: Snapshot, update: Snapshot): ReadonlySet<string> {
  const names = new Set<string>();
  const listeners = new Map(running.listeners.map((entry) => [entry.name, entry]));
  for (const { name, listener } of update.listeners) {
    if (listener === undefined || !isSame(listeners.get(name)?.listener, listener)) continue;
    for (const chain of listener.filter_chains) for (const secret of chainSecrets(chain)) names.add(secret);
  }
  const clusters = new Map<string, Cluster>(running.clusters.map((cluster) => [cluster.name, cluster]));
  for (const cluster of update.clusters) {
    const secrets = clusterSecrets(cluster);
    if (secrets.length === 0 || !isSame(clusters.get(cluster.name), cluster)) continue;
    for (const secret of secrets) names.add(secret);
  }
  return names;
}

function isSame(a: unknown, b: unknown): boolean {
  return a !== undefined && JSON.stringify(publish(a)) === JSON.stringify(publish(b));
}

function withoutOrigins<T>(value: T): T {
  return strip(value) as T;
}

function strip(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(strip);
  if (typeof value !== 'object' || value === null) return value;
  const copy: Record<string, unknown> = {};
  for (const [key, member] of Object.entries(value)) if (key !== 'originId') copy[key] = strip(member);
  return copy;
}
