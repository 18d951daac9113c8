// Routes that answer themselves: redirect and directResponse. Spec virtualservice.md §9.1, §9.2. Source: istio/istio
// pilot/pkg/networking/core/route/route.go (ApplyRedirect, ApplyDirectResponse).
import type { HttpDirectResponse, HttpRedirect } from '../../config/model/virtual-service.js';
import type { DirectResponseAction, RedirectAction } from '../../xds/index.js';

const RESPONSE_CODES: ReadonlyMap<number, RedirectAction['response_code']> = new Map([
  [0, undefined],
  [301, undefined],
  [302, 'FOUND'],
  [303, 'SEE_OTHER'],
  [307, 'TEMPORARY_REDIRECT'],
  [308, 'PERMANENT_REDIRECT'],
] as const);

/**
 * `undefined` for a status that Istio cannot express (300, 304, 305 …): the route then has no action, and Envoy refuses
 * the whole table (§17.4).
 *
 * @param serverPort the number in the Gateway, which FROM_REQUEST_PORT means
 * @param serverHasTls the server has a `tls` block, even if only for `httpsRedirect`
 */
export function redirectAction(
  redirect: HttpRedirect,
  serverPort: number,
  serverHasTls: boolean,
): RedirectAction | undefined {
  const { authority = '', prefixRewrite = '', redirectCode = 0, scheme = '', uri = '' } = redirect;
  if (!RESPONSE_CODES.has(redirectCode)) return undefined;
  const responseCode = RESPONSE_CODES.get(redirectCode);
  const port = redirectPort(redirect, serverPort, scheme === '' ? (serverHasTls ? 'https' : 'http') : scheme);
  return {
    ...(authority === '' ? {} : { host_redirect: authority }),
    ...(prefixRewrite === '' ? { path_redirect: uri } : { prefix_rewrite: prefixRewrite }),
    ...(responseCode === undefined ? {} : { response_code: responseCode }),
    ...(scheme === '' ? {} : { scheme_redirect: scheme }),
    ...(port === 0 ? {} : { port_redirect: port }),
  };
}

// A scheme's own port is not written out; Envoy then keeps the port of Host, which surprises with `port: 443`.
function redirectPort(redirect: HttpRedirect, serverPort: number, scheme: string): number {
  const port = redirect.port ?? (redirect.derivePort === 'FROM_REQUEST_PORT' ? serverPort : 0);
  return (port === 80 && scheme === 'http') || (port === 443 && scheme === 'https') ? 0 : port;
}

/** `string` and `bytes` stay what they are; without a body there is none. */
export function directResponseAction(response: HttpDirectResponse): DirectResponseAction {
  const { status, body } = response;
  if (body?.bytes !== undefined) return { status, body: { inline_bytes: body.bytes } };
  if (body?.string !== undefined) return { status, body: { inline_string: body.string } };
  return { status };
}
