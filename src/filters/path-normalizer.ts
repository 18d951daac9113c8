// What the connection manager does to a path before anything matches it (spec dataplane.md §3.5). Only the part before
// `?` is touched. Texts hold one character per byte.

/** The connection manager's settings that count. */
export interface PathNormalizationSettings {
  readonly normalize_path: boolean;
  readonly merge_slashes?: boolean;
  readonly path_with_escaped_slashes_action:
    | 'KEEP_UNCHANGED'
    | 'REJECT_REQUEST'
    | 'UNESCAPE_AND_REDIRECT'
    | 'UNESCAPE_AND_FORWARD';
}

/** 'redirect': the client is told to ask for `path` (307). 'reject': 400 path_normalization_failed. */
export type NormalizedPath =
  | { readonly kind: 'path'; readonly path: string }
  | { readonly kind: 'redirect'; readonly path: string }
  | { readonly kind: 'reject' };

/** `path` begins with `/` and may have a query and a fragment. */
export function normalizePath(path: string, settings: PathNormalizationSettings): NormalizedPath {
  const whole = cutFragment(path);
  const mark = whole.indexOf('?');
  let plain = mark === -1 ? whole : whole.slice(0, mark);
  const query = mark === -1 ? '' : whole.slice(mark);
  let redirect = false;
  if (settings.path_with_escaped_slashes_action !== 'KEEP_UNCHANGED' && /%(?:2f|5c)/i.test(plain)) {
    if (settings.path_with_escaped_slashes_action === 'REJECT_REQUEST') return { kind: 'reject' };
    plain = plain.replace(/%2f/gi, '/').replace(/%5c/gi, '\\');
    redirect = settings.path_with_escaped_slashes_action === 'UNESCAPE_AND_REDIRECT';
  }
  if (settings.normalize_path) {
    const normalized = canonicalize(plain);
    if (normalized === undefined) return { kind: 'reject' };
    plain = normalized;
  }
  if (settings.merge_slashes === true) plain = mergeSlashes(plain);
  return { kind: redirect ? 'redirect' : 'path', path: plain + query };
}

/** `#…` is cut off, query or not: Istio's bootstrap turns Envoy's refusal off. */
export function cutFragment(path: string): string {
  const hash = path.indexOf('#');
  return hash === -1 ? path : path.slice(0, hash);
}

/** The usual path needs nothing: letters, digits and harmless marks, no dot segment, no escape. */
const PLAIN = /^(?:\/(?![.])[A-Za-z0-9\-_~!$&'()*+,;=:@.[\]]*)+$/;

/** `undefined` = cannot be normalised (`%00`). */
function canonicalize(path: string): string | undefined {
  if (PLAIN.test(path)) return path;
  const stripped = stripDotSegmentParameters(path);
  const decoded = decodeAndEncode(stripped);
  return decoded === undefined ? undefined : removeDotSegments(decoded);
}

/** Path parameters of dot segments go (`/..;x` is `/..`), looked for before anything is decoded. */
function stripDotSegmentParameters(path: string): string {
  return path.replace(/(^|[/\\])(\.{1,2});[^/\\]*/g, '$1$2');
}

const UNRESERVED = /[A-Za-z0-9\-._~]/;
/** Bytes that Envoy's URL library writes as escapes in a path. */
const ENCODED = /[\x00-\x20"<>`{}|^\x7f-\xff]/;

function decodeAndEncode(path: string): string | undefined {
  let out = '';
  for (let i = 0; i < path.length; i++) {
    const character = path[i] as string;
    if (character === '%' && /^[0-9a-fA-F]{2}$/.test(path.slice(i + 1, i + 3))) {
      const code = Number.parseInt(path.slice(i + 1, i + 3), 16);
      if (code === 0) return undefined;
      const decoded = String.fromCharCode(code);
      out += UNRESERVED.test(decoded) ? decoded : path.slice(i, i + 3);
      i += 2;
    } else if (character === '\\') {
      out += '/';
    } else if (ENCODED.test(character)) {
      out += `%${character.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`;
    } else {
      out += character;
    }
  }
  return out;
}

/** Empty segments count as segments, `..` stops at the root, a dot segment at the end leaves a slash (URL standard). */
function removeDotSegments(path: string): string {
  const segments = path.split('/').slice(1);
  const kept: string[] = [];
  for (const [index, segment] of segments.entries()) {
    const isLast = index === segments.length - 1;
    if (segment === '..') kept.pop();
    if (segment === '.' || segment === '..') {
      if (isLast) kept.push('');
    } else {
      kept.push(segment);
    }
  }
  return `/${kept.join('/')}`;
}

/** Measured: a path of nothing but slashes keeps two of them. */
function mergeSlashes(path: string): string {
  if (/^\/{2,}$/.test(path)) return '//';
  return path.replace(/\/{2,}/g, '/');
}
