// The parts of Kubernetes' own kinds that istiod reads.
import type { Labels } from './common.js';

export interface ServiceSpec {
  readonly type?: string;
  readonly clusterIP?: string;
  readonly clusterIPs: readonly string[];
  readonly externalName?: string;
  readonly externalIPs: readonly string[];
  readonly selector: Labels;
  readonly ports: readonly KubernetesServicePort[];
  readonly publishNotReadyAddresses: boolean;
  /** PreferClose, PreferSameZone, PreferSameNode. */
  readonly trafficDistribution?: string;
  readonly internalTrafficPolicy?: 'Cluster' | 'Local';
}

export interface KubernetesServicePort {
  readonly name?: string;
  readonly port: number;
  readonly targetPort?: number | string;
  readonly protocol: string;
  readonly appProtocol?: string;
  readonly nodePort?: number;
}

export interface PodSpec {
  readonly podIP?: string;
  readonly podIPs: readonly string[];
  readonly phase?: string;
  /** Condition Ready; `undefined` = not written. */
  readonly ready?: boolean;
  readonly deletionTimestamp?: string;
  readonly nodeName?: string;
  readonly serviceAccountName?: string;
  readonly hostNetwork: boolean;
  readonly containerPorts: readonly {
    readonly name?: string;
    readonly containerPort: number;
    /** `undefined` = not written, which is TCP; a ServiceEntry that selects the Pod looks at written ones only. */
    readonly protocol?: string;
  }[];
}

export interface EndpointSliceSpec {
  readonly addressType: string;
  readonly endpoints: readonly SliceEndpoint[];
  readonly ports: readonly EndpointPort[];
}

export interface SliceEndpoint {
  readonly addresses: readonly string[];
  /** Absent conditions count as ready and serving. */
  readonly ready?: boolean;
  readonly serving?: boolean;
  readonly terminating?: boolean;
  readonly hostname?: string;
  readonly zone?: string;
  readonly nodeName?: string;
  readonly targetRef?: ObjectReference;
}

export interface EndpointPort {
  readonly name?: string;
  readonly port?: number;
  readonly protocol?: string;
  readonly appProtocol?: string;
}

export interface ObjectReference {
  readonly kind?: string;
  readonly name?: string;
  readonly namespace?: string;
}

export interface EndpointsSpec {
  readonly subsets: readonly {
    readonly addresses: readonly EndpointAddress[];
    readonly notReadyAddresses: readonly EndpointAddress[];
    readonly ports: readonly EndpointPort[];
  }[];
}

export interface EndpointAddress {
  readonly ip: string;
  readonly hostname?: string;
  readonly nodeName?: string;
  readonly targetRef?: ObjectReference;
}

export interface SecretSpec {
  readonly type?: string;
  /** Decoded: `data` from base64 with `stringData` laid over it; values are the bytes as latin1. */
  readonly data: Readonly<Record<string, string>>;
}

export interface ConfigMapSpec {
  readonly data: Readonly<Record<string, string>>;
}

// biome-ignore lint/suspicious/noEmptyInterface: only metadata.labels of a Namespace matter
export interface NamespaceSpec {}
