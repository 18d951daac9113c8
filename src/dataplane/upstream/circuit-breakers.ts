// Limits of one cluster, shared by all its endpoints (spec destinations.md §9.2). Only the default priority exists on
// Istio gateways.
import type { CircuitBreakerThresholds } from '../../xds/index.js';
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

  constructor(thresholds: CircuitBreakerThresholds | undefined, prefix: string) {
    const budget = (limit: number | undefined, overflow: string, open: string): Budget => ({
      used: 0,
      limit: limit ?? UNLIMITED,
      overflow: counter(`${prefix}.${overflow}`),
      open: gauge(`${prefix}.circuit_breakers.default.${open}`),
    });
    this.retryBudget = thresholds?.retry_budget;
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
    if (budget.used >= budget.limit) budget.open.value = 1;
    return true;
  }

  // A retry budget is a share of what is under way now, but never less than its floor.
  private limitOf(resource: Resource): number {
    if (resource !== 'retry' || this.retryBudget === undefined) return this.budgets[resource].limit;
    const active = this.budgets.request.used + this.budgets.pending.used;
    const { budget_percent, min_retry_concurrency } = this.retryBudget;
    return Math.max(min_retry_concurrency, Math.floor((budget_percent.value * active) / 100));
  }

  release(resource: Resource): void {
    const budget = this.budgets[resource];
    if (budget.used > 0) budget.used--;
    if (budget.used < budget.limit) budget.open.value = 0;
  }
}
