// The parts of MeshConfig that change what an ingress gateway does. Defaults are Istio's and are applied by the reader
// (`registry/` and `translate/`), so a field is `undefined` when nobody wrote it.
import type {
  ConnectionPoolSettings,
  LocalityLbSetting,
  OutlierDetectionSettings,
  ZoneAwareLbSetting,
} from './destination-rule.js';
import type { TlsVersion } from './gateway.js';
import type { HttpRetry } from './virtual-service.js';

export interface MeshConfig {
  readonly accessLogFile?: string;
  readonly accessLogFormat?: string;
  readonly accessLogEncoding?: 'TEXT' | 'JSON';
  readonly disableEnvoyListenerLog?: boolean;
  readonly rootNamespace?: string;
  readonly trustDomain?: string;
  /** Other names of `trustDomain`, for the identities that upstreams show. */
  readonly trustDomainAliases?: readonly string[];
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
  /** Wins over `localityLbSetting`. */
  readonly zoneAwareLbSetting?: ZoneAwareLbSetting;
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
  /** Istio 1.31+ (spec gateway.md §12.1). */
  readonly connectionSettings?: ConnectionSettings;
}

/** Durations in milliseconds. What is not written is the profile's to say, see `connectionSetting`. */
export interface ConnectionSettings {
  readonly profile?: 'DEFAULT' | 'SIDECAR' | 'EDGE';
  readonly listenerPerConnectionBufferLimitBytes?: number;
  readonly httpIdleTimeout?: number;
  readonly httpRequestTimeout?: number;
  readonly httpRequestHeadersTimeout?: number;
  readonly httpStreamIdleTimeout?: number;
  readonly httpMaxConcurrentStreams?: number;
  readonly http2InitialStreamWindowSize?: number;
  readonly http2InitialConnectionWindowSize?: number;
  readonly httpHeadersWithUnderscoresAction?: 'ALLOW' | 'REJECT_REQUEST' | 'DROP_HEADER';
  readonly httpMergeSlashes?: boolean;
  readonly httpPathWithEscapedSlashesAction?:
    | 'KEEP_UNCHANGED'
    | 'REJECT_REQUEST'
    | 'UNESCAPE_AND_REDIRECT'
    | 'UNESCAPE_AND_FORWARD';
}
