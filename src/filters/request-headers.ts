// The connection manager's own changes to a request's headers, before routing (spec dataplane.md §3.6,
// virtualservice.md §18.1). Headers that are overwritten keep their place; new ones come last, in Envoy's order.
import {
  canonicalAddress,
  type HttpConnectionManager,
  isLoopback,
  type PeerCertificate,
  type SocketAddress,
  type TlsFacts,
} from '../xds/index.js';
import type { HeaderMap } from './header-map.js';
import type { RequestHead } from './request-head.js';

/** Sent by a client from outside, these steer Envoy or pretend to come from it (home: virtualservice.md §18.1). */
const EDGE_REMOVED: ReadonlySet<string> = new Set([
  'x-envoy-internal',
  'x-envoy-retry-on',
  'x-envoy-retry-grpc-on',
  'x-envoy-max-retries',
  'x-envoy-retriable-status-codes',
  'x-envoy-retriable-header-names',
  'x-envoy-upstream-alt-stat-name',
  'x-envoy-upstream-rq-timeout-ms',
  'x-envoy-upstream-rq-per-try-timeout-ms',
  'x-envoy-upstream-rq-timeout-alt-response',
  'x-envoy-expected-rq-timeout-ms',
  'x-envoy-force-trace',
  'x-envoy-ip-tags',
  'x-envoy-original-url',
  'x-envoy-hedge-on-per-try-timeout',
  'x-envoy-decorator-operation',
  'x-envoy-downstream-service-cluster',
  'x-envoy-downstream-service-node',
  'x-envoy-upstream-stream-duration-ms',
  'x-envoy-original-path',
  'x-envoy-original-host',
]);

const HOP_BY_HOP: ReadonlySet<string> = new Set(['keep-alive', 'proxy-connection', 'transfer-encoding']);

/** What the connection manager adds of its own. */
export interface RequestMutationContext {
  /** A lower-case UUIDv4. */
  readonly uuid: () => string;
  /** The gateway's own address, which stands in x-forwarded-for for a loopback client. */
  readonly localAddress: string;
}

/** Values of `upgrade` when the request is one: h1, `Connection` with the token `upgrade`, an `Upgrade` header. */
export function requestedUpgrade(head: RequestHead): string | undefined {
  if (head.protocol === 'HTTP/2') return undefined;
  const upgrade = head.headers.get('upgrade');
  if (upgrade === undefined || !connectionTokens(head.headers).includes('upgrade')) return undefined;
  // `Upgrade: h2c` alone is no upgrade, the request goes on as HTTP/1.1 (spec dataplane.md §3.1).
  return upgrade.toLowerCase() === 'h2c' ? undefined : upgrade;
}

/** Tokens of `Connection`, lower case, empty ones left out. */
function connectionTokens(headers: HeaderMap): string[] {
  const value = headers.get('connection');
  if (value === undefined) return [];
  return value
    .toLowerCase()
    .split(',')
    .map((token) => token.trim())
    .filter((token) => token !== '');
}

/** Step 1: hop-by-hop headers and what `Connection` names. Returns false when it named Host (then there is none). */
export function removeHopByHopHeaders(head: RequestHead, isUpgrade: boolean): boolean {
  const { headers } = head;
  let keepsHost = true;
  if (!isUpgrade) {
    for (const token of connectionTokens(headers)) {
      if (token === 'host') keepsHost = false;
      // `te` has its own rule below. A nominated length has had its effect on framing and goes like any other.
      else if (token !== 'te') headers.remove(token);
    }
    headers.remove('connection');
    headers.remove('upgrade');
  }
  headers.removeAll(HOP_BY_HOP);
  const te = headers.get('te');
  if (te !== undefined) {
    const trailers = te.split(',').some((token) => token.trim() === 'trailers');
    if (trailers) headers.set('te', 'trailers');
    else headers.remove('te');
  }
  return keepsHost;
}

/** Steps 3 to 11. Sets `head.scheme` and `head.remoteAddress` too. */
export function mutateRequestHeaders(
  head: RequestHead,
  manager: HttpConnectionManager,
  context: RequestMutationContext,
): void {
  const { headers } = head;
  const referer = headers.get('referer');
  if (referer !== undefined && referer !== '' && !isReferer(referer)) headers.remove('referer');

  const peer = head.connection.source;
  const trustedHops = manager.xff_num_trusted_hops ?? 0;
  const forwardedFor = headers.get('x-forwarded-for');
  const trusted = trustedHops > 0 ? trustedEntry(forwardedFor, trustedHops) : undefined;
  const remote: SocketAddress = trusted === undefined ? peer : { address: trusted, port: 0 };
  head.remoteAddress = remote;

  const own = isLoopback(peer.address) ? context.localAddress : peer.address;
  headers.set('x-forwarded-for', forwardedFor ? `${forwardedFor},${own}` : own);

  const transport = head.tls === undefined ? 'http' : 'https';
  const proto = headers.get('x-forwarded-proto');
  if (trustedHops === 0 || !proto) headers.set('x-forwarded-proto', transport);
  head.scheme = chooseScheme(head.scheme, headers.get('x-forwarded-proto'), transport);
  if (manager.append_x_forwarded_port === true && !headers.get('x-forwarded-port')) {
    headers.set('x-forwarded-port', String(head.connection.destination.port));
  }

  headers.removeAll(EDGE_REMOVED);
  headers.set('x-envoy-external-address', remote.address);
  if (manager.generate_request_id !== false) headers.set('x-request-id', context.uuid());
  mutateClientCertificateHeader(headers, head.tls, manager);
}

/** HTTP/2 and absolute targets name their own; otherwise x-forwarded-proto decides when it is a scheme at all. */
function chooseScheme(given: string | undefined, forwarded: string | undefined, transport: string): string {
  if (given !== undefined && isHttpScheme(given)) return given.toLowerCase();
  return forwarded !== undefined && isHttpScheme(forwarded) ? forwarded.toLowerCase() : transport;
}

function isHttpScheme(text: string): boolean {
  return /^https?$/i.test(text);
}

/** The N-th entry from the right; `undefined` when there are fewer or it is no bare address. */
function trustedEntry(forwardedFor: string | undefined, hops: number): string | undefined {
  const entries = forwardedFor?.split(',') ?? [];
  const entry = entries[entries.length - hops];
  return entry === undefined ? undefined : canonicalAddress(entry.trim());
}

const XFCC = 'x-forwarded-client-cert';

/** The five modes of spec gateway.md §12.3. */
function mutateClientCertificateHeader(
  headers: HeaderMap,
  tls: TlsFacts | undefined,
  manager: HttpConnectionManager,
): void {
  const mode = manager.forward_client_cert_details;
  if (mode === 'ALWAYS_FORWARD_ONLY') return;
  const certificate = tls?.peerCertificate;
  if (tls === undefined || certificate === undefined || mode === 'SANITIZE') {
    headers.remove(XFCC);
    return;
  }
  if (mode === 'FORWARD_ONLY') return;
  const element = clientCertificateElement(tls, certificate, manager.set_current_client_cert_details ?? {});
  const sent = mode === 'APPEND_FORWARD' ? headers.get(XFCC) : undefined;
  headers.set(XFCC, sent ? `${sent},${element}` : element);
}

function clientCertificateElement(
  tls: TlsFacts,
  certificate: PeerCertificate,
  details: NonNullable<HttpConnectionManager['set_current_client_cert_details']>,
): string {
  const fields = tls.localUriSans.map((san) => `By=${san}`);
  fields.push(`Hash=${certificate.sha256}`);
  if (details.cert === true) fields.push(`Cert="${encodeURIComponent(certificate.pem)}"`);
  if (details.subject === true) fields.push(`Subject="${certificate.subject}"`);
  if (details.uri === true) {
    if (certificate.uriSans.length === 0) fields.push('URI=');
    for (const san of certificate.uriSans) fields.push(`URI=${san}`);
  }
  if (details.dns === true) for (const san of certificate.dnsSans) fields.push(`DNS=${san}`);
  return fields.join(';');
}

const ABSOLUTE_URL = /^[A-Za-z]+:\/\/(?:[^/?#@]*@)?(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::\d{1,5})?(?:[/?#].*)?$/;

/** An absolute URL without fragment and user info, or else a relative reference without a fragment, as Envoy judges. */
function isReferer(text: string): boolean {
  if (/[\x00-\x20\x7f]/.test(text) || text.includes('#')) return false;
  if (ABSOLUTE_URL.test(text)) return !/^[A-Za-z]+:\/\/[^/?]*@/.test(text);
  const colon = text.indexOf(':');
  const slash = text.indexOf('/');
  if (colon !== -1 && (slash === -1 || colon < slash)) return false;
  return /^[A-Za-z0-9\-._~!$&'()*+,;=:@/?%]*$/.test(text);
}
