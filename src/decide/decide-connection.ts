// Which filter chain a connection gets, or that it gets none (spec gateway.md §6).
import type { ConnectionFacts } from '../xds/index.js';
import type { ConnectionDecision } from './connection-decision.js';
import type { ListenerIndex } from './snapshot-index.js';

const NO_CHAIN: ConnectionDecision = { kind: 'close', flag: 'NR', details: 'filter_chain_not_found' };

/** `facts.serverName` is lower case, '' where the client sent none. */
export function decideConnection(listener: ListenerIndex, facts: ConnectionFacts): ConnectionDecision {
  const chain = listener.find(facts);
  return chain === undefined ? NO_CHAIN : { kind: 'chain', chain };
}
