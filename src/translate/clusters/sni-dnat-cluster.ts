// One `outbound_.…` cluster of AUTO_PASSTHROUGH: the same policy without TLS, and only endpoints that speak mesh TLS.
// Spec destinations.md §11. Source: istio/istio pilot/pkg/networking/core/cluster.go (buildOutboundSniDnatClusters),
// pilot/pkg/xds/endpoints/mtls_checker.go.
import type { ClientTlsSettings } from '../../config/model/destination-rule.js';
import type { IstioEndpoint, PushContext } from '../../registry/push-context.js';
import { type BuiltCluster, buildPlainCluster, type ClusterInput } from './cluster.js';

/** `input.name` is the `outbound_.…` name. */
export function buildSniDnatCluster(context: PushContext, input: ClusterInput): BuiltCluster | undefined {
  const tls = routedTls(context, input);
  const accepts = (endpoint: IstioEndpoint): boolean => {
    if (endpoint.tlsMode !== 'istio') return false;
    if (tls !== undefined) return tls.mode === 'ISTIO_MUTUAL';
    return input.peers.ofPort(endpoint.namespace, endpoint.labels, endpoint.port) !== 'DISABLE';
  };
  return buildPlainCluster(context, input, accepts);
}

// Unlike the effective policy, an inner level without `tls` falls back to the next outer one.
function routedTls(context: PushContext, { service, port, subset }: ClusterInput): ClientTlsSettings | undefined {
  const top = context.destinationRule(service.hostname)?.spec.trafficPolicy;
  for (const policy of [subset?.trafficPolicy, top]) {
    const atPort = policy?.portLevelSettings.find((settings) => settings.port?.number === port.port);
    const tls = atPort?.tls ?? policy?.tls;
    if (tls !== undefined) return tls;
  }
  return undefined;
}
