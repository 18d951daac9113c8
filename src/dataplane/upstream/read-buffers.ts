// Memory for bulk reads of plaintext upstream sockets (`onread`, performance.md §4.2): Node's own reads allocate 64 KiB
// each and never take more at once.
//
// Node asks for the next buffer after each read and keeps it for the read after that, however much later it comes. So a
// buffer of which a slice may still be queued for writing must not be in any other socket's hands: sharing one buffer
// and dropping it when the kernel was slow mixes up connections. Hence two kinds: a landing buffer that all quiet
// sockets share, whose bytes are copied at once, and big ones of which a socket owns one while it fills them.
import type net from 'node:net';

const LANDING_SIZE = 64 * 1024;
/** With 1 MiB a slow reader could pin that much per connection (performance.md §4.2). */
const BULK_SIZE = 256 * 1024;
/** Free big buffers that are kept for the next burst. */
const MAX_FREE = 8;

// Slow: not from the pool, whose memory lives as long as any slice of it.
const landing = Buffer.allocUnsafeSlow(LANDING_SIZE);
const free: Buffer[] = [];

/** What becomes of bytes that were read. */
export interface ReadSink {
  /** True when bytes may be handed on without a copy: the receiver is a plain TCP socket. */
  takesSlices(): boolean;
  /** Takes the bytes; false asks to stop reading. */
  read(bytes: Buffer): boolean;
  /** True when everything handed on so far is with the kernel. */
  isDrained(): boolean;
}

/** The `onread` options of one socket. */
export class ReadBuffers implements net.OnReadOpts {
  readonly buffer: () => Buffer;
  readonly callback: (length: number, buffer: Uint8Array) => boolean;
  private readonly sink: ReadSink;
  private own: Buffer | undefined = undefined;

  constructor(sink: ReadSink) {
    this.sink = sink;
    this.buffer = () => this.own ?? landing;
    this.callback = (length) => this.take(length);
  }

  private take(length: number): boolean {
    const { own, sink } = this;
    if (own === undefined) {
      // A read that filled the landing buffer is the beginning of a bulk transfer.
      if (length === LANDING_SIZE && sink.takesSlices()) this.own = free.pop() ?? Buffer.allocUnsafeSlow(BULK_SIZE);
      return sink.read(Buffer.from(landing.subarray(0, length)));
    }
    const more = sink.read(own.subarray(0, length));
    const isFree = sink.isDrained();
    // A short read ends it: only sockets that fill their buffers hold one.
    if (length < BULK_SIZE / 4) {
      this.own = undefined;
      if (isFree && free.length < MAX_FREE) free.push(own);
    } else if (!isFree) {
      // Node still refers to this memory; the collector takes it back afterwards.
      this.own = free.pop() ?? Buffer.allocUnsafeSlow(BULK_SIZE);
    }
    return more;
  }
}

/** Who reads an HTTP connection: known when it is connected, and no byte comes earlier. */
interface BytesReader {
  onBytes(chunk: Buffer): void;
}

/** Reads for an HTTP codec, which keeps slices of what it is given: they are copies, most of them out of Node's pool. */
export class CodecReads implements ReadSink {
  reader: BytesReader | undefined = undefined;

  takesSlices(): boolean {
    return false;
  }

  read(bytes: Buffer): boolean {
    this.reader?.onBytes(bytes);
    return true;
  }

  isDrained(): boolean {
    return true;
  }
}
