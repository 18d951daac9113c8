// Client certificates: who is refused, with which alert in TLS 1.2 and 1.3, and that not a byte of a refused client goes
// upstream (spec gateway.md §7.3–7.5, dataplane.md §2.4).
import { X509Certificate } from 'node:crypto';
import tls from 'node:tls';
import t from 'tap';
import { certificateHash, publicKeyHash } from '../../src/decide/certificate-facts.js';
import type { Secret } from '../../src/xds/index.js';
import type { ChainOptions } from '../support/data-plane.js';
import {
  chain,
  endpoint,
  listener,
  pem,
  type Recorder,
  snapshot,
  startDataPlane,
  startRecorder,
  tlsSecret,
  until,
} from '../support/data-plane.js';
import {
  AGREEMENT_CLIENT,
  CLIENT_CA_DELTA_CRL,
  CLIENT_MID_CRL,
  ED25519_CLIENT,
  IPV6_CLIENT,
  NO_CA_CLIENT,
  P384_CLIENT,
  type Pair,
} from '../support/odd-certificates.js';

interface Attempt {
  /** Client certificate's file name; '' = none. */
  readonly certificate: string;
  /** Alert in TLS 1.3, and in 1.2 where that differs; 'ok' = accepted. */
  readonly want: string;
  readonly want12?: string;
  readonly subject?: string;
}

// Node's error codes by alert; newer OpenSSLs say SSL/TLS for SSLV3.
const CODES: Readonly<Record<string, string>> = {
  ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED: 'certificate_required',
  ERR_SSL_SSLV3_ALERT_HANDSHAKE_FAILURE: 'handshake_failure',
  ERR_SSL_TLSV1_ALERT_UNKNOWN_CA: 'unknown_ca',
  ERR_SSL_SSLV3_ALERT_CERTIFICATE_EXPIRED: 'certificate_expired',
  ERR_SSL_SSLV3_ALERT_CERTIFICATE_REVOKED: 'certificate_revoked',
  ERR_SSL_SSLV3_ALERT_UNSUPPORTED_CERTIFICATE: 'unsupported_certificate',
  ERR_SSL_SSLV3_ALERT_CERTIFICATE_UNKNOWN: 'certificate_unknown',
  ERR_SSL_SSLV3_ALERT_BAD_CERTIFICATE: 'bad_certificate',
  ERR_SSL_TLSV1_BAD_CERTIFICATE_HASH_VALUE: 'bad_certificate_hash_value',
  ERR_SSL_TLSV1_ALERT_DECRYPT_ERROR: 'decrypt_error',
  ERR_SSL_SSLV3_ALERT_ILLEGAL_PARAMETER: 'illegal_parameter',
};

const ODD: Readonly<Record<string, Pair>> = {
  p384: P384_CLIENT,
  ed25519: ED25519_CLIENT,
  agreement: AGREEMENT_CLIENT,
  ipv6: IPV6_CLIENT,
  'no-ca': NO_CA_CLIENT,
};

function materialOf(certificate: string): { readonly cert?: string; readonly key?: string } {
  if (certificate === '') return {};
  const odd = ODD[certificate];
  if (odd !== undefined) return { cert: odd.certificate, key: odd.key };
  return { cert: pem(`${certificate}.pem`), key: pem(`${certificate}.key`) };
}

function attempt(port: number, certificate: string, version: tls.SecureVersion): Promise<string> {
  return new Promise((resolve) => {
    const socket = tls.connect({
      port,
      host: '127.0.0.1',
      servername: 'm.example.com',
      rejectUnauthorized: false,
      minVersion: version,
      maxVersion: version,
      ...materialOf(certificate),
    });
    socket.on('secureConnect', () => socket.write('secret payload'));
    socket.once('error', (error: NodeJS.ErrnoException) =>
      resolve(CODES[(error.code ?? '').replace('SSL/TLS_ALERT_', 'SSLV3_ALERT_')] ?? `${error.code}`),
    );
    socket.once('data', () => {
      resolve('ok');
      socket.destroy();
    });
    socket.once('close', () => resolve('closed'));
  });
}

async function checkClients(
  title: string,
  options: Omit<ChainOptions, 'names' | 'certificates' | 'cluster'>,
  ca: Secret | undefined,
  attempts: readonly Attempt[],
): Promise<void> {
  await t.test(title, async (t) => {
    const upstream: Recorder = await startRecorder();
    const plane = await startDataPlane(
      snapshot({
        listeners: [
          listener(8443, [
            chain({
              names: ['m.example.com'],
              certificates: ['server'],
              cluster: 'up',
              ...(ca === undefined ? {} : { ca: 'ca' }),
              ...options,
            }),
          ]),
        ],
        clusters: { up: [endpoint(upstream.port)] },
        secrets: { server: tlsSecret('a'), ...(ca === undefined ? {} : { ca }) },
      }),
    );
    t.teardown(async () => {
      await plane.close();
      await upstream.close();
    });
    for (const { certificate, want, want12, subject } of attempts) {
      for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
        const expected = version === 'TLSv1.2' ? (want12 ?? want) : want;
        const name = `${certificate === '' ? 'no certificate' : certificate}, ${version}: ${expected}`;
        const before = upstream.connections.length;
        const lines = plane.log.length;
        t.equal(await attempt(plane.port(), certificate, version), expected, name);
        await until(() => plane.log.length > lines, 'log line');
        const seen = upstream.connections.slice(before);
        if (expected === 'ok') t.equal(seen[0]?.bytes.toString(), 'secret payload');
        else {
          t.ok(
            seen.every(({ bytes }) => bytes.length === 0),
            'not a byte upstream',
          );
          t.not(plane.log.at(-1)?.downstreamTransportFailureReason, '', 'reason in the log');
        }
        if (subject !== undefined) t.equal(plane.log.at(-1)?.downstreamPeerSubject, subject);
      }
    }
  });
}

const CA: Secret = { kind: 'validation_context', trustedCa: pem('client-ca.pem') };
const CA_AND_CRL: Secret = { ...CA, crl: pem('client-ca.crl') };
const client = new X509Certificate(pem('client.pem'));

await checkClients('MUTUAL', {}, CA, [
  { certificate: 'client', want: 'ok', subject: 'CN=partner client,O=postern test' },
  { certificate: '', want: 'certificate_required', want12: 'handshake_failure' },
  { certificate: 'client-2', want: 'unknown_ca', subject: 'CN=second CA client,O=postern test' },
  { certificate: 'client-expired', want: 'certificate_expired' },
  { certificate: 'client-future', want: 'certificate_expired' },
  { certificate: 'client-server-eku', want: 'unsupported_certificate' },
  { certificate: 'client-no-eku', want: 'ok' },
  { certificate: 'client-rsa', want: 'ok' },
  { certificate: 'client-unchained', want: 'unknown_ca' },
  { certificate: 'client-chained', want: 'ok' },
  { certificate: 'p384', want: 'ok' },
  { certificate: 'ed25519', want: 'certificate_required', want12: 'handshake_failure' },
  { certificate: 'agreement', want: 'illegal_parameter' },
  { certificate: 'no-ca', want: 'unknown_ca' },
  { certificate: 'ipv6', want: 'ok', subject: 'OU=z,O=x+CN=y' },
]);

await checkClients(
  'MUTUAL with an intermediate and a leaf as anchors',
  {},
  { kind: 'validation_context', trustedCa: pem('client-mid.pem') },
  [
    { certificate: 'client-unchained', want: 'ok' },
    { certificate: 'client', want: 'unknown_ca' },
  ],
);
await checkClients('MUTUAL with a CRL', {}, CA_AND_CRL, [
  { certificate: 'client', want: 'ok' },
  { certificate: 'client-revoked', want: 'certificate_revoked' },
  { certificate: 'client-chained', want: 'unknown_ca' },
]);
await checkClients('MUTUAL with two CRLs', {}, { ...CA, crl: `${pem('client-ca.crl')}${CLIENT_MID_CRL}` }, [
  { certificate: 'client-chained', want: 'ok' },
  { certificate: 'client-revoked', want: 'certificate_revoked' },
]);
await checkClients('a delta CRL lets nobody in', {}, { ...CA, crl: `${pem('client-ca.crl')}${CLIENT_CA_DELTA_CRL}` }, [
  { certificate: 'client', want: 'certificate_unknown' },
  { certificate: 'client-2', want: 'unknown_ca' },
]);
await checkClients('an IPv6 name', { validation: { match_subject_alt_names: [{ exact: '2001:db8::1' }] } }, CA, [
  { certificate: 'ipv6', want: 'ok' },
]);
await checkClients(
  'a registered id is no name',
  { validation: { match_subject_alt_names: [{ exact: '1.2.3.4' }] } },
  CA,
  [{ certificate: 'ipv6', want: 'certificate_unknown' }],
);
await checkClients('a CRL without a PEM block refuses everybody', {}, { ...CA, crl: 'nothing' }, [
  { certificate: 'client', want: 'unknown_ca' },
]);
await checkClients('OPTIONAL_MUTUAL', { requireClientCertificate: false }, CA, [
  { certificate: '', want: 'ok' },
  { certificate: 'client', want: 'ok' },
  { certificate: 'client-2', want: 'unknown_ca' },
]);
await checkClients('names', { validation: { match_subject_alt_names: [{ exact: 'CLIENT.partner.test' }] } }, CA, [
  { certificate: 'client', want: 'ok' },
  { certificate: 'client-other', want: 'certificate_unknown' },
  { certificate: 'client-2', want: 'unknown_ca' },
]);
await checkClients(
  'OPTIONAL_MUTUAL with names demands a certificate',
  { requireClientCertificate: false, validation: { match_subject_alt_names: [{ exact: 'client.partner.test' }] } },
  CA,
  [{ certificate: '', want: 'certificate_required', want12: 'handshake_failure' }],
);
await checkClients('pins', { validation: { verify_certificate_hash: [certificateHash(client).toUpperCase()] } }, CA, [
  { certificate: 'client', want: 'ok' },
  { certificate: 'client-other', want: 'bad_certificate_hash_value' },
]);
await checkClients('key pins', { validation: { verify_certificate_spki: [publicKeyHash(client)] } }, CA, [
  { certificate: 'client', want: 'ok' },
  { certificate: 'client-other', want: 'bad_certificate_hash_value' },
]);
await checkClients(
  'insecureSkipVerify accepts any, but demands one',
  { validation: { trust_chain_verification: 'ACCEPT_UNTRUSTED', match_subject_alt_names: [{ exact: 'nobody' }] } },
  CA,
  [
    { certificate: 'client-2', want: 'ok' },
    { certificate: 'client-expired', want: 'ok' },
    { certificate: '', want: 'certificate_required', want12: 'handshake_failure' },
  ],
);
await checkClients('SIMPLE never asks', {}, undefined, [
  { certificate: '', want: 'ok', subject: '' },
  { certificate: 'client-2', want: 'ok', subject: '' },
]);
