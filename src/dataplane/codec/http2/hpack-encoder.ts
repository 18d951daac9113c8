// Header lines into header blocks (RFC 7541). What repeats goes into the table and costs a byte from then on; what
// differs each time is sent as text behind the index of its name.

import { ENTRY_OVERHEAD, STATIC_LENGTH, STATIC_PAIRS } from './hpack-table.js';
import { encodeHuffman, huffmanLength } from './huffman.js';

/** Not larger than this whatever the peer allows, as with Envoy. */
export const MAX_ENCODER_TABLE = 4096;

/** Values that (nearly) always differ: they would only push others out of the table. */
const VARYING: ReadonlySet<string> = new Set([
  ':path',
  'age',
  'content-length',
  'content-range',
  'etag',
  'expires',
  'grpc-timeout',
  'if-modified-since',
  'if-none-match',
  'last-modified',
  'location',
  'set-cookie',
  'traceparent',
  'x-b3-spanid',
  'x-b3-traceid',
  'x-envoy-expected-rq-timeout-ms',
  'x-envoy-upstream-service-time',
  'x-request-id',
]);
/** Never to be put into a table by anybody on the way (RFC 7541 §7.1.3). */
const SENSITIVE: ReadonlySet<string> = new Set(['authorization', 'proxy-authorization']);

const staticNames = new Map<string, number>();
const staticFields = new Map<string, Map<string, number>>();
STATIC_PAIRS.forEach(([name, value], i) => {
  if (!staticNames.has(name)) staticNames.set(name, i + 1);
  let values = staticFields.get(name);
  if (values === undefined) {
    values = new Map();
    staticFields.set(name, values);
  }
  values.set(value, i + 1);
});

interface Entry {
  readonly name: string;
  readonly value: string;
  readonly size: number;
}

/** The most bytes that a line can take in a block. */
export function lineBound(name: string, value: string): number {
  return name.length + value.length + 12;
}

/** One per connection and direction; blocks must reach the peer in the order in which they were written. */
export class HpackEncoder {
  private readonly entries: Entry[] = [];
  /** Number of the oldest entry that is left; numbers count up over the connection's life. */
  private oldest = 0;
  /** Number that the next entry gets. */
  private next = 0;
  private size = 0;
  private maxSize = MAX_ENCODER_TABLE;
  /** The smallest size since the last block, while an update has to be told (RFC 7541 §4.2). */
  private smallest = -1;
  /** name → value → number. */
  private readonly fields = new Map<string, Map<string, number>>();
  /** name → number of its newest entry. */
  private readonly names = new Map<string, number>();

  /** The peer's SETTINGS_HEADER_TABLE_SIZE. */
  setMaxTableSize(size: number): void {
    const wanted = Math.min(size, MAX_ENCODER_TABLE);
    if (wanted === this.maxSize) return;
    this.smallest = this.smallest === -1 ? wanted : Math.min(this.smallest, wanted);
    this.maxSize = wanted;
    this.evictTo(wanted);
  }

  /** At the beginning of a block; at most 12 bytes. */
  beginBlock(out: Uint8Array, at: number): number {
    if (this.smallest === -1) return at;
    let place = at;
    if (this.smallest < this.maxSize) place = writeInteger(out, place, 0x20, 5, this.smallest);
    place = writeInteger(out, place, 0x20, 5, this.maxSize);
    this.smallest = -1;
    return place;
  }

  /** Writes one line; `out` has `lineBound` bytes left. Returns the place behind it. */
  write(name: string, value: string, out: Uint8Array, at: number): number {
    const known = staticFields.get(name)?.get(value);
    if (known !== undefined) {
      out[at] = 0x80 | known;
      return at + 1;
    }
    if (SENSITIVE.has(name)) return this.writeLiteral(name, value, out, at, 0x10, 4);
    const number = this.fields.get(name)?.get(value);
    if (number !== undefined) return writeInteger(out, at, 0x80, 7, this.indexOf(number));
    const isNamed = this.names.has(name) || staticNames.has(name);
    // A varying header is put into the table once, for its name.
    const index =
      (!VARYING.has(name) || !isNamed) && (name.length + value.length + ENTRY_OVERHEAD) * 4 <= this.maxSize * 3;
    if (!index) return this.writeLiteral(name, value, out, at, 0, 4);
    const place = this.writeLiteral(name, value, out, at, 0x40, 6);
    this.add(name, value);
    return place;
  }

  private writeLiteral(
    name: string,
    value: string,
    out: Uint8Array,
    at: number,
    pattern: number,
    prefix: number,
  ): number {
    let index = staticNames.get(name);
    if (index === undefined) {
      const number = this.names.get(name);
      if (number !== undefined) index = this.indexOf(number);
    }
    if (index !== undefined) return writeString(out, writeInteger(out, at, pattern, prefix, index), value);
    out[at] = pattern;
    return writeString(out, writeString(out, at + 1, name), value);
  }

  private indexOf(number: number): number {
    return STATIC_LENGTH + this.next - number;
  }

  private add(name: string, value: string): void {
    const size = name.length + value.length + ENTRY_OVERHEAD;
    this.evictTo(this.maxSize - size);
    const number = this.next++;
    this.entries.push({ name, value, size });
    this.size += size;
    let values = this.fields.get(name);
    if (values === undefined) {
      values = new Map();
      this.fields.set(name, values);
    }
    values.set(value, number);
    this.names.set(name, number);
  }

  private evictTo(limit: number): void {
    while (this.size > limit && this.entries.length > 0) {
      const entry = this.entries.shift() as Entry;
      const number = this.oldest++;
      this.size -= entry.size;
      const values = this.fields.get(entry.name);
      if (values?.get(entry.value) === number) {
        values.delete(entry.value);
        if (values.size === 0) this.fields.delete(entry.name);
      }
      if (this.names.get(entry.name) === number) this.names.delete(entry.name);
    }
  }
}

/** RFC 7541 §5.1. */
function writeInteger(out: Uint8Array, at: number, pattern: number, prefix: number, value: number): number {
  const mask = (1 << prefix) - 1;
  if (value < mask) {
    out[at] = pattern | value;
    return at + 1;
  }
  out[at] = pattern | mask;
  let place = at + 1;
  let left = value - mask;
  while (left >= 128) {
    out[place++] = (left & 0x7f) | 0x80;
    left >>>= 7;
  }
  out[place] = left;
  return place + 1;
}

function writeString(out: Uint8Array, at: number, text: string): number {
  const coded = huffmanLength(text);
  if (coded < text.length) return encodeHuffman(text, out, writeInteger(out, at, 0x80, 7, coded));
  let place = writeInteger(out, at, 0, 7, text.length);
  for (let i = 0; i < text.length; i++) out[place++] = text.charCodeAt(i);
  return place;
}
