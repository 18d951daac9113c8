// One forwarded request towards the upstream: attempts on hosts of one cluster, the body kept for retries, timers, and
// what becomes of it when an attempt fails (spec dataplane.md §4.1, §5.5; virtualservice.md §10). Whoever has the body
// writes it in; the owner hears of one answer or one failure.
import {
  type LocalReply,
  NO_HEALTHY_UPSTREAM,
  PER_TRY_TIMEOUT,
  RESPONSE_TIMEOUT,
  resetAfterResponseDetails,
  upstreamReset,
  upstreamResetFlag,
} from '../../filters/local-reply.js';
import { writeExpectedTimeout } from '../../filters/timeouts.js';
import type { ResponseFlag } from '../../xds/index.js';
import type { Environment, Timer } from '../environment.js';
import type { ConnectFailure, Host, UpstreamCluster } from '../upstream/cluster-manager.js';
import type { HttpPools } from '../upstream/http-pools.js';
import type {
  ResetReason,
  UpstreamConnectionInfo,
  UpstreamRequestHead,
  UpstreamStream,
} from '../upstream/http-stream.js';
import { BodyBuffer, CONNECT_BUFFER, RETRY_BUFFER } from './body-buffer.js';
import type { Downstream } from './exchange.js';
import { RetryState } from './retry-state.js';
import { type AttemptOwner, UpstreamAttempt } from './upstream-attempt.js';
import { UpstreamOutcome } from './upstream-outcome.js';

const NO_HOSTS: readonly Host[] = [];
const NO_PRIORITIES: ReadonlySet<number> = new Set();

/** The exchange failed before a response head: what the client gets. */
export class RouterError extends Error {
  readonly reply: LocalReply;

  constructor(reply: LocalReply) {
    super(reply.details);
    this.reply = reply;
  }
}

/** A response head on its way to the client, with the stream its body comes from. */
export interface AnsweredHead {
  readonly status: number;
  readonly headers: string[];
  readonly endStream: boolean;
}

/** Who gets the raw bytes behind a 101. */
export interface TunnelListener {
  onData(chunk: Buffer): void;
  /** The upstream's HTTP/2 stream has ended. */
  onEnd(): void;
  onDrain(): void;
}

/** Who asked. One of the first two is called, once; one of the next two may follow the first. */
export interface UpstreamRequestOwner {
  /** `answer` is set. Its body follows when this returns, to the downstream directly. */
  onAnswer(): void;
  onFailed(error: RouterError): void;
  onAnswerEnd(trailers: readonly string[]): void;
  /** The answer broke off, and the downstream has been told. */
  onBrokenOff(): void;
  /** More of the body can be written. */
  onDrain(): void;
}

/** One request to a cluster, until its answer is complete or nobody wants it any more. */
export class UpstreamRequest implements AttemptOwner {
  /** Set before `onAnswer`. */
  answer: AnsweredHead | undefined = undefined;
  /** Wall clock milliseconds of the end of the request; undefined while it is incomplete. */
  completedAt: number | undefined = undefined;
  /** Set before `start`. */
  owner: UpstreamRequestOwner = NOBODY;
  private readonly environment: Environment;
  private readonly pools: HttpPools;
  private readonly cluster: UpstreamCluster;
  private readonly downstream: Downstream;
  private readonly retry: RetryState;
  private tunnel: TunnelListener | undefined = undefined;
  private attempt: UpstreamAttempt | undefined = undefined;
  private attempts = 0;
  private readonly tried: Host[] = [];
  private readonly buffer = new BodyBuffer();
  private readonly outcome: UpstreamOutcome;
  private ended = false;
  private informed = false;
  private over = false;
  private wantsDrain = false;
  private backOff: Timer | undefined = undefined;
  private routeTimer: Timer | undefined = undefined;

  constructor(environment: Environment, pools: HttpPools, cluster: UpstreamCluster, downstream: Downstream) {
    this.environment = environment;
    this.pools = pools;
    this.cluster = cluster;
    this.downstream = downstream;
    this.retry = new RetryState(downstream.decision.retry, cluster.circuit);
    this.outcome = new UpstreamOutcome(cluster, downstream.decision.replyFacts.isGrpc);
  }

  /** Starts the first attempt; the owner may hear of its failure at once. */
  start(): void {
    if (this.over) return;
    const { facts, decision } = this.downstream;
    if (facts.endStream || decision.upgrade !== undefined) {
      this.ended = true;
      this.armTimers();
    }
    this.startAttempt();
  }

  /** True once a host has been chosen: mirrors are sent then, and only then (spec virtualservice.md §12). */
  get hasHost(): boolean {
    return this.tried.length > 0;
  }

  write(chunk: Buffer): boolean {
    if (this.over) return true;
    const stream = this.attempt?.stream;
    const keep = this.retry.isPossible;
    if (keep || stream === undefined) this.buffer.add(chunk);
    if (keep && this.buffer.bytes > RETRY_BUFFER) {
      this.retry.disable();
      if (stream !== undefined) this.buffer.drop();
    }
    let more = this.buffer.bytes < (this.retry.isPossible ? RETRY_BUFFER : CONNECT_BUFFER);
    if (stream !== undefined) {
      this.buffer.markGiven();
      more = stream.write(chunk);
    }
    if (!more) this.wantsDrain = true;
    return more;
  }

  end(): void {
    if (this.over || this.ended) return;
    this.ended = true;
    this.attempt?.stream?.end(this.downstream.trailers);
    this.armTimers();
  }

  /** The response is complete, or the client has gone. */
  abort(): void {
    if (this.over) return;
    this.finish();
    this.dropAttempt();
  }

  resume(): void {
    this.attempt?.stream?.resume();
  }

  /** The raw stream behind an accepted upgrade. */
  get tunnelStream(): UpstreamStream | undefined {
    return this.attempt?.stream;
  }

  /** Timers run from the end of the request; those of an upgrade until the 101. */
  private armTimers(): void {
    this.completedAt = this.environment.now();
    const { timeout } = this.downstream.decision;
    if (timeout > 0) this.routeTimer = this.environment.setTimer(timeout, () => this.onRouteTimeout());
    if (this.attempt !== undefined) this.armPerTry(this.attempt);
  }

  /** The 101 has come: timers end, raw bytes go to `listener`. */
  becomeTunnel(listener: TunnelListener): void {
    this.tunnel = listener;
    this.routeTimer?.cancel();
    this.attempt?.stopTimer();
  }

  private startAttempt(): void {
    if (this.over) return;
    const { decision, facts, info } = this.downstream;
    this.attempts++;
    info.attemptCount = this.attempts;
    const host = this.cluster.chooseHost({
      hash: decision.hash,
      exclude: this.retry.policy?.avoidsPreviousHosts ? this.tried : NO_HOSTS,
      maxDraws: this.retry.policy?.hostDraws,
      excludePriorities: this.triedPriorities(),
      authority: facts.authority,
    });
    if (host === undefined) {
      this.failWith(NO_HEALTHY_UPSTREAM);
      return;
    }
    this.tried.push(host);
    // Named from here on, connected or not; a full pending queue alone takes it back.
    info.upstreamHost = host.address;
    const attempt = new UpstreamAttempt(this, host, this.head());
    this.attempt = attempt;
    this.buffer.rewind();
    const pool = this.pools.pool(this.cluster, host, {
      authority: facts.authority ?? '',
      downstreamHttp2: facts.protocol === 'HTTP/2',
      source: facts.connection.source,
      destination: facts.connection.destination,
    });
    attempt.start(pool);
    if (this.completedAt !== undefined) this.armPerTry(attempt);
  }

  /** Priorities of complete rounds of attempts (previous_priorities; spec virtualservice.md §10.2). */
  private triedPriorities(): ReadonlySet<number> {
    const round = this.downstream.decision.retry?.retry_priority?.typed_config.update_frequency ?? 0;
    if (round === 0 || this.tried.length < round) return NO_PRIORITIES;
    const complete = this.tried.slice(0, this.tried.length - (this.tried.length % round));
    return new Set(complete.map((host) => host.endpoint.priority));
  }

  private head(): UpstreamRequestHead {
    const { facts, decision } = this.downstream;
    const headers = facts.headers.clone();
    if (this.attempts > 1) {
      if (decision.countsAttempts) headers.set('x-envoy-attempt-count', String(this.attempts));
      const now = this.environment.now();
      const left = decision.timeout === 0 ? 0 : decision.timeout - (now - (this.completedAt ?? now));
      writeExpectedTimeout(headers, decision.timeouts, decision.replyFacts.isGrpc, left);
    }
    return {
      method: facts.method,
      path: facts.path ?? '/',
      authority: facts.authority ?? '',
      scheme: schemeOf(facts.scheme, facts.tls !== undefined),
      headers: headers.raw,
      endStream: facts.endStream && decision.upgrade === undefined,
      upgrade: decision.upgrade !== undefined,
    };
  }

  // From the attempt, while it is the running one.

  /** The connection is there: whatever the body has brought so far goes out. */
  onReady(attempt: UpstreamAttempt, info: UpstreamConnectionInfo): void {
    this.downstream.info.upstreamLocalAddress = info.localAddress;
    const { stream } = attempt;
    if (stream === undefined) return;
    const more = this.buffer.giveTo(stream);
    if (!this.retry.isPossible) this.buffer.drop();
    if (this.ended) {
      if (this.downstream.decision.upgrade === undefined) stream.end(this.downstream.trailers);
    } else if (more && this.wantsDrain) {
      this.wantsDrain = false;
      this.owner.onDrain();
    }
  }

  /** Only the first 100, 102 or 103 is passed on, and it ends retrying (spec dataplane.md §3.4, §5.5). */
  onInformational(status: number, headers: string[]): void {
    if (this.informed || (status !== 100 && status !== 102 && status !== 103)) return;
    this.informed = true;
    this.retry.disable();
    this.downstream.informational(status, headers);
  }

  onData(attempt: UpstreamAttempt, chunk: Buffer): void {
    if (this.tunnel !== undefined) this.tunnel.onData(chunk);
    else if (!this.downstream.write(chunk)) attempt.stream?.pause();
  }

  onEnd(attempt: UpstreamAttempt, trailers: readonly string[]): void {
    if (this.tunnel !== undefined) {
      this.tunnel.onEnd();
      return;
    }
    this.outcome.onEnd(attempt.host, trailers);
    this.owner.onAnswerEnd(trailers);
  }

  onDrain(): void {
    if (this.tunnel !== undefined) this.tunnel.onDrain();
    if (!this.wantsDrain) return;
    this.wantsDrain = false;
    this.owner.onDrain();
  }

  onHead(attempt: UpstreamAttempt, status: number, headers: string[], endStream: boolean): void {
    attempt.stopTimer();
    this.outcome.onHead(attempt.host, status, headers, endStream);
    const verdict = status === 101 ? 'no' : this.retry.onResponse(status, headers);
    if (verdict === 'retry') {
      if (!endStream) attempt.stream?.reset();
      this.scheduleRetry();
      return;
    }
    if (verdict === 'limit') this.downstream.info.setFlag('URX');
    if (verdict === 'overflow') this.downstream.info.setFlag('UO');
    this.retry.disable();
    this.buffer.drop();
    this.answer = { status, headers, endStream };
    // The client's head is out before the body flows.
    this.owner.onAnswer();
  }

  onConnectFailure(attempt: UpstreamAttempt, failure: ConnectFailure, attached: boolean): void {
    const { info } = this.downstream;
    if (failure.reason === 'overflow' && !attached) info.upstreamHost = '';
    info.upstreamTransportFailureReason = failure.transportFailure.replaceAll(' ', '_');
    if (failure.reason !== 'overflow') this.outcome.onFailure(attempt.host, 'connect_failed');
    this.afterFailure(attempt, failure.reason, failure.transportFailure, false);
  }

  onReset(attempt: UpstreamAttempt, reason: ResetReason): void {
    this.outcome.onFailure(attempt.host, 'reset');
    if (this.answer !== undefined) {
      this.breakOff(upstreamResetFlag(reason), resetAfterResponseDetails(reason));
      return;
    }
    this.afterFailure(attempt, reason, '', true);
  }

  private afterFailure(
    attempt: UpstreamAttempt,
    reason: ResetReason,
    transportFailure: string,
    requestStarted: boolean,
  ): void {
    attempt.stopTimer();
    const verdict = this.retry.onReset(reason, requestStarted);
    if (verdict === 'retry') {
      this.scheduleRetry();
      return;
    }
    if (verdict === 'limit') this.downstream.info.setFlag('URX');
    if (verdict === 'overflow') this.downstream.info.setFlag('UO');
    this.failWith(upstreamReset(reason, this.attempts > 1, transportFailure));
  }

  private scheduleRetry(): void {
    this.attempt?.detach();
    this.attempt = undefined;
    this.backOff = this.environment.setTimer(this.retry.backOff(this.environment.random), () => this.startAttempt());
  }

  private armPerTry(attempt: UpstreamAttempt): void {
    const limit = this.downstream.decision.timeouts.perTry;
    if (limit === 0 || this.answer !== undefined) return;
    attempt.limit(this.environment, limit, () => this.onPerTryTimeout(attempt));
  }

  private onPerTryTimeout(attempt: UpstreamAttempt): void {
    if (this.attempt !== attempt || this.over || this.answer !== undefined) return;
    this.outcome.onFailure(attempt.host, 'timeout');
    const requestStarted = attempt.stream !== undefined;
    this.dropAttempt();
    const verdict = this.retry.onReset('timeout', requestStarted);
    if (verdict === 'retry') {
      this.scheduleRetry();
      return;
    }
    if (verdict === 'limit') this.downstream.info.setFlag('URX');
    if (verdict === 'overflow') this.downstream.info.setFlag('UO');
    this.failWith(PER_TRY_TIMEOUT);
  }

  private onRouteTimeout(): void {
    if (this.over) return;
    if (this.attempt !== undefined) this.outcome.onFailure(this.attempt.host, 'timeout');
    if (this.answer !== undefined) this.breakOff('UT', 'response_timeout');
    else this.failWith(RESPONSE_TIMEOUT);
  }

  private failWith(reply: LocalReply): void {
    if (this.over) return;
    this.finish();
    this.dropAttempt();
    this.owner.onFailed(new RouterError(reply));
  }

  private breakOff(flag: ResponseFlag, details: string): void {
    this.finish();
    this.dropAttempt();
    this.owner.onBrokenOff();
    this.downstream.breakOff(flag, details);
  }

  private finish(): void {
    this.over = true;
    this.routeTimer?.cancel();
    this.backOff?.cancel();
    this.retry.releaseBreaker();
    this.buffer.drop();
  }

  private dropAttempt(): void {
    const { attempt } = this;
    this.attempt = undefined;
    attempt?.drop();
  }
}

const NOBODY: UpstreamRequestOwner = {
  onAnswer: () => {},
  onFailed: () => {},
  onAnswerEnd: () => {},
  onBrokenOff: () => {},
  onDrain: () => {},
};

/** The client's own scheme if it is http or https in any case, else that of the transport (spec dataplane.md §3.6). */
function schemeOf(sent: string | undefined, secure: boolean): string {
  const lower = sent?.toLowerCase();
  return lower === 'http' || lower === 'https' ? lower : secure ? 'https' : 'http';
}
