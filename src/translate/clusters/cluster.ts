// One `outbound|…` cluster. Spec destinations.md §3. Source: istio/istio pilot/pkg/networking/core/cluster_builder.go
// (buildCluster, applyDestinationRule, buildSubsetCluster, buildDFPCluster).
import type { Subset, TrafficPolicy } from '../../config/model/destination-rule.js';
import type { PeerAuthentications } from '../../registry/peer-authentication.js';
import type { IstioEndpoint, PushContext, Service, ServicePort } from '../../registry/push-context.js';
import { type Cluster, type Endpoint, HTTP_PROTOCOL_OPTIONS, renderDuration } from '../../xds/index.js';
import { istioMetadata, sniDnatClusterName } from '../names.js';
import { dnsLoadAssignment, type EndpointSelection, edsEndpoints, selectEndpoints } from './cluster-endpoints.js';
import { circuitBreakers, connectTimeout, upstreamConnectionOptions } from './connection-pool.js';
import { httpProtocolOptions, isHttp2Cluster } from './http-protocol.js';
import { isPassthrough, loadBalancing } from './load-balancing.js';
import { localitySetting, usesLocalityWeights } from './locality.js';
import { outlierDetection } from './outlier-detection.js';
import { effectiveTrafficPolicy } from './traffic-policy.js';
import { upstreamTransportSockets } from './upstream-tls.js';

/** One cluster to be built: a port of a service, or a subset of it. */
export interface ClusterInput {
  readonly name: string;
  readonly service: Service;
  readonly port: ServicePort;
  readonly subset: Subset | undefined;
  readonly peers: PeerAuthentications;
}

/** `endpoints` is `undefined` for clusters that get none over EDS. */
export interface BuiltCluster {
  readonly cluster: Cluster;
  /** Of EDS clusters only. */
  readonly endpoints: readonly Endpoint[] | undefined;
}

/** Milliseconds. */
const DEFAULT_DNS_REFRESH_RATE = 60_000;
const DNS_JITTER = 100;
const MAX_UDP_QUERIES = 100;

/** `undefined` when Istio builds no such cluster (DNS without endpoints). */
export function buildCluster(context: PushContext, input: ClusterInput): BuiltCluster | undefined {
  const { service, port, subset } = input;
  const policy = effectiveTrafficPolicy(context, service.hostname, port.port, subset?.name);
  if (service.resolution === 'DynamicDNS')
    return { cluster: dynamicDnsCluster(context, input, policy), endpoints: undefined };
  const type = clusterType(context, input, policy);
  const tls = tlsFields(context, input, policy, type === 'ORIGINAL_DST');
  return assemble(context, input, policy, type, tls, () => true);
}

/** The same cluster without TLS and PROXY header, with the endpoints that `accepts` lets through. */
export function buildPlainCluster(
  context: PushContext,
  input: ClusterInput,
  accepts: (endpoint: IstioEndpoint) => boolean,
): BuiltCluster | undefined {
  const { service, port, subset } = input;
  const policy = withoutTransport(effectiveTrafficPolicy(context, service.hostname, port.port, subset?.name));
  return assemble(context, input, policy, clusterType(context, input, policy), {}, accepts);
}

function withoutTransport(policy: TrafficPolicy | undefined): TrafficPolicy | undefined {
  if (policy === undefined) return undefined;
  const { tls: _tls, proxyProtocol: _proxyProtocol, ...rest } = policy;
  return rest;
}

function assemble(
  context: PushContext,
  input: ClusterInput,
  policy: TrafficPolicy | undefined,
  type: ClusterType,
  tls: Pick<Cluster, 'transport_socket' | 'transport_socket_matches'>,
  accepts: (endpoint: IstioEndpoint) => boolean,
): BuiltCluster | undefined {
  const { service, port, subset, name } = input;
  const locality = localitySetting(context, service, policy?.loadBalancer);
  const selection = { service, port, labels: subset?.labels ?? {}, policy, locality };
  const common: Cluster = {
    name,
    ...ruleMetadata(context, service),
    type,
    ...policyFields(context, input, policy),
    ...tls,
    common_lb_config: commonLbConfig(policy, usesLocalityWeights(locality)),
  };
  switch (type) {
    case 'ORIGINAL_DST':
      return { cluster: { ...common, lb_policy: 'CLUSTER_PROVIDED' }, endpoints: undefined };
    case 'EDS':
      return {
        cluster: {
          ...common,
          ...loadBalancing(policy?.loadBalancer),
          eds_cluster_config: { eds_config: 'ads', service_name: name },
        },
        endpoints: edsEndpoints(context, selection, accepts, mutualTlsTest(context, input)),
      };
    case 'STRICT_DNS':
    case 'LOGICAL_DNS':
      return dnsCluster(context, { ...common, ...loadBalancing(policy?.loadBalancer) }, selection, type);
    default:
      return type satisfies never;
  }
}

function ruleMetadata(context: PushContext, service: Service): Pick<Cluster, 'metadata'> {
  const rule = context.destinationRule(service.hostname)?.from[0];
  return rule === undefined ? {} : { metadata: istioMetadata('destination-rule', rule.metadata) };
}

function policyFields(
  context: PushContext,
  { port }: Pick<ClusterInput, 'port'>,
  policy: TrafficPolicy | undefined,
): Pick<
  Cluster,
  | 'connect_timeout'
  | 'circuit_breakers'
  | 'outlier_detection'
  | 'upstream_connection_options'
  | 'typed_extension_protocol_options'
> {
  const { mesh } = context;
  const http = httpProtocolOptions(port.protocol, policy, mesh);
  const connection = upstreamConnectionOptions(policy, mesh);
  return {
    connect_timeout: connectTimeout(policy, mesh),
    circuit_breakers: circuitBreakers(policy),
    ...(policy?.outlierDetection === undefined ? {} : { outlier_detection: outlierDetection(policy.outlierDetection) }),
    ...(connection === undefined ? {} : { upstream_connection_options: connection }),
    ...(http === undefined ? {} : { typed_extension_protocol_options: { [HTTP_PROTOCOL_OPTIONS]: http } }),
  };
}

// Panic is off (an empty message is zero percent) unless outlierDetection asks for a share of healthy hosts.
function commonLbConfig(
  policy: TrafficPolicy | undefined,
  weighted: boolean,
): NonNullable<Cluster['common_lb_config']> {
  const percent = policy?.outlierDetection?.minHealthPercent ?? 0;
  return {
    healthy_panic_threshold: percent > 0 ? { value: percent } : {},
    ...(weighted ? { locality_weighted_lb_config: {} } : {}),
  };
}

type ClusterType = 'EDS' | 'STRICT_DNS' | 'LOGICAL_DNS' | 'ORIGINAL_DST';

const CONNECT_STRATEGY = 'istio.io/connect-strategy';

// A subset starts from the type of the service's own cluster, so a rule of PASSTHROUGH holds for subsets that say
// otherwise (spec §1.3).
function clusterType(context: PushContext, input: ClusterInput, policy: TrafficPolicy | undefined): ClusterType {
  const { service, port } = input;
  const whole = effectiveTrafficPolicy(context, service.hostname, port.port, undefined);
  if (isPassthrough(policy?.loadBalancer) || isPassthrough(whole?.loadBalancer)) return 'ORIGINAL_DST';
  if (service.resolution === 'DNSRoundRobinLB') return 'LOGICAL_DNS';
  if (service.resolution !== 'DNSLB') return 'EDS';
  return racesConnections(service) ? 'LOGICAL_DNS' : 'STRICT_DNS';
}

function racesConnections(service: Service): boolean {
  return service.resource?.metadata.annotations[CONNECT_STRATEGY] === 'RACE_FIRST_TCP_CONNECT';
}

function dnsCluster(
  context: PushContext,
  common: Cluster,
  selection: EndpointSelection,
  kind: 'STRICT_DNS' | 'LOGICAL_DNS',
): BuiltCluster | undefined {
  const assignment = dnsLoadAssignment(context, common.name, selection, kind === 'LOGICAL_DNS');
  if (assignment === undefined) return undefined;
  return {
    cluster: {
      ...common,
      dns_refresh_rate: renderDuration(context.mesh.dnsRefreshRate ?? DEFAULT_DNS_REFRESH_RATE),
      dns_jitter: renderDuration(DNS_JITTER),
      dns_lookup_family: racesConnections(selection.service) ? 'ALL' : 'V4_ONLY',
      respect_dns_ttl: true,
      typed_dns_resolver_config: {
        name: 'envoy.network.dns_resolver.cares',
        typed_config: { udp_max_queries: MAX_UDP_QUERIES },
      },
      load_assignment: assignment,
    },
    endpoints: undefined,
  };
}

// A dynamic forward proxy resolves the name of each request's Host (spec §6.5).
function dynamicDnsCluster(context: PushContext, input: ClusterInput, policy: TrafficPolicy | undefined): Cluster {
  const { outlier_detection: _outlier, ...fields } = policyFields(context, input, policy);
  return {
    name: input.name,
    cluster_type: {
      name: 'envoy.clusters.dynamic_forward_proxy',
      typed_config: {
        dns_cache_config: { name: `${input.service.hostname}_dfp_dns_cache`, dns_lookup_family: 'V4_ONLY' },
      },
    },
    ...fields,
    ...tlsFields(context, input, policy, false),
    lb_policy: 'CLUSTER_PROVIDED',
  };
}

function tlsFields(
  context: PushContext,
  input: ClusterInput,
  policy: TrafficPolicy | undefined,
  isOriginalDestination: boolean,
): Pick<Cluster, 'transport_socket' | 'transport_socket_matches'> {
  const { service, port, subset } = input;
  const accounts = serviceAccounts(context, service);
  return upstreamTransportSockets({
    settings: policy?.tls,
    autoMutualTls: usesAutoMutualTls(context, input, policy),
    sniDnatName: sniDnatClusterName(service.hostname, port.port, subset?.name),
    serviceAccounts: accounts,
    subjectAltNames: service.source === 'serviceEntry' ? accounts : [],
    http2: isHttp2Cluster(port.protocol, policy, context.mesh),
    mesh: context.mesh,
    proxyProtocol: policy?.proxyProtocol,
    isOriginalDestination,
  });
}

// Auto mTLS needs a service of the mesh whose namespace does not disable it; where the endpoint cannot decide
// (headless, PASSTHROUGH) every one must have a sidecar (spec §7.6).
function usesAutoMutualTls(context: PushContext, input: ClusterInput, policy: TrafficPolicy | undefined): boolean {
  const { service, port } = input;
  if (service.meshExternal || context.mesh.enableAutoMtls === false) return false;
  if (service.resolution === 'Passthrough' || isPassthrough(policy?.loadBalancer)) {
    const endpoints = selectEndpoints(context, { service, port, labels: {} });
    if (endpoints.length === 0 || endpoints.some((endpoint) => endpoint.tlsMode !== 'istio')) return false;
  }
  return input.peers.ofNamespace(service.namespace) !== 'DISABLE';
}

/** True for endpoints that get the mesh TLS socket of `transport_socket_matches`. */
function mutualTlsTest(context: PushContext, { service, peers }: ClusterInput): (endpoint: IstioEndpoint) => boolean {
  if (service.meshExternal || context.mesh.enableAutoMtls === false) return () => false;
  return (endpoint) =>
    endpoint.tlsMode === 'istio' && peers.ofPort(endpoint.namespace, endpoint.labels, endpoint.port) !== 'DISABLE';
}

function serviceAccounts(context: PushContext, service: Service): readonly string[] {
  const accounts = new Set(service.subjectAltNames);
  for (const port of service.ports)
    for (const { serviceAccount } of context.endpoints(service, port))
      if (serviceAccount !== undefined) accounts.add(serviceAccount);
  for (const alias of context.mesh.trustDomainAliases ?? [])
    for (const account of [...accounts]) {
      const workload = WORKLOAD_IDENTITY.exec(account)?.[1];
      if (workload !== undefined) accounts.add(`spiffe://${alias}${workload}`);
    }
  return [...accounts].sort();
}

// Accounts are known by every name of the mesh's trust domain; other identities are taken as they are (spec §7.5).
const WORKLOAD_IDENTITY = /^spiffe:\/\/[^/]+(\/ns\/[^/]+\/sa\/[^/]+)$/;
