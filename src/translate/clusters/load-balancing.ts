// DestinationRule.loadBalancer as Envoy's policy of a cluster. Spec destinations.md §1.3, §8.1, §8.4, §8.5, §8.7.
// Source: istio/istio pilot/pkg/networking/core/cluster_traffic_policy.go (applyLoadBalancer, setWarmup).
import type { ConsistentHash, LoadBalancerSettings } from '../../config/model/destination-rule.js';
import { type Cluster, renderDuration, type SlowStartConfig } from '../../xds/index.js';

type LoadBalancing = Pick<
  Cluster,
  'lb_policy' | 'ring_hash_lb_config' | 'maglev_lb_config' | 'least_request_lb_config' | 'round_robin_lb_config'
>;

const DEFAULT_RING_SIZE = 1024;
const DEFAULT_TABLE_SIZE = 65537;

/** PASSTHROUGH makes a cluster ORIGINAL_DST, which has no host on a gateway. */
export function isPassthrough(settings: LoadBalancerSettings | undefined): boolean {
  return settings?.simple === 'PASSTHROUGH';
}

/** Fields of a cluster that is not ORIGINAL_DST. ROUND_ROBIN is proto's zero and left out. */
export function loadBalancing(settings: LoadBalancerSettings | undefined): LoadBalancing {
  const hash = settings?.consistentHash;
  if (hash !== undefined) return hashing(hash);
  const slowStart = slowStartConfig(settings);
  switch (settings?.simple) {
    case 'RANDOM':
      return { lb_policy: 'RANDOM' };
    case 'ROUND_ROBIN':
      return slowStart === undefined ? {} : { round_robin_lb_config: { slow_start_config: slowStart } };
    default:
      return {
        lb_policy: 'LEAST_REQUEST',
        ...(slowStart === undefined ? {} : { least_request_lb_config: { slow_start_config: slowStart } }),
      };
  }
}

function hashing({ maglev, ringHash, minimumRingSize }: ConsistentHash): LoadBalancing {
  if (maglev !== undefined) {
    const size = maglev.tableSize || DEFAULT_TABLE_SIZE;
    return { lb_policy: 'MAGLEV', maglev_lb_config: { table_size: String(size) } };
  }
  const size = ringHash === undefined ? minimumRingSize : ringHash.minimumRingSize;
  return { lb_policy: 'RING_HASH', ring_hash_lb_config: { minimum_ring_size: String(size || DEFAULT_RING_SIZE) } };
}

function slowStartConfig(settings: LoadBalancerSettings | undefined): SlowStartConfig | undefined {
  if (settings?.warmup !== undefined) {
    const { duration, minimumPercent = 10, aggression = 1 } = settings.warmup;
    return {
      slow_start_window: renderDuration(duration),
      aggression: { default_value: aggression },
      min_weight_percent: { value: minimumPercent },
    };
  }
  if (settings?.warmupDurationSecs === undefined) return undefined;
  return { slow_start_window: renderDuration(settings.warmupDurationSecs) };
}
