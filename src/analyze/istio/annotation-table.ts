// Istio's annotations: on what they may stand and how their values are checked. Source: istio/api annotation/
// annotations.yaml; istio/istio pkg/kube/inject/validate.go.

/** One annotation. */
export interface Annotation {
  /** Kinds; 'Any' is every kind. */
  readonly kinds: readonly string[];
  readonly isDeprecated: boolean;
}

const POD = [
  'ambient.istio.io/bypass-inbound-capture',
  'ambient.istio.io/dns-capture',
  'ambient.istio.io/redirection',
  'inject.istio.io/templates',
  'istio.io/reroute-virtual-interfaces',
  'istio.io/rev',
  'prometheus.istio.io/merge-metrics',
  'proxy.istio.io/config',
  'proxy.istio.io/overrides',
  'readiness.status.sidecar.istio.io/applicationPorts',
  'readiness.status.sidecar.istio.io/failureThreshold',
  'readiness.status.sidecar.istio.io/initialDelaySeconds',
  'readiness.status.sidecar.istio.io/periodSeconds',
  'sidecar.istio.io/agentLogLevel',
  'sidecar.istio.io/bootstrapOverride',
  'sidecar.istio.io/componentLogLevel',
  'sidecar.istio.io/enableCoreDump',
  'sidecar.istio.io/interceptionMode',
  'sidecar.istio.io/logLevel',
  'sidecar.istio.io/nativeSidecar',
  'sidecar.istio.io/proxyCPU',
  'sidecar.istio.io/proxyCPULimit',
  'sidecar.istio.io/proxyImage',
  'sidecar.istio.io/proxyImageType',
  'sidecar.istio.io/proxyMemory',
  'sidecar.istio.io/proxyMemoryLimit',
  'sidecar.istio.io/rewriteAppHTTPProbers',
  'sidecar.istio.io/statsCompression',
  'sidecar.istio.io/statsEvictionInterval',
  'sidecar.istio.io/statsFlushInterval',
  'sidecar.istio.io/statsHistogramBuckets',
  'sidecar.istio.io/status',
  'sidecar.istio.io/userVolume',
  'sidecar.istio.io/userVolumeMount',
  'status.sidecar.istio.io/port',
  'traffic.sidecar.istio.io/excludeInboundPorts',
  'traffic.sidecar.istio.io/excludeInterfaces',
  'traffic.sidecar.istio.io/excludeOutboundIPRanges',
  'traffic.sidecar.istio.io/excludeOutboundPorts',
  'traffic.sidecar.istio.io/includeInboundPorts',
  'traffic.sidecar.istio.io/includeOutboundIPRanges',
  'traffic.sidecar.istio.io/includeOutboundPorts',
  'traffic.sidecar.istio.io/kubevirtInterfaces',
];

const DEPRECATED_POD = [
  'sidecar.istio.io/discoveryAddress',
  'sidecar.istio.io/extraStatTags',
  'sidecar.istio.io/inject',
  'sidecar.istio.io/statsInclusionPrefixes',
  'sidecar.istio.io/statsInclusionRegexps',
  'sidecar.istio.io/statsInclusionSuffixes',
];

const OTHERS: Readonly<Record<string, readonly string[]>> = {
  'ambient.istio.io/waypoint-inbound-binding': ['GatewayClass', 'Gateway'],
  'galley.istio.io/analyze-suppress': ['Any'],
  'gateway.istio.io/controller-version': ['Any'],
  'gateway.istio.io/name-override': ['Gateway'],
  'gateway.istio.io/service-account': ['Gateway'],
  'istio.io/autoRegistrationGroup': ['WorkloadEntry'],
  'istio.io/connect-strategy': ['ServiceEntry'],
  'istio.io/connectedAt': ['WorkloadEntry'],
  'istio.io/disconnectedAt': ['WorkloadEntry'],
  'istio.io/dry-run': ['AuthorizationPolicy'],
  'istio.io/workloadController': ['WorkloadEntry'],
  'kubernetes.io/ingress.class': ['Ingress'],
  'networking.istio.io/exportTo': ['Service'],
  'networking.istio.io/service-type': ['Gateway'],
  'networking.istio.io/traffic-distribution': ['Service', 'ServiceEntry', 'Namespace'],
  'topology.istio.io/controlPlaneClusters': ['Namespace'],
  'traffic.istio.io/nodeSelector': ['Service'],
};

/** All that Istio knows, by name. */
export const ANNOTATIONS: ReadonlyMap<string, Annotation> = new Map<string, Annotation>([
  ...POD.map((name) => [name, { kinds: ['Pod'], isDeprecated: false }] as const),
  ...DEPRECATED_POD.map((name) => [name, { kinds: ['Pod'], isDeprecated: true }] as const),
  ...['alpha.istio.io/canonical-serviceaccounts', 'alpha.istio.io/kubernetes-serviceaccounts'].map(
    (name) => [name, { kinds: ['Service'], isDeprecated: true }] as const,
  ),
  ...Object.entries(OTHERS).map(([name, kinds]) => [name, { kinds, isDeprecated: false }] as const),
]);

/** Go's error text for a value that Istio cannot read, `undefined` for one that it can. */
export function problemOf(name: string, value: string): string | undefined {
  return CHECKS.get(name)?.(value);
}

type Check = (value: string) => string | undefined;

const prefixed =
  (prefix: string, check: Check): Check =>
  (value) => {
    const problem = check(value);
    return problem === undefined ? undefined : `${prefix} invalid: ${problem}`;
  };

const exceptStar =
  (check: Check): Check =>
  (value) =>
    value === '*' ? undefined : check(value);

const uint32: Check = (value) => parseUint(value, 0xffffffff);

const bool: Check = (value) =>
  /^(1|t|T|TRUE|true|True|0|f|F|FALSE|false|False)$/.test(value)
    ? undefined
    : `strconv.ParseBool: parsing ${JSON.stringify(value)}: invalid syntax`;

const port: Check = (value) => {
  const problem = parseUint(value.trim(), 65535);
  return problem === undefined ? undefined : `failed parsing port '${value}': ${problem}`;
};

// Istio wraps the error of each port twice.
const ports: Check = (value) => {
  if (value.trim() === '') return undefined;
  for (const item of value.trim().split(',')) {
    const problem = port(item);
    if (problem !== undefined) return `failed parsing port '${item}': ${problem}`;
  }
  return undefined;
};

const cidrs: Check = (value) => {
  if (value === '') return undefined;
  for (const item of value.split(',')) {
    const problem = cidr(item);
    if (problem !== undefined)
      return `failed parsing cidr '${item}': netip.ParsePrefix(${JSON.stringify(item)}): ${problem}`;
  }
  return undefined;
};

const quantity: Check = (value) =>
  /^[+-]?(\d+\.?\d*|\.\d+)([KMGTPE]i|[numkMGTPE]|[eE][-+]?\d+)?$/.test(value)
    ? undefined
    : "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'";

const interceptionMode: Check = (value) =>
  value === 'REDIRECT' || value === 'TPROXY' || value === 'NONE'
    ? undefined
    : `interceptionMode invalid, use REDIRECT,TPROXY,NONE: ${value}`;

const CHECKS: ReadonlyMap<string, Check> = new Map<string, Check>([
  ['prometheus.istio.io/merge-metrics', bool],
  ['readiness.status.sidecar.istio.io/failureThreshold', uint32],
  ['readiness.status.sidecar.istio.io/initialDelaySeconds', uint32],
  ['readiness.status.sidecar.istio.io/periodSeconds', uint32],
  ['sidecar.istio.io/interceptionMode', interceptionMode],
  ['sidecar.istio.io/proxyCPU', quantity],
  ['sidecar.istio.io/proxyCPULimit', quantity],
  ['sidecar.istio.io/proxyMemory', quantity],
  ['sidecar.istio.io/proxyMemoryLimit', quantity],
  ['status.sidecar.istio.io/port', prefixed('excludeInboundPorts', port)],
  ['traffic.sidecar.istio.io/excludeInboundPorts', prefixed('excludeInboundPorts', ports)],
  ['traffic.sidecar.istio.io/excludeOutboundIPRanges', prefixed('excludeIPRanges', cidrs)],
  ['traffic.sidecar.istio.io/excludeOutboundPorts', prefixed('excludeOutboundPorts', ports)],
  ['traffic.sidecar.istio.io/includeInboundPorts', exceptStar(prefixed('includeInboundPorts', ports))],
  ['traffic.sidecar.istio.io/includeOutboundIPRanges', exceptStar(prefixed('includeIPRanges', cidrs))],
]);

function parseUint(value: string, maximum: number): string | undefined {
  const quoted = JSON.stringify(value);
  if (!/^\d+$/.test(value)) return `strconv.ParseUint: parsing ${quoted}: invalid syntax`;
  return BigInt(value) > BigInt(maximum) ? `strconv.ParseUint: parsing ${quoted}: value out of range` : undefined;
}

function cidr(value: string): string | undefined {
  const slash = value.lastIndexOf('/');
  if (slash === -1) return "no '/'";
  const address = value.slice(0, slash);
  const bits = value.slice(slash + 1);
  const isV4 = /^(\d{1,3}\.){3}\d{1,3}$/.test(address) && address.split('.').every((part) => Number(part) < 256);
  if (!isV4 && !/^[0-9a-f:.]*:[0-9a-f:.]*$/i.test(address))
    return `ParseAddr(${JSON.stringify(address)}): unable to parse IP`;
  if (!/^(0|[1-9]\d*)$/.test(bits)) return `bad bits after slash: ${JSON.stringify(bits)}`;
  return Number(bits) > (isV4 ? 32 : 128) ? 'prefix length out of range' : undefined;
}
