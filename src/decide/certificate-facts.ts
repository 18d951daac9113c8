// What certificates say, in Envoy's forms: RFC 2253 subject, SAN lists, pins (spec dataplane.md §2.3, gateway.md §7.4).
import { createHash, X509Certificate } from 'node:crypto';
import { isIpv4, isIpv6 } from '../xds/index.js';

export type SubjectAltNameType = 'DNS' | 'URI' | 'IP Address' | 'email' | 'other';

export interface SubjectAltName {
  readonly type: SubjectAltNameType;
  readonly value: string;
}

/** Subject alternative names in the certificate's order. */
export function subjectAltNames(certificate: X509Certificate): readonly SubjectAltName[] {
  const text = certificate.subjectAltName;
  if (text === undefined) return [];
  const names: SubjectAltName[] = [];
  // Node separates with ', ' and writes values with special characters as JSON strings.
  const entry = /(DNS|URI|IP Address|email|[\w ]+):("(?:[^"\\]|\\.)*"|[^,]*)(?:, |$)/gy;
  for (let match = entry.exec(text); match !== null; match = entry.exec(text)) {
    const raw = match[2] as string;
    names.push({ type: typeOf(match[1] as string), value: raw.startsWith('"') ? String(JSON.parse(raw)) : raw });
  }
  return names;
}

function typeOf(word: string): SubjectAltNameType {
  return word === 'DNS' || word === 'URI' || word === 'IP Address' || word === 'email' ? word : 'other';
}

/** `CN=client,O=acme`: the last attribute first, as OpenSSL prints with XN_FLAG_RFC2253. */
export function rfc2253Subject(certificate: X509Certificate): string {
  return rfc2253Name(certificate.subject);
}

/** The same of any name as Node prints it, one attribute per line. */
export function rfc2253Name(lines: string | undefined): string {
  if (lines === undefined || lines === '') return '';
  return (
    lines
      .split('\n')
      .reverse()
      // Within an attribute set, too, the last comes first (measured).
      .map((line) =>
        line
          .split(/ \+ (?=[\w.]+=)/)
          .reverse()
          .join('+')
          .replace(/[^\x20-\x7e]/gu, escapeBytes),
      )
      .join(',')
  );
}

// Node prints UTF-8; the RFC form escapes each byte with the high bit set.
function escapeBytes(character: string): string {
  return [...Buffer.from(character, 'utf8')]
    .map((byte) => `\\${byte.toString(16).toUpperCase().padStart(2, '0')}`)
    .join('');
}

/** An address of a certificate as Envoy writes it: Node prints IPv6 in capitals and in full. */
export function addressText(printed: string): string {
  if (!printed.includes(':')) return printed;
  const { hostname } = new URL(`http://[${printed}]/`);
  return hostname.slice(1, -1);
}

/** Lower-case hex of SHA-256 over the DER. */
export function certificateHash(certificate: X509Certificate): string {
  return createHash('sha256').update(certificate.raw).digest('hex');
}

/** base64 of SHA-256 over the SubjectPublicKeyInfo. */
export function publicKeyHash(certificate: X509Certificate): string {
  return createHash('sha256')
    .update(certificate.publicKey.export({ type: 'spki', format: 'der' }))
    .digest('base64');
}

/** Common name of the subject; '' = none. */
export function commonName(certificate: X509Certificate): string {
  return commonNameIn(certificate.subject);
}

/** The same of any name as Node prints it, one attribute per line. */
export function commonNameIn(lines: string | undefined): string {
  return /^CN=(.*)$/m.exec(lines ?? '')?.[1] ?? '';
}

/** What a certificate is called by: the common name if it has one, then its DNS names; each once. */
export function certificateNames(certificate: X509Certificate): readonly string[] {
  const common = commonName(certificate);
  const dnsNames = subjectAltNames(certificate).flatMap(({ type, value }) => (type === 'DNS' ? [value] : []));
  return [...new Set(common === '' ? dnsNames : [common, ...dnsNames])];
}

/** True when a certificate's DNS name covers a name: equal, or `*.` for exactly one label; case does not count. */
export function dnsNameCovers(pattern: string, name: string): boolean {
  const lower = pattern.toLowerCase();
  const wanted = name.toLowerCase();
  if (lower === wanted) return true;
  if (!lower.startsWith('*.')) return false;
  const dot = wanted.indexOf('.');
  return dot > 0 && wanted.slice(dot) === lower.slice(1);
}

/** A host that `host` stands for: of `*.example.com` a name with one label more that nothing is called by; others as they are. */
export function sampleHost(host: string): string {
  return host.startsWith('*.') ? `postern-any${host.slice(1)}` : host;
}

/**
 * True when a client that verifies takes the certificate for `host` (no port; an IPv6 address with or without brackets;
 * `*.example.com` asks for any one label). Only alternative names count: browsers have long stopped to look at the common
 * name.
 */
export function coversHost(certificate: X509Certificate, host: string): boolean {
  const name = sampleHost(host).replace(/^\[|\]$/g, '');
  if (isIpv4(name) || isIpv6(name)) return certificate.checkIP(name) !== undefined;
  return subjectAltNames(certificate).some(({ type, value }) => type === 'DNS' && dnsNameCovers(value, name));
}

/** True when the certificate carries its own issuer's signature: a root, or a leaf that clients must trust itself. */
export function isSelfSigned(certificate: X509Certificate): boolean {
  if (certificate.subject !== certificate.issuer) return false;
  // Not `checkIssued`: it wants a key that may sign certificates, which that of a self-signed leaf may not.
  try {
    return certificate.verify(certificate.publicKey);
  } catch {
    return false; // a kind of key that OpenSSL does not know
  }
}

/** Position of the first certificate that the next one of the chain did not issue; `undefined` = none. */
export function brokenLink(chain: readonly X509Certificate[]): number | undefined {
  for (let i = 0; i + 1 < chain.length; i++) {
    if (chain[i]?.checkIssued(chain[i + 1] as X509Certificate) === false) return i;
  }
  return undefined;
}

/** First and last moment of a certificate, milliseconds since 1970; NaN = its date cannot be read. */
export function validityOf(certificate: X509Certificate): { readonly from: number; readonly to: number } {
  return { from: Date.parse(certificate.validFrom), to: Date.parse(certificate.validTo) };
}

/** '2026-06-01', UTC, of milliseconds since 1970; 'unknown' of NaN. */
export function dayText(time: number): string {
  return Number.isNaN(time) ? 'unknown' : new Date(time).toISOString().slice(0, 'YYYY-MM-DD'.length);
}

/** All certificates of a PEM text that can be read. */
export function certificatesIn(pem: string): readonly X509Certificate[] {
  const blocks =
    pem.match(/-----BEGIN (?:TRUSTED )?CERTIFICATE-----[^-]*-----END (?:TRUSTED )?CERTIFICATE-----/g) ?? [];
  return blocks.flatMap((block) => {
    try {
      return [new X509Certificate(block)];
    } catch {
      return [];
    }
  });
}
