// The traffic policy of one cluster: port level, mesh defaults, then the subset's own. Spec destinations.md §2.6.
// Source: istio/istio pilot/pkg/networking/util/util.go (GetPortLevelTrafficPolicy, MergeSubsetTrafficPolicy).
import type { PortTrafficPolicy, TrafficPolicy } from '../../config/model/destination-rule.js';
import type { MeshConfig } from '../../config/model/mesh-config.js';
import type { PushContext } from '../../registry/push-context.js';

/**
 * What counts for `port` and `subset` of a host on this gateway; `undefined` when no rule says anything.
 *
 *     effectiveTrafficPolicy(context, 'web.shop.svc.cluster.local', 80, 'v1')?.loadBalancer;
 *
 * `portLevelSettings` of the result is always empty: they have been applied. An undeclared subset is treated as none.
 */
export function effectiveTrafficPolicy(
  context: PushContext,
  hostname: string,
  port: number,
  subset: string | undefined,
): TrafficPolicy | undefined {
  const rule = context.destinationRule(hostname)?.spec;
  const base = withMeshDefaults(portLevelPolicy(rule?.trafficPolicy, port), context.mesh);
  const own = rule?.subsets.find((candidate) => candidate.name === subset)?.trafficPolicy;
  return own === undefined ? base : mergeSubsetPolicy(base, own, port);
}

// A port's settings replace everything; nothing of the top level is inherited, tunnel and PROXY protocol included.
function portLevelPolicy(policy: TrafficPolicy | undefined, port: number): TrafficPolicy | undefined {
  if (policy === undefined) return undefined;
  const atPort = settingsOfPort(policy, port);
  return atPort === undefined ? { ...policy, portLevelSettings: [] } : asPolicy(atPort);
}

function settingsOfPort(policy: TrafficPolicy, port: number): PortTrafficPolicy | undefined {
  return policy.portLevelSettings.find((settings) => settings.port?.number === port);
}

function asPolicy(settings: PortTrafficPolicy): TrafficPolicy {
  const { port: _port, ...blocks } = settings;
  return { ...blocks, portLevelSettings: [] };
}

function withMeshDefaults(policy: TrafficPolicy | undefined, mesh: MeshConfig): TrafficPolicy | undefined {
  const defaults = mesh.defaultTrafficPolicy;
  if (defaults === undefined) return policy;
  return {
    portLevelSettings: [],
    ...(defaults.connectionPool === undefined ? {} : { connectionPool: defaults.connectionPool }),
    ...(defaults.outlierDetection === undefined ? {} : { outlierDetection: defaults.outlierDetection }),
    ...policy,
  };
}

const BLOCKS = ['loadBalancer', 'connectionPool', 'outlierDetection', 'tls'] as const;

// Whole blocks are replaced. A subset's port-level settings also reset the blocks that they leave out.
function mergeSubsetPolicy(base: TrafficPolicy | undefined, own: TrafficPolicy, port: number): TrafficPolicy {
  const atPort = settingsOfPort(own, port);
  const policy = atPort === undefined ? { ...own, portLevelSettings: [] } : asPolicy(atPort);
  if (base === undefined) return policy;
  const merged: Record<string, unknown> = { ...base, ...policy };
  if (atPort !== undefined) for (const block of BLOCKS) if (policy[block] === undefined) delete merged[block];
  return { ...merged, portLevelSettings: [] };
}
