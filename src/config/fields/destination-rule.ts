// networking.istio.io DestinationRule, field by field. Spec destinations.md §1.1-1.6, validation.md §7.1.
import { emulated, message, noEffect, notEmulated } from '../decode/message.js';
import {
  anything,
  bool,
  converted,
  doubleIn,
  duration,
  enumeration,
  int32,
  integer,
  list,
  mapOf,
  type OptionalType,
  plainDuration,
  present,
  string,
  uint32,
  uint64,
  unlessEmpty,
} from '../decode/value-type.js';
import type {
  ClientTlsSettings,
  ConnectionPoolSettings,
  ConsistentHash,
  DestinationRuleSpec,
  LoadBalancerSettings,
  LocalityLbSetting,
  OutlierDetectionSettings,
  PortTrafficPolicy,
  Subset,
  TrafficPolicy,
  ZoneAwareLbSetting,
} from '../model/destination-rule.js';
import { istioKind, type KindDefinition, labels, matchLabels, portSelector } from './common.js';

type HttpCookie = NonNullable<ConsistentHash['httpCookie']>;
type TcpSettings = NonNullable<ConnectionPoolSettings['tcp']>;
type HttpSettings = NonNullable<ConnectionPoolSettings['http']>;
type TcpKeepalive = NonNullable<TcpSettings['tcpKeepalive']>;

const httpCookie: OptionalType<HttpCookie> = message<HttpCookie>('ConsistentHashLB.HTTPCookie', {
  name: emulated(string, 'required'),
  path: emulated(string),
  ttl: emulated(plainDuration),
  attributes: emulated(
    list(
      message<HttpCookie['attributes'][number]>('ConsistentHashLB.HTTPCookie.Attribute', {
        name: emulated(string, 'required'),
        value: emulated(string),
      }),
    ),
  ),
});

const consistentHash: OptionalType<ConsistentHash> = message<ConsistentHash>(
  'ConsistentHashLB',
  {
    httpHeaderName: emulated(present(string)),
    httpCookie: emulated(httpCookie),
    useSourceIp: emulated(present(bool)),
    httpQueryParameterName: emulated(present(string)),
    ringHash: emulated(
      message<NonNullable<ConsistentHash['ringHash']>>('RingHash', { minimumRingSize: emulated(uint64) }),
    ),
    maglev: emulated(message<NonNullable<ConsistentHash['maglev']>>('MagLev', { tableSize: emulated(uint64) })),
    minimumRingSize: emulated(uint64),
  },
  {
    oneOf: [
      ['httpHeaderName', 'httpCookie', 'useSourceIp', 'httpQueryParameterName'],
      ['ringHash', 'maglev'],
    ],
  },
);

const failover: OptionalType<LocalityLbSetting['failover'][number]> = message<LocalityLbSetting['failover'][number]>(
  'LocalityLoadBalancerSetting.Failover',
  { from: emulated(string, { otherwise: '' }), to: emulated(string, { otherwise: '' }) },
);

/** MeshConfig has one of these too. */
export const localityLbSetting: OptionalType<LocalityLbSetting> = message<LocalityLbSetting>(
  'LocalityLoadBalancerSetting',
  {
    distribute: emulated(
      list(
        message<LocalityLbSetting['distribute'][number]>('LocalityLoadBalancerSetting.Distribute', {
          from: emulated(string, { otherwise: '' }),
          to: emulated(mapOf(uint32)),
        }),
      ),
    ),
    failover: emulated(list(failover)),
    failoverPriority: emulated(list(string)),
    enabled: emulated(present(bool)),
  },
);

/** MeshConfig has one of these too. */
export const zoneAwareLbSetting: OptionalType<ZoneAwareLbSetting> = message<ZoneAwareLbSetting>(
  'ZoneAwareLoadBalancerSetting',
  {
    enabled: emulated(present(bool)),
    failover: emulated(list(failover)),
    failoverPriority: emulated(list(string)),
  },
  {
    others: {
      minClusterSize: noEffect(
        integer(1, 0xffffffff),
        'a gateway that does not discover itself does not weigh the zones of its region',
      ),
    },
  },
);

const warmup: OptionalType<NonNullable<LoadBalancerSettings['warmup']>> = message<
  NonNullable<LoadBalancerSettings['warmup']>
>('WarmupConfiguration', {
  duration: emulated(duration, 'required'),
  minimumPercent: emulated(present(integer(0, 100))),
  aggression: emulated(present(doubleIn(0, Number.MAX_VALUE))),
});

const loadBalancer: OptionalType<LoadBalancerSettings> = message<LoadBalancerSettings>(
  'LoadBalancerSettings',
  {
    simple: emulated(enumeration('UNSPECIFIED', 'LEAST_CONN', 'RANDOM', 'PASSTHROUGH', 'ROUND_ROBIN', 'LEAST_REQUEST')),
    consistentHash: emulated(consistentHash),
    localityLbSetting: emulated(localityLbSetting),
    warmupDurationSecs: emulated(duration),
    warmup: emulated(warmup),
    zoneAwareLbSetting: emulated(zoneAwareLbSetting),
  },
  {
    others: {
      backendUtilization: notEmulated(anything, 'Envoy weighs endpoints by the load that they report in their answers'),
    },
    oneOf: [['simple', 'consistentHash', 'backendUtilization']],
  },
);

const KEEPALIVE_OF_NODE =
  'set on the connection to the upstream; Node can set no more on a socket than the time until the first probe';

/** MeshConfig has a default for every upstream connection. */
export const tcpKeepalive: OptionalType<TcpKeepalive> = message<TcpKeepalive>('TCPSettings.TcpKeepalive', {
  probes: notEmulated(uint32, KEEPALIVE_OF_NODE),
  time: emulated(duration),
  interval: notEmulated(duration, KEEPALIVE_OF_NODE),
});

const tcpSettings: OptionalType<TcpSettings> = message<TcpSettings>('TCPSettings', {
  maxConnections: emulated(int32),
  connectTimeout: emulated(duration),
  tcpKeepalive: emulated(tcpKeepalive),
  maxConnectionDuration: emulated(duration),
  idleTimeout: emulated(plainDuration),
});

const http2KeepAlive: OptionalType<NonNullable<HttpSettings['http2KeepAlive']>> = message<
  NonNullable<HttpSettings['http2KeepAlive']>
>('HTTPSettings.HTTP2KeepAlive', { interval: emulated(duration), timeout: emulated(duration) });

const httpSettings: OptionalType<HttpSettings> = message<HttpSettings>('HTTPSettings', {
  http1MaxPendingRequests: emulated(int32),
  http2MaxRequests: emulated(int32),
  maxRequestsPerConnection: emulated(int32),
  maxRetries: emulated(int32),
  idleTimeout: emulated(duration),
  h2UpgradePolicy: emulated(enumeration('DEFAULT', 'DO_NOT_UPGRADE', 'UPGRADE')),
  useClientProtocol: emulated(bool),
  maxConcurrentStreams: emulated(int32),
  http2KeepAlive: emulated(http2KeepAlive),
});

/** MeshConfig's defaultTrafficPolicy is made of this and the next. */
export const connectionPool: OptionalType<ConnectionPoolSettings> = message<ConnectionPoolSettings>(
  'ConnectionPoolSettings',
  { tcp: emulated(tcpSettings), http: emulated(httpSettings) },
);

export const outlierDetection: OptionalType<OutlierDetectionSettings> = message<OutlierDetectionSettings>(
  'OutlierDetection',
  {
    consecutiveErrors: noEffect(int32, "deprecated: istiod's translation does not look at it"),
    splitExternalLocalOriginErrors: emulated(bool),
    consecutiveLocalOriginFailures: emulated(present(uint32)),
    consecutiveGatewayErrors: emulated(present(uint32)),
    consecutive5xxErrors: emulated(present(uint32)),
    interval: emulated(duration),
    baseEjectionTime: emulated(duration),
    maxEjectionPercent: emulated(int32),
    minHealthPercent: emulated(int32),
    outlierDetectionHttpErrorCodes: emulated(list(integer(100, 599))),
  },
);

const clientTls: OptionalType<ClientTlsSettings> = message<ClientTlsSettings>('ClientTLSSettings', {
  mode: emulated(enumeration('DISABLE', 'SIMPLE', 'MUTUAL', 'ISTIO_MUTUAL'), { otherwise: 'DISABLE' }),
  clientCertificate: emulated(string),
  privateKey: emulated(string),
  caCertificates: emulated(string),
  caCrl: emulated(string),
  credentialName: emulated(string),
  subjectAltNames: emulated(list(string)),
  sni: emulated(string),
  insecureSkipVerify: emulated(present(bool)),
});

const portTrafficPolicy: OptionalType<PortTrafficPolicy> = message<PortTrafficPolicy>(
  'TrafficPolicy.PortTrafficPolicy',
  {
    port: emulated(portSelector),
    loadBalancer: emulated(loadBalancer),
    connectionPool: emulated(connectionPool),
    outlierDetection: emulated(outlierDetection),
    tls: emulated(clientTls),
  },
);

const tunnel: OptionalType<NonNullable<TrafficPolicy['tunnel']>> = message<NonNullable<TrafficPolicy['tunnel']>>(
  'TrafficPolicy.TunnelSettings',
  {
    protocol: emulated(string),
    targetHost: emulated(string, 'required'),
    targetPort: emulated(uint32, 'required'),
  },
);

const proxyProtocol: OptionalType<NonNullable<TrafficPolicy['proxyProtocol']>> = message<
  NonNullable<TrafficPolicy['proxyProtocol']>
>('TrafficPolicy.ProxyProtocol', { version: emulated(enumeration('V1', 'V2'), { otherwise: 'V1' }) });

const retryBudget: OptionalType<NonNullable<TrafficPolicy['retryBudget']>> = message<
  NonNullable<TrafficPolicy['retryBudget']>
>('TrafficPolicy.RetryBudget', {
  percent: emulated(present(doubleIn(0, 100))),
  minRetryConcurrency: emulated(uint32),
  budgetInterval: emulated(plainDuration),
});

const trafficPolicy: OptionalType<TrafficPolicy> = message<TrafficPolicy>('TrafficPolicy', {
  loadBalancer: emulated(loadBalancer),
  connectionPool: emulated(connectionPool),
  outlierDetection: emulated(outlierDetection),
  tls: emulated(clientTls),
  portLevelSettings: emulated(list(portTrafficPolicy, { atMost: 4096 })),
  tunnel: notEmulated(tunnel, 'Envoy sends TCP traffic through the upstream, an HTTP proxy, with CONNECT or POST'),
  proxyProtocol: emulated(proxyProtocol),
  retryBudget: emulated(retryBudget),
});

const subset: OptionalType<Subset> = message<Subset>('Subset', {
  name: emulated(string, 'required'),
  labels: emulated(labels),
  trafficPolicy: emulated(trafficPolicy),
});

const workloadSelector: OptionalType<NonNullable<DestinationRuleSpec['workloadSelector']>> = converted(
  matchLabels,
  (selected) => ({ matchLabels: selected }),
);

const destinationRuleSpec: OptionalType<DestinationRuleSpec> = message<DestinationRuleSpec>('DestinationRule', {
  host: emulated(string, 'required'),
  trafficPolicy: emulated(trafficPolicy),
  subsets: emulated(list(subset)),
  exportTo: emulated(unlessEmpty(list(string))),
  workloadSelector: emulated(workloadSelector),
});

export const destinationRule: KindDefinition<'DestinationRule'> = istioKind(
  'DestinationRule',
  'networking.istio.io',
  ['v1', 'v1beta1', 'v1alpha3'],
  destinationRuleSpec,
);
