// Limits of one cluster, shared by all its endpoints (spec destinations.md §9.2). Only the default priority exists on
// Istio gateways.
import { type CircuitBreakerThresholds, parseDuration } from '../../xds/index.js';
import { type Counter, counter, gauge } from '../telemetry/stats.js';
import type { CircuitBreaker } from './cluster-manager.js';

type Resource = Parameters<CircuitBreaker['tryAcquire']>[0];

interface Budget {
  used: number;
  readonly limit: number;
  readonly overflow: Counter;
  /** 1 while the limit is reached. */
  readonly open: Counter;
}

/** Istio writes every threshold; unlimited is 2^32 - 1. */
const UNLIMITED = 4_294_967_295;

/** `prefix` is `cluster.NAME;`. */
export class ClusterCircuitBreaker implements CircuitBreaker {
  private readonly budgets: Readonly<Record<Resource, Budget>>;
  private readonly retryBudget: CircuitBreakerThresholds['retry_budget'];
  private readonly recent: RecentRequests | undefined;

  /** `now` in milliseconds. */
  constructor(thresholds: CircuitBreakerThresholds | undefined, prefix: string, now: () => number) {
    const budget = (limit: number | undefined, overflow: string, open: string): Budget => ({
      used: 0,
      limit: limit ?? UNLIMITED,
      overflow: counter(`${prefix}.${overflow}`),
      open: gauge(`${prefix}.circuit_breakers.default.${open}`),
    });
    this.retryBudget = thresholds?.retry_budget;
    const interval = parseDuration(this.retryBudget?.budget_interval ?? '') ?? 0;
    this.recent = interval > 0 ? new RecentRequests(interval, now) : undefined;
    this.budgets = {
      connection: budget(thresholds?.max_connections, 'upstream_cx_overflow', 'cx_open'),
      pending: budget(thresholds?.max_pending_requests, 'upstream_rq_pending_overflow', 'rq_pending_open'),
      request: budget(thresholds?.max_requests, 'upstream_rq_active_overflow', 'rq_open'),
      retry: budget(thresholds?.max_retries, 'upstream_rq_retry_overflow', 'rq_retry_open'),
    };
  }

  tryAcquire(resource: Resource): boolean {
    const budget = this.budgets[resource];
    if (budget.used >= this.limitOf(resource)) {
      budget.overflow.value++;
      return false;
    }
    budget.used++;
    if (resource === 'request') this.recent?.add();
    if (budget.used >= budget.limit) budget.open.value = 1;
    return true;
  }

  // A retry budget is a share of what is under way now, or of what began lately, but never less than its floor.
  private limitOf(resource: Resource): number {
    if (resource !== 'retry' || this.retryBudget === undefined) return this.budgets[resource].limit;
    const active = this.recent?.count() ?? this.budgets.request.used + this.budgets.pending.used;
    const { budget_percent, min_retry_concurrency } = this.retryBudget;
    return Math.max(min_retry_concurrency, Math.floor((budget_percent.value * active) / 100));
  }

  release(resource: Resource): void {
    const budget = this.budgets[resource];
    if (budget.used > 0) budget.used--;
    if (budget.used < budget.limit) budget.open.value = 0;
  }
}

const SLOTS = 10;

/** How many requests began within a time, to a tenth of it, as Envoy counts them (seen on 1.40). */
class RecentRequests {
  private readonly slot: number;
  private readonly now: () => number;
  /** Counts by number of the slot since the epoch. */
  private readonly counts = new Map<number, number>();

  constructor(interval: number, now: () => number) {
    this.slot = interval / SLOTS;
    this.now = now;
  }

  add(): void {
    const current = Math.floor(this.now() / this.slot);
    if (!this.counts.has(current)) this.forget(current);
    this.counts.set(current, (this.counts.get(current) ?? 0) + 1);
  }

  count(): number {
    this.forget(Math.floor(this.now() / this.slot));
    let total = 0;
    for (const count of this.counts.values()) total += count;
    return total;
  }

  private forget(current: number): void {
    for (const slot of this.counts.keys()) if (slot <= current - SLOTS) this.counts.delete(slot);
  }
}
