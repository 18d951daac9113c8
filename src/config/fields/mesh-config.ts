// MeshConfig and ProxyConfig, field by field: what a mesh's operator sets for all proxies. Spec destinations.md §1.9,
// gateway.md §12. istiod reads it leniently, see `DecodeContext.strictness`.
import { emulated, message, noEffect, notEmulated, notEmulatedUnless, type Row } from '../decode/message.js';
import {
  anything,
  bool,
  converted,
  enumeration,
  int32,
  list,
  mapOf,
  type OptionalType,
  plainDuration,
  present,
  string,
  uint32,
  unlessEmpty,
} from '../decode/value-type.js';
import type { ConnectionSettings, MeshConfig, ProxyConfig } from '../model/mesh-config.js';
import {
  connectionPool,
  localityLbSetting,
  outlierDetection,
  tcpKeepalive,
  zoneAwareLbSetting,
} from './destination-rule.js';
import { tlsVersion } from './gateway.js';
import { httpRetry } from './virtual-service.js';

type GatewayTopology = NonNullable<ProxyConfig['gatewayTopology']>;
type ProxyHeaders = NonNullable<ProxyConfig['proxyHeaders']>;
type TlsDefaults = NonNullable<MeshConfig['tlsDefaults']>;
type DefaultTrafficPolicy = NonNullable<MeshConfig['defaultTrafficPolicy']>;
type MeshMtls = NonNullable<MeshConfig['meshMTLS']>;

const SIDECARS_ONLY = 'for sidecars: a gateway forwards what its routes say and nothing else';
const MESH_MTLS = "versions and ciphers of the mesh's own mutual TLS, ISTIO_MUTUAL servers included";

function every(
  row: (type: OptionalType<unknown>, note: string) => Row<unknown>,
  note: string,
  ...names: readonly string[]
): Readonly<Record<string, Row<unknown>>> {
  return Object.fromEntries(names.map((name) => [name, row(anything, note)]));
}

const forwardClientCertDetails: OptionalType<NonNullable<GatewayTopology['forwardClientCertDetails']>> = enumeration(
  'UNDEFINED',
  'SANITIZE',
  'FORWARD_ONLY',
  'APPEND_FORWARD',
  'SANITIZE_SET',
  'ALWAYS_FORWARD_ONLY',
);

const gatewayTopology: OptionalType<GatewayTopology> = message<GatewayTopology>('Topology', {
  numTrustedProxies: emulated(uint32),
  forwardClientCertDetails: emulated(forwardClientCertDetails),
  proxyProtocol: emulated(converted(anything, () => true)),
});

const disabled: OptionalType<{ readonly disabled?: boolean }> = message<{ readonly disabled?: boolean }>(
  'ProxyHeaders.Disabled',
  { disabled: emulated(present(bool)) },
);

const enabled: OptionalType<{ readonly enabled?: boolean }> = message<{ readonly enabled?: boolean }>(
  'ProxyHeaders.Enabled',
  { enabled: emulated(present(bool)) },
);

const proxyHeaders: OptionalType<ProxyHeaders> = message<ProxyHeaders>(
  'ProxyHeaders',
  {
    requestId: emulated(disabled),
    server: emulated(
      message<NonNullable<ProxyHeaders['server']>>('ProxyHeaders.Server', {
        disabled: emulated(present(bool)),
        value: emulated(string),
      }),
    ),
    attemptCount: emulated(disabled),
    envoyDebugHeaders: emulated(disabled),
    xForwardedHost: emulated(enabled),
    xForwardedPort: emulated(enabled),
  },
  {
    others: {
      ...every(
        noEffect,
        'for sidecars: a gateway has gatewayTopology.forwardClientCertDetails, and exchanges no such headers',
        'metadataExchangeHeaders',
        'forwardedClientCert',
        'setCurrentClientCertDetails',
      ),
      ...every(notEmulated, 'Envoy keeps the case of header names of HTTP/1.1', 'preserveHttp1HeaderCase'),
    },
  },
);

type UnderscoresAction = NonNullable<ConnectionSettings['httpHeadersWithUnderscoresAction']>;
type EscapedSlashesAction = NonNullable<ConnectionSettings['httpPathWithEscapedSlashesAction']>;

// The words of the API have a prefix, which its documentation leaves out.
const UNDERSCORES: Readonly<Record<string, UnderscoresAction | undefined>> = {
  ALLOW: 'ALLOW',
  REJECT_REQUEST: 'REJECT_REQUEST',
  DROP_HEADER: 'DROP_HEADER',
  HEADERS_WITH_UNDERSCORES_ALLOW: 'ALLOW',
  HEADERS_WITH_UNDERSCORES_REJECT_REQUEST: 'REJECT_REQUEST',
  HEADERS_WITH_UNDERSCORES_DROP_HEADER: 'DROP_HEADER',
};

const underscoresAction: OptionalType<UnderscoresAction> = converted(
  enumeration('HEADERS_WITH_UNDERSCORES_UNSPECIFIED', ...Object.keys(UNDERSCORES)),
  (word) => UNDERSCORES[word],
);

const escapedSlashesAction: OptionalType<EscapedSlashesAction> = converted(
  enumeration(
    'PATH_WITH_ESCAPED_SLASHES_UNSPECIFIED',
    'KEEP_UNCHANGED',
    'REJECT_REQUEST',
    'UNESCAPE_AND_REDIRECT',
    'UNESCAPE_AND_FORWARD',
  ),
  (word) => (word === 'PATH_WITH_ESCAPED_SLASHES_UNSPECIFIED' ? undefined : word),
);

/** istiod takes a negative number for none. */
const limit: OptionalType<number> = converted(present(int32), (value) => (value < 0 ? undefined : value));

const connectionSettings: OptionalType<ConnectionSettings> = message<ConnectionSettings>(
  'ConnectionSettings',
  {
    profile: emulated(enumeration('DEFAULT', 'SIDECAR', 'EDGE')),
    listenerPerConnectionBufferLimitBytes: notEmulated(limit, 'Envoy reads no more of a client than this ahead'),
    httpRequestHeadersTimeout: emulated(plainDuration),
    httpIdleTimeout: emulated(plainDuration),
    httpRequestTimeout: emulated(plainDuration),
    httpStreamIdleTimeout: emulated(plainDuration),
    httpMaxConcurrentStreams: emulated(limit),
    http2InitialStreamWindowSize: emulated(limit),
    http2InitialConnectionWindowSize: emulated(limit),
    httpHeadersWithUnderscoresAction: emulated(underscoresAction),
    httpMergeSlashes: emulated(present(bool)),
    httpPathWithEscapedSlashesAction: emulated(escapedSlashesAction),
  },
  {
    others: every(
      notEmulated,
      "limits on the gateway's own memory, number and age of connections and streams",
      'clusterPerConnectionBufferLimitBytes',
      'globalDownstreamConnectionLimit',
      'httpDrainTimeout',
      'httpMaxConnectionDuration',
      'httpMaxStreamDuration',
    ),
  },
);

const proxyConfig: OptionalType<ProxyConfig> = message<ProxyConfig>(
  'ProxyConfig',
  {
    gatewayTopology: emulated(gatewayTopology),
    proxyHeaders: emulated(proxyHeaders),
    proxyMetadata: notEmulated(
      unlessEmpty(mapOf(string)),
      'environment of the proxy; some of its variables change what istiod sends',
    ),
    connectionSettings: emulated(connectionSettings),
  },
  {
    others: {
      ...every(
        noEffect,
        'threads, paths, addresses and life cycle of a proxy process; telemetry; what istiod tells sidecars',
        'availabilityZone',
        'binaryPath',
        'caCertificatesPem',
        'concurrency',
        'configPath',
        'controlPlaneAuthPolicy',
        'customConfigFile',
        'discoveryAddress',
        'discoveryRefreshDelay',
        'drainDuration',
        'envoyMetricsService',
        'envoyMetricsServiceAddress',
        'extraStatTags',
        'fileFlushInterval',
        'fileFlushMinSizeKb',
        'holdApplicationUntilProxyStarts',
        'image',
        'interceptionMode',
        'meshId',
        'parentShutdownDuration',
        'proxyAdminPort',
        'proxyBootstrapTemplatePath',
        'proxyStatsMatcher',
        'readinessProbe',
        'sds',
        'serviceCluster',
        'statNameLength',
        'statsdUdpAddress',
        'statsCompression',
        'statsEviction',
        'statusPort',
        'terminationDrainDuration',
        'tracingServiceName',
      ),
      ...every(
        noEffect,
        "says how to trace; whether it is done is for MeshConfig's enableTracing or a provider to say",
        'tracing',
        'zipkinAddress',
      ),
      ...every(notEmulated, 'Envoy sends its access log to a service', 'envoyAccessLogService'),
      ...every(notEmulated, 'Envoy signs with keys that a provider holds', 'privateKeyProvider'),
      ...every(notEmulated, 'runtime flags of Envoy, some of which change how it parses', 'runtimeValues'),
    },
  },
);

const pathNormalization: OptionalType<NonNullable<MeshConfig['pathNormalization']>> = converted(
  message<{ readonly normalization?: NonNullable<MeshConfig['pathNormalization']> }>('ProxyPathNormalization', {
    normalization: emulated(enumeration('DEFAULT', 'NONE', 'BASE', 'MERGE_SLASHES', 'DECODE_AND_MERGE_SLASHES')),
  }),
  (written) => written.normalization ?? 'DEFAULT',
);

const outboundTrafficPolicy: OptionalType<NonNullable<MeshConfig['outboundTrafficPolicy']>> = converted(
  message<{ readonly mode?: 'REGISTRY_ONLY' | 'ALLOW_ANY' }>('OutboundTrafficPolicy', {
    mode: noEffect(enumeration('REGISTRY_ONLY', 'ALLOW_ANY'), SIDECARS_ONLY),
  }),
  (written) => written.mode ?? 'REGISTRY_ONLY',
);

const tlsDefaults: OptionalType<TlsDefaults> = message<TlsDefaults>('MeshConfig.TLSConfig', {
  minProtocolVersion: emulated(tlsVersion),
  cipherSuites: emulated(list(string)),
  ecdhCurves: emulated(list(string)),
});

const meshMtls: OptionalType<MeshMtls> = message<MeshMtls>(
  'MeshConfig.TLSConfig',
  { minProtocolVersion: emulated(tlsVersion), cipherSuites: emulated(list(string)) },
  { others: { ecdhCurves: notEmulated(list(string), MESH_MTLS) } },
);

const defaultTrafficPolicy: OptionalType<DefaultTrafficPolicy> = message<DefaultTrafficPolicy>('DefaultTrafficPolicy', {
  connectionPool: emulated(connectionPool),
  outlierDetection: emulated(outlierDetection),
});

// Names of extensionProviders. Metrics and logs leave traffic as it is; tracing adds request headers.
const defaultProviders: OptionalType<unknown> = message<{ readonly tracing?: readonly string[] }>(
  'MeshConfig.DefaultProviders',
  { tracing: notEmulated(list(string), 'tracing adds headers to requests') },
  { others: every(noEffect, 'logs and metrics leave traffic as it is', 'accessLogging', 'metrics') },
);

export const meshConfig: OptionalType<MeshConfig> = message<MeshConfig>(
  'MeshConfig',
  {
    accessLogFile: noEffect(
      present(string),
      'whether there is an access log, and where, is for the command line to say',
    ),
    accessLogFormat: emulated(string),
    accessLogEncoding: emulated(enumeration('TEXT', 'JSON')),
    disableEnvoyListenerLog: notEmulated(bool, 'connections that no chain fits leave no line in the access log'),
    rootNamespace: emulated(string),
    trustDomain: emulated(string),
    trustDomainAliases: emulated(unlessEmpty(list(string))),
    connectTimeout: emulated(plainDuration),
    enableAutoMtls: emulated(present(bool)),
    defaultServiceExportTo: emulated(unlessEmpty(list(string))),
    defaultVirtualServiceExportTo: emulated(unlessEmpty(list(string))),
    defaultDestinationRuleExportTo: emulated(unlessEmpty(list(string))),
    defaultHttpRetryPolicy: emulated(httpRetry),
    dnsRefreshRate: emulated(plainDuration),
    h2UpgradePolicy: emulated(enumeration('DO_NOT_UPGRADE', 'UPGRADE')),
    localityLbSetting: emulated(localityLbSetting),
    zoneAwareLbSetting: emulated(zoneAwareLbSetting),
    outboundTrafficPolicy: noEffect(outboundTrafficPolicy, SIDECARS_ONLY),
    pathNormalization: emulated(pathNormalization),
    tcpKeepalive: emulated(tcpKeepalive),
    tlsDefaults: emulated(tlsDefaults),
    meshMTLS: notEmulated(meshMtls, MESH_MTLS),
    // Spec destinations.md §7.2.
    verifyCertificateAtClient: noEffect(present(bool), 'read by Istio before 1.20 alone'),
    defaultConfig: emulated(proxyConfig),
    defaultTrafficPolicy: emulated(defaultTrafficPolicy),
  },
  {
    others: {
      ...every(
        noEffect,
        "for sidecars, the ingress controller, the control plane's own connections or names of statistics",
        'ca',
        'caCertificates',
        'certificates',
        'configSources',
        'disableMixerHttpReports',
        'disablePolicyChecks',
        'enableClientSidePolicyCheck',
        'enablePrometheusMerge',
        'extensionProviders',
        'inboundClusterStatName',
        'inboundTrafficPolicy',
        'ingressClass',
        'ingressControllerMode',
        'ingressSelector',
        'ingressService',
        'mixerCheckServer',
        'mixerReportServer',
        'outboundClusterStatName',
        'policyCheckFailOpen',
        'protocolDetectionTimeout',
        'proxyHttpPort',
        'proxyInboundListenPort',
        'proxyListenPort',
        'serviceScopeConfigs',
        'sidecarToTelemetrySessionAffinity',
        'tcpKeepAlive',
        'thriftConfig',
        'hboneIdleTimeout',
      ),
      defaultProviders: noEffect(defaultProviders, 'names of extensionProviders; what is in it says more'),
      // Spec virtualservice.md §14.
      enableTracing: notEmulatedUnless(
        true,
        bool,
        'on by default; without it the upstream sees no x-envoy-decorator-operation',
      ),
      ...every(notEmulated, 'istiod reads the namespaces that it selects alone', 'discoverySelectors'),
      ...every(notEmulated, 'Envoy sends its access log to a service', 'enableEnvoyAccessLogService'),
      ...every(notEmulated, 'hides ServiceEntries of other namespaces', 'serviceEntryVisibility'),
      ...every(notEmulated, 'keeps the endpoints of a service within its cluster', 'serviceSettings'),
    },
  },
);
