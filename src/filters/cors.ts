// The CORS filter (spec virtualservice.md §13). It never blocks: an origin that is not allowed merely gets no headers.
import { toBytes } from '../regex/index.js';
import type { CorsPolicy, StringMatcher } from '../xds/index.js';
import type { HeaderMap } from './header-map.js';

export type HeaderList = readonly (readonly [name: string, value: string])[];

/** What the filter does with one request. */
export type CorsOutcome =
  | { readonly kind: 'inactive' }
  /** Answered here with 200 and these headers. */
  | { readonly kind: 'preflight'; readonly headers: HeaderList }
  /** Goes on; the response gets these headers. */
  | { readonly kind: 'request'; readonly responseHeaders: HeaderList };

/** Compiled with a matcher for strings, which belongs to `match/` and is handed in. */
export class CorsFilter {
  private readonly policy: CorsPolicy;
  private readonly origins: readonly ((origin: string) => boolean)[];

  constructor(policy: CorsPolicy, compileMatcher: (matcher: StringMatcher) => (subject: string) => boolean) {
    this.policy = policy;
    this.origins = (policy.allow_origin_string_match ?? []).map(compileMatcher);
  }

  decide(method: string, headers: HeaderMap): CorsOutcome {
    const origin = headers.get('origin');
    if (!origin) return { kind: 'inactive' };
    const allowed = this.allows(origin);
    const requestedMethod = headers.get('access-control-request-method');
    if (method === 'OPTIONS' && requestedMethod) {
      if (allowed || this.policy.forward_not_matching_preflights === false) {
        return { kind: 'preflight', headers: this.preflightHeaders(origin, allowed, requestedMethod, headers) };
      }
      return { kind: 'inactive' };
    }
    return allowed ? { kind: 'request', responseHeaders: this.responseHeaders(origin) } : { kind: 'inactive' };
  }

  /** A matcher that accepts the literal `*` allows every origin. */
  private allows(origin: string): boolean {
    for (const matches of this.origins) if (matches('*') || matches(origin)) return true;
    return false;
  }

  private preflightHeaders(origin: string, allowed: boolean, method: string, request: HeaderMap): HeaderList {
    const { policy } = this;
    const headers: (readonly [string, string])[] = [];
    if (allowed) headers.push(['access-control-allow-origin', origin]);
    if (policy.allow_credentials === true) headers.push(['access-control-allow-credentials', 'true']);
    const methods = toBytes(policy.allow_methods ?? '');
    if (methods !== '') headers.push(['access-control-allow-methods', methods === '*' ? method : methods]);
    const names = toBytes(policy.allow_headers ?? '');
    if (names !== '') {
      // `*` echoes what was asked for, an empty value when nothing was (measured).
      const echoed = request.get('access-control-request-headers') ?? '';
      headers.push(['access-control-allow-headers', names === '*' ? echoed : names]);
    }
    if (policy.max_age) headers.push(['access-control-max-age', policy.max_age]);
    if (allowed && policy.expose_headers) {
      headers.push(['access-control-expose-headers', toBytes(policy.expose_headers)]);
    }
    return headers;
  }

  private responseHeaders(origin: string): HeaderList {
    const { policy } = this;
    const headers: (readonly [string, string])[] = [['access-control-allow-origin', origin]];
    if (policy.allow_credentials === true) headers.push(['access-control-allow-credentials', 'true']);
    if (policy.expose_headers) headers.push(['access-control-expose-headers', toBytes(policy.expose_headers)]);
    return headers;
  }
}
