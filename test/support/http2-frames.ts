// HTTP/2 frames by hand, for tests that need every byte: built one by one, and shown as text. An independent reading of
// RFC 9113, which shares nothing with the codec under test.

const TYPES = ['DATA', 'HEADERS', 'PRIORITY', 'RST', 'SETTINGS', 'PUSH', 'PING', 'GOAWAY', 'WINDOW', 'CONT'];

export const PREFACE: Buffer = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'latin1');

type Bytes = string | Buffer;

export function bytes(...parts: readonly Bytes[]): Buffer {
  return Buffer.concat(parts.map((part) => (typeof part === 'string' ? Buffer.from(part, 'latin1') : part)));
}

export function frame(type: number, flags: number, streamId: number, ...payload: readonly Bytes[]): Buffer {
  const content = bytes(...payload);
  const head = Buffer.alloc(9);
  head.writeUIntBE(content.length, 0, 3);
  head[3] = type;
  head[4] = flags;
  head.writeUInt32BE(streamId, 5);
  return Buffer.concat([head, content]);
}

export function uint32(value: number): Buffer {
  const out = Buffer.alloc(4);
  out.writeUInt32BE(value >>> 0);
  return out;
}

export function setting(id: number, value: number): Buffer {
  const out = Buffer.alloc(6);
  out.writeUInt16BE(id);
  out.writeUInt32BE(value >>> 0, 2);
  return out;
}

/** A header line without index and without Huffman code; at most 16,000 bytes each. */
export function line(name: string, value: string): Buffer {
  return bytes('\0', length(name), name, length(value), value);
}

function length(text: string): Buffer {
  if (text.length < 127) return Buffer.from([text.length]);
  const rest = text.length - 127;
  return Buffer.from(rest < 128 ? [127, rest] : [127, (rest & 127) | 128, rest >> 7]);
}

/** GET / of http://shop.test, and POST likewise, with further lines behind. */
export function get(...more: readonly Buffer[]): Buffer {
  return bytes('\x82\x86\x84\x41\x09shop.test', ...more);
}

export function post(...more: readonly Buffer[]): Buffer {
  return bytes('\x83\x86\x84\x41\x09shop.test', ...more);
}

/** Frames as text: `HEADERS/5#1`, `RST#1 2`, `GOAWAY last=1 9 text`, `DATA/1#1 3`. */
export function show(stream: Buffer): string {
  const out: string[] = [];
  for (let at = 0; at + 9 <= stream.length; ) {
    const size = stream.readUIntBE(at, 3);
    const type = stream[at + 3] as number;
    const flags = stream[at + 4] as number;
    const id = stream.readUInt32BE(at + 5);
    const payload = stream.subarray(at + 9, at + 9 + size);
    const name = `${TYPES[type] ?? type}${flags === 0 ? '' : `/${flags}`}${id === 0 ? '' : `#${id}`}`;
    if (type === 3 || type === 8) out.push(`${name} ${payload.readUInt32BE(0)}`);
    else if (type === 0 || type === 4) out.push(`${name} ${size}`);
    else if (type === 7) {
      const text = payload.toString('latin1', 8);
      out.push(`${name} last=${payload.readUInt32BE(0)} ${payload.readUInt32BE(4)}${text === '' ? '' : ` ${text}`}`);
    } else out.push(name);
    at += 9 + size;
  }
  return out.join(', ');
}
