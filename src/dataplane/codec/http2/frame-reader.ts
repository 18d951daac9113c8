// Bytes into frames (RFC 9113 §4). Fed with whatever the socket brings; DATA is passed on as it comes, everything else
// when it is complete. What a frame means, and whether it may come, is its sink's business.
import { FLAG, FRAME, FRAME_HEADER_BYTES } from './constants.js';

/** What is to be done with the payload of a frame whose header has been read. */
export type FrameVerdict = 'read' | 'data' | 'skip' | 'stop';

/** Who is told. All of it may make the reader stop (`stop()`). */
export interface FrameSink {
  /** A frame's header; the fields of the reader say which. 'data': in pieces through `onData`; 'read': through `onFrame`. */
  onFrameHeader(): FrameVerdict;
  /** A complete frame that was to be read. */
  onFrame(payload: Buffer): void;
  /** Payload of DATA without padding. */
  onData(chunk: Buffer): void;
  /** So many bytes of padding of a DATA frame (its length field included), or of a DATA frame to be skipped. */
  onPadding(bytes: number): void;
  /** A DATA frame is complete. */
  onDataEnd(): void;
  /** The padding of a DATA frame is longer than the frame. */
  onBadPadding(): void;
}

/** States: the header, the payload as a whole, the length of the padding, DATA, its padding, skipping. */
const HEADER = 0;
const PAYLOAD = 1;
const PAD_LENGTH = 2;
const DATA = 3;
const PADDING = 4;
const SKIP = 5;
const STOPPED = 6;

export class FrameReader {
  /** Of the frame whose header was read last. */
  length = 0;
  type = 0;
  flags = 0;
  streamId = 0;
  private readonly sink: FrameSink;
  private state: number = HEADER;
  private readonly header: Buffer = Buffer.alloc(FRAME_HEADER_BYTES);
  private headerBytes = 0;
  private payload: Buffer | undefined = undefined;
  private payloadBytes = 0;
  /** Bytes of the frame that have not come. */
  private left = 0;
  /** Bytes of padding at the end of the frame. */
  private padding = 0;

  constructor(sink: FrameSink) {
    this.sink = sink;
  }

  /** Nothing more is read: the connection has been given up. */
  stop(): void {
    this.state = STOPPED;
  }

  push(chunk: Buffer): void {
    let at = 0;
    const end = chunk.length;
    for (;;) {
      switch (this.state) {
        case HEADER: {
          if (this.headerBytes === 0 && end - at >= FRAME_HEADER_BYTES) {
            this.readHeader(chunk, at);
            at += FRAME_HEADER_BYTES;
          } else {
            while (at < end && this.headerBytes < FRAME_HEADER_BYTES) {
              this.header[this.headerBytes++] = chunk[at++] as number;
            }
            if (this.headerBytes < FRAME_HEADER_BYTES) return;
            this.headerBytes = 0;
            this.readHeader(this.header, 0);
          }
          this.begin();
          break;
        }
        case PAYLOAD: {
          const whole = this.payload;
          if (whole === undefined && end - at >= this.left) {
            const from = at;
            at += this.left;
            this.state = HEADER;
            this.sink.onFrame(chunk.subarray(from, at));
            break;
          }
          const buffer = whole ?? Buffer.allocUnsafeSlow(this.length);
          this.payload = buffer;
          const take = Math.min(end - at, this.left);
          chunk.copy(buffer, this.payloadBytes, at, at + take);
          at += take;
          this.payloadBytes += take;
          this.left -= take;
          if (this.left > 0) return;
          this.payload = undefined;
          this.payloadBytes = 0;
          this.state = HEADER;
          this.sink.onFrame(buffer);
          break;
        }
        case PAD_LENGTH: {
          if (at >= end) return;
          this.padding = chunk[at++] as number;
          this.left--;
          this.state = DATA;
          this.sink.onPadding(1);
          if (this.padding > this.left) this.sink.onBadPadding();
          break;
        }
        case DATA: {
          const wanted = this.left - this.padding;
          if (wanted > 0) {
            const take = Math.min(end - at, wanted);
            if (take === 0) return;
            const from = at;
            at += take;
            this.left -= take;
            this.sink.onData(chunk.subarray(from, at));
            break;
          }
          this.state = PADDING;
          break;
        }
        case PADDING: {
          const take = Math.min(end - at, this.left);
          if (take > 0) {
            at += take;
            this.left -= take;
            this.sink.onPadding(take);
          }
          if (this.left > 0) return;
          if (this.state === PADDING) {
            this.state = HEADER;
            this.sink.onDataEnd();
          }
          break;
        }
        case SKIP: {
          const take = Math.min(end - at, this.left);
          at += take;
          this.left -= take;
          if (take > 0 && this.type === FRAME.DATA) this.sink.onPadding(take);
          if (this.left > 0) return;
          if (this.state === SKIP) this.state = HEADER;
          break;
        }
        default:
          return;
      }
      if (at >= end && (this.state === HEADER || this.state === STOPPED)) return;
    }
  }

  /** Padding of the DATA frame that is being read, its length field included. */
  get paddingBytes(): number {
    return (this.flags & FLAG.PADDED) === 0 ? 0 : this.padding + 1;
  }

  /** From the sink within a DATA frame: the rest of it is not wanted. */
  skipData(): void {
    if (this.state !== STOPPED) this.state = SKIP;
  }

  private readHeader(bytes: Buffer, at: number): void {
    this.length = ((bytes[at] as number) << 16) | ((bytes[at + 1] as number) << 8) | (bytes[at + 2] as number);
    this.type = bytes[at + 3] as number;
    this.flags = bytes[at + 4] as number;
    this.streamId = bytes.readUInt32BE(at + 5) & 0x7fffffff;
  }

  private begin(): void {
    this.left = this.length;
    this.padding = 0;
    switch (this.sink.onFrameHeader()) {
      case 'read':
        this.state = PAYLOAD;
        return;
      case 'data':
        this.state = (this.flags & FLAG.PADDED) === 0 ? DATA : PAD_LENGTH;
        return;
      case 'skip':
        this.state = SKIP;
        return;
      case 'stop':
        this.state = STOPPED;
        return;
    }
  }
}
