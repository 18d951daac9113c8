// The writing half of a connection: heads and trailers compressed in the order in which they are sent, DATA cut into frames
// as the windows allow and shared out in turn, control frames in front (spec dataplane.md §3.9). No I/O: `flush` gives the
// bytes of a turn.
import { DEFAULT_MAX_FRAME_SIZE, DEFAULT_WINDOW, ERROR, FLAG, FRAME, FRAME_HEADER_BYTES } from './constants.js';
import { maySend } from './header-rules.js';
import { HpackEncoder, lineBound } from './hpack-encoder.js';
import { InboundLimits } from './inbound-limits.js';
import { OutputBuffer, writeFrameHeader } from './output.js';
import type { SessionStream, StreamEnd } from './session-stream.js';
import { StreamTable } from './stream-table.js';

/** Windows and limits that we announce. */
export interface SessionOptions {
  readonly maxConcurrentStreams: number;
  readonly streamWindow: number;
  readonly connectionWindow: number;
}

/** Bytes of one stream, and of all, that may wait before writers are asked to wait; and where they may go on. */
const STREAM_HIGH = 128 * 1024;
const STREAM_LOW = 32 * 1024;
const SESSION_HIGH = 1024 * 1024;
const SESSION_LOW = 512 * 1024;
/** The most DATA that one turn hands to the socket. */
const FLUSH_BYTES = 256 * 1024;

const NO_TRAILERS: readonly string[] = [];

export abstract class SessionWriter {
  /** Open streams by id. */
  readonly streams: StreamTable<SessionStream> = new StreamTable();
  /** Nothing is read or written any more: the peer broke the rules, or we were told to stop. */
  dead = false;
  protected readonly options: SessionOptions;
  protected readonly encoder: HpackEncoder = new HpackEncoder();
  protected readonly limits: InboundLimits = new InboundLimits();
  /** Our preface: SETTINGS, in front of everything. Sent even by a connection that is given up with GOAWAY. */
  protected readonly preface: OutputBuffer = new OutputBuffer();
  /** PING and the confirmation of SETTINGS go before everything else; the library in Envoy keeps them in a queue of their own. */
  protected readonly urgent: OutputBuffer = new OutputBuffer();
  protected readonly regular: OutputBuffer = new OutputBuffer();
  /** The connection's window for what we send. */
  protected sendWindow: number = DEFAULT_WINDOW;
  /** The peer's SETTINGS. */
  protected peerInitialWindow: number = DEFAULT_WINDOW;
  protected peerMaxFrameSize: number = DEFAULT_MAX_FRAME_SIZE;
  protected goawaySent = false;
  protected goawayReceived = false;
  /** What we take on the connection, what has come of it, what of that has been consumed. */
  private readonly receiveWindow: number;
  private received = 0;
  private consumed = 0;
  private windowUpdate: number;
  /** Streams with DATA, an end or trailers to write. */
  private ready: SessionStream[] = [];
  private draining: SessionStream[] = [];
  /** Streams whose END_STREAM was written since the last flush. */
  private sent: SessionStream[] = [];
  private pending = 0;
  /** The socket takes no more for now. */
  private blocked = false;
  private flushAsked = false;
  private readonly requestFlush: () => void;

  /** `requestFlush` is called once when there is something to write, and again after the next `flush`. */
  constructor(options: SessionOptions, requestFlush: () => void) {
    this.options = options;
    this.requestFlush = requestFlush;
    this.receiveWindow = options.connectionWindow;
    this.windowUpdate = options.connectionWindow - DEFAULT_WINDOW;
  }

  /** Writes a head: `pseudo` and `headers` are flat pairs. */
  sendHeaders(stream: SessionStream, pseudo: readonly string[], headers: readonly string[], endStream: boolean): void {
    if (stream.closed || this.dead) return;
    stream.headSent = true;
    this.writeBlock(stream.id, pseudo, headers, endStream);
    if (endStream) {
      stream.localEnded = true;
      this.ended(stream);
    }
    this.wantFlush();
  }

  /** Adds data; false asks to wait for `onDrain`. */
  sendData(stream: SessionStream, chunk: Uint8Array): boolean {
    if (stream.closed || stream.localEnded || this.dead) return true;
    if (chunk.length > 0) {
      stream.chunks.push(chunk);
      stream.pending += chunk.length;
      this.pending += chunk.length;
      this.makeReady(stream);
    }
    if (stream.pending < STREAM_HIGH && this.pending < SESSION_HIGH) return true;
    if (!stream.wantsDrain) {
      stream.wantsDrain = true;
      this.draining.push(stream);
    }
    return false;
  }

  /** No more data: END_STREAM goes with the last of it, or with the trailers behind it. */
  sendEnd(stream: SessionStream, trailers: readonly string[]): void {
    if (stream.closed || stream.localEnded || this.dead) return;
    stream.localEnded = true;
    stream.pendingTrailers = trailers;
    this.makeReady(stream);
  }

  /**
   * RST_STREAM, behind what the windows let through of the data that waits (Envoy has sent that already). The rest is
   * dropped and nothing more is told of the stream.
   */
  sendReset(stream: SessionStream, code: number): void {
    if (stream.closed || this.dead) return;
    while (stream.pending > 0 && !this.blocked) {
      const room = Math.min(stream.sendWindow, this.sendWindow, this.peerMaxFrameSize);
      if (room <= 0) break;
      this.writeDataFrame(stream, Math.min(stream.pending, room), false);
    }
    this.writeReset(stream.id, code);
    this.forget(stream);
  }

  /** The reader of a stream has taken so many bytes. */
  consume(stream: SessionStream, bytes: number): void {
    if (bytes === 0) return;
    this.consumeConnection(bytes);
    if (stream.closed || stream.remoteEnded || this.dead) return;
    stream.consumed += bytes;
    const give = Math.min(stream.consumed, stream.received);
    if (give * 2 < stream.receiveWindow) return;
    stream.consumed -= give;
    stream.received -= give;
    this.regular.shortFrame(FRAME.WINDOW_UPDATE, stream.id, give);
    this.limits.outboundFrames++;
    this.wantFlush();
  }

  /** GOAWAY that announces the end and still takes new streams. */
  sendShutdownNotice(): void {
    if (this.dead || this.goawaySent) return;
    this.regular.goaway(0x7fffffff, ERROR.NO_ERROR, '');
    this.wantFlush();
  }

  /** GOAWAY: what comes after the streams that are there is ignored. */
  sendGoaway(): void {
    if (this.dead || this.goawaySent) return;
    this.goawaySent = true;
    this.regular.goaway(this.lastProcessed, ERROR.NO_ERROR, '');
    this.wantFlush();
  }

  sendPing(payload: Buffer): void {
    if (this.dead) return;
    this.urgent.frameHeader(8, FRAME.PING, 0, 0);
    this.urgent.payload(payload);
    this.wantFlush();
  }

  /**
   * The bytes of this turn, in order. `isBlocked`: the socket takes no more, so only what cannot wait is given. Streams hear
   * of their end, and of room, in `flushed`.
   */
  flush(into: Buffer[], isBlocked: boolean): void {
    this.flushAsked = false;
    this.blocked = isBlocked;
    if (!isBlocked && !this.dead) this.writeReady();
    if (this.windowUpdate > 0 && !this.dead) {
      // A connection that is over gives no more window (as nghttp2 does).
      if (!this.isOver) this.urgent.shortFrame(FRAME.WINDOW_UPDATE, 0, this.windowUpdate);
      this.windowUpdate = 0;
    }
    if (this.preface.bytes > 0) this.preface.take(into);
    if (this.urgent.bytes > 0) this.urgent.take(into);
    if (this.regular.bytes > 0) this.regular.take(into);
  }

  /** The bytes of `flush` have been handed over. */
  flushed(): void {
    if (this.sent.length > 0) {
      const { sent } = this;
      this.sent = [];
      for (const stream of sent) stream.onSent();
    }
    if (this.draining.length > 0 && this.pending < SESSION_LOW) this.release();
    if (this.ready.length > 0 && !this.blocked && this.sendWindow > 0) this.wantFlush();
  }

  /** The kernel has taken everything that was handed over. */
  drained(): void {
    this.limits.flushed();
    this.blocked = false;
    if (this.ready.length > 0) this.wantFlush();
  }

  /** True when a GOAWAY was sent or received and no stream is left: nothing is read any more. */
  get isOver(): boolean {
    return (this.goawaySent || this.goawayReceived) && this.streams.size === 0;
  }

  /** The peer's last stream that we have looked at. */
  protected abstract readonly lastProcessed: number;

  protected wantFlush(): void {
    if (this.flushAsked) return;
    this.flushAsked = true;
    this.requestFlush();
  }

  /** Counts bytes of DATA, padding included; false when the peer sent more than it may. */
  protected receiveOnConnection(bytes: number): boolean {
    this.received += bytes;
    return this.received <= this.receiveWindow;
  }

  protected consumeConnection(bytes: number): void {
    this.consumed += bytes;
    const give = Math.min(this.consumed, this.received);
    if (give * 2 < this.receiveWindow) return;
    this.consumed -= give;
    this.received -= give;
    this.windowUpdate += give;
    this.limits.outboundFrames++;
    this.wantFlush();
  }

  /** Also for streams that we never opened. */
  protected writeReset(streamId: number, code: number): void {
    this.regular.shortFrame(FRAME.RST_STREAM, streamId, code);
    this.limits.outboundFrames++;
    this.limits.outboundControlFrames++;
    this.wantFlush();
  }

  /** A stream has ended before its time: it is told, and gone. */
  protected endStream(stream: SessionStream, end: StreamEnd): void {
    if (stream.closed) return;
    this.forget(stream);
    stream.onEnded(end);
  }

  /** Both sides have ended. */
  protected closeIfDone(stream: SessionStream): void {
    if (stream.endSent && stream.remoteEnded) this.forget(stream);
  }

  /** A stream has something to write again. */
  protected makeReady(stream: SessionStream): void {
    if (!stream.isReady) {
      stream.isReady = true;
      this.ready.push(stream);
    }
    if (!this.blocked) this.wantFlush();
  }

  /** Something was added to a window. */
  protected windowOpened(stream: SessionStream | undefined): void {
    if (stream === undefined) {
      if (this.ready.length > 0 && !this.blocked) this.wantFlush();
    } else if (stream.pending > 0 || (stream.localEnded && !stream.endSent)) {
      this.makeReady(stream);
    }
  }

  protected forget(stream: SessionStream): void {
    if (stream.closed) return;
    stream.closed = true;
    this.streams.delete(stream.id);
    this.pending -= stream.pending;
    stream.pending = 0;
    stream.chunks.length = 0;
    if (stream.unconsumed > 0) {
      const { unconsumed } = stream;
      stream.unconsumed = 0;
      this.consumeConnection(unconsumed);
    }
  }

  /** A stream's end has been written. A server whose client is not done says that it needs no more (spec §3.4). */
  protected abstract afterEndSent(stream: SessionStream): void;

  private ended(stream: SessionStream): void {
    stream.endSent = true;
    this.sent.push(stream);
    if (stream.remoteEnded) this.forget(stream);
    else this.afterEndSent(stream);
  }

  private release(): void {
    const waiting = this.draining;
    this.draining = [];
    for (const stream of waiting) {
      if (stream.closed) continue;
      if (stream.pending > STREAM_LOW) {
        this.draining.push(stream);
        continue;
      }
      stream.wantsDrain = false;
      stream.onDrain();
    }
  }

  /** One frame of each stream in turn, while the windows and this turn's share last. */
  private writeReady(): void {
    let { ready } = this;
    while (ready.length > 0) {
      const next: SessionStream[] = [];
      for (let i = 0; i < ready.length; i++) {
        const stream = ready[i] as SessionStream;
        if (stream.closed) continue;
        if (this.regular.bytes >= FLUSH_BYTES) {
          next.push(stream);
          continue;
        }
        if (this.writeFrame(stream)) next.push(stream);
      }
      ready = next;
      if (this.regular.bytes >= FLUSH_BYTES || (this.sendWindow <= 0 && ready.every(needsWindow))) break;
    }
    this.ready = ready;
  }

  /** True when the stream has more to write and could go on. */
  private writeFrame(stream: SessionStream): boolean {
    const { pending } = stream;
    if (pending > 0) {
      const room = Math.min(stream.sendWindow, this.sendWindow, this.peerMaxFrameSize);
      if (room <= 0) {
        if (stream.sendWindow > 0) return true; // the connection's window: it keeps its place
        stream.isReady = false;
        return false;
      }
      const length = Math.min(pending, room);
      const last = stream.localEnded && length === pending && stream.pendingTrailers.length === 0;
      this.writeDataFrame(stream, length, last);
      if (last) {
        stream.isReady = false;
        this.ended(stream);
        return false;
      }
      if (stream.pending > 0) return true;
    }
    stream.isReady = false;
    if (!stream.localEnded) return false;
    if (stream.pendingTrailers.length > 0) {
      this.writeBlock(stream.id, NO_TRAILERS, stream.pendingTrailers, true);
    } else {
      this.limits.dataFrameSent();
      this.regular.frameHeader(0, FRAME.DATA, FLAG.END_STREAM, stream.id);
    }
    this.ended(stream);
    return false;
  }

  private writeDataFrame(stream: SessionStream, length: number, last: boolean): void {
    const { regular } = this;
    this.limits.dataFrameSent();
    regular.frameHeader(length, FRAME.DATA, last ? FLAG.END_STREAM : 0, stream.id);
    const { chunks } = stream;
    let left = length;
    let used = 0;
    while (left > 0) {
      const chunk = chunks[used] as Uint8Array;
      const from = stream.chunkAt;
      const size = chunk.length - from;
      if (size <= left) {
        regular.payload(from === 0 ? chunk : chunk.subarray(from));
        left -= size;
        used++;
        stream.chunkAt = 0;
      } else {
        regular.payload(chunk.subarray(from, from + left));
        stream.chunkAt = from + left;
        left = 0;
      }
    }
    if (used === chunks.length) chunks.length = 0;
    else if (used > 0) chunks.splice(0, used);
    stream.pending -= length;
    stream.sendWindow -= length;
    this.sendWindow -= length;
    this.pending -= length;
  }

  /** HEADERS, and CONTINUATION where the block is longer than a frame. */
  private writeBlock(
    streamId: number,
    pseudo: readonly string[],
    headers: readonly string[],
    endStream: boolean,
  ): void {
    const { regular, encoder } = this;
    let bound = FRAME_HEADER_BYTES + 12;
    for (let i = 0; i < pseudo.length; i += 2) bound += lineBound(pseudo[i] as string, pseudo[i + 1] as string);
    for (let i = 0; i < headers.length; i += 2) bound += lineBound(headers[i] as string, headers[i + 1] as string);
    regular.reserve(bound);
    const out = regular.buffer;
    const start = regular.place;
    const from = start + FRAME_HEADER_BYTES;
    let at = encoder.beginBlock(out, from);
    for (let i = 0; i < pseudo.length; i += 2) {
      at = encoder.write(pseudo[i] as string, pseudo[i + 1] as string, out, at);
    }
    for (let i = 0; i < headers.length; i += 2) {
      const name = headers[i] as string;
      const value = headers[i + 1] as string;
      if (maySend(name, value)) at = encoder.write(name, value, out, at);
    }
    this.limits.outboundFrames++;
    const flags = endStream ? FLAG.END_STREAM : 0;
    const length = at - from;
    if (length <= this.peerMaxFrameSize) {
      writeFrameHeader(out, start, length, FRAME.HEADERS, flags | FLAG.END_HEADERS, streamId);
      regular.advance(FRAME_HEADER_BYTES + length);
      return;
    }
    const block = Buffer.from(out.subarray(from, at));
    for (let sent = 0; sent < length; sent += this.peerMaxFrameSize) {
      const part = block.subarray(sent, sent + this.peerMaxFrameSize);
      const isLast = sent + part.length === length;
      regular.frameHeader(
        part.length,
        sent === 0 ? FRAME.HEADERS : FRAME.CONTINUATION,
        (sent === 0 ? flags : 0) | (isLast ? FLAG.END_HEADERS : 0),
        streamId,
      );
      regular.payload(part);
    }
  }
}

function needsWindow(stream: SessionStream): boolean {
  return stream.pending > 0;
}
