// From a request's head to what becomes of it: the connection manager's checks and header mutation, virtual host and
// route, the HTTP filters, and the router's first steps, in Envoy's order (spec dataplane.md §3.2, §4.1). Changes the
// head in place; opens nothing and waits for nothing.

import { appendForwardedHost } from '../filters/forwarded-host.js';
import { fires } from '../filters/fraction.js';
import { grpcWebFormat, isGrpcContentType } from '../filters/grpc.js';
import { isGrpcWebText } from '../filters/grpc-web.js';
import { computeHash } from '../filters/hash-policy.js';
import { isInlineRequestHeader, joinCookieCrumbs, joinInlineHeaders } from '../filters/inline-headers.js';
import {
  ABSOLUTE_PATH,
  CLUSTER_NOT_FOUND,
  directResponse,
  escapedSlashRedirect,
  faultAbort,
  type LocalReply,
  MISSING_HOST,
  MISSING_PATH,
  PATH_NORMALIZATION_FAILED,
  preflightReply,
  QUERY_WITHOUT_CONTENT_TYPE,
  ROUTE_NOT_FOUND,
  redirectReply,
  UPGRADE_FAILED,
} from '../filters/local-reply.js';
import { type OperatorFacts, UNANSWERED } from '../filters/operators.js';
import { cutFragment, normalizePath } from '../filters/path-normalizer.js';
import { ownLocation, redirectLocation, redirectStatus, tlsRedirectLocation } from '../filters/redirect.js';
import type { ReplyFacts } from '../filters/render-local-reply.js';
import { mutateRequestHeaders, removeHopByHopHeaders, requestedUpgrade } from '../filters/request-headers.js';
import { NO_RESPONSE_RULES, type ResponseRules } from '../filters/response-headers.js';
import { requestTimeout, writeExpectedTimeout } from '../filters/timeouts.js';
import type { RequestMatchFacts } from '../match/route-index.js';
import {
  CORS_FILTER,
  FAULT_FILTER,
  GRPC_WEB_FILTER,
  type HttpConnectionManager,
  parseDuration,
  type RequestMirrorPolicy,
  ROUTER_FILTER,
  type VirtualHost,
} from '../xds/index.js';
import type {
  RequestChance,
  RequestDecision,
  RequestFacts,
  RequestForward,
  RequestOutcome,
  RequestReply,
  RequestTrace,
} from './request-decision.js';
import { traceChance, traceRoutes, traceWeights } from './request-trace.js';
import type { CompiledDestination, CompiledForward, CompiledRoute } from './route-table.js';
import type { SnapshotIndex } from './snapshot-index.js';

/**
 *     const decision = decideRequest(index, chain.manager, facts, { random: Math.random, uuid: randomUUID });
 *     if (decision.kind === 'reply') respond(renderLocalReply(decision.reply, …)); else forward(decision.cluster, facts);
 */
export function decideRequest(
  index: SnapshotIndex,
  manager: HttpConnectionManager,
  facts: RequestFacts,
  chance: RequestChance,
  trace?: RequestTrace,
): RequestDecision {
  return new RequestDecider(index, manager, facts, chance, trace).decide();
}

const NO_MIRRORS: readonly RequestMirrorPolicy[] = [];

/** One request on its way. The mutable fields fill as the steps are taken and are copied into whichever outcome comes. */
/** The router counts an attempt before it writes the head for it. */
const FIRST_ATTEMPT: OperatorFacts['state'] = { ...UNANSWERED, attemptCount: 1 };

class RequestDecider {
  private readonly index: SnapshotIndex;
  private readonly manager: HttpConnectionManager;
  private readonly facts: RequestFacts;
  private readonly chance: RequestChance;
  private readonly trace: RequestTrace | undefined;
  private readonly replyFacts: ReplyFacts;
  private readonly upgrade: string | undefined;
  private virtualHost: VirtualHost | undefined = undefined;
  private compiled: CompiledRoute | undefined = undefined;
  private destination: CompiledDestination | undefined = undefined;
  private delay = 0;
  private grpcWeb: RequestForward['grpcWeb'] = undefined;
  private originalPath = '';
  private originalAuthority = '';
  private response: ResponseRules = NO_RESPONSE_RULES;

  constructor(
    index: SnapshotIndex,
    manager: HttpConnectionManager,
    facts: RequestFacts,
    chance: RequestChance,
    trace: RequestTrace | undefined,
  ) {
    this.index = index;
    this.manager = manager;
    this.facts = facts;
    this.chance = chance;
    this.trace = trace;
    const { headers } = facts;
    if (manager.common_http_protocol_options?.headers_with_underscores_action === 'DROP_HEADER') {
      for (const name of new Set(headers.raw.filter((text, i) => i % 2 === 0 && text.includes('_'))))
        headers.remove(name);
    }
    joinInlineHeaders(headers, isInlineRequestHeader);
    if (facts.protocol === 'HTTP/2') joinCookieCrumbs(headers);
    facts.authority ??= headers.get('host');
    headers.remove('host');
    this.upgrade = requestedUpgrade(facts);
    this.replyFacts = collectReplyFacts(facts, manager, this.upgrade !== undefined);
    this.originalPath = facts.path ?? '';
    this.originalAuthority = facts.authority ?? '';
  }

  decide(): RequestDecision {
    const refused = this.checkHead();
    if (refused !== undefined) {
      this.findRouteOfRefusal();
      return this.reply(refused);
    }
    mutateRequestHeaders(this.facts, this.manager, {
      uuid: this.chance.uuid,
      localAddress: this.index.snapshot.node.ipAddress,
    });
    const table = this.index.routes.get(this.manager.rds.route_config_name);
    const host = table?.findVirtualHost(this.facts.authority ?? '');
    if (host === undefined) return this.reply(ROUTE_NOT_FOUND);
    this.virtualHost = host.virtualHost;
    if (this.isSentToTls(host.virtualHost)) {
      // A CONNECT is an upgrade that no gateway of Istio's has, where there is a route at all; here the redirect is one.
      if (this.isRefusedUpgrade() || this.facts.method === 'CONNECT') return this.reply(UPGRADE_FAILED);
      return this.reply(redirectReply(301, tlsRedirectLocation(this.facts)));
    }
    // No route of Istio's fits a CONNECT, whatever its authority (spec dataplane.md §3.2).
    if (this.facts.method !== 'CONNECT') {
      const matched = this.matchFacts();
      this.compiled = host.find(matched);
      if (this.trace !== undefined) traceRoutes(this.trace, host, matched);
    }
    if (this.compiled === undefined) return this.reply(ROUTE_NOT_FOUND);
    return this.takeRoute(this.compiled);
  }

  /** The virtual host has no routes for a request that did not come over TLS, as far as x-forwarded-proto knows. */
  private isSentToTls({ require_tls }: VirtualHost): boolean {
    return require_tls === 'ALL' && this.facts.headers.get('x-forwarded-proto') !== 'https';
  }

  private matchFacts(): RequestMatchFacts {
    const { method, authority = '', scheme = '', path = '', headers } = this.facts;
    return { method, authority, scheme, path, headers };
  }

  /**
   * The answer to a head that is refused looks for a route as well, and finds one only if the client itself has sent an
   * x-forwarded-proto: nobody else has had the time to (measured; envoyproxy/envoy source/common/router/config_impl.cc,
   * RouteMatcher::route).
   */
  private findRouteOfRefusal(): void {
    const { facts } = this;
    if (!facts.headers.get('x-forwarded-proto') || facts.method === 'CONNECT' || facts.path === undefined) return;
    const table = this.index.routes.get(this.manager.rds.route_config_name);
    const host = table?.findVirtualHost(facts.authority ?? '');
    if (host === undefined || this.isSentToTls(host.virtualHost)) return;
    const compiled = host.find(this.matchFacts());
    if (compiled === undefined) return;
    this.compiled = compiled;
    if (compiled.forward !== undefined) this.destination = this.chooseDestination(compiled.forward);
    this.response = this.responseRules(compiled);
    if (compiled.forward === undefined) this.response = { ...this.response, operations: NO_RESPONSE_RULES.operations };
  }

  /** Everything that is refused before headers are mutated and a route is looked for. */
  private checkHead(): LocalReply | undefined {
    const { facts, manager } = this;
    const keepsHost = removeHopByHopHeaders(facts, this.upgrade !== undefined);
    // An absolute target names its host after `Connection: Host` has taken the header away.
    if (!keepsHost && facts.protocol !== 'HTTP/2' && facts.scheme === undefined) facts.authority = undefined;
    if (facts.authority === undefined) return MISSING_HOST;
    if (facts.method === 'CONNECT') return undefined;
    if (facts.path === undefined) return MISSING_PATH;
    facts.path = cutFragment(facts.path);
    this.originalPath = facts.path;
    if (!facts.path.startsWith('/')) return ABSOLUTE_PATH;
    if (facts.method === 'QUERY' && !facts.headers.has('content-type')) return QUERY_WITHOUT_CONTENT_TYPE;
    const normalized = normalizePath(facts.path, manager);
    if (normalized.kind === 'reject') return PATH_NORMALIZATION_FAILED;
    facts.path = normalized.path;
    this.originalPath = normalized.path;
    if (normalized.kind === 'redirect') return escapedSlashRedirect(normalized.path, this.replyFacts.isGrpc);
    return undefined;
  }

  private takeRoute(compiled: CompiledRoute): RequestDecision {
    const { facts, manager } = this;
    const { route, forward } = compiled;
    if (forward !== undefined) this.destination = this.chooseDestination(forward);
    this.response = this.responseRules(compiled);
    if (compiled.decorator !== undefined) facts.headers.set('x-envoy-decorator-operation', compiled.decorator);
    if (this.isRefusedUpgrade()) {
      // The operations of a route that answers itself go with that answer alone (measured).
      if (forward === undefined) this.response = { ...this.response, operations: NO_RESPONSE_RULES.operations };
      return this.reply(UPGRADE_FAILED);
    }
    if (route.redirect !== undefined) {
      this.trace?.step('redirect', String(redirectStatus(route.redirect)), undefined, route.originId);
      const original = facts.path ?? '/';
      const rewritten = compiled.rewrite?.(original);
      if (rewritten !== undefined) {
        facts.path = rewritten;
        if (!isSilent(manager)) facts.headers.set('x-envoy-original-path', original);
      }
      return this.reply(redirectReply(redirectStatus(route.redirect), redirectLocation(facts, route.redirect)));
    }
    if (route.direct_response !== undefined) {
      const { status } = route.direct_response;
      this.trace?.step('direct response', String(status), undefined, route.originId);
      const pointsToItself = status === 201 || (status >= 300 && status < 400);
      return this.reply(directResponse(status, compiled.directBody, pointsToItself ? ownLocation(facts) : undefined));
    }
    if (forward === undefined || this.destination === undefined) return this.reply(ROUTE_NOT_FOUND);

    if (this.replyFacts.grpcWeb !== undefined) {
      const requestIsText = isGrpcWebText(facts.headers.get('content-type'));
      this.grpcWeb = { requestIsText, response: this.replyFacts.grpcWeb };
      convertGrpcWebRequest(facts);
    }
    const fault = hasFilter(manager, FAULT_FILTER) ? this.injectFault(forward) : undefined;
    if (fault !== undefined) return this.reply(fault);
    if (forward.cors !== undefined && hasFilter(manager, CORS_FILTER)) {
      const cors = forward.cors.decide(facts.method, facts.headers);
      if (cors.kind === 'preflight') {
        // The route's operations are not applied to it (spec virtualservice.md §13).
        this.trace?.step('cors', 'preflight', `origin ${facts.headers.get('origin') ?? ''}`);
        this.response = { ...this.response, operations: NO_RESPONSE_RULES.operations };
        return this.reply(preflightReply(cors.headers));
      }
      if (cors.kind === 'inactive' && facts.headers.has('origin'))
        this.trace?.step('cors', 'no headers', `origin ${facts.headers.get('origin') ?? ''} is not allowed`);
      if (cors.kind === 'request') this.response = { ...this.response, cors: cors.responseHeaders };
    }
    if (!this.index.clusters.has(this.destination.cluster)) return this.reply(CLUSTER_NOT_FOUND);
    return this.forward(compiled, forward, this.destination);
  }

  private forward(
    compiled: CompiledRoute,
    forward: CompiledForward,
    destination: CompiledDestination,
  ): RequestDecision {
    const { facts } = this;
    const { headers } = facts;
    const { action } = forward;
    const { silent } = this.response;
    const timeouts = silent ? { ...forward.timeouts, silent } : forward.timeouts;
    const isGrpc = isGrpcContentType(headers.get('content-type'));
    const timeout = requestTimeout(timeouts, isGrpc, headers);
    writeExpectedTimeout(headers, timeouts, isGrpc, timeout);
    const countsAttempts = this.virtualHost?.include_request_attempt_count === true;
    if (countsAttempts) headers.set('x-envoy-attempt-count', '1');

    const operatorFacts: OperatorFacts = {
      request: facts,
      response: undefined,
      state: this.delay > 0 ? { ...FIRST_ATTEMPT, flags: 'DI' } : FIRST_ATTEMPT,
      routeName: this.response.routeName,
      cluster: destination.cluster,
    };
    destination.requestOperations?.apply(headers, operatorFacts, isInlineRequestHeader);
    if (destination.hostRewrite !== undefined) facts.authority = destination.hostRewrite;
    compiled.requestOperations?.apply(headers, operatorFacts, isInlineRequestHeader);
    if (forward.hostRewrite !== undefined) {
      if (action.append_x_forwarded_host === true) appendForwardedHost(headers, facts.authority ?? '');
      if (!silent && facts.authority) headers.set('x-envoy-original-host', facts.authority);
      facts.authority = forward.hostRewrite;
    }
    if (compiled.rewrite !== undefined) {
      const original = facts.path ?? '';
      const rewritten = compiled.rewrite(original);
      if (rewritten !== undefined) {
        facts.path = rewritten;
        if (!silent) headers.set('x-envoy-original-path', original);
      }
    }
    // Last: what is hashed is the request as it goes out (measured).
    const hashed = computeHash(action.hash_policy ?? [], facts);
    if (hashed.setCookies.length > 0) this.response = { ...this.response, setCookies: hashed.setCookies };
    const outcome = this.outcome();
    // Field by field: to spread the outcome costs as much as the rest of the decision.
    return {
      kind: 'forward',
      routeConfig: outcome.routeConfig,
      virtualHost: outcome.virtualHost,
      originalPath: outcome.originalPath,
      originalAuthority: outcome.originalAuthority,
      remoteAddress: outcome.remoteAddress,
      delay: outcome.delay,
      replyFacts: outcome.replyFacts,
      response: outcome.response,
      cluster: destination.cluster,
      route: compiled.route,
      timeout,
      timeouts,
      retry: action.retry_policy,
      countsAttempts,
      hash: hashed.hash,
      mirrors: this.chooseMirrors(action.request_mirror_policies ?? NO_MIRRORS),
      grpcWeb: this.grpcWeb,
      upgrade: this.upgrade === undefined ? undefined : 'websocket',
    };
  }

  /** A fresh draw per request; health does not count (spec virtualservice.md §8.4). */
  private chooseDestination(forward: CompiledForward): CompiledDestination | undefined {
    const { destinations } = forward;
    if (destinations.length === 1) return destinations[0];
    const point = Math.floor(this.chance.random() * forward.totalWeight);
    const chosen = destinations.find((destination) => point < destination.end) ?? destinations.at(-1);
    if (this.trace !== undefined) traceWeights(this.trace, forward, chosen);
    return chosen;
  }

  /** One draw for all of a request's mirrors, independent of the weighted pick (spec virtualservice.md §12). */
  private chooseMirrors(policies: readonly RequestMirrorPolicy[]): readonly RequestMirrorPolicy[] {
    if (policies.length === 0) return NO_MIRRORS;
    const draw = this.chance.random();
    return policies.filter(
      (policy) => this.index.clusters.has(policy.cluster) && fires(policy.runtime_fraction.default_value, draw),
    );
  }

  /** Delay and abort are drawn independently; an abort comes before the cluster is looked up (spec virtualservice.md §11). */
  private injectFault(forward: CompiledForward): LocalReply | undefined {
    const { fault } = forward;
    if (fault?.delay !== undefined && fires(fault.delay.percentage, this.chance.random())) {
      this.delay = parseDuration(fault.delay.fixed_delay) ?? 0;
      this.trace?.step('fault', `delay of ${fault.delay.fixed_delay}`, traceChance(fault.delay.percentage));
    }
    const abort = fault?.abort;
    if (abort === undefined || (abort.http_status === undefined && abort.grpc_status === undefined)) return undefined;
    if (!fires(abort.percentage, this.chance.random())) return undefined;
    this.trace?.step('fault', 'abort', traceChance(abort.percentage));
    return faultAbort(abort.http_status ?? 200, abort.grpc_status);
  }

  private isRefusedUpgrade(): boolean {
    const { upgrade } = this;
    if (upgrade === undefined) return false;
    return !this.manager.upgrade_configs.some((config) => config.upgrade_type.toLowerCase() === upgrade.toLowerCase());
  }

  private responseRules(compiled: CompiledRoute): ResponseRules {
    const cluster = this.destination?.cluster ?? '';
    const ofDestination = this.destination?.responseOperations;
    const ofRoute = compiled.responseOperations;
    return {
      setCookies: NO_RESPONSE_RULES.setCookies,
      cors: NO_RESPONSE_RULES.cors,
      operations:
        ofDestination === undefined && ofRoute === undefined
          ? NO_RESPONSE_RULES.operations
          : [ofDestination, ofRoute].filter((block) => block !== undefined),
      routeName: compiled.route.name ?? '',
      cluster: this.index.clusters.has(cluster) ? cluster : '',
      silent: isSilent(this.manager),
    };
  }

  private reply(reply: LocalReply): RequestReply {
    return { kind: 'reply', ...this.outcome(), reply };
  }

  private outcome(): RequestOutcome {
    return {
      routeConfig: this.manager.rds.route_config_name,
      virtualHost: this.virtualHost,
      route: this.compiled?.route,
      originalPath: this.originalPath,
      originalAuthority: this.originalAuthority,
      remoteAddress: this.facts.remoteAddress ?? this.facts.connection.source,
      delay: this.delay,
      cluster: this.destination?.cluster,
      replyFacts: this.replyFacts,
      response: this.response,
    };
  }
}

function collectReplyFacts(facts: RequestFacts, manager: HttpConnectionManager, isUpgrade: boolean): ReplyFacts {
  const contentType = facts.headers.get('content-type');
  return {
    protocol: facts.protocol,
    isHead: facts.method === 'HEAD',
    isGrpc: isGrpcContentType(contentType),
    grpcWeb: hasFilter(manager, GRPC_WEB_FILTER) ? grpcWebFormat(contentType, facts.headers.get('accept')) : undefined,
    // A CONNECT is never complete with its head.
    hasBody: !facts.endStream || facts.method === 'CONNECT',
    isUpgrade,
  };
}

function hasFilter(manager: HttpConnectionManager, name: string): boolean {
  for (const filter of manager.http_filters) if (filter.name === name) return true;
  return false;
}

/** `suppress_envoy_headers`: the router adds no `x-envoy-…` of its own. */
function isSilent(manager: HttpConnectionManager): boolean {
  for (const filter of manager.http_filters) {
    if (filter.name === ROUTER_FILTER) return filter.typed_config?.['suppress_envoy_headers'] === true;
  }
  return false;
}

/** What the gRPC-Web filter makes of a request's headers; the body of the text form is decoded on its way (spec dataplane.md §3.8). */
function convertGrpcWebRequest({ headers }: RequestFacts): void {
  headers.remove('content-length');
  headers.set('content-type', 'application/grpc');
  headers.set('te', 'trailers');
  headers.set('grpc-accept-encoding', 'identity');
}
