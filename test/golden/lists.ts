// The calls that do not agree with their recording, each with its reason: the published deviations, of which one that
// agrees fails the run so that they only shrink, and recordings of a race that the same Envoy does not repeat.
import { deviations } from '../../src/deviations.js';

export type ListName = 'deviation' | 'race';

export interface Listed {
  readonly list: ListName;
  readonly reason: string;
}

/** `AREA/NAME: CALL` → what the recording holds of a race. */
const RACES: Readonly<Record<string, string>> = {
  'dataplane/h2-frames: client leaves with an open stream':
    'the recording lacks what the upstream saw within the 0.2 s; the same Envoy, asked again, forwards the request',
};

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

/** Areas in which every call that is on no list must agree: all of them. */
export const STRICT_AREAS: readonly string[] = [
  'seed',
  'tls',
  'sni',
  'gateway',
  'routing',
  'policy',
  'destinations',
  'dataplane',
  'generated',
];

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
  for (const { calls, why } of deviations) for (const call of calls) add(call, { list: 'deviation', reason: why });
  for (const [call, reason] of Object.entries(RACES)) add(call, { list: 'race', reason });
  return listed;
}

/** How many calls of an area of this size may be deviations: one in a hundred, or one; three in a hundred in `dataplane`. */
export function allowedDeviations(area: string, calls: number): number {
  return Math.max(1, Math.floor(calls * (area === 'dataplane' ? 0.03 : 0.01)));
}
