// Labels and annotations that istiod reads as if they were fields: key by key, with the same verdicts. Spec
// destinations.md §1.7, §4.1, §5.2-5.5; gateway.md §3.3.
import { FieldNotEmulated } from '../../diagnostics/catalogue.js';
import type { Place } from '../decode/place.js';
import { writtenNode } from '../decode/rule.js';
import type { FieldStatus } from '../decode/value-type.js';
import type { Kind } from '../model/resource.js';
import type { YamlMap } from '../yaml/tree.js';

/** One key of metadata. */
export interface MetadataKey {
  readonly kinds: readonly Kind[];
  readonly where: 'labels' | 'annotations';
  /** 'networking.istio.io/exportTo'. */
  readonly key: string;
  readonly status: Exclude<FieldStatus, 'refused' | 'no effect here'>;
  /** What it does, or what the real gateway does with it that is not done here. */
  readonly note: string;
}

const WORKLOADS: readonly Kind[] = ['Pod', 'WorkloadEntry'];
const SESSION = 'the gateway keeps a client at the endpoint that its cookie or header names';

/** In the order of the table of fields. */
export const METADATA_KEYS: readonly MetadataKey[] = [
  annotation(['Service'], 'networking.istio.io/exportTo', 'who sees the service'),
  annotation(
    ['Service', 'ServiceEntry', 'Namespace'],
    'networking.istio.io/traffic-distribution',
    'as trafficDistribution of a Service, which wins',
  ),
  annotation(['Service'], 'alpha.istio.io/canonical-serviceaccounts', 'whom ISTIO_MUTUAL expects at its endpoints'),
  annotation(['Service'], 'alpha.istio.io/kubernetes-serviceaccounts', 'the same, of the Service’s namespace'),
  annotation(['ServiceEntry'], 'istio.io/connect-strategy', 'RACE_FIRST_TCP_CONNECT races the addresses of a name'),
  label(
    ['Service'],
    'experimental.istio.io/disable-gateway-port-translation',
    'its ports do not translate server ports',
  ),
  label(['EndpointSlice'], 'kubernetes.io/service-name', 'whose endpoints these are'),
  label(WORKLOADS, 'security.istio.io/tlsMode', 'istio: a sidecar is there'),
  label(WORKLOADS, 'topology.istio.io/locality', 'where the workload is'),
  label(WORKLOADS, 'istio-locality', 'the same, older'),
  label(WORKLOADS, 'istio.io/draining', 'the endpoint gets no traffic'),
  { kinds: ['Service'], where: 'labels', key: 'istio.io/persistent-session', status: 'not emulated', note: SESSION },
  {
    kinds: ['Service'],
    where: 'labels',
    key: 'istio.io/persistent-session-header',
    status: 'not emulated',
    note: SESSION,
  },
];

function annotation(kinds: readonly Kind[], key: string, note: string): MetadataKey {
  return { kinds, where: 'annotations', key, status: 'emulated', note };
}

function label(kinds: readonly Kind[], key: string, note: string): MetadataKey {
  return { kinds, where: 'labels', key, status: 'emulated', note };
}

/** Warns about keys that istiod would act on; `object` is a whole object of this kind. */
export function reportMetadataKeys(kind: Kind, object: YamlMap, place: Place): void {
  const metadata = writtenNode(object, 'metadata');
  if (metadata?.kind !== 'map') return;
  for (const { kinds, where, key, status } of METADATA_KEYS) {
    if (status === 'emulated' || !kinds.includes(kind)) continue;
    const written = writtenNode(metadata, where);
    const entry = written?.kind === 'map' ? written.entries.find((one) => one.key === key) : undefined;
    if (entry === undefined) continue;
    const path = `${place.child('metadata').child(where)}[${key}]`;
    place.report(FieldNotEmulated, entry.keySpan, { path }, { label: 'has no effect here' });
  }
}
