// Header lists between our flat pairs and the objects of node:http2.
import type http2 from 'node:http2';

/** Names that node:http2 throws on when they come twice, though nobody forbids it; here their lines are joined. */
const SINGLE: ReadonlySet<string> = new Set([
  'access-control-allow-credentials',
  'access-control-max-age',
  'access-control-request-method',
  'age',
  'authorization',
  'content-encoding',
  'content-language',
  'content-length',
  'content-location',
  'content-md5',
  'content-range',
  'content-type',
  'date',
  'dnt',
  'etag',
  'expires',
  'from',
  'host',
  'if-match',
  'if-modified-since',
  'if-none-match',
  'if-range',
  'if-unmodified-since',
  'last-modified',
  'location',
  'max-forwards',
  'proxy-authorization',
  'range',
  'referer',
  'retry-after',
  'tk',
  'upgrade-insecure-requests',
  'user-agent',
  'x-content-type-options',
]);

/** Names that no HTTP/2 message may have (RFC 9113 §8.2.2). */
const CONNECTION_ONLY: ReadonlySet<string> = new Set([
  'connection',
  'http2-settings',
  'keep-alive',
  'proxy-connection',
  'transfer-encoding',
  'upgrade',
]);

/** Without a prototype: `constructor` and `__proto__` are names like any other. */
export function emptyHttp2Headers(): http2.OutgoingHttpHeaders {
  return Object.create(null) as http2.OutgoingHttpHeaders;
}

/** Flat pairs as node:http2 takes them: repeated names become arrays. */
export function toHttp2Headers(pairs: readonly string[]): http2.OutgoingHttpHeaders {
  const headers = emptyHttp2Headers();
  for (let i = 0; i < pairs.length; i += 2) addHttp2Header(headers, pairs[i] as string, pairs[i + 1] as string);
  return headers;
}

/** Adds a line; what HTTP/2 cannot carry (and node:http2 throws on) is left out. */
export function addHttp2Header(headers: http2.OutgoingHttpHeaders, name: string, value: string): void {
  if (CONNECTION_ONLY.has(name) || (name === 'te' && value !== 'trailers')) return;
  const before = headers[name];
  if (before === undefined) headers[name] = value;
  else if (SINGLE.has(name)) headers[name] = `${before},${value}`;
  else if (Array.isArray(before)) before.push(value);
  else headers[name] = [String(before), value];
}

/** node:http2's raw list without pseudo headers. */
export function withoutPseudoHeaders(raw: readonly string[]): string[] {
  const pairs: string[] = [];
  for (let i = 0; i < raw.length; i += 2) {
    const name = raw[i] as string;
    if (name.charCodeAt(0) !== 58) pairs.push(name, raw[i + 1] as string);
  }
  return pairs;
}
