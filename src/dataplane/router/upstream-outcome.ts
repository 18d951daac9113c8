// What outlier detection is told of a response (spec destinations.md §10): the HTTP status, but of a gRPC call its own
// status, wherever that stands.
import { grpcToHttpStatus } from '../../filters/grpc.js';
import type { Host, UpstreamCluster } from '../upstream/cluster-manager.js';

/** One request: `onHead` and `onEnd` of the response that is passed on or retried, `onFailure` of one that never came. */
export class UpstreamOutcome {
  private readonly cluster: UpstreamCluster;
  private readonly isGrpc: boolean;
  private waitsForTrailers = false;

  constructor(cluster: UpstreamCluster, isGrpc: boolean) {
    this.cluster = cluster;
    this.isGrpc = isGrpc;
  }

  onHead(host: Host, status: number, headers: readonly string[], endStream: boolean): void {
    const grpcStatus = this.isGrpc ? headerValue(headers, 'grpc-status') : undefined;
    if (grpcStatus !== undefined) {
      this.cluster.report(host, { status: grpcToHttpStatus(grpcStatus), isGrpc: true });
      return;
    }
    this.waitsForTrailers = this.isGrpc && !endStream && status === 200;
    if (!this.waitsForTrailers) this.cluster.report(host, { status });
  }

  onEnd(host: Host, trailers: readonly string[]): void {
    if (!this.waitsForTrailers) return;
    this.cluster.report(host, { status: grpcToHttpStatus(headerValue(trailers, 'grpc-status') ?? '0'), isGrpc: true });
  }

  onFailure(host: Host, local: 'connect_failed' | 'timeout' | 'reset'): void {
    this.cluster.report(host, { local });
  }
}

function headerValue(pairs: readonly string[], name: string): string | undefined {
  for (let i = 0; i < pairs.length; i += 2) if (pairs[i] === name) return pairs[i + 1];
  return undefined;
}
