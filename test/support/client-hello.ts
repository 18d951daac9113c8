// Builds ClientHellos by hand: Node 20's OpenSSL cannot make the large post-quantum ones, and odd ones no library makes.

export interface HelloOptions {
  /** No server_name extension when absent. */
  readonly serverName?: string;
  readonly alpn?: readonly string[];
  /** Pads the whole record to at least this many bytes (padding extension), 517 as OpenSSL does, ~1800 for ML-KEM. */
  readonly padTo?: number;
  /** Splits the handshake message into TLS records of at most this many bytes. */
  readonly recordSize?: number;
  /** Default 0x0303. */
  readonly legacyVersion?: number;
  /** More extensions, behind the usual ones; one of a usual type replaces it. */
  readonly more?: readonly (readonly [type: number, data: Buffer])[];
  /** Extension types that are left out. */
  readonly without?: readonly number[];
  /** Bytes behind the hello in its last record. */
  readonly tail?: Buffer;
}

/** One ClientHello in TLS records, TLS 1.2 and 1.3 offered. */
export function clientHello(options: HelloOptions): Buffer {
  const message = helloMessage(options, 0);
  const short = (options.padTo ?? 0) - message.length - 5;
  const whole = short > 4 ? helloMessage(options, short - 4) : message;
  return records(Buffer.concat([whole, options.tail ?? Buffer.alloc(0)]), options.recordSize ?? 16_384);
}

function helloMessage(options: HelloOptions, padding: number): Buffer {
  const { more = [], without = [] } = options;
  const leftOut = new Set([...without, ...more.map(([type]) => type)]);
  const extensions = [
    ...(options.serverName === undefined ? [] : [extension(0, serverNameList(options.serverName))]),
    extension(10, Buffer.from('00060004001d0017', 'hex')),
    extension(13, Buffer.from('00080006040308040401', 'hex')),
    ...(options.alpn === undefined
      ? []
      : [extension(16, vector16(Buffer.concat(options.alpn.map((name) => vector8(Buffer.from(name, 'latin1'))))))]),
    extension(43, Buffer.from('0403040303', 'hex')),
    extension(51, Buffer.concat([Buffer.from('0024001d0020', 'hex'), Buffer.alloc(32, 9)])),
    ...(padding > 0 ? [extension(21, Buffer.alloc(padding))] : []),
  ]
    .filter((data) => !leftOut.has(data.readUInt16BE(0)))
    .concat(more.map(([type, data]) => extension(type, data)));
  const body = Buffer.concat([
    Buffer.from([(options.legacyVersion ?? 0x0303) >> 8, (options.legacyVersion ?? 0x0303) & 255]),
    Buffer.alloc(32, 0x52),
    vector8(Buffer.alloc(32, 0x73)),
    vector16(Buffer.from('13011302c02bc02f', 'hex')),
    vector8(Buffer.from([0])),
    vector16(Buffer.concat(extensions)),
  ]);
  return Buffer.concat([Buffer.from([1, body.length >> 16, (body.length >> 8) & 255, body.length & 255]), body]);
}

function records(message: Buffer, size: number): Buffer {
  const parts: Buffer[] = [];
  for (let at = 0; at < message.length; at += size) {
    const piece = message.subarray(at, at + size);
    parts.push(Buffer.from([22, 3, 1, piece.length >> 8, piece.length & 255]), piece);
  }
  return Buffer.concat(parts);
}

function serverNameList(name: string): Buffer {
  const bytes = Buffer.from(name, 'latin1');
  return vector16(Buffer.concat([Buffer.from([0]), vector16(bytes)]));
}

function extension(type: number, data: Buffer): Buffer {
  return Buffer.concat([Buffer.from([type >> 8, type & 255]), vector16(data)]);
}

function vector8(data: Buffer): Buffer {
  return Buffer.concat([Buffer.from([data.length]), data]);
}

function vector16(data: Buffer): Buffer {
  return Buffer.concat([Buffer.from([data.length >> 8, data.length & 255]), data]);
}
