// The gateway's own Service. Files that describe an application rarely hold it, so that of the stock installation is
// assumed. Spec gateway.md §3.3.
import type { KindSpecs, Resource } from '../config/model/resource.js';
import { extendStore, type Store } from '../config/store.js';
import { selectsGateway } from './gateway-ports.js';
import type { GatewayProxy } from './push-context.js';

const NAME = 'istio-ingressgateway';
const PORTS = [
  { name: 'http2', port: 80, targetPort: 8080, protocol: 'TCP' },
  { name: 'https', port: 443, targetPort: 8443, protocol: 'TCP' },
] as const;

/**
 * The store with a Service in front of the gateway: 80 to 8080, 443 to 8443.
 *
 * Files with a Service that selects the pod, or with one of the stock name in whatever namespace, describe the gateway
 * themselves; then the store comes back as it is, and a gateway that no Service selects listens on every port as
 * written.
 */
export function withGatewayService(store: Store, proxy: GatewayProxy): Store {
  const services = store.all('Service');
  if (services.some((service) => service.metadata.name === NAME || selectsGateway(service, proxy))) return store;
  return extendStore(store, [stockService(proxy), stockEndpoints(proxy)]);
}

/** Full names of the Services in front of the gateway. */
export function gatewayServiceHosts(store: Store, proxy: GatewayProxy): readonly string[] {
  return store
    .all('Service')
    .filter((service) => selectsGateway(service, proxy))
    .map(({ metadata }) => `${metadata.name}.${metadata.namespace}.svc.${proxy.domain}`);
}

function stockService(proxy: GatewayProxy): Resource<'Service'> {
  return resource(
    proxy,
    'Service',
    'v1',
    {},
    {
      clusterIPs: [],
      externalIPs: [],
      selector: proxy.labels,
      ports: PORTS,
      publishNotReadyAddresses: false,
    },
  );
}

/** The pod behind it is the gateway itself. */
function stockEndpoints(proxy: GatewayProxy): Resource<'EndpointSlice'> {
  const addressType = proxy.ipAddress.includes(':') ? 'IPv6' : 'IPv4';
  return resource(
    proxy,
    'EndpointSlice',
    'discovery.k8s.io/v1',
    { 'kubernetes.io/service-name': NAME },
    {
      addressType,
      endpoints: [{ addresses: [proxy.ipAddress] }],
      ports: PORTS.map(({ name, targetPort, protocol }) => ({ name, port: targetPort, protocol })),
    },
  );
}

function resource<K extends 'Service' | 'EndpointSlice'>(
  proxy: GatewayProxy,
  kind: K,
  apiVersion: string,
  labels: Readonly<Record<string, string>>,
  spec: KindSpecs[K],
): Resource<K> {
  const origin = { file: '(assumed)', line: 1, column: 1, resource: `${kind}/${proxy.namespace}/${NAME}` };
  const metadata = { name: NAME, namespace: proxy.namespace, labels, annotations: {}, creationTimestamp: 0 };
  return Object.freeze({ kind, apiVersion, metadata, spec, origin, at: () => origin });
}
