// Which of several certificates of one chain answers (spec dataplane.md §2.3). Chosen from the peeked ClientHello before
// OpenSSL sees it, because OpenSSL's own choice does not know names.
import { X509Certificate } from 'node:crypto';
import { latin1, u16 } from '../match/inspect/client-hello.js';
import { commonName, subjectAltNames } from './certificate-facts.js';

/** What of a ClientHello decides. */
export interface ClientSignatures {
  /** Curves of ECDSA keys that the client can verify, OpenSSL's names; empty = no ECDSA at all. */
  readonly ecdsaCurves: readonly string[];
}

export interface CandidateCertificate {
  readonly kind: 'rsa' | 'ecdsa' | 'other';
  /** OpenSSL's curve name of an ECDSA key; '' otherwise. */
  readonly curve: string;
  /** Lower case: all DNS SANs, or the CN when there is none. */
  readonly names: readonly string[];
}

export function describeCertificate(pem: string): CandidateCertificate {
  const certificate = new X509Certificate(pem);
  const key = certificate.publicKey;
  const dns = subjectAltNames(certificate).filter(({ type }) => type === 'DNS');
  const names = dns.length > 0 ? dns.map(({ value }) => value) : [commonName(certificate)];
  return {
    kind: key.asymmetricKeyType === 'rsa' ? 'rsa' : key.asymmetricKeyType === 'ec' ? 'ecdsa' : 'other',
    curve: key.asymmetricKeyDetails?.namedCurve ?? '',
    names: names.map((name) => name.toLowerCase()),
  };
}

/** Index of the certificate that Envoy serves. */
export function chooseCertificate(
  candidates: readonly CandidateCertificate[],
  serverName: string,
  client: ClientSignatures,
): number {
  // No name: the first usable one of the list.
  if (serverName === '') return pick(candidates, () => true, client) ?? 0;
  const exact = pick(candidates, ({ names }) => names.includes(serverName), client);
  if (exact !== undefined) return exact;
  const dot = serverName.indexOf('.');
  const wildcard = dot < 1 ? undefined : `*${serverName.slice(dot)}`;
  const byWildcard =
    wildcard === undefined ? undefined : pick(candidates, ({ names }) => names.includes(wildcard), client);
  // A name that fits none gets the first, whatever its key type: there is no scan (full_scan_certs_on_sni_mismatch off).
  return byWildcard ?? 0;
}

// ECDSA that the client can use wins at once; the first RSA match is kept as candidate.
function pick(
  candidates: readonly CandidateCertificate[],
  fits: (candidate: CandidateCertificate) => boolean,
  client: ClientSignatures,
): number | undefined {
  let rsa: number | undefined;
  for (const [index, candidate] of candidates.entries()) {
    if (!fits(candidate)) continue;
    if (candidate.kind !== 'ecdsa') rsa ??= index;
    else if (client.ecdsaCurves.includes(candidate.curve)) return index;
  }
  return rsa;
}

const SIGNATURE_CURVES: Readonly<Record<number, string>> = { 1027: 'prime256v1', 1283: 'secp384r1', 1539: 'secp521r1' };
const GROUP_CURVES: Readonly<Record<number, string>> = { 23: 'prime256v1', 24: 'secp384r1', 25: 'secp521r1' };

/** Reads a whole ClientHello as it came from the wire (record headers included). Bytes that are none give no curves. */
export function readClientSignatures(raw: Uint8Array): ClientSignatures {
  const hello = joinRecords(raw);
  if (hello.length < 43) return { ecdsaCurves: [] };
  let at = 4 + 34;
  at += 1 + (hello[at] as number);
  const ciphersEnd = at + 2 + u16(hello, at);
  const ciphers: number[] = [];
  for (at += 2; at + 1 < ciphersEnd; at += 2) ciphers.push(u16(hello, at));
  at = ciphersEnd + 1 + (hello[ciphersEnd] ?? 0) + 2;
  let groups: readonly number[] = [];
  let signatures: readonly number[] = [];
  let isTls13 = false;
  while (at + 4 <= hello.length) {
    const type = u16(hello, at);
    const start = at + 4;
    const end = Math.min(start + u16(hello, at + 2), hello.length);
    if (type === 10) groups = numbers(hello, start + 2, end);
    else if (type === 13) signatures = numbers(hello, start + 2, end);
    else if (type === 43) isTls13 = latin1(hello, start + 1, end).includes('\x03\x04');
    at = end;
  }
  // TLS 1.3 names the curve with the signature; before it, the group and an ECDSA suite must both be offered.
  if (isTls13) return { ecdsaCurves: curvesOf(signatures, SIGNATURE_CURVES) };
  return { ecdsaCurves: ciphers.some(isEcdsaSuite) ? curvesOf(groups, GROUP_CURVES) : [] };
}

function curvesOf(values: readonly number[], table: Readonly<Record<number, string>>): string[] {
  return values.map((value) => table[value]).filter((curve) => curve !== undefined);
}

function numbers(bytes: Uint8Array, start: number, end: number): number[] {
  const found: number[] = [];
  for (let at = start; at + 1 < end; at += 2) found.push(u16(bytes, at));
  return found;
}

// TLS_ECDHE_ECDSA_*: CBC, GCM, ChaCha20.
function isEcdsaSuite(suite: number): boolean {
  return (
    [0xc006, 0xc007, 0xc008, 0xc009, 0xc00a, 0xc023, 0xc024, 0xc02b, 0xc02c, 0xcca9].includes(suite) ||
    (suite >= 0xc0ac && suite <= 0xc0af)
  );
}

function joinRecords(raw: Uint8Array): Uint8Array {
  const first = raw.length >= 5 ? u16(raw, 3) : 0;
  if (raw.length === 5 + first) return raw.subarray(5);
  const parts: Uint8Array[] = [];
  for (let at = 0; at + 5 <= raw.length && raw[at] === 22; at += 5 + u16(raw, at + 3)) {
    parts.push(raw.subarray(at + 5, at + 5 + u16(raw, at + 3)));
  }
  return Buffer.concat(parts);
}
