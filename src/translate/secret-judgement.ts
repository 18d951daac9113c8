// What Envoy says of the material of a secret before it uses it. Spec gateway.md §7.7, §8.6.
import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';
import { maySign } from '../xds/key-usage.js';
import { isCertificateBlock, isCrlBlock, isPrivateKeyBlock, type PemBlock, pemBlocks } from './pem.js';

/** Envoy's text, or the material with everything around the PEM blocks gone. */
export type Judgement<T> = { readonly kind: 'accepted'; readonly material: T } | Refusal;

/** Envoy does not take the material. */
export interface Refusal {
  readonly kind: 'refused';
  readonly reason: string;
}

/** What Envoy keeps of a certificate Secret; PEM. */
export interface CertificateMaterial {
  readonly certificateChain: string;
  readonly privateKey: string;
}

/** What Envoy keeps of a CA; PEM. */
export interface CaMaterial {
  readonly trustedCa: string;
  readonly crl?: string;
}

/** A certificate as its Secret holds it. */
export interface CertificateInput extends CertificateMaterial {
  /** DER as latin1; '' = none. */
  readonly ocspStaple: string;
  /** A listener serves it: a name in it and the staple that it demands are looked for. */
  readonly served: boolean;
}

const CHAIN_FAILURE = 'Failed to load certificate chain from <inline>';
const KEY_FAILURE = 'Failed to load private key from <inline>, Cause: error:';
const CA_FAILURE = 'Failed to load trusted CA certificates from <inline>';

/**
 * A server or client certificate with its key.
 *
 *     judgeCertificate({ certificateChain: '', privateKey, ocspStaple: '', served: true });
 *     // { kind: 'refused', reason: 'Failed to load certificate chain from <inline>' }
 */
export function judgeCertificate(input: CertificateInput): Judgement<CertificateMaterial> {
  const blocks = pemBlocks(input.certificateChain).filter(isCertificateBlock);
  const certificates = blocks.map(parseCertificate);
  const [leaf] = certificates;
  if (leaf === undefined || certificates.includes(undefined)) return refused(CHAIN_FAILURE);
  if (!isUsableKey(leaf)) return refused(CHAIN_FAILURE);
  const size = keySizeProblem(leaf.publicKey);
  if (size !== undefined) return refused(`${CHAIN_FAILURE}, ${size}`);
  const keyBlock = pemBlocks(input.privateKey).find(isPrivateKeyBlock);
  const key = judgeKey(keyBlock, leaf);
  if (key !== undefined) return key;
  if (input.served) {
    if (/^CN=$/m.test(leaf.subject ?? '')) return refused('Invalid TLS context has an empty subject CN');
    if (!hasName(leaf)) return refused('Invalid TLS context has neither subject CN nor SAN names');
    if (input.ocspStaple === '' && mustStaple(leaf))
      return refused('OCSP response is required for must-staple certificate');
  }
  return {
    kind: 'accepted',
    material: {
      certificateChain: blocks.map((block) => block.text).join(''),
      privateKey: keyBlock?.text ?? '',
    },
  };
}

/** The CA bundle and revocation lists of client certificates. */
export function judgeCa(trustedCa: string, crl: string | undefined): Judgement<CaMaterial> {
  const blocks = pemBlocks(trustedCa);
  const certificates = blocks.filter(isCertificateBlock);
  if (certificates.length === 0 || certificates.some((block) => parseCertificate(block) === undefined))
    return refused(CA_FAILURE);
  // Lists inside the bundle count like those of the secret's own key.
  const lists = [...blocks, ...pemBlocks(crl ?? '')].filter(isCrlBlock);
  if (!lists.every(isDerSequence)) return refused('Failed to load CRL from <inline>');
  return {
    kind: 'accepted',
    material: {
      trustedCa: certificates.map((block) => block.text).join(''),
      // A value without any block is not refused: checking is on, and nothing passes an empty list.
      ...(crl === undefined && lists.length === 0 ? {} : { crl: lists.map((block) => block.text).join('') }),
    },
  };
}

function judgeKey(block: PemBlock | undefined, leaf: X509Certificate): Refusal | undefined {
  if (block === undefined) return refused(`${KEY_FAILURE}0900006e:PEM routines:OPENSSL_internal:NO_START_LINE`);
  if (block.encrypted || block.label === 'ENCRYPTED PRIVATE KEY')
    return refused(`${KEY_FAILURE}09000068:PEM routines:OPENSSL_internal:BAD_PASSWORD_READ`);
  let key: KeyObject;
  try {
    key = createPrivateKey(block.text);
  } catch {
    const cause = isBase64(block) ? '06000066:public key routines:OPENSSL_internal:DECODE_ERROR' : BAD_BASE64;
    return refused(`${KEY_FAILURE}${cause}`);
  }
  if (leaf.checkPrivateKey(key)) return undefined;
  return refused(`${KEY_FAILURE}0b000074:X.509 certificate routines:OPENSSL_internal:KEY_VALUES_MISMATCH`);
}

const BAD_BASE64 = '09000064:PEM routines:OPENSSL_internal:BAD_BASE64_DECODE';
const CURVES: ReadonlySet<string> = new Set(['prime256v1', 'secp384r1', 'secp521r1']);

// Envoy's library knows no keys for RSA-PSS alone, and takes an EC key that may not sign for one of ECDH (measured).
function isUsableKey(leaf: X509Certificate): boolean {
  const type = leaf.publicKey.asymmetricKeyType;
  return type !== 'rsa-pss' && (type !== 'ec' || maySign(leaf));
}

function keySizeProblem(key: KeyObject): string | undefined {
  const details = key.asymmetricKeyDetails;
  if (key.asymmetricKeyType === 'rsa' && (details?.modulusLength ?? 0) < 2048)
    return 'only RSA certificates with 2048-bit or larger keys are supported';
  if (key.asymmetricKeyType === 'ec' && !CURVES.has(details?.namedCurve ?? ''))
    return 'only P-256, P-384 or P-521 ECDSA certificates are supported';
  return undefined;
}

function hasName(leaf: X509Certificate): boolean {
  return (leaf.subjectAltName ?? '') !== '' || /^CN=/m.test(leaf.subject ?? '');
}

/** DER of the object identifier 1.3.6.1.5.5.7.1.24 (TLS feature) and of the feature `status_request`. */
const TLS_FEATURE = Buffer.from('06082b06010505070118', 'hex');
const STATUS_REQUEST = Buffer.from('020105', 'hex');

function mustStaple(leaf: X509Certificate): boolean {
  const at = leaf.raw.indexOf(TLS_FEATURE);
  if (at === -1) return false;
  // The extension's value follows at once: an OCTET STRING that wraps a short SEQUENCE of INTEGERs.
  return leaf.raw.subarray(at, at + TLS_FEATURE.length + 16).includes(STATUS_REQUEST);
}

function parseCertificate(block: PemBlock): X509Certificate | undefined {
  try {
    return new X509Certificate(block.text);
  } catch {
    return undefined;
  }
}

function bodyOf(block: PemBlock): string {
  return block.text.split('\n').slice(1, -2).join('');
}

function isBase64(block: PemBlock): boolean {
  const body = bodyOf(block);
  return body.length % 4 === 0 && /^[A-Za-z0-9+/]+={0,2}$/.test(body);
}

function isDerSequence(block: PemBlock): boolean {
  if (!isBase64(block)) return false;
  return Buffer.from(bodyOf(block), 'base64')[0] === 0x30;
}

function refused(reason: string): Refusal {
  return { kind: 'refused', reason };
}
