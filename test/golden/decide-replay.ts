// The recorded calls that need no socket, asked of `decide` with the configuration as it is written: loading,
// translation and decision together must come to what Envoy logged. (test/decide does the same from what istiod sent.)
import { decide } from '../../src/decide/decide.js';
import type { Call, Decision } from '../../src/decide/decision.js';
import { buildSnapshotIndex, type SnapshotIndex } from '../../src/decide/snapshot-index.js';
import { compileCase } from './gateway-target.js';
import { callId } from './lists.js';
import type { CallOutcome, CallSpec, GoldenCase, HttpSpec, LogEntry } from './support.js';

export interface DecideResult {
  readonly area: string;
  readonly id: string;
  /** Empty = the decision is what was recorded. */
  readonly differences: readonly string[];
}

/**
 * Decides every computable call of a case and compares with what was recorded, or with `live`: what the gateway of this
 * tree did with the call at that position (`undefined` = not to be compared).
 */
export async function decideCase(
  golden: GoldenCase,
  live?: (position: number) => CallOutcome | undefined,
): Promise<readonly DecideResult[]> {
  const index = await indexOf(golden);
  const results: DecideResult[] = [];
  // The first seconds of a gateway that waits for its Secrets are nothing that can be decided.
  if (golden.recorded.ready !== 'live' && golden.settle === undefined) return results;
  for (const [position, call] of golden.calls.entries()) {
    const recorded = golden.recorded.calls[position];
    if (recorded === undefined || call.http === undefined || !isComputable(call, call.http, recorded)) continue;
    if (isAfterEjection(index, recorded)) continue;
    const outcome = live === undefined ? recorded : live(position);
    if (outcome === undefined) continue;
    const differences = bestDifferences(index, toCall(call, call.http), call.http, outcome);
    results.push({ area: golden.area, id: callId(golden.id, call.name), differences });
  }
  return results;
}

/** The calls of a case that are asked of `decide`, each with its position. */
export function computableCalls(golden: GoldenCase): readonly { readonly position: number; readonly call: Call }[] {
  if (golden.recorded.ready !== 'live' && golden.settle === undefined) return [];
  return golden.calls.flatMap((call, position) => {
    const recorded = golden.recorded.calls[position];
    const isAsked = recorded !== undefined && call.http !== undefined && isComputable(call, call.http, recorded);
    return isAsked && call.http !== undefined ? [{ position, call: toCall(call, call.http) }] : [];
  });
}

/** The configuration of a case as it is written, compiled. */
export async function indexOf(golden: GoldenCase): Promise<SnapshotIndex> {
  const { snapshot } = await compileCase(golden);
  return buildSnapshotIndex(snapshot);
}

// What only a live upstream, an earlier call or the client can cause (interface: computable calls).
const LIVE_FLAGS = /\b(?:UF|UC|UR|UPE|UT|URX|UO|DC|DR|LR)\b/;

function isComputable(call: CallSpec, http: HttpSpec, recorded: CallOutcome): boolean {
  if (call.repeat !== undefined || call.send !== undefined || call.before !== undefined || call.address !== undefined)
    return false;
  if (http.host === undefined || http.proto !== undefined || http.then !== undefined || http.scheme !== undefined)
    return false;
  if ((http.headers ?? []).some(([name]) => name.toLowerCase() === 'x-up' || name.startsWith(':'))) return false;
  const { tls } = call;
  if (tls?.min !== undefined || tls?.max !== undefined || tls?.ciphers !== undefined) return false;
  if (recorded.tls?.alert !== undefined || recorded.response?.alert !== undefined) return false;
  return !(recorded.log ?? []).some((entry) => LIVE_FLAGS.test(entry.flags ?? ''));
}

function isAfterEjection(index: SnapshotIndex, recorded: CallOutcome): boolean {
  const log = recorded.log?.[0];
  return log?.flags === 'UH' && index.clusters.get(log.cluster ?? '')?.outlier_detection !== undefined;
}

function toCall(call: CallSpec, http: HttpSpec): Call {
  const headers: Record<string, string | string[]> = {};
  for (const [name, value] of http.headers ?? []) {
    const existing = headers[name];
    headers[name] = existing === undefined ? value : [...(Array.isArray(existing) ? existing : [existing]), value];
  }
  const isHttp2 = http.version === '2' || call.tls?.alpn?.[0] === 'h2';
  return {
    port: call.port,
    protocol: isHttp2 ? 'http2' : 'http',
    tls: call.tls === undefined ? 'plaintext' : call.tls.cert === undefined ? 'tls' : 'mtls',
    ...(call.tls === undefined ? {} : { sni: call.tls.sni ?? '', alpn: call.tls.alpn ?? [] }),
    ...(http.host === undefined ? {} : { host: http.host }),
    method: http.method ?? 'GET',
    path: http.path ?? '/',
    headers,
  };
}

// Chance is walked through: some value of it must lead to what was recorded.
function bestDifferences(index: SnapshotIndex, call: Call, http: HttpSpec, recorded: CallOutcome): readonly string[] {
  let best = compareDecision(decide(index, call), http, recorded);
  for (let step = 0; step < 100 && best.length > 0; step++) {
    const found = compareDecision(decide(index, { ...call, random: step / 100 }), http, recorded);
    if (found.length < best.length) best = found;
  }
  return best;
}

function compareDecision(decision: Decision, http: HttpSpec, recorded: CallOutcome): string[] {
  const log: LogEntry = recorded.log?.[0] ?? {};
  const found: string[] = [];
  const check = (what: string, ours: unknown, theirs: unknown): void => {
    if (ours !== theirs) found.push(`${what}: decided ${JSON.stringify(ours)}, recorded ${JSON.stringify(theirs)}`);
  };
  if (recorded.connect === 'refused') {
    check('error', decision.error, 'no_listener');
    return found;
  }
  const isForwarded = log.details === 'via_upstream';
  check('cluster', decision.cluster, log.cluster);
  check('route', decision.route, log.route);
  check('flags', decision.flags, log.flags);
  check('details', decision.details, isForwarded ? undefined : log.details);
  if (recorded.log?.length === 0) check('error', decision.error === undefined, false);
  if (!isForwarded && recorded.response?.status !== undefined && log.protocol !== undefined) {
    check('status', decision.status, log.status);
  }
  const location = recorded.response?.headers?.find(([name]) => name.toLowerCase() === 'location')?.[1];
  if (!isForwarded) check('location', decision.location, location);
  const upstream = recorded.upstream?.[0];
  if (isForwarded && upstream?.path !== undefined) {
    check('upstream path', decision.upstreamRequest?.path, upstream.path);
    const authority = upstream.authority ?? upstream.headers?.find(([name]) => name.toLowerCase() === 'host')?.[1];
    if (http.host !== undefined) check('upstream authority', decision.upstreamRequest?.authority, authority);
  }
  return found;
}
