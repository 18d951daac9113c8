// The calls that do not agree with their recording, each with its reason. Three lists; a listed call that agrees fails
// the run, so that they only shrink.
import { deviations } from '../../src/deviations.js';

export type ListName = 'deviation' | 'needs own codec' | 'not yet';

export interface Listed {
  readonly list: ListName;
  readonly reason: string;
}

/** What may differ until the HTTP codecs are ours. */
const NEEDS_OWN_CODEC: readonly { readonly reason: string; readonly calls: readonly string[] }[] = [
  {
    reason:
      "node:http2 writes the connection's first frames itself: SETTINGS with five entries in its own order (identifier 6 and not 8), before it has read what Envoy judges first, and RST_STREAM or GOAWAY where Envoy closes",
    calls: [
      'dataplane/edge-profile: settings',
      'dataplane/h2-frames: preface and settings only',
      'dataplane/h2-frames: settings and a client that stays silent in plaintext',
      'dataplane/h2-frames: upper-case header name',
      'dataplane/h2-frames: empty header name',
      'dataplane/h2-frames: header value with a NUL',
      'dataplane/h2-frames: connection header',
      'dataplane/h2-frames: proxy-connection header',
      'dataplane/h2-frames: te other than trailers',
      'dataplane/h2-frames: pseudo header after a regular one',
      'dataplane/h2-frames: response pseudo header',
      'dataplane/h2-frames: no method',
      'dataplane/h2-frames: no scheme',
      'dataplane/h2-frames: stream id zero',
      'dataplane/h2-frames: stream ids going down',
      'dataplane/h2-frames: data on a stream that was never opened',
      'dataplane/h2-frames: window update of zero',
      'dataplane/h2-frames: frame larger than allowed',
      'dataplane/h2-frames: bad header compression',
      'dataplane/h2-frames: settings enable push two',
      'dataplane/h2-frames: ping',
      'dataplane/h2-frames: unknown frame type',
      'dataplane/h2-frames: push promise from the client',
      'dataplane/h2-frames: headers broken by another frame',
      'dataplane/h2-frames: goaway from the client',
      'dataplane/h2-frames: client resets its stream',
      'dataplane/h2-frames: client leaves with an open stream',
      'policy/client-leaves: gone while the upstream works, HTTP/2 client',
      'policy/client-leaves: RST_STREAM CANCEL from the client',
      'policy/client-leaves: RST_STREAM during an upload',
      'policy/client-leaves: h2 upload not finished, connection closed',
    ],
  },
  {
    reason:
      'nghttp2 resets the stream of a malformed head before JavaScript hears of it and does not say which rule was broken; Envoy closes the connection and logs the rule',
    calls: [
      'dataplane/hosts-and-targets: CONNECT over h2',
      'dataplane/hosts-and-targets: neither authority nor host over h2',
      'dataplane/hosts-and-targets: empty authority over h2',
      'dataplane/hosts-and-targets: empty path over h2',
      'dataplane/hosts-and-targets: path without slash over h2',
      'dataplane/hosts-and-targets: space in the path over h2',
      'dataplane/upgrades: extended CONNECT over h2',
      'dataplane/upgrades: upgrade header over h2',
    ],
  },
  {
    reason:
      "llhttp, in node:http, is stricter than Envoy's parser: bare LF and CR, folded lines, blanks after a chunk size, bytes after a chunk, versions above 1.1",
    calls: [
      'dataplane/bodies: chunk longer than announced',
      'dataplane/bodies: chunk size with spaces',
      'dataplane/http10: HTTP/1.2',
      'dataplane/malformed-http1: bare LF line ends',
      'dataplane/malformed-http1: bare CR in a value',
      'dataplane/malformed-http1: folded line',
    ],
  },
  {
    reason:
      'Envoy counts answers that wait behind one another and gives up at the third; node:http queues them out of sight',
    calls: ['dataplane/connections: three pipelined requests'],
  },
  {
    reason: 'node:http2 ends a response of status 204 with its head; Envoy sends the body all the same',
    calls: ['policy/fault-abort: abort with 204 over h2', 'routing/direct-response: 204 with a body, h2'],
  },
];

/** `AREA/NAME: CALL` → what is missing. Empty for the areas in STRICT_AREAS. */
const NOT_YET: Readonly<Record<string, string>> = {};

/** Computable calls that no decision without a socket can get right, each with its reason. */
export const BEYOND_DECIDE: Readonly<Record<string, string>> = {
  'dataplane/bodies: h2 length larger than the body': 'the body belies its length, and a Call has none',
  'dataplane/bodies: h2 length smaller than the body': 'the body belies its length, and a Call has none',
  'dataplane/grpc-web: text that is not base64': 'depends on the body',
  'dataplane/proxy-protocol: header missing in plaintext': 'a Call cannot leave out the PROXY header',
  'dataplane/proxy-protocol: header missing before TLS': 'a Call cannot leave out the PROXY header',
  'destinations/entry-dns: host does not resolve': 'depends on DNS',
  'destinations/entry-dns: endpoint does not resolve, DNS_ROUND_ROBIN': 'depends on DNS',
  'destinations/oddities: DYNAMIC_DNS by its own name, Host an address and port':
    'where a DYNAMIC_DNS host leads is looked up during the request',
};

/** Areas in which every call that is on no list must agree. */
export const STRICT_AREAS: readonly string[] = ['seed', 'tls', 'sni'];

/** How a call is written in the lists. */
export function callId(caseId: string, callName: string): string {
  return `${caseId}: ${callName}`;
}

/** All listed calls. Throws when a call is on two lists. */
export function listedCalls(): ReadonlyMap<string, Listed> {
  const listed = new Map<string, Listed>();
  const add = (call: string, entry: Listed): void => {
    if (listed.has(call)) throw new Error(`${call} is listed twice`);
    listed.set(call, entry);
  };
  for (const deviation of deviations) {
    for (const call of deviation.calls) add(call, { list: 'deviation', reason: deviation.why });
  }
  for (const { reason, calls } of NEEDS_OWN_CODEC) {
    for (const call of calls) add(call, { list: 'needs own codec', reason });
  }
  for (const [call, reason] of Object.entries(NOT_YET)) add(call, { list: 'not yet', reason });
  return listed;
}

/** How many calls of an area of this size may be deviations: one in a hundred, or one; three in a hundred in `dataplane`. */
export function allowedDeviations(area: string, calls: number): number {
  return Math.max(1, Math.floor(calls * (area === 'dataplane' ? 0.03 : 0.01)));
}
