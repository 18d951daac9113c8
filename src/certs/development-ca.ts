// A development CA and the certificates it signs, made with the package selfsigned. Everything is ECDSA P-256 (fast
// handshakes, and the CA key is imported with the leaf's key type, so one type per chain), SHA-256, valid from a day
// ago so that a clock that lags does not refuse it.
import type { KeyPair } from './key-pair.js';

/** What a certificate is for. */
export interface CertificateRequest {
  readonly commonName: string;
  /** DNS names, wildcards allowed. */
  readonly dnsNames?: readonly string[];
  readonly ipAddresses?: readonly string[];
  /** URI SANs, for SPIFFE identities. */
  readonly uris?: readonly string[];
  readonly usage: 'server' | 'client' | 'both';
  /** Days from now; default 825. */
  readonly days?: number;
  readonly organization?: string;
}

const DAY = 24 * 60 * 60 * 1000;

/**
 * Makes a CA that signs server and client certificates of one development machine.
 *
 *     const ca = await createDevelopmentCa();
 *     const server = await issueCertificate(ca, { commonName: 'shop.example.com', dnsNames: ['shop.example.com'], usage: 'server' });
 */
export async function createDevelopmentCa(
  commonName = 'postern development CA',
  now: number = Date.now(),
): Promise<KeyPair> {
  const { generate } = await loadSelfsigned();
  const made = await generate(
    [
      { name: 'commonName', value: plain(commonName) },
      { name: 'organizationName', value: 'postern' },
    ],
    {
      algorithm: 'sha256',
      keyType: 'ec',
      curve: 'P-256',
      notBeforeDate: new Date(now - DAY),
      notAfterDate: new Date(now + 3650 * DAY),
      extensions: [
        { name: 'basicConstraints', cA: true, critical: true },
        { name: 'keyUsage', keyCertSign: true, cRLSign: true, critical: true },
      ],
    },
  );
  return { certificate: normalizePem(made.cert), privateKey: normalizePem(made.private) };
}

/** A certificate signed by `ca`, or self-signed when `ca` is undefined. */
export async function issueCertificate(
  ca: KeyPair | undefined,
  request: CertificateRequest,
  now: number = Date.now(),
): Promise<KeyPair> {
  const { generate } = await loadSelfsigned();
  const altNames = [
    ...(request.dnsNames ?? []).map((value) => ({ type: 2 as const, value })),
    ...(request.ipAddresses ?? []).map((ip) => ({ type: 7 as const, ip })),
    ...(request.uris ?? []).map((value) => ({ type: 6 as const, value })),
  ];
  const made = await generate(
    [
      // A name that is there and empty is more than Envoy takes in a certificate that it serves; none at all is fine.
      ...(request.commonName === '' ? [] : [{ name: 'commonName', value: plain(request.commonName) }]),
      ...(request.organization === undefined ? [] : [{ name: 'organizationName', value: plain(request.organization) }]),
    ],
    {
      algorithm: 'sha256',
      keyType: 'ec',
      curve: 'P-256',
      notBeforeDate: new Date(now - DAY),
      notAfterDate: new Date(now + (request.days ?? 825) * DAY),
      extensions: [
        { name: 'basicConstraints', cA: false, critical: true },
        { name: 'keyUsage', digitalSignature: true, critical: true },
        { name: 'extKeyUsage', serverAuth: request.usage !== 'client', clientAuth: request.usage !== 'server' },
        ...(altNames.length === 0 ? [] : [{ name: 'subjectAltName' as const, altNames }]),
      ],
      ...(ca === undefined ? {} : { ca: { key: ca.privateKey, cert: ca.certificate } }),
    },
  );
  return { certificate: normalizePem(made.cert), privateKey: normalizePem(made.private) };
}

// Importing selfsigned costs over 100 ms, so only those who need a certificate pay for it.
function loadSelfsigned(): Promise<typeof import('selfsigned')> {
  return import('selfsigned');
}

// selfsigned joins subject parts without escaping: a comma or plus would corrupt the name.
function plain(value: string): string {
  return value.replace(/[^\w .:*@/-]/g, '_');
}

function normalizePem(pem: string): string {
  return `${pem.replaceAll('\r\n', '\n').trim()}\n`;
}
