// What two configurations do differently with the same clients: connections and requests are made up from the chains,
// virtual hosts and routes of both, and put to both. Order and spelling that change nothing are no difference.
import { X509Certificate } from 'node:crypto';
import {
  type FilterChain,
  HTTP_CONNECTION_MANAGER,
  type Route,
  type Snapshot,
  type VirtualHost,
} from '../xds/index.js';
import { connectCall, listenerAt, listenerPort } from './call-connection.js';
import { certificateHash } from './certificate-facts.js';
import { chainReadiness } from './chain-readiness.js';
import { type DecideOptions, decide } from './decide.js';
import type { Call, Decision, TrailStep } from './decision.js';
import { type SampleRequest, sampleOfRoute } from './sample-request.js';
import type { SnapshotIndex } from './snapshot-index.js';

/** One side of a comparison. */
export interface ComparedSnapshot {
  readonly index: SnapshotIndex;
  readonly origins: NonNullable<DecideOptions['origins']>;
}

/** What of a client's view differs. */
export type ChangedAspect = 'destination' | 'status' | 'tls' | 'request';

export interface SnapshotDifference {
  readonly aspect: ChangedAspect;
  /** `https://shop.example.com:8443/cart`, or `sni shop.example.com:8443` for a connection. */
  readonly subject: string;
  readonly method?: string;
  /** 'name: value'. */
  readonly headers?: readonly string[];
  readonly old: string;
  readonly new: string;
  /** Where the deciding rule stands. */
  readonly oldAt?: TrailStep['at'];
  readonly newAt?: TrailStep['at'];
}

export interface Comparison {
  readonly differences: readonly SnapshotDifference[];
  /** Questions that were put to both. */
  readonly connections: number;
  readonly requests: number;
  /** Routes for which no request could be made up and that only one side has in this form, in words. */
  readonly skipped: readonly string[];
}

/** Stands for any label under a wildcard; no configuration has it. */
const ANY = 'any-postern';

/** Compares; `old` and `new` are told apart in the answer only. */
export function compareSnapshots(old: ComparedSnapshot, next: ComparedSnapshot): Comparison {
  return new SnapshotComparison(old, next).compare();
}

interface Connection {
  readonly port: number;
  readonly isTls: boolean;
  readonly serverName: string;
  readonly protocols: readonly string[];
}

class SnapshotComparison {
  private readonly old: ComparedSnapshot;
  private readonly next: ComparedSnapshot;
  private readonly differences: SnapshotDifference[] = [];
  private readonly skipped = new Set<string>();
  private requests = 0;

  constructor(old: ComparedSnapshot, next: ComparedSnapshot) {
    this.old = old;
    this.next = next;
  }

  compare(): Comparison {
    const connections = this.connections();
    for (const connection of connections) this.compareConnection(connection);
    const { differences, requests } = this;
    return { differences, connections: connections.length, requests, skipped: [...this.skipped] };
  }

  /** Every way in that either side has a chain for. */
  private connections(): readonly Connection[] {
    const found = new Map<string, Connection>();
    const add = (connection: Connection): void => {
      found.set(JSON.stringify(connection), connection);
    };
    for (const { index } of [this.old, this.next]) {
      for (const listener of index.listeners.values()) {
        const port = listenerPort(listener);
        if (port === undefined) continue;
        for (const chain of listener.entry.listener?.filter_chains ?? []) {
          const isTls = listener.inspectsTls || chain.transport_socket !== undefined;
          const names = chain.filter_chain_match?.server_names ?? [''];
          const protocols = chain.filter_chain_match?.application_protocols ?? [];
          for (const name of names) {
            const serverName = name.replace(/^\*/, ANY);
            if (!isTls) add({ port, isTls, serverName: '', protocols: [] });
            else if (protocols.length === 0) add({ port, isTls, serverName, protocols: ['h2', 'http/1.1'] });
            else for (const protocol of protocols) add({ port, isTls, serverName, protocols: [protocol] });
          }
        }
      }
    }
    return [...found.values()];
  }

  private compareConnection(connection: Connection): void {
    const before = chainFor(this.old.index, connection);
    const after = chainFor(this.next.index, connection);
    const subject = connection.isTls
      ? `sni ${shown(connection.serverName) || '(none)'}:${connection.port}${protocolNote(connection)}`
      : `plaintext :${connection.port}`;
    const oldPolicy = describeTls(before, this.old.index.snapshot);
    const newPolicy = describeTls(after, this.next.index.snapshot);
    if (oldPolicy !== newPolicy)
      this.differences.push({
        aspect: 'tls',
        subject,
        old: oldPolicy,
        new: newPolicy,
        ...places(this.place(this.old, before), this.place(this.next, after)),
      });
    if (isHttp(before) || isHttp(after)) this.compareRequests(connection, before, after);
    else this.compareCall(subject, callOf(connection, undefined, undefined), undefined, 'destination only');
  }

  private place({ origins }: ComparedSnapshot, chain: FilterChain | undefined): TrailStep['at'] | undefined {
    const origin = origins.get(chain?.originId);
    return origin === undefined ? undefined : { file: origin.file, line: origin.line };
  }

  private compareRequests(
    connection: Connection,
    before: FilterChain | undefined,
    after: FilterChain | undefined,
  ): void {
    const oldHosts = virtualHostsOf(this.old.index, before);
    const newHosts = virtualHostsOf(this.next.index, after);
    const domains = new Set([...oldHosts, ...newHosts].flatMap(({ domains }) => domains));
    const scheme = connection.isTls ? 'https' : 'http';
    for (const domain of domains) {
      const authority = authorityOf(domain, connection);
      const routes = [
        routesFor(this.old.index, before, authority),
        routesFor(this.next.index, after, authority),
      ] as const;
      const samples = this.samples(routes, `${scheme}://${domain}:${connection.port}`);
      for (const sample of samples) {
        const subject = `${scheme}://${shown(authority)}:${connection.port}${shown(sample.path)}`;
        this.compareCall(subject, callOf(connection, authority, sample), sample, 'all');
      }
    }
  }

  /** One or two requests for every route of either side, and one that no route names. */
  private samples(routes: readonly (readonly Route[])[], where: string): readonly SampleRequest[] {
    const samples = new Map<string, SampleRequest>();
    const add = (sample: SampleRequest): void => {
      samples.set(JSON.stringify(sample), sample);
    };
    const unsampled = routes.map(() => new Map<string, string>());
    for (const [side, list] of routes.entries()) {
      for (const route of list) {
        const sample = sampleOfRoute(route);
        if (sample === undefined) {
          const match = JSON.stringify(route.match);
          unsampled[side]?.set(match, JSON.stringify({ ...route, originId: undefined, metadata: undefined }));
          continue;
        }
        add(sample);
        // Without the conditions on headers and parameters the request falls through to a later rule.
        add({ path: sample.path.replace(/\?.*$/, ''), method: 'GET', headers: [] });
        // What lies below a prefix: its next path segment, and what merely begins the same.
        if (route.match.prefix !== undefined) {
          const [path = '', query] = splitQuery(sample.path);
          for (const more of [path.endsWith('/') ? ANY : `/${ANY}`, ANY])
            add({ ...sample, path: `${path}${more}${query}` });
        }
      }
    }
    add({ path: `/${ANY}`, method: 'GET', headers: [] });
    const [first, second] = unsampled;
    for (const match of new Set([...(first?.keys() ?? []), ...(second?.keys() ?? [])]))
      if (first?.get(match) !== second?.get(match)) this.skipped.add(`${where}: ${match}`);
    return [...samples.values()];
  }

  private compareCall(
    subject: string,
    call: Call,
    sample: SampleRequest | undefined,
    what: 'all' | 'destination only',
  ): void {
    this.requests++;
    const about = {
      subject,
      ...(sample === undefined || sample.method === 'GET' ? {} : { method: sample.method }),
      ...(sample === undefined || sample.headers.length === 0
        ? {}
        : { headers: sample.headers.map(([name, value]) => `${name}: ${value}`) }),
    };
    const before = ask(this.old, call);
    const after = ask(this.next, call);
    const compare = (aspect: ChangedAspect, old: string, next: string): void => {
      if (old === next) return;
      this.differences.push({ aspect, ...about, old, new: next, ...places(before.at, after.at) });
    };
    if (before.answer !== after.answer) compare('status', before.answer, after.answer);
    if (before.destination !== after.destination) compare('destination', before.destination, after.destination);
    else if (what === 'all' && before.answer === after.answer) compare('request', before.request, after.request);
  }
}

interface Asked {
  readonly answer: string;
  readonly destination: string;
  readonly request: string;
  readonly at: TrailStep['at'] | undefined;
}

// Chance at both ends: an abort or a delay of less than all requests shows at one of them.
function ask({ index, origins }: ComparedSnapshot, call: Call): Asked {
  const low = decide(index, { ...call, random: 0 }, { origins });
  const high = decide(index, { ...call, random: 0.999_999 }, { origins });
  const answers = new Set([answerOf(low), answerOf(high)]);
  const at = high.trail.findLast((step) => step.at !== undefined && step.stage !== 'cluster')?.at;
  return {
    answer: [...answers].join(' or '),
    destination: destinationOf(high),
    request: requestOf(high),
    at,
  };
}

function answerOf(decision: Decision): string {
  const { status, flags, details, location, error } = decision;
  const own = status !== undefined || error !== undefined;
  if (!own) return flags === undefined ? "the upstream's" : `${flags}, then the upstream's`;
  return [
    status,
    flags,
    details,
    location === undefined ? undefined : shown(location),
    error === undefined ? undefined : `(${error})`,
  ]
    .filter((part) => part !== undefined)
    .join(' ');
}

function destinationOf({ cluster, weightedClusters, error, status }: Decision): string {
  if (weightedClusters !== undefined && weightedClusters.length > 0)
    return weightedClusters
      .map((entry) => `${entry.weight} ${entry.cluster}`)
      .sort()
      .join(', ');
  return cluster ?? (status === undefined && error === undefined ? 'none' : 'none: answered by the gateway');
}

function requestOf({ upstreamRequest }: Decision): string {
  if (upstreamRequest === undefined) return '';
  const { authority, path, headersSet, headersRemoved } = upstreamRequest;
  // Names the VirtualService for tracing; a new name alone changes nothing.
  const { 'x-envoy-decorator-operation': _, ...told } = headersSet;
  const set = Object.entries(told).map(([name, value]) => `+${name}: ${value}`);
  return [`${path} at ${authority}`, ...set.sort(), ...headersRemoved.map((name) => `-${name}`)].join(' ');
}

function chainFor(index: SnapshotIndex, connection: Connection): FilterChain | undefined {
  const listener = listenerAt(index, connection.port);
  return listener === undefined ? undefined : connectCall(listener, callOf(connection, undefined, undefined)).chain;
}

function isHttp(chain: FilterChain | undefined): boolean {
  return chain?.filters.at(-1)?.name === HTTP_CONNECTION_MANAGER;
}

function virtualHostsOf(index: SnapshotIndex, chain: FilterChain | undefined): readonly VirtualHost[] {
  const filter = chain?.filters.at(-1);
  if (filter?.name !== HTTP_CONNECTION_MANAGER) return [];
  return index.routes.get(filter.typed_config.rds.route_config_name)?.config.virtual_hosts ?? [];
}

function routesFor(index: SnapshotIndex, chain: FilterChain | undefined, authority: string): readonly Route[] {
  const filter = chain?.filters.at(-1);
  if (filter?.name !== HTTP_CONNECTION_MANAGER) return [];
  const host = index.routes.get(filter.typed_config.rds.route_config_name)?.findVirtualHost(authority);
  return host?.virtualHost.routes ?? [];
}

// A host that the domain covers, and the server name where that fits too.
function authorityOf(domain: string, { serverName }: Connection): string {
  if (domain === '*') return serverName === '' ? `${ANY}.invalid` : serverName;
  return domain.replace(/^\*/, ANY).replace(/\*$/, ANY);
}

function callOf(connection: Connection, authority: string | undefined, sample: SampleRequest | undefined): Call {
  return {
    port: connection.port,
    protocol: authority === undefined ? 'tcp' : 'http',
    tls: connection.isTls ? 'mtls' : 'plaintext',
    sni: connection.serverName,
    alpn: connection.protocols.filter((protocol) => protocol !== 'h2' || authority === undefined),
    ...(authority === undefined ? {} : { host: authority }),
    ...(sample === undefined
      ? {}
      : { method: sample.method, path: sample.path, headers: Object.fromEntries(sample.headers) }),
  };
}

/** Everything about a chain's TLS that a client can notice, in one line. */
function describeTls(chain: FilterChain | undefined, snapshot: Snapshot): string {
  if (chain === undefined) return 'no chain: closed';
  const socket = chain.transport_socket?.typed_config;
  if (socket === undefined) return isHttp(chain) ? 'plaintext' : 'not terminated';
  if (chainReadiness(chain, snapshot.secrets) === 'notReady') return 'terminated, Secret missing: reset';
  const context = socket.common_tls_context;
  const {
    tls_minimum_protocol_version: min,
    tls_maximum_protocol_version: max,
    cipher_suites,
    ecdh_curves,
  } = context.tls_params ?? {};
  const certificates = (context.tls_certificate_sds_secret_configs ?? []).map(({ name }) => {
    const secret = snapshot.secrets[name];
    return secret?.kind === 'tls_certificate'
      ? `certificate ${fingerprint(secret.certificateChain)}`
      : 'no certificate';
  });
  const combined = context.combined_validation_context;
  const ca = combined && snapshot.secrets[combined.validation_context_sds_secret_config.name];
  const client =
    combined === undefined
      ? 'no client certificate'
      : `client certificate ${socket.require_client_certificate === true ? 'required' : 'optional'} (CA ${ca?.kind === 'validation_context' ? fingerprint(ca.trustedCa) : 'missing'}${rulesOf(combined.default_validation_context)})`;
  return [
    'terminated',
    `${min ?? 'TLSv1_2'} to ${max ?? 'TLSv1_3'}`,
    ...(cipher_suites === undefined ? [] : [cipher_suites.join(':')]),
    ...(ecdh_curves === undefined ? [] : [ecdh_curves.join(':')]),
    `ALPN ${(context.alpn_protocols ?? []).join(',') || 'none'}`,
    ...certificates,
    client,
  ].join(', ');
}

function rulesOf(rules: object): string {
  const text = JSON.stringify(rules);
  return text === '{}' ? '' : ` ${text}`;
}

function fingerprint(pem: string): string {
  try {
    return certificateHash(new X509Certificate(pem)).slice(0, 16);
  } catch {
    return 'unreadable';
  }
}

function places(old: TrailStep['at'] | undefined, next: TrailStep['at'] | undefined) {
  return { ...(old === undefined ? {} : { oldAt: old }), ...(next === undefined ? {} : { newAt: next }) };
}

function protocolNote({ protocols }: Connection): string {
  return protocols.includes('http/1.1') ? '' : ` (ALPN ${protocols.join(', ')})`;
}

function shown(text: string): string {
  return text.replaceAll(ANY, '*');
}

function splitQuery(path: string): [string, string] {
  const mark = path.indexOf('?');
  return mark === -1 ? [path, ''] : [path.slice(0, mark), path.slice(mark)];
}
