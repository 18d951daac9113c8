// `proxyHeaders.xForwardedHost`: the Host that a rewrite replaces is kept. Source: envoyproxy/envoy
// source/common/http/utility.cc (updateAuthority); spec virtualservice.md §9.6.
import type { HeaderMap } from './header-map.js';

/** Adds the host behind those that are there, unless it is the last of them already. */
export function appendForwardedHost(headers: HeaderMap, host: string): void {
  if (host === '') return;
  const present = headers.values('x-forwarded-host').join(',');
  if (present === '') headers.set('x-forwarded-host', host);
  else if (present.split(',').at(-1) !== host) headers.set('x-forwarded-host', `${present},${host}`);
}
