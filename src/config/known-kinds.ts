// Kinds that change what a real ingress gateway does and that postern does not emulate. Everything else that is not
// read (Deployment, ServiceAccount, …) is none of a gateway's business.

/** API group → kinds; each is warned about where it is written. */
export const KINDS_NOT_EMULATED: ReadonlyMap<string, ReadonlySet<string>> = new Map([
  ['networking.istio.io', new Set(['EnvoyFilter', 'ProxyConfig', 'Sidecar', 'WorkloadGroup'])],
  ['security.istio.io', new Set(['AuthorizationPolicy', 'RequestAuthentication'])],
  ['telemetry.istio.io', new Set(['Telemetry'])],
  ['extensions.istio.io', new Set(['WasmPlugin', 'TrafficExtension'])],
  ['install.istio.io', new Set(['IstioOperator'])],
  [
    'gateway.networking.k8s.io',
    new Set([
      'BackendTLSPolicy',
      'Gateway',
      'GatewayClass',
      'GRPCRoute',
      'HTTPRoute',
      'ListenerSet',
      'ReferenceGrant',
      'TCPRoute',
      'TLSRoute',
      'UDPRoute',
    ]),
  ],
  ['gateway.networking.x-k8s.io', new Set(['XBackendTrafficPolicy', 'XListenerSet'])],
  ['multicluster.x-k8s.io', new Set(['ServiceExport', 'ServiceImport'])],
  ['networking.k8s.io', new Set(['Ingress'])],
]);

/** Groups of which every kind is known, so that an unknown one is a misspelling. */
export function isGroupOfIstio(group: string): boolean {
  return ['networking.istio.io', 'security.istio.io', 'telemetry.istio.io', 'extensions.istio.io'].includes(group);
}
