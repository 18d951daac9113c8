// The PROXY protocol header in front of a connection, v1 text or v2 binary (spec dataplane.md §1.6): fed bytes, consumes
// exactly the header, restores the addresses.
import { isIpv4, isIpv6, renderIpv6, type SocketAddress } from '../../xds/index.js';
import { latin1, u16 } from './client-hello.js';

/** 'malformed' includes a missing header: the connection is closed without a log line (reset, the bytes are unread). */
export type ProxyProtocolOutcome = 'needMore' | 'header' | 'malformed';

const V2_SIGNATURE = [0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a];
const V2_HEADER = 16;
/** The longest v1 line, CRLF included. */
const MAX_V1 = 108;
const EMPTY = new Uint8Array(0);

/** Fed with the first bytes of a connection, in any split; the bytes stay the caller's. */
export class ProxyProtocolParser {
  /** The client; `undefined` = keep the real one (`UNKNOWN`, `LOCAL`). */
  source: SocketAddress | undefined = undefined;
  /** What the client dialled; `undefined` = keep the real one. */
  destination: SocketAddress | undefined = undefined;
  /** Bytes of the header, counted from the first byte of the connection; what follows belongs to the next listener filter. */
  consumed = 0;
  private outcome: ProxyProtocolOutcome = 'needMore';
  private bytes: Uint8Array = EMPTY;

  push(chunk: Uint8Array): ProxyProtocolOutcome {
    if (this.outcome !== 'needMore') return this.outcome;
    if (this.bytes.length === 0) {
      this.bytes = chunk;
    } else {
      const joined = new Uint8Array(this.bytes.length + chunk.length);
      joined.set(this.bytes);
      joined.set(chunk, this.bytes.length);
      this.bytes = joined;
    }
    this.outcome = this.parse(this.bytes);
    if (this.outcome !== 'needMore') this.bytes = EMPTY;
    return this.outcome;
  }

  private parse(bytes: Uint8Array): ProxyProtocolOutcome {
    if (startsWithSignature(bytes)) return bytes.length < V2_HEADER ? 'needMore' : this.parseV2(bytes);
    // Sixteen bytes settle which of the two it is; a shorter start that fits neither waits (and times out).
    if (bytes.length >= V2_HEADER && latin1(bytes, 0, 6) !== 'PROXY ') return 'malformed';
    return this.parseV1(bytes);
  }

  private parseV1(bytes: Uint8Array): ProxyProtocolOutcome {
    const limit = Math.min(bytes.length, MAX_V1);
    let end = -1;
    for (let i = 1; i < limit; i++) {
      if (bytes[i] === 0x0a && bytes[i - 1] === 0x0d) {
        // CRLF as the very first bytes may still become the binary signature.
        if (i === 1) return 'needMore';
        end = i + 1;
        break;
      }
    }
    if (end === -1) return bytes.length >= MAX_V1 ? 'malformed' : 'needMore';
    // Blanks at the end of the line do not count, two between words do (measured).
    const parts = latin1(bytes, 0, end - 2)
      .trimEnd()
      .split(' ');
    if (parts[0] !== 'PROXY' || parts.length < 2) return 'malformed';
    if (parts[1] !== 'UNKNOWN') {
      const [, family, source, destination, sourcePort, destinationPort] = parts;
      if (parts.length !== 6 || (family !== 'TCP4' && family !== 'TCP6')) return 'malformed';
      const isAddress = family === 'TCP4' ? isIpv4 : isIpv6;
      if (!isAddress(source as string) || !isAddress(destination as string)) return 'malformed';
      if (!isUnicast(source as string) || !isUnicast(destination as string)) return 'malformed';
      if (!isPort(sourcePort as string) || !isPort(destinationPort as string)) return 'malformed';
      this.source = { address: source as string, port: Number(sourcePort) };
      this.destination = { address: destination as string, port: Number(destinationPort) };
    }
    this.consumed = end;
    return 'header';
  }

  private parseV2(bytes: Uint8Array): ProxyProtocolOutcome {
    const versionAndCommand = bytes[12] as number;
    const familyAndTransport = bytes[13] as number;
    if (versionAndCommand >> 4 !== 2) return 'malformed';
    const command = versionAndCommand & 0x0f;
    const family = familyAndTransport >> 4;
    const transport = familyAndTransport & 0x0f;
    const addressLength = command === 0 ? 0 : family === 1 ? 12 : family === 2 ? 36 : -1;
    const length = u16(bytes, 14);
    if (addressLength === -1 || length < addressLength) return 'malformed';
    // Envoy accepts a datagram transport too.
    if (command !== 0 && (command !== 1 || (transport !== 1 && transport !== 2))) return 'malformed';
    if (bytes.length < V2_HEADER + length) return 'needMore';
    if (command === 1) {
      const size = family === 1 ? 4 : 16;
      const render = family === 1 ? ipv4At : ipv6At;
      this.source = { address: render(bytes, V2_HEADER), port: u16(bytes, V2_HEADER + 2 * size) };
      this.destination = { address: render(bytes, V2_HEADER + size), port: u16(bytes, V2_HEADER + 2 * size + 2) };
      if (!isUnicast(this.source.address) || !isUnicast(this.destination.address)) return 'malformed';
      // Type-length-value fields behind the addresses are skipped, but they must fill the announced length.
      if (!holdsFields(bytes, V2_HEADER + addressLength, V2_HEADER + length)) return 'malformed';
    }
    this.consumed = V2_HEADER + length;
    return 'header';
  }
}

function startsWithSignature(bytes: Uint8Array): boolean {
  const length = Math.min(bytes.length, V2_SIGNATURE.length);
  // Two bytes `\r\n` are not yet a decision, but three of the signature are.
  if (length < 3) return false;
  for (let i = 0; i < length; i++) if (bytes[i] !== V2_SIGNATURE[i]) return false;
  return true;
}

function isPort(text: string): boolean {
  return /^\+?\d+$/.test(text) && Number(text) <= 65535;
}

// Neither "any" nor broadcast nor multicast (measured).
function isUnicast(address: string): boolean {
  if (isIpv4(address)) {
    const first = Number.parseInt(address, 10);
    return address !== '0.0.0.0' && address !== '255.255.255.255' && (first < 224 || first > 239);
  }
  return !/^[0:]+$/.test(address) && !/^ff/i.test(address);
}

function holdsFields(bytes: Uint8Array, start: number, end: number): boolean {
  let at = start;
  while (at < end) {
    if (at + 3 > end) return false;
    at += 3 + u16(bytes, at + 1);
  }
  return at === end;
}

function ipv4At(bytes: Uint8Array, at: number): string {
  return `${bytes[at]}.${bytes[at + 1]}.${bytes[at + 2]}.${bytes[at + 3]}`;
}

function ipv6At(bytes: Uint8Array, at: number): string {
  const groups: number[] = [];
  for (let i = 0; i < 16; i += 2) groups.push(u16(bytes, at + i));
  return renderIpv6(groups);
}
