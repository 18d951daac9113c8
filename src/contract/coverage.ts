// Which servers, hosts and match blocks of the configuration a contract reached: the parts of the snapshot, marked by the
// calls that were made, with the functions that decide live traffic.
import { type CallConnection, connectCall } from '../decide/call-connection.js';
import { requestFactsOf, tlsFactsOf } from '../decide/call-facts.js';
import { decideRequest } from '../decide/decide-request.js';
import type { Call, Decision } from '../decide/decision.js';
import type { SnapshotIndex } from '../decide/snapshot-index.js';
import type { OriginTable } from '../diagnostics/origin.js';
import {
  type FilterChain,
  HTTP_CONNECTION_MANAGER,
  type HttpConnectionManager,
  isBlackhole,
  type Route,
  type VirtualHost,
} from '../xds/index.js';
import type { CoverageItem } from './result.js';

/** The chain that a call gets; `undefined` = no listener, or no chain. */
export function chainOf(index: SnapshotIndex, call: Call, decision: Decision): FilterChain | undefined {
  return connectionOf(index, call, decision)?.chain;
}

function connectionOf(index: SnapshotIndex, call: Call, decision: Decision): CallConnection | undefined {
  const listener = decision.listener === undefined ? undefined : index.listeners.get(decision.listener);
  return listener === undefined ? undefined : connectCall(listener, call);
}

/** Marks what calls reach. */
export class Coverage {
  private readonly index: SnapshotIndex;
  private readonly origins: OriginTable;
  private readonly reached = new Set<FilterChain | VirtualHost | Route>();

  constructor(index: SnapshotIndex, origins: OriginTable) {
    this.index = index;
    this.origins = origins;
  }

  /** `decision` is the one of this call. */
  reach(call: Call, decision: Decision): void {
    const connection = connectionOf(this.index, call, decision);
    const chain = connection?.chain;
    if (connection === undefined || chain === undefined) return;
    this.reached.add(chain);
    const manager = managerOf(chain);
    if (manager === undefined || decision.virtualHost === undefined) return;
    const { facts } = connection;
    const read = requestFactsOf(call, facts, tlsFactsOf(chain, facts), manager);
    if (read.kind !== 'head') return;
    const { virtualHost, route } = decideRequest(this.index, manager, read.facts, {
      random: () => call.random ?? 0.5,
      uuid: () => '',
    });
    if (virtualHost !== undefined) this.reached.add(virtualHost);
    if (route !== undefined) this.reached.add(route);
  }

  /** Everything that could be reached, in the order of the configuration. */
  items(): readonly CoverageItem[] {
    const items: CoverageItem[] = [];
    const tables = new Map<string, boolean>();
    for (const { entry } of this.index.listeners.values()) {
      if (entry.state !== 'active') continue;
      for (const chain of entry.listener?.filter_chains ?? []) {
        // Every service of the mesh has a chain behind AUTO_PASSTHROUGH: nobody writes them.
        if (chain.filter_chain_match?.application_protocols !== undefined) continue;
        items.push(this.item('server', chain.label ?? entry.name, chain));
        const table = managerOf(chain)?.rds.route_config_name;
        if (table !== undefined) tables.set(table, true);
      }
    }
    for (const config of this.index.snapshot.routes) {
      if (!tables.has(config.name)) continue;
      for (const virtualHost of config.virtual_hosts) {
        if (isBlackhole(virtualHost)) continue;
        items.push(this.item('host', virtualHost.name, virtualHost));
        // A host that sends everybody to https has rules that nothing can reach.
        if (virtualHost.require_tls === 'ALL') continue;
        for (const route of virtualHost.routes ?? []) {
          items.push(this.item('match', `${virtualHost.name} ${matchText(route)}`, route));
        }
      }
    }
    return items;
  }

  private item(
    kind: CoverageItem['kind'],
    name: string,
    part: (FilterChain | VirtualHost | Route) & { readonly originId?: number },
  ): CoverageItem {
    const origin = this.origins.get(part.originId);
    return { kind, name, ...(origin === undefined ? {} : { origin }), reached: this.reached.has(part) };
  }
}

function managerOf(chain: FilterChain): HttpConnectionManager | undefined {
  for (const filter of chain.filters) if (filter.name === HTTP_CONNECTION_MANAGER) return filter.typed_config;
  return undefined;
}

/** `prefix /api, header x-beta`, for people who look for the rule. */
function matchText({ name, match }: Route): string {
  const uri =
    match.path !== undefined
      ? `exact ${match.path}`
      : match.prefix !== undefined
        ? `prefix ${match.prefix}`
        : `regex ${match.safe_regex?.regex ?? ''}`;
  const headers = (match.headers ?? []).map((header) => `header ${header.name}`);
  const query = (match.query_parameters ?? []).map((parameter) => `query ${parameter.name}`);
  const conditions = [uri, ...headers, ...query].join(', ');
  return name === undefined ? conditions : `${name} (${conditions})`;
}
