// What Istio derives from the labels of a workload: its locality, its TLS mode, and the topology labels that it adds
// for subset matching. Spec destinations.md §5.3, §5.5.
import type { Labels } from '../config/model/common.js';

/** Istio's name of the only cluster. */
const CLUSTER_ID = 'Kubernetes';

/** 'region/zone/subzone' from a workload's locality label ('.' stands for '/' there when it has no '/'), or ''. */
export function localityOfLabels(labels: Labels): string {
  const label = labels['topology.istio.io/locality'] ?? labels['istio-locality'] ?? '';
  return label.includes('/') ? label : label.replaceAll('.', '/');
}

/** `security.istio.io/tlsMode`, which sidecar injection writes; `fallback` where it is absent. */
export function tlsModeOfLabels(labels: Labels, fallback: 'istio' | 'disabled'): 'istio' | 'disabled' {
  const label = labels['security.istio.io/tlsMode'];
  if (label === undefined) return fallback;
  return label === 'istio' ? 'istio' : 'disabled';
}

/** The labels that a subset may select by: the workload's own and those that Istio always adds. */
export function withTopologyLabels(
  labels: Labels,
  locality: string,
  nodeName: string | undefined,
  network: string | undefined = undefined,
): Labels {
  const [region = '', zone = '', subzone = ''] = locality.split('/');
  return {
    ...labels,
    ...(region === '' ? {} : { 'topology.kubernetes.io/region': region }),
    ...(zone === '' ? {} : { 'topology.kubernetes.io/zone': zone }),
    ...(subzone === '' ? {} : { 'topology.istio.io/subzone': subzone }),
    'topology.istio.io/cluster': CLUSTER_ID,
    ...(network === undefined || network === '' ? {} : { 'topology.istio.io/network': network }),
    ...(nodeName === undefined || nodeName === '' ? {} : { 'kubernetes.io/hostname': nodeName }),
  };
}
