// Everything of a snapshot compiled for lookups, made once per snapshot (P8).
import { FilterChainIndex } from '../match/filter-chain-index.js';
import {
  type Cluster,
  type ConnectionFacts,
  type FilterChain,
  type ListenerEntry,
  PROXY_PROTOCOL,
  type Snapshot,
  TLS_INSPECTOR,
} from '../xds/index.js';
import { type RouteConfigIndex, RouteTable } from './route-table.js';

export { prepareVirtualHost, type RouteConfigIndex } from './route-table.js';

/** Compiled filter chain matches of one listener. */
export interface ListenerIndex {
  readonly entry: ListenerEntry;
  /** True when the listener has the TLS inspector (all its connections wait for bytes). */
  readonly inspectsTls: boolean;
  readonly expectsProxyProtocol: boolean;
  find(facts: ConnectionFacts): FilterChain | undefined;
}

/** A snapshot compiled for lookup; shared by all connections. */
export interface SnapshotIndex {
  readonly snapshot: Snapshot;
  readonly listeners: ReadonlyMap<string, ListenerIndex>;
  readonly routes: ReadonlyMap<string, RouteConfigIndex>;
  readonly clusters: ReadonlyMap<string, Cluster>;
}

/** Compiles a snapshot; the only place where patterns, header values and matchers are built. */
export function buildSnapshotIndex(snapshot: Snapshot): SnapshotIndex {
  const listeners = new Map<string, ListenerIndex>();
  for (const entry of snapshot.listeners) listeners.set(entry.name, indexListener(entry));
  const routes = new Map<string, RouteConfigIndex>();
  for (const config of snapshot.routes) {
    routes.set(config.name, new RouteTable(config, snapshot.refusedRoutes?.[config.name] !== undefined));
  }
  const clusters = new Map(snapshot.clusters.map((cluster) => [cluster.name, cluster]));
  return { snapshot, listeners, routes, clusters };
}

function indexListener(entry: ListenerEntry): ListenerIndex {
  const chains = new FilterChainIndex(entry.listener?.filter_chains ?? []);
  const filters = entry.listener?.listener_filters ?? [];
  return {
    entry,
    inspectsTls: filters.some((filter) => filter.name === TLS_INSPECTOR),
    expectsProxyProtocol: filters.some((filter) => filter.name === PROXY_PROTOCOL),
    find: (facts) => chains.find(facts),
  };
}
