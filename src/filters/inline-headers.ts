// Headers that Envoy stores as one value: repeated lines become one, joined with a comma (spec dataplane.md §3.4).
import type { HeaderMap } from './header-map.js';

const REQUEST_INLINE: ReadonlySet<string> = new Set([
  'accept',
  'accept-encoding',
  'access-control-request-headers',
  'access-control-request-method',
  'authentication',
  'authorization',
  'cache-control',
  'content-encoding',
  'content-type',
  'expect',
  'grpc-accept-encoding',
  'grpc-timeout',
  'host',
  'if-match',
  'if-modified-since',
  'if-none-match',
  'if-range',
  'if-unmodified-since',
  'origin',
  'pragma',
  'referer',
  'user-agent',
  'via',
  'x-client-trace-id',
  'x-forwarded-for',
  'x-forwarded-host',
  'x-forwarded-port',
  // Joined as well, before they are rewritten or removed.
  'connection',
  'upgrade',
  'te',
  'x-forwarded-proto',
  'x-forwarded-client-cert',
  'x-request-id',
]);

const RESPONSE_INLINE: ReadonlySet<string> = new Set([
  'access-control-allow-credentials',
  'access-control-allow-headers',
  'access-control-allow-methods',
  'access-control-allow-origin',
  'access-control-expose-headers',
  'access-control-max-age',
  'age',
  'cache-control',
  'content-encoding',
  'content-type',
  'etag',
  'expires',
  'grpc-message',
  'grpc-status',
  'last-modified',
  'location',
  'proxy-status',
  'vary',
  'via',
  'x-envoy-attempt-count',
  'x-envoy-degraded',
  'x-envoy-immediate-health-check-fail',
  'x-envoy-ratelimited',
  'x-envoy-upstream-healthchecked-cluster',
  'x-request-id',
]);

/** `name` is lower case. */
export function isInlineRequestHeader(name: string): boolean {
  return REQUEST_INLINE.has(name);
}

/** `name` is lower case. */
export function isInlineResponseHeader(name: string): boolean {
  return RESPONSE_INLINE.has(name);
}

/** Joins repeated lines of such headers where the first one stands; an empty line adds nothing. */
export function joinInlineHeaders(headers: HeaderMap, isInline: (name: string) => boolean): void {
  const { raw } = headers;
  let kept = 0;
  for (let i = 0; i < raw.length; i += 2) {
    const name = raw[i] as string;
    const value = raw[i + 1] as string;
    if (isInline(name)) {
      // There are a hundred lines at most, and mostly ten.
      let first = 0;
      while (first < kept && raw[first] !== name) first += 2;
      if (first < kept) {
        raw[first + 1] = joinValues(raw[first + 1] as string, value);
        continue;
      }
    }
    if (kept !== i) {
      raw[kept] = name;
      raw[kept + 1] = value;
    }
    kept += 2;
  }
  headers.cut(kept);
}

/** Crumbs of an HTTP/2 cookie become one line behind the other headers (spec dataplane.md §3.4). */
export function joinCookieCrumbs(headers: HeaderMap): void {
  const crumbs = headers.values('cookie');
  if (crumbs.length === 0) return;
  headers.remove('cookie');
  headers.append('cookie', crumbs.join('; '));
}

/** Adds a line, or a value to the one line of an inline header. */
export function addHeader(headers: HeaderMap, name: string, value: string, isInline: (name: string) => boolean): void {
  const existing = isInline(name) ? headers.get(name) : undefined;
  if (existing === undefined) headers.append(name, value);
  else headers.set(name, joinValues(existing, value));
}

function joinValues(first: string, second: string): string {
  if (second === '') return first;
  return first === '' ? second : `${first},${second}`;
}
