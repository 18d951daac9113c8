// Header blocks back into header lines (RFC 7541). Fed with the fragments of a block as they come; a line that a fragment
// cuts is read again when the rest is there.

import { DynamicTable, HeaderField, STATIC_LENGTH, STATIC_PAIRS } from './hpack-table.js';
import { decodeHuffman } from './huffman.js';

/** The longest name or value, in bytes as sent or decoded; as in the library that Envoy uses. */
export const MAX_STRING_BYTES = 65_536;

/** Who takes the lines of a block. */
export interface HeaderSink {
  /** False: no more lines of this block are wanted; it is read to its end for the table's sake. */
  onField(field: HeaderField): boolean;
}

const EMPTY = Buffer.alloc(0);
const NEED_MORE = -1;
const MALFORMED = -2;

/** One per connection and direction. Once a block was malformed the table cannot be trusted, and all else fails too. */
export class HpackDecoder {
  private readonly table: DynamicTable;
  /** What we allow (our SETTINGS_HEADER_TABLE_SIZE). */
  private readonly maxTableSize: number;
  private readonly statics: readonly HeaderField[];
  /** The beginning of a line whose rest has not come. */
  private rest: Buffer = EMPTY;
  /** Lines may come; a size update may not any more (RFC 7541 §4.2). */
  private inLines = false;
  private broken = false;
  private wanted = true;
  /** Where reading stands, and the number or string that was read last. */
  private at = 0;
  private text = '';

  constructor(maxTableSize: number) {
    this.maxTableSize = maxTableSize;
    this.table = new DynamicTable(maxTableSize);
    this.statics = STATIC_PAIRS.map(([name, value]) => new HeaderField(name, value));
  }

  /**
   * Reads a fragment. `isLast`: the block ends with it. False: the block is malformed (COMPRESSION_ERROR).
   * Without a sink the lines are only kept in the table.
   */
  push(fragment: Buffer, isLast: boolean, sink: HeaderSink | undefined): boolean {
    if (this.broken) return false;
    const block = this.rest.length === 0 ? fragment : Buffer.concat([this.rest, fragment]);
    this.rest = EMPTY;
    let from = 0;
    while (from < block.length) {
      this.at = from;
      const outcome = this.readLine(block, sink);
      if (outcome === MALFORMED || (outcome === NEED_MORE && isLast)) {
        this.broken = true;
        return false;
      }
      if (outcome === NEED_MORE) {
        // A line is no longer than its strings may be, so this stays bounded.
        if (block.length - from > 2 * MAX_STRING_BYTES + 32) {
          this.broken = true;
          return false;
        }
        this.rest = Buffer.from(block.subarray(from));
        return true;
      }
      from = this.at;
    }
    if (isLast) {
      this.inLines = false;
      this.wanted = true;
    }
    return true;
  }

  /** 0, NEED_MORE or MALFORMED. */
  private readLine(block: Buffer, sink: HeaderSink | undefined): number {
    const first = block[this.at] as number;
    if (first >= 0x80) {
      const index = this.readInteger(block, 7);
      if (index < 0) return index;
      const field = this.entry(index);
      if (field === undefined) return MALFORMED;
      this.emit(field, sink);
      return 0;
    }
    if (first >= 0x40) return this.readLiteral(block, 6, true, sink);
    if (first >= 0x20) {
      const size = this.readInteger(block, 5);
      if (size < 0) return size;
      if (this.inLines || size > this.maxTableSize) return MALFORMED;
      this.table.resize(size);
      return 0;
    }
    return this.readLiteral(block, 4, false, sink); // without indexing, or never indexed
  }

  private readLiteral(block: Buffer, prefix: number, index: boolean, sink: HeaderSink | undefined): number {
    const nameIndex = this.readInteger(block, prefix);
    if (nameIndex < 0) return nameIndex;
    let name: string;
    if (nameIndex === 0) {
      const outcome = this.readString(block);
      if (outcome < 0) return outcome;
      name = this.text;
    } else {
      const entry = this.entry(nameIndex);
      if (entry === undefined) return MALFORMED;
      name = entry.name;
    }
    const outcome = this.readString(block);
    if (outcome < 0) return outcome;
    const field = new HeaderField(name, this.text);
    if (index) this.table.add(field);
    this.emit(field, sink);
    return 0;
  }

  private emit(field: HeaderField, sink: HeaderSink | undefined): void {
    this.inLines = true;
    if (sink !== undefined && this.wanted) this.wanted = sink.onField(field);
  }

  private entry(index: number): HeaderField | undefined {
    if (index === 0) return undefined;
    return index <= STATIC_LENGTH ? this.statics[index - 1] : this.table.get(index - STATIC_LENGTH - 1);
  }

  /** RFC 7541 §5.1; at most 32 bits, as nobody needs more. */
  private readInteger(block: Buffer, prefix: number): number {
    const mask = (1 << prefix) - 1;
    let value = (block[this.at++] as number) & mask;
    if (value < mask) return value;
    let scale = 1;
    for (;;) {
      if (this.at >= block.length) return NEED_MORE;
      const byte = block[this.at++] as number;
      value += (byte & 0x7f) * scale;
      if (value > 0xffffffff || scale > 2 ** 35) return MALFORMED;
      if (byte < 0x80) return value;
      scale *= 128;
    }
  }

  /** Leaves the string in `text`. */
  private readString(block: Buffer): number {
    if (this.at >= block.length) return NEED_MORE;
    const coded = (block[this.at] as number) >= 0x80;
    const length = this.readInteger(block, 7);
    if (length < 0) return length;
    if (length > MAX_STRING_BYTES) return MALFORMED;
    const from = this.at;
    const to = from + length;
    if (to > block.length) return NEED_MORE;
    this.at = to;
    if (!coded) {
      this.text = length === 0 ? '' : block.toString('latin1', from, to);
      return 0;
    }
    const text = decodeHuffman(block, from, to);
    if (text === undefined || text.length > MAX_STRING_BYTES) return MALFORMED;
    this.text = text;
    return 0;
  }
}
