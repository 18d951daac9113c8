// `/config_dump` in Envoy's shape (spec dataplane.md §8.3), and back: `proxy-config --admin` reads the dump of postern
// or of a real Envoy. Private keys are never in a DumpedSnapshot, so they cannot be in a dump.
import type { DumpedSecret, DumpedSnapshot } from '../translate/published.js';

const TYPE = 'type.googleapis.com/envoy.admin.v3.';
/** `[redacted]`, as Envoy shows a private key. */
const REDACTED = 'W3JlZGFjdGVkXQ==';

/** The dump, in Envoy's order of sections. `include_eds` adds the endpoints, as Envoy's query parameter does. */
export function renderConfigDump(published: DumpedSnapshot, includeEndpoints: boolean, version: string): unknown {
  const version_info = version;
  return {
    configs: [
      {
        '@type': `${TYPE}ClustersConfigDump`,
        version_info,
        dynamic_active_clusters: published.clusters.map((cluster) => ({ version_info, cluster })),
      },
      ...(includeEndpoints
        ? [
            {
              '@type': `${TYPE}EndpointsConfigDump`,
              dynamic_endpoint_configs: Object.entries(published.endpoints).map(([cluster_name, endpoints]) => ({
                version_info,
                endpoint_config: { cluster_name, endpoints },
              })),
            },
          ]
        : []),
      {
        '@type': `${TYPE}ListenersConfigDump`,
        version_info,
        dynamic_listeners: published.listeners.map(({ name, state, error, listener }) => ({
          name,
          ...(listener === undefined
            ? {}
            : { [`${state === 'warming' ? 'warming' : 'active'}_state`]: { version_info, listener } }),
          ...(error === undefined ? {} : { error_state: { details: error } }),
        })),
      },
      {
        '@type': `${TYPE}RoutesConfigDump`,
        dynamic_route_configs: published.routes.map((route_config) => ({ version_info, route_config })),
      },
      {
        '@type': `${TYPE}SecretsConfigDump`,
        dynamic_active_secrets: published.secrets.active.map((name) => ({
          name,
          version_info,
          secret: { name, ...renderSecret(published.certificates[name]) },
        })),
        dynamic_warming_secrets: published.secrets.warming.map((name) => ({
          name,
          version_info: 'uninitialized',
          secret: { name },
        })),
      },
    ],
  };
}

function renderSecret(secret: DumpedSecret | undefined): Record<string, unknown> {
  if (secret === undefined) return {};
  const bytes = (text: string) => ({ inline_bytes: Buffer.from(text).toString('base64') });
  return secret.kind === 'tls_certificate'
    ? {
        tls_certificate: {
          certificate_chain: bytes(secret.certificateChain),
          private_key: { inline_bytes: REDACTED },
        },
      }
    : { validation_context: { trusted_ca: bytes(secret.trustedCa) } };
}

function readSecret(secret: Record<string, unknown> | undefined): DumpedSecret | undefined {
  const pem = (value: unknown): string => {
    const source = record(value);
    return String(source?.['inline_string'] ?? Buffer.from(String(source?.['inline_bytes'] ?? ''), 'base64'));
  };
  const certificate = record(secret?.['tls_certificate']);
  if (certificate !== undefined)
    return { kind: 'tls_certificate', certificateChain: pem(certificate['certificate_chain']) };
  const context = record(secret?.['validation_context']);
  return context === undefined ? undefined : { kind: 'validation_context', trustedCa: pem(context['trusted_ca']) };
}

/** The sections of a dump; `undefined` when the JSON is no config dump. */
export function readConfigDump(dump: unknown): DumpedSnapshot | undefined {
  const configs = record(dump)?.['configs'];
  if (!Array.isArray(configs)) return undefined;
  const section = (name: string): Record<string, unknown> =>
    record(configs.find((config) => record(config)?.['@type'] === `${TYPE}${name}`)) ?? {};
  const list = (value: unknown): readonly Record<string, unknown>[] =>
    Array.isArray(value) ? value.map(record).filter((entry) => entry !== undefined) : [];

  const listeners = list(section('ListenersConfigDump')['dynamic_listeners']).map((entry) => {
    const active = record(entry['active_state']) ?? record(entry['warming_state']);
    const error = record(entry['error_state'])?.['details'];
    return {
      name: entry['name'],
      state:
        entry['active_state'] !== undefined ? 'active' : entry['warming_state'] !== undefined ? 'warming' : 'error',
      ...(error === undefined ? {} : { error }),
      ...(active === undefined ? {} : { listener: active['listener'] }),
    };
  });
  const endpoints: Record<string, unknown> = {};
  for (const entry of list(section('EndpointsConfigDump')['dynamic_endpoint_configs'])) {
    const config = record(entry['endpoint_config']);
    if (config !== undefined) endpoints[String(config['cluster_name'])] = endpointRows(config['endpoints']);
  }
  const names = (value: unknown): string[] => list(value).map((entry) => String(entry['name']));
  const secrets = section('SecretsConfigDump');
  const certificates: Record<string, DumpedSecret> = {};
  for (const entry of list(secrets['dynamic_active_secrets'])) {
    const secret = readSecret(record(entry['secret']));
    if (secret !== undefined) certificates[String(entry['name'])] = secret;
  }
  // The dump is Envoy's or ours, of the types that we would print ourselves: what else is in it is only printed.
  return {
    listeners,
    routes: list(section('RoutesConfigDump')['dynamic_route_configs']).map((entry) => entry['route_config']),
    clusters: list(section('ClustersConfigDump')['dynamic_active_clusters']).map((entry) => entry['cluster']),
    endpoints,
    secrets: { active: names(secrets['dynamic_active_secrets']), warming: names(secrets['dynamic_warming_secrets']) },
    certificates,
  } as unknown as DumpedSnapshot;
}

// Ours are flat rows already; Envoy's are localities with lb_endpoints.
function endpointRows(value: unknown): unknown[] {
  if (!Array.isArray(value)) return [];
  return value.flatMap((entry) => {
    const locality = record(entry);
    const nested = locality?.['lb_endpoints'];
    if (!Array.isArray(nested)) return locality === undefined ? [] : [locality];
    return nested.map((endpoint) => {
      const address = record(record(record(record(endpoint)?.['endpoint'])?.['address'])?.['socket_address']);
      return {
        address: `${String(address?.['address'])}:${String(address?.['port_value'])}`,
        weight: record(endpoint)?.['load_balancing_weight'] ?? 1,
        locality: locality?.['locality'] ?? {},
        priority: locality?.['priority'] ?? 0,
        health: record(endpoint)?.['health_status'] ?? 'HEALTHY',
      };
    });
  });
}

function record(value: unknown): Record<string, unknown> | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Record<string, unknown>)
    : undefined;
}
