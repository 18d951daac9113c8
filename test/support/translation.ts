// Istio YAML to a snapshot in one call, for tests that ask what a configuration becomes.
import { loadConfig } from '../../src/config/load.js';
import type { MeshConfig } from '../../src/config/model/mesh-config.js';
import { collect, type Diagnostic } from '../../src/diagnostics/diagnostic.js';
import { buildPushContext } from '../../src/registry/build-push-context.js';
import type { GatewayProxy, PushContext, PushContextOptions } from '../../src/registry/push-context.js';
import { type Translation, translate } from '../../src/translate/translate.js';

export interface YamlTranslation extends Translation {
  readonly context: PushContext;
  /** Of translating only; loading must give no error. */
  readonly diagnostics: readonly Diagnostic[];
}

export interface TranslationOptions extends PushContextOptions {
  readonly mesh?: MeshConfig;
  readonly proxy?: Partial<GatewayProxy>;
}

export const GATEWAY_PROXY: GatewayProxy = {
  namespace: 'istio-system',
  labels: { istio: 'ingressgateway', app: 'istio-ingressgateway' },
  ipAddress: '127.0.0.2',
  locality: {},
  metadata: {},
  domain: 'cluster.local',
};

export function contextOfYaml(yaml: string, options: TranslationOptions = {}): PushContext {
  const { mesh, proxy, ...rest } = options;
  const { store, diagnostics } = loadConfig([{ file: 'test.yaml', text: yaml, named: true }], { mesh });
  const errors = diagnostics.filter((diagnostic) => diagnostic.severity === 'error');
  if (errors.length > 0) throw new Error(errors.map((error) => `${error.origin?.line}: ${error.message}`).join('\n'));
  return buildPushContext(store, { ...GATEWAY_PROXY, ...proxy }, rest);
}

export function translateYaml(yaml: string, options: TranslationOptions = {}): YamlTranslation {
  const context = contextOfYaml(yaml, options);
  const diagnostics: Diagnostic[] = [];
  return { context, diagnostics, ...translate(context, collect(diagnostics)) };
}

/** A Gateway document that selects the stock gateway; `servers` are lines of a YAML list. */
export function gatewayYaml(name: string, servers: readonly string[]): string {
  const slash = name.indexOf('/');
  return `
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: { name: ${name.slice(slash + 1)}, namespace: ${slash === -1 ? 'apps' : name.slice(0, slash)} }
spec:
  selector: { istio: ingressgateway }
  servers:
${servers.map((server) => `  - ${server}`).join('\n')}
---
`;
}
