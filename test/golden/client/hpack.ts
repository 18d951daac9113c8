// HPACK (RFC 7541) for the client of the replay: encodes literally, so that any header can be written, and decodes
// everything. No limits: the peer is under test, not the client.

type Header = readonly [name: string, value: string];

/** A header block of literals without indexing and without Huffman code. UTF-8, as the recorder's client wrote it. */
export function encodeHeaders(headers: readonly Header[]): Buffer {
  const parts: Buffer[] = [];
  for (const header of headers) {
    parts.push(Buffer.from([0]));
    for (const text of header) {
      const bytes = Buffer.from(text);
      parts.push(encodeInteger(bytes.length, 7), bytes);
    }
  }
  return Buffer.concat(parts);
}

function encodeInteger(value: number, prefixBits: number): Buffer {
  const limit = (1 << prefixBits) - 1;
  if (value < limit) return Buffer.from([value]);
  const bytes = [limit];
  let rest = value - limit;
  for (; rest >= 128; rest >>= 7) bytes.push((rest & 127) | 128);
  bytes.push(rest);
  return Buffer.from(bytes);
}

/** Decodes the header blocks of one connection, in order. Throws on what is no HPACK. */
export class HpackDecoder {
  private readonly dynamic: Header[] = [];
  private size = 0;
  private maximum = 4096;
  private block: Buffer = Buffer.alloc(0);
  private at = 0;

  decode(block: Buffer): Header[] {
    this.block = block;
    this.at = 0;
    const headers: Header[] = [];
    while (this.at < block.length) {
      const first = block[this.at] as number;
      if (first & 0x80) {
        headers.push(this.entry(this.integer(7)));
      } else if ((first & 0xe0) === 0x20) {
        this.maximum = this.integer(5);
        this.evict();
      } else {
        const isIndexed = (first & 0xc0) === 0x40;
        const index = this.integer(isIndexed ? 6 : 4);
        const name = index === 0 ? this.string() : this.entry(index)[0];
        const header: Header = [name, this.string()];
        headers.push(header);
        if (isIndexed) {
          this.dynamic.unshift(header);
          this.size += sizeOf(header);
          this.evict();
        }
      }
    }
    return headers;
  }

  private evict(): void {
    while (this.size > this.maximum) {
      const last = this.dynamic.pop();
      if (last === undefined) throw new Error('HPACK: table size');
      this.size -= sizeOf(last);
    }
  }

  private entry(index: number): Header {
    const header =
      index <= STATIC_TABLE.length ? STATIC_TABLE[index - 1] : this.dynamic[index - STATIC_TABLE.length - 1];
    if (header === undefined) throw new Error(`HPACK: no entry ${index}`);
    return header;
  }

  private integer(prefixBits: number): number {
    const limit = (1 << prefixBits) - 1;
    let value = this.byte() & limit;
    if (value < limit) return value;
    for (let shift = 0; ; shift += 7) {
      const byte = this.byte();
      value += (byte & 127) << shift;
      if ((byte & 128) === 0) return value;
    }
  }

  private string(): string {
    const isHuffman = ((this.block[this.at] ?? 0) & 0x80) !== 0;
    const length = this.integer(7);
    const bytes = this.block.subarray(this.at, this.at + length);
    if (bytes.length < length) throw new Error('HPACK: short string');
    this.at += length;
    return isHuffman ? decodeHuffman(bytes) : bytes.toString('latin1');
  }

  private byte(): number {
    const byte = this.block[this.at++];
    if (byte === undefined) throw new Error('HPACK: short block');
    return byte;
  }
}

function sizeOf([name, value]: Header): number {
  return name.length + value.length + 32;
}

// Lengths of the codes of bytes 0–255 and EOS (RFC 7541, appendix B). The code is canonical: within one length it
// counts up in symbol order, so the lengths are all there is to know.
const CODE_LENGTHS: readonly number[] = [
  13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28, 28,
  28, 28, 28, 6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6, 5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10,
  13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6, 15, 5, 6, 5, 6,
  5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5, 6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28, 20, 22, 20, 20, 22, 22, 22, 23,
  22, 23, 23, 23, 23, 23, 24, 23, 24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24, 22, 21, 20, 22, 22,
  23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23, 21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23, 26, 26,
  20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25, 19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27,
  27, 20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23, 26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27,
  27, 27, 27, 26, 30,
];

// Keyed by length * 2^32 + code.
const SYMBOLS: ReadonlyMap<number, number> = buildSymbols();

function buildSymbols(): Map<number, number> {
  const symbols = new Map<number, number>();
  let code = 0;
  for (let length = 1; length <= 30; length++) {
    for (let symbol = 0; symbol < CODE_LENGTHS.length; symbol++) {
      if (CODE_LENGTHS[symbol] === length) symbols.set(length * 2 ** 32 + code++, symbol);
    }
    code *= 2;
  }
  return symbols;
}

function decodeHuffman(bytes: Buffer): string {
  const out: number[] = [];
  let code = 0;
  let length = 0;
  for (const byte of bytes) {
    for (let bit = 7; bit >= 0; bit--) {
      code = code * 2 + ((byte >> bit) & 1);
      length++;
      const symbol = SYMBOLS.get(length * 2 ** 32 + code);
      if (symbol === undefined) {
        if (length > 30) throw new Error('HPACK: bad Huffman code');
        continue;
      }
      out.push(symbol);
      code = 0;
      length = 0;
    }
  }
  // What is left is the beginning of EOS: ones, fewer than a byte.
  if (length > 7 || code !== 2 ** length - 1) throw new Error('HPACK: bad padding');
  return Buffer.from(out).toString('latin1');
}

const STATIC_TABLE: readonly Header[] = [
  [':authority', ''],
  [':method', 'GET'],
  [':method', 'POST'],
  [':path', '/'],
  [':path', '/index.html'],
  [':scheme', 'http'],
  [':scheme', 'https'],
  [':status', '200'],
  [':status', '204'],
  [':status', '206'],
  [':status', '304'],
  [':status', '400'],
  [':status', '404'],
  [':status', '500'],
  ['accept-charset', ''],
  ['accept-encoding', 'gzip, deflate'],
  ['accept-language', ''],
  ['accept-ranges', ''],
  ['accept', ''],
  ['access-control-allow-origin', ''],
  ['age', ''],
  ['allow', ''],
  ['authorization', ''],
  ['cache-control', ''],
  ['content-disposition', ''],
  ['content-encoding', ''],
  ['content-language', ''],
  ['content-length', ''],
  ['content-location', ''],
  ['content-range', ''],
  ['content-type', ''],
  ['cookie', ''],
  ['date', ''],
  ['etag', ''],
  ['expect', ''],
  ['expires', ''],
  ['from', ''],
  ['host', ''],
  ['if-match', ''],
  ['if-modified-since', ''],
  ['if-none-match', ''],
  ['if-range', ''],
  ['if-unmodified-since', ''],
  ['last-modified', ''],
  ['link', ''],
  ['location', ''],
  ['max-forwards', ''],
  ['proxy-authenticate', ''],
  ['proxy-authorization', ''],
  ['range', ''],
  ['referer', ''],
  ['refresh', ''],
  ['retry-after', ''],
  ['server', ''],
  ['set-cookie', ''],
  ['strict-transport-security', ''],
  ['transfer-encoding', ''],
  ['user-agent', ''],
  ['vary', ''],
  ['via', ''],
  ['www-authenticate', ''],
];
