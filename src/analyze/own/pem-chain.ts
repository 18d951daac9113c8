// A PEM text as certificates.
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { isIpv4, isIpv6 } from '../../xds/index.js';

const BLOCK = /-----BEGIN (?:TRUSTED |X509 )?CERTIFICATE-----[^-]*-----END (?:TRUSTED |X509 )?CERTIFICATE-----/g;

const parsed = new Map<string, readonly X509Certificate[] | undefined>();
/** Texts that are remembered; a configuration with more parses some of them again. */
const LIMIT = 2000;

/** `undefined` when one of them cannot be read, or there is none. Remembers what it has parsed. */
export function parseChain(pem: string): readonly X509Certificate[] | undefined {
  if (!parsed.has(pem)) {
    if (parsed.size >= LIMIT) parsed.clear();
    parsed.set(pem, parse(pem));
  }
  return parsed.get(pem);
}

function parse(pem: string): readonly X509Certificate[] | undefined {
  try {
    const certificates = (pem.match(BLOCK) ?? []).map((block) => new X509Certificate(block));
    return certificates.length === 0 ? undefined : certificates;
  } catch {
    return undefined;
  }
}

/** False only where both can be read and do not belong together. */
export function keyFits(certificate: X509Certificate, key: string): boolean {
  try {
    return certificate.checkPrivateKey(createPrivateKey(key));
  } catch {
    return true; // another message says that the key cannot be read
  }
}

/** DNS names of the subjectAltName; the common name where there is none. */
export function namesOf(certificate: X509Certificate): readonly string[] {
  const names = [...(certificate.subjectAltName ?? '').matchAll(/(?:DNS|IP Address):([^,]+)/g)].map(
    (part) => part[1] ?? '',
  );
  if (names.length > 0) return names;
  const commonName = /(?:^|\n)CN=(.*)/.exec(certificate.subject)?.[1];
  return commonName === undefined ? [] : [commonName];
}

/** Would a client that asks for `host` accept the names? A wildcard host is tried with one label. */
export function coversHost(certificate: X509Certificate, host: string): boolean {
  const name = host.startsWith('*.') ? `postern-any${host.slice(1)}` : host;
  if (isIpv4(name) || isIpv6(name)) return certificate.checkIP(name) !== undefined;
  return HOST.test(name) && certificate.checkHost(name) !== undefined;
}

/** OpenSSL throws for others. */
const HOST = /^[\x21-\x7e]+$/;
