// What `postern bench` asks a gateway: a call for each server name and each rule that a call can be made for, with the
// answer that `decide` expects.
import { isForwarded } from '../../contract/decided-facts.js';
import { decide } from '../../decide/decide.js';
import type { Call, Decision } from '../../decide/decision.js';
import { ROOT, type SampleRequest, sampleRequests } from '../../decide/sample-request.js';
import type { SnapshotIndex } from '../../decide/snapshot-index.js';
import {
  type FilterChain,
  HTTP_CONNECTION_MANAGER,
  isBlackhole,
  type Listener,
  type VirtualHost,
} from '../../xds/index.js';

/** A client's certificate, as PEM. */
export interface ClientPair {
  readonly cert: string;
  readonly key: string;
}

/** One thing to ask, again and again. */
export interface Subject {
  /** In the user's words. */
  readonly name: string;
  /** Of the listener in the snapshot. */
  readonly port: number;
  readonly kind: 'passthrough' | 'https' | 'http';
  /** '' where there is no TLS. */
  readonly serverName: string;
  /** What the client of a passthrough connection offers. */
  readonly alpn: readonly string[];
  readonly authority: string;
  readonly request: SampleRequest;
  /** Name of the Secret that a client's certificate is checked with, where one is wanted. */
  readonly clientCa: string | undefined;
  /** What an upstream answers is 200; `undefined` where chance decides. */
  readonly status: number | undefined;
  /** Where it goes; `undefined` when postern answers itself. */
  readonly cluster: string | undefined;
}

/** Rules of one host, and calls in all: more would measure the same again. */
const MAX_RULES = 8;
const MAX_SUBJECTS = 256;

/** What may become a subject; deciding it costs something. */
type Candidate = () => Subject | undefined;

/** In the order of the listeners; of more than 256 that many, from all over. */
export function subjectsOf(index: SnapshotIndex): readonly Subject[] {
  const candidates: Candidate[] = [];
  for (const { entry } of index.listeners.values()) {
    if (entry.state !== 'active' || entry.listener === undefined) continue;
    for (const candidate of new ListenerSubjects(index, entry.listener).all()) candidates.push(candidate);
  }
  const step = Math.max(1, candidates.length / MAX_SUBJECTS);
  const found = new Map<string, Subject>();
  for (let at = 0; at < candidates.length; at += step) {
    const subject = candidates[Math.floor(at)]?.();
    if (subject !== undefined && !found.has(subject.name)) found.set(subject.name, subject);
  }
  return [...found.values()];
}

class ListenerSubjects {
  private readonly index: SnapshotIndex;
  private readonly listener: Listener;

  constructor(index: SnapshotIndex, listener: Listener) {
    this.index = index;
    this.listener = listener;
  }

  *all(): Generator<Candidate> {
    if (!('socket_address' in this.listener.address)) return;
    const port = this.listener.address.socket_address.port_value;
    for (const chain of this.listener.filter_chains) {
      const table = chain.filters.find((filter) => filter.name === HTTP_CONNECTION_MANAGER);
      if (table?.name === HTTP_CONNECTION_MANAGER)
        yield* this.requests(chain, table.typed_config.rds.route_config_name, port);
      else yield* this.connections(chain, port);
    }
  }

  private *connections(chain: FilterChain, port: number): Generator<Candidate> {
    // What ends TLS and forwards bytes would need a client of the protocol inside.
    if (chain.transport_socket !== undefined) return;
    // Chains for clients of the mesh are told by what those offer.
    const alpn = chain.filter_chain_match?.application_protocols ?? ['h2', 'http/1.1'];
    for (const name of chain.filter_chain_match?.server_names ?? [])
      yield () => this.connection(port, concrete(name), alpn);
  }

  private connection(port: number, serverName: string, alpn: readonly string[]): Subject | undefined {
    const { cluster, error } = decide(this.index, { port, tls: 'tls', sni: serverName, alpn });
    if (error !== undefined) return undefined;
    return {
      name: `${serverName}:${port}`,
      ...{ port, kind: 'passthrough', serverName, authority: serverName, request: ROOT },
      ...{ alpn, clientCa: undefined, status: undefined, cluster },
    };
  }

  private *requests(chain: FilterChain, tableName: string, port: number): Generator<Candidate> {
    const names = chain.filter_chain_match?.server_names ?? [];
    const isTls = chain.transport_socket !== undefined;
    const clientCa =
      chain.transport_socket?.typed_config.common_tls_context.combined_validation_context
        ?.validation_context_sds_secret_config.name;
    for (const host of this.index.routes.get(tableName)?.config.virtual_hosts ?? []) {
      if (isBlackhole(host)) continue;
      const authority = concrete(host.domains[0] ?? '*', names[0]);
      const serverName = isTls ? authority.replace(/:\d+$/, '') : '';
      for (const request of requestsOf(host))
        yield () => this.request(port, isTls, serverName, authority, request, clientCa);
    }
  }

  private request(
    port: number,
    isTls: boolean,
    serverName: string,
    authority: string,
    request: SampleRequest,
    clientCa: string | undefined,
  ): Subject | undefined {
    const call: Call = {
      port,
      tls: isTls ? 'tls' : 'plaintext',
      ...(isTls ? { sni: serverName } : {}),
      host: authority,
      method: request.method,
      path: request.path,
      headers: Object.fromEntries(request.headers),
    };
    const first = decide(this.index, call);
    const wantsClient = first.error === 'mtls_error';
    const decision = wantsClient ? decide(this.index, { ...call, tls: 'mtls' }) : first;
    if (decision.error !== undefined && decision.status === undefined) return undefined;
    const scheme = isTls ? 'https' : 'http';
    const method = request.method === 'GET' ? '' : `${request.method} `;
    return {
      name: `${method}${scheme}://${authority}${request.path} on ${port}`,
      ...{ port, kind: scheme, serverName, authority, request },
      alpn: [],
      clientCa: wantsClient ? clientCa : undefined,
      status: expectedStatus(decision),
      cluster: isForwarded(decision) ? decision.cluster : undefined,
    };
  }
}

function requestsOf(host: VirtualHost): readonly SampleRequest[] {
  const samples = host.require_tls === 'ALL' ? [] : sampleRequests(host).slice(0, MAX_RULES);
  return samples.length === 0 ? [ROOT] : samples;
}

function expectedStatus(decision: Decision): number | undefined {
  return isForwarded(decision) ? 200 : decision.status;
}

/** A name that a wildcard covers; `*` is whatever the chain is for. */
function concrete(host: string, chainName?: string): string {
  if (host === '*') return chainName === undefined || chainName === '*' ? 'any.example.com' : concrete(chainName);
  return host.startsWith('*.') ? `www${host.slice(1)}` : host;
}
