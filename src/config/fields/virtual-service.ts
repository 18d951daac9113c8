// networking.istio.io VirtualService, field by field. Spec virtualservice.md §1, validation.md §7.1.
import { emulated, message, noEffect, refused } from '../decode/message.js';
import {
  base64Text,
  bool,
  converted,
  duration,
  enumeration,
  int32,
  list,
  mapOf,
  type OptionalType,
  present,
  string,
  uint32,
  unlessEmpty,
} from '../decode/value-type.js';
import type {
  CorsPolicySpec,
  HttpDirectResponse,
  HttpFaultInjection,
  HttpMatchRequest,
  HttpRedirect,
  HttpRetry,
  HttpRewrite,
  HttpRoute,
  HttpRouteDestination,
  L4MatchAttributes,
  RouteDestination,
  TcpRoute,
  TlsMatchAttributes,
  TlsRoute,
  VirtualServiceSpec,
} from '../model/virtual-service.js';
import { destination, headers, istioKind, type KindDefinition, labels, percent, stringMatch } from './common.js';

const httpMatchRequest: OptionalType<HttpMatchRequest> = message<HttpMatchRequest>('HTTPMatchRequest', {
  name: emulated(string),
  uri: emulated(stringMatch),
  ignoreUriCase: emulated(bool, { otherwise: false }),
  scheme: emulated(stringMatch),
  method: emulated(stringMatch),
  authority: emulated(stringMatch),
  headers: emulated(mapOf(stringMatch)),
  withoutHeaders: emulated(mapOf(stringMatch)),
  queryParams: emulated(mapOf(stringMatch)),
  port: emulated(uint32),
  gateways: emulated(list(string)),
  sourceLabels: emulated(labels),
  sourceNamespace: emulated(string),
  statPrefix: noEffect(string, 'names statistics of Envoy that Istio does not collect; routing does not depend on it'),
});

const httpRouteDestination: OptionalType<HttpRouteDestination> = message<HttpRouteDestination>('HTTPRouteDestination', {
  destination: emulated(destination, 'required'),
  weight: emulated(int32, { otherwise: 0 }),
  headers: emulated(headers),
});

const httpRedirect: OptionalType<HttpRedirect> = message<HttpRedirect>(
  'HTTPRedirect',
  {
    uri: emulated(string),
    prefixRewrite: emulated(string),
    authority: emulated(string),
    scheme: emulated(string),
    redirectCode: emulated(uint32),
    port: emulated(present(uint32)),
    derivePort: emulated(enumeration('FROM_PROTOCOL_DEFAULT', 'FROM_REQUEST_PORT')),
  },
  { oneOf: [['port', 'derivePort']] },
);

const httpBody: OptionalType<NonNullable<HttpDirectResponse['body']>> = message<
  NonNullable<HttpDirectResponse['body']>
>(
  'HTTPBody',
  { string: emulated(present(string)), bytes: emulated(present(base64Text)) },
  { oneOf: [['string', 'bytes']] },
);

const httpDirectResponse: OptionalType<HttpDirectResponse> = message<HttpDirectResponse>('HTTPDirectResponse', {
  status: emulated(uint32, 'required'),
  body: emulated(httpBody),
});

const delegate: OptionalType<NonNullable<HttpRoute['delegate']>> = message<NonNullable<HttpRoute['delegate']>>(
  'Delegate',
  {
    name: emulated(string, { otherwise: '' }),
    namespace: emulated(string),
  },
);

const regexRewrite: OptionalType<NonNullable<HttpRewrite['uriRegexRewrite']>> = message<
  NonNullable<HttpRewrite['uriRegexRewrite']>
>('RegexRewrite', { match: emulated(string, { otherwise: '' }), rewrite: emulated(string, { otherwise: '' }) });

const httpRewrite: OptionalType<HttpRewrite> = message<HttpRewrite>('HTTPRewrite', {
  uri: emulated(string),
  authority: emulated(string),
  uriRegexRewrite: emulated(regexRewrite),
});

/** MeshConfig has a default of this type too. */
export const httpRetry: OptionalType<HttpRetry> = message<HttpRetry>('HTTPRetry', {
  attempts: emulated(int32, { otherwise: 0 }),
  perTryTimeout: emulated(duration),
  retryOn: emulated(string),
  retryRemoteLocalities: emulated(present(bool)),
  retryIgnorePreviousHosts: emulated(present(bool)),
  backoff: emulated(duration),
});

type Delay = NonNullable<HttpFaultInjection['delay']>;
type Abort = NonNullable<HttpFaultInjection['abort']>;

const delay: OptionalType<Delay> = message<Delay>(
  'HTTPFaultInjection.Delay',
  {
    fixedDelay: emulated(duration),
    exponentialDelay: refused(duration, 'exponentialDelay not supported yet'),
    percent: emulated(int32),
    percentage: emulated(percent),
  },
  { oneOf: [['fixedDelay', 'exponentialDelay']] },
);

const abort: OptionalType<Abort> = message<Abort>(
  'HTTPFaultInjection.Abort',
  {
    httpStatus: emulated(present(int32)),
    grpcStatus: emulated(present(string)),
    http2Error: refused(present(string), 'HTTP/2 abort fault injection not supported yet'),
    percentage: emulated(percent),
  },
  { oneOf: [['httpStatus', 'grpcStatus', 'http2Error']] },
);

const httpFaultInjection: OptionalType<HttpFaultInjection> = message<HttpFaultInjection>('HTTPFaultInjection', {
  delay: emulated(delay),
  abort: emulated(abort),
});

const httpMirrorPolicy: OptionalType<HttpRoute['mirrors'][number]> = message<HttpRoute['mirrors'][number]>(
  'HTTPMirrorPolicy',
  { destination: emulated(destination, 'required'), percentage: emulated(percent) },
);

const corsPolicy: OptionalType<CorsPolicySpec> = message<CorsPolicySpec>('CorsPolicy', {
  allowOrigin: emulated(list(string)),
  allowOrigins: emulated(list(stringMatch)),
  allowMethods: emulated(list(string)),
  allowHeaders: emulated(list(string)),
  exposeHeaders: emulated(list(string)),
  maxAge: emulated(duration),
  allowCredentials: emulated(present(bool)),
  unmatchedPreflights: emulated(enumeration('UNSPECIFIED', 'FORWARD', 'IGNORE')),
});

/** The schema has one snake_case name, which means mirrorPercent; the camelCase one wins (spec validation.md §8.1). */
interface WrittenHttpRoute extends HttpRoute {
  readonly mirror_percent?: number;
}

const writtenHttpRoute: OptionalType<WrittenHttpRoute> = message<WrittenHttpRoute>('HTTPRoute', {
  name: emulated(string),
  match: emulated(list(httpMatchRequest)),
  route: emulated(list(httpRouteDestination)),
  redirect: emulated(httpRedirect),
  directResponse: emulated(httpDirectResponse),
  delegate: emulated(delegate),
  rewrite: emulated(httpRewrite),
  timeout: emulated(duration),
  retries: emulated(httpRetry),
  fault: emulated(httpFaultInjection),
  mirror: emulated(destination),
  mirrors: emulated(list(httpMirrorPolicy)),
  mirrorPercent: emulated(present(uint32)),
  mirrorPercentage: emulated(percent),
  corsPolicy: emulated(corsPolicy),
  headers: emulated(headers),
  mirror_percent: emulated(present(uint32)),
});

const httpRoute: OptionalType<HttpRoute> = converted(
  writtenHttpRoute,
  ({ mirror_percent: mirrorPercent, ...route }): HttpRoute =>
    mirrorPercent === undefined ? route : { mirrorPercent, ...route },
);

const routeDestination: OptionalType<RouteDestination> = message<RouteDestination>('RouteDestination', {
  destination: emulated(destination, 'required'),
  weight: emulated(int32, { otherwise: 0 }),
});

// Spec virtualservice.md §1.16, §1.17.
const NOT_COMPARED = 'for sidecars: on a gateway istiod compares server names, port and gateways alone';

const tlsMatchAttributes: OptionalType<TlsMatchAttributes> = message<TlsMatchAttributes>('TLSMatchAttributes', {
  sniHosts: emulated(list(string), 'required'),
  destinationSubnets: noEffect(list(string), NOT_COMPARED),
  port: emulated(uint32),
  sourceLabels: noEffect(labels, NOT_COMPARED),
  gateways: emulated(list(string)),
  sourceNamespace: noEffect(string, NOT_COMPARED),
});

const tlsRoute: OptionalType<TlsRoute> = message<TlsRoute>('TLSRoute', {
  match: emulated(list(tlsMatchAttributes), 'required'),
  route: emulated(list(routeDestination)),
});

const l4MatchAttributes: OptionalType<L4MatchAttributes> = message<L4MatchAttributes>('L4MatchAttributes', {
  destinationSubnets: noEffect(list(string), NOT_COMPARED),
  port: emulated(uint32),
  sourceSubnet: noEffect(string, NOT_COMPARED),
  sourceLabels: noEffect(labels, NOT_COMPARED),
  gateways: emulated(list(string)),
  sourceNamespace: noEffect(string, NOT_COMPARED),
});

const tcpRoute: OptionalType<TcpRoute> = message<TcpRoute>('TCPRoute', {
  match: emulated(list(l4MatchAttributes)),
  route: emulated(list(routeDestination)),
});

const virtualServiceSpec: OptionalType<VirtualServiceSpec> = message<VirtualServiceSpec>('VirtualService', {
  hosts: emulated(list(string)),
  gateways: emulated(unlessEmpty(list(string))),
  http: emulated(list(httpRoute)),
  tls: emulated(list(tlsRoute)),
  tcp: emulated(list(tcpRoute)),
  exportTo: emulated(unlessEmpty(list(string))),
});

export const virtualService: KindDefinition<'VirtualService'> = istioKind(
  'VirtualService',
  'networking.istio.io',
  ['v1', 'v1beta1', 'v1alpha3'],
  virtualServiceSpec,
);
