// Whether a chain takes a client with that certificate, or with none (spec gateway.md §7.3).
import type { X509Certificate } from 'node:crypto';
import type { CertificateValidationContext, FilterChain, Secret } from '../xds/index.js';
import { certificatesIn, commonName } from './certificate-facts.js';

/** True when such a client is refused: a certificate is required, or names or pins are that an absent one cannot meet. */
export function demandsCertificate(required: boolean, rules: CertificateValidationContext): boolean {
  if (required) return true;
  if (rules.trust_chain_verification === 'ACCEPT_UNTRUSTED') return false;
  const lists = [rules.match_subject_alt_names, rules.verify_certificate_hash, rules.verify_certificate_spki];
  return lists.some((list) => (list?.length ?? 0) > 0);
}

/** What can be told of a client's certificate without a handshake. */
export type ClientVerdict =
  | { readonly kind: 'trusted' }
  /** The chain asks for none. */
  | { readonly kind: 'ignored' }
  | { readonly kind: 'refused'; readonly reason: string }
  /** More has a say: names, pins, revocation lists, or material that cannot be read. */
  | { readonly kind: 'unknown'; readonly reason: string };

const CLIENT_AUTH = '1.3.6.1.5.5.7.3.2';
/** Certificates between the client's and an anchor. */
const MAX_DEPTH = 8;

/** The verdict of a chain on `presented` (PEM, intermediates behind the client's own) at `now`, milliseconds since 1970. */
export function judgeClientCertificate(
  presented: string,
  chain: FilterChain,
  secrets: Readonly<Record<string, Secret>>,
  now: number,
): ClientVerdict {
  const validation = chain.transport_socket?.typed_config.common_tls_context.combined_validation_context;
  if (validation === undefined) return { kind: 'ignored' };
  const rules = validation.default_validation_context;
  const secret = secrets[validation.validation_context_sds_secret_config.name];
  const lists = [rules.match_subject_alt_names, rules.verify_certificate_hash, rules.verify_certificate_spki];
  const isPlain = lists.every((list) => (list?.length ?? 0) === 0) && rules.crl === undefined;
  if (!isPlain || secret?.kind !== 'validation_context' || secret.crl !== undefined)
    return { kind: 'unknown', reason: 'the gateway has more rules for client certificates' };
  if (rules.trust_chain_verification === 'ACCEPT_UNTRUSTED') return { kind: 'trusted' };
  const [leaf, ...intermediates] = certificatesIn(presented);
  const anchors = certificatesIn(secret.trustedCa);
  if (leaf === undefined || anchors.length === 0)
    return { kind: 'unknown', reason: `the ${leaf === undefined ? 'certificate' : 'CA'} cannot be read` };
  const usage = leaf.keyUsage as readonly string[] | undefined;
  if (usage !== undefined && !usage.includes(CLIENT_AUTH))
    return { kind: 'refused', reason: 'it is not for clients (extended key usage)' };
  if (leadsTo(leaf, intermediates, anchors, now, MAX_DEPTH)) return { kind: 'trusted' };
  if (!isCurrent(leaf, now)) return { kind: 'refused', reason: 'it is out of date' };
  const names = anchors.map((anchor) => commonName(anchor) || anchor.subject).join(', ');
  return { kind: 'refused', reason: `no valid path leads from it to ${names}` };
}

function leadsTo(
  certificate: X509Certificate,
  intermediates: readonly X509Certificate[],
  anchors: readonly X509Certificate[],
  now: number,
  depth: number,
): boolean {
  if (!isCurrent(certificate, now)) return false;
  if (anchors.some((anchor) => anchor.raw.equals(certificate.raw) || isIssuer(anchor, certificate))) return true;
  if (depth === 0) return false;
  return intermediates.some(
    (issuer) => isIssuer(issuer, certificate) && leadsTo(issuer, intermediates, anchors, now, depth - 1),
  );
}

function isCurrent({ validFrom, validTo }: X509Certificate, now: number): boolean {
  return now >= Date.parse(validFrom) && now <= Date.parse(validTo);
}

function isIssuer(issuer: X509Certificate, certificate: X509Certificate): boolean {
  try {
    return issuer.ca && certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey);
  } catch {
    // A key of a kind that this Node does not know signs nothing that can be checked.
    return false;
  }
}
