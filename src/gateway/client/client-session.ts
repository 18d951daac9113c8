// One connection of a client to a running gateway, the requests on it, and what the gateway noted of them.

import type { StreamInfo } from '../../dataplane/telemetry/stream-info.js';
import { decide } from '../../decide/decide.js';
import type { Call, Decision, ErrorClass } from '../../decide/decision.js';
import { errorClassOf } from '../../decide/error-class.js';
import type { Received } from '../../stub/received.js';
import type { Note, Observation, ReceivedNote } from '../observation.js';
import type { RunningGateway } from '../run.js';
import { type ClientCertificate, type Dialled, dial, type TlsVersion } from './client-connection.js';
import { type ClientResponse, type Exchanges, type HeaderLines, openExchanges } from './exchange.js';
import { type Reply, toHeaderRecord, type UpstreamSaw } from './reply.js';
import type { TlsOutcome } from './tls-outcome.js';

/** How to connect. */
export interface SessionTarget {
  /** Server port as written in a Gateway, or container port. */
  readonly port: number;
  /** Absent = plaintext. */
  readonly tls?: {
    readonly serverName: string;
    readonly alpn: readonly string[];
    readonly client?: ClientCertificate;
    readonly version?: TlsVersion;
  };
  /** Speak HTTP/2 where ALPN does not say: prior knowledge. */
  readonly http2: boolean;
  /** Milliseconds for the connection and for each exchange. */
  readonly timeout: number;
}

/** A request on a session. */
export interface SessionRequest {
  readonly method: string;
  readonly path: string;
  readonly authority: string;
  readonly headers: HeaderLines;
  readonly body: Buffer;
  readonly http10?: boolean;
}

/** Longest waits for the log of a request: it follows an answer at once, however busy the machine; a close may have none. */
const ANSWERED_WAIT = 5000;
const CLOSED_WAIT = 1000;
/** For a connection of which the gateway may have nothing to say. */
const SILENT_WAIT = 100;

const NO_RESPONSE: ClientResponse = {
  informational: [],
  body: Buffer.alloc(0),
  trailers: [],
  complete: false,
  timedOut: false,
};

/** Opens a session; whatever becomes of the connection shows in the replies. */
export async function openSession(
  gateway: RunningGateway,
  observation: Observation,
  target: SessionTarget,
): Promise<ClientSession> {
  const unwatch = observation.watch();
  const bound = boundAddress(gateway, target.port);
  const dialled: Dialled =
    bound === undefined
      ? { kind: 'refused', code: 'ECONNREFUSED' }
      : await dial({
          address: bound.address,
          port: bound.port,
          timeout: target.timeout,
          ...(target.tls === undefined ? {} : { tls: target.tls }),
        });
  return new ClientSession(gateway, observation, target, dialled, unwatch);
}

/** Where a server port or container port really listens; `undefined` = nowhere. */
export function boundAddress(
  gateway: RunningGateway,
  port: number,
): { readonly address: string; readonly port: number } | undefined {
  const find = (container: number | undefined): { readonly address: string; readonly port: number } | undefined => {
    const bound = gateway.listeners.filter((listener) => listener.port === container);
    const chosen = bound.find(({ name }) => /^(?:0\.0\.0\.0|::)_/.test(name)) ?? bound[0];
    if (chosen === undefined) return undefined;
    return { address: reachable(chosen.address), port: chosen.boundPort };
  };
  return find(port) ?? find(gateway.servicePorts.get(port));
}

/** A wildcard is no address to dial. */
function reachable(address: string): string {
  if (address === '0.0.0.0') return '127.0.0.1';
  return address === '::' ? '::1' : address;
}

export class ClientSession {
  private readonly gateway: RunningGateway;
  private readonly observation: Observation;
  private readonly target: SessionTarget;
  private readonly dialled: Dialled;
  private readonly unwatch: () => void;
  private readonly exchanges: Exchanges | undefined;
  private readonly localPort: number;
  /** Looked up once: they cost a walk over all Gateways. */
  private readonly servicePorts: RunningGateway['servicePorts'];
  private seen = 0;
  private closed = false;

  constructor(
    gateway: RunningGateway,
    observation: Observation,
    target: SessionTarget,
    dialled: Dialled,
    unwatch: () => void,
  ) {
    this.gateway = gateway;
    this.observation = observation;
    this.target = target;
    this.dialled = dialled;
    this.unwatch = unwatch;
    this.servicePorts = gateway.servicePorts;
    this.localPort =
      dialled.kind === 'up' ? dialled.connection.localPort : dialled.kind === 'failed' ? dialled.localPort : -1;
    if (dialled.kind === 'up') {
      const { connection } = dialled;
      const alpn = connection.tls?.alpn;
      this.exchanges = openExchanges(connection, alpn === 'h2' || (alpn === undefined && target.http2));
    }
  }

  /** `undefined` where no connection came to be. */
  get protocol(): Exchanges['protocol'] | undefined {
    return this.exchanges?.protocol;
  }

  /** True while another request can be sent. */
  get isReusable(): boolean {
    return this.exchanges?.isReusable === true;
  }

  /** `last`: nothing more will be sent, so the connection is closed when the answer is there. */
  async send(request: SessionRequest, last: boolean): Promise<Reply> {
    const decision = this.decide(request);
    const mark = this.observation.mark;
    const { exchanges } = this;
    if (exchanges === undefined) {
      if (this.dialled.kind === 'failed')
        await this.observation.until(this.localPort, 1, this.waitFor(decision, false));
      return this.reply(request, decision, NO_RESPONSE, mark);
    }
    const response = await exchanges.exchange(
      {
        method: request.method,
        path: request.path,
        authority: request.authority,
        scheme: this.target.tls === undefined ? 'http' : 'https',
        headers: request.headers,
        body: request.body,
        http10: request.http10 === true,
      },
      this.target.timeout,
    );
    // A TCP proxy logs at the end of the connection, everything else at the end of the request.
    const isTcp = decision.listener !== undefined && decision.routeConfig === undefined;
    const isOver = last || !exchanges.isReusable;
    if (isTcp && isOver) exchanges.close();
    if (!isTcp || isOver) {
      await this.observation.until(this.localPort, this.seen + 1, this.waitFor(decision, response.head !== undefined));
    }
    const reply = this.reply(request, decision, response, mark);
    this.seen = this.observation.of(this.localPort).length;
    return reply;
  }

  close(): void {
    if (this.closed) return;
    this.closed = true;
    this.exchanges?.close();
    this.observation.forget(this.localPort);
    this.unwatch();
  }

  private waitFor(decision: Decision, answered: boolean): number {
    // A chain without its Secret closes without a word in any log.
    const isSilent = decision.error === 'tls_error' || decision.error === 'no_listener';
    if (answered) return ANSWERED_WAIT;
    return isSilent ? SILENT_WAIT : CLOSED_WAIT;
  }

  private decide(request: SessionRequest): Decision {
    const { gateway, target } = this;
    return decide(gateway.running.index, callOf(target, request, this.protocol), {
      origins: gateway.compiled.origins,
      servicePorts: this.servicePorts,
    });
  }

  private reply(request: SessionRequest, decision: Decision, response: ClientResponse, mark: number): Reply {
    const note = this.observation.of(this.localPort)[this.seen] ?? this.lastHandshake();
    const info = note?.kind === 'finished' ? note.info : undefined;
    const tls = this.tlsOutcome();
    const seen = info === undefined && response.head === undefined ? [] : this.upstreamsSaw(info, request, mark);
    const answeredBy = seen.find(({ isOwn }) => isOwn)?.saw ?? foreignUpstream(info);
    const error = this.errorOf(note, decision, response, tls);
    const flags = info?.flags.join(',') ?? '';
    const failure = this.failureOf(response, tls, error);
    const { head } = response;
    return {
      ...(head === undefined ? {} : { status: head.status }),
      headers: toHeaderRecord(head?.headers ?? []),
      rawHeaders: head?.headers ?? [],
      body: response.body.toString('utf8'),
      bytes: response.body,
      trailers: toHeaderRecord(response.trailers),
      informational: response.informational.map(({ status, headers }) => ({
        status,
        headers: toHeaderRecord(headers),
      })),
      ...(this.protocol === undefined ? {} : { protocol: this.protocol }),
      ...(tls === undefined ? {} : { tls }),
      decision: asItWent(decision, info),
      ...(answeredBy === undefined ? {} : { upstreamSaw: answeredBy }),
      upstreamsSaw: seen.length === 0 && answeredBy !== undefined ? [answeredBy] : seen.map(({ saw }) => saw),
      ...(error === undefined ? {} : { error }),
      ...(flags === '' ? {} : { flags }),
      ...(info === undefined || info.details === '' ? {} : { details: info.details }),
      ...(failure === undefined ? {} : { failure }),
    };
  }

  /** A certificate that is refused after the client's side of TLS 1.3 was done: one note for all requests that follow. */
  private lastHandshake(): Note | undefined {
    return this.observation.of(this.localPort).find(({ kind }) => kind === 'handshake');
  }

  private tlsOutcome(): TlsOutcome | undefined {
    if (this.target.tls === undefined) return undefined;
    if (this.dialled.kind === 'up') return this.dialled.connection.tls;
    return this.dialled.kind === 'failed' ? this.dialled.tls : undefined;
  }

  private errorOf(
    note: Note | undefined,
    decision: Decision,
    response: ClientResponse,
    tls: TlsOutcome | undefined,
  ): ErrorClass | undefined {
    if (this.dialled.kind === 'refused') return this.dialled.code === 'timeout' ? undefined : 'no_listener';
    if (note?.kind === 'handshake') return note.certificate ? 'mtls_error' : 'tls_error';
    if (note !== undefined) {
      const { info } = note;
      return errorClassOf({
        flags: info.flags.join(','),
        details: info.details,
        status: info.status,
        upstreamTransportFailure: info.upstreamTransportFailureReason,
        virtualHost: decision.virtualHost,
        isTlsRedirect: decision.error === 'tls_redirect',
      });
    }
    // Whoever gives up has not been refused.
    if (this.dialled.kind === 'failed' && this.dialled.ending === 'timeout') return undefined;
    if (this.dialled.kind === 'failed' || (response.head === undefined && tls?.alert !== undefined)) {
      return decision.error === 'mtls_error' || decision.error === 'no_filter_chain' ? decision.error : 'tls_error';
    }
    // Bytes that are no ClientHello, on a chain that waits for one, leave no line in the log.
    return response.head === undefined && decision.error === 'tls_error' ? 'tls_error' : undefined;
  }

  private failureOf(
    response: ClientResponse,
    tls: TlsOutcome | undefined,
    error: ErrorClass | undefined,
  ): string | undefined {
    if (this.dialled.kind === 'refused') {
      return this.dialled.code === 'timeout'
        ? `no connection within ${this.target.timeout} ms`
        : `nothing listens on port ${this.target.port}`;
    }
    if (response.timedOut) return `no answer within ${this.target.timeout} ms`;
    if (tls?.alert !== undefined && response.head === undefined) return `TLS alert ${tls.alert}`;
    if (this.dialled.kind === 'failed') {
      if (this.dialled.ending === 'timeout') return `no TLS handshake within ${this.target.timeout} ms`;
      if (tls?.error !== undefined) return `TLS handshake failed: ${tls.error}`;
      return `the connection was ${wordFor(this.dialled.ending)} during the TLS handshake`;
    }
    if (response.complete) return undefined;
    const ending = this.dialled.connection.ending;
    if (response.head !== undefined) return 'the answer broke off';
    if (response.streamError !== undefined) return `the stream was reset: ${response.streamError}`;
    return ending === undefined
      ? 'what came is no HTTP answer'
      : `the connection was ${wordFor(ending)} without an answer${error === undefined ? '' : ` (${error})`}`;
  }

  private upstreamsSaw(
    info: StreamInfo | undefined,
    request: SessionRequest,
    mark: number,
  ): readonly { readonly saw: UpstreamSaw; readonly isOwn: boolean }[] {
    const port = portOf(info?.upstreamLocalAddress ?? '');
    const requestId = info?.requestId ?? '';
    const records = this.observation.recordsSince(mark).filter(({ received, peerPort }) => {
      if (received.kind === 'upgraded') return false;
      if (info === undefined) return isSameRequest(received, request);
      if (received.kind === 'http' && requestId !== '') return requestIdOf(received) === requestId;
      return peerPort === port;
    });
    // Of several tries on one connection the last one was answered.
    const own = records.findLast(({ peerPort }) => info === undefined || peerPort === port);
    return records.map((record) => ({ saw: toUpstreamSaw(record), isOwn: record === own }));
  }
}

/** The question to `decide` that a request amounts to. */
export function callOf(
  target: SessionTarget,
  request: Omit<SessionRequest, 'body'>,
  protocol: Exchanges['protocol'] | undefined,
): Call {
  const headers: Record<string, string[]> = {};
  for (const [name, value] of request.headers) {
    const lines = headers[name];
    if (lines === undefined) headers[name] = [value];
    else lines.push(value);
  }
  const isHttp2 = protocol === undefined ? target.http2 : protocol === 'HTTP/2';
  const { tls } = target;
  return {
    port: target.port,
    protocol: isHttp2 ? 'http2' : 'http',
    tls: tls === undefined ? 'plaintext' : tls.client === undefined ? 'tls' : 'mtls',
    ...(tls === undefined ? {} : { sni: tls.serverName, alpn: tls.alpn }),
    host: request.authority,
    method: request.method,
    path: request.path,
    headers,
  };
}

function asItWent(decision: Decision, info: StreamInfo | undefined): Decision {
  if (info === undefined || info.upstreamCluster === '') return decision;
  if (info.upstreamCluster === decision.cluster) {
    if (info.upstreamHost === '' || info.upstreamHost === decision.endpoint) return decision;
    return { ...decision, endpoint: info.upstreamHost };
  }
  const { endpoint: _endpoint, ...rest } = decision;
  return {
    ...rest,
    cluster: info.upstreamCluster,
    ...(info.upstreamHost === '' ? {} : { endpoint: info.upstreamHost }),
  };
}

function toUpstreamSaw({ received }: ReceivedNote): UpstreamSaw {
  if (received.kind !== 'http') {
    return {
      server: received.server,
      headers: {},
      rawHeaders: [],
      body: received.bytes,
      ...('tls' in received && received.tls !== undefined ? { tls: received.tls } : {}),
    };
  }
  const headers = toHeaderRecord(received.headers);
  const authority = received.authority ?? headers['host'];
  return {
    server: received.server,
    protocol: received.protocol,
    method: received.method,
    path: received.path,
    ...(authority === undefined ? {} : { authority }),
    headers,
    rawHeaders: received.headers,
    body: Buffer.from(received.body, 'latin1').toString('utf8'),
    ...(received.tls === undefined ? {} : { tls: received.tls }),
  };
}

/** What was sent to an upstream that keeps no book for us. */
function foreignUpstream(info: StreamInfo | undefined): UpstreamSaw | undefined {
  if (info === undefined || info.upstreamHost === '' || info.upstreamLocalAddress === '' || info.method === '')
    return undefined;
  const rawHeaders: [string, string][] = [];
  for (let i = 0; i < info.requestHeaders.length; i += 2) {
    const name = info.requestHeaders[i] as string;
    if (!name.startsWith(':') && name !== 'host') rawHeaders.push([name, info.requestHeaders[i + 1] as string]);
  }
  return {
    method: info.method,
    path: info.upstreamPath,
    authority: info.authority,
    headers: toHeaderRecord(rawHeaders),
    rawHeaders,
  };
}

function requestIdOf(received: Extract<Received, { kind: 'http' }>): string {
  return received.headers.find(([name]) => name.toLowerCase() === 'x-request-id')?.[1] ?? '';
}

/** Behind a TCP proxy whose connection goes on there is no log yet: what was sent is what arrived. */
function isSameRequest(received: Received, request: SessionRequest): boolean {
  return received.kind === 'http' && received.method === request.method && received.path === request.path;
}

function portOf(address: string): number {
  const colon = address.lastIndexOf(':');
  return colon === -1 ? -1 : Number(address.slice(colon + 1));
}

function wordFor(ending: 'eof' | 'reset' | 'timeout'): string {
  return ending === 'reset' ? 'reset' : ending === 'eof' ? 'closed' : 'given up';
}
