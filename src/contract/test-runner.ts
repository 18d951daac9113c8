// Runs the tests of one contract against its gateway, in either mode.
import { judgeClientCertificate } from '../decide/client-certificate.js';
import type { Call, Decision } from '../decide/decision.js';
import { type ClientSession, callOf, openSession, type SessionTarget } from '../gateway/client/client-session.js';
import { type FetchOptions, planFetch } from '../gateway/client/fetch.js';
import type { Reply } from '../gateway/client/reply.js';
import { subsetOrName } from '../gateway/upstream-mapping.js';
import type { Step, TestCase } from './contract.js';
import type { ContractGateway } from './contract-gateway.js';
import { type Coverage, chainOf } from './coverage.js';
import { type Decided, decidedFacts, isForwarded, refusesVersion } from './decided-facts.js';
import { type Judgement, judge, judgeCounts, judgeWeights } from './judge.js';
import { liveFacts } from './live-facts.js';
import type { Failure, StepResult } from './result.js';

/** What came of the steps of a test; `unjudged` = nothing of it could be judged. */
export interface TestRun {
  readonly steps: readonly StepResult[];
  readonly judged: number;
}

/** Milliseconds for a connection, and for each answer. */
const TIMEOUT = 15_000;

export class TestRunner {
  private readonly gateway: ContractGateway;
  private readonly coverage: Coverage | undefined;

  constructor(gateway: ContractGateway, coverage: Coverage | undefined) {
    this.gateway = gateway;
    this.coverage = coverage;
  }

  async run(test: TestCase): Promise<TestRun> {
    const { live } = this.gateway;
    live?.rewind();
    const split = test.steps[0]?.expect.split;
    if (live === undefined) return this.decideAll(test);
    if (test.shared) return this.runShared(test.steps);
    const results: StepResult[] = [];
    let judged = 0;
    for (const step of test.steps) {
      const run = split === undefined ? await this.runRepeated(step) : await this.runSplit(step, test.samples);
      results.push(run.result);
      judged += run.judged;
    }
    return { steps: results, judged };
  }

  /** What `decide` says of a step. The client's certificate counts as far as it can be judged without a handshake. */
  decideStep(step: Step): Decided & { readonly why?: string } {
    const { target, request } = planFetch(step.url, this.options(step));
    // What a handshake would agree on is what a client with these offers would then speak.
    const isHttp2 = target.tls === undefined ? target.http2 : target.http2 || target.tls.alpn[0] === 'h2';
    const written = callOf(target, request, isHttp2 ? 'HTTP/2' : 'HTTP/1.1');
    const body = request.body.toString('utf8');
    const { compiled, index } = this.gateway;
    const { secrets } = compiled.snapshot;
    const tlsVersion = target.tls?.version;
    const client = target.tls?.client;
    let call: Call = written;
    let decision = this.gateway.decide(call);
    let chain = chainOf(index, call, decision);
    if (chain !== undefined && refusesVersion(chain, tlsVersion)) {
      const why = `the gateway does not take ${tlsVersion ?? ''}`;
      return { call, body, tlsVersion, decision: refused(decision, 'tls_error', why), chain, secrets };
    }
    if (client !== undefined && chain !== undefined) {
      const verdict = judgeClientCertificate(client.cert, chain, secrets, Date.now());
      if (verdict.kind === 'unknown') return { call, body, tlsVersion, decision, chain, secrets, why: verdict.reason };
      if (verdict.kind === 'refused')
        decision = refused(decision, 'mtls_error', 'the certificate of the client is not trusted');
      else if (verdict.kind === 'ignored') {
        call = { ...written, tls: 'tls' };
        decision = this.gateway.decide(call);
        chain = chainOf(index, call, decision);
      }
    }
    return { call, body, tlsVersion, decision, chain, secrets };
  }

  private decideAll(test: TestCase): TestRun {
    const results: StepResult[] = [];
    let judged = 0;
    // A connection is opened for the first host; the others come over it.
    const first = test.shared ? test.steps[0] : undefined;
    for (const step of test.steps) {
      const decided = this.decideStep(first === undefined ? step : overConnectionOf(first, step));
      this.coverage?.reach(decided.call, decided.decision);
      let judgement: Judgement = judge(step.expect, decidedFacts(decided), decided.decision, true);
      if (decided.why !== undefined) {
        const why = decided.why;
        const unjudged = step.expect.assertions.map(({ path }) => `${path.join('.')}: ${why}`);
        judgement = { failures: [], unjudged, judged: 0 };
      }
      const { split } = step.expect;
      const wrong =
        split === undefined ? [] : judgeWeights(split, decided.decision, (cluster) => this.splitName(cluster));
      judged += judgement.judged + (split === undefined ? 0 : 1);
      results.push(
        this.withTrail(step, decided.call, {
          ...describe(step, decided.decision),
          ...outcomeOf(decided.decision),
          failures: [...judgement.failures, ...wrong],
          unjudged: judgement.unjudged,
          upstreamsSaw: [],
        }),
      );
    }
    return { steps: results, judged };
  }

  /** A cluster that is not there answers 503, whatever its subset is called. */
  private splitName(cluster: string): string {
    return this.gateway.index.clusters.has(cluster) ? subsetOrName(cluster) : `${cluster} (no such cluster)`;
  }

  private async runShared(steps: readonly Step[]): Promise<TestRun> {
    const opener = steps[0];
    if (opener === undefined) return { steps: [], judged: 0 };
    const first = planFetch(opener.url, this.options(opener));
    const session = await this.open(first.target);
    const results: StepResult[] = [];
    let judged = 0;
    try {
      for (const [position, step] of steps.entries()) {
        const { target, request } = planFetch(step.url, this.options(step));
        let result: StepResult | undefined;
        for (let time = 0; time < step.repeat && (result === undefined || result.failures.length === 0); time++) {
          const isLast = position === steps.length - 1 && time === step.repeat - 1;
          const reply = await session.send({ ...request, http10: step.http10 }, isLast);
          result = judgeReply(step, reply);
        }
        if (result === undefined) continue;
        this.reached(step, target, session);
        judged += step.expect.assertions.length;
        results.push(this.withTrail(step, callOf(first.target, request, session.protocol), result));
      }
    } finally {
      session.close();
    }
    return { steps: results, judged };
  }

  private async runRepeated(step: Step): Promise<{ readonly result: StepResult; readonly judged: number }> {
    const { target, request } = planFetch(step.url, this.options(step));
    let result: StepResult | undefined;
    for (let time = 0; time < step.repeat && (result === undefined || result.failures.length === 0); time++) {
      const session = await this.open(target);
      try {
        const reply = await session.send({ ...request, http10: step.http10 }, true);
        result = judgeReply(step, reply);
        if (time === 0) this.reached(step, target, session);
      } finally {
        session.close();
      }
    }
    const call = callOf(target, request, undefined);
    return { result: this.withTrail(step, call, result as StepResult), judged: step.expect.assertions.length };
  }

  /** Over connections that are kept as long as they last: what is sampled is the choice of the cluster. */
  private async runSplit(
    step: Step,
    samples: number,
  ): Promise<{ readonly result: StepResult; readonly judged: number }> {
    const { split } = step.expect;
    const { target, request } = planFetch(step.url, this.options(step));
    const counts = new Map<string, number>();
    let session: ClientSession | undefined;
    let last: StepResult | undefined;
    let sent = 0;
    try {
      for (; sent < samples && (last === undefined || last.failures.length === 0); sent++) {
        if (session?.isReusable !== true) {
          session?.close();
          session = await this.open(target);
          if (sent === 0) this.reached(step, target, session);
        }
        const reply: Reply = await session.send({ ...request, http10: step.http10 }, false);
        last = judgeReply(step, reply);
        const { cluster } = reply.decision;
        if (cluster !== undefined) counts.set(cluster, (counts.get(cluster) ?? 0) + 1);
      }
    } finally {
      session?.close();
    }
    const call = callOf(target, request, undefined);
    const result = last as StepResult;
    const failures =
      split === undefined || result.failures.length > 0
        ? result.failures
        : judgeCounts(split, counts, sent, result.decision, subsetOrName);
    return { result: this.withTrail(step, call, { ...result, failures }), judged: 1 };
  }

  /** Who sees a failure wants every rule that was considered, not only those that were chosen. */
  private withTrail(step: Step, call: Call, result: StepResult): StepResult {
    if (result.failures.length === 0) return result;
    const certificate = step.client === undefined ? undefined : this.gateway.clients.get(step.client)?.cert;
    const { trail } = this.gateway.explain(call, certificate);
    return { ...result, decision: { ...result.decision, trail } };
  }

  private open(target: SessionTarget): Promise<ClientSession> {
    const live = this.gateway.live as NonNullable<ContractGateway['live']>;
    return openSession(live.gateway, live.observation, target);
  }

  private reached(step: Step, target: SessionTarget, session: ClientSession): void {
    if (this.coverage === undefined) return;
    const { request } = planFetch(step.url, this.options(step));
    const call = callOf(target, request, session.protocol);
    this.coverage.reach(call, this.gateway.decide(call));
  }

  private options(step: Step): FetchOptions {
    const client = step.client === undefined ? undefined : this.gateway.clients.get(step.client);
    return { ...step.options, timeout: TIMEOUT, ...(client === undefined ? {} : { client }) };
  }
}

/** A step as it goes over the connection that another one has opened: with that one's TLS and port. */
function overConnectionOf(first: Step, step: Step): Step {
  if (first === step) return step;
  const { target } = planFetch(first.url, first.options);
  return {
    ...step,
    options: {
      ...step.options,
      port: target.port,
      ...(target.tls === undefined ? { plaintext: true } : { sni: target.tls.serverName, alpn: target.tls.alpn }),
    },
    ...(first.client === undefined ? {} : { client: first.client }),
  };
}

function judgeReply(step: Step, reply: Reply): StepResult {
  const { failures, unjudged } = judge(step.expect, liveFacts(reply), reply.decision, false);
  return {
    ...describe(step, reply.decision),
    failures: addWhy(failures, reply),
    unjudged,
    ...(reply.status === undefined ? {} : { status: reply.status }),
    ...(reply.error === undefined ? {} : { error: reply.error }),
    ...(reply.flags === undefined ? {} : { flags: reply.flags }),
    ...(reply.details === undefined ? {} : { details: reply.details }),
    ...(reply.failure === undefined ? {} : { failure: reply.failure }),
    upstreamsSaw: reply.upstreamsSaw,
  };
}

/** An absent status is no news without the reason for it. */
function addWhy(failures: readonly Failure[], reply: Reply): readonly Failure[] {
  const { failure } = reply;
  if (failure === undefined) return failures;
  return failures.map((one) =>
    one.path === 'status' && one.actual === 'absent' ? { ...one, actual: `absent: ${failure}` } : one,
  );
}

function describe(step: Step, decision: Decision): Pick<StepResult, 'request' | 'decision'> {
  const { method, body = '' } = step.options;
  const client = step.client === undefined ? '' : ` as ${step.client}`;
  return { request: `${method ?? (body.length > 0 ? 'POST' : 'GET')} ${step.url}${client}`, decision };
}

function outcomeOf(decision: Decision): Pick<StepResult, 'status' | 'error' | 'flags' | 'details'> {
  const { status, error, flags, details } = decision;
  return {
    ...(status === undefined ? {} : { status }),
    ...(error === undefined ? {} : { error }),
    ...(flags === undefined ? {} : { flags }),
    ...(details === undefined || isForwarded(decision) ? {} : { details }),
  };
}

/** The handshake ends the call: nothing of the request is looked at. */
function refused(decision: Decision, error: 'tls_error' | 'mtls_error', reason: string): Decision {
  const isTls = ({ stage }: { readonly stage: string }): boolean => stage === 'listener' || stage === 'filter chain';
  return {
    ...(decision.listener === undefined ? {} : { listener: decision.listener }),
    ...(decision.filterChain === undefined ? {} : { filterChain: decision.filterChain }),
    error,
    trail: [...decision.trail.filter(isTls), { stage: 'tls', verdict: 'refused', reason }],
  };
}
