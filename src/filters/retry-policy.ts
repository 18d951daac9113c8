// Which outcomes of an attempt are retried, and how long the next one waits (spec virtualservice.md §10.2, dataplane.md
// §5.5). How many retries are left, the breaker and the buffered body are the router's to know.
import { type HeaderReader, PREVIOUS_HOSTS_PREDICATE, parseDuration, type RetryPolicy } from '../xds/index.js';
import type { UpstreamResetReason } from './local-reply.js';

/** A retry policy without its count. */
export interface CompiledRetryPolicy {
  readonly on: ReadonlySet<string>;
  readonly statusCodes: ReadonlySet<number>;
  /** Milliseconds. */
  readonly baseInterval: number;
  readonly maxInterval: number;
  /** The host of a retry should be one that has not been tried. */
  readonly avoidsPreviousHosts: boolean;
  /** Hosts that are drawn at most until one is accepted: the re-picks that the policy allows, and the first. */
  readonly hostDraws: number;
}

/** Envoy's defaults, in milliseconds. */
const BASE_INTERVAL = 25;
const MAX_PER_BASE = 10;
const HOST_REPICKS = 1;

/** Policies are part of an immutable snapshot, so each is compiled once however often it is asked for. */
const compiled = new WeakMap<RetryPolicy, CompiledRetryPolicy>();

/** `grpc-status` in response headers and the word that asks for it. */
const GRPC_CONDITIONS: ReadonlyMap<string, string> = new Map([
  ['1', 'cancelled'],
  ['4', 'deadline-exceeded'],
  ['13', 'internal'],
  ['8', 'resource-exhausted'],
  ['14', 'unavailable'],
]);

/** Words that Envoy does not know have no effect. */
export function compileRetryPolicy(policy: RetryPolicy): CompiledRetryPolicy {
  let found = compiled.get(policy);
  if (found === undefined) {
    const base = parseDuration(policy.retry_back_off?.base_interval ?? '') ?? BASE_INTERVAL;
    found = {
      on: new Set(policy.retry_on.split(',').map((word) => word.trim())),
      statusCodes: new Set(policy.retriable_status_codes),
      baseInterval: base,
      maxInterval: parseDuration(policy.retry_back_off?.max_interval ?? '') ?? base * MAX_PER_BASE,
      hostDraws: 1 + Number(policy.host_selection_retry_max_attempts ?? HOST_REPICKS),
      avoidsPreviousHosts: policy.retry_host_predicate?.some(({ name }) => name === PREVIOUS_HOSTS_PREDICATE) ?? false,
    };
    compiled.set(policy, found);
  }
  return found;
}

/** A response of the upstream; replies that the gateway makes itself are not responses. */
export function coversResponse(policy: CompiledRetryPolicy, status: number, headers: HeaderReader): boolean {
  const { on } = policy;
  if (headers.has('x-envoy-ratelimited')) return on.has('envoy-ratelimited');
  if (on.has('5xx') && status >= 500 && status < 600) return true;
  if (on.has('gateway-error') && status >= 502 && status <= 504) return true;
  if (on.has('retriable-4xx') && status === 409) return true;
  if (on.has('retriable-status-codes') && policy.statusCodes.has(status)) return true;
  // Repeated lines are one value, and no status then.
  const grpc = GRPC_CONDITIONS.get(headers.values('grpc-status').join(','));
  return grpc !== undefined && on.has(grpc);
}

/** 'timeout' = the per-try timeout. `requestStarted`: something of the request was written upstream. */
export function coversReset(
  policy: CompiledRetryPolicy,
  reason: UpstreamResetReason | 'timeout',
  requestStarted: boolean,
): boolean {
  const { on } = policy;
  // A full breaker is never retried, whatever the policy says.
  if (reason === 'overflow') return false;
  if (on.has('5xx') || on.has('gateway-error') || on.has('reset')) return true;
  if (reason === 'timeout') return false;
  if (on.has('reset-before-request') && !requestStarted) return true;
  if (on.has('refused-stream') && reason === 'remote_refused_stream_reset') return true;
  return (
    on.has('connect-failure') &&
    (reason === 'remote_connection_failure' || reason === 'local_connection_failure' || reason === 'connection_timeout')
  );
}

/** Milliseconds before retry number `retry` (1-based): uniform from 0 up to an interval that doubles until it is capped. */
export function backOff(policy: CompiledRetryPolicy, retry: number, random: () => number): number {
  return random() * Math.min(policy.baseInterval * 2 ** (retry - 1), policy.maxInterval);
}
