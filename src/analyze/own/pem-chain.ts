// Certificates of a PEM text, remembered: many servers share one Secret, and a second look parses none again.
import { createPrivateKey, type X509Certificate } from 'node:crypto';
import { certificatesIn, commonName, subjectAltNames } from '../../decide/certificate-facts.js';

const parsed = new Map<string, readonly X509Certificate[]>();
/** Texts that are remembered; a configuration with more parses some of them again. */
const LIMIT = 2000;

/** The certificates that can be read, in order. */
export function parseChain(pem: string): readonly X509Certificate[] {
  let chain = parsed.get(pem);
  if (chain === undefined) {
    if (parsed.size >= LIMIT) parsed.clear();
    chain = certificatesIn(pem);
    parsed.set(pem, chain);
  }
  return chain;
}

/** False only where both can be read and do not belong together. */
export function keyFits(certificate: X509Certificate, key: string): boolean {
  try {
    return certificate.checkPrivateKey(createPrivateKey(key));
  } catch {
    return true; // another message says that the key cannot be read
  }
}

/** DNS names and addresses; the common name where there is none, although clients do not look at it any more. */
export function namesOf(certificate: X509Certificate): readonly string[] {
  const names = subjectAltNames(certificate)
    .filter(({ type }) => type === 'DNS' || type === 'IP Address')
    .map(({ value }) => value);
  const common = commonName(certificate);
  return names.length > 0 || common === '' ? names : [common];
}
