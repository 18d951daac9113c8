// A certificate and its private key as texts.

/** PEM texts. */
export interface KeyPair {
  readonly certificate: string;
  readonly privateKey: string;
}

/** True when both are PEM texts of their kind; whether they belong together, or can be read, is not looked at. */
export function isKeyPair({ certificate, privateKey }: KeyPair): boolean {
  return certificate.includes('-----BEGIN CERTIFICATE-----') && /-----BEGIN [A-Z ]*PRIVATE KEY-----/.test(privateKey);
}
