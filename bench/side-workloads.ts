// What is measured side by side. Floors and aims are of the ratio to one nginx worker.
import { HOSTS, type Peer, SERVERS } from './peers.js';
import type { TcpOrder } from './tcp-load.js';
import type { LoadOrder } from './termination-load.js';

/** One row of the table for each proxy that is able to do it. */
export interface Workload {
  readonly id: string;
  readonly unit: 'conn/s' | 'msg/s' | 'MB/s' | 'hs/s' | 'req/s';
  readonly order:
    | { readonly tcp: Omit<TcpOrder, 'port' | 'warmUp' | 'milliseconds'> }
    | { readonly http: Pick<LoadOrder, 'workload' | 'connections' | 'streams'> };
  /** Of the ratio of rates, or of processor time per operation where `cpu`. */
  readonly target?: { readonly least: number; readonly aim: number; readonly cpu?: boolean };
}

/** A client's certificate, as PEM. */
export interface ClientPair {
  readonly cert: string;
  readonly key: string;
}

/** All of them, in the order of the table. */
export function workloads(client: ClientPair): readonly Workload[] {
  type Handshake = { readonly resume?: boolean; readonly request?: boolean; readonly pair?: ClientPair };
  const hs = (id: string, serverName: string, { resume = false, request = resume, pair }: Handshake): Workload => ({
    id,
    unit: 'hs/s',
    order: { tcp: { workload: 'handshake', serverName, connections: 16, tls: { resume, request, ...pair } } },
  });
  const http = (id: string, workload: 'h1' | 'h2', connections: number, streams: number): Workload => ({
    id,
    unit: 'req/s',
    order: { http: { workload, connections, streams } },
  });
  return [
    { ...tcp('pt.hello', 'conn/s', 'hello', HOSTS.ping, 32), target: { least: 0.32, aim: 0.48 } },
    { ...tcp('pt.ping', 'msg/s', 'ping', HOSTS.ping, 64), target: { least: 0.55, aim: 0.75 } },
    tcp('pt.down1', 'MB/s', 'down', HOSTS.down, 1),
    { ...tcp('pt.down64', 'MB/s', 'down', HOSTS.down, 64), target: { least: 1.6, aim: 3 } },
    tcp('pt.up1', 'MB/s', 'up', HOSTS.up, 1),
    { ...tcp('pt.up64', 'MB/s', 'up', HOSTS.up, 64), target: { least: 0.65, aim: 0.9 } },
    { ...hs('hs.ecdsa', SERVERS.ecdsa, {}), target: { least: 1.4, aim: 1.25, cpu: true } },
    hs('hs.rsa', SERVERS.rsa, {}),
    hs('hs.mutual', SERVERS.mutual, { pair: client }),
    // With one request: a ticket comes behind the handshake, and a client that leaves at once would not have it.
    hs('hs.request', SERVERS.ecdsa, { request: true }),
    hs('hs.resume.ecdsa', SERVERS.ecdsa, { resume: true }),
    hs('hs.resume.rsa', SERVERS.rsa, { resume: true }),
    { ...http('http.h1', 'h1', 64, 1), target: { least: 0.44, aim: 0.8 } },
    { ...http('http.h2x1', 'h2', 64, 1), target: { least: 0.43, aim: 0.9 } },
    { ...http('http.h2x32', 'h2', 8, 32), target: { least: 0.53, aim: 1.3 } },
  ];
}

/** Whether an access log gets a line for each operation: only then does it cost anything. */
export function isLogged({ unit, order }: Workload): boolean {
  // A handshake without a request on it is no line of HTTP.
  if (unit === 'hs/s') return 'tcp' in order && order.tcp.tls?.request === true;
  return unit === 'conn/s' || unit === 'req/s';
}

/** The port that the load goes to; 0 where the proxy does not do this. */
export function portFor(peer: Peer, { order }: Workload): number {
  if ('http' in order) {
    if (peer.direct !== undefined) return order.http.workload === 'h1' ? peer.direct.http : 0;
    return peer.speaks === 'http/1.1' && order.http.workload === 'h2' ? 0 : peer.termination;
  }
  const { workload, serverName } = order.tcp;
  if (workload === 'handshake') return peer.servers?.includes(serverName) === false ? 0 : peer.termination;
  if (peer.direct === undefined) return peer.passthrough;
  return workload === 'down' || workload === 'up' ? peer.direct[workload] : peer.direct.ping;
}

function tcp(
  id: string,
  unit: Workload['unit'],
  workload: TcpOrder['workload'],
  serverName: string,
  connections: number,
): Workload {
  return { id, unit, order: { tcp: { workload, serverName, connections } } };
}
