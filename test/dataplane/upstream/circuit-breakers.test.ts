// Limits of a cluster: fixed ones, and the retry budget that follows what is under way.
import t from 'tap';
import { ClusterCircuitBreaker } from '../../../src/dataplane/upstream/circuit-breakers.js';

const UNLIMITED = 4294967295;
const thresholds = {
  max_connections: UNLIMITED,
  max_pending_requests: UNLIMITED,
  max_requests: UNLIMITED,
  max_retries: UNLIMITED,
};

type Resource = Parameters<ClusterCircuitBreaker['tryAcquire']>[0];

/** How many of a resource may be held at once, at most `ask`. */
function granted(breaker: ClusterCircuitBreaker, resource: Resource, ask: number): number {
  let count = 0;
  while (count < ask && breaker.tryAcquire(resource)) count++;
  return count;
}

t.test('fixed limits', (t) => {
  const breaker = new ClusterCircuitBreaker({ ...thresholds, max_requests: 2 }, 'cluster.a;', () => 0);
  t.equal(granted(breaker, 'request', 5), 2);
  t.equal(granted(breaker, 'connection', 5), 5, 'unlimited');
  breaker.release('request');
  t.equal(granted(breaker, 'request', 5), 1, 'a place that became free');
  t.equal(granted(new ClusterCircuitBreaker(undefined, 'cluster.b;', () => 0), 'pending', 5), 5, 'no thresholds');
  t.end();
});

t.test('retry budget', (t) => {
  const budget = { budget_percent: { value: 20 }, min_retry_concurrency: 3 };
  const breaker = new ClusterCircuitBreaker({ ...thresholds, retry_budget: budget }, 'cluster.c;', () => 0);
  t.equal(granted(breaker, 'retry', 10), 3, 'the floor while little is under way');
  granted(breaker, 'request', 30);
  granted(breaker, 'pending', 20);
  t.equal(granted(breaker, 'retry', 20), 7, 'a fifth of fifty, three of them already held');
  t.end();
});

t.test('retry budget over an interval: a share of the requests that began within it', (t) => {
  let now = 1_000_000;
  const budget = { budget_percent: { value: 20 }, min_retry_concurrency: 1, budget_interval: '2s' };
  const breaker = new ClusterCircuitBreaker({ ...thresholds, retry_budget: budget }, 'cluster.d;', () => now);
  const limit = (): number => {
    const count = granted(breaker, 'retry', 50);
    for (let i = 0; i < count; i++) breaker.release('retry');
    return count;
  };
  granted(breaker, 'request', 30);
  for (let i = 0; i < 30; i++) breaker.release('request');
  t.equal(limit(), 6, 'requests that are over count');
  now += 1_000;
  granted(breaker, 'request', 20);
  t.equal(limit(), 10, 'and add up, as on a real Envoy');
  now += 1_001;
  t.equal(limit(), 4, 'the first ones are forgotten after two seconds');
  now += 2_000;
  t.equal(limit(), 1, 'even those still under way: the floor is left');
  t.end();
});
