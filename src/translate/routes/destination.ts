// Destinations: which cluster, and by which key its endpoints are hashed. Spec virtualservice.md §8.1, §8.2;
// destinations.md §2.7, §4.7, §8.3. Source: istio/istio pilot/pkg/networking/core/route/route.go (GetDestinationCluster,
// HashForHTTPDestination, ConsistentHashToHashPolicy).
import type { Destination } from '../../config/model/common.js';
import type { ConsistentHash, PortTrafficPolicy } from '../../config/model/destination-rule.js';
import type { PushContext } from '../../registry/push-context.js';
import { type HashPolicy, renderDuration } from '../../xds/index.js';
import { outboundClusterName } from '../names.js';

/**
 * Cluster of a destination whose host is resolved. Whether that cluster exists is not asked: an unknown one is a 503 per
 * request.
 *
 * @param serverPort the number in the Gateway: where a destination without a port goes unless its service has one port
 */
export function destinationCluster(context: PushContext, destination: Destination, serverPort: number): string {
  const service = context.service(destination.host);
  // An ExternalName Service is only another name for its target.
  const host = service?.externalName ?? destination.host;
  const only = service?.ports.length === 1 ? service.ports[0]?.port : undefined;
  const port = destination.port?.number ?? only ?? serverPort;
  return outboundClusterName(host, port, destination.subset ?? '');
}

/**
 * How the requests to a destination are hashed; `undefined` when its rule has no consistentHash or no key. The rule is
 * read as written, not as the cluster's effective policy: the most special consistentHash counts, and a port setting
 * only for a port that the destination names.
 */
export function destinationHash(context: PushContext, destination: Destination): HashPolicy | undefined {
  const rule = context.destinationRule(destination.host)?.spec;
  if (rule === undefined) return undefined;
  const port = destination.port?.number;
  const subset =
    (destination.subset ?? '') === '' ? undefined : rule.subsets.find(({ name }) => name === destination.subset);
  const hash =
    hashAtPort(subset?.trafficPolicy?.portLevelSettings, port) ??
    subset?.trafficPolicy?.loadBalancer?.consistentHash ??
    hashAtPort(rule.trafficPolicy?.portLevelSettings, port) ??
    rule.trafficPolicy?.loadBalancer?.consistentHash;
  return hash === undefined ? undefined : hashPolicy(hash);
}

function hashAtPort(
  settings: readonly PortTrafficPolicy[] | undefined,
  port: number | undefined,
): ConsistentHash | undefined {
  if (settings === undefined || port === undefined) return undefined;
  return settings.find((entry) => entry.port?.number === port)?.loadBalancer?.consistentHash;
}

function hashPolicy(hash: ConsistentHash): HashPolicy | undefined {
  if (hash.httpHeaderName !== undefined) return { header: { header_name: hash.httpHeaderName } };
  if (hash.httpCookie !== undefined) {
    const { name, path = '', ttl, attributes } = hash.httpCookie;
    return {
      cookie: {
        name,
        ...(ttl === undefined ? {} : { ttl: renderDuration(ttl) }),
        ...(path === '' ? {} : { path }),
        ...(attributes.length === 0
          ? {}
          : {
              attributes: attributes.map((attribute) =>
                (attribute.value ?? '') === '' ? { name: attribute.name } : attribute,
              ),
            }),
      },
    };
  }
  // `false` is a policy without effect, not no policy.
  if (hash.useSourceIp !== undefined) return { connection_properties: hash.useSourceIp ? { source_ip: true } : {} };
  if (hash.httpQueryParameterName !== undefined) return { query_parameter: { name: hash.httpQueryParameterName } };
  return undefined;
}
