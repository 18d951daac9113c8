// From the registry to everything that istiod would send to this gateway. Spec gateway.md §0.
import type { Reporter } from '../diagnostics/diagnostic.js';
import { OriginTable } from '../diagnostics/origin.js';
import { gatewayServiceHosts } from '../registry/gateway-service.js';
import type { PushContext } from '../registry/push-context.js';
import type { AccessLogSettings, NodeFacts, Snapshot } from '../xds/index.js';
import { buildClusters } from './clusters/clusters.js';
import { reportUnemulatedProfile } from './connection-settings.js';
import { mergeGateways } from './gateway-merge.js';
import { buildListeners } from './listeners.js';
import { refusedRouteTables } from './routes/acceptance.js';
import { buildRouteConfigurations } from './routes/route-configurations.js';
import { buildSecrets } from './secrets.js';
import { reportTlsAlgorithms } from './tls-context.js';

/** What istiod would send, and where each part of it was written. */
export interface Translation {
  readonly snapshot: Snapshot;
  /** Where each `originId` of the snapshot was written. */
  readonly origins: OriginTable;
}

/**
 * Translates one configuration for one gateway workload.
 *
 *     const { snapshot, origins } = translate(buildPushContext(store, proxy), report);
 *     snapshot.listeners[0]?.name; // '0.0.0.0_8443'
 *
 * Never throws for what users write: what Istio drops and what Envoy refuses is reported with their own lines, and the
 * snapshot holds what is left.
 */
export function translate(context: PushContext, report: Reporter): Translation {
  const origins = new OriginTable();
  reportUnemulatedProfile(context.mesh, report);
  const gateways = mergeGateways(context, report);
  reportTlsAlgorithms(context.mesh, gateways, report);
  const listeners = buildListeners(context, gateways, origins, report);
  const routes = buildRouteConfigurations(context, gateways, origins, report);
  const { clusters, endpoints } = buildClusters(context, gateways, origins, report);
  const refused = refusedRouteTables(routes);
  const snapshot: Snapshot = {
    listeners,
    routes,
    clusters,
    endpoints,
    secrets: buildSecrets(context, { listeners, clusters, gateways }, origins, report),
    ...(Object.keys(refused).length === 0 ? {} : { refusedRoutes: refused }),
    accessLog: accessLogSettings(context),
    node: nodeFacts(context),
  };
  return { snapshot: Object.freeze(snapshot), origins };
}

function accessLogSettings({ mesh }: PushContext): AccessLogSettings {
  return {
    ...(mesh.accessLogFormat === undefined || mesh.accessLogFormat === '' ? {} : { format: mesh.accessLogFormat }),
    ...(mesh.accessLogEncoding === undefined ? {} : { encoding: mesh.accessLogEncoding }),
  };
}

function nodeFacts({ store, proxy }: PushContext): NodeFacts {
  const { region, zone, subZone } = proxy.locality;
  return {
    ipAddress: proxy.ipAddress,
    ...(region === undefined ? {} : { region }),
    ...(zone === undefined ? {} : { zone }),
    ...(subZone === undefined ? {} : { subZone }),
    services: gatewayServiceHosts(store, proxy),
  };
}
