// The hash that picks an endpoint of a consistent-hash cluster (spec destinations.md §8.3).
import { type HashPolicy, parseDuration, renderSocketAddress, type SocketAddress } from '../xds/index.js';
import { combineHashes, xxHash64 } from '../xds/xx-hash.js';
import type { RequestHead } from './request-head.js';

/** What the hash policies of a route make of a request. */
export interface RequestHash {
  /** `undefined`: no policy had anything to hash, the host is drawn at random. */
  readonly hash: bigint | undefined;
  /** Values of `set-cookie` for the upstream's response. */
  readonly setCookies: readonly string[];
}

const NO_COOKIES: readonly string[] = [];

/** Policies apply in order, whichever destination was picked; each next hash is mixed into the last one rotated by a bit. */
export function computeHash(policies: readonly HashPolicy[], head: RequestHead): RequestHash {
  let hash: bigint | undefined;
  let setCookies: string[] | undefined;
  for (const policy of policies) {
    let next: bigint | undefined;
    if (policy.header !== undefined) next = hashHeader(policy.header.header_name.toLowerCase(), head);
    else if (policy.query_parameter !== undefined) next = hashParameter(policy.query_parameter.name, head);
    else if (policy.connection_properties?.source_ip === true) next = xxHash64(remoteOf(head).address);
    else if (policy.cookie !== undefined) {
      const value = cookieValue(policy.cookie.name, head);
      if (value) {
        next = xxHash64(value);
      } else if (policy.cookie.ttl !== undefined) {
        const generated = generatedCookie(head);
        next = xxHash64(generated);
        setCookies ??= [];
        setCookies.push(renderCookie(policy.cookie, policy.cookie.ttl, generated));
      }
    }
    if (next !== undefined) hash = combineHashes([hash, next]);
    if (policy.terminal === true && hash !== undefined) break;
  }
  return { hash, setCookies: setCookies ?? NO_COOKIES };
}

/** One line: its hash. Several: sorted, each hashed with the hash so far as seed. */
function hashHeader(name: string, head: RequestHead): bigint | undefined {
  if (name === ':path') return head.path === undefined ? undefined : xxHash64(head.path);
  if (name === ':authority' || name === 'host') return xxHash64(head.authority ?? '');
  if (name === ':method') return xxHash64(head.method);
  if (name === ':scheme') return xxHash64(head.scheme ?? '');
  const lines = head.headers.values(name);
  if (lines.length === 0) return undefined;
  let hash = 0n;
  for (const line of lines.length === 1 ? lines : lines.slice().sort()) hash = xxHash64(line, hash);
  return hash;
}

function hashParameter(name: string, head: RequestHead): bigint | undefined {
  const path = head.path ?? '';
  const mark = path.indexOf('?');
  if (mark === -1) return undefined;
  for (const part of path.slice(mark + 1).split('&')) {
    const equals = part.indexOf('=');
    if ((equals === -1 ? part : part.slice(0, equals)) === name) {
      return xxHash64(equals === -1 ? '' : part.slice(equals + 1));
    }
  }
  return undefined;
}

/** The first cookie of that name; one pair of quotes around the value goes, a blank in front of it stays. */
function cookieValue(name: string, head: RequestHead): string | undefined {
  for (const line of head.headers.values('cookie')) {
    for (const part of line.split(';')) {
      const equals = part.indexOf('=');
      if (equals === -1 || part.slice(0, equals).trimStart() !== name) continue;
      const value = part.slice(equals + 1);
      return /^".*"$/.test(value) && value.length > 1 ? value.slice(1, -1) : value;
    }
  }
  return undefined;
}

/** The same for all requests of a connection, so that parallel streams agree. */
function generatedCookie(head: RequestHead): string {
  const remote = remoteOf(head);
  const local = head.connection.destination;
  const text = renderSocketAddress(remote.address, remote.port) + renderSocketAddress(local.address, local.port);
  return xxHash64(text).toString(16).padStart(16, '0');
}

function renderCookie(cookie: NonNullable<HashPolicy['cookie']>, ttl: string, value: string): string {
  const seconds = Math.trunc((parseDuration(ttl) ?? 0) / 1000);
  const parts = [`${cookie.name}="${value}"`];
  if (seconds > 0) parts.push(`Max-Age=${seconds}`);
  if (cookie.path) parts.push(`Path=${cookie.path}`);
  for (const attribute of cookie.attributes ?? []) {
    parts.push(attribute.value ? `${attribute.name}=${attribute.value}` : attribute.name);
  }
  parts.push('HttpOnly');
  return parts.join('; ');
}

function remoteOf(head: RequestHead): SocketAddress {
  return head.remoteAddress ?? head.connection.source;
}
