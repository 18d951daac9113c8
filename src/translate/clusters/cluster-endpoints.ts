// The endpoints of one cluster: of its port, with its subset's labels, usable, by locality and priority. Spec
// destinations.md §5.2, §5.7, §6.3, §8.6, §11 step 6. Source: istio/istio pilot/pkg/xds/endpoints/endpoint_builder.go.
import type { TrafficPolicy } from '../../config/model/destination-rule.js';
import { isIpAddress } from '../../config/model/ip-address.js';
import { labelsMatch } from '../../config/model/labels.js';
import type { IstioEndpoint, PushContext, Service, ServicePort } from '../../registry/push-context.js';
import { type ClusterLoadAssignment, type Endpoint, type Locality, renderSocketAddress } from '../../xds/index.js';
import {
  applyLocality,
  groupByLocality,
  type LocalityEndpoints,
  type LocalitySetting,
  usesLocalityWeights,
} from './locality.js';
import { isReachable } from './node-local.js';

/** Which endpoints of a service a cluster takes, and what orders them. */
export interface EndpointSelection {
  readonly service: Service;
  readonly port: ServicePort;
  readonly labels: Readonly<Record<string, string>>;
  readonly policy: TrafficPolicy | undefined;
  readonly locality: LocalitySetting | undefined;
}

/** Endpoints of a port that carry the subset's labels, of any health. */
export function selectEndpoints(
  context: PushContext,
  { service, port, labels }: Pick<EndpointSelection, 'service' | 'port' | 'labels'>,
): readonly IstioEndpoint[] {
  return context.endpoints(service, port).filter((endpoint) => labelsMatch(labels, endpoint.labels));
}

/** What EDS sends. `accepts` leaves out more (AUTO_PASSTHROUGH); `usesMutualTls` chooses the endpoint's socket. */
export function edsEndpoints(
  context: PushContext,
  selection: EndpointSelection,
  accepts: (endpoint: IstioEndpoint) => boolean,
  usesMutualTls: (endpoint: IstioEndpoint) => boolean,
): readonly Endpoint[] {
  const usable = selectEndpoints(context, selection).filter(
    (endpoint) =>
      isSent(endpoint, selection.policy) &&
      isReachable(endpoint, selection.service, context.proxy) &&
      accepts(endpoint),
  );
  const groups = localise(context, usable, selection);
  const weighted = usesLocalityWeights(selection.locality);
  return groups.flatMap((group) =>
    group.endpoints.map((endpoint) => ({
      address: addressText(endpoint),
      weight: endpoint.weight,
      locality: parseLocality(group.locality),
      priority: group.priority,
      health: endpoint.health,
      ...(weighted ? { localityWeight: group.weight } : {}),
      tlsMode: usesMutualTls(endpoint) ? ('istio' as const) : ('disabled' as const),
    })),
  );
}

// A name in EDS is dropped, a unix socket is not. Unready endpoints are sent, so that they count in the health of
// their priority, unless panic is on: it would then send traffic to them.
function isSent(endpoint: IstioEndpoint, policy: TrafficPolicy | undefined): boolean {
  if (!isIpAddress(endpoint.address) && !isUnix(endpoint)) return false;
  return endpoint.health !== 'UNHEALTHY' || (policy?.outlierDetection?.minHealthPercent ?? 0) <= 0;
}

/** The load assignment of a DNS cluster; `undefined` when there is no endpoint (the cluster is not built then). */
export function dnsLoadAssignment(
  context: PushContext,
  name: string,
  selection: EndpointSelection,
  onlyFirst: boolean,
): ClusterLoadAssignment | undefined {
  const all = selectEndpoints(context, selection).filter((endpoint) => !isUnix(endpoint));
  const endpoints = onlyFirst ? all.slice(0, 1) : all;
  if (endpoints.length === 0) return undefined;
  return {
    cluster_name: name,
    endpoints: localise(context, endpoints, selection).map((group) => ({
      locality: parseLocality(group.locality),
      lb_endpoints: group.endpoints.map((endpoint) => ({
        endpoint: { address: { socket_address: { address: endpoint.address, port_value: endpoint.port } } },
        load_balancing_weight: endpoint.weight,
      })),
      load_balancing_weight: group.weight,
      ...(group.priority === 0 ? {} : { priority: group.priority }),
    })),
  };
}

function localise(
  context: PushContext,
  endpoints: readonly IstioEndpoint[],
  { policy, locality }: EndpointSelection,
): readonly LocalityEndpoints[] {
  const hasOutlierDetection = policy?.outlierDetection !== undefined;
  return applyLocality(groupByLocality(endpoints), locality, hasOutlierDetection, context.proxy);
}

function isUnix(endpoint: IstioEndpoint): boolean {
  return endpoint.address.startsWith('/') || endpoint.address.startsWith('@');
}

function addressText(endpoint: IstioEndpoint): string {
  if (isUnix(endpoint)) return endpoint.address;
  return renderSocketAddress(endpoint.address, endpoint.port);
}

function parseLocality(text: string): Locality {
  const [region = '', zone = '', subzone = ''] = text.split('/');
  return {
    ...(region === '' ? {} : { region }),
    ...(zone === '' ? {} : { zone }),
    ...(subzone === '' ? {} : { sub_zone: subzone }),
  };
}
