// Settings of HTTP filters on a route: fault injection and CORS. Spec virtualservice.md §11, §13. Source: istio/istio
// pilot/pkg/networking/core/route/route.go (TranslateFault, TranslateCORSPolicy).
import { GRPC_STATUSES } from '../../config/model/grpc-status.js';
import type { CorsPolicySpec, HttpFaultInjection, HttpRoute } from '../../config/model/virtual-service.js';
import {
  CORS_FILTER,
  type CorsPolicy,
  FAULT_FILTER,
  type HttpFault,
  type Route,
  renderDuration,
  type StringMatcher,
} from '../../xds/index.js';
import { fractionalPercent, integerPercent } from './fractional-percent.js';
import { stringMatcher } from './string-match.js';

/** `typed_per_filter_config` of a route; `undefined` when neither filter is set. */
export function filterConfig(http: HttpRoute): Route['typed_per_filter_config'] {
  const fault = http.fault === undefined ? undefined : faultConfig(http.fault);
  const cors = http.corsPolicy === undefined ? undefined : corsConfig(http.corsPolicy);
  if (fault === undefined && cors === undefined) return undefined;
  return {
    ...(fault === undefined ? {} : { [FAULT_FILTER]: fault }),
    ...(cors === undefined ? {} : { [CORS_FILTER]: cors }),
  };
}

// An absent percentage is 0 %: neither part then ever fires (§11 item 4). Parts without a kind are dropped (item 6);
// when both are, an empty message is left.
function faultConfig(fault: HttpFaultInjection): HttpFault {
  const delay = delayConfig(fault.delay);
  const abort = abortConfig(fault.abort);
  return { ...(delay === undefined ? {} : { delay }), ...(abort === undefined ? {} : { abort }) };
}

function delayConfig(delay: HttpFaultInjection['delay']): HttpFault['delay'] {
  if (delay?.fixedDelay === undefined) return undefined;
  const percentage =
    delay.percentage === undefined ? integerPercent(delay.percent ?? 0) : fractionalPercent(delay.percentage);
  return { fixed_delay: renderDuration(delay.fixedDelay), percentage };
}

function abortConfig(abort: HttpFaultInjection['abort']): HttpFault['abort'] {
  if (abort === undefined) return undefined;
  const percentage = abort.percentage === undefined ? {} : { percentage: fractionalPercent(abort.percentage) };
  if (abort.httpStatus !== undefined) return { http_status: abort.httpStatus, ...percentage };
  const code = abort.grpcStatus === undefined ? -1 : GRPC_STATUSES.indexOf(abort.grpcStatus);
  return code === -1 ? undefined : { grpc_status: code, ...percentage };
}

function corsConfig(cors: CorsPolicySpec): CorsPolicy {
  const origins = allowedOrigins(cors);
  return {
    ...(origins.length === 0 ? {} : { allow_origin_string_match: origins }),
    ...joined('allow_methods', cors.allowMethods),
    ...joined('allow_headers', cors.allowHeaders),
    ...joined('expose_headers', cors.exposeHeaders),
    ...(cors.maxAge === undefined ? {} : { max_age: String(Math.trunc(cors.maxAge / 1000)) }),
    ...(cors.allowCredentials === undefined ? {} : { allow_credentials: cors.allowCredentials }),
    filter_enabled: { default_value: integerPercent(100) },
    forward_not_matching_preflights: cors.unmatchedPreflights !== 'IGNORE',
  };
}

// The deprecated list counts only where the new one is absent.
function allowedOrigins(cors: CorsPolicySpec): readonly StringMatcher[] {
  if (cors.allowOrigins.length === 0) return cors.allowOrigin.map((origin) => ({ exact: origin }));
  return cors.allowOrigins.map(stringMatcher).filter((matcher) => matcher !== undefined);
}

function joined<K extends 'allow_methods' | 'allow_headers' | 'expose_headers'>(
  field: K,
  values: readonly string[],
): { readonly [F in K]?: string } {
  const text = values.join(',');
  return text === '' ? {} : ({ [field]: text } as { readonly [F in K]?: string });
}
