// Copies of a request to other clusters (spec virtualservice.md §12): fire and forget, one attempt, no retries, responses
// read and dropped, failures seen by outlier detection alone; they outlive the primary and a client that leaves.
import type { RequestMirrorPolicy } from '../../xds/index.js';
import type { Environment, Timer } from '../environment.js';
import type { ClusterManager, Host } from '../upstream/cluster-manager.js';
import type { HttpPools } from '../upstream/http-pools.js';
import type { UpstreamRequestHead, UpstreamStream, UpstreamStreamListener } from '../upstream/http-stream.js';
import type { Downstream } from './exchange.js';
import { UpstreamOutcome } from './upstream-outcome.js';

/** A copy whose cluster cannot take more than this at once is given up rather than kept in memory. */
const MAX_WAITING = 1024 * 1024;

/** All copies of one request; no more than an empty list for most. */
export class Mirrors {
  private readonly copies: Mirror[] = [];
  private readonly environment: Environment;
  private readonly pools: HttpPools;
  private readonly clusters: ClusterManager;
  private readonly downstream: Downstream;
  private readonly localAddress: string;

  constructor(
    environment: Environment,
    pools: HttpPools,
    clusters: ClusterManager,
    downstream: Downstream,
    localAddress: string,
  ) {
    this.environment = environment;
    this.pools = pools;
    this.clusters = clusters;
    this.downstream = downstream;
    this.localAddress = localAddress;
  }

  /** Sends the heads; not where the primary found no host. */
  start(): void {
    for (const policy of this.downstream.decision.mirrors) this.startOne(policy);
  }

  write(chunk: Buffer): void {
    for (const copy of this.copies) copy.write(chunk);
  }

  end(): void {
    for (const copy of this.copies) copy.end(this.downstream.trailers);
  }

  private startOne(policy: RequestMirrorPolicy): void {
    const { facts, decision } = this.downstream;
    const cluster = this.clusters.get(policy.cluster);
    const host = cluster?.chooseHost({ hash: decision.hash });
    if (cluster === undefined || host === undefined) return;
    const authority = facts.authority ?? '';
    const headers = facts.headers.clone();
    const forwardedFor = headers.get('x-forwarded-for');
    headers.set(
      'x-forwarded-for',
      forwardedFor === undefined ? this.localAddress : `${forwardedFor},${this.localAddress}`,
    );
    headers.set('x-envoy-internal', 'true');
    const head: UpstreamRequestHead = {
      method: facts.method,
      path: facts.path ?? '/',
      authority: policy.disable_shadow_host_suffix_append ? authority : shadowHost(authority),
      scheme: facts.tls === undefined ? 'http' : 'https',
      headers: headers.raw,
      endStream: facts.endStream,
      upgrade: false,
    };
    const copy = new Mirror(
      head.endStream,
      decision.timeout,
      this.environment,
      host,
      new UpstreamOutcome(cluster, decision.replyFacts.isGrpc),
    );
    this.copies.push(copy);
    const waiting = this.pools
      .pool(cluster, host, {
        authority: head.authority,
        downstreamHttp2: facts.protocol === 'HTTP/2',
        source: facts.connection.source,
        destination: facts.connection.destination,
      })
      .newStream({
        head,
        listener: copy,
        ready: (stream) => copy.ready(stream),
        failed: ({ reason }) => copy.failed(reason === 'overflow'),
      });
    copy.onGiveUp(() => waiting.cancel());
  }
}

/** `app.example:8080` → `app.example-shadow:8080`. */
function shadowHost(authority: string): string {
  const port = /:\d+$/.exec(authority)?.[0] ?? '';
  return `${authority.slice(0, authority.length - port.length)}-shadow${port}`;
}

class Mirror implements UpstreamStreamListener {
  private readonly timeout: number;
  private readonly environment: Environment;
  private readonly host: Host;
  private readonly outcome: UpstreamOutcome;
  private stream: UpstreamStream | undefined = undefined;
  private waiting: Buffer[] = [];
  private waitingBytes = 0;
  private blocked = true;
  private ended: boolean;
  private trailers: readonly string[] = [];
  private over = false;
  private timer: Timer | undefined = undefined;
  private cancel: (() => void) | undefined = undefined;

  constructor(ended: boolean, timeout: number, environment: Environment, host: Host, outcome: UpstreamOutcome) {
    this.ended = ended;
    this.timeout = timeout;
    this.environment = environment;
    this.host = host;
    this.outcome = outcome;
    if (ended) this.arm();
  }

  onGiveUp(cancel: () => void): void {
    this.cancel = cancel;
  }

  ready(stream: UpstreamStream): void {
    this.stream = stream;
    this.cancel = undefined;
    this.blocked = false;
    this.flush();
  }

  write(chunk: Buffer): void {
    if (this.over) return;
    this.waiting.push(chunk);
    this.waitingBytes += chunk.length;
    if (this.waitingBytes > MAX_WAITING) this.giveUp();
    else this.flush();
  }

  end(trailers: readonly string[]): void {
    if (this.over || this.ended) return;
    this.ended = true;
    this.trailers = trailers;
    this.arm();
    this.flush();
  }

  failed(isOverflow: boolean): void {
    if (!this.over && !isOverflow) this.outcome.onFailure(this.host, 'connect_failed');
    this.giveUp();
  }

  giveUp(): void {
    if (this.over) return;
    this.finish();
    this.cancel?.();
    this.stream?.reset();
  }

  onInformational(): void {}

  onHead(status: number, headers: string[], endStream: boolean): void {
    if (!this.over) this.outcome.onHead(this.host, status, headers, endStream);
  }

  onData(): void {}

  onDrain(): void {
    this.blocked = false;
    this.flush();
  }

  onEnd(trailers: readonly string[]): void {
    if (!this.over) this.outcome.onEnd(this.host, trailers);
    this.finish();
  }

  onReset(): void {
    if (!this.over) this.outcome.onFailure(this.host, 'reset');
    this.finish();
  }

  private flush(): void {
    const { stream } = this;
    if (stream === undefined || this.over) return;
    while (!this.blocked && this.waiting.length > 0) {
      const chunk = this.waiting.shift() as Buffer;
      this.waitingBytes -= chunk.length;
      if (!stream.write(chunk)) this.blocked = true;
    }
    if (this.ended && this.waiting.length === 0) stream.end(this.trailers);
  }

  private arm(): void {
    if (this.timeout === 0) return;
    this.timer = this.environment.setTimer(this.timeout, () => {
      if (!this.over) this.outcome.onFailure(this.host, 'timeout');
      this.giveUp();
    });
  }

  private finish(): void {
    this.over = true;
    this.timer?.cancel();
    this.waiting = [];
  }
}
