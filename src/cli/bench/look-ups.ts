// The look-ups of a gateway on the user's own hosts and rules, without a socket: chain by server name, decisions.
import { decide } from '../../decide/decide.js';
import { sampleRequest } from '../../decide/sample-request.js';
import type { SnapshotIndex } from '../../decide/snapshot-index.js';
import { HTTP_CONNECTION_MANAGER } from '../../xds/index.js';

/** One line of the table; of several rounds the median with the extremes. */
export interface Row {
  readonly name: string;
  readonly unit: 'ms' | 'ns' | 'MiB';
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

const ROUNDS = 5;
/** How long one round of one row takes at the least, in milliseconds. */
const ROUND_TIME = 20;
const SLOWEST = 5;

/** Chain by server name, every name of every listener in turn; and one that nobody has. */
export function chainRows(index: SnapshotIndex): Row[] {
  const rows: Row[] = [];
  for (const listener of index.listeners.values()) {
    const names = (listener.entry.listener?.filter_chains ?? []).flatMap(
      ({ filter_chain_match: match }) => match?.server_names ?? [],
    );
    if (names.length === 0) continue;
    // A wildcard is asked for with a name that it covers. Facts are made ahead: the row is the look-up alone.
    const asked = [...names.map((name) => name.replace(/^\*/, 'bench')), 'nobody.invalid'].map((serverName) => ({
      listener: listener.entry.name,
      transportProtocol: 'tls' as const,
      serverName,
      applicationProtocols: ['h2', 'http/1.1'],
      source: { address: '127.0.0.1', port: 1 },
      destination: { address: '127.0.0.1', port: 1 },
    }));
    let at = 0;
    rows.push(
      measure(`${listener.entry.name}: chain among ${names.length} server names`, () => {
        const facts = asked[at++ % asked.length];
        if (facts !== undefined) listener.find(facts);
      }),
    );
  }
  return rows;
}

/** A request per host, from port to endpoint, and the hosts that take longest. */
export function decisionRows(index: SnapshotIndex): Row[] {
  const calls = callsOf(index);
  if (calls.length === 0) return [];
  let at = 0;
  const all = measure(`decision of a request, ${calls.length} hosts in turn`, () => {
    const one = calls[at++ % calls.length];
    if (one !== undefined) decide(index, one.call);
  });
  // A first look at each, and a proper one at those that stand out.
  const looked = calls.slice(0, 2000).map((one) => {
    const began = performance.now();
    for (let i = 0; i < 20; i++) decide(index, one.call);
    return { one, time: performance.now() - began };
  });
  looked.sort((a, b) => b.time - a.time);
  const slow = looked
    .slice(0, SLOWEST)
    .map(({ one }) =>
      measure(`  ${one.call.host}${one.call.path} (${one.routes} rules)`, () => decide(index, one.call)),
    );
  return [all, ...slow.sort((a, b) => b.median - a.median)];
}

interface BenchCall {
  readonly call: Parameters<typeof decide>[1] & { readonly host: string; readonly path: string };
  readonly routes: number;
}

function callsOf(index: SnapshotIndex): readonly BenchCall[] {
  const calls: BenchCall[] = [];
  for (const { entry } of index.listeners.values()) {
    const address = entry.listener?.address;
    if (address === undefined || !('socket_address' in address)) continue;
    const tables = new Map<string, boolean>();
    for (const chain of entry.listener?.filter_chains ?? [])
      for (const filter of chain.filters)
        if (filter.name === HTTP_CONNECTION_MANAGER)
          tables.set(filter.typed_config.rds.route_config_name, chain.transport_socket !== undefined);
    for (const [name, isTls] of tables) {
      for (const host of index.routes.get(name)?.config.virtual_hosts ?? []) {
        const [domain] = host.domains;
        if (domain === undefined) continue;
        const { path, method, headers } = sampleRequest(host);
        const call = {
          port: address.socket_address.port_value,
          tls: isTls ? ('tls' as const) : ('plaintext' as const),
          host: domain.replace('*', 'bench'),
          path,
          method,
          headers: Object.fromEntries(headers),
        };
        calls.push({ call, routes: host.routes?.length ?? 0 });
      }
    }
  }
  return calls;
}

/** Nanoseconds per call. */
function measure(name: string, run: () => unknown): Row {
  let count = 16;
  let milliseconds = 0;
  const round = (): number => {
    const began = performance.now();
    for (let i = 0; i < count; i++) run();
    milliseconds = performance.now() - began;
    return (milliseconds * 1e6) / count;
  };
  // As many as fill a round; that warms up as well.
  while (round() > 0 && milliseconds < ROUND_TIME) count *= 2;
  const runs = Array.from({ length: ROUNDS }, round).sort((a, b) => a - b);
  return { name, unit: 'ns', median: runs[ROUNDS >> 1] ?? 0, min: runs[0] ?? 0, max: runs.at(-1) ?? 0 };
}
