// The one value between translation and the data plane: everything that istiod would have sent to the gateway, as
// plain JSON that survives `structuredClone`. Immutable; a reload makes a new one.
import type { Cluster, Endpoint } from './cluster.js';
import type { ListenerEntry } from './listener.js';
import type { RouteConfiguration } from './route.js';

/** An Envoy message whose fields do not matter to us (an empty object in all recordings). */
export type EmptyMessage = Readonly<Record<string, unknown>>;

/** Which resource made this, as istiod writes it: `/apis/networking.istio.io/v1/namespaces/NS/KIND/NAME`. */
export interface IstioMetadata {
  readonly filter_metadata: { readonly istio: { readonly config: string } };
}

export interface Snapshot {
  readonly listeners: readonly ListenerEntry[];
  readonly routes: readonly RouteConfiguration[];
  readonly clusters: readonly Cluster[];
  /** By cluster name; only EDS clusters are keys. */
  readonly endpoints: Readonly<Record<string, readonly Endpoint[]>>;
  /** By SDS name. A name that a listener or cluster asks for and that is not here, or is 'refused', is NOT READY. */
  readonly secrets: Readonly<Record<string, Secret>>;
  /** Route tables that Envoy refuses, by name, with Envoy's text (an unknown `%OPERATOR%`): a fresh port answers 404. */
  readonly refusedRoutes?: Readonly<Record<string, string>>;
  readonly accessLog: AccessLogSettings;
  /** Facts of the proxy that the data plane needs. */
  readonly node: NodeFacts;
}

export interface NodeFacts {
  /** The gateway pod's own address, Envoy's "local address" in logs and XFF. */
  readonly ipAddress: string;
  readonly region?: string;
  readonly zone?: string;
  readonly subZone?: string;
  /** Full names of the Services in front of the gateway; their own clusters are not published (see `publishSnapshot`). */
  readonly services?: readonly string[];
}

export interface AccessLogSettings {
  /** From MeshConfig; `undefined` = Istio's default of that encoding. */
  readonly format?: string;
  readonly encoding?: 'TEXT' | 'JSON';
}

/** Material of one SDS secret. PEM texts. Never printed: see `publishedSecrets`. */
export type Secret =
  | {
      readonly kind: 'tls_certificate';
      readonly certificateChain: string;
      readonly privateKey: string;
      /** DER as latin1. */
      readonly ocspStaple?: string;
      readonly originId?: number;
    }
  | {
      readonly kind: 'validation_context';
      /** PEM of one or more certificates; '' under `file-root:system` means the roots that the run time brings along. */
      readonly trustedCa: string;
      readonly crl?: string;
      readonly originId?: number;
    }
  /** Envoy refused it (`reason` is Envoy's text): the chain that needs it is NOT READY. */
  | { readonly kind: 'refused'; readonly reason: string; readonly originId?: number };

/** What `proxy-config secrets` and `/config_dump` may show: names only, as in the recordings. */
export interface PublishedSecrets {
  readonly active: readonly string[];
  readonly warming: readonly string[];
}
