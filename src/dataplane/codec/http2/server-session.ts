// A client's connection: requests in, responses out. Reads heads and trailers and judges them as Envoy does (spec
// dataplane.md §3.9).
import type { HttpConnectionManager } from '../../../xds/index.js';
import type { RequestHead } from '../stream.js';
import { DEFAULT_WINDOW, ERROR, FLAG, FRAME, PREFACE, SETTING } from './constants.js';
import { isCompleteRequest, RULE, ruleOf } from './header-rules.js';
import type { HeaderField } from './hpack-table.js';
import { type BlockVerdict, Http2Session, INVALID_FIELD, INVALID_MESSAGE } from './session.js';
import type { SessionStream } from './session-stream.js';
import type { SessionOptions } from './session-writer.js';

/** Pseudo headers and cookie crumbs count. */
const MAX_HEADERS = 100;
const MAX_HEADER_BYTES = 60 * 1024;
/** Resets that a client may send at once, and each second (the library's own limit). */
const RESET_BURST = 1000;
const RESET_RATE = 33;

const BAD_PREFACE = 'Received bad client magic byte string';

/** The connection around it. */
export interface ServerSessionOwner {
  /** Milliseconds; only differences count. */
  now(): number;
  requestFlush(): void;
  /** A request: makes its stream. `onRequest` follows once it is in its place. */
  createStream(id: number, sendWindow: number, head: RequestHead): SessionStream;
  onRequest(stream: SessionStream): void;
  /** A request that was refused before it was one. */
  onRefused(details: string, flag: 'DPE' | 'DR'): void;
  /** The connection is to be closed; streams are still there. */
  onDead(text: string): void;
}

type UnderscoreAction = NonNullable<
  HttpConnectionManager['common_http_protocol_options']
>['headers_with_underscores_action'];

export class ServerSession extends Http2Session {
  /** The highest id that the client has used, and the highest that became a stream. */
  private lastReceived = 0;
  protected lastProcessed = 0;
  private readonly owner: ServerSessionOwner;
  private readonly underscores: UnderscoreAction;
  private prefaceSeen = 0;
  private resetsLeft: number = RESET_BURST;
  private resetsAt: number;
  // The block that is being read: a head, or trailers of `trailersOf`.
  private inHead = false;
  private trailersOf: SessionStream | undefined = undefined;
  private method: string | undefined = undefined;
  private scheme: string | undefined = undefined;
  private path: string | undefined = undefined;
  /** `:authority`, or Host where there is none. */
  private authority: string | undefined = undefined;
  private authoritySeen = false;
  private hostSeen = false;
  private cookie: string | undefined = undefined;
  private contentLength = -1;
  private pairs: string[] = [];
  private regularSeen = false;
  private count = 0;
  private bytes = 0;
  /** Set when the block costs its stream. */
  private refusal = '';

  constructor(options: SessionOptions, underscores: UnderscoreAction, owner: ServerSessionOwner) {
    super(true, options, () => owner.requestFlush());
    this.owner = owner;
    this.underscores = underscores;
    this.resetsAt = owner.now();
    this.preface.frameHeader(24, FRAME.SETTINGS, 0, 0);
    this.setting(SETTING.HEADER_TABLE_SIZE, 4096);
    this.setting(SETTING.ENABLE_CONNECT_PROTOCOL, 0);
    this.setting(SETTING.MAX_CONCURRENT_STREAMS, options.maxConcurrentStreams);
    this.setting(SETTING.INITIAL_WINDOW_SIZE, options.streamWindow);
  }

  override push(chunk: Buffer): void {
    if (this.prefaceSeen === PREFACE.length) {
      super.push(chunk);
      return;
    }
    if (this.dead) return;
    const take = Math.min(chunk.length, PREFACE.length - this.prefaceSeen);
    if (chunk.compare(PREFACE, this.prefaceSeen, this.prefaceSeen + take, 0, take) !== 0) {
      this.fail(BAD_PREFACE);
      return;
    }
    this.prefaceSeen += take;
    if (take < chunk.length) super.push(chunk.subarray(take));
  }

  /** The client has gone in the middle of a head. */
  get isInHead(): boolean {
    return this.inHead;
  }

  private setting(id: number, value: number): void {
    this.preface.reserve(6);
    this.preface.buffer.writeUInt16BE(id, this.preface.place);
    this.preface.buffer.writeUInt32BE(value, this.preface.place + 2);
    this.preface.advance(6);
  }

  protected override beginBlock(streamId: number, dependsOn: number): BlockVerdict {
    this.trailersOf = this.streams.get(streamId);
    this.resetBlock();
    if (this.trailersOf !== undefined) {
      if (!this.trailersOf.remoteEnded) return 'read';
      this.failFrame();
      return 'stop';
    }
    if ((streamId & 1) === 0) {
      this.failFrame();
      return 'stop';
    }
    // A closed stream, or one that was skipped: a race that costs nobody anything.
    if (streamId <= this.lastReceived) return 'ignore';
    this.lastReceived = streamId;
    const isFull = this.streams.size >= this.options.maxConcurrentStreams;
    if (isFull && this.settingsConfirmed) {
      this.failFrame();
      return 'stop';
    }
    if (this.goawaySent) return 'ignore';
    if (dependsOn === streamId) {
      this.failFrame();
      return 'stop';
    }
    if (isFull) {
      this.writeReset(streamId, ERROR.REFUSED_STREAM);
      return 'ignore';
    }
    this.lastProcessed = streamId;
    this.inHead = true;
    return 'read';
  }

  override onField(field: HeaderField): boolean {
    const { name, value } = field;
    const rule = ruleOf(field);
    if (rule === RULE.INVALID || !this.accept(rule, value)) {
      this.failBlock(INVALID_FIELD);
      return false;
    }
    if (this.underscores !== undefined && this.underscores !== 'ALLOW' && name.includes('_')) {
      if (this.underscores === 'DROP_HEADER') return true;
      this.refusal = 'http2.unexpected_underscore';
      return false;
    }
    if (rule === RULE.HOST && this.trailersOf === undefined) {
      if (this.authority !== undefined) return true; // `:authority` wins
      this.authority = value;
    } else if (rule === RULE.COOKIE && this.trailersOf === undefined) {
      // Empty crumbs before the first one with text leave nothing, also no header (measured).
      this.cookie = this.cookie === undefined || this.cookie === '' ? value : `${this.cookie}; ${value}`;
    } else if (rule === RULE.REGULAR || rule > RULE.STATUS) {
      this.pairs.push(name, value);
    }
    this.count++;
    this.bytes += name.length + value.length;
    if (this.bytes > MAX_HEADER_BYTES) this.refusal = 'http2.header_list_size_too_large';
    else if (this.count > MAX_HEADERS) this.refusal = 'http2.too_many_headers';
    return this.refusal === '';
  }

  /** False: the line may not stand here, or not twice. */
  private accept(rule: number, value: string): boolean {
    if (rule === RULE.REGULAR || rule === RULE.COOKIE) {
      this.regularSeen = true;
      return true;
    }
    if (rule >= RULE.AUTHORITY && rule <= RULE.STATUS && (this.regularSeen || this.trailersOf !== undefined))
      return false;
    switch (rule) {
      case RULE.AUTHORITY:
        if (this.authoritySeen) return false;
        this.authoritySeen = true;
        this.authority = value;
        return true;
      case RULE.METHOD:
        if (this.method !== undefined) return false;
        this.method = value;
        return true;
      case RULE.PATH:
        if (this.path !== undefined) return false;
        this.path = value;
        return true;
      case RULE.SCHEME:
        if (this.scheme !== undefined) return false;
        this.scheme = value;
        return true;
      case RULE.HOST:
        this.regularSeen = true;
        if (this.trailersOf !== undefined) return true;
        if (this.hostSeen) return false;
        this.hostSeen = true;
        return true;
      case RULE.CONTENT_LENGTH:
        this.regularSeen = true;
        if (this.trailersOf !== undefined) return true;
        if (this.contentLength !== -1) return false;
        this.contentLength = Number(value);
        return true;
      default:
        return false; // :status; :protocol, as extended CONNECT is off
    }
  }

  protected override endBlock(): void {
    const endStream = (this.blockFlags & FLAG.END_STREAM) !== 0;
    const stream = this.trailersOf;
    if (stream !== undefined) {
      this.endTrailers(stream, endStream);
      return;
    }
    this.inHead = false;
    if (this.refusal !== '') {
      this.writeReset(this.blockStreamId, ERROR.INTERNAL_ERROR);
      this.owner.onRefused(this.refusal, 'DR');
      return;
    }
    const isConnect = this.method === 'CONNECT';
    const lacksBody = endStream && this.contentLength > 0 && !isConnect;
    // A Host does not stand in for the authority of CONNECT.
    if (
      lacksBody ||
      (isConnect && !this.authoritySeen) ||
      !isCompleteRequest(this.method, this.scheme, this.path, this.authority)
    ) {
      this.inHead = true;
      this.failBlock(INVALID_MESSAGE);
      return;
    }
    const { pairs } = this;
    if (this.cookie !== undefined && this.cookie !== '') pairs.push('cookie', this.cookie);
    const made = this.owner.createStream(this.blockStreamId, this.peerInitialWindow, {
      protocol: 'HTTP/2',
      method: this.method ?? '',
      authority: this.authority,
      path: this.path,
      scheme: this.scheme,
      headers: pairs,
      endStream,
    });
    made.receiveWindow = this.settingsConfirmed ? this.options.streamWindow : DEFAULT_WINDOW;
    made.contentLength = isConnect ? -1 : this.contentLength;
    made.remoteEnded = endStream;
    this.pairs = [];
    this.streams.add(made);
    this.limits.streamOpened();
    this.owner.onRequest(made);
  }

  private endTrailers(stream: SessionStream, endStream: boolean): void {
    if (this.refusal !== '') {
      this.resetByCodec(stream, ERROR.INTERNAL_ERROR, this.refusal);
      return;
    }
    const isShort = stream.contentLength !== -1 && stream.contentLength !== stream.bodyBytes;
    if (!endStream || isShort) {
      this.failFrame(INVALID_MESSAGE, stream.id);
      return;
    }
    const trailers = this.pairs;
    this.pairs = [];
    stream.onTrailers(trailers);
    this.remoteEnd(stream);
  }

  /** The block breaks the rules, and with it the connection. */
  private failBlock(details: string): void {
    const stream = this.trailersOf;
    if (stream !== undefined) {
      this.failFrame(details, stream.id);
      return;
    }
    this.inHead = false;
    this.owner.onRefused(details, 'DPE');
    this.failFrame(details);
  }

  private resetBlock(): void {
    this.method = undefined;
    this.scheme = undefined;
    this.path = undefined;
    this.authority = undefined;
    this.authoritySeen = false;
    this.hostSeen = false;
    this.cookie = undefined;
    this.contentLength = -1;
    if (this.pairs.length > 0) this.pairs = [];
    this.regularSeen = false;
    this.count = 0;
    this.bytes = 0;
    this.refusal = '';
  }

  protected override isIdle(streamId: number): boolean {
    return (streamId & 1) === 0 || streamId > this.lastReceived;
  }

  protected override mayCarryData(): boolean {
    return true;
  }

  protected override afterEndSent(stream: SessionStream): void {
    this.writeReset(stream.id, ERROR.NO_ERROR);
    this.forget(stream);
  }

  protected override onResetReceived(): void {
    const now = this.owner.now();
    const refill = Math.floor(((now - this.resetsAt) / 1000) * RESET_RATE);
    if (refill > 0) {
      this.resetsLeft = Math.min(RESET_BURST, this.resetsLeft + refill);
      this.resetsAt = now;
    }
    if (--this.resetsLeft < 0) this.terminate(ERROR.INTERNAL_ERROR, '');
  }

  protected override onDead(text: string): void {
    if (this.inHead) {
      this.inHead = false;
      this.owner.onRefused(this.refusal === '' ? `codec_error:${text.replaceAll(' ', '_')}` : this.refusal, 'DPE');
    }
    this.owner.onDead(text);
  }

  protected override onPeerSettings(): void {}

  protected override onGoaway(): void {}

  protected override onPingAck(): void {}

  protected override onAnyFrame(): void {}
}
