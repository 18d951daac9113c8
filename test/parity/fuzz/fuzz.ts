// Differential fuzzing: random configurations on both gateways, random calls to both, and whatever differs made small and
// printed as a case.
import fc from 'fast-check';
import { stringify } from 'yaml';
import type { Difference } from '../../golden/compare.js';
import type { CallSpec } from '../../golden/support.js';
import { fuzzCall } from './call-arbitrary.js';
import { type FuzzConfig, fuzzConfig } from './config-arbitrary.js';
import { explain } from './explained.js';
import { type Inbox, Pair, type Verdict } from './pair.js';
import { reduce } from './reduce.js';
import { renderConfig, startUpstreams } from './world.js';

export interface FuzzOptions {
  readonly binary: string;
  /** The run is the same for the same seed and lane, as far as time lets it come. */
  readonly seed: number;
  /** Milliseconds. */
  readonly duration: number;
  readonly lanes: number;
  readonly callsPerConfig: number;
  /** Also bytes and headers that a codec answers for. */
  readonly codec: boolean;
  /** Tries that making one difference small may take. */
  readonly reductions: number;
  /** Told of each new difference at once. */
  readonly report: (finding: Finding) => void;
}

export interface Finding {
  readonly seed: number;
  /** Differences of the small case, `recorded` being Envoy's. */
  readonly differences: readonly Difference[];
  readonly config: FuzzConfig;
  readonly call: CallSpec | undefined;
  readonly text: string;
}

export interface FuzzSummary {
  readonly seed: number;
  readonly configs: number;
  /** Configurations that postern does not load; nothing was called. */
  readonly invalid: number;
  readonly calls: number;
  /** Calls whose only differences are listed deviations, by id. */
  readonly explained: Readonly<Record<string, number>>;
  readonly findings: readonly Finding[];
  readonly statuses: Readonly<Record<string, number>>;
}

/** Runs until the time is over. */
export async function fuzz(options: FuzzOptions): Promise<FuzzSummary> {
  const state: State = {
    configs: 0,
    invalid: 0,
    calls: 0,
    explained: {},
    findings: [],
    statuses: {},
    seen: new Set(),
    reasons: {},
  };
  const deadline = performance.now() + options.duration;
  await Promise.all(Array.from({ length: options.lanes }, (_, lane) => runLane(options, lane + 1, deadline, state)));
  const { seen: _seen, reasons, ...summary } = state;
  for (const [reason, count] of Object.entries(reasons)) console.log(`invalid ${count}: ${reason}`);
  return { seed: options.seed, ...summary };
}

interface State {
  configs: number;
  invalid: number;
  calls: number;
  readonly explained: Record<string, number>;
  readonly findings: Finding[];
  readonly statuses: Record<string, number>;
  readonly seen: Set<string>;
  readonly reasons: Record<string, number>;
}

async function runLane(options: FuzzOptions, lane: number, deadline: number, state: State): Promise<void> {
  const inbox: Inbox = { received: [] };
  const upstreams = await startUpstreams(lane, (received) => inbox.received.push(received));
  try {
    for (let round = 0; performance.now() < deadline; round++) {
      const seed = options.seed * 100_000 + lane * 10_000 + round;
      const config = sample(fuzzConfig, seed);
      const calls = fc.sample(fuzzCall({ codec: options.codec }), { seed, numRuns: options.callsPerConfig });
      await runConfig(options, { lane, seed, config, calls, inbox }, deadline, state);
    }
  } finally {
    await Promise.all(upstreams.map((upstream) => upstream.close()));
  }
}

interface Round {
  readonly lane: number;
  readonly seed: number;
  readonly config: FuzzConfig;
  readonly calls: readonly CallSpec[];
  readonly inbox: Inbox;
}

async function runConfig(options: FuzzOptions, round: Round, deadline: number, state: State): Promise<void> {
  const started = await Pair.start(options.binary, renderConfig(round.config, round.lane), round.inbox);
  if (started.kind === 'invalid') {
    state.invalid += 1;
    state.reasons[started.reason] = (state.reasons[started.reason] ?? 0) + 1;
    return;
  }
  if (started.kind === 'refused') {
    if (isNew(state, `refused ${started.reason.replace(/\d+/g, '0').slice(-120)}`)) {
      add(options, state, {
        seed: round.seed,
        differences: [],
        config: round.config,
        call: undefined,
        text: `Envoy refuses the export: ${started.reason}`,
      });
    }
    return;
  }
  state.configs += 1;
  const differing: { readonly call: CallSpec; readonly verdict: Verdict }[] = [];
  try {
    for (const call of round.calls) {
      if (performance.now() > deadline) break;
      const verdict = await started.pair.call(call);
      state.calls += 1;
      const status = String(verdict.envoy.response?.status ?? verdict.envoy.tls?.handshake ?? 'other');
      state.statuses[status] = (state.statuses[status] ?? 0) + 1;
      if (verdict.differences.length === 0) continue;
      const known = explain(call, verdict);
      if (known !== undefined) state.explained[known] = (state.explained[known] ?? 0) + 1;
      else if (isNew(state, signature(verdict.differences))) differing.push({ call, verdict });
    }
  } finally {
    await started.pair.close();
  }
  for (const { call, verdict } of differing) add(options, state, await makeSmall(options, round, call, verdict));
}

function add(options: FuzzOptions, state: State, finding: Finding): void {
  state.findings.push(finding);
  options.report(finding);
}

function isNew(state: State, text: string): boolean {
  if (state.seen.has(text)) return false;
  state.seen.add(text);
  return true;
}

// What differs, without what is different in every case.
function signature(differences: readonly Difference[]): string {
  return differences
    .map(({ level, path, recorded, replayed }) => {
      const short = (value: unknown): string =>
        typeof value === 'object' ? typeof value : String(value).replace(/\d+/g, '0').slice(0, 30);
      return `${level} ${path.replace(/\[\d+\]/g, '[]').replace(/^[a-z0-9-]+\[/, 'SERVER[')} ${short(recorded)} ${short(replayed)}`;
    })
    .slice(0, 2)
    .join('; ');
}

async function makeSmall(options: FuzzOptions, round: Round, call: CallSpec, verdict: Verdict): Promise<Finding> {
  const first = verdict.differences[0] as Difference;
  let last = verdict;
  const holds = async (candidate: { readonly config: FuzzConfig; readonly call: CallSpec }): Promise<boolean> => {
    if (candidate.config?.routing === undefined || candidate.call?.port === undefined) return false;
    try {
      const started = await Pair.start(options.binary, renderConfig(candidate.config, round.lane), round.inbox);
      if (started.kind !== 'running') return false;
      try {
        const again = await started.pair.call(candidate.call, 1);
        const stays = again.differences.some(({ level, path }) => level === first.level && path === first.path);
        if (stays) last = again;
        return stays;
      } finally {
        await started.pair.close();
      }
    } catch {
      return false;
    }
  };
  const small = await reduce({ config: round.config, call }, holds, options.reductions);
  return {
    seed: round.seed,
    differences: last.differences,
    config: small.config,
    call: small.call,
    text: render(small.config, small.call, last, round.lane),
  };
}

function render(config: FuzzConfig, call: CallSpec, verdict: Verdict, lane: number): string {
  const { log, upstream, response, responses, tcp, tls } = verdict.envoy;
  return [
    '# istio.yaml (with the services of test/parity/fuzz/world.ts)',
    config.routing.map((one) => stringify(one, { aliasDuplicateObjects: false })).join('---\n'),
    `# case.yaml (upstreams of lane ${lane})`,
    stringify({ about: 'found by fuzzing', calls: [call] }),
    '# differences',
    ...verdict.differences.map(
      ({ level, path, recorded, replayed }) =>
        `#   ${level} ${path}: Envoy ${JSON.stringify(recorded)}, postern ${JSON.stringify(replayed)}`,
    ),
    `# Envoy: ${JSON.stringify({ response: response ?? responses ?? tcp ?? tls, log, upstream: upstream?.length })}`,
  ].join('\n');
}

function sample<T>(arbitrary: fc.Arbitrary<T>, seed: number): T {
  return fc.sample(arbitrary, { seed, numRuns: 1 })[0] as T;
}
