// Chunk framing of both directions (spec dataplane.md §3.3, §5.3). What Envoy's parser takes is taken: extensions, blanks
// behind a size, bytes between the end of a chunk and its line end, leading zeros; what it does not, is malformed.
import { BlockScanner, hasForbiddenCharacter, readHeaderLines } from './header-lines.js';

const LF = 10;
const CR = 13;
/** Hexadecimal digits of a size without its leading zeros: 64 bits. */
const MAX_DIGITS = 16;

/** What is wrong with a body. */
export type BodyError = 'malformed' | 'forbiddenCharacter' | 'trailersTooLarge';

/** Who gets the data of chunks. */
export interface ChunkSink {
  onData(chunk: Buffer): void;
}

type State = 'size' | 'extension' | 'data' | 'dataEnd' | 'lastEnd' | 'trailers' | 'done';

/**
 * Made for each direction of a connection; `start` before each body. The data of several chunks that come together leave as
 * one piece, and not at all when one of them turns out bad before the last chunk: so does Envoy.
 */
export class ChunkedDecoder {
  /** Set when `push` has returned -1. */
  error: BodyError = 'malformed';
  private state: State = 'done';
  private left = 0;
  private digits = 0;
  private sawDigit = false;
  private sawCr = false;
  /** Bytes seen of the line ends behind the last chunk: the last two of them. */
  private lastTwo = 0;
  /** Data of this push. */
  private gathered: Buffer[] = [];
  private trailers: Buffer | undefined = undefined;
  private readonly scanner = new BlockScanner();
  private readonly sink: ChunkSink;
  private readonly maxTrailers: number;

  /** `maxTrailers`: bytes of all trailer lines, the empty one included. */
  constructor(sink: ChunkSink, maxTrailers: number) {
    this.sink = sink;
    this.maxTrailers = maxTrailers;
  }

  start(): void {
    this.trailers = undefined;
    this.startSize();
  }

  get isDone(): boolean {
    return this.state === 'done';
  }

  /** Reads from `at`; the position of the first byte that was not read (the end, unless `isDone`), or -1: see `error`. */
  push(buffer: Buffer, start: number): number {
    let at = start;
    while (at < buffer.length && this.state !== 'done') {
      switch (this.state) {
        case 'size':
          at = this.readSize(buffer, at);
          break;
        case 'extension':
          at = this.readExtension(buffer, at);
          break;
        case 'data': {
          const take = Math.min(this.left, buffer.length - at);
          this.left -= take;
          if (this.left === 0) this.state = 'dataEnd';
          this.gathered.push(buffer.subarray(at, at + take));
          at += take;
          break;
        }
        case 'dataEnd': {
          const lf = buffer.indexOf(LF, at);
          at = lf === -1 ? buffer.length : lf + 1;
          if (lf !== -1) this.startSize();
          break;
        }
        case 'lastEnd':
          at = this.readLastEnd(buffer, at);
          break;
        default:
          at = this.readTrailers(buffer, at);
      }
      if (at === -1) {
        this.gathered = [];
        return -1;
      }
    }
    this.deliver();
    return at;
  }

  private deliver(): void {
    const { gathered } = this;
    if (gathered.length === 0) return;
    this.gathered = [];
    this.sink.onData(gathered.length === 1 ? (gathered[0] as Buffer) : Buffer.concat(gathered));
  }

  private startSize(): void {
    this.state = 'size';
    this.left = 0;
    this.digits = 0;
    this.sawDigit = false;
  }

  private readSize(buffer: Buffer, start: number): number {
    for (let at = start; at < buffer.length; at++) {
      const byte = buffer[at] as number;
      const digit = hexDigit(byte);
      if (digit === -1) {
        // ';', blank, tab, CR, and LF, which is refused behind the size.
        const isEnd = byte === CR || byte === LF || byte === 59 || byte === 32 || byte === 9;
        if (!this.sawDigit || !isEnd) return this.fail('malformed');
        this.state = 'extension';
        this.sawCr = false;
        if (this.left === 0) this.deliver();
        return at;
      }
      this.sawDigit = true;
      if (digit === 0 && this.digits === 0) continue;
      if (++this.digits > MAX_DIGITS) return this.fail('malformed');
      this.left = this.left * 16 + digit;
    }
    return buffer.length;
  }

  /** Anything up to CRLF, and no CR or LF by itself. */
  private readExtension(buffer: Buffer, start: number): number {
    for (let at = start; at < buffer.length; at++) {
      const byte = buffer[at];
      if (byte === LF) {
        if (!this.sawCr) return this.fail('malformed');
        this.state = this.left === 0 ? 'lastEnd' : 'data';
        this.lastTwo = LF;
        return at + 1;
      }
      if (this.sawCr) return this.fail('malformed');
      this.sawCr = byte === CR;
    }
    return buffer.length;
  }

  /** Behind the last chunk: an empty line, or the first byte of a trailer. */
  private readLastEnd(buffer: Buffer, start: number): number {
    for (let at = start; at < buffer.length; at++) {
      const byte = buffer[at] as number;
      if (byte !== LF && byte !== CR) {
        this.state = 'trailers';
        this.scanner.start(0);
        return at;
      }
      // LF behind LF, or behind CR behind LF.
      if (byte === LF && ((this.lastTwo & 0xff) === LF || this.lastTwo === ((LF << 8) | CR))) {
        this.state = 'done';
        return at + 1;
      }
      this.lastTwo = ((this.lastTwo & 0xff) << 8) | byte;
    }
    return buffer.length;
  }

  /** Read, checked and dropped (spec dataplane.md §3.4). */
  private readTrailers(buffer: Buffer, start: number): number {
    const before = this.trailers?.length ?? 0;
    const more = buffer.subarray(start);
    const block = this.trailers === undefined ? more : Buffer.concat([this.trailers, more]);
    const end = this.scanner.scan(block);
    if ((end === -1 ? block.length : end) > this.maxTrailers) return this.fail('trailersTooLarge');
    if (end === -1) {
      this.trailers = block;
      return buffer.length;
    }
    this.trailers = undefined;
    const text = block.toString('latin1', 0, end);
    if (hasForbiddenCharacter(text)) return this.fail('forbiddenCharacter');
    if (!readHeaderLines(text, 0, ignore)) return this.fail('malformed');
    this.state = 'done';
    return start + end - before;
  }

  private fail(error: BodyError): -1 {
    this.error = error;
    return -1;
  }
}

function ignore(): void {}

function hexDigit(byte: number): number {
  if (byte >= 48 && byte <= 57) return byte - 48;
  const lower = byte | 32;
  return lower >= 97 && lower <= 102 ? lower - 87 : -1;
}
