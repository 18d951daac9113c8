// Counters of a connection manager under Envoy's names, `http.<stat prefix>.…` (spec dataplane.md §9.2, gateway.md §12.4).
import type { HttpConnectionManager } from '../../xds/index.js';
import { type Counter, counter, gauge } from '../telemetry/stats.js';
import type { StreamInfo } from '../telemetry/stream-info.js';

/** Looked up once per configuration; counting is a property write. */
export class ManagerStats {
  private readonly connections: Counter;
  private readonly connectionsOpen: Counter;
  private readonly connectionsGone: Counter;
  private readonly secureConnections: Counter;
  private readonly protocolErrors: Counter;
  private readonly requests: Counter;
  private readonly requestsOpen: Counter;
  private readonly requestsCompleted: Counter;
  private readonly requestsReset: Counter;
  private readonly noRoute: Counter;
  private readonly noCluster: Counter;
  private readonly http1: Counter;
  private readonly http2: Counter;
  /** By the first digit of the status. */
  private readonly classes: readonly Counter[];

  constructor(prefix: string) {
    const of = (name: string): Counter => counter(`http.${prefix}.${name}`);
    this.connections = of('downstream_cx_total');
    this.connectionsOpen = gauge(`http.${prefix}.downstream_cx_active`);
    this.connectionsGone = of('downstream_cx_destroy');
    this.secureConnections = of('downstream_cx_ssl_total');
    this.protocolErrors = of('downstream_cx_protocol_error');
    this.requests = of('downstream_rq_total');
    this.requestsOpen = gauge(`http.${prefix}.downstream_rq_active`);
    this.requestsCompleted = of('downstream_rq_completed');
    this.requestsReset = of('downstream_rq_rx_reset');
    this.noRoute = of('no_route');
    this.noCluster = of('no_cluster');
    this.http1 = of('downstream_rq_http1_total');
    this.http2 = of('downstream_rq_http2_total');
    this.classes = ['1xx', '2xx', '3xx', '4xx', '5xx'].map((name) => of(`downstream_rq_${name}`));
  }

  connectionStarted(secure: boolean): void {
    this.connections.value++;
    this.connectionsOpen.value++;
    if (secure) this.secureConnections.value++;
  }

  connectionEnded(): void {
    this.connectionsOpen.value--;
    this.connectionsGone.value++;
  }

  requestStarted(isHttp2: boolean): void {
    this.requests.value++;
    this.requestsOpen.value++;
    if (isHttp2) this.http2.value++;
    else this.http1.value++;
  }

  /** A stream that was started is over. A client that left counts as a reset and in no class. */
  requestEnded(info: StreamInfo): void {
    this.requestsOpen.value--;
    if (info.flags.includes('DC') || info.flags.includes('DR')) this.requestsReset.value++;
    else this.answered(info);
    if (info.flags.includes('NR')) this.noRoute.value++;
    if (info.flags.includes('NC')) this.noCluster.value++;
  }

  /** The codec refused what it read; with h1 it has answered. */
  protocolError(info: StreamInfo): void {
    this.protocolErrors.value++;
    if (info.status !== 0) this.answered(info);
  }

  private answered(info: StreamInfo): void {
    this.requestsCompleted.value++;
    const byClass = this.classes[Math.floor(info.status / 100) - 1];
    if (byClass !== undefined) byClass.value++;
  }
}

/** Configurations are part of an immutable snapshot; those with one stat prefix share their counters by name. */
const known = new WeakMap<HttpConnectionManager, ManagerStats>();

export function statsOf(manager: HttpConnectionManager): ManagerStats {
  let stats = known.get(manager);
  if (stats === undefined) {
    stats = new ManagerStats(manager.stat_prefix ?? '');
    known.set(manager, stats);
  }
  return stats;
}
