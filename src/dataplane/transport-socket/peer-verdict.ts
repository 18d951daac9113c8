// Is a peer's certificate acceptable? OpenSSL judges the chain (dates, purpose, partial chains, CRLs); names and pins are
// judged here, in Envoy's order: chain, SAN list, pins; the first failure decides (spec gateway.md §7.3–7.5).

import { X509Certificate } from 'node:crypto';
import { rootCertificates } from 'node:tls';
import {
  addressText,
  certificateHash,
  dnsNameCovers,
  publicKeyHash,
  type SubjectAltName,
  subjectAltNames,
} from '../../decide/certificate-facts.js';
import type { StringMatcher } from '../../xds/index.js';
import { KEY_CERT_SIGN, keyUsageBits, maySign } from '../../xds/key-usage.js';
import {
  type CertificateFailure,
  KEY_MAY_NOT_SIGN,
  tlsErrorText,
  verifyCodeFailure,
  verifyFailedText,
} from './failure-reason.js';
import { hasCrlBlock } from './revocation-list.js';
import type { PeerValidation } from './tls-material.js';

/** What the handshake left behind. */
export interface PeerEvidence {
  /** `undefined` = the peer sent none. */
  readonly certificate: X509Certificate | undefined;
  /** OpenSSL's code; `undefined` = its chain is fine. */
  readonly chainError: string | undefined;
  readonly isTls13: boolean;
}

/** The verdict on a client; `undefined` = accepted. */
export function judgeClient(
  evidence: PeerEvidence,
  demanded: boolean,
  validation: PeerValidation,
): CertificateFailure | undefined {
  const { certificate } = evidence;
  if (certificate === undefined) return demanded ? noCertificate(evidence.isTls13) : undefined;
  // Envoy's library asks this of the key that signs the handshake when it reads the certificate in TLS 1.3, when it reads
  // the signature in 1.2 (measured).
  const signs = maySign(certificate);
  if (evidence.isTls13 && !signs) return KEY_MAY_NOT_SIGN;
  const failure = judgePeer(certificate, evidence.chainError, validation, 'client');
  return failure ?? (signs ? undefined : KEY_MAY_NOT_SIGN);
}

/** The verdict on a certificate that is there; `role` is the peer's. */
export function judgePeer(
  certificate: X509Certificate,
  chainError: string | undefined,
  { crl, hasDeltaCrl, rules, trustedCa }: PeerValidation,
  role: keyof typeof PURPOSES,
): CertificateFailure | undefined {
  // insecureSkipVerify: nothing is looked at, names and pins neither.
  if (rules.trust_chain_verification === 'ACCEPT_UNTRUSTED') return undefined;
  const first = chainError === undefined ? undefined : firstChainError(chainError, certificate, trustedCa, role);
  // OpenSSL passes over a delta CRL; Envoy's library refuses what it marks as critical and does not know, before it looks
  // for the certificate in the list or at a date (measured).
  if (hasDeltaCrl && (first === undefined || BEHIND_THE_LIST.has(first))) {
    return verifyCodeFailure('UNHANDLED_CRITICAL_CRL_EXTENSION', 0);
  }
  if (first !== undefined) return verifyCodeFailure(first, depthOf(first, certificate, role));
  // A CRL value without a PEM block: the check is on with an empty list (spec gateway.md §8.6).
  if (crl !== undefined && !hasCrlBlock(crl)) return verifyCodeFailure('UNABLE_TO_GET_CRL', 0);
  const matchers = rules.match_subject_alt_names;
  if (hasEntries(matchers)) {
    const names = subjectAltNames(certificate);
    if (!names.some((name) => matchers.some((matcher) => matchesName(matcher, name)))) {
      return {
        alert: 46,
        counter: 'fail_verify_san',
        text: verifyFailedText(`SAN matcher, certificate SANs are [${names.map(({ value }) => value).join(', ')}]`),
      };
    }
  }
  if (!fitsPins(certificate, rules.verify_certificate_hash, rules.verify_certificate_spki)) {
    return { alert: 114, counter: 'fail_verify_cert_hash', text: verifyFailedText('cert hash and spki') };
  }
  return undefined;
}

function noCertificate(isTls13: boolean): CertificateFailure {
  return {
    alert: isTls13 ? 116 : 40,
    counter: 'fail_verify_no_cert',
    text: tlsErrorText(192, 'PEER_DID_NOT_RETURN_A_CERTIFICATE', 'peer did not provide required client certificate'),
  };
}

function hasEntries<T>(list: readonly T[] | undefined): list is readonly T[] {
  return list !== undefined && list.length > 0;
}

/** One matcher against one name: DNS by DNS rules (case-free, wildcard in the certificate), everything else exactly. */
export function matchesName(matcher: StringMatcher, name: SubjectAltName): boolean {
  const { value } = name;
  // Envoy reads DNS, URI, e-mail and address entries, no others.
  if (name.type === 'other') return false;
  if (name.type === 'IP Address' && matcher.exact !== undefined) return addressText(value) === matcher.exact;
  if (matcher.exact !== undefined) {
    return name.type === 'DNS' ? dnsNameCovers(value, matcher.exact) : value === matcher.exact;
  }
  const text = matcher.ignore_case === true ? value.toLowerCase() : value;
  const fold = (pattern: string): string => (matcher.ignore_case === true ? pattern.toLowerCase() : pattern);
  if (matcher.prefix !== undefined) return text.startsWith(fold(matcher.prefix));
  if (matcher.suffix !== undefined) return text.endsWith(fold(matcher.suffix));
  if (matcher.contains !== undefined) return text.includes(fold(matcher.contains));
  return false;
}

// Either list may hold the certificate; both empty means no pins.
function fitsPins(
  certificate: X509Certificate,
  hashes: readonly string[] | undefined,
  keys: readonly string[] | undefined,
): boolean {
  if (!hasEntries(hashes) && !hasEntries(keys)) return true;
  if (hasEntries(keys) && keys.includes(publicKeyHash(certificate))) return true;
  if (!hasEntries(hashes)) return false;
  const own = certificateHash(certificate);
  return hashes.some((hash) => hash.replaceAll(':', '').toLowerCase() === own);
}

const BEHIND_THE_LIST: ReadonlySet<string> = new Set([
  'CERT_REVOKED',
  'CERT_HAS_EXPIRED',
  'CERT_NOT_YET_VALID',
  'CRL_HAS_EXPIRED',
  'CRL_NOT_YET_VALID',
]);

// A handshake that is told to go on in any case reports OpenSSL's last objection; Envoy's library stops at the first.
// The order of both: is there an issuer, is the purpose right, is anything revoked, then signatures and dates.
const UNTRUSTED = new Set([
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
]);
const PURPOSES = { client: '1.3.6.1.5.5.7.3.2', server: '1.3.6.1.5.5.7.3.1' } as const;
const MAX_DEPTH = 10;

function firstChainError(
  code: string,
  leaf: X509Certificate,
  trustedCa: string | undefined,
  role: keyof typeof PURPOSES,
): string {
  if (UNTRUSTED.has(code)) return code;
  if (!isAnchored(leaf, anchorsOf(trustedCa))) {
    return leaf.checkIssued(leaf) ? 'DEPTH_ZERO_SELF_SIGNED_CERT' : 'UNABLE_TO_GET_ISSUER_CERT_LOCALLY';
  }
  if (!hasPurpose(leaf, role)) return 'INVALID_PURPOSE';
  // An issuer that may not issue shows at the end as a wrong purpose, or as a code that Node has no name for.
  const mayHide = code === 'INVALID_PURPOSE' || code === 'UNSPECIFIED';
  if (!mayHide) return code;
  const depth = depthOfIssuer(leaf, (issuer) => !issuer.ca || !mayIssue(issuer));
  if (depth === 0) return code;
  // Envoy's library does not even see an issuer in a certificate whose key may not sign others (measured).
  return depthOfIssuer(leaf, (issuer) => !mayIssue(issuer)) === depth
    ? 'UNABLE_TO_GET_ISSUER_CERT_LOCALLY'
    : 'INVALID_CA';
}

/** Place of the first issuer of that kind; 0 = none. */
function depthOfIssuer(leaf: X509Certificate, matches: (issuer: X509Certificate) => boolean): number {
  let at = nextIssuer(leaf);
  for (let depth = 1; at !== undefined && depth < MAX_DEPTH; depth++, at = nextIssuer(at)) {
    if (matches(at)) return depth;
  }
  return 0;
}

function mayIssue(certificate: X509Certificate): boolean {
  const usage = keyUsageBits(certificate);
  return usage === undefined || (usage & KEY_CERT_SIGN) !== 0;
}

// Node calls the extended key usage keyUsage.
function hasPurpose({ keyUsage }: X509Certificate, role: keyof typeof PURPOSES): boolean {
  return keyUsage === undefined || keyUsage.length === 0 || keyUsage.includes(PURPOSES[role]);
}

function nextIssuer(certificate: X509Certificate): X509Certificate | undefined {
  return certificate.issuerCertificate === certificate ? undefined : certificate.issuerCertificate;
}

// An intermediate or the leaf itself may be the anchor; an issuer of the right name with another key is one too, its
// signature fails later.
function isAnchored(leaf: X509Certificate, anchors: readonly X509Certificate[]): boolean {
  let at: X509Certificate | undefined = leaf;
  for (let depth = 0; at !== undefined && depth < MAX_DEPTH; depth++) {
    const current: X509Certificate = at;
    if (anchors.some((anchor) => anchor.fingerprint256 === current.fingerprint256 || current.checkIssued(anchor)))
      return true;
    at = current.issuerCertificate === current ? undefined : current.issuerCertificate;
  }
  return false;
}

const anchorCache = new Map<string, readonly X509Certificate[]>();

function anchorsOf(bundle: string | undefined): readonly X509Certificate[] {
  const key = bundle ?? '';
  let anchors = anchorCache.get(key);
  if (anchors === undefined) {
    const blocks = bundle === undefined ? rootCertificates : (bundle.match(PEM_BLOCK) ?? []);
    anchors = blocks.map((pem) => new X509Certificate(pem));
    // A handful of bundles at most is live; a reload that changes one must not keep the old for good.
    if (anchorCache.size >= 32) anchorCache.clear();
    anchorCache.set(key, anchors);
  }
  return anchors;
}

const PEM_BLOCK =
  /-----BEGIN (?:TRUSTED )?(?:X509 )?CERTIFICATE-----[\s\S]+?-----END (?:TRUSTED )?(?:X509 )?CERTIFICATE-----/g;

// OpenSSL does not hand its depth to Node. Dates can be checked again; everything else that is common fails at the leaf.
function depthOf(code: string, leaf: X509Certificate, role: keyof typeof PURPOSES): number {
  if (code === 'INVALID_CA') return depthOfIssuer(leaf, (issuer) => !issuer.ca);
  if (code === 'INVALID_PURPOSE') {
    return hasPurpose(leaf, role) ? depthOfIssuer(leaf, (issuer) => !hasPurpose(issuer, role)) : 0;
  }
  if (code !== 'CERT_HAS_EXPIRED' && code !== 'CERT_NOT_YET_VALID') return 0;
  const now = Date.now();
  let depth = 0;
  for (let at: X509Certificate | undefined = leaf; at !== undefined && depth < 10; at = at.issuerCertificate, depth++) {
    if (Date.parse(at.validTo) < now || Date.parse(at.validFrom) > now) return depth;
    if (at.issuerCertificate === at) break;
  }
  return 0;
}
