// A Kubernetes object after decoding: metadata, a typed spec, and where each of its fields was written.
import type { Origin } from '../../diagnostics/origin.js';
import type { DestinationRuleSpec } from './destination-rule.js';
import type { GatewaySpec } from './gateway.js';
import type {
  ConfigMapSpec,
  EndpointSliceSpec,
  EndpointsSpec,
  NamespaceSpec,
  PodSpec,
  SecretSpec,
  ServiceSpec,
} from './kubernetes.js';
import type { PeerAuthenticationSpec } from './peer-authentication.js';
import type { ServiceEntrySpec, WorkloadEntrySpec } from './service-entry.js';
import type { VirtualServiceSpec } from './virtual-service.js';

export interface Metadata {
  readonly name: string;
  /** '' for cluster-scoped kinds; else the written one or the command line's `-n` (default 'default'). */
  readonly namespace: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  /** Milliseconds since the epoch; 0 when the YAML has none (all objects are equally old then). */
  readonly creationTimestamp: number;
}

export type FieldPath = readonly (string | number)[];

export interface Resource<K extends Kind = Kind> {
  readonly kind: K;
  readonly apiVersion: string;
  readonly metadata: Metadata;
  /** For Kubernetes core kinds too: their fields beside `metadata` (`spec.ports`, `data`, `endpoints` …) as one value. */
  readonly spec: KindSpecs[K];
  /** The whole object. */
  readonly origin: Origin;
  /** A field, by its path from the top (`['spec', 'servers', 0, 'port']`); the nearest written parent when it is absent. */
  at(path: FieldPath): Origin;
}

/** The kinds that postern reads, with the type of their spec. */
export interface KindSpecs {
  readonly Gateway: GatewaySpec;
  readonly VirtualService: VirtualServiceSpec;
  readonly DestinationRule: DestinationRuleSpec;
  readonly ServiceEntry: ServiceEntrySpec;
  readonly WorkloadEntry: WorkloadEntrySpec;
  readonly PeerAuthentication: PeerAuthenticationSpec;
  readonly Service: ServiceSpec;
  readonly Pod: PodSpec;
  readonly EndpointSlice: EndpointSliceSpec;
  readonly Endpoints: EndpointsSpec;
  readonly Secret: SecretSpec;
  readonly ConfigMap: ConfigMapSpec;
  readonly Namespace: NamespaceSpec;
}

export type Kind = keyof KindSpecs;

/** 'Gateway/shop/public', the form in which diagnostics name an object. */
export function resourceName(resource: { readonly kind: string; readonly metadata: Metadata }): string {
  const { namespace, name } = resource.metadata;
  return namespace === '' ? `${resource.kind}/${name}` : `${resource.kind}/${namespace}/${name}`;
}
