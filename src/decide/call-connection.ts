// Where a call without a socket arrives: its listener, and the chain that this gives it.
import type { ConnectionFacts, FilterChain } from '../xds/index.js';
import { connectionFactsOf } from './call-facts.js';
import type { ConnectionDecision } from './connection-decision.js';
import { decideConnection } from './decide-connection.js';
import type { Call } from './decision.js';
import type { ListenerIndex, SnapshotIndex } from './snapshot-index.js';

/** A call that has reached a listener. */
export interface CallConnection {
  readonly facts: ConnectionFacts;
  readonly chosen: ConnectionDecision;
  /** Of `chosen`; `undefined` = closed. */
  readonly chain: FilterChain | undefined;
}

/** The container port of a listener that serves; `undefined` for a Unix socket and for one that Envoy has not taken. */
export function listenerPort({ entry }: ListenerIndex): number | undefined {
  const address = entry.listener?.address;
  if (entry.state !== 'active' || address === undefined || !('socket_address' in address)) return undefined;
  return address.socket_address.port_value;
}

/** The listener of a container port: one on every address before those on a single one. */
export function listenerAt(index: SnapshotIndex, port: number): ListenerIndex | undefined {
  let found: ListenerIndex | undefined;
  for (const listener of index.listeners.values()) {
    if (listenerPort(listener) !== port) continue;
    const address = listener.entry.listener?.address;
    const isWildcard =
      address !== undefined &&
      'socket_address' in address &&
      /^(?:0\.0\.0\.0|::)$/.test(address.socket_address.address);
    if (found === undefined || isWildcard) found = listener;
  }
  return found;
}

/** What becomes of the call's connection there. */
export function connectCall(listener: ListenerIndex, call: Call): CallConnection {
  const facts = connectionFactsOf(call, listener.entry.name, listenerPort(listener) ?? 0);
  const chosen = decideConnection(listener, facts);
  return { facts, chosen, chain: chosen.kind === 'chain' ? chosen.chain : undefined };
}
