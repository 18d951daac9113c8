// Clusters as Envoy's static configuration: what endpoint discovery would bring stands in them.
import type {
  Cluster,
  ClusterLoadAssignment,
  Endpoint,
  Locality,
  Snapshot,
  UpstreamTransportSocket,
} from '../xds/index.js';
import { HTTP_PROTOCOL_OPTIONS, TLS_TRANSPORT_SOCKET, UPSTREAM_PROXY_PROTOCOL_TRANSPORT_SOCKET } from '../xds/index.js';
import type { Material } from './material.js';
import { extensionConfig, type Message, typed, UPSTREAM_TLS } from './proto.js';

/** `undefined` where an address cannot be expressed. */
export function exportCluster(snapshot: Snapshot, material: Material, cluster: Cluster): Message {
  const {
    originId: _origin,
    eds_cluster_config: eds,
    cluster_type: type,
    transport_socket: socket,
    transport_socket_matches: matches,
    typed_extension_protocol_options: options,
    typed_dns_resolver_config: resolver,
    ...rest
  } = cluster;
  const endpoints = eds === undefined ? undefined : (snapshot.endpoints[eds.service_name] ?? []);
  const usedMatches = matches?.filter(
    (match) => match.match.tlsMode === undefined || isSelected(match.match.tlsMode, endpoints),
  );
  return {
    ...rest,
    // The name in statistics and in %UPSTREAM_CLUSTER%, as istiod gives it.
    alt_stat_name: `${cluster.name};`,
    ...(endpoints === undefined ? {} : { type: 'STATIC', load_assignment: loadAssignment(cluster.name, endpoints) }),
    ...(type === undefined
      ? {}
      : { cluster_type: { name: type.name, typed_config: extensionConfig(type.name, type.typed_config) } }),
    ...(socket === undefined ? {} : { transport_socket: exportSocket(material, socket) }),
    ...(usedMatches === undefined
      ? {}
      : {
          transport_socket_matches: usedMatches.map((match) => ({
            ...match,
            transport_socket: exportSocket(material, match.transport_socket),
          })),
        }),
    ...(options?.[HTTP_PROTOCOL_OPTIONS] === undefined
      ? {}
      : {
          typed_extension_protocol_options: {
            [HTTP_PROTOCOL_OPTIONS]: extensionConfig(HTTP_PROTOCOL_OPTIONS, options[HTTP_PROTOCOL_OPTIONS]),
          },
        }),
    ...(resolver === undefined
      ? {}
      : {
          typed_dns_resolver_config: {
            name: resolver.name,
            typed_config: extensionConfig(resolver.name, resolver.typed_config),
          },
        }),
  };
}

/** True when the cluster has no address to send anything to. */
export function isEmptyCluster(snapshot: Snapshot, cluster: Cluster): boolean {
  const name = cluster.eds_cluster_config?.service_name;
  return name !== undefined && (snapshot.endpoints[name] ?? []).length === 0;
}

// Endpoints are all known here, so a socket that none of them chooses would only ask for a certificate in vain.
function isSelected(tlsMode: string, endpoints: readonly Endpoint[] | undefined): boolean {
  return endpoints === undefined || endpoints.some((endpoint) => endpoint.tlsMode === tlsMode);
}

function exportSocket(material: Material, socket: UpstreamTransportSocket): Message {
  const { name } = socket;
  switch (socket.name) {
    case TLS_TRANSPORT_SOCKET: {
      const { common_tls_context: context, ...rest } = socket.typed_config;
      return { name, typed_config: typed(UPSTREAM_TLS, { ...rest, common_tls_context: material.context(context) }) };
    }
    case UPSTREAM_PROXY_PROTOCOL_TRANSPORT_SOCKET: {
      const { transport_socket: inner, config } = socket.typed_config;
      return {
        name,
        typed_config: extensionConfig(name, { config, transport_socket: exportSocket(material, inner) }),
      };
    }
    default:
      return { name, typed_config: extensionConfig(name, socket.typed_config) };
  }
}

function loadAssignment(clusterName: string, endpoints: readonly Endpoint[]): Message {
  return { cluster_name: clusterName, endpoints: localities(endpoints) };
}

interface Group {
  readonly locality: Locality;
  readonly priority: number;
  readonly weight: number | undefined;
  readonly endpoints: Endpoint[];
}

// One entry per locality and priority, in the order in which istiod names them.
function localities(endpoints: readonly Endpoint[]): readonly Message[] {
  const groups = new Map<string, Group>();
  for (const endpoint of endpoints) {
    const { locality, priority, localityWeight: weight } = endpoint;
    const key = JSON.stringify([locality.region, locality.zone, locality.sub_zone, priority]);
    const group = groups.get(key) ?? { locality, priority, weight, endpoints: [] };
    groups.set(key, group);
    group.endpoints.push(endpoint);
  }
  return [...groups.values()].map(({ locality, priority, weight, endpoints: members }) => ({
    // Also when it is empty, as istiod does: Envoy drops the weight of a group that has none.
    locality,
    ...(priority === 0 ? {} : { priority }),
    ...(weight === undefined ? {} : { load_balancing_weight: weight }),
    lb_endpoints: members.map(exportEndpoint),
  }));
}

function exportEndpoint({ address, weight, health, tlsMode, hostname }: Endpoint): Message {
  return {
    endpoint: { address: parseAddress(address), ...(hostname === undefined ? {} : { hostname }) },
    ...(health === 'HEALTHY' ? {} : { health_status: health }),
    load_balancing_weight: weight,
    ...(tlsMode === 'istio' ? { metadata: { filter_metadata: { 'envoy.transport_socket_match': { tlsMode } } } } : {}),
  };
}

/** `ip:port`, `[v6]:port` or the path of a unix socket. */
function parseAddress(
  text: string,
): ClusterLoadAssignment['endpoints'][number]['lb_endpoints'][number]['endpoint']['address'] | Message {
  const match = /^(?:\[([^\]]+)\]|([^:/]+)):(\d+)$/.exec(text);
  if (match === null) return { pipe: { path: text } };
  return { socket_address: { address: match[1] ?? match[2] ?? '', port_value: Number(match[3]) } };
}
