// `tls` of a Gateway's server, in the order of Istio's validateTLSOptions. Spec validation.md §3.2.
import { CIPHER_SUITES } from '../model/cipher-suites.js';
import { compareText } from '../text-order.js';
import type { Findings } from './findings.js';
import { goList } from './go-text.js';
import type { Written } from './written.js';

/** Operators and groups of BoringSSL's cipher strings pass unseen. */
function isValidCipherSuite(name: string): boolean {
  return name === '' || name === 'ALL' || !/^[A-Za-z0-9]/.test(name) || CIPHER_SUITES.has(name);
}

/** What ISTIO_MUTUAL brings itself, with Istio's words for it. */
const OWN_CERTIFICATES = [
  ['serverCertificate', 'server certificate'],
  ['privateKey', 'private key'],
  ['caCertificates', 'CA bundle'],
  ['tlsCertificates', 'tlsCertificates'],
  ['credentialName', 'credentialName'],
  ['credentialNames', 'credentialNames'],
] as const;

const IGNORED_BY_PASSTHROUGH = [
  'caCrl',
  'serverCertificate',
  'privateKey',
  'caCertificates',
  'tlsCertificates',
  'credentialName',
  'credentialNames',
] as const;

/** All of §3.2. */
export function validateServerTls(tls: Written, found: Findings): void {
  const mode = tls.text('mode') || 'PASSTHROUGH';
  const version = tls.text('minProtocolVersion');
  if ((version === 'TLSV1_0' || version === 'TLSV1_1') && tls.texts('cipherSuites').length === 0) {
    found.warning(
      'TLS version below TLSV1_2 require setting compatible ciphers as by default they no longer include compatible ciphers.',
      tls.spanOf('minProtocolVersion'),
    );
  }
  warnOfCipherSuites(tls, found);
  if (mode === 'ISTIO_MUTUAL') {
    for (const [key, word] of OWN_CERTIFICATES) {
      if (isSet(tls, key)) found.error(`ISTIO_MUTUAL TLS cannot have associated ${word}`, tls.spanOf(key));
    }
    return;
  }
  if (mode === 'PASSTHROUGH' || mode === 'AUTO_PASSTHROUGH') {
    const ignored = IGNORED_BY_PASSTHROUGH.find((key) => isSet(tls, key));
    if (ignored !== undefined) {
      found.warning(`${mode} mode does not use certificates, they will be ignored`, tls.spanOf(ignored));
    }
  }
  validateCertificates(tls, mode, found);
}

/** A text that is not empty, or a list with items. */
function isSet(tls: Written, key: string): boolean {
  return tls.text(key) !== '' || tls.texts(key).length > 0;
}

function warnOfCipherSuites(tls: Written, found: Findings): void {
  const invalid = new Set<string>();
  const valid = new Set<string>();
  const repeated = new Set<string>();
  for (const { value } of tls.texts('cipherSuites')) {
    if (!isValidCipherSuite(value)) invalid.add(value);
    else if (valid.has(value)) repeated.add(value);
    else valid.add(value);
  }
  for (const [word, suites] of [
    ['invalid', invalid],
    ['duplicate', repeated],
  ] as const) {
    if (suites.size === 0) continue;
    const span = tls.texts('cipherSuites').findLast(({ value }) => suites.has(value))?.span ?? tls.span;
    found.warning(`ignoring ${word} cipher suites: ${goList([...suites].sort(compareText))}`, span);
  }
}

function validateCertificates(tls: Written, mode: string, found: Findings): void {
  const pair = tls.text('serverCertificate') !== '' && tls.text('privateKey') !== '';
  const sources = ['credentialName', 'credentialNames', 'tlsCertificates'].filter((key) => isSet(tls, key));
  if (sources.length + (pair ? 1 : 0) > 1) {
    found.error(
      'only one of credential_name, credential_names, server_certificate/private_key, tls_certificates should be specified',
      tls.spanOf(sources.at(-1) ?? 'serverCertificate'),
    );
  }
  const terminates = mode === 'SIMPLE' || mode === 'MUTUAL' || mode === 'OPTIONAL_MUTUAL';
  if (terminates && (isSet(tls, 'credentialName') || isSet(tls, 'credentialNames'))) return;
  if (terminates) validateFiles(tls, mode === 'SIMPLE' ? 'SIMPLE TLS' : 'MUTUAL TLS', found);
  if (tls.text('caCrl') === '') return;
  if (tls.text('credentialName') !== '') {
    found.error(
      'CRL is not supported with credentialName. CRL has to be specified in the credential',
      tls.spanOf('caCrl'),
    );
  }
  if (mode === 'SIMPLE') found.error('CRL is not supported with SIMPLE TLS', tls.spanOf('caCrl'));
}

function validateFiles(tls: Written, prefix: 'SIMPLE TLS' | 'MUTUAL TLS', found: Findings): void {
  const place = tls.spanOf('mode');
  if (prefix === 'MUTUAL TLS' && tls.text('caCertificates') === '') {
    found.error('MUTUAL TLS requires a client CA bundle', place);
  }
  const certificates = tls.messages('tlsCertificates');
  if (certificates.length > 2) {
    found.warning(`${prefix} can support up to 2 server certificates`, tls.spanOf('tlsCertificates'));
  }
  for (const pair of certificates.length > 0 ? certificates : [tls]) {
    const span = pair === tls ? place : pair.span;
    if (pair.text('serverCertificate') === '') found.error(`${prefix} requires a server certificate`, span);
    if (pair.text('privateKey') === '') found.error(`${prefix} requires a private key`, span);
  }
}
