// Every recorded call that can be decided without a socket: what the pure side says must be what Envoy did.
import { isUtf8 } from 'node:buffer';
import t from 'tap';
import { decide } from '../../src/decide/decide.js';
import { decideConnection } from '../../src/decide/decide-connection.js';
import { decideRequest } from '../../src/decide/decide-request.js';
import type { Decision } from '../../src/decide/decision.js';
import type { RequestDecision } from '../../src/decide/request-decision.js';
import { buildSnapshotIndex, type ListenerIndex, type SnapshotIndex } from '../../src/decide/snapshot-index.js';
import { type LocalReply, NO_HEALTHY_UPSTREAM } from '../../src/filters/local-reply.js';
import { UNANSWERED } from '../../src/filters/operators.js';
import { renderLocalReply, UNKNOWN_REQUEST } from '../../src/filters/render-local-reply.js';
import type { RequestHead } from '../../src/filters/request-head.js';
import { type FilterChain, HTTP_CONNECTION_MANAGER, type HttpConnectionManager } from '../../src/xds/index.js';
import { goldenRoot } from '../golden/support.js';
import {
  connectionFacts,
  type GoldenCall,
  type GoldenCase,
  loadGoldenCases,
  type RecordedCall,
  requestHead,
  tlsFacts,
  toCall,
} from './golden-calls.js';

/** Only a live upstream, an earlier call or the client can cause these. */
const LIVE = /UF|UC|UR|UPE|UT|UO|DC|DR|LR/;

/** Framing towards the upstream belongs to the codec. */
const FRAMING = new Set(['content-length', 'transfer-encoding']);

/** Calls that the pure side cannot get right, each with its reason. */
const EXCEPTIONS: Readonly<Record<string, string>> = {
  'dataplane/grpc-web "text that is not base64"': 'depends on the body',
  'destinations/entry-dns "host does not resolve"': 'depends on DNS',
  'destinations/entry-dns "endpoint does not resolve, DNS_ROUND_ROBIN"': 'depends on DNS',
};

runAll(goldenRoot());

function runAll(folder: string): void {
  const areas = new Map<string, { calls: number; agree: number }>();
  const failures: string[] = [];
  for (const golden of loadGoldenCases(folder)) {
    const index = buildSnapshotIndex(golden.snapshot);
    const area = golden.name.split('/')[0] as string;
    const row = areas.get(area) ?? { calls: 0, agree: 0 };
    areas.set(area, row);
    for (const [i, call] of golden.calls.entries()) {
      const recorded = golden.recorded[i] as RecordedCall;
      if (!isComputable(golden, call, recorded)) continue;
      row.calls++;
      const found = disagreements(folder, index, call, recorded);
      found.push(...compareAnswer(index, call, recorded));
      const name = `${golden.name} "${call.name}"`;
      if (EXCEPTIONS[name] !== undefined) {
        if (found.length === 0) failures.push(`${name}: listed as an exception (${EXCEPTIONS[name]}), but it agrees`);
      } else if (found.length > 0) {
        failures.push(`${name}\n    ${found.join('\n    ')}`);
        continue;
      }
      row.agree++;
    }
  }
  for (const [area, { calls, agree }] of areas) t.comment(`${area}: ${agree} of ${calls}`);
  t.equal(failures.join('\n'), '', 'every computable call is decided as recorded');
}

function isComputable(golden: GoldenCase, call: GoldenCall, recorded: RecordedCall): boolean {
  const { http, tls } = call;
  if (http === undefined || call.repeat !== undefined || call.send !== undefined || call.before !== undefined)
    return false;
  if (http.then !== undefined || (http.headers ?? []).some(([name]) => name.toLowerCase() === 'x-up')) return false;
  if (tls !== undefined && (tls.min ?? tls.max ?? tls.ciphers) !== undefined) return false;
  if (http.host === undefined || (http.proto ?? 'HTTP/1.1') !== 'HTTP/1.1') return false;
  if (recorded.connect === 'refused') return false;
  if (recorded.response?.alert !== undefined || recorded.tls?.alert !== undefined) return false;
  return !(recorded.log ?? []).some((log) => LIVE.test(log.flags ?? '')) && golden.name !== '';
}

function listenerOf(index: SnapshotIndex, call: GoldenCall): ListenerIndex | undefined {
  const wanted = call.address ?? '127.0.0.1';
  let any: ListenerIndex | undefined;
  for (const listener of index.listeners.values()) {
    const address = listener.entry.listener?.address;
    if (address === undefined || !('socket_address' in address)) continue;
    if (listener.entry.state !== 'active' || address.socket_address.port_value !== call.port) continue;
    if (address.socket_address.address === wanted) return listener;
    if (address.socket_address.address === '0.0.0.0') any = listener;
  }
  return any;
}

function disagreements(folder: string, index: SnapshotIndex, call: GoldenCall, recorded: RecordedCall): string[] {
  const listener = listenerOf(index, call);
  if (listener === undefined) return ['no listener'];
  const connection = connectionFacts(listener.entry, call);
  const chosen = decideConnection(listener, connection);
  const log = recorded.log?.[0] ?? {};
  if (chosen.kind === 'close') return log.details === chosen.details ? [] : [`closed, recorded ${log.details}`];
  if (log.details === 'filter_chain_not_found') return ['a chain, recorded none'];
  const manager = managerOf(chosen.chain);
  if (manager === undefined) return [];
  const isTlsChain = chosen.chain.transport_socket !== undefined;
  if (isTlsChain !== (call.tls !== undefined) || recorded.response?.status === undefined) return [];
  const tls = tlsFacts(folder, call, recorded, chosen.chain);
  let best: string[] | undefined;
  for (let step = 0; step < 200; step++) {
    let draws = 0;
    const random = () => {
      draws++;
      return step / 200;
    };
    const head = requestHead(call.http ?? {}, connection, tls, manager);
    const found =
      head.kind === 'error'
        ? compareReply(recorded, head.reply, undefined, undefined, manager, call.http?.method ?? 'GET')
        : compareDecision(index, manager, head.head, random, recorded);
    if (best === undefined || found.length < best.length) best = found;
    if (draws === 0 || best.length === 0) break;
  }
  return best ?? [];
}

function compareDecision(
  index: SnapshotIndex,
  manager: HttpConnectionManager,
  head: RequestHead,
  random: () => number,
  recorded: RecordedCall,
): string[] {
  const decision = decideRequest(index, manager, head, { random, uuid: () => '<uuid>' });
  if (decision.kind === 'reply') return compareReply(recorded, decision.reply, decision, head, manager, head.method);
  const cluster = index.clusters.get(decision.cluster);
  const endpoints = (index.snapshot.endpoints[decision.cluster] ?? []).filter(
    // Recorded after the calls, when earlier ones may have ejected them.
    ({ health }) => health === 'HEALTHY' || cluster?.outlier_detection !== undefined,
  );
  if ((endpoints.length === 0 && cluster?.type === 'EDS') || cluster?.type === 'ORIGINAL_DST') {
    return compareReply(recorded, NO_HEALTHY_UPSTREAM, decision, head, manager, head.method);
  }
  const log = recorded.log?.[0] ?? {};
  // The endpoints are there: earlier calls have ejected them.
  if (log.flags === 'UH' && cluster?.outlier_detection !== undefined) return [];
  const found: string[] = [];
  check(found, 'cluster', decision.cluster, log.cluster);
  check(found, 'route', decision.route.name, log.route);
  check(found, 'details', 'via_upstream', log.details);
  check(found, 'flags', decision.delay > 0 ? 'DI' : undefined, log.flags);
  check(found, 'upstream path', head.path, log.upstream_path);
  check(found, 'path', decision.originalPath, log.path);
  const mirrors = new Set(decision.mirrors.map((mirror) => mirror.cluster));
  const seen = (recorded.upstream ?? []).find(
    (upstream) => !(upstream.headers ?? []).some(([name]) => name === 'x-envoy-internal') || mirrors.size === 0,
  );
  if (seen === undefined) return [...found, 'forwarded, but no upstream saw it'];
  // A raw upstream shows bytes, which are the codec's.
  if (seen.protocol === 'tcp') return found;
  if ((log.attempts ?? 1) > 1) {
    // Later attempts are the router's doing.
    const attempt = seen.headers?.find(([name]) => name === 'x-envoy-attempt-count');
    head.headers.set('x-envoy-attempt-count', attempt?.[1] ?? '');
  }
  check(found, 'method', head.method, seen.method);
  check(found, 'path seen', head.path, seen.path);
  const headers = sortedHeaders([...pairs(head.headers.raw), ['host', head.authority ?? '']]);
  const theirs = sortedHeaders([
    ...(seen.headers ?? []),
    ...(seen.authority === undefined ? [] : [['host', seen.authority] as const]),
  ]);
  if (seen.scheme !== undefined) check(found, 'scheme', head.scheme, seen.scheme);
  compareLists(found, 'upstream header', headers, theirs);
  return found;
}

function compareReply(
  recorded: RecordedCall,
  reply: LocalReply,
  decision: RequestDecision | undefined,
  head: RequestHead | undefined,
  manager: HttpConnectionManager,
  method: string,
): string[] {
  const log = recorded.log?.[0] ?? {};
  const response = recorded.response ?? {};
  const found: string[] = [];
  const flags = [decision !== undefined && decision.delay > 0 ? 'DI' : '', reply.flag ?? '']
    .filter((flag) => flag !== '')
    .join(',');
  const state = { ...UNANSWERED, flags, details: reply.details };
  const rendered = renderLocalReply(reply, {
    facts: decision?.replyFacts ?? { ...UNKNOWN_REQUEST, isHead: method === 'HEAD' },
    date: '<date>',
    manager,
    close: false,
    route:
      decision === undefined || head === undefined ? undefined : { rules: decision.response, request: head, state },
  });
  check(found, 'status', rendered.status, response.status);
  check(found, 'flags', flags, log.flags ?? '');
  check(found, 'details', reply.details, log.details);
  check(found, 'route', decision?.route?.name, log.route);
  check(found, 'cluster', decision?.response.cluster || undefined, log.cluster);
  if (decision !== undefined) check(found, 'path', decision.originalPath || undefined, log.path);
  // A client over HTTP/1.1 takes such bytes for the beginning of the next response.
  const hidden = rendered.status === 204 && response.version === 'HTTP/1.1';
  check(found, 'body', hidden ? '' : text(rendered.body), response.body ?? '');
  const asked = (call: RecordedCall) => (call.response?.headers ?? []).some(([name]) => name === 'connection');
  const headers = pairs(rendered.headers.raw);
  // The client's own wish for a close is the connection's affair, not the reply's.
  const ours =
    asked(recorded) && !rendered.close && head?.headers.has('connection') === false
      ? [...headers, ['connection', 'close'] as const]
      : headers;
  const names = (list: readonly (readonly [string, string])[]) => list.map(([name]) => name).join(' ');
  compareLists(found, 'header', sortedHeaders(headers), sortedHeaders(response.headers ?? []));
  if (found.length === 0) check(found, 'order of headers', names(ours), names(response.headers ?? []));
  return found;
}

/** The published `decide` on the same call. */
function compareAnswer(index: SnapshotIndex, call: GoldenCall, recorded: RecordedCall): string[] {
  const log = recorded.log?.[0] ?? {};
  // What a Call cannot say: a PROXY header, a scheme of its own, a body that belies its length.
  if (call.http?.scheme !== undefined || listenerOf(index, call)?.expectsProxyProtocol === true) return [];
  if (log.details === 'http2.remote_reset') return [];
  // Which Secrets Envoy refused is not in the recording.
  if (recorded.tls?.closed !== undefined && recorded.log?.length === 0) return [];
  let best: string[] | undefined;
  for (let step = 0; step < 200 && best?.length !== 0; step++) {
    const decision = decide(index, { ...toCall(call), random: step / 200 });
    const found: string[] = [];
    const ejected = log.flags === 'UH' && index.clusters.get(log.cluster ?? '')?.outlier_detection !== undefined;
    const endpointsUnsure = ejected || (decision.error === 'no_endpoint' && log.flags === undefined);
    if (call.address !== undefined || endpointsUnsure) return [];
    check(found, 'decide: error', decision.error, recordedError(recorded, decision));
    check(found, 'decide: cluster', decision.cluster, log.cluster);
    check(found, 'decide: flags', decision.flags, log.flags);
    const details = log.details === 'via_upstream' ? undefined : log.details;
    check(found, 'decide: details', decision.details, details);
    check(found, 'decide: route', decision.route, log.route);
    if (decision.status !== undefined) check(found, 'decide: status', decision.status, log.status);
    const location = recorded.response?.headers?.find(([name]) => name === 'location')?.[1];
    if (decision.status !== undefined) check(found, 'decide: location', decision.location, location);
    // A retry has gone elsewhere.
    if (decision.endpoint !== undefined && (log.attempts ?? 1) <= 1)
      check(found, 'decide: endpoint', decision.endpoint, log.upstream);
    if (best === undefined || found.length < best.length) best = found;
  }
  return best ?? [];
}

function recordedError(recorded: RecordedCall, decision: Decision): string | undefined {
  const log = recorded.log?.[0] ?? {};
  if (log.details === 'filter_chain_not_found') return 'no_filter_chain';
  // The log does not tell these two apart, nor a redirect of the server from one of a route.
  if (log.details === 'route_not_found') return decision.virtualHost === undefined ? 'no_virtual_host' : decision.error;
  if (log.details === 'direct_response' && decision.error === 'tls_redirect') return 'tls_redirect';
  if (log.flags === 'DPE') return 'protocol_error';
  if (log.flags?.endsWith('NC')) return 'no_cluster';
  if (log.flags?.endsWith('UH')) return 'no_endpoint';
  if (/^(?:missing_|absolute_path|path_normalization|query_)/.test(log.details ?? ''))
    return (log.status ?? 0) >= 400 ? 'protocol_error' : undefined;
  const failed =
    recorded.tls?.handshake === 'failed' || (recorded.log?.length === 0 && recorded.response?.closed !== undefined);
  return failed ? 'tls_error' : undefined;
}

/** The recordings hold UTF-8 where it is, else one character per byte. */
function text(body: Uint8Array | undefined): string {
  const bytes = Buffer.from(body ?? []);
  return isUtf8(bytes) ? bytes.toString('utf8') : bytes.toString('latin1');
}

function managerOf(chain: FilterChain): HttpConnectionManager | undefined {
  for (const filter of chain.filters) if (filter.name === HTTP_CONNECTION_MANAGER) return filter.typed_config;
  return undefined;
}

function sortedHeaders(list: readonly (readonly [string, string])[]): string[] {
  return list
    .filter(([name]) => !FRAMING.has(name.toLowerCase()))
    .map(([name, value]) => `${name.toLowerCase()}: ${name === 'date' ? '<date>' : value}`)
    .sort();
}

function pairs(raw: readonly string[]): [string, string][] {
  const list: [string, string][] = [];
  for (let i = 0; i < raw.length; i += 2) list.push([raw[i] as string, raw[i + 1] as string]);
  return list;
}

function compareLists(found: string[], what: string, ours: readonly string[], theirs: readonly string[]): void {
  for (const line of ours) if (!theirs.includes(line)) found.push(`${what}: we have ${line}`);
  for (const line of theirs) if (!ours.includes(line)) found.push(`${what}: they have ${line}`);
}

function check(found: string[], what: string, ours: unknown, theirs: unknown): void {
  if (ours !== theirs) found.push(`${what}: we say ${JSON.stringify(ours)}, recorded ${JSON.stringify(theirs)}`);
}
