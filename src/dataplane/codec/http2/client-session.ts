// An upstream's connection: requests out, responses in, judged as Envoy judges them (spec dataplane.md §5.3; measured
// on Envoy 1.40 with raw frames).
import { ERROR, FLAG, FRAME, PREFACE, SETTING } from './constants.js';
import { RULE, responseRuleOf } from './header-rules.js';
import type { HeaderField } from './hpack-table.js';
import { type BlockVerdict, Http2Session, INVALID_FIELD, INVALID_MESSAGE } from './session.js';
import { SessionStream } from './session-stream.js';
import type { SessionOptions } from './session-writer.js';

/** `:status` counts. */
const MAX_HEADERS = 100;
const MAX_HEADER_BYTES = 60 * 1024;

/** A request of ours. */
export abstract class ClientStream extends SessionStream {
  /** Whether the response can have a body at all. */
  readonly isHead: boolean;
  /** A head has come, be it a 1xx. */
  opened = false;
  /** The final head has come. */
  answered = false;

  constructor(id: number, sendWindow: number, isHead: boolean) {
    super(id, sendWindow);
    this.isHead = isHead;
  }

  /** 1xx included; `endStream` only for a final one. */
  abstract onHead(status: number, headers: string[], endStream: boolean): void;
}

/** The connection around it. */
export interface ClientSessionOwner {
  requestFlush(): void;
  onPeerSettings(): void;
  onPingAck(): void;
  onAnyFrame(): void;
  /** Streams that the peer has not looked at have ended already. */
  onGoaway(): void;
  /** The peer broke the rules; streams are still there. */
  onDead(): void;
}

export class ClientSession extends Http2Session {
  protected readonly lastProcessed = 0;
  private readonly owner: ClientSessionOwner;
  private nextId = 1;
  // The block that is being read.
  private stream: ClientStream | undefined = undefined;
  private status: string | undefined = undefined;
  private length: string | undefined = undefined;
  private pairs: string[] = [];
  private regularSeen = false;
  private count = 0;
  private bytes = 0;
  private tooMuch = false;

  constructor(options: SessionOptions, owner: ClientSessionOwner) {
    super(false, options, () => owner.requestFlush());
    this.owner = owner;
    this.preface.payload(PREFACE);
    this.writeSettings([
      [SETTING.ENABLE_PUSH, 0],
      [SETTING.HEADER_TABLE_SIZE, 4096],
      [SETTING.ENABLE_CONNECT_PROTOCOL, 0],
      [SETTING.MAX_CONCURRENT_STREAMS, options.maxConcurrentStreams],
      [SETTING.INITIAL_WINDOW_SIZE, options.streamWindow],
    ]);
  }

  /** What the peer allows at a time. */
  get maxStreams(): number {
    return this.peerMaxStreams;
  }

  /** The next stream's id, or 0 when there are none left. */
  takeId(): number {
    if (this.nextId > 0x7fffffff) return 0;
    const id = this.nextId;
    this.nextId += 2;
    return id;
  }

  /** Where a new stream's window starts. */
  get initialSendWindow(): number {
    return this.peerInitialWindow;
  }

  /** Puts a stream in its place and writes its head. */
  open(stream: ClientStream, head: readonly string[], headers: readonly string[], endStream: boolean): void {
    if (this.settingsConfirmed) stream.receiveWindow = this.options.streamWindow;
    this.streams.add(stream);
    this.limits.streamOpened();
    this.sendHeaders(stream, head, headers, endStream);
  }

  protected override beginBlock(streamId: number): BlockVerdict {
    this.stream = this.streams.get(streamId) as ClientStream | undefined;
    this.status = undefined;
    this.length = undefined;
    if (this.pairs.length > 0) this.pairs = [];
    this.regularSeen = false;
    this.count = 0;
    this.bytes = 0;
    this.tooMuch = false;
    const { stream } = this;
    if (stream === undefined) {
      if (!this.isIdle(streamId)) return 'ignore';
      this.failFrame();
      return 'stop';
    }
    if (stream.remoteEnded) {
      this.failFrame();
      return 'stop';
    }
    stream.opened = true;
    return 'read';
  }

  override onField(field: HeaderField): boolean {
    const { name, value } = field;
    const rule = responseRuleOf(field);
    const isTrailer = this.stream?.answered === true;
    if (rule === RULE.STATUS) {
      if (this.regularSeen || isTrailer || this.status !== undefined || value === '101')
        return this.failBlock(INVALID_FIELD);
      this.status = value;
    } else if (rule === RULE.INVALID) {
      return this.failBlock(INVALID_FIELD);
    } else {
      this.regularSeen = true;
      if (rule === RULE.CONTENT_LENGTH && !isTrailer) {
        if (this.length !== undefined) return this.failBlock(INVALID_FIELD);
        this.length = value;
        const status = Number(this.status);
        if (status < 200 || (status === 204 && Number(value) !== 0)) return this.failBlock(INVALID_FIELD);
        if (status === 204) return true; // the library drops it
      }
      this.pairs.push(name, value);
    }
    this.count++;
    this.bytes += name.length + value.length;
    this.tooMuch = this.count > MAX_HEADERS || this.bytes > MAX_HEADER_BYTES;
    return !this.tooMuch;
  }

  protected override endBlock(): void {
    const { stream } = this;
    if (stream === undefined || stream.closed) return;
    if (this.tooMuch) {
      this.resetByCodec(stream, ERROR.INTERNAL_ERROR, '');
      return;
    }
    const endStream = (this.blockFlags & FLAG.END_STREAM) !== 0;
    const { pairs } = this;
    this.pairs = [];
    if (stream.answered) {
      if (!endStream || isUnlikeItsLength(stream)) {
        this.failBlock(INVALID_MESSAGE);
        return;
      }
      stream.onTrailers(pairs);
      this.remoteEnd(stream);
      return;
    }
    if (this.status === undefined) {
      this.failBlock(INVALID_MESSAGE);
      return;
    }
    const status = Number(this.status);
    if (status >= 100 && status < 200) {
      if (endStream) this.failBlock(INVALID_MESSAGE);
      else stream.onHead(status, pairs, false);
      return;
    }
    const isBodiless = stream.isHead || status === 204 || status === 304;
    stream.contentLength = isBodiless ? 0 : this.length === undefined ? -1 : Number(this.length);
    if (endStream && isUnlikeItsLength(stream)) {
      this.failBlock(INVALID_MESSAGE);
      return;
    }
    stream.answered = true;
    if (endStream) stream.remoteEnded = true;
    stream.onHead(status, pairs, endStream);
    if (endStream) this.remoteEnd(stream);
  }

  private failBlock(details: string): false {
    this.failFrame(details, this.blockStreamId);
    return false;
  }

  private writeSettings(entries: readonly (readonly [number, number])[]): void {
    const { preface } = this;
    preface.frameHeader(6 * entries.length, FRAME.SETTINGS, 0, 0);
    for (const [id, value] of entries) {
      preface.reserve(6);
      preface.buffer.writeUInt16BE(id, preface.place);
      preface.buffer.writeUInt32BE(value, preface.place + 2);
      preface.advance(6);
    }
  }

  protected override isIdle(streamId: number): boolean {
    // The peer opens no streams; ours count up.
    return (streamId & 1) === 0 || streamId >= this.nextId;
  }

  protected override mayCarryData(stream: SessionStream): boolean {
    return (stream as ClientStream).opened;
  }

  /** Only a 1xx has come: the body belongs to nothing. */
  override onData(chunk: Buffer): void {
    const stream = this.streams.get(this.reader.streamId) as ClientStream | undefined;
    if (stream !== undefined && !stream.answered) stream.contentLength = 0;
    super.onData(chunk);
  }

  override onDataEnd(): void {
    const stream = this.streams.get(this.reader.streamId) as ClientStream | undefined;
    if (stream !== undefined && !stream.answered && (this.reader.flags & FLAG.END_STREAM) !== 0) {
      this.resetByCodec(stream, ERROR.PROTOCOL_ERROR, '');
    } else {
      super.onDataEnd();
    }
  }

  protected override afterEndSent(): void {}

  protected override onResetReceived(): void {}

  protected override onDead(): void {
    this.owner.onDead();
  }

  protected override onPeerSettings(): void {
    this.owner.onPeerSettings();
  }

  protected override onGoaway(_code: number, lastStreamId: number): void {
    for (const stream of this.streams.values()) {
      if (stream.id > lastStreamId) this.endStream(stream, { by: 'goaway', code: ERROR.REFUSED_STREAM, details: '' });
    }
    this.owner.onGoaway();
  }

  protected override onPingAck(): void {
    this.owner.onPingAck();
  }

  protected override onAnyFrame(): void {
    this.owner.onAnyFrame();
  }
}

function isUnlikeItsLength({ contentLength, bodyBytes }: SessionStream): boolean {
  return contentLength !== -1 && contentLength !== bodyBytes;
}
