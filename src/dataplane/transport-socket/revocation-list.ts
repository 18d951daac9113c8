// Certificate revocation lists as PEM texts: what OpenSSL must be handed, and what Envoy's library would not take. Spec
// gateway.md §7.4, §8.6.

/** True when a PEM text holds a revocation list at all. */
export function hasCrlBlock(pem: string): boolean {
  return pem.includes('-----BEGIN X509 CRL-----');
}

/** The lists of a PEM text one by one: OpenSSL, as Node calls it, reads the first of a text alone. */
export function crlBlocks(pem: string): string[] {
  return pem.match(/-----BEGIN X509 CRL-----[\s\S]+?-----END X509 CRL-----/g) ?? [];
}

// 2.5.29.27, the delta CRL indicator, as it stands in DER.
const DELTA_CRL_INDICATOR = Buffer.from('0603551d1b', 'hex');

/** True when one of the lists says that it only adds to another. */
export function hasDeltaCrl(pem: string): boolean {
  return crlBlocks(pem).some((block) => {
    const base64 = block.replace(/-----[^-]+-----/g, '');
    return Buffer.from(base64, 'base64').includes(DELTA_CRL_INDICATOR);
  });
}
