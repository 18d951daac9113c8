// Locality-aware load balancing: which endpoints get which priority and locality weight. Spec destinations.md §8.6.
// Source: istio/istio pilot/pkg/networking/core/loadbalancer/loadbalancer.go (ApplyLocalityLoadBalancer,
// applyLocalityWeights, applyLocalityFailover, applyFailoverPriorities).
import type {
  LoadBalancerSettings,
  LocalityLbSetting,
  ZoneAwareLbSetting,
} from '../../config/model/destination-rule.js';
import { compareText } from '../../config/text-order.js';
import type { GatewayProxy, IstioEndpoint, PushContext, Service } from '../../registry/push-context.js';

/** The endpoints of one locality (and, with failoverPriority, of one priority of it). */
export interface LocalityEndpoints {
  /** 'region/zone/subzone' or ''. */
  readonly locality: string;
  readonly endpoints: readonly IstioEndpoint[];
  readonly priority: number;
  readonly weight: number;
}

/** The locality setting that counts for a service. */
export interface LocalitySetting {
  readonly setting: LocalityLbSetting;
  /** From the Service's trafficDistribution: failover works without outlierDetection. */
  readonly forced: boolean;
  /** From a zoneAwareLbSetting: the own region first, with or without outlierDetection. */
  readonly zoneAware?: true;
}

const NETWORK_LABEL = 'topology.istio.io/network';
const REGION_LABEL = 'topology.kubernetes.io/region';
const ZONE_LABEL = 'topology.kubernetes.io/zone';
const SUBZONE_LABEL = 'topology.istio.io/subzone';
const HOSTNAME_LABEL = 'kubernetes.io/hostname';

const PREFER_ZONE = [NETWORK_LABEL, REGION_LABEL, ZONE_LABEL];
const PREFER_NODE = [...PREFER_ZONE, SUBZONE_LABEL, HOSTNAME_LABEL];

const DISTRIBUTIONS: ReadonlyMap<string, readonly string[]> = new Map([
  ['PreferClose', PREFER_ZONE],
  ['PreferSameZone', PREFER_ZONE],
  ['PreferSameNode', PREFER_NODE],
]);

/** The setting that counts for a service: the rule's, its trafficDistribution, the mesh's; `undefined` = none. */
export function localitySetting(
  context: PushContext,
  service: Service,
  rule: Pick<LoadBalancerSettings, 'localityLbSetting' | 'zoneAwareLbSetting'> | undefined,
): LocalitySetting | undefined {
  if (rule?.zoneAwareLbSetting !== undefined) return zoneAware(rule.zoneAwareLbSetting);
  const own = rule?.localityLbSetting;
  if (own !== undefined) return own.enabled === false ? undefined : { setting: own, forced: false };
  const failoverPriority = trafficDistribution(context, service);
  if (failoverPriority !== undefined)
    return { setting: { distribute: [], failover: [], failoverPriority, enabled: true }, forced: true };
  if (context.mesh.zoneAwareLbSetting !== undefined) return zoneAware(context.mesh.zoneAwareLbSetting);
  const mesh = context.mesh.localityLbSetting;
  if (mesh === undefined) return { setting: { distribute: [], failover: [], failoverPriority: [] }, forced: false };
  return mesh.enabled === false ? undefined : { setting: mesh, forced: false };
}

// Weights between the zones of a region need a proxy that has discovered its own cluster; without it the hosts of the
// region are one flat list (spec §8.6).
function zoneAware(setting: ZoneAwareLbSetting): LocalitySetting | undefined {
  if (setting.enabled === false) return undefined;
  const { failover, failoverPriority } = setting;
  return { setting: { distribute: [], failover, failoverPriority }, forced: true, zoneAware: true };
}

// The field of the Service, else the annotation on it, else the one on its Namespace (spec §4.1).
function trafficDistribution(context: PushContext, service: Service): readonly string[] | undefined {
  const annotation = 'networking.istio.io/traffic-distribution';
  const spec = service.resource?.spec;
  const field = spec !== undefined && 'trafficDistribution' in spec ? spec.trafficDistribution : undefined;
  const written =
    field ??
    service.resource?.metadata.annotations[annotation] ??
    context.store.get('Namespace', '', service.namespace)?.metadata.annotations[annotation];
  return written === undefined ? undefined : DISTRIBUTIONS.get(written);
}

/** True where the cluster balances by locality weights. */
export function usesLocalityWeights(locality: LocalitySetting | undefined): boolean {
  if (locality === undefined || locality.zoneAware === true) return false;
  const { distribute, failover, failoverPriority } = locality.setting;
  return distribute.length > 0 || failover.length > 0 || failoverPriority.length > 0;
}

/** Endpoints by locality in order of its name; weight is the sum of their weights. */
export function groupByLocality(endpoints: readonly IstioEndpoint[]): readonly LocalityEndpoints[] {
  const groups = new Map<string, IstioEndpoint[]>();
  for (const endpoint of endpoints) {
    const group = groups.get(endpoint.locality);
    if (group === undefined) groups.set(endpoint.locality, [endpoint]);
    else group.push(endpoint);
  }
  return [...groups]
    .sort(([a], [b]) => compareText(a, b))
    .map(([locality, members]) => ({ locality, endpoints: members, priority: 0, weight: sumWeights(members) }));
}

/** Lays the setting over the groups. `failsOver`: the cluster has outlier detection (or need not have it). */
export function applyLocality(
  groups: readonly LocalityEndpoints[],
  locality: LocalitySetting | undefined,
  hasOutlierDetection: boolean,
  proxy: GatewayProxy,
): readonly LocalityEndpoints[] {
  if (locality === undefined) return groups;
  const { setting, forced } = locality;
  const rank = locality.zoneAware === true ? regionRank : failoverRank;
  const own = parseLocality(proxyLocality(proxy));
  if (setting.distribute.length > 0) return distribute(groups, setting, own);
  if (!hasOutlierDetection && !forced) return groups;
  if (setting.failoverPriority.length > 0) {
    const byLabels = byFailoverPriority(groups, setting.failoverPriority, proxy);
    return compact(
      setting.failover.length > 0 || rank === regionRank ? refine(byLabels, setting, own, rank) : byLabels,
    );
  }
  return compact(groups.map((group) => ({ ...group, priority: rank(group.locality, setting, own) })));
}

interface LocalityParts {
  readonly region: string;
  readonly zone: string;
  readonly subzone: string;
}

function parseLocality(text: string): LocalityParts {
  const [region = '', zone = '', subzone = ''] = text.split('/');
  return { region, zone, subzone };
}

function proxyLocality({ locality }: GatewayProxy): string {
  return `${locality.region ?? ''}/${locality.zone ?? ''}/${locality.subZone ?? ''}`;
}

// The first entry whose `from` covers the gateway; localities that its `to` does not mention get nothing.
function distribute(
  groups: readonly LocalityEndpoints[],
  setting: LocalityLbSetting,
  own: LocalityParts,
): readonly LocalityEndpoints[] {
  const entry = setting.distribute.find(({ from }) => covers(from, own));
  if (entry === undefined) return groups;
  const taken = new Set<LocalityEndpoints>();
  const weights = new Map<LocalityEndpoints, number>();
  // Longer patterns are no more specific to Istio: each `to` takes what no earlier one took, in order of its text.
  for (const [pattern, percent] of Object.entries(entry.to).sort(([a], [b]) => compareText(a, b))) {
    const matching = groups.filter((group) => !taken.has(group) && covers(pattern, parseLocality(group.locality)));
    const total = matching.reduce((sum, group) => sum + group.weight, 0);
    for (const group of matching) {
      taken.add(group);
      weights.set(group, Math.ceil((percent * group.weight) / total));
    }
  }
  return groups
    .filter((group) => taken.has(group))
    .map((group) => ({ ...group, weight: weights.get(group) ?? group.weight }));
}

/** `eu/*`, `eu/eu-1/*`, `*`: a missing or starred part matches all. */
function covers(pattern: string, locality: LocalityParts): boolean {
  const [region = '', zone = '', subzone = ''] = pattern.split('/');
  const matches = (part: string, value: string): boolean => part === '' || part === '*' || part === value;
  return matches(region, locality.region) && matches(zone, locality.zone) && matches(subzone, locality.subzone);
}

function failoverRank(locality: string, { failover }: LocalityLbSetting, own: LocalityParts): number {
  const other = parseLocality(locality);
  if (other.region === own.region) {
    if (other.zone !== own.zone) return 2;
    return other.subzone === own.subzone ? 0 : 1;
  }
  const entry = failover.find(({ from }) => from === own.region);
  return entry === undefined || entry.to === other.region ? 3 : 4;
}

function regionRank(locality: string, { failover }: LocalityLbSetting, own: LocalityParts): number {
  const { region } = parseLocality(locality);
  if (region === own.region) return 0;
  return failover.some(({ from, to }) => from === own.region && to === region) ? 1 : 2;
}

function byFailoverPriority(
  groups: readonly LocalityEndpoints[],
  labels: readonly string[],
  proxy: GatewayProxy,
): readonly LocalityEndpoints[] {
  const own = proxyLabels(proxy);
  return groups.flatMap((group) => {
    const byRank = new Map<number, IstioEndpoint[]>();
    for (const endpoint of group.endpoints) {
      const rank = labelRank(endpoint.labels, labels, own);
      byRank.set(rank, [...(byRank.get(rank) ?? []), endpoint]);
    }
    return [...byRank]
      .sort(([a], [b]) => a - b)
      .map(([priority, endpoints]) => ({
        locality: group.locality,
        endpoints,
        priority,
        weight: sumWeights(endpoints),
      }));
  });
}

// One step per leading label that fits; another network first adds all steps instead of ending the comparison.
function labelRank(
  labels: Readonly<Record<string, string>>,
  wanted: readonly string[],
  own: Readonly<Record<string, string>>,
): number {
  let rank = 0;
  for (const [index, text] of wanted.entries()) {
    const equals = text.indexOf('=');
    const name = equals === -1 ? text : text.slice(0, equals);
    const value = equals === -1 ? own[name] : text.slice(equals + 1);
    if ((labels[name] ?? '') === (value ?? '')) continue;
    if (index === 0 && name === NETWORK_LABEL) {
      rank += wanted.length;
      continue;
    }
    return rank + wanted.length - index;
  }
  return rank;
}

function proxyLabels(proxy: GatewayProxy): Readonly<Record<string, string>> {
  const { region = '', zone = '', subZone = '' } = proxy.locality;
  const node = proxy.metadata['NODE_NAME'];
  return {
    ...(region === '' ? {} : { [REGION_LABEL]: region }),
    ...(zone === '' ? {} : { [ZONE_LABEL]: zone }),
    ...(subZone === '' ? {} : { [SUBZONE_LABEL]: subZone }),
    'topology.istio.io/cluster': 'Kubernetes',
    ...(node === undefined ? {} : { [HOSTNAME_LABEL]: node }),
    ...proxy.labels,
  };
}

/** `failover` inside each step of `failoverPriority`. */
function refine(
  groups: readonly LocalityEndpoints[],
  setting: LocalityLbSetting,
  own: LocalityParts,
  rank: typeof failoverRank,
): readonly LocalityEndpoints[] {
  return groups.map((group) => ({
    ...group,
    priority: group.priority * 5 + rank(group.locality, setting, own),
  }));
}

/** Priorities without gaps, from 0. */
function compact(groups: readonly LocalityEndpoints[]): readonly LocalityEndpoints[] {
  const used = [...new Set(groups.map(({ priority }) => priority))].sort((a, b) => a - b);
  return groups.map((group) => ({ ...group, priority: used.indexOf(group.priority) }));
}

function sumWeights(endpoints: readonly IstioEndpoint[]): number {
  return endpoints.reduce((sum, endpoint) => sum + endpoint.weight, 0);
}
