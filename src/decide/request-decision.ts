// What becomes of a request: the contract between the pure side (decide/, filters/, match/) and the HTTP connection
// manager and router that carry it out.
import type { GrpcWebFormat } from '../filters/grpc.js';
import type { LocalReply } from '../filters/local-reply.js';
import type { ReplyFacts } from '../filters/render-local-reply.js';
import type { RequestHead } from '../filters/request-head.js';
import type { ResponseRules } from '../filters/response-headers.js';
import type { RouteTimeouts } from '../filters/timeouts.js';
import type { RequestMirrorPolicy, RetryPolicy, Route, SocketAddress, VirtualHost } from '../xds/index.js';

export type { ResponseRules } from '../filters/response-headers.js';

/** A request as the codec understood it. `decideRequest` changes it in place, as Envoy's filters do. */
export type RequestFacts = RequestHead;

/** Chance and identity are parameters (P13). */
export interface RequestChance {
  /** 0 <= n < 1: weights, fault and mirror percentages draw from it, one call each. */
  readonly random: () => number;
  /** A lower-case UUIDv4 for x-request-id. */
  readonly uuid: () => string;
}

/** Hears what is considered on the way, for explain. Live traffic has none. */
export interface RequestTrace {
  /** One step: `originId` points to the configuration that it is about. */
  step(stage: string, verdict: string, reason?: string, originId?: number): void;
}

/** Facts that every outcome carries for log, explain and coverage. */
export interface RequestOutcome {
  readonly routeConfig: string;
  readonly virtualHost: VirtualHost | undefined;
  readonly route: Route | undefined;
  /** The access log's `:PATH` and `:AUTHORITY` at the moment when the decision was made (normalised, before rewriting). */
  readonly originalPath: string;
  readonly originalAuthority: string;
  /** The client as trusted, for the log's downstream remote address: the peer, or an entry of x-forwarded-for with port 0. */
  readonly remoteAddress: SocketAddress;
  /** Milliseconds of an injected delay before anything else happens (flag DI); 0 = none. */
  readonly delay: number;
  /** `undefined` for NR, TLS redirect and refusals before routing. Set for NC too; the log shows it only when the cluster exists (`response.cluster`). */
  readonly cluster: string | undefined;
  /** Shapes every reply that the gateway makes to this request, now or later (`renderLocalReply`). */
  readonly replyFacts: ReplyFacts;
  /** What to do to the response's headers once they are there: route and cluster operations, CORS, cookie of a hash policy. */
  readonly response: ResponseRules;
}

export type RequestDecision = RequestReply | RequestForward;

/** Answered by the gateway itself. */
export interface RequestReply extends RequestOutcome {
  readonly kind: 'reply';
  readonly reply: LocalReply;
}

/** Goes to an upstream. `facts.headers`, `.path`, `.authority` are what the first attempt sends (x-envoy-attempt-count too). */
export interface RequestForward extends RequestOutcome {
  readonly kind: 'forward';
  readonly cluster: string;
  readonly route: Route;
  /** Milliseconds; 0 = none. Already the smaller of route and grpc-timeout. */
  readonly timeout: number;
  /** For `writeExpectedTimeout` of later attempts; `perTry` in milliseconds, 0 = none. */
  readonly timeouts: RouteTimeouts;
  readonly retry: RetryPolicy | undefined;
  /** True when every attempt writes its number into x-envoy-attempt-count. */
  readonly countsAttempts: boolean;
  readonly hash: bigint | undefined;
  /** Mirrors that chance let through and whose cluster exists. */
  readonly mirrors: readonly RequestMirrorPolicy[];
  /** Set when the gRPC-Web filter converts this exchange (`filters/grpc-web.ts`): the request's body is base64, the response's form. */
  readonly grpcWeb: { readonly requestIsText: boolean; readonly response: GrpcWebFormat } | undefined;
  /** 'websocket' when the request is an upgrade that the connection manager allows. */
  readonly upgrade: 'websocket' | undefined;
}
