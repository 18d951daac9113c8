// Whether a request may be tried again (spec dataplane.md §5.5, virtualservice.md §10.2): the policy's conditions are
// pure and live in filters/; the count, the breaker and the body's size are kept here, per request.
import { HeaderMap } from '../../filters/header-map.js';
import {
  backOff,
  type CompiledRetryPolicy,
  compileRetryPolicy,
  coversReset,
  coversResponse,
} from '../../filters/retry-policy.js';
import type { RetryPolicy } from '../../xds/index.js';
import type { CircuitBreaker } from '../upstream/cluster-manager.js';
import type { ResetReason } from '../upstream/http-stream.js';

/** `limit` → flag URX, `overflow` → flag UO; both only where the policy wanted a retry. */
export type RetryVerdict = 'retry' | 'no' | 'limit' | 'overflow';

/** One request's retries: how many are left, whether they are still possible, and the slot of max_retries that one holds. */
export class RetryState {
  readonly policy: CompiledRetryPolicy | undefined;
  private readonly circuit: CircuitBreaker;
  private left: number;
  private performed = 0;
  private enabled = true;
  private holdsBreaker = false;

  constructor(policy: RetryPolicy | undefined, circuit: CircuitBreaker) {
    this.policy = policy === undefined ? undefined : compileRetryPolicy(policy);
    this.circuit = circuit;
    this.left = policy?.num_retries ?? 0;
  }

  /** False: nothing that failed will be tried again, so the body need not be kept. */
  get isPossible(): boolean {
    return this.enabled && this.policy !== undefined && this.left > 0;
  }

  /** A forwarded 1xx, a body over the limit or a begun response end retrying, as if there were no policy. */
  disable(): void {
    this.enabled = false;
  }

  onResponse(status: number, headers: string[]): RetryVerdict {
    this.releaseBreaker();
    if (!this.enabled || this.policy === undefined) return 'no';
    return this.judge(coversResponse(this.policy, status, new HeaderMap(headers)));
  }

  /** `timeout`: the attempt was ended by the per-try timeout. `requestStarted`: something of it was written upstream. */
  onReset(reason: ResetReason | 'timeout', requestStarted: boolean): RetryVerdict {
    this.releaseBreaker();
    if (!this.enabled || this.policy === undefined) return 'no';
    return this.judge(coversReset(this.policy, reason, requestStarted));
  }

  /** Milliseconds before the retry that was just granted. */
  backOff(random: () => number): number {
    return this.policy === undefined ? 0 : backOff(this.policy, this.performed, random);
  }

  /** At the end of the request. */
  releaseBreaker(): void {
    if (!this.holdsBreaker) return;
    this.holdsBreaker = false;
    this.circuit.release('retry');
  }

  // Attempts first, breaker second (spec dataplane.md §5.5 item 1).
  private judge(wanted: boolean): RetryVerdict {
    if (!wanted) return 'no';
    if (this.left === 0) return 'limit';
    if (!this.circuit.tryAcquire('retry')) return 'overflow';
    this.holdsBreaker = true;
    this.left--;
    this.performed++;
    return 'retry';
  }
}
