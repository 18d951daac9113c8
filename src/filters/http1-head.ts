// What the HTTP/1 codec makes of a request's head once its lines are split: framing, target forms, authority, and the
// first thing for which Envoy refuses it, in Envoy's order (spec dataplane.md §3.2, §3.3; order and the rows that no
// recording shows measured with Envoy 1.40). Splitting bytes into lines is the codec's own business.
import { type HttpConnectionManager, isIpv4, isIpv6 } from '../xds/index.js';
import { type CodecError, codecError, type LocalReply } from './local-reply.js';

/** A request's head, split into its parts and no more. */
export interface Http1Head {
  readonly method: string;
  /** As in the request line. */
  readonly target: string;
  /** name, value, name, value …: values trimmed, names in any case; one character per byte. */
  readonly rawHeaders: readonly string[];
  readonly isTls: boolean;
  /** False for every version but 1.1, unless HTTP/1.0 is accepted. Default true. */
  readonly isServedVersion?: boolean;
}

/** What decides about a head: everything but the headers that are just passed on. */
export interface Http1HeadFacts {
  readonly method: string;
  readonly target: string;
  readonly isTls: boolean;
  readonly isServedVersion: boolean;
  /** Header lines, Host included. */
  readonly headerLines: number;
  /** A name has an underscore. */
  readonly hasUnderscore: boolean;
  /** Lines of these joined with `,` (empty ones add nothing); `undefined` = none. */
  readonly host: string | undefined;
  readonly transferEncoding: string | undefined;
  readonly connection: string | undefined;
  readonly upgrade: string | undefined;
  readonly te: string | undefined;
  readonly contentLength: string | undefined;
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

/** Request line and headers together, in bytes; also the limit of a block of trailers. */
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
/** A length beyond 64 bits is no length. */
const MAX_LENGTH = 18_446_744_073_709_551_615n;
const CONTROL = /[\x00-\x08\x0a-\x1f\x7f]/;
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;

/** Checks a head of which nothing has been looked at: characters first, then everything that `judgeHttp1Head` judges. */
export function checkHttp1Head(
  head: Http1Head,
  options: HttpConnectionManager['common_http_protocol_options'],
): Http1HeadOutcome {
  const { method, target, rawHeaders, isTls } = head;
  if (headBytes(head) > MAX_HEAD_BYTES) return refuse('http1.headers_too_large');
  if (CONTROL.test(method) || CONTROL.test(target)) return refuse('http1.invalid_characters');
  for (const text of rawHeaders) if (CONTROL.test(text)) return refuse('http1.invalid_characters');
  if (!isMethod(method) || !isTarget(target, method)) return refuse('http1.codec_error');
  for (let i = 0; i < rawHeaders.length; i += 2) {
    if (!TOKEN.test(rawHeaders[i] as string)) return refuse('http1.codec_error');
  }
  const transferEncoding = joined(rawHeaders, 'transfer-encoding');
  const lengths = values(rawHeaders, 'content-length');
  if (lengths.length > 1 || (transferEncoding === undefined && lengths.some((length) => !isContentLength(length)))) {
    return refuse('http1.codec_error');
  }
  const outcome = judgeHttp1Head(
    {
      method,
      target,
      isTls,
      isServedVersion: head.isServedVersion ?? true,
      headerLines: rawHeaders.length / 2,
      hasUnderscore: rawHeaders.some((text, i) => i % 2 === 0 && text.includes('_')),
      host: joined(rawHeaders, 'host'),
      transferEncoding,
      connection: joined(rawHeaders, 'connection'),
      upgrade: joined(rawHeaders, 'upgrade'),
      te: joined(rawHeaders, 'te'),
      contentLength: lengths[0],
    },
    options,
  );
  return typeof outcome === 'string' ? refuse(outcome) : outcome;
}

/** Judges a head whose characters and names are legal and that has one legal length at most. */
export function judgeHttp1Head(
  facts: Http1HeadFacts,
  options: HttpConnectionManager['common_http_protocol_options'],
): Extract<Http1HeadOutcome, { kind: 'head' }> | CodecError {
  if (facts.headerLines > MAX_HEADER_LINES) return 'http1.too_many_headers';
  if (facts.hasUnderscore && options?.headers_with_underscores_action === 'REJECT_REQUEST') {
    return 'http1.unexpected_underscore';
  }
  const { method, transferEncoding, contentLength } = facts;
  const isConnect = method === 'CONNECT';
  if (isConnect && contentLength !== undefined && contentLength !== '0') return 'http1.body_disallowed';
  if (transferEncoding !== undefined) {
    if (contentLength !== undefined && !isConnect) return 'http1.content_length_and_chunked_not_allowed';
    if (isConnect || transferEncoding.toLowerCase() !== 'chunked') return 'http1.invalid_transfer_encoding';
  }
  if (facts.connection !== undefined && !isUpgrade(facts) && !isLegalConnection(facts.connection, facts.te)) {
    return 'http1.connection_header_rejected';
  }
  const outcome = readTarget(facts);
  if (typeof outcome === 'string') return outcome;
  if (!facts.isServedVersion) return 'low_version';
  if (outcome.authority === facts.host && !isConnect && !isLegalAuthority(facts.host ?? '')) {
    return 'http.invalid_authority';
  }
  return outcome;
}

/** Known to the parser; others are refused with the request line. */
export function isMethod(method: string): boolean {
  return METHODS.has(method);
}

/**
 * Could the target be one at all? Judged with the request line, before the headers. Control characters pass here and are
 * refused with the head; whether an absolute form names a host that can be is judged later still.
 */
export function isTarget(target: string, method: string): boolean {
  const first = target.charCodeAt(0);
  if (first === 47 || first === 42) return !/[\t\x20\x7f-\xff]/.test(target); // '/', '*'
  const shape =
    method === 'CONNECT'
      ? /^([^/?]*)(?:[/?][^\t\x20\x7f-\xff]*)?$/.exec(target)
      : /^[A-Za-z][A-Za-z0-9+.-]*:\/\/([^/?]*)(?:[/?][^\t\x20\x7f-\xff]*)?$/.exec(target);
  if (shape === null || target === '') return false;
  const host = shape[1] as string;
  return /^[A-Za-z0-9!$%&'()*+,\-.:;=@[\]_~]*$/.test(host) && !host.includes('@@');
}

/** Digits within 64 bits, leading zeros allowed. */
export function isContentLength(value: string): boolean {
  return /^\d+$/.test(value) && (value.length < 20 || BigInt(value) <= MAX_LENGTH);
}

/** An upgrade that Envoy knows of: `Connection: upgrade` and any `Upgrade` but h2c (spec dataplane.md §3.12). */
export function isUpgrade(facts: Pick<Http1HeadFacts, 'connection' | 'upgrade'>): boolean {
  const { connection, upgrade } = facts;
  if (upgrade === undefined || connection === undefined || upgrade.toLowerCase() === 'h2c') return false;
  return /(?:^|,)[ \t]*upgrade[ \t]*(?:,|$)/i.test(connection);
}

/** As sent in the plainest form: single blanks, CRLF, no padding around values. */
function headBytes({ method, target, rawHeaders }: Http1Head): number {
  let bytes = method.length + target.length + ' HTTP/1.1\r\n'.length + 1 + '\r\n'.length;
  // Name and value alternate; each pair has a colon, a blank and CRLF besides.
  for (const text of rawHeaders) bytes += text.length + 2;
  return bytes;
}

/** Ten nominated headers, or one that forwarding relies on, are refused (spec dataplane.md §3.3). */
function isLegalConnection(connection: string, te: string | undefined): boolean {
  const lower = connection.toLowerCase();
  if (lower === 'close' || lower === 'keep-alive') return true;
  const tokens = lower
    .split(',')
    .map((token) => token.trim())
    .filter((token) => token !== '');
  if (tokens.length >= 10) return false;
  for (const token of tokens) {
    if (token.startsWith(':') || /^x-forwarded-(?:for|host|proto)$/.test(token)) return false;
    if (token === 'te' && (te ?? '').length >= 256) return false;
  }
  return true;
}

function readTarget({
  method,
  target,
  host,
  isTls,
}: Http1HeadFacts): Extract<Http1HeadOutcome, { kind: 'head' }> | CodecError {
  if (method === 'CONNECT') {
    if (!isHostAndPort(target.startsWith('@') ? target.slice(1) : target, true)) return 'http1.invalid_url';
    return { kind: 'head', authority: target, path: undefined, scheme: undefined };
  }
  if (target.charCodeAt(0) === 47) return { kind: 'head', authority: host, path: target, scheme: undefined };
  if (target.startsWith('*')) {
    if (method !== 'OPTIONS') return 'http1.invalid_url';
    return { kind: 'head', authority: host, path: target, scheme: undefined };
  }
  const absolute = /^([^:]+):\/\/([^/?]*)(.*)$/s.exec(target);
  if (absolute === null) return 'http1.codec_error';
  const scheme = (absolute[1] as string).toLowerCase();
  const named = absolute[2] as string;
  const at = named.indexOf('@');
  const authority = at === -1 ? named : named.slice(at + 1);
  const path = absolute[3] as string;
  if (!isHostAndPort(authority, false)) return 'http1.invalid_url';
  if (scheme !== 'http' && scheme !== 'https') return 'http1.invalid_scheme';
  if (scheme === 'https' && !isTls) return 'http1.https_url_on_plaintext_connection';
  return { kind: 'head', authority, path: path === '' ? '/' : path, scheme };
}

/** Of a target, where the rules are stricter than those of the Host header: a port is a number of 16 bits. */
function isHostAndPort(text: string, needsPort: boolean): boolean {
  const match = /^(?:\[([0-9A-Fa-f:.]+)\]|[A-Za-z0-9\-.]+)(?::(\d+))?$/.exec(text);
  if (match === null) return false;
  const [, bracketed, port] = match;
  if (bracketed !== undefined && !isIpv6(bracketed) && !isIpv4(bracketed)) return false;
  return port === undefined ? !needsPort : Number(port) <= 65_535;
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

function joined(raw: readonly string[], name: string): string | undefined {
  const found = values(raw, name);
  if (found.length < 2) return found[0];
  return found.filter((value) => value !== '').join(',');
}

function refuse(error: CodecError): Http1HeadOutcome {
  return { kind: 'error', reply: codecError(error) };
}
