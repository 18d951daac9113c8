// The parts of MeshConfig that change what an ingress gateway does. Defaults are Istio's and are applied by the reader
// (`registry/` and `translate/`), so a field is `undefined` when nobody wrote it.
import type { ConnectionPoolSettings, LocalityLbSetting, OutlierDetectionSettings } from './destination-rule.js';
import type { TlsVersion } from './gateway.js';
import type { HttpRetry } from './virtual-service.js';

export interface MeshConfig {
  readonly accessLogFile?: string;
  readonly accessLogFormat?: string;
  readonly accessLogEncoding?: 'TEXT' | 'JSON';
  readonly disableEnvoyListenerLog?: boolean;
  readonly rootNamespace?: string;
  readonly trustDomain?: string;
  readonly connectTimeout?: number;
  readonly enableAutoMtls?: boolean;
  readonly defaultServiceExportTo?: readonly string[];
  readonly defaultVirtualServiceExportTo?: readonly string[];
  readonly defaultDestinationRuleExportTo?: readonly string[];
  readonly defaultHttpRetryPolicy?: HttpRetry;
  /** Blocks for clusters whose rule has none (1.31+). */
  readonly defaultTrafficPolicy?: {
    readonly connectionPool?: ConnectionPoolSettings;
    readonly outlierDetection?: OutlierDetectionSettings;
  };
  readonly dnsRefreshRate?: number;
  readonly h2UpgradePolicy?: 'DO_NOT_UPGRADE' | 'UPGRADE';
  readonly localityLbSetting?: LocalityLbSetting;
  readonly outboundTrafficPolicy?: 'REGISTRY_ONLY' | 'ALLOW_ANY';
  readonly pathNormalization?: 'DEFAULT' | 'NONE' | 'BASE' | 'MERGE_SLASHES' | 'DECODE_AND_MERGE_SLASHES';
  readonly tcpKeepalive?: { readonly probes?: number; readonly time?: number; readonly interval?: number };
  readonly tlsDefaults?: {
    readonly minProtocolVersion?: TlsVersion;
    readonly cipherSuites: readonly string[];
    readonly ecdhCurves: readonly string[];
  };
  readonly meshMTLS?: { readonly minProtocolVersion?: TlsVersion; readonly cipherSuites: readonly string[] };
  readonly verifyCertificateAtClient?: boolean;
  readonly defaultConfig?: ProxyConfig;
}

/** `defaultConfig`: what is true of every proxy unless its pod says otherwise. */
export interface ProxyConfig {
  readonly gatewayTopology?: {
    readonly numTrustedProxies?: number;
    readonly forwardClientCertDetails?:
      | 'UNDEFINED'
      | 'SANITIZE'
      | 'FORWARD_ONLY'
      | 'APPEND_FORWARD'
      | 'SANITIZE_SET'
      | 'ALWAYS_FORWARD_ONLY';
    /** Present (even empty): every listener expects a PROXY header. */
    readonly proxyProtocol?: boolean;
  };
  readonly proxyHeaders?: {
    readonly requestId?: { readonly disabled?: boolean };
    readonly server?: { readonly disabled?: boolean; readonly value?: string };
    readonly attemptCount?: { readonly disabled?: boolean };
    readonly envoyDebugHeaders?: { readonly disabled?: boolean };
    readonly xForwardedHost?: { readonly enabled?: boolean };
    readonly xForwardedPort?: { readonly enabled?: boolean };
  };
  readonly proxyMetadata?: Readonly<Record<string, string>>;
  /** Raw, as written: EDGE profile, timeouts, limits (spec gateway.md §12.1, `connectionSettings`, 1.31+). */
  readonly connectionSettings?: ConnectionSettings;
}

export interface ConnectionSettings {
  readonly profile?: 'DEFAULT' | 'EDGE';
  readonly [setting: string]: unknown;
}
