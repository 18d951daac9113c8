// A downstream HTTP/1 connection without its socket: requests one after the other, responses in order, and when the
// connection ends (spec dataplane.md §3.3, §3.4, §3.10, §3.12). Bytes go in through `onBytes`; what is to be written
// gathers during a turn of the event loop and leaves in one write.
import { HeaderMap } from '../../../filters/header-map.js';
import { judgeHttp1Head } from '../../../filters/http1-head.js';
import { type CodecError, codecError, type LocalReply, REQUEST_HEADER_TIMEOUT } from '../../../filters/local-reply.js';
import { finishResponseHeaders } from '../../../filters/response-headers.js';
import { parseDuration } from '../../../xds/index.js';
import type { Timer } from '../../environment.js';
import { httpDate } from '../../http-date.js';
import { type CodecSettings, DELAYED_CLOSE } from '../codec-settings.js';
import type { RequestHead, ServerCodec, ServerCodecListener } from '../stream.js';
import { Http1RequestParser, type ParsedHead, type RequestSink } from './request-parser.js';
import { renderResponseHead } from './response-encoder.js';
import { Http1ServerStream, type Http1StreamOwner } from './server-stream.js';

/** Bytes of a body, or of later requests, that are read ahead of whoever takes them; also how a client's leaving shows. */
const READ_AHEAD = 1024 * 1024;
const PIPELINED = 64 * 1024;
/** Responses that wait for the client before Envoy gives a pipelining connection up. */
const MAX_QUEUED_RESPONSES = 2;
/** Pieces up to this size are copied into one buffer; larger ones are written beside each other. */
const JOIN_LIMIT = 64 * 1024;

/** The socket, as the connection needs it. */
export interface Http1Transport {
  /** False when more should wait for `onDrain`. */
  write(bytes: string | Uint8Array): boolean;
  /** One write of several pieces. */
  writeAll(pieces: readonly (string | Uint8Array)[]): boolean;
  pause(): void;
  resume(): void;
  /** FIN behind what has been written, and then the socket goes. */
  finish(): void;
  /** Away with it, whatever waits to be written. */
  destroy(): void;
}

/** Made over a connected transport; `onBytes`, `onDrain`, `onPeerEnd` and `onClosed` are the transport's to call. */
export class Http1ServerConnection implements ServerCodec, Http1StreamOwner, RequestSink {
  readonly protocol = 'http1';
  private readonly transport: Http1Transport;
  private readonly settings: CodecSettings;
  private readonly listener: ServerCodecListener;
  private readonly parser: Http1RequestParser;
  private readonly acceptsHttp10: boolean;
  private readonly headersTimeout: number;
  private current: Http1ServerStream | undefined = undefined;
  private out: (string | Uint8Array)[] = [];
  private outBytes = 0;
  /** `endTurn` is due. */
  private flushes = false;
  /** The next request is to be read at the end of this turn. */
  private readsOn = false;
  /** Bytes are being read: what they bring forth leaves behind them. */
  private reading = false;
  /** The head of `current` is being handed over. */
  private dispatching = false;
  /** The transport has asked to wait. */
  private blocked = false;
  private wantsDrain = false;
  private queuedResponses = 0;
  private paused = false;
  private headersTimer: Timer | undefined = undefined;
  private closeTimer: Timer | undefined = undefined;
  /** No further request is read. */
  private closing = false;
  private over = false;

  constructor(transport: Http1Transport, settings: CodecSettings, listener: ServerCodecListener) {
    const { manager } = settings;
    this.transport = transport;
    this.settings = settings;
    this.listener = listener;
    this.acceptsHttp10 = manager.http_protocol_options.accept_http_10 === true;
    this.headersTimeout = parseDuration(manager.request_headers_timeout ?? '') ?? 0;
    this.parser = new Http1RequestParser({ isTls: settings.secure, acceptsHttp10: this.acceptsHttp10 }, this);
  }

  // From the transport.

  onBytes(chunk: Buffer): void {
    if (this.closing || this.over) return; // "later pipelined requests are ignored" (spec dataplane.md §3.4)
    this.reading = true;
    this.parser.push(chunk);
    this.reading = false;
    if (this.parser.waitingBytes > PIPELINED) this.pause();
    this.flush();
  }

  onDrain(): void {
    this.blocked = false;
    this.queuedResponses = 0;
    this.tellDrained();
  }

  /** The client's FIN. It counts as leaving; a tunnel is given what came before (spec dataplane.md §3.4, §3.12). */
  onPeerEnd(): void {
    const { current } = this;
    if (current?.isTunnel === true) {
      current.incoming.end();
      return;
    }
    const wasBusy = current !== undefined;
    this.lose();
    if (wasBusy) this.transport.destroy();
    else this.transport.finish();
  }

  onClosed(): void {
    if (this.over) return;
    this.lose();
    this.over = true;
    this.parser.stop();
    this.headersTimer?.cancel();
    this.closeTimer?.cancel();
    this.listener.onClosed();
  }

  // From the connection manager.

  drain(): void {
    // The connection manager says `connection: close` with the next response (spec dataplane.md §3.11).
  }

  close(): void {
    this.stopReading();
    this.flush();
    this.transport.finish();
  }

  // From the parser.

  onBegin(): boolean {
    if (this.queuedResponses >= MAX_QUEUED_RESPONSES) {
      this.stopReading();
      this.listener.onRefused({
        status: 0,
        details: 'codec_error:Too_many_responses_queued.',
        flag: 'DPE',
        bodyBytes: 0,
      });
      this.delayedClose();
      return false;
    }
    this.listener.onRequestBegun();
    if (this.headersTimeout > 0) {
      this.headersTimer = this.settings.environment.setTimer(this.headersTimeout, () => {
        this.refuse(REQUEST_HEADER_TIMEOUT);
        this.flush();
      });
    }
    return true;
  }

  onHead(parsed: ParsedHead): CodecError | undefined {
    const { facts } = parsed;
    const judged = judgeHttp1Head(facts, this.settings.manager.common_http_protocol_options);
    if (typeof judged === 'string') return judged;
    this.headersTimer?.cancel();
    const isRaw = parsed.body === 'raw';
    const head: RequestHead = {
      protocol: parsed.isHttp11 ? 'HTTP/1.1' : 'HTTP/1.0',
      method: facts.method,
      authority: judged.authority,
      path: judged.path,
      scheme: judged.scheme,
      headers: parsed.headers,
      endStream: parsed.body === 'none' || isRaw,
    };
    const stream = new Http1ServerStream(this, head, { isRaw, isHttp10: !parsed.isHttp11 && this.acceptsHttp10 });
    this.current = stream;
    this.dispatching = true;
    this.listener.onStream(stream);
    this.dispatching = false;
    return undefined;
  }

  onHeadError(error: CodecError): void {
    this.refuse(codecError(error));
  }

  onData(chunk: Buffer): void {
    const { current } = this;
    if (current === undefined) return;
    current.incoming.push(chunk);
    if (current.incoming.waiting > READ_AHEAD) this.pause();
  }

  onEnd(): void {
    const { current } = this;
    if (current === undefined) return;
    current.requestComplete = true;
    current.incoming.end();
  }

  /** Answered as long as no response has begun (spec dataplane.md §3.3). A turn later: Envoy has the head upstream by then. */
  onBodyError(error: CodecError): void {
    const stream = this.current;
    setImmediate(() => {
      if (stream === undefined || this.current !== stream || this.over) return;
      this.current = undefined;
      const refusal = codecError(error);
      const isOpen = !stream.hasResponded;
      const headers = new HeaderMap();
      stream.fail({
        kind: 'protocol',
        details: refusal.details,
        ...(isOpen ? { status: refusal.status, bodyBytes: String(refusal.body).length, answerHeaders: headers } : {}),
      });
      if (isOpen) this.sendReply(refusal, headers);
      this.flush();
      this.delayedClose();
    });
  }

  // From the stream.

  send(piece: string | Uint8Array): void {
    if (this.over) return;
    this.out.push(piece);
    this.outBytes += piece.length;
    this.flushAtEndOfTurn();
  }

  mustWait(): boolean {
    if (!this.blocked && this.outBytes < JOIN_LIMIT) return false;
    this.wantsDrain = true;
    return true;
  }

  onBodySpace(): void {
    this.resume();
  }

  finished(stream: Http1ServerStream): void {
    if (this.current !== stream) return;
    this.current = undefined;
    this.queuedResponses++;
    // What the client has not been read to the end of, or is answered while its head is read, is given a second to end.
    const isCut = !stream.requestComplete || stream.isRaw;
    const ends = stream.closesConnection || isCut;
    if (ends) {
      this.stopReading();
      this.flush();
      if (isCut || this.dispatching || stream.lingers) this.delayedClose();
      else this.transport.finish();
    }
    stream.tellFinished();
    if (ends || this.over) return;
    if (this.reading) {
      this.parser.next(); // goes on where it is reading
      return;
    }
    // At the end of this turn, when the upstream's connection is free again, and before what is to be written leaves.
    this.readsOn = true;
    this.flushAtEndOfTurn();
  }

  abandoned(stream: Http1ServerStream): void {
    if (this.current !== stream) return;
    this.current = undefined;
    this.flush();
    this.delayedClose();
  }

  tunnelDestroy(): void {
    this.current = undefined;
    this.stopReading();
    this.flush();
    this.transport.finish();
  }

  endTurn(): void {
    this.flushes = false;
    if (this.readsOn && !this.over) {
      this.readsOn = false;
      this.reading = true;
      this.parser.next();
      this.reading = false;
      if (this.parser.waitingBytes <= PIPELINED) this.resume();
    }
    this.flush();
  }

  private flushAtEndOfTurn(): void {
    if (this.flushes || this.reading) return;
    this.flushes = true;
    process.nextTick(endTurn, this);
  }

  /** Everything gathered, in one write. */
  private flush(): void {
    const { out } = this;
    if (out.length === 0 || this.over) return;
    const bytes = this.outBytes;
    this.out = [];
    this.outBytes = 0;
    const more = bytes <= JOIN_LIMIT ? this.transport.write(join(out, bytes)) : this.transport.writeAll(out);
    this.blocked = !more;
    if (!more) return;
    this.queuedResponses = 0;
    this.tellDrained();
  }

  private tellDrained(): void {
    if (!this.wantsDrain) return;
    this.wantsDrain = false;
    this.current?.drained();
  }

  /** The client is gone. */
  private lose(): void {
    const { current } = this;
    if (current !== undefined) {
      this.current = undefined;
      this.closing = true;
      current.fail({ kind: 'disconnect', details: 'downstream_remote_disconnect' });
    } else if (this.parser.isInMessage && !this.closing) {
      this.listener.onRefused({ status: 0, details: 'downstream_remote_disconnect', flag: 'DC', bodyBytes: 0 });
    }
    this.stopReading();
  }

  private refuse(reply: LocalReply): void {
    this.stopReading();
    const bodyBytes = this.sendReply(reply);
    this.listener.onRefused({ status: reply.status, details: reply.details, flag: codecFlag(reply), bodyBytes });
    this.delayedClose();
  }

  /** Envoy's reply of the codec: the reason phrase as body, and the connection ends (spec dataplane.md §3.3). */
  private sendReply(reply: LocalReply, headers: HeaderMap = new HeaderMap()): number {
    const { environment, manager } = this.settings;
    const body = String(reply.body);
    headers.set('content-length', String(body.length));
    if (!headers.has('content-type')) headers.append('content-type', 'text/plain');
    finishResponseHeaders(headers, httpDate(environment.now()), manager, true);
    this.send(renderResponseHead(reply.status, headers.raw) + body);
    return body.length;
  }

  private stopReading(): void {
    this.closing = true;
    this.headersTimer?.cancel();
    this.parser.stop();
  }

  /** Reads and drops what still comes, and closes after a second or with the client's FIN (spec dataplane.md §3.10). */
  private delayedClose(): void {
    this.stopReading();
    if (this.over || this.closeTimer !== undefined) return;
    this.resume();
    this.closeTimer = this.settings.environment.setTimer(DELAYED_CLOSE, () => this.transport.finish());
  }

  private pause(): void {
    if (this.paused) return;
    this.paused = true;
    this.transport.pause();
  }

  private resume(): void {
    if (!this.paused) return;
    this.paused = false;
    this.transport.resume();
  }
}

function endTurn(connection: Http1ServerConnection): void {
  connection.endTurn();
}

function codecFlag(reply: LocalReply): 'DPE' | undefined {
  return reply.flag === undefined ? undefined : 'DPE';
}

/** One piece of several. */
function join(pieces: readonly (string | Uint8Array)[], bytes: number): string | Uint8Array {
  if (pieces.length === 1) return pieces[0] as string | Uint8Array;
  const joined = Buffer.allocUnsafe(bytes);
  let at = 0;
  for (const piece of pieces) {
    if (typeof piece === 'string') joined.write(piece, at, 'latin1');
    else joined.set(piece, at);
    at += piece.length;
  }
  return joined;
}
