// Whether a chain takes a client that presents no certificate (spec gateway.md §7.3).
import type { CertificateValidationContext } from '../xds/index.js';

/** True when such a client is refused: a certificate is required, or names or pins are that an absent one cannot meet. */
export function demandsCertificate(required: boolean, rules: CertificateValidationContext): boolean {
  if (required) return true;
  if (rules.trust_chain_verification === 'ACCEPT_UNTRUSTED') return false;
  const lists = [rules.match_subject_alt_names, rules.verify_certificate_hash, rules.verify_certificate_spki];
  return lists.some((list) => (list?.length ?? 0) > 0);
}
