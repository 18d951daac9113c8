// `tls` of a traffic policy. Spec validation.md §5.1; Istio: pkg/config/validation/agent/validation.go ValidateTLS.
import type { Findings } from './findings.js';
import { goQuote } from './go-text.js';
import type { Written } from './written.js';

const CONFIG_MAP = 'configmap://';

export function validateClientTls(tls: Written | undefined, namespace: string, found: Findings): void {
  if (tls === undefined) return;
  const mode = tls.text('mode');
  const credential = tls.text('credentialName');
  if (credential.startsWith(CONFIG_MAP)) {
    const problem = configMapProblem(credential, namespace);
    if (problem !== undefined) {
      found.error(`invalid configmap:// credentialName: ${problem}`, tls.spanOf('credentialName'));
    }
  }
  if (tls.flag('insecureSkipVerify')) validateSkippedVerification(tls, mode, found);
  if ((mode === 'SIMPLE' || mode === 'MUTUAL') && credential !== '') {
    const file = ['clientCertificate', 'caCertificates', 'privateKey', 'caCrl'].find((key) => tls.text(key) !== '');
    if (file !== undefined) {
      found.error(
        'cannot specify client certificates or CA certificate or CA CRL If credentialName is set',
        tls.spanOf(file),
      );
    }
    return;
  }
  if (mode !== 'MUTUAL') return;
  if (tls.text('clientCertificate') === '') {
    found.error('client certificate required for mutual tls', tls.spanOf('mode'));
  }
  if (tls.text('privateKey') === '') found.error('private key required for mutual tls', tls.spanOf('mode'));
}

function configMapProblem(credential: string, namespace: string): string | undefined {
  const path = credential.slice(CONFIG_MAP.length);
  const invalid = `invalid resource name ${goQuote(credential)}. Expected`;
  const slash = path.indexOf('/');
  if (slash === -1) return `${invalid} namespace and name`;
  if (slash === 0) return `${invalid} namespace`;
  if (slash === path.length - 1) return `${invalid} name`;
  if (path.slice(0, slash) === namespace) return undefined;
  return `namespace must match the configuration namespace ${goQuote(namespace)}`;
}

function validateSkippedVerification(tls: Written, mode: string, found: Findings): void {
  const names = tls.texts('subjectAltNames').length > 0;
  const ca = tls.text('caCertificates') !== '';
  const span = tls.spanOf('insecureSkipVerify');
  if (mode === 'SIMPLE' && (ca || names || tls.text('credentialName') !== '')) {
    found.error(
      'cannot specify CaCertificates or CredentialName or SubjectAltNames when InsecureSkipVerify is set true',
      span,
    );
  }
  if (mode === 'MUTUAL' && (ca || names)) {
    found.error('cannot specify CaCertificates or SubjectAltNames when InsecureSkipVerify is set true', span);
  }
}
