// The published API.
export type { Call, Decision, ErrorClass, TrailStep } from './decide/decision.js';
export type { Diagnostic, Severity } from './diagnostics/diagnostic.js';
export { ConfigError, decide, type GatewayHandle, type GatewayOptions, loadConfig, startGateway } from './gateway.js';
