// The part of `postern bench` that opens sockets: `postern run` on the user's files, calls derived from them, one service
// for every destination that the files place nowhere. First rates on a gateway that is left alone, then where the time
// goes on one that is profiled.
import { type CpuProfile, foldProfile, type Place } from './cpu-profile.js';
import { type GatewayProcess, startGatewayProcess } from './gateway-process.js';
import { askOnce, passOnce, runSlice, type Slice, type Target, type Workload } from './load.js';
import { cpuOf } from './process-cpu.js';
import type { ClientPair, Subject } from './subjects.js';

/** What is served, and to whom. */
export interface TrafficOptions {
  /** As `GatewayOptions` has them. */
  readonly args: readonly string[];
  readonly input: string;
  readonly subjects: readonly Subject[];
  /** Clusters for which our service stands in: its answers are known. */
  readonly isOurs: (cluster: string) => boolean;
  /** `undefined` where no client certificate is to be had. */
  readonly pairFor: (subject: Subject) => ClientPair | undefined;
  /** Of all of it, without the starts; what would be too short to say anything takes longer. */
  readonly seconds: number;
}

/** One workload; of several rounds the median with the extremes. */
export interface TrafficRow {
  readonly name: string;
  /** Subjects in turn. */
  readonly subjects: number;
  /** Per second. */
  readonly rate: { readonly median: number; readonly min: number; readonly max: number };
  /** Milliseconds. */
  readonly p50: number;
  readonly p99: number;
  /** Microseconds of the gateway's processor time per operation; absent where the system does not tell. */
  readonly cpu?: number;
  /** Share of one processor that the gateway used. */
  readonly used?: number;
  readonly errors: number;
  /** Where the gateway spent its time. */
  readonly places: readonly Place[];
}

/** All of it. */
export interface Traffic {
  readonly rows: readonly TrafficRow[];
  /** The subjects that took longest, with their median in milliseconds. */
  readonly slowest: readonly { readonly name: string; readonly p50: number }[];
  /** What is not measured, and why. */
  readonly skipped: readonly string[];
}

const ROUNDS = 3;
/** Of the time, for the profile. */
const PROFILED = 0.3;
const SLOWEST = 5;
/** Milliseconds: in less a busy machine does nothing at all, whatever was asked for. */
const LEAST_SLICE = 120;
const LEAST_PROFILED = 240;

interface Plan {
  readonly workload: Workload;
  readonly name: string;
  readonly isFor: (subject: Subject) => boolean;
}

const PLANS: readonly Plan[] = [
  { workload: 'passthrough', name: 'passthrough connections', isFor: ({ kind }) => kind === 'passthrough' },
  { workload: 'handshake', name: 'TLS handshakes with a request', isFor: ({ kind }) => kind === 'https' },
  { workload: 'http1', name: 'HTTP/1.1 requests over TLS', isFor: ({ kind }) => kind === 'https' },
  { workload: 'http2', name: 'HTTP/2 requests over TLS', isFor: ({ kind }) => kind === 'https' },
  { workload: 'http1', name: 'HTTP/1.1 requests without TLS', isFor: ({ kind }) => kind === 'http' },
];

/** Measures; nothing of it is left running. */
export async function measureTraffic(options: TrafficOptions): Promise<Traffic> {
  const skipped: string[] = [];
  const usable = options.subjects.filter((subject) => {
    const isRefused = subject.clientCa !== undefined && options.pairFor(subject) === undefined;
    if (isRefused) skipped.push(`${subject.name}: wants a client certificate, and none lies beside the files`);
    return !isRefused;
  });
  const plans = PLANS.filter(({ isFor }) => usable.some(isFor));
  if (plans.length === 0) return { rows: [], slowest: [], skipped };
  const ports = [...new Set(usable.map(({ port }) => port))];
  const start = (isProfiled: boolean): Promise<GatewayProcess> =>
    startGatewayProcess({ args: options.args, input: options.input, ports, isProfiled });
  const runs: Run[] = [];
  const share = (options.seconds * 1000 * (1 - PROFILED)) / (plans.length * (ROUNDS + 1));
  const slice = Math.max(LEAST_SLICE, share);
  let targets: readonly Target[] = [];
  const gateway = await start(false);
  try {
    targets = await answering(usable, gateway, options, skipped);
    runs.push(
      ...plans
        .map(
          (plan): Run => ({
            plan,
            targets: targets.filter(({ subject }) => plan.isFor(subject)),
            slices: [],
            costs: [],
            shares: [],
          }),
        )
        .filter(({ targets }) => targets.length > 0),
    );
    for (let round = 0; round <= ROUNDS; round++) await measureRound(runs, gateway, slice, round);
  } finally {
    await gateway.stop();
  }
  const places =
    runs.length === 0 ? new Map<Plan, readonly Place[]>() : await profiled(runs, await start(true), options.seconds);
  return { rows: runs.map((run) => rowOf(run, places.get(run.plan) ?? [])), slowest: slowestOf(runs), skipped };
}

interface Run {
  readonly plan: Plan;
  readonly targets: readonly Target[];
  readonly slices: Slice[];
  /** Microseconds per operation. */
  readonly costs: number[];
  readonly shares: number[];
}

/** Each subject is asked once: what does not answer as it was decided is not measured. */
async function answering(
  subjects: readonly Subject[],
  { boundPorts }: GatewayProcess,
  { isOurs, pairFor }: TrafficOptions,
  skipped: string[],
): Promise<readonly Target[]> {
  const targets: Target[] = [];
  for (const subject of subjects) {
    const port = boundPorts.get(subject.port);
    if (port === undefined) {
      skipped.push(`${subject.name}: its port is not bound`);
      continue;
    }
    const target: Target = { subject, port, pair: pairFor(subject) };
    try {
      if (subject.kind === 'passthrough') {
        if (subject.cluster !== undefined && !isOurs(subject.cluster))
          throw new Error('its service is not ours to speak for');
        await passOnce(target);
        targets.push(target);
        continue;
      }
      const status = await askOnce(target);
      const isKnown = subject.cluster === undefined || isOurs(subject.cluster);
      if (isKnown && subject.status !== undefined && subject.status !== status)
        throw new Error(`answers ${status}, and ${subject.status} was decided`);
      targets.push({ ...target, status });
    } catch (error) {
      skipped.push(`${subject.name}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  return targets;
}

/** The first round warms up: code is compiled, pools are filled. The order turns round every time. */
async function measureRound(
  runs: readonly Run[],
  { pid }: GatewayProcess,
  milliseconds: number,
  round: number,
): Promise<void> {
  for (const run of round % 2 === 0 ? runs : [...runs].reverse()) {
    let before = 0;
    const times = { warmUp: milliseconds * 0.3, milliseconds: milliseconds * 0.7 };
    const slice = await runSlice(run.plan.workload, run.targets, times, () => {
      before = cpuOf(pid);
    });
    const used = cpuOf(pid) - before;
    if (round === 0) continue;
    run.slices.push(slice);
    if (before === 0 || slice.operations === 0) continue;
    run.costs.push(used / 1000 / slice.operations);
    run.shares.push(used / 1e9 / slice.seconds);
  }
}

/** Each workload once more under a profiler; how long it then takes is not looked at. */
async function profiled(
  runs: readonly Run[],
  gateway: GatewayProcess,
  seconds: number,
): Promise<Map<Plan, readonly Place[]>> {
  const windows = new Map<Plan, { from: number; to: number }>();
  let profile: CpuProfile | undefined;
  try {
    const milliseconds = Math.max(LEAST_PROFILED, (seconds * 1000 * PROFILED) / runs.length);
    for (const { plan, targets: before } of runs) {
      // The system gave this one other ports.
      const targets = before.map((target) => ({ ...target, port: gateway.boundPorts.get(target.subject.port) ?? 0 }));
      const window = { from: 0, to: 0 };
      const times = { warmUp: milliseconds * 0.4, milliseconds: milliseconds * 0.6 };
      await runSlice(plan.workload, targets, times, () => {
        window.from = monotonic();
      });
      // The end of the slice, not of its last connections.
      window.to = window.from + times.milliseconds * 1000;
      windows.set(plan, window);
    }
  } finally {
    profile = await gateway.stop();
  }
  const places = new Map<Plan, readonly Place[]>();
  if (profile !== undefined)
    for (const [plan, { from, to }] of windows) places.set(plan, foldProfile(profile, from, to));
  return places;
}

/** Microseconds of the clock that profiles are written in. */
function monotonic(): number {
  return Number(process.hrtime.bigint() / 1000n);
}

function rowOf({ plan, targets, slices, costs, shares }: Run, places: readonly Place[]): TrafficRow {
  const rates = slices.map(({ operations, seconds }) => operations / seconds);
  const times = slices.flatMap(({ latencies }) => [...latencies.values()].flat());
  return {
    name: plan.name,
    subjects: targets.length,
    rate: { median: quantile(rates, 0.5), min: Math.min(...rates), max: Math.max(...rates) },
    p50: quantile(times, 0.5),
    p99: quantile(times, 0.99),
    ...(costs.length === 0 ? {} : { cpu: quantile(costs, 0.5), used: quantile(shares, 0.5) }),
    errors: slices.reduce((sum, { errors }) => sum + errors, 0),
    places,
  };
}

/** Among requests on connections that stay: there a rule shows. */
function slowestOf(runs: readonly Run[]): Traffic['slowest'] {
  const times = new Map<Subject, number[]>();
  for (const { plan, slices } of runs) {
    if (plan.workload !== 'http1') continue;
    for (const { latencies } of slices)
      for (const [subject, some] of latencies) times.set(subject, [...(times.get(subject) ?? []), ...some]);
  }
  // One alone is the row above.
  if (times.size < 2) return [];
  return [...times]
    .map(([{ name }, some]) => ({ name, p50: quantile(some, 0.5) }))
    .sort((a, b) => b.p50 - a.p50)
    .slice(0, SLOWEST);
}

function quantile(values: readonly number[], share: number): number {
  const sorted = Float64Array.from(values).sort();
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
}
