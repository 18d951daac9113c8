// networking.istio.io ServiceEntry and WorkloadEntry. Spec destinations.md §1.7, §1.8, §6.
import type { Labels } from './common.js';

export interface ServiceEntrySpec {
  readonly hosts: readonly string[];
  readonly addresses: readonly string[];
  readonly ports: readonly ServicePortSpec[];
  readonly location: 'MESH_EXTERNAL' | 'MESH_INTERNAL';
  readonly resolution: 'NONE' | 'STATIC' | 'DNS' | 'DNS_ROUND_ROBIN' | 'DYNAMIC_DNS';
  readonly endpoints: readonly WorkloadEntrySpec[];
  readonly workloadSelector?: { readonly labels: Labels };
  readonly exportTo?: readonly string[];
  readonly subjectAltNames: readonly string[];
}

export interface ServicePortSpec {
  readonly number: number;
  readonly protocol?: string;
  readonly name: string;
  readonly targetPort?: number;
}

export interface WorkloadEntrySpec {
  readonly address?: string;
  readonly ports: Readonly<Record<string, number>>;
  readonly labels: Labels;
  readonly network?: string;
  /** 'region/zone/subzone'. */
  readonly locality?: string;
  readonly weight?: number;
  readonly serviceAccount?: string;
}
