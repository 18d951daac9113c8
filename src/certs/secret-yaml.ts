// Secrets as YAML, ready for `kubectl apply` or for postern's own files.
import type { KeyPair } from './key-pair.js';

/** A `kubernetes.io/tls` Secret with this pair. */
export function renderTlsSecret(namespace: string, name: string, pair: KeyPair): string {
  return renderSecret(namespace, name, 'kubernetes.io/tls', {
    'tls.crt': pair.certificate,
    'tls.key': pair.privateKey,
  });
}

/** An Opaque Secret with a CA under `ca.crt`; Istio looks for it as `<credentialName>-cacert` (spec gateway.md §8.3). */
export function renderCaSecret(namespace: string, name: string, caCertificate: string): string {
  return renderSecret(namespace, name, 'Opaque', { 'ca.crt': caCertificate });
}

function renderSecret(namespace: string, name: string, type: string, data: Readonly<Record<string, string>>): string {
  const lines = [
    'apiVersion: v1',
    'kind: Secret',
    `metadata: { name: ${name}, namespace: ${namespace} }`,
    `type: ${type}`,
    'data:',
  ];
  for (const [key, value] of Object.entries(data)) lines.push(`  ${key}: ${Buffer.from(value).toString('base64')}`);
  return `${lines.join('\n')}\n`;
}
