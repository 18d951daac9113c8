// What tests want besides a gateway: contracts, upstreams that record, certificates made on the spot.
export {
  type CertificateRequest,
  createDevelopmentCa,
  issueCertificate,
} from './certs/development-ca.js';
export type { KeyPair } from './certs/key-pair.js';
export { ContractError } from './contract/contract-error.js';
export {
  type GeneratedClient,
  generateClient,
  type RecordingUpstream,
  type RecordingUpstreamOptions,
  startRecordingUpstream,
} from './contract/recording-upstream.js';
export type {
  ContractResult,
  Counts,
  CoverageItem,
  Failure,
  Outcome,
  StepResult,
  TestResult,
} from './contract/result.js';
export { type ContractOptions, type ContractReport, runContractFiles as runContract } from './contract/run-files.js';
export { startGateway } from './gateway.js';
export type { Received, ReceivedTls } from './stub/received.js';
export type { StubAnswer } from './stub/responding-stub.js';
