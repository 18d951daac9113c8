// Listeners: the chains of all groups that share an address, the listener filters before them, and Envoy's verdict.
// Spec gateway.md §0 steps 5-7, §3.4, §3.5, §4.4, §4.6, §6.1, §12.6.

import { compareText } from '../config/text-order.js';
import { ListenerRejected, ListenerWithoutChains, PrivilegedPortSkipped } from '../diagnostics/catalogue.js';
import type { Reporter } from '../diagnostics/diagnostic.js';
import type { OriginTable } from '../diagnostics/origin.js';
import type { PushContext } from '../registry/push-context.js';
import {
  type Address,
  type Listener,
  type ListenerEntry,
  type ListenerFilter,
  PROXY_PROTOCOL,
  TLS_INSPECTOR,
} from '../xds/index.js';
import { rejectionOf } from './acceptance.js';
import { connectionSetting } from './connection-settings.js';
import { type BuiltChain, buildFilterChains, type ChainContext } from './filter-chains.js';
import type { MergedGateways, MergedPort, MergedServer } from './gateway-merge.js';
import { isUnixBind, listenerAddress, listenerName } from './names.js';

interface Draft {
  readonly name: string;
  readonly bind: string;
  readonly port: number;
  readonly chains: BuiltChain[];
  readonly first: MergedServer;
}

/** Entries by name; a listener that Envoy refuses is an entry with `error` and without a listener. */
export function buildListeners(
  context: PushContext,
  gateways: MergedGateways,
  origins: OriginTable,
  report: Reporter,
): readonly ListenerEntry[] {
  const build: ChainContext = { context, origins, report, sniHosts: new Map() };
  const entries: ListenerEntry[] = [];
  for (const draft of collectDrafts(build, gateways)) {
    if (draft.chains.length === 0) {
      report(ListenerWithoutChains, serverOrigin(draft.first), { listener: draft.name });
      continue;
    }
    entries.push(judge(build, draft, assemble(build, draft)));
  }
  return entries.sort((a, b) => compareText(a.name, b.name));
}

/** Groups with one bind and port share a listener, also `0.0.0.0` written and not written. */
function collectDrafts(build: ChainContext, gateways: MergedGateways): Iterable<Draft> {
  const unprivileged = build.context.proxy.metadata['UNPRIVILEGED_POD'] === 'true';
  const drafts = new Map<string, Draft>();
  for (const group of gateways.ports) {
    const [first] = group.servers;
    if (first === undefined) continue;
    if (unprivileged && group.port < 1024) {
      build.report(PrivilegedPortSkipped, serverOrigin(first), { port: group.port });
      continue;
    }
    const draft = draftOf(drafts, group, first);
    draft.chains.push(...buildFilterChains(build, group));
  }
  return drafts.values();
}

function draftOf(drafts: Map<string, Draft>, group: MergedPort, first: MergedServer): Draft {
  const name = listenerName(group.bind, group.port);
  let draft = drafts.get(name);
  if (draft === undefined) {
    draft = { name, bind: group.bind, port: group.port, chains: [], first };
    drafts.set(name, draft);
  }
  return draft;
}

function assemble(build: ChainContext, draft: Draft): Listener {
  const config = build.context.mesh.defaultConfig;
  const filters: ListenerFilter[] = [];
  if (config?.gatewayTopology?.proxyProtocol === true) filters.push({ name: PROXY_PROTOCOL, typed_config: {} });
  if (draft.chains.some((built) => built.inspectsTls))
    filters.push({ name: TLS_INSPECTOR, typed_config: { initial_read_buffer_size: 512 } });
  const buffer = connectionSetting(config?.connectionSettings ?? {}, 'listenerPerConnectionBufferLimitBytes');
  return {
    name: draft.name,
    originId: build.origins.add(serverOrigin(draft.first)),
    address: addressOf(draft),
    filter_chains: draft.chains.map((built) => built.chain),
    ...(filters.length === 0 ? {} : { listener_filters: filters }),
    ...(buffer === undefined ? {} : { per_connection_buffer_limit_bytes: buffer }),
    max_connections_to_accept_per_socket_event: 1,
  };
}

function addressOf({ bind, port }: Draft): Address {
  if (isUnixBind(bind)) return { pipe: { path: listenerAddress(bind, port) } };
  return { socket_address: { address: bind === '' ? '0.0.0.0' : bind, port_value: port } };
}

function judge(build: ChainContext, draft: Draft, listener: Listener): ListenerEntry {
  const reason = rejectionOf(listener, listenerAddress(draft.bind, draft.port));
  if (reason === undefined) return { name: draft.name, state: 'active', listener };
  build.report(ListenerRejected, serverOrigin(draft.first), { listener: draft.name, reason });
  return { name: draft.name, state: 'error', error: reason };
}

function serverOrigin(merged: MergedServer): ReturnType<MergedServer['gateway']['at']> {
  return merged.gateway.at(['spec', 'servers', merged.index]);
}
