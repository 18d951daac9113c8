// Listeners as Envoy's static configuration: route tables inside their connection managers, secrets by name.
import type {
  FilterChain,
  HttpConnectionManager,
  HttpFilter,
  Listener,
  NetworkFilter,
  Route,
  RouteConfiguration,
  Snapshot,
  TcpProxy,
} from '../xds/index.js';
import { CORS_FILTER, FAULT_FILTER, HTTP_CONNECTION_MANAGER, TCP_PROXY } from '../xds/index.js';
import type { Material } from './material.js';
import { CORS_POLICY, DOWNSTREAM_TLS, extensionConfig, type Message, typed } from './proto.js';

/** What all listeners of one bootstrap share. */
export interface ListenerContext {
  readonly snapshot: Snapshot;
  readonly material: Material;
  /** One logger, or none; see access-log.ts. */
  readonly accessLog: Message | undefined;
}

/** A listener at the address where it is to be bound. */
export function exportListener(context: ListenerContext, listener: Listener, address: Message): Message {
  const { originId: _origin, filter_chains: chains, listener_filters: filters, ...rest } = listener;
  return {
    ...rest,
    address,
    // As istiod marks a gateway's; without it Envoy would decorate answers instead of requests.
    traffic_direction: 'OUTBOUND',
    ...(filters === undefined
      ? {}
      : {
          listener_filters: filters.map(({ name, typed_config }) => ({
            name,
            typed_config: extensionConfig(name, typed_config),
          })),
        }),
    // Requests and TCP connections log for themselves; the listener has only what no chain fits (spec dataplane.md §7.5).
    ...(context.accessLog === undefined
      ? {}
      : { access_log: [{ ...context.accessLog, filter: { response_flag_filter: { flags: ['NR'] } } }] }),
    filter_chains: chains.map((chain) => exportChain(context, chain)),
  };
}

function exportChain(context: ListenerContext, chain: FilterChain): Message {
  const { originId: _origin, label: _label, filters, transport_socket: socket, ...rest } = chain;
  return {
    ...rest,
    filters: filters.map((filter) => exportNetworkFilter(context, filter)),
    ...(socket === undefined
      ? {}
      : {
          transport_socket: {
            name: socket.name,
            typed_config: typed(DOWNSTREAM_TLS, {
              ...socket.typed_config,
              common_tls_context: context.material.context(socket.typed_config.common_tls_context),
            }),
          },
        }),
  };
}

function exportNetworkFilter(context: ListenerContext, filter: NetworkFilter): Message {
  const { name } = filter;
  switch (filter.name) {
    case HTTP_CONNECTION_MANAGER:
      return { name, typed_config: extensionConfig(name, connectionManager(context, filter.typed_config)) };
    case TCP_PROXY:
      return { name, typed_config: extensionConfig(name, tcpProxy(context, filter.typed_config)) };
    default:
      return { name, typed_config: extensionConfig(name, { stat_prefix: 'mongo', ...filter.typed_config }) };
  }
}

function tcpProxy(context: ListenerContext, proxy: TcpProxy): Message {
  return {
    ...proxy,
    stat_prefix: proxy.stat_prefix ?? 'tcp',
    ...logs(context),
  };
}

function connectionManager(context: ListenerContext, manager: HttpConnectionManager): Message {
  const { rds, http_filters: filters, request_id_extension: requestId, ...rest } = manager;
  return {
    ...rest,
    stat_prefix: manager.stat_prefix ?? 'http',
    route_config: routeConfiguration(context.snapshot, rds.route_config_name),
    http_filters: filters.map(exportHttpFilter),
    ...(requestId === undefined
      ? {}
      : {
          request_id_extension: {
            typed_config: typed('envoy.extensions.request_id.uuid.v3.UuidRequestIdConfig', requestId.typed_config),
          },
        }),
    tracing: TRACING,
    ...logs(context),
  };
}

// Istio's own, without a tracer: what requests can feel of it are the decision in x-request-id and the header
// x-envoy-decorator-operation (spec dataplane.md §3.2).
const TRACING: Message = {
  client_sampling: { value: 100 },
  random_sampling: { value: 1 },
  overall_sampling: { value: 100 },
};

function logs({ accessLog }: ListenerContext): Message {
  return accessLog === undefined ? {} : { access_log: [accessLog] };
}

function exportHttpFilter({ name, typed_config }: HttpFilter): Message {
  return { name, typed_config: extensionConfig(name, typed_config) };
}

// A table that Envoy refuses, or that nobody sends, leaves a fresh port without routes: 404 to everything.
function routeConfiguration(snapshot: Snapshot, name: string): Message {
  const table = snapshot.routes.find((one) => one.name === name);
  if (table === undefined || snapshot.refusedRoutes?.[name] !== undefined)
    return { name, virtual_hosts: [], validate_clusters: false };
  return {
    ...table,
    virtual_hosts: table.virtual_hosts.map((host) => exportVirtualHost(host)),
  };
}

function exportVirtualHost(host: RouteConfiguration['virtual_hosts'][number]): Message {
  const { originId: _origin, routes, ...rest } = host;
  return { ...rest, ...(routes === undefined ? {} : { routes: routes.map(exportRoute) }) };
}

function exportRoute(written: Route): Message {
  const { originId: _origin, match, route, typed_per_filter_config: perFilter, ...rest } = written;
  return {
    ...rest,
    match: {
      ...match,
      // What is compared has to be said; the recordings leave it out because nothing but presence counts.
      ...(match.dynamic_metadata === undefined
        ? {}
        : { dynamic_metadata: match.dynamic_metadata.map((one) => ({ ...one, value: { present_match: true } })) }),
    },
    ...(route === undefined ? {} : { route: exportRouteAction(route) }),
    ...(perFilter === undefined
      ? {}
      : {
          typed_per_filter_config: {
            ...(perFilter[CORS_FILTER] === undefined
              ? {}
              : { [CORS_FILTER]: typed(CORS_POLICY, perFilter[CORS_FILTER]) }),
            ...(perFilter[FAULT_FILTER] === undefined
              ? {}
              : { [FAULT_FILTER]: extensionConfig(FAULT_FILTER, perFilter[FAULT_FILTER]) }),
          },
        }),
  };
}

function exportRouteAction(action: NonNullable<Route['route']>): Message {
  const retry = action.retry_policy;
  if (retry === undefined) return { ...action };
  const { retry_host_predicate: predicates, retry_priority: priority } = retry;
  return {
    ...action,
    retry_policy: {
      ...retry,
      ...(predicates === undefined
        ? {}
        : {
            retry_host_predicate: predicates.map(({ name, typed_config }) => ({
              name,
              typed_config: extensionConfig(name, typed_config),
            })),
          }),
      ...(priority === undefined
        ? {}
        : {
            retry_priority: {
              name: priority.name,
              typed_config: extensionConfig(priority.name, priority.typed_config),
            },
          }),
    },
  };
}
