// The filter chains of one group of merged servers. Spec gateway.md §4.4, §10, §11.

import { compareText } from '../config/text-order.js';
import {
  NoVirtualServiceBound,
  PassthroughDuplicateSniHosts,
  ServerWithoutNetworkFilter,
} from '../diagnostics/catalogue.js';
import type { Reporter } from '../diagnostics/diagnostic.js';
import type { OriginTable } from '../diagnostics/origin.js';
import type { PushContext } from '../registry/push-context.js';
import { virtualServicesForGateway } from '../registry/virtual-services.js';
import type { FilterChain, FilterChainMatch, NetworkFilter } from '../xds/index.js';
import { buildAutoPassthroughChains, ISTIO_MUTUAL_ALPN } from './auto-passthrough.js';
import type { MergedPort, MergedServer } from './gateway-merge.js';
import { buildHttpConnectionManager } from './http-connection-manager.js';
import { filterChainLabel, listenerName } from './names.js';
import {
  isGrpcWeb,
  isMongo,
  isPassthroughServer,
  isTerminatedHttpsServer,
  serverProtocolClass,
  terminatingTls,
} from './server-protocol.js';
import { findSniRoutes, findTcpRoute } from './tcp-routes.js';
import { buildDownstreamTls } from './tls-context.js';

/** istiod's PILOT_GATEWAY_TRANSPORT_SOCKET_CONNECT_TIMEOUT. */
const HANDSHAKE_TIMEOUT = '15s';

/** A chain and whether the server behind it routes by SNI, which is what brings the TLS inspector along. */
export interface BuiltChain {
  readonly chain: FilterChain;
  readonly inspectsTls: boolean;
  /** The server that it was built for; of a plaintext HTTP group the first one. */
  readonly server: MergedServer;
}

/** What building chains shares over all groups of a gateway. */
export interface ChainContext {
  readonly context: PushContext;
  readonly origins: OriginTable;
  readonly report: Reporter;
  /** SNI hosts that VirtualServices have opened on each resolved port so far, with the bind. */
  readonly sniHosts: Map<number, Map<string, string>>;
}

/** Zero or more chains, in the order of the servers. */
export function buildFilterChains(build: ChainContext, group: MergedPort): readonly BuiltChain[] {
  if (serverProtocolClass(group.protocol) === 'http') return [plaintextHttpChain(build, group)];
  return group.servers.flatMap((server): readonly BuiltChain[] => {
    if (isTerminatedHttpsServer(server.server)) return [httpsChain(build, server)];
    if (!isPassthroughServer(server.server)) return tcpChain(build, server);
    return server.server.tls?.mode === 'AUTO_PASSTHROUGH'
      ? autoPassthroughChains(build, server)
      : passthroughChains(build, server);
  });
}

/** One chain for all plaintext HTTP servers of the group. */
function plaintextHttpChain(build: ChainContext, group: MergedPort): BuiltChain {
  const [first] = group.servers;
  if (first === undefined) throw new Error(`no server in the group of port ${group.port}`);
  const { mesh, proxy } = build.context;
  const manager = buildHttpConnectionManager({
    mesh,
    proxy,
    routeName: first.routeName,
    statPrefix: httpStatPrefix(first),
    grpcWeb: isGrpcWeb(group.protocol),
  });
  return assemble(build, first, { filters: [manager] });
}

function httpsChain(build: ChainContext, merged: MergedServer): BuiltChain {
  const { mesh, proxy } = build.context;
  const { name } = merged.server;
  const manager = buildHttpConnectionManager({
    mesh,
    proxy,
    routeName: merged.routeName,
    statPrefix: name === undefined || name === '' ? httpStatPrefix(merged) : name,
    grpcWeb: false,
  });
  return assemble(build, merged, { serverNames: merged.serverNames, tls: true, filters: [manager] });
}

function httpStatPrefix(merged: MergedServer): string {
  return `outbound_${listenerName(merged.bind, merged.port)};`;
}

/** TCP, or TLS that ends here and goes on as TCP. */
function tcpChain(build: ChainContext, merged: MergedServer): readonly BuiltChain[] {
  const route = findTcpRoute(build.context, merged, isMongo(merged.server.port.protocol));
  if (route === undefined) {
    reportMissingRoute(build, merged);
    return [];
  }
  const originId = build.origins.add(route.virtualService.resource.at(['spec', 'tcp', route.rule]));
  const tls = terminatingTls(merged.server) !== undefined;
  return [
    tls
      ? assemble(build, merged, { serverNames: merged.serverNames, tls, filters: route.filters, originId })
      : assemble(build, merged, { filters: route.filters, originId }),
  ];
}

function passthroughChains(build: ChainContext, merged: MergedServer): readonly BuiltChain[] {
  const chains: BuiltChain[] = [];
  const routes = findSniRoutes(build.context, merged);
  if (routes.length === 0) reportMissingRoute(build, merged);
  for (const route of routes) {
    const { virtualService, rule, match, sniHosts, filters } = route;
    const origin = virtualService.resource.at(['spec', 'tls', rule, 'match', match]);
    const duplicates = claimSniHosts(build, merged, sniHosts);
    if (duplicates.length > 0) {
      build.report(PassthroughDuplicateSniHosts, origin, {
        virtualService: virtualService.name,
        // istiod counts the matches of one entry here, not the entries.
        rule: match,
        port: merged.writtenPort,
        gateway: merged.gatewayName,
        hosts: duplicates.join(' '),
      });
      continue;
    }
    chains.push(assemble(build, merged, { serverNames: sniHosts, filters, originId: build.origins.add(origin) }));
  }
  return chains;
}

/** Names that are taken already; when there are none, all of them are taken from now on. */
function claimSniHosts(build: ChainContext, merged: MergedServer, sniHosts: readonly string[]): readonly string[] {
  const claimed = build.sniHosts.get(merged.port) ?? new Map<string, string>();
  build.sniHosts.set(merged.port, claimed);
  const duplicates = sniHosts.filter((host) => claimed.get(host) === merged.bind);
  if (duplicates.length === 0) for (const host of sniHosts) claimed.set(host, merged.bind);
  return duplicates;
}

function autoPassthroughChains(build: ChainContext, merged: MergedServer): readonly BuiltChain[] {
  return buildAutoPassthroughChains(build.context, merged.serverNames).map(({ serverName, filters }) =>
    assemble(build, merged, { serverNames: [serverName], applicationProtocols: ISTIO_MUTUAL_ALPN, filters }),
  );
}

function reportMissingRoute(build: ChainContext, merged: MergedServer): void {
  const { gateway, gatewayName, index, writtenPort } = merged;
  const origin = gateway.at(['spec', 'servers', index]);
  if (virtualServicesForGateway(build.context, gatewayName).length === 0) {
    build.report(NoVirtualServiceBound, origin, { gateway: gatewayName });
    return;
  }
  build.report(ServerWithoutNetworkFilter, origin, { gateway: gatewayName, port: writtenPort });
}

interface ChainParts {
  readonly filters: readonly NetworkFilter[];
  /** Absent: plaintext, no match. */
  readonly serverNames?: readonly string[];
  readonly applicationProtocols?: readonly string[];
  readonly tls?: boolean;
  /** Absent: the server in the Gateway. */
  readonly originId?: number;
}

function assemble(build: ChainContext, merged: MergedServer, parts: ChainParts): BuiltChain {
  const { gateway, gatewayName, server, index } = merged;
  const match = chainMatch(parts.serverNames ?? [], parts.applicationProtocols);
  const tls = parts.tls === true ? terminatingTls(server) : undefined;
  const chain: FilterChain = {
    originId: parts.originId ?? build.origins.add(gateway.at(['spec', 'servers', index])),
    label: filterChainLabel(gatewayName, server.port.name, match?.server_names ?? []),
    ...(match === undefined ? {} : { filter_chain_match: match }),
    filters: parts.filters,
    ...(tls === undefined
      ? {}
      : { transport_socket: buildDownstreamTls(tls, serverProtocolClass(server.port.protocol), build.context.mesh) }),
    transport_socket_connect_timeout: HANDSHAKE_TIMEOUT,
  };
  return { chain, inspectsTls: (parts.serverNames ?? []).length > 0 || tls !== undefined, server: merged };
}

/** One `*` among the names makes the chain a catch-all: no match at all. */
function chainMatch(
  serverNames: readonly string[],
  applicationProtocols: readonly string[] | undefined,
): FilterChainMatch | undefined {
  const named = serverNames.length > 0 && !serverNames.includes('*');
  if (!named && applicationProtocols === undefined) return undefined;
  return {
    ...(named ? { server_names: [...serverNames].sort(compareText) } : {}),
    ...(applicationProtocols === undefined ? {} : { application_protocols: applicationProtocols }),
  };
}
