// DestinationRule.outlierDetection as Envoy's outlier detection. Spec destinations.md §10.1. Source: istio/istio
// pilot/pkg/networking/core/cluster_traffic_policy.go (applyOutlierDetection).
import type { OutlierDetectionSettings } from '../../config/model/destination-rule.js';
import { type OutlierDetection, renderDuration } from '../../xds/index.js';

/** What the block writes; everything left out is Envoy's default (5 errors, 10 s, 30 s, 10 %). */
export function outlierDetection(settings: OutlierDetectionSettings): OutlierDetection {
  return {
    ...enforced('consecutive_5xx', settings.consecutive5xxErrors),
    ...enforced('consecutive_gateway_failure', settings.consecutiveGatewayErrors),
    ...(settings.interval === undefined ? {} : { interval: renderDuration(settings.interval) }),
    ...(settings.baseEjectionTime === undefined
      ? {}
      : { base_ejection_time: renderDuration(settings.baseEjectionTime) }),
    ...(settings.maxEjectionPercent === undefined || settings.maxEjectionPercent <= 0
      ? {}
      : { max_ejection_percent: settings.maxEjectionPercent }),
    enforcing_success_rate: 0,
    ...(settings.splitExternalLocalOriginErrors === true ? splitErrors(settings) : {}),
  };
}

// Zero switches the counter off: Envoy would otherwise enforce a threshold of zero.
function enforced(
  counter: 'consecutive_5xx' | 'consecutive_gateway_failure',
  threshold: number | undefined,
): OutlierDetection {
  if (threshold === undefined) return {};
  return { [counter]: threshold, [`enforcing_${counter}`]: threshold > 0 ? 100 : 0 };
}

function splitErrors(settings: OutlierDetectionSettings): OutlierDetection {
  const failures = settings.consecutiveLocalOriginFailures ?? 0;
  return {
    split_external_local_origin_errors: true,
    ...(failures > 0
      ? { consecutive_local_origin_failure: failures, enforcing_consecutive_local_origin_failure: 100 }
      : {}),
    enforcing_local_origin_success_rate: 0,
  };
}
