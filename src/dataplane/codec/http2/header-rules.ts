// Which header lines HTTP/2 messages may have, and which heads are complete (RFC 9113 §8; spec dataplane.md §3.9). The
// rules are those of the library in Envoy (nghttp2), which is what clients and upstreams meet.
import { isLegalAuthority } from '../../../filters/http1-head.js';
import type { HeaderField } from './hpack-table.js';

/** Verdicts on a line by itself; 0 is "not asked yet". */
export const RULE = {
  INVALID: 1,
  REGULAR: 2,
  AUTHORITY: 3,
  METHOD: 4,
  PATH: 5,
  SCHEME: 6,
  PROTOCOL: 7,
  STATUS: 8,
  HOST: 9,
  CONTENT_LENGTH: 10,
  COOKIE: 11,
} as const;

const NAMED: Readonly<Record<string, number>> = {
  ':authority': RULE.AUTHORITY,
  ':method': RULE.METHOD,
  ':path': RULE.PATH,
  ':scheme': RULE.SCHEME,
  ':protocol': RULE.PROTOCOL,
  ':status': RULE.STATUS,
  host: RULE.HOST,
  'content-length': RULE.CONTENT_LENGTH,
  cookie: RULE.COOKIE,
  connection: RULE.INVALID,
  'keep-alive': RULE.INVALID,
  'proxy-connection': RULE.INVALID,
  'transfer-encoding': RULE.INVALID,
  upgrade: RULE.INVALID,
};
const named = new Map(Object.entries(NAMED));

const NAME = /^[a-z0-9!#$%&'*+\-.^_`|~]+$/;
const CONTROL = /[\x00-\x08\x0a-\x1f\x7f]/;
const METHOD = /^[A-Za-z0-9!#$%&'*+\-.^_`|~]+$/;
const PATH = /^[\x21-\x7e\x80-\xff]+$/;
const SCHEME = /^[A-Za-z][A-Za-z0-9+\-.]*$/;

/** The verdict on a line, remembered in it. */
export function ruleOf(field: HeaderField): number {
  if (field.rule === 0) field.rule = judge(field.name, field.value);
  return field.rule;
}

function judge(name: string, value: string): number {
  const rule = named.get(name);
  switch (rule) {
    case undefined:
      if (name === 'te') return value.toLowerCase() === 'trailers' ? RULE.REGULAR : RULE.INVALID;
      return NAME.test(name) && !CONTROL.test(value) ? RULE.REGULAR : RULE.INVALID;
    case RULE.AUTHORITY:
    case RULE.HOST:
      // nghttp2 takes an empty Host for none at all, and refuses it as it refuses an empty `:authority`.
      return value !== '' && !value.includes('@') && isLegalAuthority(value) ? rule : RULE.INVALID;
    case RULE.METHOD:
      return METHOD.test(value) ? rule : RULE.INVALID;
    case RULE.PATH:
      return PATH.test(value) ? rule : RULE.INVALID;
    case RULE.SCHEME:
      return SCHEME.test(value) ? rule : RULE.INVALID;
    case RULE.CONTENT_LENGTH:
      return /^\d{1,19}$/.test(value) ? rule : RULE.INVALID;
    case RULE.STATUS:
      return /^\d{3}$/.test(value) ? rule : RULE.INVALID;
    default:
      return CONTROL.test(value) ? RULE.INVALID : rule;
  }
}

/** A line of a response: an authority or a Host is nothing special there. */
export function responseRuleOf(field: HeaderField): number {
  if (field.rule === 0) {
    const { name } = field;
    if (name === 'host') field.rule = CONTROL.test(field.value) ? RULE.INVALID : RULE.REGULAR;
    else if (name.charCodeAt(0) === 58 && name !== ':status') field.rule = RULE.INVALID;
    else field.rule = judge(name, field.value);
  }
  return field.rule;
}

/** True when a request's head has what it needs and nothing that contradicts it; `authority` may be that of Host. */
export function isCompleteRequest(
  method: string | undefined,
  scheme: string | undefined,
  path: string | undefined,
  authority: string | undefined,
): boolean {
  if (method === undefined || authority === undefined) return false;
  if (method === 'CONNECT') return scheme === undefined && path === undefined;
  if (scheme === undefined || path === undefined) return false;
  const lower = scheme.toLowerCase();
  if (lower !== 'http' && lower !== 'https') return true; // nghttp2 knows nothing of other schemes' paths
  return path.startsWith('/') || (path === '*' && method === 'OPTIONS');
}

/** Names that no HTTP/2 message may have (RFC 9113 §8.2.2); left out when a message is written. */
const CONNECTION_ONLY: ReadonlySet<string> = new Set([
  'connection',
  'http2-settings',
  'keep-alive',
  'proxy-connection',
  'transfer-encoding',
  'upgrade',
]);

/** True for a line that may be written into an HTTP/2 message. */
export function maySend(name: string, value: string): boolean {
  if (name === 'te') return value === 'trailers';
  return !CONNECTION_ONLY.has(name);
}
