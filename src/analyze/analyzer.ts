// What an analyzer is: a name, the kinds that it reads, the messages that it can give, and a pure function.
import type { MeshConfig } from '../config/model/mesh-config.js';
import type { WrittenObject } from '../config/written-object.js';
import type { DiagnosticDetails, MessageType } from '../diagnostics/diagnostic.js';
import type { Origin, OriginTable } from '../diagnostics/origin.js';
import type { PushContext } from '../registry/push-context.js';
import type { Snapshot } from '../xds/index.js';
import type { Field } from './field.js';

/** API group of each kind that an analyzer may read. */
export const ANALYZED_KINDS = {
  Gateway: 'networking.istio.io',
  VirtualService: 'networking.istio.io',
  DestinationRule: 'networking.istio.io',
  ServiceEntry: 'networking.istio.io',
  WorkloadEntry: 'networking.istio.io',
  Sidecar: 'networking.istio.io',
  EnvoyFilter: 'networking.istio.io',
  AuthorizationPolicy: 'security.istio.io',
  RequestAuthentication: 'security.istio.io',
  PeerAuthentication: 'security.istio.io',
  KubernetesGateway: 'gateway.networking.k8s.io',
  GatewayClass: 'gateway.networking.k8s.io',
  HTTPRoute: 'gateway.networking.k8s.io',
  GRPCRoute: 'gateway.networking.k8s.io',
  TCPRoute: 'gateway.networking.k8s.io',
  TLSRoute: 'gateway.networking.k8s.io',
  Service: '',
  Pod: '',
  Secret: '',
  Namespace: '',
  Node: '',
  ConfigMap: '',
  Deployment: 'apps',
} as const;

/** `KubernetesGateway` is the Gateway of the Gateway API. */
export type AnalyzedKind = keyof typeof ANALYZED_KINDS;

/** Where a message points, and what istioctl would print. */
export interface FindingDetails extends DiagnosticDetails {
  /**
   * The field whose line `istioctl analyze` prints; without it the first line of the object. Only decides the order of
   * messages, which istioctl takes from the printed text (spec validation.md §10.1).
   */
  readonly printed?: Field;
}

export type Parameters = Readonly<Record<string, string | number>>;

/** What the emulated gateway makes of the configuration: refused objects are not in it. */
export interface GatewayView {
  readonly push: PushContext;
  /** As istiod would send it, without stubs and mappings. */
  readonly snapshot: Snapshot;
  readonly origins: OriginTable;
}

/** What an analyzer sees. */
export interface AnalysisContext {
  /** All objects of a kind, by age, then name, then namespace. */
  all(kind: AnalyzedKind): readonly WrittenObject[];
  find(kind: AnalyzedKind, namespace: string, name: string): WrittenObject | undefined;
  readonly mesh: MeshConfig;
  /** Now, in milliseconds: certificates end. */
  readonly now: number;
  /** Says something of an object, at the smallest span. Nothing is said of the gateway that is assumed. */
  report(
    type: MessageType,
    at: Field | WrittenObject | Origin | undefined,
    parameters?: Parameters,
    details?: FindingDetails,
  ): void;
}

/** What an analyzer of our own sees beside. */
export interface GatewayAnalysisContext extends AnalysisContext {
  readonly gateway: GatewayView;
}

/** One analyzer. */
export interface Analyzer<C extends AnalysisContext = AnalysisContext> {
  /** As `istioctl analyze --list-analyzers` names it, or `postern.…`. */
  readonly name: string;
  /** What it looks for, in one sentence. */
  readonly description: string;
  /** Kinds that it reads. */
  readonly inputs: readonly AnalyzedKind[];
  /** Messages that it gives. */
  readonly messages: readonly MessageType[];
  analyze(context: C): void;
}

/** One that asks what the emulated gateway makes of the configuration. */
export type GatewayAnalyzer = Analyzer<GatewayAnalysisContext>;
