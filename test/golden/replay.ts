// Replays a case: upstreams on ports of the operating system, a target (the gateway) in front of them, the calls one
// after another, and the comparison. Configured addresses stay the identity; only `listen` and `connect` translate.
import { randomUUID } from 'node:crypto';
import net from 'node:net';
import type { Environment, ListenAddress } from '../../src/dataplane/environment.js';
import type { StreamInfo } from '../../src/dataplane/telemetry/stream-info.js';
import type { Received } from '../../src/stub/received.js';
import { startUpstream, type Upstream, type UpstreamOptions } from '../../src/stub/recording-upstream.js';
import type { Endpoint } from './client/channel.js';
import { type CallLimits, makeCall } from './client/make-call.js';
import { compareCall, type Difference } from './compare.js';
import { callId } from './lists.js';
import {
  type CallOutcome,
  type CallSpec,
  type ClientOutcome,
  type GoldenCase,
  type LogEntry,
  readCertificate,
  type UpstreamEntry,
  type UpstreamSpec,
} from './support.js';

/** What calls are made to; the gateway, or in tests something simpler. */
export interface Target {
  close(): Promise<void>;
}

/** Starts the target of one case. Its listeners and connections go through `environment`; `observe` takes its log. */
export type StartTarget = (
  golden: GoldenCase,
  environment: Environment,
  observe: (info: StreamInfo) => void,
) => Promise<Target>;

export interface TimedLogEntry {
  /** Milliseconds since the epoch. */
  readonly at: number;
  readonly value: LogEntry;
}

/** Starts a target in a process of its own, with upstreams at their configured addresses. */
export type StartBinary = (
  golden: GoldenCase,
  observe: (entry: TimedLogEntry) => void,
) => Promise<Target & { readonly listeners: ReadonlyMap<string, Endpoint> }>;

/** Starts a target in a process of its own, which is told where the upstreams really are (`ip:port` as configured). */
export type StartMapped = (
  golden: GoldenCase,
  upstreams: ReadonlyMap<string, Endpoint>,
  observe: (entry: TimedLogEntry) => void,
) => ReturnType<StartBinary>;

export type Start =
  | { readonly kind: 'in-process'; readonly start: StartTarget }
  | { readonly kind: 'binary'; readonly start: StartBinary }
  | { readonly kind: 'mapped'; readonly start: StartMapped };

export interface CallResult {
  readonly area: string;
  /** `AREA/NAME`. */
  readonly caseId: string;
  readonly call: string;
  /** `AREA/NAME: CALL`. */
  readonly id: string;
  readonly recorded: CallOutcome;
  /** `undefined` when the target did not start. */
  readonly replayed: CallOutcome | undefined;
  readonly differences: readonly Difference[];
  /** Why the target did not start. */
  readonly error: string | undefined;
}

// Cases about time keep their clock; all others hear what there is to hear within half a second.
const LISTEN_CAP = 500;
const EXCHANGE_LIMIT = 6000;
const QUIET_LIMIT = 400;
// The recorder took some time between calls; what Envoy does just after an answer (ejections) was done by then.
const BETWEEN_CALLS = 5;
const TIMED_CASES: ReadonlySet<string> = new Set(['sni/timeouts']);

/** Replays one case. Never rejects: a target that does not start differs in every call. */
export async function replayCase(golden: GoldenCase, start: Start): Promise<readonly CallResult[]> {
  if (!TIMED_CASES.has(golden.id)) return replayInOrder(golden, start);
  // Each of these calls takes a quarter of a minute, so they run at the same time, each with a target of its own.
  const single = golden.calls.map((call, index): GoldenCase => {
    const recorded = golden.recorded.calls[index] as CallOutcome;
    return { ...golden, calls: [call], recorded: { ...golden.recorded, calls: [recorded] } };
  });
  if (start.kind !== 'binary') return (await Promise.all(single.map((one) => replayInOrder(one, start)))).flat();
  // Upstreams at configured addresses are there once only.
  const results: CallResult[] = [];
  for (const one of single) results.push(...(await replayInOrder(one, start)));
  return results;
}

async function replayInOrder(golden: GoldenCase, start: Start): Promise<readonly CallResult[]> {
  const session = new Session(golden);
  try {
    await session.start(start);
    for (const [index, call] of golden.calls.entries()) await session.makeCall(call, index);
    await pause(15);
    return session.results();
  } catch (error) {
    return session.failed(error instanceof Error ? (error.stack ?? error.message) : String(error));
  } finally {
    await session.close();
  }
}

interface Timed<T> {
  readonly at: number;
  readonly value: T;
}

interface MadeCall {
  readonly startedAt: number;
  readonly outcome: ClientOutcome & { readonly tally?: Readonly<Record<string, number>>; readonly repeat?: number };
}

class Session {
  private readonly golden: GoldenCase;
  private readonly upstreams: Upstream[] = [];
  /** `ip:port` as configured → where it really is. */
  private readonly upstreamPorts = new Map<string, Endpoint>();
  private readonly listeners = new Map<string, Endpoint>();
  private readonly received: Timed<Received>[] = [];
  private readonly log: Timed<LogEntry>[] = [];
  private readonly made: MadeCall[] = [];
  private target: Target | undefined = undefined;
  private settle: number | undefined = undefined;

  constructor(golden: GoldenCase) {
    this.golden = golden;
  }

  async start(start: Start): Promise<void> {
    if (start.kind !== 'in-process') this.settle = 10;
    for (const spec of this.golden.upstreams) {
      const upstream = await startUpstream({
        ...upstreamOptions(spec),
        ...(start.kind === 'binary' ? configuredAddress(spec) : {}),
        onReceived: (value) => this.received.push({ at: now(), value }),
      });
      this.upstreams.push(upstream);
      this.upstreamPorts.set(spec.at, { host: upstream.host, port: upstream.port });
    }
    if (start.kind !== 'in-process') {
      const observe = (entry: TimedLogEntry): void => void this.log.push(entry);
      const target =
        start.kind === 'binary'
          ? await start.start(this.golden, observe)
          : await start.start(this.golden, this.upstreamPorts, observe);
      this.target = target;
      for (const [address, endpoint] of target.listeners) this.listeners.set(address, endpoint);
      return;
    }
    this.target = await start.start(this.golden, this.environment(), (info) => {
      this.log.push({ at: info.startTime, value: toLogEntry(info) });
    });
  }

  async makeCall(call: CallSpec, index: number): Promise<void> {
    const recorded = this.golden.recorded.calls[index];
    const startedAt = now();
    const limits = this.limits(call, recorded);
    const endpoint = this.endpoint(call.address ?? '127.0.0.1', call.port);
    if (call.repeat === undefined) {
      this.made.push({ startedAt, outcome: await makeCall(call, endpoint, limits) });
    } else {
      this.made.push({ startedAt, outcome: await this.repeatCall(call, call.repeat, endpoint, limits) });
    }
    await pause(call.after === undefined ? BETWEEN_CALLS : call.after * 1000);
    await this.quiet(startedAt, recorded?.log?.length ?? 0, recorded?.upstream?.length ?? 0);
  }

  results(): readonly CallResult[] {
    return this.golden.calls.map((call, index): CallResult => {
      const recorded = this.recordedCall(call, index);
      const made = this.made[index];
      if (made === undefined) return this.result(call, recorded, undefined, 'the call was not made');
      // An entry belongs to the call during which its stream or connection began.
      const until = this.made[index + 1]?.startedAt ?? Number.POSITIVE_INFINITY;
      const during = <T>(entries: readonly Timed<T>[]): T[] =>
        entries.filter(({ at }) => at >= made.startedAt && at < until).map(({ value }) => value);
      const replayed: CallOutcome = {
        name: call.name,
        ...made.outcome,
        upstream: during(this.received).map(toUpstreamEntry),
        log: during(this.log),
      };
      return this.result(call, recorded, replayed, undefined);
    });
  }

  failed(error: string): readonly CallResult[] {
    return this.golden.calls.map((call, index) => this.result(call, this.recordedCall(call, index), undefined, error));
  }

  async close(): Promise<void> {
    await this.target?.close().catch(() => undefined);
    await Promise.all(this.upstreams.map((upstream) => upstream.close()));
  }

  private recordedCall(call: CallSpec, index: number): CallOutcome {
    const recorded = this.golden.recorded.calls[index];
    if (recorded === undefined || recorded.name !== call.name)
      throw new Error(`${this.golden.id}: call ${index} has no recording`);
    return recorded;
  }

  private result(
    call: CallSpec,
    recorded: CallOutcome,
    replayed: CallOutcome | undefined,
    error: string | undefined,
  ): CallResult {
    const { area, id: caseId } = this.golden;
    const differences = replayed === undefined ? [] : compareCall(recorded, replayed);
    return { area, caseId, call: call.name, id: callId(caseId, call.name), recorded, replayed, differences, error };
  }

  private limits(call: CallSpec, recorded: CallOutcome | undefined): CallLimits {
    const wait = (call.wait ?? 1) * 1000;
    // Where the recording shows an end, it is waited for; it mostly comes at once.
    const hasEnd = recorded?.tcp?.closed !== undefined || recorded?.tcp?.alert !== undefined;
    const isTimed = call.timing === true || TIMED_CASES.has(this.golden.id) || hasEnd;
    return {
      listen: isTimed ? wait : Math.min(wait, LISTEN_CAP),
      exchange: EXCHANGE_LIMIT,
      ...(this.settle === undefined ? {} : { settle: this.settle }),
    };
  }

  private async repeatCall(
    call: CallSpec,
    times: number,
    endpoint: Endpoint | undefined,
    limits: CallLimits,
  ): Promise<MadeCall['outcome']> {
    const tally: Record<string, number> = {};
    let first: ClientOutcome | undefined;
    for (let count = 0; count < times; count++) {
      const before = this.received.length;
      const outcome = await makeCall(call, endpoint, limits);
      first ??= outcome;
      const server =
        outcome.response?.headers?.find(([name]) => name.toLowerCase() === 'x-served-by')?.[1] ??
        this.received[before]?.value.server ??
        '';
      const key = `${outcome.response?.status ?? 'None'} ${server}`;
      tally[key] = (tally[key] ?? 0) + 1;
    }
    return { repeat: times, tally, ...first };
  }

  /** Waits until as many entries are there as were recorded, but not for long. */
  private async quiet(startedAt: number, log: number, upstream: number): Promise<void> {
    const count = <T>(entries: readonly Timed<T>[]): number => entries.filter(({ at }) => at >= startedAt).length;
    const deadline = performance.now() + QUIET_LIMIT;
    for (let step = 1; performance.now() < deadline; step = Math.min(20, step * 2)) {
      if (count(this.log) >= log && count(this.received) >= upstream) return;
      await pause(step);
    }
  }

  private endpoint(address: string, port: number): Endpoint | undefined {
    for (const host of [address, '0.0.0.0', '::']) {
      const bound = this.listeners.get(`${host}:${port}`);
      // A wildcard listener is reached at the address that the call names, so that the gateway sees it as its own.
      if (bound !== undefined)
        return { host: host === address ? bound.host : this.dialHost(address), port: bound.port };
    }
    return undefined;
  }

  private dialHost(address: string): string {
    return this.usesOtherAddresses() ? address : '127.0.0.1';
  }

  private usesOtherAddresses(): boolean {
    return this.golden.calls.some((call) => call.address !== undefined && call.address !== '127.0.0.1');
  }

  private environment(): Environment {
    return {
      now,
      random: Math.random,
      uuid: () => randomUUID(),
      setTimer: (milliseconds, run) => {
        const timer = setTimeout(run, milliseconds);
        timer.unref();
        return { cancel: () => clearTimeout(timer) };
      },
      listen: (server, address) => this.listen(server, address),
      connect: (address, port, options) => this.connect(address, port, options),
      lookup: async (hostname, family) => {
        if (/^localhost(\.localdomain)?$/.test(hostname))
          return family === 4 ? [{ address: '127.0.0.1', ttl: 60 }] : [];
        throw Object.assign(new Error(`queryA ENOTFOUND ${hostname}`), { code: 'ENOTFOUND', hostname });
      },
    };
  }

  private connect(address: string, port: number, options: Partial<net.TcpNetConnectOpts>): net.Socket {
    if (address.startsWith('/')) return net.connect({ ...options, path: address });
    const real = this.upstreamPorts.get(`${address}:${port}`);
    if (real !== undefined)
      return net.connect({ ...options, host: real.host, port: real.port, autoSelectFamily: false });
    // The recorder's machine had nothing but loopback.
    if (!address.startsWith('127.')) return unreachable(address, port, options);
    // Port 1: nobody is there, as nobody was at that address.
    return net.connect({ ...options, host: '127.0.0.1', port: 1, autoSelectFamily: false });
  }

  private async listen(server: net.Server, wanted: ListenAddress): Promise<{ address: string; port: number }> {
    const isWildcard = wanted.host === '0.0.0.0' || wanted.host === '::';
    // Loopback alone, unless a call comes in by another of its addresses.
    const host = !isWildcard ? wanted.host : this.usesOtherAddresses() ? '0.0.0.0' : '127.0.0.1';
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen({ host, port: 0 }, () => {
        server.off('error', reject);
        resolve();
      });
    });
    const { address, port } = server.address() as net.AddressInfo;
    this.listeners.set(`${wanted.host}:${wanted.port}`, { host: address, port });
    server.once('close', () => this.listeners.delete(`${wanted.host}:${wanted.port}`));
    return { address, port };
  }
}

function unreachable(address: string, port: number, options: Partial<net.TcpNetConnectOpts>): net.Socket {
  const socket = new net.Socket(options as net.SocketConstructorOpts);
  const error = Object.assign(new Error(`connect ENETUNREACH ${address}:${port}`), {
    errno: -101,
    code: 'ENETUNREACH',
    syscall: 'connect',
    address,
    port,
  });
  process.nextTick(() => socket.destroy(error));
  return socket;
}

function upstreamOptions(spec: UpstreamSpec): UpstreamOptions {
  const { name, protocol, cert, alpn, clientCa, requireClientCert, banner, behave } = spec;
  const behaviour = [
    ...(behave?.status === undefined ? [] : [`status=${behave.status}`]),
    ...(behave?.delay === undefined ? [] : [`delay=${behave.delay}`]),
    ...(behave?.headers ?? []).map(([key, value]) => `header=${key}:${value}`),
  ].join(';');
  return {
    name,
    ...(protocol === undefined ? {} : { protocol }),
    ...(banner === undefined ? {} : { banner }),
    ...(behaviour === '' ? {} : { behaviour }),
    ...(cert === undefined
      ? {}
      : {
          tls: {
            certificate: { certificate: readCertificate(`${cert}.pem`), privateKey: readCertificate(`${cert}.key`) },
            ...(alpn === undefined ? {} : { alpn }),
            ...(clientCa === undefined ? {} : { clientCa: readCertificate(`${clientCa}.pem`) }),
            ...(requireClientCert === undefined ? {} : { requireClientCertificate: requireClientCert }),
          },
        }),
  };
}

function configuredAddress({ at }: UpstreamSpec): { host: string; port: number } {
  const colon = at.lastIndexOf(':');
  return { host: at.slice(0, colon), port: Number(at.slice(colon + 1)) };
}

/** What an upstream saw as a recording has it. */
export function toUpstreamEntry(received: Received): UpstreamEntry {
  switch (received.kind) {
    case 'http': {
      const { kind: _kind, ...entry } = received;
      return entry;
    }
    case 'tcp': {
      const { kind, ...entry } = received;
      return { ...entry, protocol: kind };
    }
    case 'upgraded':
      return { server: received.server, upgraded: received.bytes };
    default:
      return received satisfies never;
  }
}

/** A finished stream as a recording has it. */
export function toLogEntry(info: StreamInfo): LogEntry {
  const text = {
    flags: info.flags.join(','),
    details: info.details,
    cluster: info.upstreamCluster,
    upstream: info.upstreamHost,
    route: info.routeName,
    sni: info.requestedServerName,
    downstream_tls_failure: info.downstreamTransportFailureReason,
  };
  const entry: Record<string, string | number> = { status: info.status };
  for (const [field, value] of Object.entries(text)) if (value !== '') entry[field] = value;
  return entry;
}

function now(): number {
  return performance.timeOrigin + performance.now();
}

function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
