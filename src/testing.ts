// What tests want besides a gateway: certificates made on the spot.
export {
  type CertificateRequest,
  createDevelopmentCa,
  issueCertificate,
  type KeyPair,
} from './certs/development-ca.js';
export { startGateway } from './gateway.js';
