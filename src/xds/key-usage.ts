// The keyUsage extension of a certificate, which Node does not show. Envoy's library asks it when it loads a server
// certificate and when it reads a client's (measured).
import type { X509Certificate } from 'node:crypto';

/** Bits of the first octet of a key usage. */
export const DIGITAL_SIGNATURE = 0x80;
export const KEY_CERT_SIGN = 0x04;

/** DER of the object identifier 2.5.29.15. */
const KEY_USAGE_OID: Buffer = Buffer.from('0603551d0f', 'hex');

/** First octet of the extension; `undefined` = there is none, everything is allowed. */
export function keyUsageBits(certificate: X509Certificate): number | undefined {
  const { raw } = certificate;
  const oid = raw.indexOf(KEY_USAGE_OID);
  if (oid === -1) return undefined;
  let at = oid + KEY_USAGE_OID.length;
  // BOOLEAN critical, then OCTET STRING { BIT STRING { unused bits, octets } }.
  if (raw[at] === 0x01) at += 3;
  if (raw[at] !== 0x04 || raw[at + 2] !== 0x03) return undefined;
  return raw[at + 5] ?? 0;
}

/** True when the key may sign handshakes. */
export function maySign(certificate: X509Certificate): boolean {
  const usage = keyUsageBits(certificate);
  return usage === undefined || (usage & DIGITAL_SIGNATURE) !== 0;
}
