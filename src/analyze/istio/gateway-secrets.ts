// Secrets of Gateways exist and hold a certificate that is valid now. Spec validation.md §11 IST0161, IST0101
// credentialName. Istio: gateway/secret.go.
import { X509Certificate } from 'node:crypto';
import { goQuote } from '../../config/validate/go-text.js';
import type { WrittenObject } from '../../config/written-object.js';
import { InvalidGatewayCredential, ReferencedResourceNotFound } from '../../diagnostics/catalogue.js';
import type { AnalysisContext, Analyzer } from '../analyzer.js';
import { Field } from '../field.js';
import { gatewaySelector, printSelector, resolveName, selectPods } from '../selector.js';
import { reportNoPod } from './gateway-ports.js';

export const gatewaySecrets: Analyzer = {
  name: 'gateway.SecretAnalyzer',
  description: "Checks a gateway's referenced secrets for correctness",
  inputs: ['Gateway', 'Pod', 'Secret'],
  messages: [ReferencedResourceNotFound, InvalidGatewayCredential],
  analyze(context) {
    context.all('Secret');
    const namespaces = new Map<string, string | undefined>();
    for (const gateway of context.all('Gateway')) {
      const selector = gatewaySelector(gateway);
      const key = printSelector(selector);
      if (!namespaces.has(key)) namespaces.set(key, selectPods(context, selector)[0]?.namespace);
      const namespace = namespaces.get(key);
      if (namespace === undefined) reportNoPod(context, gateway);
      else checkServers(context, gateway, namespace);
    }
  },
};

function checkServers(context: AnalysisContext, gateway: WrittenObject, namespace: string): void {
  for (const server of Field.of(gateway).get('spec', 'servers').items()) {
    const at = server.get('tls', 'credentialName');
    const credential = at.text();
    if (credential === '') continue;
    const name = resolveName(namespace, credential);
    const secret = context.find('Secret', name.namespace, name.name);
    if (secret === undefined) {
      context.report(
        ReferencedResourceNotFound,
        at,
        { reftype: 'credentialName', refval: goQuote(credential) },
        {
          printed: at,
          label: `looked for Secret ${name.namespace}/${name.name}`,
          help: elsewhere(context, name) ?? 'add that Secret to the loaded files',
        },
      );
    } else if (!isValid(secret, context.now)) {
      context.report(InvalidGatewayCredential, at, { gateway: gateway.name, namespace }, { printed: at });
    }
  }
}

function elsewhere(
  context: AnalysisContext,
  wanted: { readonly name: string; readonly namespace: string },
): string | undefined {
  const other = context.all('Secret').find((secret) => secret.name === wanted.name);
  if (other === undefined) return undefined;
  return `it is looked up in the namespace of the gateway's pods: move the Secret from ${other.namespace} to ${wanted.namespace}`;
}

const PAIRS = [
  ['cert', 'key'],
  ['tls.crt', 'tls.key'],
] as const;

/** `stringData` does not count: files are taken literally (spec §10.4). */
function isValid(secret: WrittenObject, now: number): boolean {
  const data = Field.of(secret).get('data');
  for (const [certificate, key] of PAIRS) {
    const chain = Buffer.from(data.get(certificate).text(), 'base64');
    if (chain.length > 0 && Buffer.from(data.get(key).text(), 'base64').length > 0) return isCurrent(chain, now);
  }
  return false;
}

const FIRST_BLOCK = /-----BEGIN [^-]+-----[^-]*-----END [^-]+-----/;

/** The first PEM block is a certificate within its validity period. */
function isCurrent(chain: Buffer, now: number): boolean {
  const block = FIRST_BLOCK.exec(chain.toString('latin1'))?.[0];
  if (block === undefined) return false;
  try {
    const { validFrom, validTo } = new X509Certificate(block);
    return Date.parse(validFrom) <= now && now <= Date.parse(validTo);
  } catch {
    return false;
  }
}
