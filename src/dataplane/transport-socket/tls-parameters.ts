// Envoy's TLS parameters in OpenSSL's words: versions, cipher suites, curves (spec gateway.md §7.6, dataplane.md §2.1).
import { constants, createPrivateKey } from 'node:crypto';
import type tls from 'node:tls';
import type { CommonTlsContext, TlsProtocolVersion } from '../../xds/index.js';

/** Wire numbers of TLS versions, as a ClientHello offers them. */
export const TLS_VERSION_NUMBERS: Readonly<Record<tls.SecureVersion, number>> = {
  TLSv1: 0x0301,
  'TLSv1.1': 0x0302,
  'TLSv1.2': 0x0303,
  'TLSv1.3': 0x0304,
};

/** The part of a secure context that comes from `tls_params`. */
export interface TlsParameters {
  readonly minVersion: tls.SecureVersion;
  readonly maxVersion: tls.SecureVersion;
  readonly ciphers: string;
  readonly ecdhCurve: string;
  /** Wire numbers of `ecdhCurve`, where every suite below TLS 1.3 needs one of them; else undefined. */
  readonly groups: readonly number[] | undefined;
  /** What BoringSSL signs with and accepts from the peer. */
  readonly sigalgs: string;
  readonly secureOptions: number;
}

// BoringSSL's order for TLS 1.3; not configurable there, so it stands before every list of ours.
const TLS13_CIPHERS = 'TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256';

// Envoy writes the first two pairs in brackets: equal preference. `SSL_OP_PRIORITIZE_CHACHA` comes nearest to that: the
// ChaCha suite wins for a client that puts it first.
const DEFAULT_CIPHERS = [
  'ECDHE-ECDSA-AES128-GCM-SHA256',
  'ECDHE-ECDSA-CHACHA20-POLY1305',
  'ECDHE-RSA-AES128-GCM-SHA256',
  'ECDHE-RSA-CHACHA20-POLY1305',
  'ECDHE-ECDSA-AES256-GCM-SHA384',
  'ECDHE-RSA-AES256-GCM-SHA384',
];

const KNOWN_CURVES = new Set(['P-224', 'P-256', 'P-384', 'P-521', 'X25519']);
const GROUP_NUMBERS: Readonly<Record<string, number>> = {
  'P-224': 21,
  'P-256': 23,
  'P-384': 24,
  'P-521': 25,
  X25519: 29,
  X25519MLKEM768: 0x11ec,
};

// BoringSSL's list, in its order: no Ed25519, no RSA-PSS keys, no P-521 under TLS 1.3 (measured).
const SIGNATURE_ALGORITHMS = [
  'ecdsa_secp256r1_sha256',
  'rsa_pss_rsae_sha256',
  'rsa_pkcs1_sha256',
  'ecdsa_secp384r1_sha384',
  'rsa_pss_rsae_sha384',
  'rsa_pkcs1_sha384',
  'rsa_pss_rsae_sha512',
  'rsa_pkcs1_sha512',
  'rsa_pkcs1_sha1',
].join(':');

const HAS_ML_KEM = Number.parseFloat(process.versions.openssl ?? '3.0') >= 3.5;
// Envoy 1.40 asks a client that knows the hybrid group to use it (measured); OpenSSL has it from 3.5 (Node 24) on.
const DEFAULT_CURVES = [...(HAS_ML_KEM ? ['X25519MLKEM768'] : []), 'X25519', 'P-256'];

/** What a context without (or with partial) `tls_params` gets. Envoy's own client default of TLS 1.2 only never shows: Istio always names both. */
export function tlsParameters(context: CommonTlsContext): TlsParameters {
  const params = context.tls_params;
  const minVersion = versionOf(params?.tls_minimum_protocol_version) ?? 'TLSv1.2';
  const maxVersion = versionOf(params?.tls_maximum_protocol_version) ?? 'TLSv1.3';
  const listed = params?.cipher_suites;
  const suites = listed === undefined || listed.length === 0 ? DEFAULT_CIPHERS : splitSuites(listed);
  const tls13 = TLS_VERSION_NUMBERS[maxVersion] >= 0x0304 ? `${TLS13_CIPHERS}:` : '';
  const groups = curves(params?.ecdh_curves);
  return {
    minVersion,
    maxVersion,
    // Envoy's library knows no security levels: at OpenSSL's default, chains signed with SHA-1, short keys of clients and
    // all handshakes below TLS 1.2 would fail.
    ciphers: `${tls13}${suites.join(':')}:@SECLEVEL=0`,
    ecdhCurve: groups.join(':'),
    groups: suites.every((suite) => suite.startsWith('ECDHE'))
      ? groups.flatMap((name) => GROUP_NUMBERS[name] ?? [])
      : undefined,
    sigalgs: SIGNATURE_ALGORITHMS,
    secureOptions: listed === undefined || listed.length === 0 ? (constants.SSL_OP_PRIORITIZE_CHACHA ?? 0) : 0,
  };
}

/** `sigalgs` and what BoringSSL signs with though it does not accept it of others (measured). `key` is PEM. */
export function withOwnSignature(sigalgs: string, key: string): string {
  const { asymmetricKeyType, asymmetricKeyDetails } = createPrivateKey(key);
  if (asymmetricKeyType === 'ed25519') return `${sigalgs}:ed25519`;
  return asymmetricKeyDetails?.namedCurve === 'secp521r1' ? `${sigalgs}:ecdsa_secp521r1_sha512` : sigalgs;
}

/** True when a hello that offers these versions has one in common with the context. */
export function sharesVersion(
  parameters: TlsParameters,
  legacyVersion: number,
  supportedVersions: readonly number[] | undefined,
): boolean {
  const min = TLS_VERSION_NUMBERS[parameters.minVersion];
  const max = TLS_VERSION_NUMBERS[parameters.maxVersion];
  // With the extension the legacy field does not count; without it everything up to it is offered, 1.3 excepted.
  if (supportedVersions !== undefined) return supportedVersions.some((version) => version >= min && version <= max);
  return Math.min(legacyVersion, 0x0303) >= min;
}

function versionOf(version: TlsProtocolVersion | undefined): tls.SecureVersion | undefined {
  switch (version) {
    case 'TLSv1_0':
      return 'TLSv1';
    case 'TLSv1_1':
      return 'TLSv1.1';
    case 'TLSv1_2':
      return 'TLSv1.2';
    case 'TLSv1_3':
      return 'TLSv1.3';
    default:
      return undefined;
  }
}

function splitSuites(listed: readonly string[]): string[] {
  return listed.flatMap((entry) => entry.replace(/[[\]]/g, '').split(/[|:]/));
}

// A group that this OpenSSL does not have would make it refuse the whole list.
function curves(listed: readonly string[] | undefined): readonly string[] {
  if (listed === undefined || listed.length === 0) return DEFAULT_CURVES;
  const usable = listed.filter((name) => KNOWN_CURVES.has(name) || (name === 'X25519MLKEM768' && HAS_ML_KEM));
  return usable.length === 0 ? DEFAULT_CURVES : usable;
}
