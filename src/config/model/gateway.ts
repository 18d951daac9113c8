// networking.istio.io Gateway. Source: istio/api networking/v1alpha3/gateway.proto; spec gateway.md §1.
import type { Labels } from './common.js';

export interface GatewaySpec {
  /** Absent or empty: every gateway workload. */
  readonly selector: Labels;
  readonly servers: readonly Server[];
}

export interface Server {
  readonly port: Port;
  readonly hosts: readonly string[];
  readonly tls?: ServerTlsSettings;
  readonly bind?: string;
  /** Stat prefix of the HTTPS connection manager only. */
  readonly name?: string;
  readonly defaultEndpoint?: string;
}

export interface Port {
  readonly number: number;
  /** As written; compare with `parseProtocol`. */
  readonly protocol: string;
  readonly name: string;
}

export type TlsMode = 'PASSTHROUGH' | 'SIMPLE' | 'MUTUAL' | 'AUTO_PASSTHROUGH' | 'ISTIO_MUTUAL' | 'OPTIONAL_MUTUAL';
export type TlsVersion = 'TLS_AUTO' | 'TLSV1_0' | 'TLSV1_1' | 'TLSV1_2' | 'TLSV1_3';

interface TlsSettingsBase {
  readonly httpsRedirect: boolean;
}

export type ServerTlsSettings = PassthroughTlsSettings | TerminatingTlsSettings;

/** `mode` absent is PASSTHROUGH too. */
export interface PassthroughTlsSettings extends TlsSettingsBase {
  readonly mode: 'PASSTHROUGH' | 'AUTO_PASSTHROUGH';
}

export interface TerminatingTlsSettings extends TlsSettingsBase {
  readonly mode: 'SIMPLE' | 'MUTUAL' | 'OPTIONAL_MUTUAL' | 'ISTIO_MUTUAL';
  /** Where the server's certificates come from; ISTIO_MUTUAL: the workload's own. */
  readonly certificates: ServerCertificates;
  readonly subjectAltNames: readonly string[];
  readonly verifyCertificateSpki: readonly string[];
  readonly verifyCertificateHash: readonly string[];
  readonly minProtocolVersion?: TlsVersion;
  readonly maxProtocolVersion?: TlsVersion;
  readonly cipherSuites: readonly string[];
  readonly ecdhCurves: readonly string[];
  readonly insecureSkipVerify: boolean;
}

/** credentialName(s) beat every file field (spec gateway.md §8.7). */
export type ServerCertificates =
  | { readonly kind: 'credential'; readonly names: readonly string[]; readonly caCertCredentialName?: string }
  | {
      readonly kind: 'files';
      readonly pairs: readonly { readonly serverCertificate: string; readonly privateKey: string }[];
      readonly caCertificates?: string;
      readonly caCrl?: string;
    }
  | { readonly kind: 'workload'; readonly caCrl?: string };
