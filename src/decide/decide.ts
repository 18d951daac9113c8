// A question to the gateway, answered without a socket (spec interface.md §2): the published `decide`, and what
// explain and contracts build on. It asks the same functions as live traffic.
import type { OriginTable } from '../diagnostics/origin.js';
import { type LocalReply, NO_HEALTHY_UPSTREAM } from '../filters/local-reply.js';
import { UNANSWERED } from '../filters/operators.js';
import { renderLocalReply, UNKNOWN_REQUEST } from '../filters/render-local-reply.js';
import { hostWithoutPort } from '../match/virtual-host-index.js';
import {
  type Cluster,
  type ConnectionFacts,
  type Endpoint,
  type FilterChain,
  HTTP_CONNECTION_MANAGER,
  type HttpConnectionManager,
  isBlackhole,
  type Snapshot,
  TCP_PROXY,
  type TcpProxy,
} from '../xds/index.js';
import { connectCall, listenerAt } from './call-connection.js';
import { requestFactsOf, tlsFactsOf, usesTls } from './call-facts.js';
import { chainReadiness } from './chain-readiness.js';
import { demandsCertificate, judgeClientCertificate } from './client-certificate.js';
import { decideRequest } from './decide-request.js';
import type { Call, Decision, ErrorClass, TrailStep } from './decision.js';
import { determinedEndpoint, hasUsableEndpoint } from './determined-endpoint.js';
import { errorClassOf } from './error-class.js';
import {
  type Candidate,
  hostElsewhere,
  nearestChains,
  nearestClusters,
  nearestDomains,
  nearestRoutes,
  otherListeners,
  tableOf,
} from './nearest.js';
import type { RequestDecision, RequestFacts, RequestTrace } from './request-decision.js';
import { buildSnapshotIndex, type ListenerIndex, type SnapshotIndex } from './snapshot-index.js';
import { chooseTcpCluster } from './tcp-cluster.js';
import { examineTls } from './tls-doctor.js';

/** What a call leaves open. */
export interface DecideOptions {
  /** Service port → container port, where that is unambiguous: `443 → 8443`. */
  readonly servicePorts?: ReadonlyMap<number, number>;
  /** Resolves `originId`s for the trail. */
  readonly origins?: OriginTable;
  /** 0 <= n < 1, where the call does not say; default the middle, so that the likelier side of a split is taken. */
  readonly random?: () => number;
  /** For x-request-id. */
  readonly uuid?: () => string;
  /** What an `mtls` call presents; without it the gateway trusts whatever is presented. */
  readonly clientCertificate?: {
    readonly pem: string;
    /** Milliseconds since 1970. */
    readonly now: number;
  };
  /** A trail with every rule that was considered, the TLS doctor's remarks and the nearest candidates. */
  readonly explain?: {
    /** Milliseconds since 1970: certificates have dates. */
    readonly now: number;
  };
}

const NO_ENDPOINTS: readonly Endpoint[] = [];
const NO_UUID = '00000000-0000-4000-8000-000000000000';

/**
 *     decide(index, { port: 8443, tls: 'tls', host: 'shop.example.com', path: '/cart' });
 *     // { listener: '0.0.0.0_8443', virtualHost: 'shop.example.com:443', cluster: 'outbound|80||cart.shop.svc.cluster.local', … }
 */
export function decide(index: SnapshotIndex | Snapshot, call: Call, options: DecideOptions = {}): Decision {
  return new CallDecider('snapshot' in index ? index : buildSnapshotIndex(index), call, options).decide();
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

class CallDecider {
  private readonly index: SnapshotIndex;
  private readonly call: Call;
  private readonly options: DecideOptions;
  private readonly trail: TrailStep[] = [];
  /** What `decideRequest` considered. */
  private readonly noted: TrailStep[] = [];
  private reached: ListenerIndex | undefined = undefined;
  private readonly decision: Mutable<Decision>;

  constructor(index: SnapshotIndex, call: Call, options: DecideOptions) {
    this.index = index;
    this.call = call;
    this.options = options;
    this.decision = { trail: this.trail };
  }

  decide(): Decision {
    const listener = this.findListener();
    if (listener === undefined) return this.end('no_listener');
    this.decision.listener = listener.entry.name;
    this.step('listener', listener.entry.name, undefined, listener.entry.listener?.originId);
    this.reached = listener;
    const { facts, chosen } = connectCall(listener, this.call);
    if (chosen.kind === 'close') {
      this.step('filter chain', 'none', noChain(facts));
      this.hint(nearestChains(listener, facts.serverName));
      this.decision.flags = chosen.flag;
      this.decision.details = chosen.details;
      return this.end('no_filter_chain');
    }
    const { chain } = chosen;
    if (chain.label) this.decision.filterChain = chain.label;
    this.step('filter chain', chain.label ?? '', chainReason(chain, facts), chain.originId);
    if (this.options.explain !== undefined) this.examine(chain, facts, this.options.explain.now);
    const tlsError = this.checkTransport(chain);
    if (tlsError !== undefined) return this.end(tlsError);
    for (const filter of chain.filters) {
      if (filter.name === TCP_PROXY) return this.decideTcp(filter.typed_config);
      if (filter.name === HTTP_CONNECTION_MANAGER) return this.decideHttp(filter.typed_config, chain, facts);
    }
    return this.decision;
  }

  private examine(chain: FilterChain, facts: ConnectionFacts, now: number): void {
    if (this.reached === undefined || !usesTls(this.call)) return;
    const { serverName, applicationProtocols } = facts;
    const host = hostWithoutPort(this.call.host ?? serverName).toLowerCase();
    const visit = { listener: this.reached, chain, serverName, host, applicationProtocols };
    for (const { subject, verdict, text, originId } of examineTls(this.index, visit, now))
      this.step(subject, verdict, text, originId);
  }

  private hint(candidates: readonly Candidate[]): void {
    if (this.options.explain === undefined) return;
    for (const { text, originId } of candidates) this.step('hint', 'nearest', text, originId);
  }

  /** The container port first, then the Service's. */
  private findListener(): ListenerIndex | undefined {
    const mapped = this.options.servicePorts?.get(this.call.port);
    const found =
      listenerAt(this.index, this.call.port) ?? (mapped === undefined ? undefined : listenerAt(this.index, mapped));
    if (found !== undefined) return found;
    this.step('listener', 'none', `nothing listens on port ${this.call.port}`);
    this.hint(otherListeners(this.index));
    return undefined;
  }

  /** What the transport socket makes of the client; `undefined` = it gets through. */
  private checkTransport(chain: FilterChain): ErrorClass | undefined {
    const socket = chain.transport_socket?.typed_config;
    if (socket === undefined) {
      if (usesTls(this.call)) this.step('tls', 'passed through', 'the handshake is between client and upstream');
      return undefined;
    }
    if (chainReadiness(chain, this.index.snapshot.secrets) === 'notReady') {
      this.step('tls', 'closed', 'a Secret of this chain is missing or unusable');
      return 'tls_error';
    }
    if (!usesTls(this.call)) {
      this.step('tls', 'closed', 'plaintext to a chain that terminates TLS');
      return 'tls_error';
    }
    if (this.call.tls === 'tls' && refusesWithoutCertificate(chain)) {
      this.step('tls', 'refused', 'the client presents no certificate');
      return 'mtls_error';
    }
    return this.judgeClient(chain);
  }

  private judgeClient(chain: FilterChain): ErrorClass | undefined {
    const { clientCertificate: client } = this.options;
    if (client === undefined || this.call.tls !== 'mtls') return undefined;
    const verdict = judgeClientCertificate(client.pem, chain, this.index.snapshot.secrets, client.now);
    if (verdict.kind === 'unknown') this.step('tls', 'not decided', `the client's certificate: ${verdict.reason}`);
    if (verdict.kind !== 'refused') return undefined;
    this.step('tls', 'refused', `the client's certificate: ${verdict.reason}`);
    return 'mtls_error';
  }

  private decideTcp(proxy: TcpProxy): Decision {
    const weighted = (proxy.weighted_clusters?.clusters ?? []).map(({ name, weight }) => ({ cluster: name, weight }));
    if (weighted.length > 1) this.decision.weightedClusters = weighted;
    return this.endAtCluster(
      chooseTcpCluster(proxy, () => this.random()),
      undefined,
    );
  }

  private decideHttp(manager: HttpConnectionManager, chain: FilterChain, connection: ConnectionFacts): Decision {
    this.decision.routeConfig = manager.rds.route_config_name;
    if (usesTls(this.call) && chain.transport_socket === undefined) {
      this.step('codec', '400', 'TLS bytes on a plaintext chain');
      return this.refuse({ flag: 'DPE', details: 'http1.codec_error', status: 400 }, 'protocol_error');
    }
    const read = requestFactsOf(this.call, connection, tlsFactsOf(chain, connection), manager);
    if (read.kind === 'closed') {
      this.step('codec', 'connection closed', read.details);
      return this.refuse(read, 'protocol_error');
    }
    if (read.kind === 'refused') {
      this.step('codec', String(read.reply.status), read.reply.details);
      return this.refuse(read.reply, 'protocol_error');
    }
    const { facts } = read;
    const sent = facts.headers.clone();
    const decision = decideRequest(
      this.index,
      manager,
      facts,
      {
        random: () => this.random(),
        uuid: this.options.uuid ?? (() => NO_UUID),
      },
      this.options.explain === undefined ? undefined : { step: (...step) => this.considered(step) },
    );
    this.describeRouting(decision, chain);
    if (decision.kind === 'reply') return this.answer(decision.reply, decision, facts, manager);
    const cluster = this.index.clusters.get(decision.cluster);
    if (cluster !== undefined && !this.hasEndpoint(cluster)) {
      // The router looks for a host before it changes the request.
      facts.path = decision.originalPath;
      facts.authority = decision.originalAuthority;
      return this.answer(NO_HEALTHY_UPSTREAM, decision, facts, manager);
    }
    this.decision.upstreamRequest = describeUpstreamRequest(facts, sent.raw);
    if (decision.delay > 0) this.decision.flags = 'DI';
    return this.endAtCluster(decision.cluster, decision.hash);
  }

  /** The decision's steps are ours; what came between them, such as rules that did not match, was noted on the way. */
  private describeRouting(decision: RequestDecision, chain: FilterChain): void {
    const { virtualHost, route } = decision;
    const before = this.noted.filter(({ stage }) => stage === 'route');
    const after = this.noted.filter(({ stage }) => stage !== 'route');
    if (virtualHost === undefined) {
      if (decision.kind === 'reply' && decision.reply.flag === 'NR') {
        this.step('virtual host', 'none', `no virtual host for authority '${decision.originalAuthority}'`);
        this.explainHost(decision.originalAuthority, chain);
      }
      return;
    }
    this.decision.virtualHost = virtualHost.name;
    this.step('virtual host', virtualHost.name, undefined, virtualHost.originId);
    this.trail.push(...before);
    if (route === undefined) {
      // A redirect to https comes before any route.
      if (decision.kind === 'reply' && decision.reply.flag !== 'NR') return;
      this.step('route', 'none', `no route for ${decision.originalPath}`);
      if (isBlackhole(virtualHost)) this.explainHost(decision.originalAuthority, chain);
      else this.hint(nearestRoutes(virtualHost.routes ?? [], decision.originalPath));
      return;
    }
    if (route.name !== undefined) this.decision.route = route.name;
    this.step('route', route.name ?? '(unnamed)', undefined, route.originId);
    this.trail.push(...after);
    const weighted = route.route?.weighted_clusters?.clusters ?? [];
    if (weighted.length > 0) {
      this.decision.weightedClusters = weighted.map(({ name, weight }) => ({ cluster: name, weight }));
    }
  }

  private explainHost(authority: string, chain: FilterChain): void {
    if (this.options.explain === undefined) return;
    const elsewhere = hostElsewhere(this.index, authority, chain);
    const table = tableOf(this.index, chain);
    this.hint(elsewhere.length > 0 ? elsewhere : nearestDomains(table?.config.virtual_hosts ?? [], authority));
  }

  private considered([stage, verdict, reason, originId]: Parameters<RequestTrace['step']>): void {
    this.noted.push(this.stepOf(stage, verdict, reason, originId));
  }

  /** A reply of the gateway itself. */
  private answer(
    reply: LocalReply,
    decision: RequestDecision,
    request: RequestFacts,
    manager: HttpConnectionManager,
  ): Decision {
    const flags = [decision.delay > 0 ? 'DI' : '', reply.flag ?? ''].filter((flag) => flag !== '').join(',');
    const state = { ...UNANSWERED, flags, details: reply.details };
    const rendered = renderLocalReply(reply, {
      facts: decision.replyFacts ?? UNKNOWN_REQUEST,
      date: '',
      manager,
      close: false,
      route: { rules: decision.response, request, state },
    });
    if (flags !== '') this.decision.flags = flags;
    this.decision.details = reply.details;
    this.decision.status = rendered.status;
    const location = rendered.headers.get('location');
    if (location !== undefined) this.decision.location = location;
    // As the log: a chosen cluster shows only when it exists.
    if (decision.response.cluster !== '') this.decision.cluster = decision.response.cluster;
    this.step('reply', String(rendered.status), reply.details);
    if (reply.flag === 'NC' && decision.cluster !== undefined) this.hint(nearestClusters(this.index, decision.cluster));
    const error = errorClassOf({
      flags,
      details: reply.details,
      status: rendered.status,
      upstreamTransportFailure: '',
      virtualHost: decision.virtualHost?.name,
      isTlsRedirect: decision.virtualHost !== undefined && decision.route === undefined,
    });
    return error === undefined ? this.decision : this.end(error);
  }

  private refuse(
    reply: { readonly flag?: string; readonly details: string; readonly status?: number },
    error: ErrorClass,
  ): Decision {
    if (reply.flag !== undefined) this.decision.flags = reply.flag;
    this.decision.details = reply.details;
    if (reply.status !== undefined) this.decision.status = reply.status;
    return this.end(error);
  }

  private endAtCluster(name: string, hash: bigint | undefined): Decision {
    const cluster = this.index.clusters.get(name);
    if (cluster === undefined) {
      this.step('cluster', 'none', `no cluster '${name}'`);
      this.hint(nearestClusters(this.index, name));
      this.decision.flags = 'NC';
      return this.end('no_cluster');
    }
    this.decision.cluster = name;
    this.step('cluster', name, undefined, cluster.originId);
    if (!this.hasEndpoint(cluster)) {
      this.step('endpoint', 'none', 'the cluster has no healthy endpoint');
      this.decision.flags = 'UH';
      return this.end('no_endpoint');
    }
    const endpoint = determinedEndpoint(cluster, this.endpointsOf(cluster), hash);
    if (endpoint !== undefined) {
      this.decision.endpoint = endpoint;
      this.step('endpoint', endpoint);
    }
    return this.decision;
  }

  private hasEndpoint(cluster: Cluster): boolean {
    return hasUsableEndpoint(cluster, this.endpointsOf(cluster));
  }

  private endpointsOf(cluster: Cluster): readonly Endpoint[] {
    return this.index.snapshot.endpoints[cluster.name] ?? NO_ENDPOINTS;
  }

  private random(): number {
    return this.call.random ?? this.options.random?.() ?? 0.5;
  }

  private end(error: ErrorClass): Decision {
    this.decision.error = error;
    return this.decision;
  }

  private step(stage: string, verdict: string, reason?: string, originId?: number): void {
    this.trail.push(this.stepOf(stage, verdict, reason, originId));
  }

  private stepOf(stage: string, verdict: string, reason?: string, originId?: number): TrailStep {
    const origin = this.options.origins?.get(originId);
    return {
      stage,
      verdict,
      ...(reason === undefined ? {} : { reason }),
      ...(origin === undefined ? {} : { at: { file: origin.file, line: origin.line } }),
    };
  }
}

function noChain({ transportProtocol, serverName, applicationProtocols }: ConnectionFacts): string {
  if (transportProtocol !== 'tls') return 'no chain takes plaintext';
  const protocols = applicationProtocols.length === 0 ? '' : ` and the protocols ${applicationProtocols.join(', ')}`;
  return serverName === ''
    ? `no chain for clients without SNI${protocols}`
    : `no chain for server name '${serverName}'${protocols}`;
}

function chainReason(chain: FilterChain, { serverName, transportProtocol }: ConnectionFacts): string | undefined {
  const names = chain.filter_chain_match?.server_names ?? [];
  if (transportProtocol !== 'tls') return undefined;
  if (names.length === 0)
    return serverName === '' ? 'takes any server name' : `takes any server name; none names '${serverName}'`;
  return names.includes(serverName)
    ? `server name '${serverName}'`
    : `'${serverName}' fits ${names.filter((name) => name.startsWith('*')).join(', ')}`;
}

function refusesWithoutCertificate(chain: FilterChain): boolean {
  const config = chain.transport_socket?.typed_config;
  const rules = config?.common_tls_context.combined_validation_context?.default_validation_context;
  if (config === undefined || rules === undefined) return false;
  return demandsCertificate(config.require_client_certificate, rules);
}

function describeUpstreamRequest(
  facts: RequestFacts,
  sent: readonly string[],
): NonNullable<Decision['upstreamRequest']> {
  const before = collect(sent);
  const after = collect(facts.headers.raw);
  const headersSet: Record<string, string> = {};
  for (const [name, value] of after) if (before.get(name) !== value) headersSet[name] = value;
  const headersRemoved = [...before.keys()].filter((name) => !after.has(name) && name !== 'host');
  return { authority: facts.authority ?? '', path: facts.path ?? '', headersSet, headersRemoved };
}

function collect(raw: readonly string[]): ReadonlyMap<string, string> {
  const headers = new Map<string, string>();
  for (let i = 0; i < raw.length; i += 2) {
    const name = raw[i] as string;
    const value = raw[i + 1] as string;
    const existing = headers.get(name);
    headers.set(name, existing === undefined ? value : `${existing},${value}`);
  }
  return headers;
}
