// A local reply as one client gets it: gRPC form, HEAD, header order, framing, `connection: close` (spec dataplane.md
// §3.7 points 6-8, §3.8).
import type { HttpConnectionManager, HttpProtocol } from '../xds/index.js';
import { encodeGrpcMessage, type GrpcWebFormat, httpToGrpcStatus } from './grpc.js';
import { HeaderMap } from './header-map.js';
import type { LocalReply } from './local-reply.js';
import type { StreamState } from './operators.js';
import type { RequestHead } from './request-head.js';
import { applyRouteOperations, finishResponseHeaders, type ResponseRules } from './response-headers.js';

/** Facts of a request that shape every reply to it; collected before filters change its headers. */
export interface ReplyFacts {
  readonly protocol: HttpProtocol;
  readonly isHead: boolean;
  readonly isGrpc: boolean;
  /** Set when the gRPC-Web filter is in the chain and the request is one. */
  readonly grpcWeb: GrpcWebFormat | undefined;
  /** True when the head was not the whole request: an HTTP/1 connection ends after a local reply. */
  readonly hasBody: boolean;
  readonly isUpgrade: boolean;
}

/** Before a request's head could be read. */
export const UNKNOWN_REQUEST: ReplyFacts = {
  protocol: 'HTTP/1.1',
  isHead: false,
  isGrpc: false,
  grpcWeb: undefined,
  hasBody: false,
  isUpgrade: false,
};

/** What a reply depends on beside itself. */
export interface LocalReplyContext {
  readonly facts: ReplyFacts;
  /** RFC 1123 date. */
  readonly date: string;
  readonly manager: Pick<HttpConnectionManager, 'server_name' | 'server_header_transformation'>;
  /** The connection ends for a reason that the reply does not show: client's wish, drain. HTTP/1 only. */
  readonly close: boolean;
  /** The decision's rules and what header values may ask for; `undefined` where no route applies. */
  readonly route:
    | { readonly rules: ResponseRules; readonly request: RequestHead; readonly state: StreamState }
    | undefined;
}

/** A reply as it goes out; `body` is absent where none may follow. */
export interface RenderedReply {
  readonly status: number;
  /** In Envoy's order, framing included on HTTP/1 (`content-length` or `transfer-encoding`). */
  readonly headers: HeaderMap;
  /** `undefined` = no bytes follow the head. */
  readonly body: Uint8Array | undefined;
  /** True when the connection is closed behind it (HTTP/1). */
  readonly close: boolean;
}

/**
 * `route.state` must already hold the reply's flag and details (header values may print them) and responseCode 0.
 *
 *     const rendered = renderLocalReply(decision.reply, { facts, date, manager, close: false, route: undefined });
 */
export function renderLocalReply(reply: LocalReply, context: LocalReplyContext): RenderedReply {
  const { facts } = context;
  const headers = new HeaderMap();
  for (const [name, value] of reply.headers) if (name === 'location') headers.append(name, value);
  if (context.route !== undefined) {
    const { rules, request, state } = context.route;
    applyRouteOperations(headers, reply.status, rules, request, state);
  }
  const silent = context.route?.rules.silent === true;
  for (const [name, value] of reply.headers) {
    if (name !== 'location' && !(silent && name === 'x-envoy-overloaded')) headers.append(name, value);
  }

  const bytes = typeof reply.body === 'string' ? Buffer.from(reply.body, 'latin1') : reply.body;
  const isGrpc = facts.isGrpc && reply.fromCodec !== true;
  let body: Uint8Array | undefined = facts.isHead || bytes.length === 0 ? undefined : bytes;
  let status = reply.status;
  if (isGrpc) {
    status = 200;
    body = undefined;
    headers.remove('content-length');
    setInPlace(headers, 'content-type', 'application/grpc');
    if (!headers.has('grpc-status')) {
      headers.append('grpc-status', String(reply.grpcStatus ?? httpToGrpcStatus(reply.status)));
    }
    if (bytes.length > 0 && !facts.isHead) {
      headers.set('grpc-message', encodeGrpcMessage(Buffer.from(bytes).toString('latin1')));
    }
  } else if (facts.grpcWeb !== undefined && reply.fromCodec !== true) {
    body = renderGrpcWeb(headers, reply, bytes, facts.grpcWeb);
  } else if (bytes.length > 0) {
    setInPlace(headers, 'content-length', String(bytes.length));
    if (!headers.has('content-type')) headers.append('content-type', 'text/plain');
  } else {
    headers.remove('content-length');
    headers.remove('content-type');
  }
  // The CORS filter sees replies of the router, not those of filters before it or of the connection manager.
  for (const [name, value] of context.route?.rules.cors ?? []) headers.set(name, value);

  const isHttp1 = facts.protocol !== 'HTTP/2';
  const close =
    isHttp1 &&
    (context.close ||
      reply.fromCodec === true ||
      facts.hasBody ||
      facts.isUpgrade ||
      // Every 400 ends the connection, whoever said it (measured); a gRPC form is no 400 any more.
      status === 400 ||
      reply.refusesHead === true);
  finishResponseHeaders(headers, context.date, context.manager, close);
  if (isHttp1) addFraming(headers, status, facts.isHead);
  return { status, headers, body, close };
}

/** The filter turns what it can into headers and lets the HTTP status stand (measured). */
function renderGrpcWeb(headers: HeaderMap, reply: LocalReply, bytes: Uint8Array, format: GrpcWebFormat): undefined {
  headers.remove('content-length');
  headers.set('content-type', format === 'text' ? 'application/grpc-web-text+proto' : 'application/grpc-web+proto');
  if (bytes.length === 0) return undefined;
  headers.append('grpc-message', encodeGrpcMessage(Buffer.from(bytes).toString('latin1')));
  headers.append('grpc-status', String(httpToGrpcStatus(reply.status)));
  headers.append('content-length', '0');
  return undefined;
}

/** What the HTTP/1 codec adds behind all other headers when there is no length. */
function addFraming(headers: HeaderMap, status: number, isHead: boolean): void {
  if (headers.has('content-length') || status === 204 || status === 304 || status < 200) return;
  if (isHead) headers.append('transfer-encoding', 'chunked');
  else headers.append('content-length', '0');
}

/** Replaces the value where the header stands. */
function setInPlace(headers: HeaderMap, name: string, value: string): void {
  headers.set(name, value);
}
