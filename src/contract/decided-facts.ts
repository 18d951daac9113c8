// What can be known of a request without a socket: the decision, the chain's certificate, and what would be sent to the
// upstream. Whatever only a live connection or upstream settles is `unknown`, with the reason.
import { X509Certificate } from 'node:crypto';
import { certificateNames } from '../decide/certificate-facts.js';
import type { Call, Decision } from '../decide/decision.js';
import type { CommonTlsContext, FilterChain, Snapshot } from '../xds/index.js';
import { ABSENT, type Fact, type Facts, factOf, unknown } from './facts.js';

/** A call that was decided, and what it was decided with. */
export interface Decided {
  readonly call: Call;
  readonly body: string;
  /** The only TLS version that the client offers. */
  readonly tlsVersion: string | undefined;
  readonly decision: Decision;
  /** Absent: none was found, or the call came to an end before. */
  readonly chain: FilterChain | undefined;
  readonly secrets: Snapshot['secrets'];
}

const LIVE = 'only a live upstream settles that';
const CHANCE = 'chance picks the cluster; expect a split instead';

/** Looks up facts by the paths that contracts use. */
export function decidedFacts(decided: Decided): Facts {
  const { decision } = decided;
  const forwarded = isForwarded(decision);
  return (path) => {
    const [field, key = ''] = path;
    switch (field) {
      case 'status':
        return forwarded ? unknown(LIVE) : factOf(decision.status);
      case 'body':
        return forwarded || decision.status !== undefined
          ? unknown(forwarded ? LIVE : 'bodies are not computed')
          : ABSENT;
      case 'headers':
        if (forwarded) return unknown(LIVE);
        if (key === 'location') return factOf(decision.location);
        return decision.status === undefined ? ABSENT : unknown('headers of answers are not computed');
      case 'location':
        return forwarded ? unknown(LIVE) : factOf(decision.location);
      case 'details':
        return forwarded ? unknown(LIVE) : factOf(decision.details);
      case 'error':
        return factOf(decision.error);
      case 'flags':
        return factOf(decision.flags);
      case 'route':
        return routeFact(decision, key);
      case 'upstream':
        return upstreamFact(decided, path.slice(1));
      case 'tls':
        return tlsFact(decided, key);
      default:
        return ABSENT;
    }
  };
}

/** Errors and flags that come from upstreams: to expect one of them cannot be judged when the request is forwarded. */
export function isLiveExpectation(path: readonly string[], text: string): boolean {
  if (path[0] === 'error') return /^(?:upstream_|timeout)/.test(text);
  return path[0] === 'flags' && /\b(?:UF|UC|UR|UPE|UT|URX|UO|DC|DR|LR|SI)\b/.test(text);
}

/** True when an upstream would be asked. */
export function isForwarded(decision: Decision): boolean {
  return decision.error === undefined && decision.status === undefined && decision.cluster !== undefined;
}

/** True when more than one cluster can be picked. */
export function isChance(decision: Decision): boolean {
  return (decision.weightedClusters ?? []).filter(({ weight }) => weight > 0).length > 1;
}

function routeFact(decision: Decision, key: string): Fact {
  switch (key) {
    case 'cluster':
    case 'endpoint':
      if (isChance(decision)) return unknown(CHANCE);
      if (key === 'endpoint' && decision.endpoint === undefined && isForwarded(decision)) {
        return unknown('the load balancer picks the endpoint');
      }
      return factOf(decision[key]);
    case 'listener':
    case 'filterChain':
    case 'routeConfig':
    case 'virtualHost':
    case 'route':
      return factOf(decision[key]);
    default:
      return ABSENT;
  }
}

function upstreamFact({ call, body, decision }: Decided, path: readonly string[]): Fact {
  const [field, key = ''] = path;
  const request = decision.upstreamRequest;
  if (field === undefined) return isForwarded(decision) ? factOf('asked') : ABSENT;
  if (!isForwarded(decision)) return ABSENT;
  if (field === 'server') return unknown('only a request that is made shows who answers');
  if (field === 'protocol' || field === 'tls') return unknown('only a live connection to the upstream shows that');
  if (request === undefined) return unknown('the connection is passed through, and what is inside is between its ends');
  switch (field) {
    case 'method':
      return factOf(call.method ?? 'GET');
    case 'path':
      return factOf(request.path);
    case 'authority':
      return factOf(request.authority);
    case 'body':
      return factOf(body);
    case 'headers':
      return headerFact(call, request, key);
    default:
      return ABSENT;
  }
}

/** Written by the router after the decision, or made anew for each request. */
const LATE_HEADERS = new Set([
  'x-request-id',
  'x-envoy-attempt-count',
  'x-envoy-expected-rq-timeout-ms',
  'x-b3-traceid',
]);

function headerFact(call: Call, request: NonNullable<Decision['upstreamRequest']>, name: string): Fact {
  if (name === 'host') return factOf(request.authority);
  if (LATE_HEADERS.has(name)) return unknown('it is written when the request is made');
  const set = Object.hasOwn(request.headersSet, name) ? request.headersSet[name] : undefined;
  if (set !== undefined) return factOf(set);
  if (request.headersRemoved.includes(name)) return ABSENT;
  for (const [sent, value] of Object.entries(call.headers ?? {})) {
    if (sent.toLowerCase() === name) return factOf(typeof value === 'string' ? value : value.join(','));
  }
  return ABSENT;
}

function tlsFact(decided: Decided, key: string): Fact {
  const { call, decision, chain } = decided;
  if (call.tls === undefined || call.tls === 'plaintext') return ABSENT;
  if (key === 'alert') {
    return decision.error === 'mtls_error' || decision.error === 'tls_error'
      ? unknown('alerts are sent by live connections')
      : unknownIfPassedThrough(chain, ABSENT);
  }
  if (chain === undefined) return ABSENT;
  if (decision.error === 'tls_error') return ABSENT;
  const context = chain.transport_socket?.typed_config.common_tls_context;
  if (context === undefined) return unknown('TLS is passed through to the upstream');
  switch (key) {
    case 'certificate':
      return certificateFact(context, decided.secrets);
    case 'version':
      return versionFact(context, decided.tlsVersion);
    case 'alpn': {
      const offered = call.alpn ?? [];
      return factOf((context.alpn_protocols ?? []).find((protocol) => offered.includes(protocol)));
    }
    default:
      return ABSENT;
  }
}

function unknownIfPassedThrough(chain: FilterChain | undefined, otherwise: Fact): Fact {
  const isPassed = chain !== undefined && chain.transport_socket === undefined;
  return isPassed ? unknown('TLS is passed through to the upstream') : otherwise;
}

function certificateFact(context: CommonTlsContext, secrets: Snapshot['secrets']): Fact {
  const names = context.tls_certificate_sds_secret_configs ?? [];
  if (names.length > 1) return unknown('which of several certificates is shown depends on the handshake');
  const secret = secrets[names[0]?.name ?? ''];
  if (secret?.kind !== 'tls_certificate') return ABSENT;
  return namesOf(secret.certificateChain);
}

function namesOf(pem: string): Fact {
  try {
    const [value, ...also] = certificateNames(new X509Certificate(pem));
    return value === undefined ? ABSENT : { kind: 'value', value, also };
  } catch {
    return ABSENT;
  }
}

/** True when the chain takes no version that the client offers. */
export function refusesVersion(chain: FilterChain, offered: string | undefined): boolean {
  const context = chain.transport_socket?.typed_config.common_tls_context;
  return context !== undefined && offered !== undefined && versionFact(context, offered).kind === 'absent';
}

const VERSIONS: Readonly<Record<string, number>> = {
  TLSv1: 1,
  TLSv1_0: 1,
  'TLSv1.1': 2,
  TLSv1_1: 2,
  'TLSv1.2': 3,
  TLSv1_2: 3,
  'TLSv1.3': 4,
  TLSv1_3: 4,
};
const VERSION_NAMES = ['', 'TLSv1', 'TLSv1.1', 'TLSv1.2', 'TLSv1.3'];

function versionFact(context: CommonTlsContext, offered: string | undefined): Fact {
  const highest = VERSIONS[context.tls_params?.tls_maximum_protocol_version ?? ''] ?? 4;
  const lowest = VERSIONS[context.tls_params?.tls_minimum_protocol_version ?? ''] ?? 3;
  const wanted = offered === undefined ? highest : (VERSIONS[offered] ?? 4);
  return wanted >= lowest && wanted <= highest ? factOf(VERSION_NAMES[wanted]) : ABSENT;
}
