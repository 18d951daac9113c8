// Clusters and endpoints of every recorded case against what istiod sent to the real gateway, field by field.
import type { PublishedEndpoint } from '../../src/translate/published.js';
import type { Cluster, Locality } from '../../src/xds/index.js';
import type { GoldenCase } from '../golden/support.js';
import { differences } from '../support/differences.js';
import { checkRecordedSnapshots } from '../support/golden-translation.js';

interface Xds {
  readonly clusters: readonly Cluster[];
  readonly endpoints: Readonly<Record<string, readonly PublishedEndpoint[]>>;
}

// The recorder left its own Service out of the ordinary clusters.
const RECORDERS_OWN = /^outbound\|.*\|istio-ingressgateway\.istio-system\.svc\.cluster\.local$/;

checkRecordedSnapshots<Xds>('clusters and endpoints', ({ clusters, endpoints }, want, golden) => {
  const listed = clusters.filter(({ name }) => !RECORDERS_OWN.test(name)) as readonly Cluster[];
  return [
    ...differences(byName(listed), byName(want.clusters)),
    ...differences(comparable(endpoints, want.clusters, golden), comparable(want.endpoints, want.clusters, golden)),
    ...differences(
      listed.map(({ name }) => name),
      want.clusters.map(({ name }) => name),
    ),
  ];
});

function byName(clusters: readonly Cluster[]): Readonly<Record<string, Cluster>> {
  return Object.fromEntries(clusters.map((cluster) => [cluster.name, cluster]));
}

// The recorded endpoints are Envoy's own dump after the calls: what outlier detection ejected is UNHEALTHY there, names
// are resolved, clusters without endpoints are left out, and the gateway's own locality comes first in each priority.
function comparable(
  endpoints: Xds['endpoints'],
  clusters: readonly Cluster[],
  golden: GoldenCase,
): Readonly<Record<string, readonly unknown[]>> {
  const kept: Record<string, readonly unknown[]> = {};
  for (const { name, type, outlier_detection } of clusters) {
    if (type !== 'EDS') continue;
    const list = endpoints[name] ?? [];
    if (list.length === 0) continue;
    const ordered = list
      .map((endpoint, index) => ({ endpoint, index, local: isLocal(endpoint.locality, golden) ? 0 : 1 }))
      .sort((a, b) => a.endpoint.priority - b.endpoint.priority || a.local - b.local || a.index - b.index);
    kept[name] = ordered.map(({ endpoint }) => {
      const { health, address, ...rest } = endpoint;
      const shown = { ...rest, address: socketPath(address) ?? address };
      return outlier_detection === undefined ? { ...shown, health } : shown;
    });
  }
  return kept;
}

function isLocal(locality: Locality, { locality: own = {} }: GoldenCase): boolean {
  return (['region', 'zone', 'sub_zone'] as const).every((part) => (locality[part] ?? '') === (own[part] ?? ''));
}

/** The recorder writes a unix socket as its JSON. */
function socketPath(address: string): string | undefined {
  return /^\{"pipe": \{"path": "(.*)"\}\}$/.exec(address)?.[1];
}
