// Whether a chain takes a client that presents no certificate (spec gateway.md §7.3).
import type { X509Certificate } from 'node:crypto';
import type { CertificateValidationContext } from '../xds/index.js';
import { certificatesIn, commonName } from './certificate-facts.js';

/** True when such a client is refused: a certificate is required, or names or pins are that an absent one cannot meet. */
export function demandsCertificate(required: boolean, rules: CertificateValidationContext): boolean {
  if (required) return true;
  if (rules.trust_chain_verification === 'ACCEPT_UNTRUSTED') return false;
  const lists = [rules.match_subject_alt_names, rules.verify_certificate_hash, rules.verify_certificate_spki];
  return lists.some((list) => (list?.length ?? 0) > 0);
}

/**
 * Why no path leads from a client's certificate to a CA, in words; `undefined` = one does. For questions without a
 * socket: signatures only, since the live path leaves the rest (dates, purposes, lists) to OpenSSL. Both are PEM.
 */
export function distrustOf(presented: string, trustedCa: string): string | undefined {
  const chain = certificatesIn(presented);
  const roots = certificatesIn(trustedCa);
  let current = chain[0];
  if (current === undefined) return 'it cannot be read';
  // As deep as OpenSSL looks.
  for (let depth = 0; depth < 100 && current !== undefined; depth++) {
    const issued: X509Certificate = current;
    if (roots.some((root) => root.raw.equals(issued.raw) || isSignedBy(issued, root))) return undefined;
    current = chain.find((candidate) => !candidate.raw.equals(issued.raw) && isSignedBy(issued, candidate));
  }
  const names = roots.map((root) => commonName(root) || root.subject).join(', ');
  return `it is not signed by ${names === '' ? 'any CA' : names}`;
}

function isSignedBy(certificate: X509Certificate, issuer: X509Certificate): boolean {
  try {
    return certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey);
  } catch {
    // A key of a kind that this Node does not know signs nothing that can be checked.
    return false;
  }
}
