// What a ClientHello offers by ALPN (RFC 8446 §4.1.2, RFC 7301), for stubs alone: OpenSSL servers that find nothing in
// common go on without a protocol, node:tls ends the handshake, so a stub has to know before it picks a server.

/** The protocols offered; `undefined` = the hello is not complete yet. What is no hello offers nothing. */
export function offeredProtocols(bytes: Buffer): readonly string[] | undefined {
  const message = joinRecords(bytes);
  if (message === undefined) return undefined;
  // Type, length, version, random; then session, cipher suites and compression methods, each after its length.
  let at = 4 + 2 + 32;
  at += 1 + (message[at] ?? 0);
  at += 2 + readUInt16(message, at);
  at += 1 + (message[at] ?? 0);
  const end = at + 2 + readUInt16(message, at);
  at += 2;
  while (at + 4 <= end) {
    const type = readUInt16(message, at);
    const length = readUInt16(message, at + 2);
    if (type === ALPN) return readNames(message.subarray(at + 6, at + 4 + length));
    at += 4 + length;
  }
  return [];
}

const HANDSHAKE = 22;
const ALPN = 16;

/** The first handshake message; empty for anything else. */
function joinRecords(bytes: Buffer): Buffer | undefined {
  const parts: Buffer[] = [];
  let collected = 0;
  for (let at = 0; at < bytes.length; ) {
    if (bytes[at] !== HANDSHAKE) return Buffer.alloc(0);
    if (at + 5 > bytes.length) return undefined;
    const part = bytes.subarray(at + 5, at + 5 + bytes.readUInt16BE(at + 3));
    parts.push(part);
    collected += part.length;
    at += 5 + bytes.readUInt16BE(at + 3);
    const message = Buffer.concat(parts);
    if (collected >= 4 && collected >= 4 + message.readUIntBE(1, 3)) return message;
  }
  return undefined;
}

function readNames(list: Buffer): string[] {
  const names: string[] = [];
  for (let at = 0; at < list.length; at += 1 + (list[at] as number)) {
    names.push(list.toString('latin1', at + 1, at + 1 + (list[at] as number)));
  }
  return names;
}

function readUInt16(bytes: Buffer, at: number): number {
  return at + 2 <= bytes.length ? bytes.readUInt16BE(at) : 0;
}
