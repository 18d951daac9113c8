// One door for tests of route translation: YAML in, readable lines out.
import { loadConfig } from '../../src/config/load.js';
import { collect, type Diagnostic } from '../../src/diagnostics/diagnostic.js';
import { OriginTable } from '../../src/diagnostics/origin.js';
import { buildPushContext } from '../../src/registry/build-push-context.js';
import { mergeGateways } from '../../src/translate/gateway-merge.js';
import { buildRouteConfigurations } from '../../src/translate/routes/route-configurations.js';
import type { Route, RouteConfiguration } from '../../src/xds/index.js';
import { GATEWAY_PROXY } from './translation.js';

export interface BuiltRoutes {
  readonly tables: readonly RouteConfiguration[];
  readonly origins: OriginTable;
  /** Of the translation; loading must not have found anything. */
  readonly diagnostics: readonly Diagnostic[];
}

/** Pods of the gateway run in istio-system. `mesh` is MeshConfig as YAML. */
export function buildRoutes(yaml: string, mesh?: string): BuiltRoutes {
  const loaded = loadConfig(
    [{ file: 'test.yaml', text: yaml, named: true }],
    mesh === undefined ? {} : { meshConfig: { file: 'mesh.yaml', text: mesh, named: true } },
  );
  const errors = loaded.diagnostics.filter(({ severity }) => severity === 'error');
  if (errors.length > 0) throw new Error(errors.map(({ message }) => message).join('\n'));
  const context = buildPushContext(loaded.store, GATEWAY_PROXY);
  const diagnostics: Diagnostic[] = [];
  const origins = new OriginTable();
  const report = collect(diagnostics);
  const gateways = mergeGateways(context, () => {});
  return { tables: buildRouteConfigurations(context, gateways, origins, report), origins, diagnostics };
}

/** A Gateway `infra/gw` with one plaintext server for every host. */
export const ANY_HOST_GATEWAY = gatewayYaml('- { port: { number: 80, name: http, protocol: HTTP }, hosts: ["*"] }');

/** A Gateway `infra/gw` with these servers. */
export function gatewayYaml(servers: string, name = 'gw', namespace = 'infra'): string {
  return `
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: { name: ${name}, namespace: ${namespace} }
spec:
  selector: { istio: ingressgateway }
  servers:
${indent(servers, 2)}
---`;
}

/** A VirtualService in `apps`, bound to `infra/gw` unless `spec` says otherwise. */
export function virtualServiceYaml(name: string, spec: string, namespace = 'apps', created?: string): string {
  const timestamp = created === undefined ? '' : `, creationTimestamp: "${created}"`;
  const gateways = /^gateways:/m.test(spec) ? '' : '  gateways: [infra/gw]\n';
  return `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: ${name}, namespace: ${namespace}${timestamp} }
spec:
${gateways}${indent(spec, 2)}
---`;
}

/** A Service with these ports, in `apps`. */
export function serviceYaml(name: string, ports: readonly number[], namespace = 'apps'): string {
  return `
apiVersion: v1
kind: Service
metadata: { name: ${name}, namespace: ${namespace} }
spec:
  selector: { app: ${name} }
  ports: [${ports.map((port) => `{ name: http-${port}, port: ${port} }`).join(', ')}]
---`;
}

function indent(text: string, by: number): string {
  return text
    .split('\n')
    .map((line) => ' '.repeat(by) + line)
    .join('\n');
}

/** Every virtual host as `table | name | domains | ALL`, followed by its routes. */
export function describeTables(tables: readonly RouteConfiguration[]): readonly string[] {
  return tables.flatMap((table) =>
    table.virtual_hosts.flatMap((host) => [
      [table.name, host.name, host.domains.join(' '), ...(host.require_tls === undefined ? [] : ['ALL'])].join(' | '),
      ...(host.routes ?? []).map((route) => `  ${describeRoute(route)}`),
    ]),
  );
}

/** `name: prefix /a -> cluster`. */
export function describeRoute(route: Route): string {
  const { match } = route;
  const path =
    match.path !== undefined
      ? `path ${match.path}`
      : match.safe_regex !== undefined
        ? `regex ${match.safe_regex.regex}`
        : `prefix ${match.prefix}`;
  const conditions = (match.headers?.length ?? 0) + (match.query_parameters?.length ?? 0);
  const action =
    route.redirect !== undefined
      ? 'redirect'
      : route.direct_response !== undefined
        ? `reply ${route.direct_response.status}`
        : (route.route?.cluster ??
          route.route?.weighted_clusters?.clusters.map(({ name, weight }) => `${weight}*${name}`).join(' ') ??
          'nothing');
  const name = route.name === undefined ? '' : `${route.name}: `;
  return `${name}${path}${conditions === 0 ? '' : ` +${conditions}`} -> ${action}`;
}
