// networking.istio.io VirtualService. Source: istio/api networking/v1alpha3/virtual_service.proto; spec
// virtualservice.md §1.
import type { Destination, Headers, Labels, Percent, StringMatch } from './common.js';

export interface VirtualServiceSpec {
  /** Empty: a delegate. */
  readonly hosts: readonly string[];
  /** As written; `undefined` means mesh only. */
  readonly gateways?: readonly string[];
  readonly http: readonly HttpRoute[];
  readonly tls: readonly TlsRoute[];
  readonly tcp: readonly TcpRoute[];
  readonly exportTo?: readonly string[];
}

export interface HttpRoute {
  readonly name?: string;
  readonly match: readonly HttpMatchRequest[];
  readonly route: readonly HttpRouteDestination[];
  readonly redirect?: HttpRedirect;
  readonly directResponse?: HttpDirectResponse;
  readonly delegate?: { readonly name: string; readonly namespace?: string };
  readonly rewrite?: HttpRewrite;
  /** Milliseconds. */
  readonly timeout?: number;
  readonly retries?: HttpRetry;
  readonly fault?: HttpFaultInjection;
  readonly mirror?: Destination;
  readonly mirrors: readonly { readonly destination: Destination; readonly percentage?: Percent }[];
  readonly mirrorPercent?: number;
  readonly mirrorPercentage?: Percent;
  readonly corsPolicy?: CorsPolicySpec;
  readonly headers?: Headers;
}

export interface HttpMatchRequest {
  readonly name?: string;
  readonly uri?: StringMatch;
  readonly ignoreUriCase: boolean;
  readonly scheme?: StringMatch;
  readonly method?: StringMatch;
  readonly authority?: StringMatch;
  readonly headers: Readonly<Record<string, StringMatch>>;
  readonly withoutHeaders: Readonly<Record<string, StringMatch>>;
  readonly queryParams: Readonly<Record<string, StringMatch>>;
  readonly port?: number;
  readonly gateways: readonly string[];
  readonly sourceLabels: Labels;
  readonly sourceNamespace?: string;
  readonly statPrefix?: string;
}

export interface HttpRouteDestination {
  readonly destination: Destination;
  readonly weight: number;
  readonly headers?: Headers;
}

export interface HttpRedirect {
  readonly uri?: string;
  /** Replaces the matched prefix; excludes `uri`. */
  readonly prefixRewrite?: string;
  readonly authority?: string;
  readonly scheme?: string;
  readonly redirectCode?: number;
  readonly port?: number;
  readonly derivePort?: 'FROM_PROTOCOL_DEFAULT' | 'FROM_REQUEST_PORT';
}

export interface HttpDirectResponse {
  readonly status: number;
  /** `bytes` is base64 as written. */
  readonly body?: { readonly string?: string; readonly bytes?: string };
}

export interface HttpRewrite {
  readonly uri?: string;
  readonly authority?: string;
  readonly uriRegexRewrite?: { readonly match: string; readonly rewrite: string };
}

export interface HttpRetry {
  readonly attempts: number;
  readonly perTryTimeout?: number;
  readonly retryOn?: string;
  readonly retryRemoteLocalities?: boolean;
  readonly retryIgnorePreviousHosts?: boolean;
  readonly backoff?: number;
}

export interface HttpFaultInjection {
  readonly delay?: {
    readonly fixedDelay?: number;
    readonly exponentialDelay?: number;
    readonly percent?: number;
    readonly percentage?: Percent;
  };
  readonly abort?: {
    readonly httpStatus?: number;
    readonly grpcStatus?: string;
    readonly http2Error?: string;
    readonly percentage?: Percent;
  };
}

export interface CorsPolicySpec {
  /** Deprecated exact origins. */
  readonly allowOrigin: readonly string[];
  readonly allowOrigins: readonly StringMatch[];
  readonly allowMethods: readonly string[];
  readonly allowHeaders: readonly string[];
  readonly exposeHeaders: readonly string[];
  readonly maxAge?: number;
  readonly allowCredentials?: boolean;
  readonly unmatchedPreflights?: 'UNSPECIFIED' | 'FORWARD' | 'IGNORE';
}

export interface TlsRoute {
  readonly match: readonly TlsMatchAttributes[];
  readonly route: readonly RouteDestination[];
}

export interface TlsMatchAttributes {
  readonly sniHosts: readonly string[];
  readonly destinationSubnets: readonly string[];
  readonly port?: number;
  readonly sourceLabels: Labels;
  readonly gateways: readonly string[];
  readonly sourceNamespace?: string;
}

export interface TcpRoute {
  readonly match: readonly L4MatchAttributes[];
  readonly route: readonly RouteDestination[];
}

export interface L4MatchAttributes {
  readonly destinationSubnets: readonly string[];
  readonly port?: number;
  readonly sourceSubnet?: string;
  readonly sourceLabels: Labels;
  readonly gateways: readonly string[];
  readonly sourceNamespace?: string;
}

export interface RouteDestination {
  readonly destination: Destination;
  readonly weight: number;
}
