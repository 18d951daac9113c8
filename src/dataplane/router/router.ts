// The router filter (spec dataplane.md §4.1): takes a decided request to its cluster and the answer back. Forwarding
// itself is the engine's, attempts are UpstreamRequest's; here the two sides are put together.
import { CLUSTER_NOT_FOUND, upstreamReset } from '../../filters/local-reply.js';
import type { RunningSnapshot } from '../downstream-connection.js';
import type { Environment } from '../environment.js';
import type { HttpPools } from '../upstream/http-pools.js';
import { EngineRequest, EngineResponse, forwardThroughEngine } from './engine.js';
import type { Downstream, Forwarding } from './exchange.js';
import { Mirrors } from './mirrors.js';
import { joinTunnel } from './tunnel.js';
import { RouterError, UpstreamRequest } from './upstream-request.js';

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
    const cluster = clusters.get(downstream.decision.cluster);
    if (cluster === undefined) {
      downstream.info.upstreamCluster = ''; // not named in the log (spec dataplane.md §7.3)
      downstream.reply(CLUSTER_NOT_FOUND);
      return NOTHING_TO_DO;
    }
    const { facts } = downstream;
    const upstream = new UpstreamRequest(this.environment, this.pools, cluster, downstream);
    const mirrors = new Mirrors(this.environment, this.pools, clusters, downstream, running.snapshot.node.ipAddress);
    const response = new EngineResponse();
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
            if (upstream.hasHost) mirrors.start();
          }),
        onChunk: (chunk) => {
          downstream.received(chunk.length);
          mirrors.write(chunk);
        },
        onEnd: () => mirrors.end(),
      },
    );

    upstream.on('upstreamEnd', (trailers: readonly string[]) => {
      if (over || tunnelled) return;
      downstream.end(trailers);
      complete('finish');
    });
    upstream.on('brokenOff', () => complete('close'));

    forwardThroughEngine(
      request,
      response,
      () => upstream,
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
}

const NOTHING_TO_DO: Forwarding = { cancel: () => {}, drained: () => {} };
