// The command operators of Envoy's access log, each as a function over StreamInfo (spec dataplane.md §7.3). Compiled once
// per format; `undefined` is "nothing to say": `-` in text, null in JSON.
import { hostname } from 'node:os';
import { formatTime, renderTime } from '../../filters/time-format.js';
import { LONG_FLAGS, renderSocketAddress, type SocketAddress } from '../../xds/index.js';
import type { StreamInfo } from './stream-info.js';

/** A number keeps its type in JSON. */
export type LogValue = string | number | undefined;

export type LogWriter = (info: StreamInfo) => LogValue;

/** Operators without an argument. */
const PLAIN: Readonly<Record<string, LogWriter>> = {
  PROTOCOL: (info) => text(info.protocol),
  RESPONSE_CODE: (info) => info.status,
  // `-` is a value of its own here: JSON prints it as a string.
  RESPONSE_FLAGS: (info) => (info.flags.length === 0 ? '-' : info.flags.join(',')),
  RESPONSE_FLAGS_LONG: (info) => (info.flags.length === 0 ? '-' : info.flags.map((flag) => LONG_FLAGS[flag]).join(',')),
  RESPONSE_CODE_DETAILS: (info) => text(info.details.replaceAll(' ', '_')),
  CONNECTION_TERMINATION_DETAILS: (info) => text(info.connectionTerminationDetails.replaceAll(' ', '_')),
  UPSTREAM_TRANSPORT_FAILURE_REASON: (info) => text(info.upstreamTransportFailureReason.replaceAll(' ', '_')),
  DOWNSTREAM_TRANSPORT_FAILURE_REASON: (info) => text(info.downstreamTransportFailureReason.replaceAll(' ', '_')),
  BYTES_RECEIVED: (info) => info.bytesReceived,
  BYTES_SENT: (info) => info.bytesSent,
  DURATION: duration,
  UPSTREAM_HOST: (info) => text(info.upstreamHost),
  UPSTREAM_CLUSTER: (info) => text(info.upstreamCluster),
  UPSTREAM_CLUSTER_RAW: (info) => text(info.upstreamCluster),
  UPSTREAM_LOCAL_ADDRESS: (info) => text(info.upstreamLocalAddress),
  UPSTREAM_LOCAL_ADDRESS_WITHOUT_PORT: (info) => withoutPort(info.upstreamLocalAddress),
  UPSTREAM_LOCAL_PORT: (info) => portOf(info.upstreamLocalAddress),
  UPSTREAM_REMOTE_ADDRESS: (info) => text(info.upstreamHost),
  UPSTREAM_REMOTE_ADDRESS_WITHOUT_PORT: (info) => withoutPort(info.upstreamHost),
  UPSTREAM_REMOTE_PORT: (info) => portOf(info.upstreamHost),
  UPSTREAM_REQUEST_ATTEMPT_COUNT: (info) => info.attemptCount,
  DOWNSTREAM_LOCAL_ADDRESS: (info) => address(info.downstreamLocal),
  DOWNSTREAM_LOCAL_ADDRESS_WITHOUT_PORT: (info) => info.downstreamLocal?.address,
  DOWNSTREAM_LOCAL_PORT: (info) => info.downstreamLocal?.port,
  DOWNSTREAM_REMOTE_ADDRESS: (info) => address(info.downstreamRemote),
  DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT: (info) => info.downstreamRemote?.address,
  DOWNSTREAM_REMOTE_PORT: (info) => info.downstreamRemote?.port,
  DOWNSTREAM_DIRECT_REMOTE_ADDRESS: (info) => address(info.downstreamRemote),
  DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT: (info) => info.downstreamRemote?.address,
  DOWNSTREAM_DIRECT_REMOTE_PORT: (info) => info.downstreamRemote?.port,
  REQUESTED_SERVER_NAME: (info) => text(info.requestedServerName),
  ROUTE_NAME: (info) => text(info.routeName),
  DOWNSTREAM_TLS_VERSION: (info) => text(info.downstreamTlsVersion),
  DOWNSTREAM_TLS_CIPHER: (info) => text(info.downstreamTlsCipher),
  DOWNSTREAM_PEER_SUBJECT: (info) => text(info.downstreamPeerSubject),
  HOSTNAME: () => hostname(),
};

/** Envoy knows them, a gateway without the filters that fill them has nothing to say. */
const SILENT = new Set([
  'ACCESS_LOG_TYPE',
  'CONNECTION_ID',
  'STREAM_ID',
  'TRACE_ID',
  'SPAN_ID',
  'VIRTUAL_CLUSTER_NAME',
  'UNIQUE_ID',
  'RESPONSE_DURATION',
  'REQUEST_DURATION',
  'REQUEST_TX_DURATION',
  'RESPONSE_TX_DURATION',
  'DOWNSTREAM_HANDSHAKE_DURATION',
  'ROUNDTRIP_DURATION',
  'COMMON_DURATION',
  'UPSTREAM_CONNECTION_POOL_READY_DURATION',
  'UPSTREAM_CONNECTION_ID',
  'DOWNSTREAM_WIRE_BYTES_SENT',
  'DOWNSTREAM_WIRE_BYTES_RECEIVED',
  'DOWNSTREAM_HEADER_BYTES_SENT',
  'DOWNSTREAM_HEADER_BYTES_RECEIVED',
  'UPSTREAM_WIRE_BYTES_SENT',
  'UPSTREAM_WIRE_BYTES_RECEIVED',
  'UPSTREAM_HEADER_BYTES_SENT',
  'UPSTREAM_HEADER_BYTES_RECEIVED',
  'UPSTREAM_HOST_NAME',
  'UPSTREAM_HOST_NAME_WITHOUT_PORT',
  'UPSTREAM_PROTOCOL',
  'UPSTREAM_TLS_VERSION',
  'UPSTREAM_TLS_CIPHER',
  'UPSTREAM_TLS_SESSION_ID',
  'UPSTREAM_PEER_SUBJECT',
  'UPSTREAM_PEER_ISSUER',
  'UPSTREAM_PEER_CERT',
  'UPSTREAM_PEER_URI_SAN',
  'UPSTREAM_PEER_DNS_SAN',
  'UPSTREAM_LOCAL_SUBJECT',
  'UPSTREAM_LOCAL_URI_SAN',
  'UPSTREAM_PEER_CERT_V_START',
  'UPSTREAM_PEER_CERT_V_END',
  'DOWNSTREAM_TLS_SESSION_ID',
  'DOWNSTREAM_LOCAL_SUBJECT',
  'DOWNSTREAM_LOCAL_URI_SAN',
  'DOWNSTREAM_LOCAL_DNS_SAN',
  'DOWNSTREAM_PEER_ISSUER',
  'DOWNSTREAM_PEER_URI_SAN',
  'DOWNSTREAM_PEER_DNS_SAN',
  'DOWNSTREAM_PEER_SERIAL',
  'DOWNSTREAM_PEER_CERT',
  'DOWNSTREAM_PEER_CERT_V_START',
  'DOWNSTREAM_PEER_CERT_V_END',
  'DOWNSTREAM_PEER_FINGERPRINT_1',
  'DOWNSTREAM_PEER_FINGERPRINT_256',
  'DOWNSTREAM_TRANSPORT_PROTOCOL',
  'DOWNSTREAM_LOCAL_CLOSE_REASON',
  'DOWNSTREAM_DETECTED_CLOSE_TYPE',
  'UPSTREAM_DETECTED_CLOSE_TYPE',
  'UPSTREAM_LOCAL_CLOSE_REASON',
  'GRPC_STATUS',
  'GRPC_STATUS_NUMBER',
  'LOCAL_REPLY_BODY',
  'FILTER_CHAIN_NAME',
  'VIRTUAL_HOST_NAME',
  'UPSTREAM_FILTER_CHAIN_NAME',
  'REQUEST_HEADERS_BYTES',
  'RESPONSE_HEADERS_BYTES',
  'RESPONSE_TRAILERS_BYTES',
  'TLS_JA3_FINGERPRINT',
  'TLS_JA4_FINGERPRINT',
  'EMIT_TIME',
  'PATH',
  'QUERY_PARAM',
  'QUERY_PARAMS',
  'CUSTOM_FLAGS',
  'DYNAMIC_METADATA',
  'CLUSTER_METADATA',
  'UPSTREAM_METADATA',
  'FILTER_STATE',
  'UPSTREAM_FILTER_STATE',
  'METADATA',
  'ENVIRONMENT',
  'CEL',
  'DOWNSTREAM_LOCAL_EMAIL_SAN',
  'DOWNSTREAM_PEER_EMAIL_SAN',
  'DOWNSTREAM_LOCAL_IP_SAN',
  'DOWNSTREAM_PEER_IP_SAN',
  'UPSTREAM_CLUSTER_NAME',
  'REQUESTED_SERVER_NAME_HOST',
  'TRAILER',
  'GRPC_STATUS_CAMEL',
]);

/**
 * The writer for one operator, `REQ(X-A?:PATH):20` without the percent signs. A string is Envoy's text of refusal.
 */
export function compileOperator(source: string): LogWriter | { readonly refused: string } {
  const match = /^([A-Z0-9_]+)(?:\((.*)\))?(?::(\d+))?$/s.exec(source);
  if (match === null) return { refused: `Invalid header configuration. Un-terminated variable expression '${source}'` };
  const [, name = '', argument, length] = match;
  const writer = argument === undefined ? plainOperator(name) : operatorWithArgument(name, argument);
  if (writer === undefined) return { refused: `Not supported field in StreamInfo: ${name}` };
  if (length === undefined) return writer;
  const limit = Number(length);
  return (info) => {
    const value = writer(info);
    return typeof value === 'string' ? value.slice(0, limit) : value;
  };
}

function plainOperator(name: string): LogWriter | undefined {
  if (name === 'START_TIME') return (info) => renderTime(info.startTime);
  return PLAIN[name] ?? (SILENT.has(name) ? nothing : undefined);
}

function operatorWithArgument(name: string, argument: string): LogWriter | undefined {
  switch (name) {
    case 'START_TIME':
      return argument === '' ? plainOperator(name) : (info) => formatTime(info.startTime, argument);
    case 'REQ':
      return eitherHeader(argument, requestHeader);
    case 'RESP':
      return eitherHeader(argument, responseHeader);
    case 'TRAILER':
      return nothing;
    default:
      return plainOperator(name);
  }
}

function nothing(): undefined {
  return undefined;
}

// `X?Y`: the second where the first is absent.
function eitherHeader(argument: string, find: (name: string) => LogWriter): LogWriter {
  const [first = '', second] = argument.toLowerCase().split('?');
  const main = find(first);
  if (second === undefined || second === '') return main;
  const alternative = find(second);
  return (info) => main(info) ?? alternative(info);
}

function requestHeader(name: string): LogWriter {
  switch (name) {
    case ':method':
      return (info) => text(info.method);
    case ':path':
      return (info) => text(info.path);
    case 'x-envoy-original-path':
      return (info) => text(info.originalPath);
    case ':authority':
    case 'host':
      return (info) => text(info.authority);
    case 'user-agent':
      return (info) => text(info.userAgent);
    case 'x-request-id':
      return (info) => text(info.requestId);
    case 'x-forwarded-for':
      return (info) => text(info.forwardedFor);
    default:
      return (info) => findHeader(info.requestHeaders, name);
  }
}

function responseHeader(name: string): LogWriter {
  if (name === 'x-envoy-upstream-service-time') return (info) => text(info.upstreamServiceTime);
  if (name === ':status') return (info) => (info.status === 0 ? undefined : String(info.status));
  return (info) => findHeader(info.responseHeaders, name);
}

function findHeader(headers: readonly string[], name: string): string | undefined {
  for (let i = 0; i + 1 < headers.length; i += 2) if (headers[i]?.toLowerCase() === name) return headers[i + 1];
  return undefined;
}

function text(value: string): string | undefined {
  return value === '' ? undefined : value;
}

/** Whole milliseconds from start to last byte out. */
export function duration(info: StreamInfo): number {
  return info.endTime < 0 ? 0 : Math.max(0, Math.round(info.endTime - info.startTime));
}

/** `ip:port`, IPv6 in brackets, a path as it is. */
export function address(of: SocketAddress | undefined): string | undefined {
  if (of === undefined) return undefined;
  if (of.address.startsWith('/')) return of.address;
  return renderSocketAddress(of.address, of.port);
}

function withoutPort(value: string): string | undefined {
  const colon = value.lastIndexOf(':');
  return text(colon < 0 ? value : value.slice(0, colon).replace(/^\[|\]$/g, ''));
}

function portOf(value: string): number | undefined {
  const port = Number(value.slice(value.lastIndexOf(':') + 1));
  return value === '' || Number.isNaN(port) ? undefined : port;
}
