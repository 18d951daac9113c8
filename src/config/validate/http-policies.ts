// CORS, faults and retries of `http` rules. Spec validation.md §4.2.
import { parseDuration } from '../duration.js';
import { GRPC_STATUSES } from '../model/grpc-status.js';
import type { Findings } from './findings.js';
import { goQuote, isGoInteger } from './go-text.js';
import { checkCorsHeaderName } from './header-text.js';
import { checkHttpStatus, chosenMatch, validateDuration, validateMatchRegex, validatePercentage } from './values.js';
import type { Written } from './written.js';

const METHODS: ReadonlySet<string> = new Set([
  'GET',
  'HEAD',
  'POST',
  'PUT',
  'PATCH',
  'DELETE',
  'CONNECT',
  'OPTIONS',
  'TRACE',
  '*',
]);

export function validateCors(policy: Written | undefined, found: Findings): void {
  if (policy === undefined) return;
  for (const origin of policy.messages('allowOrigins')) {
    const member = chosenMatch(origin);
    if (member === undefined || origin.text(member) === '') {
      found.error("'' is not a valid match type for CORS allow origins", origin.span);
    } else validateMatchRegex(origin, 'corsPolicy.allowOrigins', found);
  }
  for (const { value, span } of policy.texts('allowMethods')) {
    if (!METHODS.has(value)) found.error(`${goQuote(value)} is not a supported HTTP method`, span);
  }
  for (const { value, span } of policy.texts('allowHeaders')) found.errorIf(checkCorsHeaderName(value), span);
  for (const { value, span } of policy.texts('exposeHeaders')) found.errorIf(checkCorsHeaderName(value), span);
  validateDuration(policy, 'maxAge', found);
  const age = parseDuration(policy.text('maxAge')) ?? 0;
  if (age > 0 && age % 1000 !== 0) {
    found.blockError('max_age duration is accurate only to seconds precision', policy.spanOf('maxAge'));
  }
}

const NAMES: ReadonlySet<string> = new Set(GRPC_STATUSES);

export function validateFault(fault: Written | undefined, found: Findings): void {
  if (fault === undefined) return;
  const abort = fault.message('abort');
  const delay = fault.message('delay');
  if (abort === undefined && delay === undefined) {
    found.blockError('HTTP fault injection must have an abort and/or a delay', fault.span);
  }
  if (abort !== undefined) validateAbort(abort, found);
  if (delay !== undefined) validateDelay(delay, found);
}

function validateAbort(abort: Written, found: Findings): void {
  validatePercentage(abort, 'percentage', found);
  const member = abort.oneOf('httpStatus', 'grpcStatus', 'http2Error');
  if (member === undefined) return;
  const span = abort.spanOf(member);
  const status = abort.text('grpcStatus');
  if (member === 'httpStatus') found.errorIf(checkHttpStatus(abort.number(member)), span);
  else if (member === 'http2Error') found.error('HTTP/2 abort fault injection not supported yet', span);
  else if (!NAMES.has(status)) {
    found.error(
      `gRPC status ${goQuote(status)} is not supported. See https://github.com/grpc/grpc/blob/master/doc/statuscodes.md for a list of supported codes, for example 'NOT_FOUND'`,
      span,
    );
  }
}

function validateDelay(delay: Written, found: Findings): void {
  validatePercentage(delay, 'percentage', found);
  const member = delay.oneOf('fixedDelay', 'exponentialDelay');
  if (member === undefined) return;
  validateDuration(delay, member, found);
  if (member === 'exponentialDelay') {
    found.blockError('exponentialDelay not supported yet', delay.spanOf(member));
  }
}

const RETRY_POLICIES: ReadonlySet<string> = new Set([
  '5xx',
  'gateway-error',
  'reset',
  'reset-before-request',
  'connect-failure',
  'retriable-4xx',
  'refused-stream',
  'retriable-status-codes',
  'retriable-headers',
  'envoy-ratelimited',
  'http3-post-connect-failure',
  'cancelled',
  'deadline-exceeded',
  'internal',
  'resource-exhausted',
  'unavailable',
]);

/** First and last of the runs of status codes that Go has a text for. */
const STATUS_CODES = [
  [100, 103],
  [200, 208],
  [226, 226],
  [300, 305],
  [307, 308],
  [400, 418],
  [421, 426],
  [428, 429],
  [431, 431],
  [451, 451],
  [500, 508],
  [510, 511],
] as const;

function isStatusCode(text: string): boolean {
  if (!isGoInteger(text)) return false;
  const code = Number(text);
  return STATUS_CODES.some(([first, last]) => code >= first && code <= last);
}

export function validateRetries(retries: Written | undefined, found: Findings): void {
  if (retries === undefined) return;
  const attempts = retries.number('attempts');
  if (attempts < 0) found.blockError('attempts cannot be negative', retries.spanOf('attempts'));
  const retryOn = retries.text('retryOn');
  const configured = retryOn !== '' || retries.has('perTryTimeout') || retries.has('retryRemoteLocalities');
  if (attempts === 0 && configured) {
    found.error('http retry policy configured when attempts are set to 0 (disabled)', retries.spanOf('attempts'));
  }
  validateDuration(retries, 'perTryTimeout', found);
  // Not trimmed: a blank behind a comma is part of the next word.
  for (const policy of retryOn === '' ? [] : retryOn.split(',')) {
    if (RETRY_POLICIES.has(policy) || isStatusCode(policy)) continue;
    found.error(`${goQuote(policy)} is not a valid retryOn policy`, retries.spanOf('retryOn'));
  }
  validateDuration(retries, 'backoff', found);
}
