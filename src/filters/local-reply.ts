// Which status, flag and body a failure gives (spec dataplane.md §3.2, §3.3, §4.2, §4.3): the one home of local replies.
// `render-local-reply.ts` turns one into the headers and bytes that a particular client gets.
import type { ResponseFlag } from '../xds/index.js';

/** A response that Envoy makes itself. */
export interface LocalReply {
  readonly status: number;
  /** '' = no body. Text is latin1-safe or UTF-8 bytes in a Buffer (direct response with bytes). */
  readonly body: string | Uint8Array;
  /** Headers that stand before content-length (`location`, `x-envoy-overloaded`), in order. */
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly flag?: ResponseFlag;
  /** Envoy's response code details, blanks as `_`. */
  readonly details: string;
  /** True for what the codec says before there is a request for filters: the connection ends, gRPC is not converted. */
  readonly fromCodec?: boolean;
  /** The connection manager's 400 for a head: the connection ends even where a gRPC client is told so with a 200. */
  readonly refusesHead?: boolean;
  /** gRPC status for gRPC clients instead of the one that the HTTP status maps to. */
  readonly grpcStatus?: number;
}

const NO_HEADERS: LocalReply['headers'] = [];
const OVERLOADED: LocalReply['headers'] = [['x-envoy-overloaded', 'true']];

function reply(status: number, body: string, details: string, flag?: ResponseFlag): LocalReply {
  return flag === undefined
    ? { status, body, headers: NO_HEADERS, details }
    : { status, body, headers: NO_HEADERS, flag, details };
}

// The connection manager (§3.2): empty bodies.
export const MISSING_HOST: LocalReply = { ...reply(400, '', 'missing_host_header'), refusesHead: true };
export const MISSING_PATH: LocalReply = reply(404, '', 'missing_path_rejected');
export const ABSOLUTE_PATH: LocalReply = reply(404, '', 'absolute_path_rejected');
export const PATH_NORMALIZATION_FAILED: LocalReply = {
  ...reply(400, '', 'path_normalization_failed'),
  refusesHead: true,
};
export const QUERY_WITHOUT_CONTENT_TYPE: LocalReply = {
  ...reply(400, '', 'query_missing_content_type'),
  refusesHead: true,
};
export const UPGRADE_FAILED: LocalReply = reply(403, '', 'upgrade_failed');
export const ROUTE_NOT_FOUND: LocalReply = reply(404, '', 'route_not_found', 'NR');

// The router (§4.2).
export const CLUSTER_NOT_FOUND: LocalReply = reply(503, '', 'cluster_not_found', 'NC');
export const NO_HEALTHY_UPSTREAM: LocalReply = reply(503, 'no healthy upstream', 'no_healthy_upstream', 'UH');
export const RESPONSE_TIMEOUT: LocalReply = reply(504, 'upstream request timeout', 'response_timeout', 'UT');
export const PER_TRY_TIMEOUT: LocalReply = reply(504, 'upstream request timeout', 'upstream_per_try_timeout', 'UT');

// Timers of the connection manager (§3.10).
export const REQUEST_TIMEOUT: LocalReply = reply(408, 'request timeout', 'request_overall_timeout');

/** The codec's, before there is a request: no flag. */
export const REQUEST_HEADER_TIMEOUT: LocalReply = {
  ...reply(408, 'request header timeout', 'request_header_timeout'),
  fromCodec: true,
};

/** The stream idle timer: 408 while the request is not complete, else 504. */
export function streamIdleTimeout(requestComplete: boolean): LocalReply {
  return reply(requestComplete ? 504 : 408, 'stream timeout', 'stream_idle_timeout', 'SI');
}

/** 307 of the profile that unescapes slashes and redirects; a gRPC request is answered as a 400 instead. */
export function escapedSlashRedirect(location: string, isGrpc: boolean): LocalReply {
  if (isGrpc) return PATH_NORMALIZATION_FAILED;
  return { status: 307, body: '', headers: [['location', location]], details: 'path_normalization_failed' };
}

/** httpsRedirect's 301 and the redirects of routes. */
export function redirectReply(status: number, location: string): LocalReply {
  return { status, body: '', headers: [['location', location]], details: 'direct_response' };
}

/** `location`: only of 201 and 3xx. */
export function directResponse(status: number, body: string | Uint8Array, location: string | undefined): LocalReply {
  const headers = location === undefined ? NO_HEADERS : [['location', location] as const];
  return { status, body, headers, details: 'direct_response' };
}

/** Answer of the CORS filter to a preflight. */
export function preflightReply(headers: LocalReply['headers']): LocalReply {
  return { status: 200, body: '', headers, details: 'cors_response' };
}

/** `grpcStatus`: of a fault that names one, which is HTTP 200 for everybody else. */
export function faultAbort(status: number, grpcStatus: number | undefined): LocalReply {
  const base = reply(status, 'fault filter abort', 'fault_filter_abort', 'FI');
  return grpcStatus === undefined ? base : { ...base, grpcStatus };
}

/** Why an upstream stream ended before its response began. */
export type UpstreamResetReason =
  | 'remote_connection_failure'
  | 'local_connection_failure'
  | 'connection_timeout'
  | 'connection_termination'
  | 'overflow'
  | 'protocol_error'
  | 'remote_reset'
  | 'remote_refused_stream_reset'
  | 'remote_error_with_CONNECT_request'
  | 'local_reset'
  | 'local_refused_stream_reset';

const RESET_FLAGS: Readonly<Record<UpstreamResetReason, ResponseFlag>> = {
  remote_connection_failure: 'UF',
  local_connection_failure: 'UF',
  connection_timeout: 'UF',
  connection_termination: 'UC',
  overflow: 'UO',
  protocol_error: 'UPE',
  remote_reset: 'UR',
  remote_refused_stream_reset: 'UR',
  remote_error_with_CONNECT_request: 'UR',
  local_reset: 'LR',
  local_refused_stream_reset: 'LR',
};

export function upstreamResetFlag(reason: UpstreamResetReason): ResponseFlag {
  return RESET_FLAGS[reason];
}

/**
 * The reply to a reset (§4.3). `retried`: at least one retry was performed, not merely allowed. `transportFailure` is
 * Envoy's text ('delayed connect error: Connection refused'), '' = none; it shows in the details only.
 */
export function upstreamReset(reason: UpstreamResetReason, retried: boolean, transportFailure: string): LocalReply {
  const words = reason.replaceAll('_', ' ');
  const retry = retried ? 'retried and the latest ' : '';
  return {
    status: reason === 'protocol_error' ? 502 : 503,
    body: `upstream connect error or disconnect/reset before headers. ${retry}reset reason: ${words}`,
    headers: reason === 'overflow' ? OVERLOADED : NO_HEADERS,
    flag: RESET_FLAGS[reason],
    details: `upstream_reset_before_response_started{${resetDetails(reason, transportFailure)}}`,
  };
}

/** Details of a response that broke off after its head; nothing can be sent any more. */
export function resetAfterResponseDetails(reason: UpstreamResetReason, transportFailure = ''): string {
  return `upstream_reset_after_response_started{${resetDetails(reason, transportFailure)}}`;
}

function resetDetails(reason: UpstreamResetReason, transportFailure: string): string {
  return transportFailure === '' ? reason : `${reason}|${transportFailure.replaceAll(' ', '_')}`;
}

/** What the HTTP/1 codec refuses (§3.3), by its details. */
export type CodecError =
  | 'http1.codec_error'
  | 'http1.invalid_characters'
  | 'http1.headers_too_large'
  | 'http1.too_many_headers'
  | 'http1.content_length_and_chunked_not_allowed'
  | 'http1.invalid_transfer_encoding'
  | 'http1.body_disallowed'
  | 'http1.invalid_url'
  | 'http1.invalid_scheme'
  | 'http1.https_url_on_plaintext_connection'
  | 'http1.connection_header_rejected'
  | 'http1.unexpected_underscore'
  | 'http.invalid_authority'
  | 'low_version';

const CODEC_STATUS: Readonly<Partial<Record<CodecError, readonly [status: number, reason: string]>>> = {
  'http1.headers_too_large': [431, 'Request Header Fields Too Large'],
  'http1.too_many_headers': [431, 'Request Header Fields Too Large'],
  'http1.invalid_transfer_encoding': [501, 'Not Implemented'],
  'http1.https_url_on_plaintext_connection': [403, 'Forbidden'],
  low_version: [426, 'Upgrade Required'],
};

/** The body is the reason phrase, the flag DPE, and the connection is closed. */
export function codecError(error: CodecError): LocalReply {
  const [status, body] = CODEC_STATUS[error] ?? [400, 'Bad Request'];
  return { status, body, headers: NO_HEADERS, flag: 'DPE', details: error, fromCodec: true };
}
