// Frames on their way out: put one behind the other into slabs, handed over to the socket once a turn. A slab is never
// written twice, so what has been handed over stays as it is until the kernel has it.
import { FRAME, FRAME_HEADER_BYTES } from './constants.js';

const SLAB = 8 * 1024;
/** Payloads up to this size are copied behind their header; larger ones are handed over as they are. */
const COPY_LIMIT = 4 * 1024;
const EMPTY = Buffer.alloc(0);

/** Appends frames; `take` empties it. */
export class OutputBuffer {
  private slab: Buffer = EMPTY;
  private from = 0;
  private to = 0;
  private parts: Buffer[] = [];
  /** Bytes that wait to be taken. */
  bytes = 0;

  /** Makes room; the bytes go to `buffer` from `place` on, and are counted by `advance`. */
  reserve(bytes: number): void {
    if (this.slab.length - this.to >= bytes) return;
    this.cut();
    this.slab = Buffer.allocUnsafeSlow(Math.max(SLAB, bytes));
    this.from = 0;
    this.to = 0;
  }

  get buffer(): Buffer {
    return this.slab;
  }

  get place(): number {
    return this.to;
  }

  advance(bytes: number): void {
    this.to += bytes;
    this.bytes += bytes;
  }

  frameHeader(length: number, type: number, flags: number, streamId: number): void {
    this.reserve(FRAME_HEADER_BYTES);
    writeFrameHeader(this.slab, this.to, length, type, flags, streamId);
    this.advance(FRAME_HEADER_BYTES);
  }

  uint32(value: number): void {
    this.reserve(4);
    this.slab.writeUInt32BE(value, this.to);
    this.advance(4);
  }

  payload(chunk: Uint8Array): void {
    if (chunk.length <= COPY_LIMIT) {
      this.reserve(chunk.length);
      this.slab.set(chunk, this.to);
      this.advance(chunk.length);
      return;
    }
    this.cut();
    this.parts.push(Buffer.isBuffer(chunk) ? chunk : Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength));
    this.bytes += chunk.length;
  }

  /** A frame of one 32-bit field: RST_STREAM, WINDOW_UPDATE. */
  shortFrame(type: typeof FRAME.RST_STREAM | typeof FRAME.WINDOW_UPDATE, streamId: number, value: number): void {
    this.reserve(FRAME_HEADER_BYTES + 4);
    writeFrameHeader(this.slab, this.to, 4, type, 0, streamId);
    this.slab.writeUInt32BE(value, this.to + FRAME_HEADER_BYTES);
    this.advance(FRAME_HEADER_BYTES + 4);
  }

  goaway(lastStreamId: number, code: number, text: string): void {
    const length = 8 + text.length;
    this.reserve(FRAME_HEADER_BYTES + length);
    writeFrameHeader(this.slab, this.to, length, FRAME.GOAWAY, 0, 0);
    this.slab.writeUInt32BE(lastStreamId, this.to + FRAME_HEADER_BYTES);
    this.slab.writeUInt32BE(code, this.to + FRAME_HEADER_BYTES + 4);
    this.slab.write(text, this.to + FRAME_HEADER_BYTES + 8, 'latin1');
    this.advance(FRAME_HEADER_BYTES + length);
  }

  /** Everything that waits, in order. */
  take(into: Buffer[]): void {
    this.cut();
    for (const part of this.parts) into.push(part);
    this.parts = [];
    this.bytes = 0;
    // What is left of a slab is used on; a connection at rest keeps no more than that.
    if (this.slab.length - this.to < 512) this.slab = EMPTY;
    if (this.slab.length === 0) {
      this.from = 0;
      this.to = 0;
    }
  }

  /** What waits is not to be sent. */
  clear(): void {
    this.parts = [];
    this.from = this.to;
    this.bytes = 0;
  }

  private cut(): void {
    if (this.to === this.from) return;
    this.parts.push(this.slab.subarray(this.from, this.to));
    this.from = this.to;
  }
}

export function writeFrameHeader(
  out: Buffer,
  at: number,
  length: number,
  type: number,
  flags: number,
  streamId: number,
): void {
  out[at] = length >>> 16;
  out[at + 1] = (length >>> 8) & 0xff;
  out[at + 2] = length & 0xff;
  out[at + 3] = type;
  out[at + 4] = flags;
  out[at + 5] = streamId >>> 24;
  out[at + 6] = (streamId >>> 16) & 0xff;
  out[at + 7] = (streamId >>> 8) & 0xff;
  out[at + 8] = streamId & 0xff;
}
