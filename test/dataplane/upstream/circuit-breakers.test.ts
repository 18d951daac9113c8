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
  const breaker = new ClusterCircuitBreaker({ ...thresholds, max_requests: 2 }, 'cluster.a;');
  t.equal(granted(breaker, 'request', 5), 2);
  t.equal(granted(breaker, 'connection', 5), 5, 'unlimited');
  breaker.release('request');
  t.equal(granted(breaker, 'request', 5), 1, 'a place that became free');
  t.equal(granted(new ClusterCircuitBreaker(undefined, 'cluster.b;'), 'pending', 5), 5, 'no thresholds');
  t.end();
});

t.test('retry budget', (t) => {
  const budget = { budget_percent: { value: 20 }, min_retry_concurrency: 3 };
  const breaker = new ClusterCircuitBreaker({ ...thresholds, retry_budget: budget }, 'cluster.c;');
  t.equal(granted(breaker, 'retry', 10), 3, 'the floor while little is under way');
  granted(breaker, 'request', 30);
  granted(breaker, 'pending', 20);
  t.equal(granted(breaker, 'retry', 20), 7, 'a fifth of fifty, three of them already held');
  t.end();
});
