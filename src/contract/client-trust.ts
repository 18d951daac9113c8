// Whether a chain would take a client's certificate, as far as that can be told without a handshake.
import { X509Certificate } from 'node:crypto';
import type { ClientCertificate } from '../gateway/client/client-connection.js';
import type { FilterChain, Snapshot } from '../xds/index.js';

/** `ignored`: the chain asks for none. `unknown`: names, pins or revocation lists have a say. */
export type ClientVerdict = 'trusted' | 'refused' | 'ignored' | 'unknown';

const CLIENT_AUTH = '1.3.6.1.5.5.7.3.2';

/** Asked at `now`, milliseconds since the epoch. */
export function judgeClientCertificate(
  client: ClientCertificate,
  chain: FilterChain,
  secrets: Snapshot['secrets'],
  now: number,
): ClientVerdict {
  const validation = chain.transport_socket?.typed_config.common_tls_context.combined_validation_context;
  if (validation === undefined) return 'ignored';
  const rules = validation.default_validation_context;
  const secret = secrets[validation.validation_context_sds_secret_config.name];
  const lists = [rules.match_subject_alt_names, rules.verify_certificate_hash, rules.verify_certificate_spki];
  const isPlain = lists.every((list) => (list?.length ?? 0) === 0) && rules.crl === undefined;
  if (!isPlain || secret?.kind !== 'validation_context' || secret.crl !== undefined) return 'unknown';
  if (rules.trust_chain_verification === 'ACCEPT_UNTRUSTED') return 'trusted';
  const presented = certificatesIn(client.cert);
  const anchors = certificatesIn(secret.trustedCa);
  const leaf = presented[0];
  if (leaf === undefined || anchors.length === 0) return 'unknown';
  const usage = leaf.keyUsage as readonly string[] | undefined;
  if (usage !== undefined && !usage.includes(CLIENT_AUTH)) return 'refused';
  return leadsTo(leaf, presented.slice(1), anchors, now, MAX_DEPTH) ? 'trusted' : 'refused';
}

const MAX_DEPTH = 8;

function leadsTo(
  certificate: X509Certificate,
  intermediates: readonly X509Certificate[],
  anchors: readonly X509Certificate[],
  now: number,
  depth: number,
): boolean {
  if (now < Date.parse(certificate.validFrom) || now > Date.parse(certificate.validTo)) return false;
  if (anchors.some((anchor) => anchor.fingerprint256 === certificate.fingerprint256 || isIssuer(anchor, certificate))) {
    return true;
  }
  if (depth === 0) return false;
  return intermediates.some(
    (issuer) => isIssuer(issuer, certificate) && leadsTo(issuer, intermediates, anchors, now, depth - 1),
  );
}

function isIssuer(issuer: X509Certificate, certificate: X509Certificate): boolean {
  return issuer.ca && certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey);
}

function certificatesIn(pem: string): X509Certificate[] {
  const blocks = pem.match(/-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g) ?? [];
  return blocks.flatMap((block) => {
    try {
      return [new X509Certificate(block)];
    } catch {
      return [];
    }
  });
}
