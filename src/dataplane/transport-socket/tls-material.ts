// What a TLS context needs, resolved from the snapshot's secrets by SDS name (spec gateway.md §7.2, §8.6). Cheap: nothing
// is parsed here, so a snapshot with thousands of chains resolves in milliseconds; contexts are built on first use.
import { createHash } from 'node:crypto';
import {
  type CertificateValidationContext,
  type CommonTlsContext,
  CRL_FILE_PREFIX,
  type Snapshot,
  SYSTEM_ROOTS,
} from '../../xds/index.js';
import { hasDeltaCrl } from './revocation-list.js';

export interface CertificatePair {
  /** PEM, leaf first. */
  readonly chain: string;
  /** PEM. */
  readonly key: string;
  /** DER of the OCSP response to staple. */
  readonly staple: Buffer | undefined;
}

export interface PeerValidation {
  /** PEM bundle; `undefined` = the trust store of the operating system. */
  readonly trustedCa: string | undefined;
  readonly crl: string | undefined;
  /** A list among them is a delta CRL, which Envoy's library does not take: nobody gets in. */
  readonly hasDeltaCrl: boolean;
  readonly rules: CertificateValidationContext;
}

/** Everything that goes into a context. Equal `key`s mean equal contexts. */
export interface TlsMaterial {
  /** Hash over the configuration and all texts. */
  readonly key: string;
  readonly context: CommonTlsContext;
  readonly certificates: readonly CertificatePair[];
  /** `undefined` = the peer's certificate is not verified. */
  readonly validation: PeerValidation | undefined;
}

/**
 * `undefined` = "Secret is not supplied by SDS": none of the certificates that are asked for is there, or the CA is not
 * (spec gateway.md §8.6). `scope` keeps contexts of different chains apart even if all their texts are equal.
 */
export function resolveTlsMaterial(
  context: CommonTlsContext,
  secrets: Snapshot['secrets'],
  scope: string,
): TlsMaterial | undefined {
  const certificates: CertificatePair[] = [];
  const wanted = context.tls_certificate_sds_secret_configs ?? [];
  for (const { name } of wanted) {
    const secret = secrets[name];
    if (secret?.kind !== 'tls_certificate') continue;
    const staple = secret.ocspStaple === undefined ? undefined : Buffer.from(secret.ocspStaple, 'latin1');
    certificates.push({ chain: secret.certificateChain, key: secret.privateKey, staple });
  }
  if (wanted.length > 0 && certificates.length === 0) return undefined;
  const validation = resolveValidation(context, secrets);
  if (validation === 'missing') return undefined;
  const hash = createHash('sha256').update(scope).update('\0').update(JSON.stringify(context));
  for (const pair of certificates)
    hash
      .update('\0')
      .update(pair.chain)
      .update('\0')
      .update(pair.key)
      .update('\0')
      .update(pair.staple ?? '');
  if (validation !== undefined)
    hash
      .update('\0')
      .update(validation.trustedCa ?? '')
      .update('\0')
      .update(validation.crl ?? '');
  return { key: hash.digest('hex'), context, certificates, validation };
}

function resolveValidation(
  context: CommonTlsContext,
  secrets: Snapshot['secrets'],
): PeerValidation | undefined | 'missing' {
  const combined = context.combined_validation_context;
  // Rules without a CA ask for nothing: SIMPLE with pins or insecureSkipVerify never requests a certificate (§7.2).
  if (combined === undefined) return undefined;
  const { name } = combined.validation_context_sds_secret_config;
  const secret = secrets[name];
  const rules = combined.default_validation_context;
  const crlFile = rules.crl === undefined ? undefined : secrets[`${CRL_FILE_PREFIX}${rules.crl.filename}`];
  const fileCrl = crlFile?.kind === 'validation_context' ? crlFile.crl : undefined;
  // Envoy takes no context whose revocation list cannot be read; going on without it would accept what was revoked.
  if (rules.crl !== undefined && fileCrl === undefined) return 'missing';
  if (secret?.kind === 'validation_context') {
    const trustedCa = secret.trustedCa === '' ? undefined : secret.trustedCa;
    return withCrl(trustedCa, fileCrl ?? secret.crl, rules);
  }
  return name === SYSTEM_ROOTS && secret === undefined ? withCrl(undefined, fileCrl, rules) : 'missing';
}

function withCrl(
  trustedCa: string | undefined,
  crl: string | undefined,
  rules: CertificateValidationContext,
): PeerValidation {
  return { trustedCa, crl, hasDeltaCrl: crl !== undefined && hasDeltaCrl(crl), rules };
}
