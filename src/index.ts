// The published API.
export type { Call, Decision, ErrorClass, TrailStep } from './decide/decision.js';
export type { Diagnostic, Severity } from './diagnostics/diagnostic.js';
export {
  type AnalyzeOptions,
  type AnalyzeResult,
  analyze,
  type ClientCertificate,
  type ClientSubject,
  ConfigError,
  decide,
  type FetchOptions,
  type GatewayHandle,
  type GatewayOptions,
  type HeaderRecord,
  loadConfig,
  type MeshConfig,
  type ObservableUpstream,
  OptionError,
  type Reply,
  type Snapshot,
  SourceError,
  startGateway,
  type TlsOutcome,
  type TlsVersion,
  type UpstreamSaw,
  type WorkloadCertificates,
} from './gateway.js';
