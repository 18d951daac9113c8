// Filter chains of one listener compiled for lookup (spec gateway.md §6.2). Envoy picks one level at a time and never
// goes back: an exact name whose ALPN does not fit does not retry the wildcard.
import type { ConnectionFacts, FilterChain } from '../xds/index.js';
import { ServerNameIndex } from './server-name-index.js';

/** The chains of one server name. */
interface Bucket {
  readonly byProtocol: Map<string, FilterChain>;
  anyProtocol: FilterChain | undefined;
}

/** The chains of one listener, by server name and then by protocol. */
export class FilterChainIndex {
  private readonly names: ServerNameIndex<Bucket>;

  constructor(chains: readonly FilterChain[]) {
    const buckets = new Map<string, Bucket>();
    for (const chain of chains) {
      const match = chain.filter_chain_match;
      for (const name of match?.server_names?.length ? match.server_names : ['']) {
        const key = name === '*' ? '' : name.toLowerCase();
        let bucket = buckets.get(key);
        if (bucket === undefined) {
          bucket = { byProtocol: new Map(), anyProtocol: undefined };
          buckets.set(key, bucket);
        }
        const protocols = match?.application_protocols ?? [];
        if (protocols.length === 0) bucket.anyProtocol ??= chain;
        for (const protocol of protocols) {
          if (!bucket.byProtocol.has(protocol)) bucket.byProtocol.set(protocol, chain);
        }
      }
    }
    this.names = new ServerNameIndex(buckets);
  }

  /** `undefined` = no chain matches: the connection is reset. */
  find(facts: ConnectionFacts): FilterChain | undefined {
    const bucket = this.names.find(facts.serverName);
    if (bucket === undefined) return undefined;
    if (bucket.byProtocol.size > 0) {
      for (const protocol of facts.applicationProtocols) {
        const chain = bucket.byProtocol.get(protocol);
        if (chain !== undefined) return chain;
      }
    }
    return bucket.anyProtocol;
  }
}
