// Call and Decision: a question to the gateway and its answer without a socket (published API, see index.ts).

/** A question to the gateway. */
export interface Call {
  /** The port the client dials: the container port (8443), or the Service's (443) where that is unambiguous. */
  readonly port: number;
  readonly protocol?: 'http' | 'http2' | 'tcp';
  readonly tls?: 'plaintext' | 'tls' | 'mtls';
  /** Default: the host without its port, when `tls` is not 'plaintext'; '' = none sent. */
  readonly sni?: string;
  /** Default: what the protocol implies. */
  readonly alpn?: readonly string[];
  readonly host?: string;
  readonly method?: string;
  readonly path?: string;
  readonly headers?: Readonly<Record<string, string | readonly string[]>>;
  /** 0..1, replaces chance (weights, faults, mirrors). */
  readonly random?: number;
}

/** What a client would see instead of an answer, or with it. */
export type ErrorClass =
  | 'no_listener'
  | 'no_filter_chain'
  | 'no_virtual_host'
  | 'no_route'
  | 'tls_redirect'
  | 'protocol_error'
  | 'tls_error'
  | 'mtls_error'
  | 'no_cluster'
  | 'no_endpoint'
  | 'upstream_connect'
  | 'upstream_tls'
  | 'upstream_reset'
  | 'timeout';

/** One step on the way to a decision. */
export interface TrailStep {
  readonly stage: string;
  readonly verdict: string;
  readonly reason?: string;
  readonly at?: { readonly file: string; readonly line: number };
}

/** What the gateway would do; fields that no step reached are absent. */
export interface Decision {
  readonly listener?: string;
  /** 'NAMESPACE/GATEWAY:PORTNAME [server names]'. */
  readonly filterChain?: string;
  readonly routeConfig?: string;
  readonly virtualHost?: string;
  readonly route?: string;
  readonly cluster?: string;
  readonly endpoint?: string;
  readonly weightedClusters?: readonly { readonly cluster: string; readonly weight: number }[];
  readonly error?: ErrorClass;
  readonly flags?: string;
  readonly details?: string;
  readonly status?: number;
  readonly location?: string;
  readonly upstreamRequest?: {
    readonly authority: string;
    readonly path: string;
    readonly headersSet: Readonly<Record<string, string>>;
    readonly headersRemoved: readonly string[];
  };
  readonly trail: readonly TrailStep[];
}
