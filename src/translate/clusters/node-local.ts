// Services whose endpoints are those of the gateway's own node: `internalTrafficPolicy: Local`. Spec destinations.md §4.1.
// Source: istio/istio pilot/pkg/xds/endpoints/endpoint_builder.go (filterIstioEndpoint), pilot/pkg/model/context.go
// (GetNodeName).
import type { GatewayProxy, IstioEndpoint, Service } from '../../registry/push-context.js';

/** Istio's name of the node in the labels of an endpoint. */
const HOSTNAME_LABEL = 'kubernetes.io/hostname';

/** True for Services of `internalTrafficPolicy: Local`. */
export function isNodeLocal({ resource }: Service): boolean {
  return (
    resource?.kind === 'Service' &&
    'internalTrafficPolicy' in resource.spec &&
    resource.spec.internalTrafficPolicy === 'Local'
  );
}

/** The node that the gateway runs on; `undefined` when nobody said. */
export function nodeOf({ metadata, labels }: GatewayProxy): string | undefined {
  return metadata['NODE_NAME'] ?? labels[HOSTNAME_LABEL];
}

/** True when this gateway may use the endpoint; every one where its own node is not known (PST0801). */
export function isReachable(endpoint: IstioEndpoint, service: Service, proxy: GatewayProxy): boolean {
  const node = nodeOf(proxy);
  return node === undefined || !isNodeLocal(service) || endpoint.labels[HOSTNAME_LABEL] === node;
}
