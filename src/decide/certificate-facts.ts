// What certificates say, in Envoy's forms: RFC 2253 subject, SAN lists, pins (spec dataplane.md §2.3, gateway.md §7.4).
import { createHash, X509Certificate } from 'node:crypto';

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
  return /^CN=(.*)$/m.exec(certificate.subject ?? '')?.[1] ?? '';
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
