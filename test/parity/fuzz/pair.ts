// One configuration on both gateways, and calls made to one after the other: what the client, the upstreams and the log
// say is compared as in the golden replay.
import { setTimeout as wait } from 'node:timers/promises';
import { collect } from '../../../src/diagnostics/diagnostic.js';
import { exportBootstrap } from '../../../src/export/bootstrap.js';
import type { Message } from '../../../src/export/proto.js';
import { ConfigError } from '../../../src/gateway/compile.js';
import { type RunningGateway, runGateway } from '../../../src/gateway/run.js';
import type { Received } from '../../../src/stub/received.js';
import type { Endpoint } from '../../golden/client/channel.js';
import { makeCall } from '../../golden/client/make-call.js';
import { compareCall, type Difference } from '../../golden/compare.js';
import { meshCertificates } from '../../golden/gateway-target.js';
import { toLogEntry, toUpstreamEntry } from '../../golden/replay.js';
import type { CallOutcome, CallSpec, LogEntry, UpstreamEntry } from '../../golden/support.js';
import { EnvoyProcess } from '../envoy.js';
import { toLogEntry as envoyLogEntry, LOG_FORMAT, listenersOf } from '../envoy-target.js';

/** What a lane's upstreams saw; emptied before each call. */
export interface Inbox {
  received: Received[];
}

/** `invalid`: postern does not load it. `refused`: Envoy does not load what we exported. */
export type Started =
  | { readonly kind: 'running'; readonly pair: Pair }
  | { readonly kind: 'invalid'; readonly reason: string }
  | { readonly kind: 'refused'; readonly reason: string; readonly bootstrap: Message };

/** What both did with one call. */
export interface Verdict {
  readonly differences: readonly Difference[];
  readonly envoy: CallOutcome;
  readonly postern: CallOutcome;
}

interface Side {
  readonly endpoints: ReadonlyMap<string, Endpoint>;
  log: { readonly at: number; readonly value: LogEntry }[];
}

// A difference that does not come back is a race of the machine, not of the gateways.
const ATTEMPTS = 3;
const LIMITS = { listen: 150, exchange: 3000, settle: 8 };

export class Pair {
  private readonly gateway: RunningGateway;
  private readonly process: EnvoyProcess;
  private readonly envoy: Side;
  private readonly postern: Side;
  private readonly inbox: Inbox;

  private constructor(gateway: RunningGateway, process: EnvoyProcess, sides: readonly [Side, Side], inbox: Inbox) {
    this.gateway = gateway;
    this.process = process;
    this.envoy = sides[0];
    this.postern = sides[1];
    this.inbox = inbox;
  }

  static async start(binary: string, yaml: string, inbox: Inbox): Promise<Started> {
    const postern: Side = { endpoints: new Map(), log: [] };
    let gateway: RunningGateway;
    try {
      gateway = await runGateway({
        sources: [{ file: 'istio.yaml', text: yaml, named: true }],
        stubs: false,
        assumeServices: false,
        anyPort: true,
        workloadCertificates: meshCertificates(),
        observer: { finished: (info) => void postern.log.push({ at: info.startTime, value: toLogEntry(info) }) },
      });
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      return { kind: 'invalid', reason: error.message };
    }
    const endpoints = new Map(
      gateway.listeners.map(({ port, address, boundPort }) => [String(port), { host: address, port: boundPort }]),
    );
    const { bootstrap } = exportBootstrap(gateway.snapshot, gateway.compiled.origins, collect([]), {
      otherwise: 0,
      accessLog: { encoding: 'JSON', format: JSON.stringify(LOG_FORMAT) },
    });
    const envoy: Side = { endpoints: new Map(), log: [] };
    let process: EnvoyProcess;
    try {
      process = await EnvoyProcess.start(binary, bootstrap, (line) => envoy.log.push(envoyLogEntry(line, new Map())));
    } catch (error) {
      await gateway.close();
      return { kind: 'refused', reason: error instanceof Error ? error.message : String(error), bootstrap };
    }
    const byPort = new Map(
      [...listenersOf(process)].map(([at, endpoint]) => [at.slice(at.lastIndexOf(':') + 1), endpoint]),
    );
    Object.assign(envoy, { endpoints: byPort });
    Object.assign(postern, { endpoints });
    return { kind: 'running', pair: new Pair(gateway, process, [envoy, postern], inbox) };
  }

  async call(call: CallSpec, attempts: number = ATTEMPTS): Promise<Verdict> {
    let verdict: Verdict | undefined;
    let endpoints = new Set<string>();
    for (let attempt = 0; attempt < attempts; attempt++) {
      // Later attempts listen longer for what comes late.
      const envoy = await this.ask(this.envoy, call, undefined, attempt);
      const postern = await this.ask(this.postern, call, envoy, attempt);
      verdict = { differences: compareCall(comparable(envoy), comparable(postern)), envoy, postern };
      if (verdict.differences.length === 0) return verdict;
      if (!JSON.stringify([envoy.upstream, envoy.log]).includes('hashed')) continue;
      // Without a key to hash Envoy takes any endpoint, so which one it was says nothing.
      endpoints = new Set([...endpoints, ...hashedEndpoints(envoy)]);
      for (let more = 0; more < 6 && endpoints.size === 1; more++)
        for (const name of hashedEndpoints(await this.ask(this.envoy, call, undefined, 0))) endpoints.add(name);
      if (endpoints.size === 1) continue;
      const differences = compareCall(comparable(envoy, true), comparable(postern, true));
      verdict = { differences, envoy, postern };
      if (differences.length === 0) return verdict;
    }
    return verdict as Verdict;
  }

  async close(): Promise<void> {
    await Promise.all([this.process.close(), this.gateway.close()]);
  }

  private async ask(
    side: Side,
    call: CallSpec,
    expected: CallOutcome | undefined,
    attempt: number,
  ): Promise<CallOutcome> {
    side.log = [];
    this.inbox.received = [];
    // A line of the call before this one may come late.
    const startedAt = performance.timeOrigin + performance.now() - 1;
    const settle = LIMITS.settle * (attempt + 1) ** 2;
    const outcome = await makeCall(call, side.endpoints.get(String(call.port)), { ...LIMITS, settle });
    const log = expected?.log?.length ?? call.requests?.length ?? (outcome.response?.status === undefined ? 0 : 1);
    const received = expected?.upstream?.length ?? 0;
    const deadline = performance.now() + (attempt === 0 ? 80 : 300);
    while (performance.now() < deadline) {
      if (
        side.log.filter(({ at }) => at >= startedAt).length >= log &&
        this.inbox.received.length >= received &&
        log > 0
      )
        break;
      await wait(1);
      // Nobody says how much is to come where nothing was answered.
      if (log === 0 && performance.now() > deadline - (attempt === 0 ? 50 : 150)) break;
    }
    await wait(attempt === 0 ? 1 : 30);
    return {
      name: call.name,
      ...outcome,
      upstream: this.inbox.received.map(toUpstreamEntry),
      log: side.log.filter(({ at }) => at >= startedAt).map(({ value }) => value),
    };
  }
}

// The two have different ports of their own, and a client has another one each time; generated cookies are made of them.
function comparable(written: CallOutcome, anyEndpoint = false): CallOutcome {
  const outcome = { ...written, upstream: (written.upstream ?? []).map(withoutRemainingTime) };
  const text = JSON.stringify(outcome)
    .replace(/127\.0\.0\.1:(\d{4,5})/g, '127.0.0.1:<port>')
    .replace(/(user=\\")[0-9a-f]{16}/g, '$1<hash>');
  return JSON.parse(
    anyEndpoint ? text.replace(/hashed-\d/g, 'hashed-x').replace(/(127\.1\.\d+)\.[567]:3000/g, '$1.x:3000') : text,
  ) as CallOutcome;
}

// What is left of a timeout when a request is tried again depends on when that is.
function withoutRemainingTime(entry: UpstreamEntry): UpstreamEntry {
  const { headers } = entry;
  if (headers === undefined || headers.some(([name, value]) => name === 'x-envoy-attempt-count' && value === '1'))
    return entry;
  return {
    ...entry,
    headers: headers.map(
      ([name, value]) => [name, name === 'x-envoy-expected-rq-timeout-ms' ? '<ms>' : value] as const,
    ),
  };
}

function hashedEndpoints({ upstream = [], log = [] }: CallOutcome): readonly string[] {
  const seen = upstream.map(({ server }) => server).filter((server) => server.startsWith('hashed-'));
  if (seen.length > 0) return seen;
  return log.map((entry) => entry.upstream ?? '').filter((address) => /\.[567]:3000$/.test(address));
}
