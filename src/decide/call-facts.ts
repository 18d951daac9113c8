// From a Call to the facts that a socket and a codec would have gathered (spec interface.md §2).
import { HeaderMap } from '../filters/header-map.js';
import { checkHttp1Head, isLegalAuthority } from '../filters/http1-head.js';
import { codecError, type LocalReply } from '../filters/local-reply.js';
import { hostWithoutPort } from '../match/virtual-host-index.js';
import {
  type ConnectionFacts,
  type FilterChain,
  type HttpConnectionManager,
  isIpv4,
  isIpv6,
  type TlsFacts,
} from '../xds/index.js';
import type { Call } from './decision.js';
import type { RequestFacts } from './request-decision.js';

const CLIENT = { address: '127.0.0.1', port: 0 };

/** What the listener would learn of this call's connection. */
export function connectionFactsOf(call: Call, listener: string, port: number): ConnectionFacts {
  const isTls = usesTls(call);
  return {
    listener,
    transportProtocol: isTls ? 'tls' : 'raw_buffer',
    serverName: isTls ? serverNameOf(call) : '',
    applicationProtocols: isTls ? offeredProtocols(call) : [],
    source: CLIENT,
    destination: { address: '127.0.0.1', port },
  };
}

/** True for `tls` and `mtls`. */
export function usesTls(call: Call): boolean {
  return call.tls !== undefined && call.tls !== 'plaintext';
}

/** Client libraries never send an address as a name. */
function serverNameOf(call: Call): string {
  const name = (call.sni ?? hostWithoutPort(call.host ?? '')).toLowerCase();
  return isIpv4(name) || isIpv6(name) || name.startsWith('[') ? '' : name;
}

function offeredProtocols(call: Call): readonly string[] {
  if (call.alpn !== undefined) return call.alpn;
  if (call.protocol === 'tcp') return [];
  return call.protocol === 'http2' ? ['h2'] : ['http/1.1'];
}

/** What the handshake with that chain would come to. */
export function tlsFactsOf(chain: FilterChain, facts: ConnectionFacts): TlsFacts | undefined {
  const context = chain.transport_socket?.typed_config.common_tls_context;
  if (context === undefined) return undefined;
  // The server's order decides; without overlap the handshake succeeds without a protocol (spec gateway.md §6.4).
  const alpn = (context.alpn_protocols ?? []).find((protocol) => facts.applicationProtocols.includes(protocol)) ?? '';
  return { version: 'TLSv1.3', cipher: '', alpn, serverName: facts.serverName, localUriSans: [] };
}

/** 'closed': an HTTP/2 connection ends without an answer, with Envoy's details in the log (spec dataplane.md §3.9). */
export type HeadOfCall =
  | { readonly kind: 'head'; readonly facts: RequestFacts }
  | { readonly kind: 'refused'; readonly reply: LocalReply }
  | { readonly kind: 'closed'; readonly flag: 'DPE' | 'DR'; readonly details: string };

/** The request as the codec would hand it on, or what the codec answers instead. */
export function requestFactsOf(
  call: Call,
  connection: ConnectionFacts,
  tls: TlsFacts | undefined,
  manager: HttpConnectionManager,
): HeadOfCall {
  const raw = rawHeaders(call);
  const method = call.method ?? 'GET';
  const rest = { method, endStream: isBodyless(raw), connection, tls };
  // Without a negotiated protocol the first bytes decide, and those are the caller's choice.
  const isHttp2 = tls?.alpn === 'h2' || (tls?.alpn !== 'http/1.1' && call.protocol === 'http2');
  if (isHttp2) {
    const authority = call.host;
    const path = Buffer.from(call.path ?? '/', 'utf8').toString('latin1');
    const headers = new HeaderMap(raw);
    const details = checkHttp2Head(method, authority ?? headers.get('host'), path, headers);
    if (details !== undefined) return { kind: 'closed', flag: 'DPE', details };
    const rejects = manager.common_http_protocol_options?.headers_with_underscores_action === 'REJECT_REQUEST';
    if (rejects && raw.some((text, i) => i % 2 === 0 && text.includes('_'))) {
      return { kind: 'closed', flag: 'DR', details: 'http2.unexpected_underscore' };
    }
    const scheme = tls === undefined ? 'http' : 'https';
    return { kind: 'head', facts: { ...rest, protocol: 'HTTP/2', authority, path, scheme, headers } };
  }
  // The preface is no request line.
  if (call.protocol === 'http2') return { kind: 'refused', reply: codecError('http1.codec_error') };
  if (call.host !== undefined) raw.unshift('host', call.host);
  const target = call.path ?? '/';
  const line = { method, target, rawHeaders: raw, isTls: tls !== undefined };
  const outcome = checkHttp1Head(line, manager.common_http_protocol_options);
  if (outcome.kind === 'error') return { kind: 'refused', reply: outcome.reply };
  const { authority, path, scheme } = outcome;
  return {
    kind: 'head',
    facts: { ...rest, protocol: 'HTTP/1.1', authority, path, scheme, headers: new HeaderMap(raw) },
  };
}

function rawHeaders(call: Call): string[] {
  const raw: string[] = [];
  for (const [name, value] of Object.entries(call.headers ?? {})) {
    for (const line of typeof value === 'string' ? [value] : value) raw.push(name.toLowerCase(), toWire(line.trim()));
  }
  return raw;
}

/** Bytes as characters: text outside Latin-1 goes as UTF-8. */
function toWire(text: string): string {
  return /^[\x00-\xff]*$/.test(text) ? text : Buffer.from(text, 'utf8').toString('latin1');
}

function isBodyless(raw: readonly string[]): boolean {
  const headers = new HeaderMap(raw.slice());
  return !headers.has('transfer-encoding') && Number(headers.get('content-length') ?? 0) === 0;
}

/** HTTP/1's business, an error in HTTP/2. */
const CONNECTION_HEADERS = ['connection', 'upgrade', 'keep-alive', 'proxy-connection', 'transfer-encoding'];

function checkHttp2Head(
  method: string,
  authority: string | undefined,
  path: string,
  headers: HeaderMap,
): string | undefined {
  const hasPseudoHeader = headers.raw.some((text, i) => i % 2 === 0 && text.startsWith(':'));
  if (hasPseudoHeader || CONNECTION_HEADERS.some((name) => headers.has(name))) return 'http2.invalid.header.field';
  if (method === 'CONNECT' || authority === undefined) return 'http2.violation.of.messaging.rule';
  if (authority === '' || authority.includes('@') || !isLegalAuthority(authority)) return 'http2.invalid.header.field';
  if (path === '' || /[\x00-\x20\x7f]/.test(path)) return 'http2.invalid.header.field';
  if (path.startsWith('/') || (path === '*' && method === 'OPTIONS')) return undefined;
  return 'http2.violation.of.messaging.rule';
}
