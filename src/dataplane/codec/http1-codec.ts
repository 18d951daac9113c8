// HTTP/1 over node:http (dependencies.md §4): a server that never listens, whose parser and ServerResponse are used and
// whose opinions are not: no Date, no Connection header, no time-outs, no 100 Continue of its own, no limits below ours.
import http from 'node:http';
import type net from 'node:net';
import type { Duplex } from 'node:stream';
import { HeaderMap } from '../../filters/header-map.js';
import { codecError, type LocalReply } from '../../filters/local-reply.js';
import { finishResponseHeaders } from '../../filters/response-headers.js';
import { type CodecSettings, DELAYED_CLOSE } from './codec-settings.js';
import { readRequest, refusalOfParserError } from './http1-request-checks.js';
import { Http1Stream, type Http1StreamOwner, renderResponseHead } from './http1-stream.js';
import type { ServerCodec, ServerCodecListener } from './stream.js';

/** One never-listening server for all connections; each is found again through its socket. */
export class Http1Codecs {
  private readonly server: http.Server;
  private readonly bySocket = new WeakMap<Duplex, Http1Codec>();

  constructor() {
    this.server = http.createServer({
      // Above Envoy's 60 KiB, so that we count and answer (spec dataplane.md §3.3).
      maxHeaderSize: 256 * 1024,
      requireHostHeader: false,
      insecureHTTPParser: false,
      requestTimeout: 0,
      headersTimeout: 0,
      keepAliveTimeout: 0,
      noDelay: true,
    });
    this.server.maxHeadersCount = 0;
    this.server.timeout = 0;
    const onRequest = (request: http.IncomingMessage, response: http.ServerResponse): void =>
      this.bySocket.get(request.socket)?.enqueue(request, response, undefined);
    this.server.on('request', onRequest);
    this.server.on('checkContinue', onRequest); // Envoy leaves `100 Continue` to the upstream
    this.server.on('checkExpectation', onRequest);
    const onUpgrade = (request: http.IncomingMessage, socket: Duplex, head: Buffer): void =>
      this.bySocket.get(socket)?.enqueue(request, detachedResponse(request), head);
    this.server.on('upgrade', onUpgrade);
    this.server.on('connect', onUpgrade);
    this.server.on('clientError', (error: NodeJS.ErrnoException & { rawPacket?: Buffer }, socket) => {
      this.bySocket.get(socket)?.onParserError(error.code ?? '', error.rawPacket);
    });
  }

  serve(socket: net.Socket, settings: CodecSettings, listener: ServerCodecListener): ServerCodec {
    const codec = new Http1Codec(socket, settings, listener);
    this.bySocket.set(socket, codec);
    this.server.emit('connection', socket);
    // Bytes that were peeked and put back are not read by themselves on plain sockets (dependencies.md §4).
    socket.resume();
    return codec;
  }
}

/** Node makes no response object for upgrades; all answers to them but 101 are ordinary responses. */
function detachedResponse(request: http.IncomingMessage): http.ServerResponse {
  return new http.ServerResponse(request);
}

/** Parsed requests that wait for the one before; reading stops here, or a pipelining client could fill the memory. */
const MAX_WAITING = 64;

interface Turn {
  readonly request: http.IncomingMessage;
  readonly response: http.ServerResponse;
  /** Bytes behind the head of an upgrade or CONNECT request. */
  readonly upgradeHead: Buffer | undefined;
}

export class Http1Codec implements ServerCodec, Http1StreamOwner {
  readonly protocol = 'http1';
  readonly socket: net.Socket;
  readonly settings: CodecSettings;
  readonly acceptsHttp10: boolean;
  private readonly listener: ServerCodecListener;
  private readonly destroySoon: () => void;
  private current: Http1Stream | undefined = undefined;
  /** Pipelined requests: Node parses ahead, Envoy starts one when the response before it is complete. */
  private readonly waiting: Turn[] = [];
  /** Set when the bytes behind the current request were no request. */
  private afterCurrent: (() => void) | undefined = undefined;
  private closing = false;
  private over = false;

  constructor(socket: net.Socket, settings: CodecSettings, listener: ServerCodecListener) {
    this.socket = socket;
    this.settings = settings;
    this.listener = listener;
    this.acceptsHttp10 = settings.manager.http_protocol_options.accept_http_10 === true;
    this.destroySoon = socket.destroySoon.bind(socket);
    // Node calls this after a response that says `connection: close`; when to close is ours to say.
    socket.destroySoon = () => this.closeAfterResponse();
    socket.on('end', () => this.onDisconnect());
    socket.on('close', () => {
      this.onDisconnect();
      if (this.over) return;
      this.over = true;
      this.listener.onClosed();
    });
    socket.on('error', () => {}); // 'close' follows
  }

  enqueue(request: http.IncomingMessage, response: http.ServerResponse, upgradeHead: Buffer | undefined): void {
    request.on('error', () => {}); // an aborted body; the socket's own events tell the stream
    if (this.closing || this.over) {
      request.resume(); // "later pipelined requests are ignored" (spec dataplane.md §3.4)
      return;
    }
    this.waiting.push({ request, response, upgradeHead });
    if (this.waiting.length >= MAX_WAITING) this.socket.pause();
    if (this.current === undefined) this.next();
  }

  drain(): void {
    // The connection manager says `connection: close` with the next response (spec dataplane.md §3.11).
  }

  close(): void {
    this.closing = true;
    this.destroySoon();
  }

  /** From the stream: its response is out. */
  finished(stream: Http1Stream): void {
    if (this.current !== stream) return;
    this.current = undefined;
    const { afterCurrent } = this;
    if (this.closing) return;
    if (this.waiting.length > 0) setImmediate(() => this.next());
    else if (afterCurrent !== undefined) setImmediate(afterCurrent);
  }

  /** Reads and drops what still comes, and closes after a second or with the client's FIN (spec dataplane.md §3.10). */
  delayedClose(): void {
    if (this.over) return;
    this.closing = true;
    this.socket.resume();
    const timer = this.settings.environment.setTimer(DELAYED_CLOSE, () => this.destroySoon());
    this.socket.once('close', () => timer.cancel());
  }

  onParserError(code: string, packet: Buffer | undefined): void {
    if (code === 'ECONNRESET' || code === 'EPIPE' || this.socket.destroyed) {
      this.socket.destroy();
      return;
    }
    // Bytes behind a request that said `Connection: close` are no error to Envoy: they are ignored.
    if (this.closing || code === 'HPE_CLOSED_CONNECTION') return;
    const stream = this.current;
    if (stream === undefined || (stream.requestComplete && this.waiting.length === 0)) {
      // The head of a request that has not begun: its answer waits for those before it.
      const refuse = (): void => this.refuseHead(code, packet);
      if (stream === undefined) refuse();
      else this.afterCurrent = refuse;
      return;
    }
    // In a body. A turn later, because Envoy has the head on its way upstream by then.
    setImmediate(() => this.failBody(stream));
  }

  private refuseHead(code: string, packet: Buffer | undefined): void {
    if (code !== 'HPE_INVALID_EOF_STATE') {
      this.refuse(refusalOfParserError(code, packet));
      return;
    }
    // The client left in the middle of a head.
    this.closing = true;
    this.listener.onRefused({ status: 0, details: 'downstream_remote_disconnect', flag: 'DC', bodyBytes: 0 });
    this.socket.destroy();
  }

  /** Answered as long as no response has begun (spec dataplane.md §3.3). */
  private failBody(stream: Http1Stream): void {
    if (this.current !== stream) return;
    const refusal = codecError('http1.codec_error');
    this.current = undefined;
    const begun = stream.hasResponded;
    stream.fail({
      kind: 'protocol',
      details: refusal.details,
      ...(begun ? {} : { status: refusal.status, bodyBytes: String(refusal.body).length }),
    });
    if (!begun) this.writeReply(refusal);
    this.delayedClose();
  }

  private next(): void {
    if (this.current !== undefined || this.closing || this.over) return;
    const turn = this.waiting.shift();
    if (turn === undefined) return;
    if (this.waiting.length < MAX_WAITING / 2 && this.socket.isPaused()) this.socket.resume();
    const { request, response, upgradeHead } = turn;
    const read = readRequest({
      method: request.method ?? '',
      target: request.url ?? '',
      version: request.httpVersion,
      rawHeaders: request.rawHeaders,
      secure: this.settings.secure,
      options: this.settings.manager.common_http_protocol_options,
    });
    if ('refused' in read) {
      request.resume();
      this.refuse(read.refused);
      return;
    }
    if (upgradeHead !== undefined) response.assignSocket(this.socket);
    this.current = new Http1Stream(this, read.head, request, response, upgradeHead);
    this.listener.onStream(this.current);
  }

  private refuse(reply: LocalReply): void {
    const bodyBytes = this.writeReply(reply);
    this.listener.onRefused({ status: reply.status, details: reply.details, flag: 'DPE', bodyBytes });
    this.delayedClose();
  }

  /** Envoy's reply of the codec: the reason phrase as body, and the connection ends (spec dataplane.md §3.3). */
  private writeReply(reply: LocalReply): number {
    const { environment, manager } = this.settings;
    const body = String(reply.body);
    const headers = new HeaderMap(['content-length', String(body.length), 'content-type', 'text/plain']);
    finishResponseHeaders(headers, new Date(environment.now()).toUTCString(), manager, true);
    this.closing = true;
    this.socket.write(renderResponseHead(reply.status, headers.raw) + body, 'latin1');
    return body.length;
  }

  private closeAfterResponse(): void {
    this.closing = true;
    // A request that has been read to its end leaves no race to avoid; else unread bytes would reset the reply away.
    if (this.current === undefined || this.current.requestComplete) this.destroySoon();
    else this.delayedClose();
  }

  private onDisconnect(): void {
    const stream = this.current;
    if (stream === undefined) return;
    if (stream.isTunnel && !this.socket.destroyed) return; // half-close of a tunnel
    this.current = undefined;
    stream.fail({ kind: 'disconnect', details: 'downstream_remote_disconnect' });
    this.socket.destroy(); // a client's FIN counts as leaving (spec dataplane.md §3.4)
  }
}
