// A snapshot as one static bootstrap that Envoy 1.40 loads: listeners, route tables inside them, clusters with their
// endpoints, secrets. Names stay Istio's. What Envoy would refuse of a dynamic configuration, and go on without, would
// end it at start here, so that is left out as the running gateway would leave it out.
import {
  ClustersWithoutEndpoints,
  ListenerAddressTaken,
  ListenerNotExported,
  RouteTableNotExported,
} from '../diagnostics/catalogue.js';
import type { Reporter } from '../diagnostics/diagnostic.js';
import type { OriginTable } from '../diagnostics/origin.js';
import {
  type AccessLogSettings,
  HTTP_CONNECTION_MANAGER,
  isLoopback,
  type Listener,
  type Snapshot,
} from '../xds/index.js';
import { exportAccessLog } from './access-log.js';
import { exportCluster, isEmptyCluster } from './cluster.js';
import { exportListener } from './listener.js';
import { ABSENT_SECRETS, type ExportedFile, Material } from './material.js';
import { extensionConfig, type Message, typed } from './proto.js';

export type { ExportedFile } from './material.js';

/** Where things are to be; defaults in brackets. */
export interface ExportOptions {
  /** Where wildcard listeners, and those of the pod's own address, are bound ['127.0.0.1']. */
  readonly address?: string;
  /** Container port → port to bind [the same; 0 = any]. */
  readonly ports?: ReadonlyMap<number, number>;
  /** For ports that `ports` does not name [as they are]. */
  readonly otherwise?: number;
  /** Admin listener, or 'off' [127.0.0.1:15000]. */
  readonly admin?: { readonly host: string; readonly port: number } | 'off';
  /** Folder for certificates and keys, as Envoy will see it [inline]. */
  readonly secretsFolder?: string;
  /** 'off', or instead of the snapshot's. */
  readonly accessLog?: AccessLogSettings | 'off';
}

/** The bootstrap and what it refers to. */
export interface ExportedBootstrap {
  /** Plain JSON. Holds private keys unless `secretsFolder` is given. */
  readonly bootstrap: Message;
  /** Empty without `secretsFolder`; for mode 0600. */
  readonly files: readonly ExportedFile[];
}

/**
 * The bootstrap of a snapshot.
 *
 *     const { bootstrap } = exportBootstrap(snapshot, origins, report);
 *     await writeFile('envoy.json', JSON.stringify(bootstrap)); // envoy -c envoy.json
 *
 * Never throws; what cannot be taken along is reported.
 */
export function exportBootstrap(
  snapshot: Snapshot,
  origins: OriginTable,
  report: Reporter,
  options: ExportOptions = {},
): ExportedBootstrap {
  const material = new Material(snapshot.secrets, options.secretsFolder, report);
  const log = options.accessLog ?? snapshot.accessLog;
  const context = { snapshot, material, accessLog: log === 'off' ? undefined : exportAccessLog(log) };
  const placed = placeListeners(snapshot, origins, report, options);
  reportRouteTables(snapshot, placed, report);
  const listeners = placed.map(({ listener, address }) => exportListener(context, listener, address));
  const clusters = snapshot.clusters.map((cluster) => exportCluster(snapshot, material, cluster));
  const empty = snapshot.clusters.filter((cluster) => isEmptyCluster(snapshot, cluster));
  if (empty.length > 0)
    report(ClustersWithoutEndpoints, undefined, { clusters: empty.map(({ name }) => name).join(', ') });
  const { admin = { host: '127.0.0.1', port: 15_000 } } = options;
  return {
    bootstrap: {
      node: node(snapshot),
      ...(admin === 'off'
        ? {}
        : { admin: { address: { socket_address: { address: admin.host, port_value: admin.port } } } }),
      static_resources: {
        listeners,
        clusters: material.asksForAbsent ? [...clusters, absentSecretsCluster()] : clusters,
        ...(material.staticSecrets.length === 0 ? {} : { secrets: material.staticSecrets }),
      },
      ...environment(),
    },
    files: material.files,
  };
}

interface PlacedListener {
  readonly listener: Listener;
  readonly address: Message;
}

function placeListeners(
  snapshot: Snapshot,
  origins: OriginTable,
  report: Reporter,
  options: ExportOptions,
): readonly PlacedListener[] {
  const placed: PlacedListener[] = [];
  const taken = new Map<string, string>();
  for (const { name, error, listener } of snapshot.listeners) {
    if (listener === undefined) {
      report(ListenerNotExported, undefined, { listener: name, reason: error ?? 'it has no filter chain' });
      continue;
    }
    const address = boundAddress(listener, options);
    const key = JSON.stringify(address);
    const other = taken.get(key);
    if (other !== undefined && !key.endsWith(':0}}')) {
      const origin = listener.originId === undefined ? undefined : origins.get(listener.originId);
      report(ListenerAddressTaken, origin, { listener: name, other });
      continue;
    }
    taken.set(key, name);
    placed.push({ listener, address });
  }
  return placed;
}

// A `bind` that is no address of loopback belongs to the gateway pod, not to the machine that runs this.
function boundAddress(listener: Listener, options: ExportOptions): Message {
  if ('pipe' in listener.address) return listener.address;
  const { address, port_value: port } = listener.address.socket_address;
  return {
    socket_address: {
      address: isLoopback(address) ? address : (options.address ?? '127.0.0.1'),
      port_value: options.ports?.get(port) ?? options.otherwise ?? port,
    },
  };
}

function reportRouteTables(snapshot: Snapshot, placed: readonly PlacedListener[], report: Reporter): void {
  const asked = new Set(
    placed.flatMap(({ listener }) =>
      listener.filter_chains.flatMap(({ filters }) =>
        filters.flatMap((filter) =>
          filter.name === HTTP_CONNECTION_MANAGER ? [filter.typed_config.rds.route_config_name] : [],
        ),
      ),
    ),
  );
  for (const [name, reason] of Object.entries(snapshot.refusedRoutes ?? {}))
    if (asked.has(name)) report(RouteTableNotExported, undefined, { table: name, reason });
}

function node({ node: { ipAddress, region, zone, subZone } }: Snapshot): Message {
  const locality = {
    ...(region === undefined ? {} : { region }),
    ...(zone === undefined ? {} : { zone }),
    ...(subZone === undefined ? {} : { sub_zone: subZone }),
  };
  return {
    id: `router~${ipAddress}~istio-ingressgateway.istio-system~istio-system.svc.cluster.local`,
    cluster: 'istio-ingressgateway.istio-system',
    ...(Object.keys(locality).length === 0 ? {} : { locality }),
  };
}

function absentSecretsCluster(): Message {
  return {
    name: ABSENT_SECRETS,
    type: 'STATIC',
    connect_timeout: '1s',
    load_assignment: { cluster_name: ABSENT_SECRETS, endpoints: [] },
    typed_extension_protocol_options: {
      'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': extensionConfig(
        'envoy.extensions.upstreams.http.v3.HttpProtocolOptions',
        { explicit_http_config: { http2_protocol_options: {} } },
      ),
    },
  };
}

/** What Istio's own bootstrap sets and requests can feel (spec dataplane.md §3.1, §4; virtualservice.md §7.3). */
function environment(): Message {
  return {
    layered_runtime: {
      layers: [
        {
          name: 'istio',
          static_layer: {
            'envoy.reloadable_features.http_reject_path_with_fragment': false,
            're2.max_program_size.error_level': 32_768,
          },
        },
      ],
    },
    overload_manager: {
      resource_monitors: [
        {
          name: 'envoy.resource_monitors.global_downstream_max_connections',
          typed_config: typed(
            'envoy.extensions.resource_monitors.downstream_connections.v3.DownstreamConnectionsConfig',
            { max_active_downstream_connections: '2147483647' },
          ),
        },
      ],
    },
  };
}
