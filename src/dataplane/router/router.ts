// The router filter (spec dataplane.md §4.1): takes a decided request to its cluster and the answer back. Forwarding
// itself is the engine's, attempts are UpstreamRequest's; here the two sides are put together. A request that is complete
// with its head has nothing to pump and goes past the engine.
import { CLUSTER_NOT_FOUND, upstreamReset } from '../../filters/local-reply.js';
import type { RunningSnapshot } from '../downstream-connection.js';
import type { Environment } from '../environment.js';
import type { HttpPools } from '../upstream/http-pools.js';
import {
  EngineRequest,
  EngineResponse,
  EngineUpstream,
  EngineUpstreamResponse,
  forwardThroughEngine,
} from './engine.js';
import type { Downstream, Forwarding } from './exchange.js';
import { Mirrors } from './mirrors.js';
import { joinTunnel } from './tunnel.js';
import { RouterError, UpstreamRequest, type UpstreamRequestOwner } from './upstream-request.js';

/** Shared by all connections; keeps nothing of a request. */
export class Router {
  private readonly environment: Environment;
  private readonly pools: HttpPools;

  constructor(environment: Environment, pools: HttpPools) {
    this.environment = environment;
    this.pools = pools;
  }

  /** Forwards or answers; `downstream` hears of the outcome exactly once, possibly before this returns. */
  forward(downstream: Downstream, running: RunningSnapshot): Forwarding {
    const { clusters } = running;
    const { decision, facts } = downstream;
    const cluster = clusters.get(decision.cluster);
    if (cluster === undefined) {
      downstream.info.upstreamCluster = ''; // not named in the log (spec dataplane.md §7.3)
      downstream.reply(CLUSTER_NOT_FOUND);
      return NOTHING_TO_DO;
    }
    const upstream = new UpstreamRequest(this.environment, this.pools, cluster, downstream);
    const mirrors =
      decision.mirrors.length === 0
        ? undefined
        : new Mirrors(this.environment, this.pools, clusters, downstream, running.snapshot.node.ipAddress);
    if (!facts.endStream || decision.upgrade !== undefined) return pumpThroughEngine(downstream, upstream, mirrors);
    const exchange = new BodylessExchange(downstream, upstream);
    upstream.start();
    if (upstream.hasHost) mirrors?.start();
    return exchange;
  }
}

/** Both sides of a request without a body and without an upgrade: there is nothing that an engine could move. */
class BodylessExchange implements Forwarding, UpstreamRequestOwner {
  private readonly downstream: Downstream;
  private readonly upstream: UpstreamRequest;
  private over = false;

  constructor(downstream: Downstream, upstream: UpstreamRequest) {
    this.downstream = downstream;
    this.upstream = upstream;
    upstream.owner = this;
  }

  cancel(): void {
    if (this.over) return;
    this.over = true;
    this.upstream.abort();
  }

  drained(): void {
    this.upstream.resume();
  }

  onAnswer(): void {
    const { answer } = this.upstream;
    if (answer !== undefined && !this.over) {
      this.downstream.respond(answer.status, answer.headers, answer.endStream);
    }
  }

  onFailed(error: RouterError): void {
    if (this.over) return;
    this.over = true;
    this.downstream.reply(error.reply);
  }

  onAnswerEnd(trailers: readonly string[]): void {
    if (this.over) return;
    this.over = true;
    this.downstream.end(trailers);
    this.upstream.abort();
  }

  onBrokenOff(): void {
    this.over = true;
  }

  onDrain(): void {}
}

function pumpThroughEngine(
  downstream: Downstream,
  upstream: UpstreamRequest,
  mirrors: Mirrors | undefined,
): Forwarding {
  const { facts } = downstream;
  const response = new EngineResponse();
  const engineSide = new EngineUpstream(upstream);
  let answered = false;
  let tunnelled = false;
  let over = false;
  const complete = (event: 'finish' | 'close'): void => {
    over = true;
    response.emit(event);
  };

  const request = new EngineRequest(
    {
      method: facts.method,
      url: facts.path ?? '/',
      local: facts.connection.destination,
      remote: facts.connection.source,
    },
    downstream.body,
    {
      // Not within the engine's own wiring: an attempt that fails at once would end it half done.
      onWired: () =>
        queueMicrotask(() => {
          upstream.start();
          if (upstream.hasHost) mirrors?.start();
        }),
      onChunk: (chunk) => {
        downstream.received(chunk.length);
        mirrors?.write(chunk);
      },
      onEnd: () => mirrors?.end(),
    },
  );

  upstream.owner = {
    onAnswer: () => {
      engineSide.emit('response', new EngineUpstreamResponse(() => upstream.abort()));
    },
    onFailed: (error) => {
      engineSide.emit('error', error);
    },
    onAnswerEnd: (trailers) => {
      if (over || tunnelled) return;
      downstream.end(trailers);
      complete('finish');
    },
    onBrokenOff: () => complete('close'),
    onDrain: () => {
      engineSide.emit('drain');
    },
  };

  forwardThroughEngine(
    request,
    response,
    () => engineSide,
    () => {
      const { answer } = upstream;
      if (answer === undefined || over) return;
      answered = true;
      const { status, headers, endStream } = answer;
      if (status === 101 && downstream.decision.upgrade !== undefined) {
        tunnelled = true;
        const tunnel = downstream.tunnel(status, headers);
        joinTunnel(tunnel, upstream, downstream, () => {
          complete('close');
          downstream.tunnelClosed();
        });
        return;
      }
      downstream.respond(status, headers, endStream);
    },
  ).catch((error: unknown) => {
    if (over) return;
    over = true;
    upstream.abort();
    if (error instanceof RouterError) downstream.reply(error.reply);
    else if (!answered) downstream.reply(upstreamReset('local_reset', false, ''));
    else downstream.breakOff('LR', 'upstream_reset_after_response_started{local_reset}');
  });

  return {
    cancel: () => {
      if (over) return;
      over = true;
      request.abort();
      upstream.abort();
      response.emit('close');
    },
    drained: () => upstream.resume(),
  };
}

const NOTHING_TO_DO: Forwarding = { cancel: () => {}, drained: () => {} };
