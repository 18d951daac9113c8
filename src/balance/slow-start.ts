// Warm-up of new hosts: their weight grows from a share to the whole over a window. Spec destinations.md §8.7. Source:
// envoyproxy/envoy source/extensions/load_balancing_policies/common/load_balancer_impl.cc (applySlowStartFactor,
// recalculateHostsInSlowStart, noHostsAreInSlowStart).
import { type Cluster, parseDuration, type SlowStartConfig } from '../xds/index.js';
import { type BalancedHost, isHealthy } from './balanced-host.js';

/** Envoy's default, as a share. */
const DEFAULT_MIN_WEIGHT = 0.1;

/** When each host of a cluster became usable, and what that makes of its weight. */
export class SlowStart<H extends BalancedHost> {
  private readonly window: number;
  private readonly aggression: number;
  private readonly minimum: number;
  private readonly now: () => number;
  private readonly since = new Map<H, number>();
  /** Even with no host at all a balancer starts in slow start, as Envoy's does. */
  private latest: number;

  /** `window` in milliseconds; `now` likewise. */
  private constructor(config: SlowStartConfig, window: number, now: () => number) {
    this.window = window;
    this.aggression = config.aggression?.default_value || 1;
    this.minimum =
      config.min_weight_percent === undefined ? DEFAULT_MIN_WEIGHT : (config.min_weight_percent.value ?? 0) / 100;
    this.now = now;
    this.latest = now();
  }

  /** `undefined` for clusters without it: RANDOM and hash policies have none. */
  static of<H extends BalancedHost>(cluster: Cluster, now: () => number): SlowStart<H> | undefined {
    const config =
      cluster.lb_policy === 'LEAST_REQUEST'
        ? cluster.least_request_lb_config?.slow_start_config
        : cluster.lb_policy === undefined || cluster.lb_policy === 'ROUND_ROBIN'
          ? cluster.round_robin_lb_config?.slow_start_config
          : undefined;
    const window = parseDuration(config?.slow_start_window ?? '') ?? 0;
    return config === undefined || window <= 0 ? undefined : new SlowStart<H>(config, window, now);
  }

  /** To be called with all hosts whenever they or their health have changed: usable ones start their window, once. */
  enter(hosts: readonly H[]): void {
    const present = new Set(hosts);
    for (const host of this.since.keys()) if (!present.has(host)) this.since.delete(host);
    for (const host of hosts) {
      if (!isHealthy(host) || this.since.has(host)) continue;
      const now = this.now();
      this.since.set(host, now);
      if (now > this.latest) this.latest = now;
    }
  }

  /** False once the newest host's window is over: weights are whole again. */
  get isActive(): boolean {
    return this.now() - this.latest <= this.window;
  }

  /** Share of its weight that a host has now, above 0 and up to 1. */
  factor(host: H): number {
    const since = this.since.get(host);
    if (since === undefined || !isHealthy(host)) return 1;
    const age = this.now() - since;
    if (age >= this.window) return 1;
    const share = Math.max(1, Math.trunc(age)) / this.window;
    return Math.max(this.aggression === 1 ? share : share ** (1 / this.aggression), this.minimum);
  }
}
