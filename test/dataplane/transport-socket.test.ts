// Certificates, names and parameters of transport sockets, as tables (spec dataplane.md §2.3, gateway.md §7.4, §7.6).
import { X509Certificate } from 'node:crypto';
import t from 'tap';
import { tlsFailureText } from '../../src/dataplane/transport-socket/failure-reason.js';
import { matchesName } from '../../src/dataplane/transport-socket/peer-verdict.js';
import { sharesVersion, tlsParameters } from '../../src/dataplane/transport-socket/tls-parameters.js';
import {
  type CandidateCertificate,
  chooseCertificate,
  describeCertificate,
  readClientSignatures,
} from '../../src/decide/certificate-choice.js';
import { dnsNameCovers, rfc2253Subject, subjectAltNames } from '../../src/decide/certificate-facts.js';
import { clientHello } from '../support/client-hello.js';
import { pem } from '../support/data-plane.js';

t.test('which certificate answers', (t) => {
  const ecdsa = (...names: string[]): CandidateCertificate => ({ kind: 'ecdsa', curve: 'prime256v1', names });
  const rsa = (...names: string[]): CandidateCertificate => ({ kind: 'rsa', curve: '', names });
  const modern = { ecdsaCurves: ['prime256v1'] };
  const old = { ecdsaCurves: [] };
  const cases = [
    { of: [rsa('a.test'), ecdsa('a.test')], name: 'a.test', client: modern, want: 1, why: 'ECDSA is preferred' },
    { of: [ecdsa('a.test'), rsa('a.test')], name: 'a.test', client: old, want: 1, why: 'unless the client cannot' },
    { of: [ecdsa('a.test'), rsa('b.test')], name: 'b.test', client: modern, want: 1, why: 'the name counts first' },
    {
      of: [ecdsa('*.x.test'), rsa('a.x.test')],
      name: 'a.x.test',
      client: modern,
      want: 1,
      why: 'exact before wildcard',
    },
    { of: [rsa('b.test'), ecdsa('*.x.test')], name: 'a.x.test', client: modern, want: 1, why: 'wildcard' },
    { of: [rsa('b.test'), ecdsa('*.x.test')], name: 'a.b.x.test', client: modern, want: 0, why: 'of one label' },
    { of: [ecdsa('a.test'), rsa('a.test')], name: 'z.test', client: old, want: 0, why: 'no name fits: the first' },
    { of: [ecdsa('a.test'), rsa('b.test')], name: '', client: old, want: 1, why: 'no name: the first usable' },
    { of: [ecdsa('a.test')], name: '', client: old, want: 0, why: 'none usable: the first' },
  ] as const;
  for (const { of, name, client, want, why } of cases) t.equal(chooseCertificate(of, name, client), want, why);
  t.match(describeCertificate(pem('local-rsa.pem')), { kind: 'rsa' });
  t.match(describeCertificate(pem('a.pem')), { kind: 'ecdsa', curve: 'prime256v1', names: ['a.example.com'] });
  t.same(readClientSignatures(clientHello({ serverName: 'x' })), { ecdsaCurves: ['prime256v1'] });
  t.same(readClientSignatures(clientHello({ serverName: 'x', recordSize: 30 })), { ecdsaCurves: ['prime256v1'] });
  t.same(readClientSignatures(Buffer.from('GET / HTTP/1.1')), { ecdsaCurves: [] });
  t.end();
});

t.test('subject and names', (t) => {
  t.equal(rfc2253Subject(new X509Certificate(pem('client.pem'))), 'CN=partner client,O=postern test');
  t.ok(
    subjectAltNames(new X509Certificate(pem('upstream.pem'))).some(
      ({ type, value }) => type === 'DNS' && value === 'upstream.test',
    ),
  );
  for (const [pattern, name, want] of [
    ['*.example.com', 'a.example.com', true],
    ['*.example.com', 'a.b.example.com', false],
    ['*.example.com', 'example.com', false],
    ['*.example.com', '.example.com', false],
    ['A.example.com', 'a.EXAMPLE.com', true],
  ] as const) {
    t.equal(dnsNameCovers(pattern, name), want, `${pattern} ${name}`);
  }
  t.equal(
    matchesName({ exact: 'spiffe://a/b' }, { type: 'URI', value: 'SPIFFE://a/b' }),
    false,
    'URIs are compared exactly',
  );
  t.equal(matchesName({ exact: '*.a.test' }, { type: 'DNS', value: '*.a.test' }), true);
  t.end();
});

t.test('parameters', (t) => {
  const base = tlsParameters({});
  t.match(base, { minVersion: 'TLSv1.2', maxVersion: 'TLSv1.3', ecdhCurve: /X25519:P-256$/ });
  const old = tlsParameters({
    tls_params: {
      tls_minimum_protocol_version: 'TLSv1_0',
      tls_maximum_protocol_version: 'TLSv1_2',
      cipher_suites: ['ECDHE-RSA-AES128-SHA'],
      ecdh_curves: ['P-384', 'X25519Kyber768Draft00'],
    },
  });
  t.same(base.groups?.slice(-2), [29, 23]);
  t.match(old, { minVersion: 'TLSv1', ciphers: 'ECDHE-RSA-AES128-SHA:@SECLEVEL=0', ecdhCurve: 'P-384' });
  t.equal(sharesVersion(base, 0x0303, undefined), true, 'TLS 1.2 without the extension');
  t.equal(sharesVersion(base, 0x0302, undefined), false);
  t.equal(sharesVersion(base, 0x0303, [0x0305, 0x7f1c]), false, 'unknown versions only');
  t.equal(sharesVersion(old, 0x0303, [0x0304]), false, 'a TLS 1.3 client of a server that ends at 1.2');
  t.equal(sharesVersion(old, 0x0301, undefined), true);
  t.end();
});

t.test('failure texts', (t) => {
  const text = (code: string): string => tlsFailureText(Object.assign(new Error('x'), { code }));
  t.equal(
    text('ERR_SSL_WRONG_VERSION_NUMBER'),
    'TLS_error:|268435703:SSL routines:OPENSSL_internal:WRONG_VERSION_NUMBER:TLS_error_end',
  );
  t.equal(
    text('ERR_SSL_TLSV1_ALERT_UNKNOWN_CA'),
    'TLS_error:|268436504:SSL routines:OPENSSL_internal:TLSV1_ALERT_UNKNOWN_CA:TLS_error_end',
  );
  t.equal(
    text('ERR_SSL_SSL/TLS_ALERT_CERTIFICATE_EXPIRED'),
    'TLS_error:|268436501:SSL routines:OPENSSL_internal:SSLV3_ALERT_CERTIFICATE_EXPIRED:TLS_error_end',
  );
  t.equal(
    text('ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED'),
    'TLS_error:|268436572:SSL routines:OPENSSL_internal:TLSV1_ALERT_CERTIFICATE_REQUIRED:TLS_error_end',
  );
  t.equal(text('ECONNRESET'), '');
  t.end();
});
