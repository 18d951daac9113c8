// Retry policies. Spec virtualservice.md §10.2. Source: istio/istio pilot/pkg/networking/core/route/retry/retry.go.
import type { HttpRetry } from '../../config/model/virtual-service.js';
import { PREVIOUS_HOSTS_PREDICATE, PREVIOUS_PRIORITIES, type RetryPolicy, renderDuration } from '../../xds/index.js';

const DEFAULT_RETRY_ON = 'connect-failure,refused-stream,unavailable,cancelled,retriable-status-codes';

const IGNORE_PREVIOUS_HOSTS: NonNullable<RetryPolicy['retry_host_predicate']> = [
  { name: PREVIOUS_HOSTS_PREDICATE, typed_config: {} },
];

/**
 * Envoy's policy for `http[].retries`, or for the mesh's default where there is none; `undefined` = no retries
 * (`attempts` 0, and so also `retries: {}`).
 *
 * @param consistentHash the single destination's rule hashes, so retries stay on the hash's host
 */
export function retryPolicy(written: HttpRetry | undefined, consistentHash: boolean): RetryPolicy | undefined {
  if (written !== undefined && written.attempts <= 0) return undefined;
  const predicate = written?.retryIgnorePreviousHosts ?? !consistentHash;
  const { retryOn, statusCodes } = parseRetryOn(written?.retryOn ?? '');
  return {
    retry_on: retryOn,
    num_retries: written === undefined ? 2 : written.attempts,
    ...(written?.perTryTimeout === undefined ? {} : { per_try_timeout: renderDuration(written.perTryTimeout) }),
    ...(written?.retryRemoteLocalities === true
      ? { retry_priority: { name: PREVIOUS_PRIORITIES, typed_config: { update_frequency: 2 } } }
      : {}),
    ...(predicate ? { retry_host_predicate: IGNORE_PREVIOUS_HOSTS } : {}),
    host_selection_retry_max_attempts: '5',
    ...(statusCodes.length === 0 ? {} : { retriable_status_codes: statusCodes }),
    ...(written?.backoff === undefined ? {} : { retry_back_off: { base_interval: renderDuration(written.backoff) } }),
  };
}

// Numbers that are HTTP statuses become status codes; the word that makes Envoy look at them is added when it is
// missing, even to an empty text (',retriable-status-codes' when only codes are written).
function parseRetryOn(written: string): { readonly retryOn: string; readonly statusCodes: readonly number[] } {
  if (written === '') return { retryOn: DEFAULT_RETRY_ON, statusCodes: [] };
  const words: string[] = [];
  const statusCodes: number[] = [];
  for (const part of written.split(',').map((text) => text.trim())) {
    if (part === '') continue;
    if (/^[+-]?\d+$/.test(part) && KNOWN_STATUSES.has(Number(part))) statusCodes.push(Number(part));
    else words.push(part);
  }
  const joined = words.join(',');
  const complete = statusCodes.length === 0 || joined.includes('retriable-status-codes');
  return { retryOn: complete ? joined : `${joined},retriable-status-codes`, statusCodes };
}

// The statuses that Go's net/http has a text for.
const KNOWN_STATUSES: ReadonlySet<number> = new Set([
  ...[100, 101, 102, 103],
  ...[200, 201, 202, 203, 204, 205, 206, 207, 208, 226],
  ...[300, 301, 302, 303, 304, 305, 307, 308],
  ...[400, 401, 402, 403, 404, 405, 406, 407, 408, 409, 410, 411, 412, 413, 414, 415, 416, 417, 418],
  ...[421, 422, 423, 424, 425, 426, 428, 429, 431, 451],
  ...[500, 501, 502, 503, 504, 505, 506, 507, 508, 510, 511],
]);
