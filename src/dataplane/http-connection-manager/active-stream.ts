// The life of one request (spec dataplane.md §3.2, §4.1): facts, decision, injected delay, then a local reply or the
// router; response headers on their way out; one log line at the end, whatever happened.
import type { RequestDecision, RequestFacts, RequestForward } from '../../decide/request-decision.js';
import { INVALID_BASE64 } from '../../filters/grpc-web.js';
import { HeaderMap } from '../../filters/header-map.js';
import { type LocalReply, REQUEST_TIMEOUT } from '../../filters/local-reply.js';
import type { StreamState } from '../../filters/operators.js';
import { renderLocalReply } from '../../filters/render-local-reply.js';
import { applyResponseRules, applyRouteOperations, NO_RESPONSE_RULES } from '../../filters/response-headers.js';
import type { ResponseFlag } from '../../xds/index.js';
import type { ByteSource, ServerStream, ServerStreamListener, ServerTunnel, StreamFailure } from '../codec/stream.js';
import type { RunningSnapshot } from '../downstream-connection.js';
import type { Timer } from '../environment.js';
import { httpDate } from '../http-date.js';
import type { LiveMember } from '../live-set.js';
import type { Downstream, Forwarding } from '../router/exchange.js';
import type { StreamInfo } from '../telemetry/stream-info.js';
import { GrpcWebBridge } from './grpc-web-bridge.js';
import type { HttpConnection } from './http-connection.js';
import { timeoutsOf } from './manager-timeouts.js';
import { addResponseFraming } from './response-head.js';
import type { TimedStream } from './stream-idle-timer.js';

/** One request from its head to its log line. */
export class ActiveStream implements ServerStreamListener, LiveMember, TimedStream {
  place = -1;
  touched: number;
  readonly info: StreamInfo;
  private readonly connection: HttpConnection;
  readonly stream: ServerStream;
  readonly facts: RequestFacts;
  private readonly running: RunningSnapshot;
  /** The client asked for the end of the connection, or its last request has come. */
  private readonly closeAfter: boolean;
  private decision: RequestDecision | undefined = undefined;
  private forwarding: Forwarding | undefined = undefined;
  private delayTimer: Timer | undefined = undefined;
  private requestTimer: Timer | undefined = undefined;
  /** Wall clock milliseconds of the end of the request; undefined while it is incomplete. */
  private completedAt: number | undefined = undefined;
  private responded = false;
  /** An answer to an upgrade whose body is not passed on (spec dataplane.md §3.12). */
  private dropsBody = false;
  private over = false;

  constructor(connection: HttpConnection, stream: ServerStream, isLast: boolean) {
    this.connection = connection;
    this.stream = stream;
    const { head } = stream;
    const { downstream, services } = connection;
    this.info = connection.newInfo();
    this.info.protocol = head.protocol;
    this.running = services.context.current();
    this.facts = {
      protocol: head.protocol,
      method: head.method,
      authority: head.authority,
      path: head.path,
      scheme: head.scheme,
      headers: new HeaderMap(head.headers),
      endStream: head.endStream,
      connection: downstream.facts,
      tls: downstream.tls,
      startTime: this.info.startTime,
    };
    this.closeAfter = isLast || asksForClose(this.facts);
    // Nobody looks at it where there is no stream_idle_timeout: then it is not written, either.
    this.touched = timeoutsOf(downstream.manager).streamIdle > 0 ? this.info.startTime : Number.POSITIVE_INFINITY;
  }

  start(): void {
    const { services, downstream } = this.connection;
    const { environment } = services.context;
    this.stream.listen(this);
    if (this.stream.head.endStream) this.completedAt = this.info.startTime;
    else {
      const { request } = timeoutsOf(downstream.manager);
      if (request > 0) this.requestTimer = environment.setTimer(request, () => this.expired(REQUEST_TIMEOUT));
      this.stream.body.on('end', () => this.onRequestEnd());
    }
    const decision = services.decide(this.running.index, downstream.manager, this.facts, {
      random: environment.random,
      uuid: environment.uuid,
    });
    this.decision = decision;
    this.describe(decision);
    if (decision.delay > 0) {
      this.info.setFlag('DI');
      this.delayTimer = environment.setTimer(decision.delay, () => this.carryOut(decision));
    } else {
      this.carryOut(decision);
    }
  }

  onFailure(failure: StreamFailure): void {
    if (this.over) return;
    const { info } = this;
    this.stop();
    if (failure.kind === 'disconnect') info.setFlag('DC');
    else if (failure.kind === 'protocol') info.setFlag('DPE');
    else if (failure.kind === 'reset' && failure.details !== '') info.setFlag('DR');
    info.details = failure.details;
    if (failure.status !== undefined) {
      info.status = failure.status;
      info.bytesSent = failure.bodyBytes ?? 0;
      this.addRouteHeaders(failure.status, failure.answerHeaders);
    }
    this.finish();
  }

  private addRouteHeaders(status: number, headers: HeaderMap | undefined): void {
    const rules = this.decision?.response;
    if (headers === undefined || rules === undefined || rules === NO_RESPONSE_RULES) return;
    // The flag of the failure itself is set only behind the answer (measured).
    const flags = this.info.flags.filter((flag) => flag !== 'DPE').join(',');
    applyRouteOperations(headers, status, rules, this.facts, { ...this.state(0), flags });
  }

  onFinished(): void {
    if (this.over) return;
    this.stop();
    this.finish();
  }

  onDrain(): void {
    this.forwarding?.drained();
  }

  private carryOut(decision: RequestDecision): void {
    if (this.over) return;
    if (decision.kind === 'reply') {
      this.reply(decision.reply);
      return;
    }
    const side = new DownstreamSide(this, decision);
    const downstream =
      decision.grpcWeb === undefined
        ? side
        : new GrpcWebBridge(side, decision.grpcWeb, () => {
            this.forwarding?.cancel();
            this.reply(INVALID_BASE64);
          });
    this.forwarding = this.connection.services.router.forward(downstream, this.running);
  }

  // From the client's side that the router holds.

  respond(decision: RequestForward, status: number, raw: string[], endStream: boolean): void {
    if (this.responded || this.over) return;
    const { info } = this;
    const isUpgrade = decision.upgrade !== undefined;
    info.status = status;
    info.details = 'via_upstream';
    const headers = new HeaderMap(raw);
    let ends = endStream;
    if (isUpgrade && status < 400) {
      info.details = 'websocket_handshake_unsuccessful';
      headers.remove('content-type');
      headers.remove('content-length');
      this.dropsBody = true;
      ends = true;
    }
    this.sendHead(decision, status, headers, ends, isUpgrade);
  }

  private sendHead(
    decision: RequestForward,
    status: number,
    headers: HeaderMap,
    endStream: boolean,
    isUpgrade: boolean,
  ): void {
    this.responded = true;
    this.touch();
    const { facts, info, stream } = this;
    const { environment } = this.connection.services.context;
    const isHttp1 = facts.protocol !== 'HTTP/2';
    const complete = stream.requestComplete;
    const since = this.completedAt ?? (complete ? environment.now() : undefined);
    applyResponseRules(headers, status, {
      request: facts,
      rules: decision.response,
      state: this.state(status),
      serviceTime: isUpgrade || since === undefined ? undefined : Math.max(0, Math.floor(environment.now() - since)),
      date: this.date(),
      manager: this.connection.downstream.manager,
      close: isHttp1 && !(isUpgrade && status === 101) && (this.mustClose() || !complete || isUpgrade),
      isUpgrade,
    });
    if (isHttp1) {
      addResponseFraming(headers, status, {
        isHttp10: facts.protocol === 'HTTP/1.0',
        isHead: facts.method === 'HEAD',
        endStream,
        isTunnel: isUpgrade && status === 101,
      });
    }
    info.upstreamServiceTime = headers.get('x-envoy-upstream-service-time') ?? '';
    info.responseHeaders = headers.raw;
    if (!(isUpgrade && status === 101)) stream.respond({ status, headers: headers.raw }, endStream);
  }

  tunnel(decision: RequestForward, status: number, raw: string[]): ServerTunnel {
    this.info.status = status;
    this.info.details = 'via_upstream';
    const headers = new HeaderMap(raw);
    this.sendHead(decision, status, headers, false, true);
    return this.stream.tunnel({ status, headers: headers.raw });
  }

  /** A response of the gateway's own (spec dataplane.md §3.7 item 8, §3.8). */
  reply(reply: LocalReply): void {
    if (this.over) return;
    const { decision, info, facts, stream } = this;
    if (this.responded || decision === undefined) {
      this.breakOff(reply.flag ?? 'LR', reply.details);
      return;
    }
    if (reply.flag !== undefined) info.setFlag(reply.flag);
    info.details = reply.details;
    // What came during an injected delay has been read (measured); without one the answer is there before the body.
    if (decision.delay > 0) info.bytesReceived += stream.body.waiting;
    const leavesBody = this.isDecidedOnHead(reply) && decision.replyFacts.hasBody;
    const rendered = renderLocalReply(reply, {
      facts: { ...decision.replyFacts, hasBody: !stream.requestComplete || leavesBody },
      date: this.date(),
      manager: this.connection.downstream.manager,
      close: this.mustClose(),
      route:
        decision.response === NO_RESPONSE_RULES
          ? undefined
          : { rules: decision.response, request: facts, state: this.state(0) },
    });
    this.responded = true;
    info.status = rendered.status;
    info.responseHeaders = rendered.headers.raw;
    const { body } = rendered;
    const head = { status: rendered.status, headers: rendered.headers.raw, lingers: leavesBody };
    stream.respond(head, body === undefined);
    // What is left of the request is read and dropped.
    if (!stream.requestComplete) stream.body.resume();
    if (body === undefined) return;
    info.bytesSent = body.length;
    stream.write(body);
    stream.end([]);
  }

  /** Envoy answers these while it reads the head, even if the body came with it (spec dataplane.md §3.4). */
  private isDecidedOnHead(reply: LocalReply): boolean {
    // After an injected delay the body has been read.
    if (this.decision === undefined || this.decision.delay > 0) return false;
    if (this.decision.kind === 'reply') return true;
    return this.info.attemptCount <= 1 && (reply.flag === 'UH' || reply.flag === 'NC' || reply.flag === 'UO');
  }

  write(chunk: Uint8Array): boolean {
    if (this.dropsBody) return true;
    this.sent(chunk.length);
    return this.stream.write(chunk);
  }

  end(trailers: readonly string[]): void {
    if (!this.dropsBody) this.stream.end(trailers);
  }

  received(bytes: number): void {
    this.info.bytesReceived += bytes;
    this.touch();
  }

  sent(bytes: number): void {
    this.info.bytesSent += bytes;
    this.touch();
  }

  isRequestComplete(): boolean {
    return this.stream.requestComplete;
  }

  private touch(): void {
    if (this.touched !== Number.POSITIVE_INFINITY) this.touched = this.connection.services.context.environment.now();
  }

  /** A timer of the connection manager has run out (spec dataplane.md §3.10). */
  expired(reply: LocalReply): void {
    if (this.over) return;
    this.touched = Number.POSITIVE_INFINITY;
    this.delayTimer?.cancel();
    this.forwarding?.cancel();
    this.reply(reply);
  }

  breakOff(flag: ResponseFlag, details: string): void {
    if (this.over) return;
    this.info.setFlag(flag);
    this.info.details = details;
    this.stop();
    this.stream.reset();
    this.finish();
  }

  private onRequestEnd(): void {
    this.requestTimer?.cancel();
    this.touch();
    this.completedAt = this.connection.services.context.environment.now();
  }

  private mustClose(): boolean {
    return this.closeAfter || this.connection.downstream.isDraining();
  }

  private date(): string {
    return httpDate(this.connection.services.context.environment.now());
  }

  private state(responseCode: number): StreamState {
    const { info } = this;
    return {
      responseCode,
      flags: info.flags.join(','),
      details: info.details,
      upstreamHost: info.upstreamHost,
      attemptCount: info.attemptCount,
      bytesReceived: info.bytesReceived,
      upstreamTransportFailure: info.upstreamTransportFailureReason,
    };
  }

  /** What the log says of the request, as far as the decision knows it. */
  private describe(decision: RequestDecision): void {
    const { info, facts } = this;
    const { headers } = facts;
    info.method = facts.method;
    info.path = decision.originalPath;
    info.originalPath = headers.get('x-envoy-original-path') ?? '';
    info.upstreamPath = facts.path ?? '';
    info.authority = facts.authority ?? '';
    info.forwardedFor = headers.get('x-forwarded-for') ?? '';
    info.userAgent = headers.get('user-agent') ?? '';
    info.requestId = headers.get('x-request-id') ?? '';
    info.requestHeaders = headers.raw;
    info.downstreamRemote = decision.remoteAddress;
    // A cluster that does not exist is not named (spec dataplane.md §7.3).
    const { cluster = '' } = decision;
    info.upstreamCluster = this.running.index.clusters.has(cluster) ? cluster : '';
    info.routeName = decision.route?.name ?? '';
  }

  private stop(): void {
    this.over = true;
    this.requestTimer?.cancel();
    this.delayTimer?.cancel();
    this.forwarding?.cancel();
  }

  private finish(): void {
    this.connection.streamOver(this);
  }
}

/**
 * The client's side of a forwarded request. A class and no literal: one with a getter has a hidden class per object, which
 * keeps the whole request alive until a full garbage collection.
 */
class DownstreamSide implements Downstream {
  readonly facts: RequestFacts;
  readonly decision: RequestForward;
  readonly info: StreamInfo;
  readonly body: ByteSource;
  private readonly active: ActiveStream;

  constructor(active: ActiveStream, decision: RequestForward) {
    this.active = active;
    this.facts = active.facts;
    this.decision = decision;
    this.info = active.info;
    this.body = active.stream.body;
  }

  get trailers(): readonly string[] {
    return this.active.stream.trailers;
  }

  informational(status: number, headers: string[]): void {
    this.active.stream.informational(status, withoutHopByHop(headers));
  }

  respond(status: number, headers: string[], endStream: boolean): void {
    this.active.respond(this.decision, status, headers, endStream);
  }

  received(bytes: number): void {
    this.active.received(bytes);
  }

  sent(bytes: number): void {
    this.active.sent(bytes);
  }

  write(chunk: Buffer): boolean {
    return this.active.write(chunk);
  }

  end(trailers: readonly string[]): void {
    this.active.end(trailers);
  }

  reply(reply: LocalReply): void {
    this.active.reply(reply);
  }

  breakOff(flag: ResponseFlag, details: string): void {
    this.active.breakOff(flag, details);
  }

  tunnel(status: number, headers: string[]): ServerTunnel {
    return this.active.tunnel(this.decision, status, headers);
  }

  tunnelClosed(): void {
    this.active.onFinished();
  }
}

/** `close` among the tokens of Connection or Proxy-Connection, in any case; looked at before filters remove them. */
function asksForClose(facts: RequestFacts): boolean {
  if (facts.protocol === 'HTTP/2') return false;
  // HTTP/1.0 ends unless the client asked to keep it.
  if (!facts.headers.has('connection') && !facts.headers.has('proxy-connection')) return facts.protocol === 'HTTP/1.0';
  const tokens = [...facts.headers.values('connection'), ...facts.headers.values('proxy-connection')]
    .join(',')
    .toLowerCase()
    .split(',')
    .map((token) => token.trim());
  if (tokens.includes('close')) return true;
  return facts.protocol === 'HTTP/1.0' && !tokens.includes('keep-alive');
}

function withoutHopByHop(headers: readonly string[]): string[] {
  const kept: string[] = [];
  for (let i = 0; i < headers.length; i += 2) {
    const name = headers[i] as string;
    if (name === 'connection' || name === 'keep-alive' || name === 'upgrade' || name === 'proxy-connection') continue;
    kept.push(name, headers[i + 1] as string);
  }
  return kept;
}
