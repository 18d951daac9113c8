// Where a redirect points to (spec virtualservice.md §9.1, gateway.md §9).
import type { RedirectAction } from '../xds/index.js';
import type { RequestHead } from './request-head.js';

const STATUS: Readonly<Record<NonNullable<RedirectAction['response_code']>, number>> = {
  MOVED_PERMANENTLY: 301,
  FOUND: 302,
  SEE_OTHER: 303,
  TEMPORARY_REDIRECT: 307,
  PERMANENT_REDIRECT: 308,
};

/** 301 where the route does not say. */
export function redirectStatus(action: RedirectAction): number {
  return STATUS[action.response_code ?? 'MOVED_PERMANENTLY'];
}

/** `location` of a redirect; a `prefix_rewrite` has already been applied to `head.path`. */
export function redirectLocation(head: RequestHead, action: RedirectAction): string {
  const scheme = action.scheme_redirect ?? (action.https_redirect === true ? 'https' : requestScheme(head));
  const port = action.port_redirect === undefined ? '' : `:${action.port_redirect}`;
  const host = action.host_redirect || hostFor(head, scheme, port);
  return `${scheme}://${host}${port}${redirectPath(head, action)}`;
}

/** The request's own URL: `location` of a direct response with 201 or 3xx. */
export function ownLocation(head: RequestHead): string {
  return redirectLocation(head, {});
}

/** Host and port stay as sent, whatever the port is. */
export function tlsRedirectLocation(head: RequestHead): string {
  return `https://${head.authority ?? ''}${head.path ?? ''}`;
}

function redirectPath(head: RequestHead, action: RedirectAction): string {
  const path = head.path ?? '/';
  let target = path;
  if (action.path_redirect) {
    const mark = path.indexOf('?');
    const keepsQuery = mark !== -1 && !action.path_redirect.includes('?');
    target = keepsQuery ? action.path_redirect + path.slice(mark) : action.path_redirect;
  }
  return target.startsWith('/') ? target : `/${target}`;
}

/** The port of Host goes when another one is named, or when it is the default of a scheme that changes. */
function hostFor(head: RequestHead, scheme: string, port: string): string {
  const host = head.authority ?? '';
  const end = host.startsWith('[') ? host.lastIndexOf(']:') + 1 : host.lastIndexOf(':');
  if (end <= 0) return host;
  // Compared with x-forwarded-proto, not with :scheme, so that http URLs served over TLS keep their :80.
  const proto = head.headers.get('x-forwarded-proto') ?? '';
  const hostPort = host.slice(end);
  const isDefault =
    (proto.toLowerCase() === 'https' && hostPort === ':443') || (proto.toLowerCase() === 'http' && hostPort === ':80');
  return port !== '' || (scheme !== proto && isDefault) ? host.slice(0, end) : host;
}

function requestScheme(head: RequestHead): string {
  return head.scheme ?? (head.tls === undefined ? 'http' : 'https');
}
