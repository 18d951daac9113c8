// What the HTTP/1 codec makes of a request line and header lines once they are split: target forms and everything that
// it refuses before there is a request (spec dataplane.md §3.2, §3.3). Framing of bodies is the codec's own business.
import type { HttpConnectionManager } from '../xds/index.js';
import { type CodecError, codecError, type LocalReply } from './local-reply.js';

/** A request's head, split into its parts and no more. */
export interface Http1Head {
  readonly method: string;
  /** As in the request line. */
  readonly target: string;
  /** name, value, name, value …: values trimmed, names in any case; one character per byte. */
  readonly rawHeaders: readonly string[];
  readonly isTls: boolean;
}

/** What the head says, or the codec's reply to it. */
export type Http1HeadOutcome =
  | {
      readonly kind: 'head';
      /** `undefined` = no Host at all. */
      readonly authority: string | undefined;
      /** `undefined` for CONNECT. */
      readonly path: string | undefined;
      /** Lower case, of an absolute target; else `undefined`. */
      readonly scheme: string | undefined;
    }
  | { readonly kind: 'error'; readonly reply: LocalReply };

/** Request line and headers together, in bytes. */
export const MAX_HEAD_BYTES = 61_440;
/** Envoy's default; one more is refused. */
export const MAX_HEADER_LINES = 100;

/** The parser's fixed list, case-sensitive. */
const METHODS: ReadonlySet<string> = new Set(
  (
    'DELETE GET HEAD POST PUT CONNECT OPTIONS TRACE COPY LOCK MKCOL MOVE PROPFIND PROPPATCH SEARCH UNLOCK BIND REBIND ' +
    'UNBIND ACL REPORT MKACTIVITY CHECKOUT MERGE NOTIFY SUBSCRIBE UNSUBSCRIBE PATCH PURGE MKCALENDAR LINK UNLINK ' +
    'SOURCE QUERY'
  ).split(' '),
);

/** The first thing that is wrong decides the reply; size comes before everything else. */
export function checkHttp1Head(
  head: Http1Head,
  options: HttpConnectionManager['common_http_protocol_options'],
): Http1HeadOutcome {
  if (headBytes(head) > MAX_HEAD_BYTES) return refuse('http1.headers_too_large');
  const error = checkLine(head) ?? checkHeaders(head.rawHeaders, options) ?? checkFraming(head);
  return error === undefined ? readTarget(head) : refuse(error);
}

/** As sent in the plainest form: single blanks, CRLF, no padding around values. */
function headBytes({ method, target, rawHeaders }: Http1Head): number {
  let bytes = method.length + target.length + ' HTTP/1.1\r\n'.length + 1 + '\r\n'.length;
  // Name and value alternate; each pair has a colon, a blank and CRLF besides.
  for (const text of rawHeaders) bytes += text.length + 2;
  return bytes;
}

function checkLine({ method, target }: Http1Head): CodecError | undefined {
  if (/[\x00-\x08\x0b-\x1f]/.test(method)) return 'http1.invalid_characters';
  if (!METHODS.has(method)) return 'http1.codec_error';
  if (/[\x00\x7f]/.test(target)) return 'http1.invalid_characters';
  return target === '' || /[\x01-\x20\x80-\xff]/.test(target) ? 'http1.codec_error' : undefined;
}

function checkHeaders(
  raw: readonly string[],
  options: HttpConnectionManager['common_http_protocol_options'],
): CodecError | undefined {
  if (raw.length / 2 > MAX_HEADER_LINES) return 'http1.too_many_headers';
  for (let i = 0; i < raw.length; i += 2) {
    const name = raw[i] as string;
    if (!/^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/.test(name)) {
      return /[\x00-\x08\x0a-\x1f\x7f]/.test(name) ? 'http1.invalid_characters' : 'http1.codec_error';
    }
    if (/[\x00-\x08\x0a-\x1f\x7f]/.test(raw[i + 1] as string)) return 'http1.invalid_characters';
    if (options?.headers_with_underscores_action === 'REJECT_REQUEST' && name.includes('_')) {
      return 'http1.unexpected_underscore';
    }
  }
  return checkConnectionHeader(raw);
}

/** Ten nominated headers, or one that forwarding relies on, are refused (spec dataplane.md §3.3). */
function checkConnectionHeader(raw: readonly string[]): CodecError | undefined {
  const connection = values(raw, 'connection');
  if (connection.length === 0) return undefined;
  const tokens = connection
    .join(',')
    .toLowerCase()
    .split(',')
    .map((token) => token.trim())
    .filter((token) => token !== '');
  // An upgrade keeps what it nominates, so nothing is checked.
  if (tokens.includes('upgrade') && values(raw, 'upgrade').some((value) => value.toLowerCase() !== 'h2c')) {
    return undefined;
  }
  if (tokens.length >= 10) return 'http1.connection_header_rejected';
  for (const token of tokens) {
    if (token.startsWith(':') || /^x-forwarded-(?:for|host|proto)$/.test(token)) {
      return 'http1.connection_header_rejected';
    }
    if (token === 'te' && values(raw, 'te').join(',').length >= 256) return 'http1.connection_header_rejected';
  }
  return undefined;
}

function checkFraming({ method, rawHeaders }: Http1Head): CodecError | undefined {
  const lengths = values(rawHeaders, 'content-length');
  const encodings = values(rawHeaders, 'transfer-encoding');
  if (lengths.length > 0 && encodings.length > 0) return 'http1.content_length_and_chunked_not_allowed';
  if (lengths.length > 1 || (lengths.length === 1 && !/^\d{1,19}$/.test(lengths[0] as string))) {
    return 'http1.codec_error';
  }
  const isChunked = encodings.length === 1 && (encodings[0] as string).toLowerCase() === 'chunked';
  if (encodings.length > 0 && (!isChunked || method === 'CONNECT')) return 'http1.invalid_transfer_encoding';
  return method === 'CONNECT' && Number(lengths[0] ?? 0) > 0 ? 'http1.body_disallowed' : undefined;
}

function readTarget({ method, target, rawHeaders, isTls }: Http1Head): Http1HeadOutcome {
  const hosts = values(rawHeaders, 'host');
  const host = hosts.length === 0 ? undefined : hosts.filter((value, i) => i === 0 || value !== '').join(',');
  if (method === 'CONNECT') {
    if (!/^(?:\[[0-9A-Fa-f:.]+\]|[^/?#:@[\]]+):\d{1,5}$/.test(target)) return refuse('http1.invalid_url');
    return { kind: 'head', authority: target, path: undefined, scheme: undefined };
  }
  if (target.startsWith('/')) return withHost(host, target);
  if (/^\*+$/.test(target)) return method === 'OPTIONS' ? withHost(host, target) : refuse('http1.invalid_url');
  const absolute = /^([A-Za-z][A-Za-z0-9+.-]*):\/\/([^/?#]*)(.*)$/.exec(target);
  if (absolute === null) return refuse('http1.codec_error');
  const scheme = (absolute[1] as string).toLowerCase();
  const authority = (absolute[2] as string).replace(/^.*@/, '');
  const path = absolute[3] as string;
  if (authority === '') return refuse('http1.invalid_url');
  if (scheme !== 'http' && scheme !== 'https') return refuse('http1.invalid_scheme');
  if (scheme === 'https' && !isTls) return refuse('http1.https_url_on_plaintext_connection');
  return { kind: 'head', authority, path: path === '' ? '/' : path, scheme };
}

function withHost(host: string | undefined, path: string): Http1HeadOutcome {
  if (host !== undefined && !isLegalAuthority(host)) return refuse('http.invalid_authority');
  return { kind: 'head', authority: host, path, scheme: undefined };
}

/** Legal, as measured: userinfo, `%`, `*`, `,`, `_`, brackets, any text behind a colon, nothing at all. */
export function isLegalAuthority(authority: string): boolean {
  return !/[\x00-\x20/\\?#"<>^`{|}\x7f-\xff]/.test(authority);
}

function values(raw: readonly string[], name: string): string[] {
  const found: string[] = [];
  for (let i = 0; i < raw.length; i += 2) {
    if ((raw[i] as string).toLowerCase() === name) found.push(raw[i + 1] as string);
  }
  return found;
}

function refuse(error: CodecError): Http1HeadOutcome {
  return { kind: 'error', reply: codecError(error) };
}
