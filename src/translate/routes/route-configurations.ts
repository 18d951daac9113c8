// The route tables of a gateway: one per plaintext HTTP port, one per terminated HTTPS server. Spec virtualservice.md §4.
import type { Reporter } from '../../diagnostics/diagnostic.js';
import type { OriginTable } from '../../diagnostics/origin.js';
import type { PushContext } from '../../registry/push-context.js';
import type { RouteConfiguration } from '../../xds/index.js';
import type { MergedGateways } from '../gateway-merge.js';
import { reportRoutes } from './diagnostics.js';
import { reportTable } from './table-diagnostics.js';
import { virtualHosts } from './virtual-hosts.js';

const MAX_DIRECT_RESPONSE_BODY = 1_048_576;

/**
 * Envoy's route tables for the merged Gateways, in merge order. Unknown clusters are legal in them.
 *
 *     const tables = buildRouteConfigurations(context, gateways, origins, report);
 *     tables[0].virtual_hosts[0].domains; // ['shop.example.com']
 *
 * Reports what of the VirtualServices has no effect. What Envoy would refuse is asked separately (`refusedRouteTables`).
 */
export function buildRouteConfigurations(
  context: PushContext,
  gateways: MergedGateways,
  origins: OriginTable,
  report: Reporter,
): readonly RouteConfiguration[] {
  const tables: RouteConfiguration[] = [];
  for (const [name, servers] of gateways.serversByRoute) {
    tables.push({
      name,
      virtual_hosts: virtualHosts(context, servers, origins),
      validate_clusters: false,
      max_direct_response_body_size_bytes: MAX_DIRECT_RESPONSE_BODY,
      ignore_port_in_host_matching: true,
    });
  }
  reportRoutes(context, gateways, report);
  for (const table of tables) reportTable(table, gateways.serversByRoute.get(table.name) ?? [], origins, report);
  return tables;
}
