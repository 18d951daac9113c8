// `%OPERATORS%` in header values (spec virtualservice.md §14.5): compiled once into a list of writers.
import { COMMAND_OPERATORS, type PeerCertificate, renderSocketAddress, type SocketAddress } from '../xds/index.js';
import type { HeaderMap } from './header-map.js';
import type { RequestHead } from './request-head.js';
import { formatTime, renderTime } from './time-format.js';

/** What the stream knows while a value is formatted. For request headers most of it is still unknown: see `UNANSWERED`. */
export interface StreamState {
  /** 0 for request headers and for local replies. */
  readonly responseCode: number;
  /** Comma-joined, '' = none. */
  readonly flags: string;
  readonly details: string;
  /** `ip:port` as configured; '' = none chosen yet. */
  readonly upstreamHost: string;
  readonly attemptCount: number;
  readonly bytesReceived: number;
  /** Of the last attempt, blanks as underscores; '' = none. */
  readonly upstreamTransportFailure: string;
}

/** The state of a stream before there is a response. */
export const UNANSWERED: StreamState = {
  responseCode: 0,
  flags: '',
  details: '',
  upstreamHost: '',
  attemptCount: 0,
  bytesReceived: 0,
  upstreamTransportFailure: '',
};

/** What `%OPERATORS%` can speak of. */
export interface OperatorFacts {
  readonly request: RequestHead;
  /** `status` of the response as sent on; absent for request headers. */
  readonly response: { readonly status: number; readonly headers: HeaderMap } | undefined;
  readonly state: StreamState;
  readonly routeName: string;
  /** Chosen cluster that exists; '' = none. */
  readonly cluster: string;
}

/** `undefined` = nothing to say (the empty string inside a longer value). */
type Operator = (facts: OperatorFacts) => string | undefined;

/** A compiled header value. */
export interface HeaderFormat {
  /** '' = the header is skipped. */
  render(facts: OperatorFacts): string;
}

/** `undefined`: the value names an operator that Envoy does not know, and Envoy refuses the whole route table (spec virtualservice.md §17.4). */
export function compileHeaderFormat(value: string): HeaderFormat | undefined {
  const parts: (string | Operator)[] = [];
  let literal = '';
  for (let at = 0; at < value.length; ) {
    if (value[at] !== '%') {
      literal += value[at++];
      continue;
    }
    if (value[at + 1] === '%') {
      literal += '%';
      at += 2;
      continue;
    }
    const match = /^%([A-Z0-9_]+)(?:\(((?:[^)]|\)(?!%|:\d+%))*)\))?(?::(\d+))?%/.exec(value.slice(at));
    const operator = match === null ? undefined : compileOperator(match[1] as string, match[2]);
    if (match === null || operator === undefined) return undefined;
    if (literal !== '') parts.push(literal);
    literal = '';
    const limit = match[3] === undefined ? undefined : Number(match[3]);
    parts.push(limit === undefined ? operator : (facts) => operator(facts)?.slice(0, limit));
    at += match[0].length;
  }
  if (parts.length === 0) return { render: () => literal };
  if (literal !== '') parts.push(literal);
  return { render: (facts) => renderParts(parts, facts) };
}

function renderParts(parts: readonly (string | Operator)[], facts: OperatorFacts): string {
  let text = '';
  for (const part of parts) text += typeof part === 'string' ? part : (part(facts) ?? '');
  return text;
}

const NOTHING: Operator = () => undefined;

/** Operators without an argument. */
const PLAIN: ReadonlyMap<string, Operator> = new Map<string, Operator>([
  ['DOWNSTREAM_REMOTE_ADDRESS', (facts) => socketAddress(remote(facts))],
  ['DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT', (facts) => remote(facts).address],
  ['DOWNSTREAM_REMOTE_PORT', (facts) => String(remote(facts).port)],
  ['DOWNSTREAM_DIRECT_REMOTE_ADDRESS', (facts) => socketAddress(facts.request.connection.source)],
  ['DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT', (facts) => facts.request.connection.source.address],
  ['DOWNSTREAM_DIRECT_REMOTE_PORT', (facts) => String(facts.request.connection.source.port)],
  ['DOWNSTREAM_LOCAL_ADDRESS', (facts) => socketAddress(facts.request.connection.destination)],
  ['DOWNSTREAM_LOCAL_ADDRESS_WITHOUT_PORT', (facts) => facts.request.connection.destination.address],
  ['DOWNSTREAM_LOCAL_PORT', (facts) => String(facts.request.connection.destination.port)],
  ['DOWNSTREAM_DIRECT_LOCAL_ADDRESS', (facts) => socketAddress(facts.request.connection.destination)],
  ['DOWNSTREAM_PEER_URI_SAN', ofPeer((peer) => peer.uriSans.join(','))],
  ['DOWNSTREAM_PEER_DNS_SAN', ofPeer((peer) => peer.dnsSans.join(','))],
  ['DOWNSTREAM_PEER_IP_SAN', NOTHING],
  ['DOWNSTREAM_PEER_EMAIL_SAN', NOTHING],
  ['DOWNSTREAM_PEER_SUBJECT', ofPeer((peer) => peer.subject)],
  ['DOWNSTREAM_PEER_ISSUER', ofPeer((peer) => peer.issuer)],
  ['DOWNSTREAM_PEER_SERIAL', ofPeer((peer) => peer.serialNumber)],
  ['DOWNSTREAM_PEER_FINGERPRINT_256', ofPeer((peer) => peer.sha256)],
  ['DOWNSTREAM_PEER_FINGERPRINT_1', ofPeer((peer) => peer.sha1)],
  ['DOWNSTREAM_PEER_CERT', ofPeer((peer) => encodeURIComponent(peer.pem))],
  ['DOWNSTREAM_LOCAL_URI_SAN', (facts) => facts.request.tls?.localUriSans.join(',')],
  ['DOWNSTREAM_LOCAL_DNS_SAN', (facts) => facts.request.tls?.localDnsSans?.join(',')],
  ['DOWNSTREAM_LOCAL_IP_SAN', NOTHING],
  ['DOWNSTREAM_LOCAL_EMAIL_SAN', NOTHING],
  ['DOWNSTREAM_LOCAL_SUBJECT', (facts) => facts.request.tls?.localSubject],
  ['DOWNSTREAM_TLS_VERSION', (facts) => facts.request.tls?.version],
  ['DOWNSTREAM_TLS_CIPHER', (facts) => facts.request.tls?.cipher],
  ['DOWNSTREAM_TLS_SESSION_ID', (facts) => facts.request.tls?.sessionId],
  ['DOWNSTREAM_TRANSPORT_FAILURE_REASON', NOTHING],
  ['REQUESTED_SERVER_NAME', (facts) => facts.request.connection.serverName],
  ['PROTOCOL', (facts) => facts.request.protocol],
  ['ROUTE_NAME', (facts) => facts.routeName],
  ['VIRTUAL_CLUSTER_NAME', NOTHING],
  ['RESPONSE_CODE', (facts) => String(facts.state.responseCode)],
  ['RESPONSE_FLAGS', (facts) => facts.state.flags || '-'],
  ['RESPONSE_CODE_DETAILS', (facts) => facts.state.details],
  ['CONNECTION_TERMINATION_DETAILS', NOTHING],
  ['BYTES_RECEIVED', (facts) => String(facts.state.bytesReceived)],
  ['BYTES_SENT', () => '0'],
  ['UPSTREAM_HOST', (facts) => facts.state.upstreamHost],
  ['UPSTREAM_REMOTE_ADDRESS', (facts) => facts.state.upstreamHost],
  ['UPSTREAM_REMOTE_ADDRESS_WITHOUT_PORT', (facts) => facts.state.upstreamHost.replace(/:\d+$/, '')],
  ['UPSTREAM_REMOTE_PORT', (facts) => /:(\d+)$/.exec(facts.state.upstreamHost)?.[1]],
  ['UPSTREAM_LOCAL_ADDRESS', NOTHING],
  ['UPSTREAM_TRANSPORT_FAILURE_REASON', (facts) => facts.state.upstreamTransportFailure || undefined],
  // The alternative stat name that Istio gives its clusters, which ends in a semicolon.
  ['UPSTREAM_CLUSTER', (facts) => (facts.cluster === '' ? undefined : `${facts.cluster};`)],
  ['UPSTREAM_CLUSTER_RAW', (facts) => facts.cluster],
  ['UPSTREAM_REQUEST_ATTEMPT_COUNT', (facts) => String(facts.state.attemptCount)],
  ['TRACE_ID', NOTHING],
  ['CONNECTION_ID', NOTHING],
  ['STREAM_ID', (facts) => facts.request.headers.get('x-request-id')],
  ['UPSTREAM_CONNECTION_ID', NOTHING],
  // Facts of the gateway's pod that no configuration tells.
  ['HOSTNAME', () => '-'],
  ['FILTER_CHAIN_NAME', NOTHING],
  ['GRPC_STATUS', (facts) => facts.response?.headers.get('grpc-status')],
  ['GRPC_STATUS_NUMBER', (facts) => facts.response?.headers.get('grpc-status')],
  ['DURATION', NOTHING],
  ['REQUEST_DURATION', NOTHING],
  ['RESPONSE_DURATION', NOTHING],
]);

function compileOperator(name: string, argument: string | undefined): Operator | undefined {
  switch (name) {
    case 'REQ':
      return compileHeaderLookup(argument, requestHeader);
    case 'RESP':
      return compileHeaderLookup(argument, responseHeader);
    case 'TRAILER':
    case 'DYNAMIC_METADATA':
    case 'CLUSTER_METADATA':
    case 'UPSTREAM_METADATA':
    case 'FILTER_STATE':
    case 'UPSTREAM_FILTER_STATE':
      return argument === undefined ? undefined : NOTHING;
    case 'ENVIRONMENT':
      // Variables of the gateway's pod are not known; an unset one prints so (measured).
      return argument === undefined ? undefined : () => '-';
    case 'START_TIME':
      if (argument === undefined || argument === '') return (facts) => renderTime(facts.request.startTime ?? 0);
      return (facts) => formatTime(facts.request.startTime ?? 0, argument);
    case 'DOWNSTREAM_PEER_CERT_V_START':
      return ofPeer((peer) => renderCertificateTime(peer.validFrom, argument));
    case 'DOWNSTREAM_PEER_CERT_V_END':
      return ofPeer((peer) => renderCertificateTime(peer.validTo, argument));
    default:
      // Known to Envoy, but nothing that postern can answer.
      return PLAIN.get(name) ?? (COMMAND_OPERATORS.has(name) ? NOTHING : undefined);
  }
}

/** `NAME`, or `NAME?OTHER`: the other one when the first is absent. */
function compileHeaderLookup(
  argument: string | undefined,
  lookUp: (facts: OperatorFacts, name: string) => string | undefined,
): Operator | undefined {
  if (argument === undefined || argument === '') return undefined;
  const names = argument.toLowerCase().split('?');
  const [first, second] = names;
  if (first === undefined || names.length > 2) return undefined;
  if (second === undefined) return (facts) => lookUp(facts, first);
  return (facts) => lookUp(facts, first) ?? lookUp(facts, second);
}

function requestHeader({ request }: OperatorFacts, name: string): string | undefined {
  switch (name) {
    case ':method':
      return request.method;
    case ':authority':
    case 'host':
      return request.authority;
    case ':path':
      return request.path;
    case ':scheme':
      return request.scheme;
    default:
      // Of several lines the first one counts (measured).
      return request.headers.get(name);
  }
}

function responseHeader({ response }: OperatorFacts, name: string): string | undefined {
  if (response === undefined) return undefined;
  return name === ':status' ? String(response.status) : response.headers.get(name);
}

function ofPeer(read: (peer: PeerCertificate) => string | undefined): Operator {
  return (facts) => {
    const peer = facts.request.tls?.peerCertificate;
    return peer === undefined ? undefined : read(peer);
  };
}

function renderCertificateTime(milliseconds: number | undefined, format: string | undefined): string | undefined {
  if (milliseconds === undefined) return undefined;
  return format === undefined || format === '' ? renderTime(milliseconds) : formatTime(milliseconds, format);
}

function remote(facts: OperatorFacts): SocketAddress {
  return facts.request.remoteAddress ?? facts.request.connection.source;
}

function socketAddress(address: SocketAddress): string {
  return renderSocketAddress(address.address, address.port);
}
