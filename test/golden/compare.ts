// Compares one replayed call with its recording on three levels, as cases/README.md says ("How a replay compares").
// Each level is reduced on both sides to what counts, then compared as plain values; what remains is a list of paths.
import { normalizeBytes, normalizeHeaders, normalizeText } from './normalize.js';
import type {
  CallOutcome,
  ClientOutcome,
  LogEntry,
  Pairs,
  ResponseOutcome,
  TcpOutcome,
  TlsOutcome,
  UpstreamEntry,
} from './support.js';

export type Level = 'client' | 'upstream' | 'log';

export interface Difference {
  readonly level: Level;
  /** `response.headers.location`, `upstream[0].path`. */
  readonly path: string;
  /** `undefined` = absent. */
  readonly recorded: unknown;
  readonly replayed: unknown;
}

/** Everything that differs; empty = the call agrees. */
export function compareCall(recorded: CallOutcome, replayed: CallOutcome): readonly Difference[] {
  if (recorded.tally !== undefined) return compareTally(recorded.tally, replayed.tally ?? {});
  const differences: Difference[] = [];
  const isRefused = hasDownstreamTlsFailure(recorded) || hasDownstreamTlsFailure(replayed);
  diff('client', '', reduceClient(recorded, recorded), reduceClient(replayed, recorded), differences);
  compareElapsed(recorded.elapsedMs, replayed.elapsedMs, differences);
  compareUpstream(recorded.upstream ?? [], replayed.upstream ?? [], isRefused, differences);
  compareLog(recorded.log ?? [], replayed.log ?? [], differences);
  return differences;
}

function hasDownstreamTlsFailure(call: CallOutcome): boolean {
  return (call.log ?? []).some((entry) => entry.downstream_tls_failure !== undefined);
}

// Client.

// `shown` is the recording: of a long body it holds the beginning alone, and the length.
function reduceClient(outcome: ClientOutcome, shown: ClientOutcome): unknown {
  return {
    connect: outcome.connect,
    tls: outcome.tls === undefined ? undefined : reduceTls(outcome.tls),
    response: outcome.response === undefined ? undefined : reduceResponse(outcome.response, shown.response),
    responses: outcome.responses?.map((response, index) => reduceResponse(response, shown.responses?.[index])),
    tcp: outcome.tcp === undefined ? undefined : reduceTcp(outcome.tcp),
  };
}

function reduceTls(tls: TlsOutcome): unknown {
  const { handshake, version, alpn, serverCert, alert, error } = tls;
  return { handshake, version, alpn, serverCert, alert, error, closed: tls.closed !== undefined };
}

function reduceResponse(response: ResponseOutcome, shown: ResponseOutcome | undefined): unknown {
  const { status, alert, reset, upgraded, timeout } = response;
  const body = response.body ?? '';
  const isCut = shown?.bodyLength !== undefined;
  return {
    status,
    alert,
    reset,
    upgraded,
    timeout,
    headers: headersObject(response.headers ?? []),
    body: normalizeBytes(isCut ? body.slice(0, shown.body?.length) : body),
    // Of a whole body the text says enough, with an identifier in it of any length.
    bodyLength: isCut ? (response.bodyLength ?? body.length) : undefined,
    trailers: headersObject(response.trailers ?? []),
    informational: (response.informational ?? []).map((one) => ({
      status: one.status,
      headers: headersObject(one.headers),
    })),
    closed: response.closed !== undefined,
  };
}

function reduceTcp(tcp: TcpOutcome): unknown {
  const received = tcp.alert === undefined ? normalizeBytes(tcp.received ?? '') : '';
  return { received, alert: tcp.alert, closed: tcp.closed !== undefined, open: tcp.open === true };
}

// The machine that replays is slower than the clock of a quiet one, but nothing may be early.
function compareElapsed(recorded: number | undefined, replayed: number | undefined, into: Difference[]): void {
  if (recorded === undefined) return;
  if (replayed !== undefined && replayed >= recorded * 0.9 - 20 && replayed <= recorded * 1.5 + 500) return;
  into.push({ level: 'client', path: 'elapsedMs', recorded, replayed });
}

// Upstream.

function compareUpstream(
  recorded: readonly UpstreamEntry[],
  replayed: readonly UpstreamEntry[],
  isRefused: boolean,
  into: Difference[],
): void {
  const sides = [recorded, replayed].map((entries) => {
    const counted = isRefused ? entries.filter((entry) => !isEmptyConnection(entry)) : entries;
    return groupByServer(counted);
  });
  const [left, right] = sides as [Map<string, unknown[]>, Map<string, unknown[]>];
  for (const server of [...new Set([...left.keys(), ...right.keys()])].sort()) {
    diff('upstream', server, left.get(server) ?? [], right.get(server) ?? [], into);
  }
}

// Terminated TLS in front of a tcp route dials before the handshake is over, so whether an upstream saw a connection
// of a refused client is a race; bytes never are.
function isEmptyConnection(entry: UpstreamEntry): boolean {
  return entry.bytes === '';
}

function groupByServer(entries: readonly UpstreamEntry[]): Map<string, unknown[]> {
  const groups = new Map<string, unknown[]>();
  for (const entry of entries) {
    const group = groups.get(entry.server) ?? [];
    group.push(reduceUpstream(entry));
    groups.set(entry.server, group);
  }
  return groups;
}

function reduceUpstream(entry: UpstreamEntry): unknown {
  const { protocol, method, path, scheme, authority, body, bytes, upgraded, tls } = entry;
  return {
    protocol,
    method,
    path: path === undefined ? undefined : normalizeText(path),
    scheme,
    authority,
    headers: entry.headers === undefined ? undefined : headersObject(entry.headers),
    body,
    bytes: bytes === undefined ? undefined : normalizeBytes(bytes),
    upgraded,
    tls:
      tls === undefined
        ? undefined
        : { sni: tls.sni, alpn: tls.alpn, clientSubject: tls.clientSubject, clientSan: tls.clientSan },
  };
}

// Log.

const LOG_FIELDS = ['cluster', 'flags', 'details', 'status', 'route', 'sni', 'upstream'] as const;

function compareLog(recorded: readonly LogEntry[], replayed: readonly LogEntry[], into: Difference[]): void {
  const isRace = recorded.map((entry) => entry.downstream_tls_failure !== undefined);
  const reduce = (entries: readonly LogEntry[]): unknown[] =>
    entries.map((entry, index) => {
      const reduced: Record<string, unknown> = {};
      for (const field of LOG_FIELDS) {
        if (field === 'upstream' && isRace[index] === true) continue;
        const value = entry[field];
        reduced[field] = typeof value === 'string' ? normalizeText(value) : value;
      }
      return reduced;
    });
  diff('log', '', reduce(recorded), reduce(replayed), into);
}

// Tallies.

/**
 * Two samples of one distribution: each share may differ by four standard deviations of the difference. What never
 * happened in the one must be rare enough in the other by the same measure.
 */
function compareTally(
  recorded: Readonly<Record<string, number>>,
  replayed: Readonly<Record<string, number>>,
): readonly Difference[] {
  const total = (tally: Readonly<Record<string, number>>): number => Object.values(tally).reduce((a, b) => a + b, 0);
  const [left, right] = [total(recorded), total(replayed)];
  const differs = [...new Set([...Object.keys(recorded), ...Object.keys(replayed)])].some((key) => {
    const [a, b] = [recorded[key] ?? 0, replayed[key] ?? 0];
    if (left === 0 || right === 0) return true;
    const share = (a + b) / (left + right);
    const deviation = Math.sqrt(share * (1 - share) * (1 / left + 1 / right));
    return Math.abs(a / left - b / right) > 4 * deviation;
  });
  // With one outcome alone on the recorded side there is no chance at work.
  const isCertain = Object.keys(recorded).length === 1;
  const hasOther = Object.keys(replayed).some((key) => !(key in recorded));
  if (!differs && !(isCertain && hasOther)) return [];
  return [{ level: 'client', path: 'tally', recorded, replayed }];
}

// Plain values.

function headersObject(headers: Pairs): Record<string, string[]> {
  const object: Record<string, string[]> = {};
  for (const [name, value] of normalizeHeaders(headers)) {
    const values = object[name] ?? [];
    values.push(value);
    object[name] = values;
  }
  return object;
}

function diff(level: Level, path: string, recorded: unknown, replayed: unknown, into: Difference[]): void {
  if (recorded === replayed) return;
  if (isObject(recorded) && isObject(replayed) && Array.isArray(recorded) === Array.isArray(replayed)) {
    for (const key of new Set([...Object.keys(recorded), ...Object.keys(replayed)])) {
      const next = Array.isArray(recorded) ? `${path}[${key}]` : path === '' ? key : `${path}.${key}`;
      diff(level, next, recorded[key], replayed[key], into);
    }
    return;
  }
  into.push({ level, path, recorded, replayed });
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}
