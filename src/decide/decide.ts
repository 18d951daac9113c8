// A question to the gateway, answered without a socket (spec interface.md §2): the published `decide`, and what
// explain and contracts build on. It asks the same functions as live traffic.
import type { OriginTable } from '../diagnostics/origin.js';
import { type LocalReply, NO_HEALTHY_UPSTREAM } from '../filters/local-reply.js';
import { UNANSWERED } from '../filters/operators.js';
import { renderLocalReply, UNKNOWN_REQUEST } from '../filters/render-local-reply.js';
import {
  type Cluster,
  type Endpoint,
  type FilterChain,
  HTTP_CONNECTION_MANAGER,
  type HttpConnectionManager,
  type Snapshot,
  TCP_PROXY,
  type TcpProxy,
} from '../xds/index.js';
import { connectionFactsOf, requestFactsOf, tlsFactsOf, usesTls } from './call-facts.js';
import { chainReadiness } from './chain-readiness.js';
import { demandsCertificate } from './client-certificate.js';
import { decideConnection } from './decide-connection.js';
import { decideRequest } from './decide-request.js';
import type { Call, Decision, ErrorClass, TrailStep } from './decision.js';
import { determinedEndpoint, hasUsableEndpoint } from './determined-endpoint.js';
import { isPlaceholder } from './error-class.js';
import type { RequestDecision, RequestFacts } from './request-decision.js';
import { buildSnapshotIndex, type ListenerIndex, type SnapshotIndex } from './snapshot-index.js';
import { chooseTcpCluster } from './tcp-cluster.js';

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
  private readonly decision: Mutable<Decision>;

  constructor(index: SnapshotIndex, call: Call, options: DecideOptions) {
    this.index = index;
    this.call = call;
    this.options = options;
    this.decision = { trail: this.trail };
  }

  decide(): Decision {
    const found = this.findListener();
    if (found === undefined) return this.end('no_listener');
    const { listener, port } = found;
    this.decision.listener = listener.entry.name;
    this.step('listener', listener.entry.name, undefined, listener.entry.listener?.originId);
    const facts = connectionFactsOf(this.call, listener.entry.name, port);
    const chosen = decideConnection(listener, facts);
    if (chosen.kind === 'close') {
      this.step('filter chain', 'none', `no chain for server name '${facts.serverName}'`);
      this.decision.flags = chosen.flag;
      this.decision.details = chosen.details;
      return this.end('no_filter_chain');
    }
    const { chain } = chosen;
    if (chain.label) this.decision.filterChain = chain.label;
    this.step('filter chain', chain.label ?? '', undefined, chain.originId);
    const tlsError = this.checkTransport(chain);
    if (tlsError !== undefined) return this.end(tlsError);
    for (const filter of chain.filters) {
      if (filter.name === TCP_PROXY) return this.decideTcp(filter.typed_config);
      if (filter.name === HTTP_CONNECTION_MANAGER) return this.decideHttp(filter.typed_config, chain, facts);
    }
    return this.decision;
  }

  /** The container port first, then the Service's; listeners on every address before those on one. */
  private findListener(): { readonly listener: ListenerIndex; readonly port: number } | undefined {
    const mapped = this.options.servicePorts?.get(this.call.port);
    for (const port of mapped === undefined ? [this.call.port] : [this.call.port, mapped]) {
      let found: ListenerIndex | undefined;
      for (const listener of this.index.listeners.values()) {
        const address = listener.entry.listener?.address;
        if (address === undefined || !('socket_address' in address) || listener.entry.state !== 'active') continue;
        if (address.socket_address.port_value !== port) continue;
        if (found === undefined || /^(?:0\.0\.0\.0|::)$/.test(address.socket_address.address)) found = listener;
      }
      if (found !== undefined) return { listener: found, port };
    }
    this.step('listener', 'none', `nothing listens on port ${this.call.port}`);
    return undefined;
  }

  /** What the transport socket makes of the client; `undefined` = it gets through. */
  private checkTransport(chain: FilterChain): ErrorClass | undefined {
    const socket = chain.transport_socket?.typed_config;
    if (socket === undefined) return undefined;
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
    return undefined;
  }

  private decideTcp(proxy: TcpProxy): Decision {
    const weighted = (proxy.weighted_clusters?.clusters ?? []).map(({ name, weight }) => ({ cluster: name, weight }));
    if (weighted.length > 1) this.decision.weightedClusters = weighted;
    return this.endAtCluster(
      chooseTcpCluster(proxy, () => this.random()),
      undefined,
    );
  }

  private decideHttp(
    manager: HttpConnectionManager,
    chain: FilterChain,
    connection: ReturnType<typeof connectionFactsOf>,
  ): Decision {
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
    const decision = decideRequest(this.index, manager, facts, {
      random: () => this.random(),
      uuid: this.options.uuid ?? (() => NO_UUID),
    });
    this.describeRouting(decision);
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

  private describeRouting(decision: RequestDecision): void {
    const { virtualHost, route } = decision;
    if (virtualHost === undefined) {
      this.step('virtual host', 'none', `no virtual host for authority '${decision.originalAuthority}'`);
      return;
    }
    this.decision.virtualHost = virtualHost.name;
    this.step('virtual host', virtualHost.name, undefined, virtualHost.originId);
    if (route === undefined) {
      this.step('route', 'none', `no route for path '${decision.originalPath}'`);
      return;
    }
    if (route.name !== undefined) this.decision.route = route.name;
    this.step('route', route.name ?? '(unnamed)', undefined, route.originId);
    const weighted = route.route?.weighted_clusters?.clusters ?? [];
    if (weighted.length > 0) {
      this.decision.weightedClusters = weighted.map(({ name, weight }) => ({ cluster: name, weight }));
    }
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
    const error = errorOfReply(reply, rendered.status, decision);
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
    const origin = this.options.origins?.get(originId);
    this.trail.push({
      stage,
      verdict,
      ...(reason === undefined ? {} : { reason }),
      ...(origin === undefined ? {} : { at: { file: origin.file, line: origin.line } }),
    });
  }
}

function refusesWithoutCertificate(chain: FilterChain): boolean {
  const config = chain.transport_socket?.typed_config;
  const rules = config?.common_tls_context.combined_validation_context?.default_validation_context;
  if (config === undefined || rules === undefined) return false;
  return demandsCertificate(config.require_client_certificate, rules);
}

function errorOfReply(reply: LocalReply, status: number, decision: RequestDecision): ErrorClass | undefined {
  switch (reply.flag) {
    case 'NR':
      return decision.virtualHost === undefined || isPlaceholder(decision.virtualHost.name)
        ? 'no_virtual_host'
        : 'no_route';
    case 'NC':
      return 'no_cluster';
    case 'UH':
      return 'no_endpoint';
    case 'DPE':
      return 'protocol_error';
    case undefined:
      break;
    default:
      return undefined;
  }
  if (decision.virtualHost === undefined) return status >= 400 ? 'protocol_error' : undefined;
  const isTlsRedirect = decision.route === undefined && reply.details === 'direct_response';
  return isTlsRedirect ? 'tls_redirect' : undefined;
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
