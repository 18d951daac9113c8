// What a client says of a handshake: the names of the server's certificate, and errors of OpenSSL by the alert that they
// stand for.
import { X509Certificate } from 'node:crypto';
import type tls from 'node:tls';
import t from 'tap';
import { issueCertificate } from '../../../src/certs/development-ca.js';
import { describeHandshake, describeTlsError } from '../../../src/gateway/client/tls-outcome.js';

t.test('names are DNS names, whatever stands in a URI', async (t) => {
  const { certificate } = await issueCertificate(undefined, {
    commonName: 'name.test',
    dnsNames: ['a.test'],
    uris: ['spiffe://mesh.test/DNS:other.test'],
    usage: 'server',
  });
  const socket = {
    alpnProtocol: false,
    getProtocol: () => 'TLSv1.3',
    getCipher: () => ({ standardName: 'TLS_AES_256_GCM_SHA384' }),
    getPeerX509Certificate: () => new X509Certificate(certificate),
  };
  t.match(describeHandshake(socket as unknown as tls.TLSSocket), {
    version: 'TLSv1.3',
    certificate: 'name.test',
    names: ['name.test', 'a.test'],
  });
  t.same(describeHandshake(socket as unknown as tls.TLSSocket).names, ['name.test', 'a.test']);
});

t.test('errors', (t) => {
  for (const [code, message, want] of [
    ['ERR_SSL_SSLV3_ALERT_HANDSHAKE_FAILURE', '', { alert: 'handshake_failure' }],
    ['ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED', '', { alert: 'certificate_required' }],
    ['ERR_SSL_SSL/TLS_ALERT_BAD_CERTIFICATE', '', { alert: 'bad_certificate' }],
    ['ERR_SSL_TLSV1_UNRECOGNIZED_NAME', '', { alert: 'unrecognized_name' }],
    ['ERR_SSL_WRONG_VERSION_NUMBER', '', { error: 'wrong version number' }],
    [undefined, 'error:0A000418:SSL routines:func:tlsv1 alert unknown ca:file.c:1:', { alert: 'unknown_ca' }],
    ['ECONNRESET', 'read ECONNRESET', undefined],
  ] as const) {
    t.same(describeTlsError(Object.assign(new Error(message), { code })), want, code ?? message);
  }
  t.end();
});
