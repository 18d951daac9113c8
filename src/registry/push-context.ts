// Everything that translation looks things up in, built once per configuration: services and their endpoints,
// destination rules, Secrets, the gateway workload. Immutable.
import type { DestinationRuleSpec } from '../config/model/destination-rule.js';
import type { MeshConfig } from '../config/model/mesh-config.js';
import type { Protocol } from '../config/model/protocol.js';
import type { Resource } from '../config/model/resource.js';
import type { Store } from '../config/store.js';

/** The emulated gateway workload (flags `--gateway-label`, `--gateway-namespace`, `--node-locality`, `--node-metadata`). */
export interface GatewayProxy {
  readonly namespace: string;
  /** The pod's labels. */
  readonly labels: Readonly<Record<string, string>>;
  readonly ipAddress: string;
  readonly locality: { readonly region?: string; readonly zone?: string; readonly subZone?: string };
  /** Node metadata without the ISTIO_META_ prefix: HTTP10, UNPRIVILEGED_POD, IDLE_TIMEOUT, … */
  readonly metadata: Readonly<Record<string, string>>;
  /** 'cluster.local'. */
  readonly domain: string;
}

/** One service of the registry: a Kubernetes Service, or one host of a ServiceEntry. Spec destinations.md §4, §6. */
export interface Service {
  /** `web.shop.svc.cluster.local`, `*.ext.test`. */
  readonly hostname: string;
  readonly namespace: string;
  readonly source: 'kubernetes' | 'serviceEntry' | 'assumed';
  readonly resource: Resource<'Service'> | Resource<'ServiceEntry'> | undefined;
  readonly creationTimestamp: number;
  readonly ports: readonly ServicePort[];
  readonly resolution: 'ClientSideLB' | 'DNSLB' | 'DNSRoundRobinLB' | 'Passthrough' | 'Alias' | 'DynamicDNS';
  readonly meshExternal: boolean;
  /** Empty = the mesh default. */
  readonly exportTo: readonly string[];
  /** ExternalName target. */
  readonly externalName: string | undefined;
  readonly headless: boolean;
  readonly publishNotReadyAddresses: boolean;
  readonly subjectAltNames: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
}

/** A port of a service; the number is the service's, not the endpoint's. */
export interface ServicePort {
  readonly name: string;
  readonly port: number;
  readonly protocol: Protocol;
}

/** One address behind a service port, before subset and locality filtering. */
export interface IstioEndpoint {
  readonly address: string;
  readonly port: number;
  readonly servicePortName: string;
  readonly labels: Readonly<Record<string, string>>;
  /** 'region/zone/subzone' or ''. */
  readonly locality: string;
  readonly weight: number;
  readonly health: 'HEALTHY' | 'UNHEALTHY' | 'DRAINING';
  readonly tlsMode: 'istio' | 'disabled';
  readonly serviceAccount: string | undefined;
  readonly namespace: string;
  readonly hostname: string | undefined;
}

/** DestinationRules of one host after merging (spec destinations.md §2.3). */
export interface MergedDestinationRule {
  readonly spec: DestinationRuleSpec;
  /** In merge order; the first one names the whole. */
  readonly from: readonly Resource<'DestinationRule'>[];
}

/** A Secret or ConfigMap resolved for an SDS name (spec gateway.md §8). */
export type ResolvedCredential =
  | {
      readonly kind: 'certificate';
      readonly certificateChain: string;
      readonly privateKey: string;
      /** `tls.ocsp-staple`: DER as latin1. */
      readonly ocspStaple?: string;
      readonly from: Resource | undefined;
    }
  | {
      readonly kind: 'ca';
      readonly trustedCa: string;
      readonly crl: string | undefined;
      readonly from: Resource | undefined;
    }
  /** `reason` is istiod's text. */
  | { readonly kind: 'missing'; readonly reason: string };

/** The registry as one gateway sees it. */
export interface PushContext {
  readonly store: Store;
  readonly mesh: MeshConfig;
  readonly proxy: GatewayProxy;
  /** Visible to the gateway, one per hostname, in Istio's order. */
  readonly services: readonly Service[];
  /** A visible service by its exact hostname. */
  service(hostname: string): Service | undefined;
  /** All endpoints of one service port. */
  endpoints(service: Service, port: ServicePort): readonly IstioEndpoint[];
  /** The rule that applies to this host for this gateway (spec destinations.md §2.4). */
  destinationRule(hostname: string): MergedDestinationRule | undefined;
  /** Material for an SDS name: `kubernetes://x`, `kubernetes://x-cacert`, `configmap://ns/x`, `file-cert:…`, `default`, `ROOTCA`. */
  credential(sdsName: string): ResolvedCredential;
}

/** Material that does not come from the store. PEM texts. */
export interface WorkloadCertificates {
  readonly certificateChain: string;
  readonly privateKey: string;
  readonly root: string;
}

/** Reads a file that a Gateway or DestinationRule names on the gateway pod; `undefined` = not there. */
export type ReadCredentialFile = (path: string) => string | undefined;

/** What the files do not say. */
export interface PushContextOptions {
  readonly workloadCertificates?: WorkloadCertificates;
  readonly readFile?: ReadCredentialFile;
  /** Registers every destination host that routes name and that no Service or ServiceEntry declares (`--assume-services`). */
  readonly assumeServices?: boolean;
}
