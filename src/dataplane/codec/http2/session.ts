// The reading half of a connection: which frame may come when, what breaks a stream and what the connection, and whether
// that is said (GOAWAY) or not (spec dataplane.md §3.9). Envoy's answers follow from the library below it, nghttp2: what
// the library reports to Envoy ends the connection without a word, what it decides by itself is told with GOAWAY.
import { DEFAULT_MAX_FRAME_SIZE, DEFAULT_WINDOW, ERROR, FLAG, FRAME, MAX_WINDOW, SETTING } from './constants.js';
import { FrameReader, type FrameSink, type FrameVerdict } from './frame-reader.js';
import { type HeaderSink, HpackDecoder } from './hpack-decoder.js';
import type { HeaderField } from './hpack-table.js';
import type { SessionStream } from './session-stream.js';
import { type SessionOptions, SessionWriter } from './session-writer.js';

/** What ended a connection, in the words of the library (spec dataplane.md §3.9: `codec_error:…`). */
export const CALLBACK_FAILURE = 'The user callback function failed';
const TOO_MANY_CONTINUATIONS = 'Too many CONTINUATION frames following a HEADER frame';
const UNKNOWN_ERROR = 'http2.unknown.nghttp2.error';
export const INVALID_FIELD = 'http2.invalid.header.field';
export const INVALID_MESSAGE = 'http2.violation.of.messaging.rule';
export const REMOTE_RESET = 'http2.remote_reset';

const TABLE_SIZE = 4096;
/** As Envoy 1.40 sets it (measured: 512 are read, 513 are not). */
const MAX_CONTINUATIONS = 512;
const MAX_SETTINGS = 32;

/** What becomes of a header block. */
export type BlockVerdict = 'read' | 'ignore' | 'stop';

export abstract class Http2Session extends SessionWriter implements FrameSink, HeaderSink {
  protected readonly reader: FrameReader;
  /** Flags of the HEADERS frame whose block is being read. */
  protected blockFlags = 0;
  protected blockStreamId = 0;
  /** The peer has confirmed our SETTINGS: what they allow can be insisted on. */
  protected settingsConfirmed = false;
  private readonly decoder: HpackDecoder = new HpackDecoder(TABLE_SIZE);
  private readonly isServer: boolean;
  private firstFrame = true;
  /** A block is not complete; only CONTINUATION may come. */
  private inBlock = false;
  private blockWanted = false;
  private continuations = 0;
  private settingsPending = 1;
  /** Of the DATA frame that is being read. */
  private dataStream: SessionStream | undefined = undefined;
  private goawayLast: number = MAX_WINDOW;

  constructor(isServer: boolean, options: SessionOptions, requestFlush: () => void) {
    super(options, requestFlush);
    this.isServer = isServer;
    this.reader = new FrameReader(this);
  }

  /** Bytes from the peer. When `dead` is set afterwards, `onDead` has been called. */
  push(chunk: Buffer): void {
    if (this.dead || this.isOver) return;
    const flood = this.limits.checkOutbound();
    if (flood !== undefined) {
      this.fail(flood);
      return;
    }
    this.reader.push(chunk);
  }

  // ---- what the roles differ in

  /** A HEADERS frame has come; `dependsOn` -1 = without priority. Its block is read through `onField`, or only for the table's sake. */
  protected abstract beginBlock(streamId: number, dependsOn: number): BlockVerdict;
  abstract onField(field: HeaderField): boolean;
  /** The block is complete and was read. */
  protected abstract endBlock(): void;
  /** Ids of which the peer is the one who opens streams, and the highest that it has opened; of ours likewise. */
  protected abstract isIdle(streamId: number): boolean;
  protected abstract onPeerSettings(): void;
  protected abstract onGoaway(code: number, lastStreamId: number): void;
  protected abstract onPingAck(): void;
  /** Any frame but the answer to a PING. */
  protected abstract onAnyFrame(): void;
  /** The connection has been given up; `text` says why in the library's words. Streams are still there. */
  protected abstract onDead(text: string): void;

  // ---- giving up

  /** Nothing is said, and what waited is not sent either. */
  protected fail(text: string): void {
    if (this.dead) return;
    this.preface.clear();
    this.urgent.clear();
    this.regular.clear();
    this.die(text);
  }

  /** A fault that the library reports to Envoy before it says anything: nothing is said. */
  protected failFrame(details: string = UNKNOWN_ERROR, streamId: number = this.reader.streamId): void {
    const stream = this.streams.get(streamId);
    if (stream !== undefined && stream.details === '') stream.details = details;
    this.fail(CALLBACK_FAILURE);
  }

  /** GOAWAY with a code and a text; nothing else of what waited is sent. */
  protected terminate(code: number, text: string): void {
    if (this.dead) return;
    this.urgent.clear();
    this.regular.clear();
    this.regular.goaway(this.lastProcessed, code, text);
    this.die(CALLBACK_FAILURE);
    this.wantFlush();
  }

  /** A fault of one stream that the library sees by itself: RST_STREAM, and the stream is told. */
  protected resetByCodec(stream: SessionStream, code: number, details: string): void {
    if (stream.closed) return;
    if (stream.details === '') stream.details = details;
    this.writeReset(stream.id, code);
    this.endStream(stream, { by: 'local', code, details: stream.details });
  }

  private die(text: string): void {
    this.dead = true;
    this.reader.stop();
    this.onDead(text);
  }

  // ---- frames

  onFrameHeader(): FrameVerdict {
    const { reader } = this;
    const { type, flags, length, streamId } = reader;
    if (this.inBlock) return this.onContinuationHeader();
    if (this.firstFrame) {
      if (type !== FRAME.SETTINGS || (flags & FLAG.ACK) !== 0) {
        this.terminate(ERROR.PROTOCOL_ERROR, 'SETTINGS expected');
        return 'stop';
      }
      this.firstFrame = false;
    }
    if (length > DEFAULT_MAX_FRAME_SIZE) {
      this.terminate(ERROR.FRAME_SIZE_ERROR, 'too large frame size');
      return 'stop';
    }
    const verdict = this.judgeHeader(type, flags, length, streamId);
    if (verdict === 'stop' || verdict === 'skip') return verdict;
    if (type !== FRAME.PING || (flags & FLAG.ACK) === 0) this.onAnyFrame();
    if (type !== FRAME.HEADERS && type !== FRAME.DATA && !this.track(type, flags, length)) return 'stop';
    return verdict;
  }

  private judgeHeader(type: number, flags: number, length: number, streamId: number): FrameVerdict {
    switch (type) {
      case FRAME.DATA:
        return this.onDataHeader(flags, length, streamId);
      case FRAME.HEADERS:
        if ((flags & FLAG.PADDED) !== 0 && length < 1) {
          this.terminate(ERROR.PROTOCOL_ERROR, 'HEADERS: insufficient padding space');
          return 'stop';
        }
        return (flags & FLAG.PADDED) === 0 && (flags & FLAG.PRIORITY) !== 0 && length < 5 ? this.badSize() : 'read';
      case FRAME.PRIORITY:
        return length === 5 ? 'read' : this.badSize();
      case FRAME.RST_STREAM:
      case FRAME.WINDOW_UPDATE:
        return length === 4 ? 'read' : this.badSize();
      case FRAME.SETTINGS:
        if (length % 6 !== 0 || ((flags & FLAG.ACK) !== 0 && length > 0)) return this.badSize();
        if (length > MAX_SETTINGS * 6) {
          this.terminate(ERROR.ENHANCE_YOUR_CALM, 'SETTINGS: too many setting entries');
          return 'stop';
        }
        return 'read';
      case FRAME.PING:
        return length === 8 ? 'read' : this.badSize();
      case FRAME.GOAWAY:
        return length >= 8 ? 'read' : this.badSize();
      case FRAME.PUSH_PROMISE:
        if ((flags & FLAG.PADDED) !== 0 && length < 1) {
          this.terminate(ERROR.PROTOCOL_ERROR, 'PUSH_PROMISE: insufficient padding space');
          return 'stop';
        }
        return length < 4 ? this.badSize() : 'read';
      case FRAME.CONTINUATION:
        this.terminate(ERROR.PROTOCOL_ERROR, 'CONTINUATION: unexpected');
        return 'stop';
      default:
        return 'skip'; // unknown types are ignored, floods of them too (as with Envoy)
    }
  }

  private badSize(): FrameVerdict {
    this.terminate(ERROR.FRAME_SIZE_ERROR, '');
    return 'stop';
  }

  private onContinuationHeader(): FrameVerdict {
    const { type, streamId, length, flags } = this.reader;
    if (++this.continuations > MAX_CONTINUATIONS) {
      this.fail(TOO_MANY_CONTINUATIONS);
      return 'stop';
    }
    if (type !== FRAME.CONTINUATION || streamId !== this.blockStreamId) {
      this.terminate(ERROR.PROTOCOL_ERROR, 'unexpected non-CONTINUATION frame or stream_id is invalid');
      return 'stop';
    }
    if (length > DEFAULT_MAX_FRAME_SIZE) {
      this.terminate(ERROR.FRAME_SIZE_ERROR, 'too large frame size');
      return 'stop';
    }
    if (this.blockWanted) {
      this.onAnyFrame();
      if (!this.track(type, flags, length)) return 'stop';
    }
    return 'read';
  }

  /** Counts a frame; false when that was one too many. */
  private track(type: number, flags: number, length: number): boolean {
    const flood = this.limits.received(type, flags, length);
    if (flood === undefined) return true;
    const stream = this.streams.get(this.reader.streamId);
    if (stream !== undefined && flood.includes('empty payload')) stream.details = 'http2.inbound_empty_frames_flood';
    this.fail(flood);
    return false;
  }

  onFrame(payload: Buffer): void {
    const { type, flags, streamId } = this.reader;
    switch (type) {
      case FRAME.HEADERS:
        this.onHeadersFrame(payload, flags);
        return;
      case FRAME.CONTINUATION:
        this.readFragment(payload, (flags & FLAG.END_HEADERS) !== 0);
        return;
      case FRAME.PRIORITY:
        return; // ignored, whatever it says (spec dataplane.md §3.9)
      case FRAME.RST_STREAM:
        this.onResetFrame(streamId, payload.readUInt32BE(0));
        return;
      case FRAME.SETTINGS:
        this.onSettingsFrame(payload, flags, streamId);
        return;
      case FRAME.PUSH_PROMISE:
        this.failFrame(); // nobody may push to us: clients never, upstreams are told so
        return;
      case FRAME.PING:
        this.onPingFrame(payload, flags, streamId);
        return;
      case FRAME.GOAWAY:
        this.onGoawayFrame(payload, streamId);
        return;
      case FRAME.WINDOW_UPDATE:
        this.onWindowUpdateFrame(streamId, payload.readUInt32BE(0) & 0x7fffffff);
        return;
    }
  }

  // ---- heads and trailers

  private onHeadersFrame(payload: Buffer, flags: number): void {
    let from = 0;
    let to = payload.length;
    const priority = (flags & FLAG.PRIORITY) === 0 ? 0 : 5;
    if ((flags & FLAG.PADDED) !== 0) {
      const padding = payload[0] as number;
      from = 1;
      if (padding + priority > to - 1) {
        this.terminate(ERROR.PROTOCOL_ERROR, 'HEADERS: invalid padding');
        return;
      }
      to -= padding;
    }
    const dependsOn = priority === 0 ? -1 : payload.readUInt32BE(from) & 0x7fffffff;
    from += priority;
    const { streamId } = this.reader;
    this.blockFlags = flags;
    this.blockStreamId = streamId;
    this.continuations = 0;
    const verdict = this.beginBlock(streamId, dependsOn);
    if (this.dead || verdict === 'stop') return;
    this.blockWanted = verdict === 'read';
    const padding = (flags & FLAG.PADDED) === 0 ? 0 : (payload[0] as number) + 1;
    if (this.blockWanted && !this.track(FRAME.HEADERS, flags, payload.length - padding)) return;
    this.inBlock = true;
    this.readFragment(payload.subarray(from, to), (flags & FLAG.END_HEADERS) !== 0);
  }

  private readFragment(fragment: Buffer, isLast: boolean): void {
    const isLegal = this.decoder.push(fragment, isLast, this.blockWanted ? this : undefined);
    if (this.dead) return;
    if (!isLegal) {
      this.terminate(ERROR.COMPRESSION_ERROR, '');
      return;
    }
    if (!isLast) return;
    this.inBlock = false;
    if (this.blockWanted) this.endBlock();
  }

  /** A head or trailers in the middle of their block, for whoever gives up now. */
  protected get isInBlock(): boolean {
    return this.inBlock;
  }

  // ---- DATA

  private onDataHeader(flags: number, length: number, streamId: number): FrameVerdict {
    this.dataStream = undefined;
    if (streamId === 0) {
      this.terminate(ERROR.PROTOCOL_ERROR, 'DATA: stream_id == 0');
      return 'stop';
    }
    if (this.isIdle(streamId)) {
      this.terminate(ERROR.PROTOCOL_ERROR, 'DATA: stream in idle');
      return 'stop';
    }
    const stream = this.streams.get(streamId);
    if (stream === undefined) return 'skip';
    if (stream.remoteEnded) {
      this.terminate(ERROR.STREAM_CLOSED, 'DATA: stream in half-closed(remote)');
      return 'stop';
    }
    if (!this.mayCarryData(stream)) {
      this.terminate(ERROR.PROTOCOL_ERROR, 'DATA: stream not opened');
      return 'stop';
    }
    if ((flags & FLAG.PADDED) !== 0 && length < 1) {
      this.terminate(ERROR.PROTOCOL_ERROR, 'DATA: insufficient padding space');
      return 'stop';
    }
    this.dataStream = stream;
    return 'data';
  }

  /** A response's body cannot come before its head. */
  protected abstract mayCarryData(stream: SessionStream): boolean;

  onBadPadding(): void {
    this.terminate(ERROR.PROTOCOL_ERROR, 'DATA: invalid padding');
  }

  onPadding(bytes: number): void {
    if (!this.receiveOnConnection(bytes)) {
      this.terminate(ERROR.FLOW_CONTROL_ERROR, '');
      return;
    }
    const stream = this.dataStream;
    if (stream === undefined || stream.closed) {
      this.consumeConnection(bytes);
      return;
    }
    stream.received += bytes;
    this.consume(stream, bytes);
  }

  onData(chunk: Buffer): void {
    const bytes = chunk.length;
    if (!this.receiveOnConnection(bytes)) {
      this.terminate(ERROR.FLOW_CONTROL_ERROR, '');
      return;
    }
    const stream = this.dataStream;
    if (stream === undefined || stream.closed) {
      this.consumeConnection(bytes);
      return;
    }
    stream.received += bytes;
    stream.bodyBytes += bytes;
    if (stream.received > stream.receiveWindow) {
      this.consumeConnection(bytes);
      this.resetByCodec(stream, ERROR.FLOW_CONTROL_ERROR, REMOTE_RESET);
    } else if (stream.contentLength !== -1 && stream.bodyBytes > stream.contentLength) {
      this.consumeConnection(bytes);
      this.resetByCodec(stream, ERROR.PROTOCOL_ERROR, REMOTE_RESET);
    } else if (stream.onData(chunk)) {
      this.consume(stream, bytes);
    } else if (stream.closed) {
      this.consumeConnection(bytes);
    } else {
      stream.unconsumed += bytes;
    }
  }

  onDataEnd(): void {
    const stream = this.dataStream;
    if (stream === undefined || stream.closed) return;
    const { flags, length } = this.reader;
    const isEnd = (flags & FLAG.END_STREAM) !== 0;
    if (isEnd && stream.contentLength !== -1 && stream.contentLength !== stream.bodyBytes) {
      this.resetByCodec(stream, ERROR.PROTOCOL_ERROR, REMOTE_RESET);
      return;
    }
    if (!this.track(FRAME.DATA, flags, length - this.reader.paddingBytes)) return;
    if (isEnd) this.remoteEnd(stream);
  }

  /** The peer's half is complete; the stream is told, and gone if ours is too. */
  protected remoteEnd(stream: SessionStream): void {
    stream.remoteEnded = true;
    stream.onRemoteEnd();
    this.closeIfDone(stream);
  }

  // ---- everything else

  private onResetFrame(streamId: number, code: number): void {
    if (streamId === 0 || this.isIdle(streamId)) {
      this.failFrame();
      return;
    }
    const stream = this.streams.get(streamId);
    if (stream === undefined) return;
    this.endStream(stream, { by: 'peer', code, details: stream.details });
    this.onResetReceived();
  }

  /** The peer has reset a stream; servers count that. */
  protected abstract onResetReceived(): void;

  private onSettingsFrame(payload: Buffer, flags: number, streamId: number): void {
    if (streamId !== 0) {
      this.failFrame();
      return;
    }
    if ((flags & FLAG.ACK) !== 0) {
      if (this.settingsPending === 0) {
        this.failFrame();
        return;
      }
      this.settingsPending--;
      this.settingsConfirmed = true;
      for (const stream of this.streams.values()) {
        stream.receiveWindow += this.options.streamWindow - DEFAULT_WINDOW;
      }
      return;
    }
    if (!this.applySettings(payload)) return;
    if (!this.isOver) {
      this.urgent.frameHeader(0, FRAME.SETTINGS, FLAG.ACK, 0);
      this.limits.outboundFrames++;
      this.limits.outboundControlFrames++;
      this.wantFlush();
    }
    this.onPeerSettings();
  }

  /** SETTINGS_MAX_CONCURRENT_STREAMS of the peer. */
  protected peerMaxStreams: number = Number.POSITIVE_INFINITY;

  private applySettings(payload: Buffer): boolean {
    for (let at = 0; at < payload.length; at += 6) {
      const value = payload.readUInt32BE(at + 2);
      switch (payload.readUInt16BE(at)) {
        case SETTING.HEADER_TABLE_SIZE:
          this.encoder.setMaxTableSize(value);
          break;
        case SETTING.ENABLE_PUSH:
          if (value > 1 || (!this.isServer && value !== 0)) return this.badSetting();
          break;
        case SETTING.ENABLE_CONNECT_PROTOCOL:
        case SETTING.NO_RFC7540_PRIORITIES:
          if (value > 1) return this.badSetting();
          break;
        case SETTING.MAX_CONCURRENT_STREAMS:
          this.peerMaxStreams = value;
          break;
        case SETTING.INITIAL_WINDOW_SIZE:
          if (value > MAX_WINDOW || !this.resizeWindows(value)) return this.badSetting();
          break;
        case SETTING.MAX_FRAME_SIZE:
          if (value < DEFAULT_MAX_FRAME_SIZE || value > 0xffffff) return this.badSetting();
          // Larger frames gain nothing, and hold other streams up.
          this.peerMaxFrameSize = DEFAULT_MAX_FRAME_SIZE;
          break;
      }
    }
    return true;
  }

  private badSetting(): boolean {
    this.failFrame();
    return false;
  }

  private resizeWindows(size: number): boolean {
    const change = size - this.peerInitialWindow;
    this.peerInitialWindow = size;
    for (const stream of this.streams.values()) {
      stream.sendWindow += change;
      if (stream.sendWindow > MAX_WINDOW) return false;
      if (stream.sendWindow > 0) this.windowOpened(stream);
    }
    return true;
  }

  private onPingFrame(payload: Buffer, flags: number, streamId: number): void {
    if (streamId !== 0) {
      this.failFrame();
      return;
    }
    if ((flags & FLAG.ACK) !== 0) {
      this.onPingAck();
      return;
    }
    if (this.isOver && this.urgent.bytes === 0) return;
    this.urgent.frameHeader(8, FRAME.PING, FLAG.ACK, 0);
    this.urgent.payload(payload);
    this.limits.outboundFrames++;
    this.limits.outboundControlFrames++;
    this.wantFlush();
  }

  private onGoawayFrame(payload: Buffer, streamId: number): void {
    const last = payload.readUInt32BE(0) & 0x7fffffff;
    // Of streams that we have opened, and never more than before.
    if (streamId !== 0 || (last > 0 && (last & 1) === (this.isServer ? 1 : 0)) || last > this.goawayLast) {
      this.failFrame();
      return;
    }
    this.goawayReceived = true;
    this.goawayLast = last;
    this.onGoaway(payload.readUInt32BE(4), last);
  }

  private onWindowUpdateFrame(streamId: number, increment: number): void {
    if (streamId === 0) {
      if (increment === 0 || this.sendWindow + increment > MAX_WINDOW) {
        this.failFrame();
        return;
      }
      this.sendWindow += increment;
      this.windowOpened(undefined);
      return;
    }
    if (this.isIdle(streamId)) {
      this.failFrame();
      return;
    }
    const stream = this.streams.get(streamId);
    if (stream === undefined) return;
    if (increment === 0 || stream.sendWindow + increment > MAX_WINDOW) {
      this.failFrame();
      return;
    }
    stream.sendWindow += increment;
    if (stream.sendWindow > 0) this.windowOpened(stream);
  }
}
