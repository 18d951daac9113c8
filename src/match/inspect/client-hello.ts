// Structure of a ClientHello message, read by index from whatever buffer holds it (spec dataplane.md §1.3; order of
// checks as in BoringSSL, which Envoy's TLS inspector is).
import type { HelloDefect } from './hello-defect.js';

const SERVER_NAME = 0;
const SUPPORTED_GROUPS = 10;
const POINT_FORMATS = 11;
const SIGNATURE_ALGORITHMS = 13;
const ALPN = 16;
const SUPPORTED_VERSIONS = 43;
const KEY_SHARE = 51;
const QUIC_PARAMETERS = 57;
const ENCRYPTED_HELLO = 0xfe0d;

/** Result of `readClientHello`, reused by its caller: offsets into the buffer that was read, -1 = absent. */
export class ClientHelloOffsets {
  legacyVersion = 0;
  serverNameStart = -1;
  serverNameEnd = -1;
  /** True when a letter of the name is a capital. */
  serverNameHasCapitals = false;
  alpnStart = -1;
  alpnEnd = -1;
}

/** What a terminating chain has to know to answer with the alert that Envoy would send. */
export interface ClientHelloDetails {
  readonly legacyVersion: number;
  /** `undefined` = no such extension; 'malformed' = alert decode_error. */
  readonly supportedVersions: readonly number[] | 'malformed' | undefined;
  readonly cipherSuites: readonly number[];
  readonly hasNullCompression: boolean;
  readonly hasKeyShare: boolean;
  /** `undefined` = no such extension. */
  readonly supportedGroups: readonly number[] | undefined;
  /** Two key shares of one group. */
  readonly hasDoubleKeyShare: boolean;
  readonly hasSignatureAlgorithms: boolean;
  /** An ec_point_formats extension without the uncompressed format. */
  readonly lacksUncompressedPoints: boolean;
  readonly hasQuicParameters: boolean;
  /** An encrypted_client_hello extension that is neither an outer nor an inner one. */
  readonly hasAlienEncryptedHello: boolean;
  readonly alpn: 'absent' | 'valid' | 'malformed';
}

/**
 * Reads a hello body (without the four bytes of its handshake header) at `start..end` of `bytes` and leaves the
 * offsets of the name and of the ALPN extension in `out`. Returns what is wrong with it, or `undefined`.
 */
export function readClientHello(
  bytes: Uint8Array,
  start: number,
  end: number,
  out: ClientHelloOffsets,
): HelloDefect | undefined {
  out.serverNameStart = -1;
  out.serverNameEnd = -1;
  out.alpnStart = -1;
  out.alpnEnd = -1;
  let at = start;
  if (end - at < 35) return 'clienthello_parse_failed';
  out.legacyVersion = u16(bytes, at);
  at += 34;
  const sessionId = bytes[at] as number;
  at += 1 + sessionId;
  if (sessionId > 32 || at + 2 > end) return 'clienthello_parse_failed';
  const ciphers = u16(bytes, at);
  at += 2 + ciphers;
  if (ciphers < 2 || (ciphers & 1) !== 0 || at + 1 > end) return 'clienthello_parse_failed';
  const compressions = bytes[at] as number;
  at += 1 + compressions;
  if (compressions < 1 || at > end) return 'clienthello_parse_failed';
  if (at === end) return undefined;
  if (at + 2 > end || at + 2 + u16(bytes, at) !== end) return 'clienthello_parse_failed';
  at += 2;

  let seen = 0;
  // Types below 32 and the others that every client sends have a bit each: nearly no hello has to be compared with itself.
  let known = 0;
  let others = 0;
  let mayRepeat = false;
  let serverNameAt = -1;
  let serverNameLimit = -1;
  let encryptedOk = true;
  const extensions = at;
  while (at < end) {
    if (at + 4 > end) return 'clienthello_parse_failed';
    const type = u16(bytes, at);
    const limit = at + 4 + u16(bytes, at + 2);
    if (limit > end) return 'clienthello_parse_failed';
    if (type === SERVER_NAME) {
      serverNameAt = at + 4;
      serverNameLimit = limit;
    } else if (type === ALPN) {
      out.alpnStart = at + 4;
      out.alpnEnd = limit;
    } else if (type === ENCRYPTED_HELLO) {
      encryptedOk = isReadableEncryptedHello(bytes, at + 4, limit);
    }
    const bit = 1 << (type & 31);
    if (type < 32) {
      mayRepeat ||= (known & bit) !== 0;
      known |= bit;
    } else {
      mayRepeat ||= (others & bit) !== 0;
      others |= bit;
    }
    at = limit;
    seen++;
  }
  if (mayRepeat && hasDuplicateExtension(bytes, extensions, end, seen)) return 'clienthello_parse_failed';
  if (!encryptedOk) return 'malformed_encrypted_hello';
  return serverNameAt === -1 ? undefined : readServerName(bytes, serverNameAt, serverNameLimit, out);
}

// The library takes an outer encrypted hello apart, keys or not; of other kinds it wants the type alone for now (measured).
function isReadableEncryptedHello(bytes: Uint8Array, start: number, end: number): boolean {
  if (start === end) return false;
  if (bytes[start] !== 0) return true;
  // Type, KDF, AEAD, configuration id; then two vectors: key and payload.
  const key = start + 6;
  if (key + 2 > end) return false;
  const payload = key + 2 + u16(bytes, key);
  return payload + 2 <= end && payload + 2 + u16(bytes, payload) === end;
}

function readServerName(
  bytes: Uint8Array,
  start: number,
  end: number,
  out: ClientHelloOffsets,
): HelloDefect | undefined {
  // One list with exactly one entry: extensibility that the standard once promised is not supported by the library.
  if (end - start < 5 || u16(bytes, start) !== end - start - 2 || u16(bytes, start + 3) !== end - start - 5) {
    return 'malformed_server_name';
  }
  const name = start + 5;
  if (bytes[start + 2] !== 0 || name === end || end - name > 255) return 'unacceptable_server_name';
  let hasCapitals = false;
  for (let i = name; i < end; i++) {
    const byte = bytes[i] as number;
    if (byte === 0) return 'unacceptable_server_name';
    if (byte >= 0x41 && byte <= 0x5a) hasCapitals = true;
  }
  out.serverNameHasCapitals = hasCapitals;
  out.serverNameStart = name;
  out.serverNameEnd = end;
  return undefined;
}

/** Twenty extensions are 190 comparisons of two bytes, cheaper than a set; a hostile hello with thousands takes the set. */
function hasDuplicateExtension(bytes: Uint8Array, start: number, end: number, count: number): boolean {
  if (count > 32) {
    const types = new Set<number>();
    for (let at = start; at < end; at += 4 + u16(bytes, at + 2)) types.add(u16(bytes, at));
    return types.size !== count;
  }
  for (let at = start; at < end; at += 4 + u16(bytes, at + 2)) {
    const type = u16(bytes, at);
    for (let later = at + 4 + u16(bytes, at + 2); later < end; later += 4 + u16(bytes, later + 2)) {
      if (u16(bytes, later) === type) return true;
    }
  }
  return false;
}

/** The last list that was read and what it read as: nearly all clients of a gateway offer the same. */
let lastAlpn: Uint8Array = new Uint8Array(0);
let lastProtocols: readonly string[] = [];
/** Longer lists are nobody's habit. */
const MAX_REMEMBERED = 64;

/** The protocols of an ALPN extension's content; `undefined` when it is malformed, empty, or has an empty name. */
export function readAlpn(bytes: Uint8Array, start: number, end: number): readonly string[] | undefined {
  if (isLastAlpn(bytes, start, end)) return lastProtocols;
  const protocols = parseAlpn(bytes, start, end);
  if (protocols !== undefined && end - start <= MAX_REMEMBERED) {
    lastAlpn = Uint8Array.from(bytes.subarray(start, end));
    lastProtocols = protocols;
  }
  return protocols;
}

function isLastAlpn(bytes: Uint8Array, start: number, end: number): boolean {
  if (end - start !== lastAlpn.length || end === start) return false;
  for (let i = 0; i < lastAlpn.length; i++) if (bytes[start + i] !== lastAlpn[i]) return false;
  return true;
}

function parseAlpn(bytes: Uint8Array, start: number, end: number): readonly string[] | undefined {
  if (end - start < 4 || u16(bytes, start) !== end - start - 2) return undefined;
  const protocols: string[] = [];
  let at = start + 2;
  while (at < end) {
    const length = bytes[at] as number;
    const limit = at + 1 + length;
    if (length === 0 || limit > end) return undefined;
    protocols.push(latin1(bytes, at + 1, limit));
    at = limit;
  }
  return protocols;
}

/** Everything else of a hello that `readClientHello` accepted. */
export function readClientHelloDetails(bytes: Uint8Array, start: number, end: number): ClientHelloDetails {
  const cipherLengthAt = start + 35 + (bytes[start + 34] as number);
  const ciphersEnd = cipherLengthAt + 2 + u16(bytes, cipherLengthAt);
  const cipherSuites: number[] = [];
  for (let at = cipherLengthAt + 2; at < ciphersEnd; at += 2) cipherSuites.push(u16(bytes, at));
  const compressionsEnd = ciphersEnd + 1 + (bytes[ciphersEnd] as number);
  const hasNullCompression = bytes.subarray(ciphersEnd + 1, compressionsEnd).includes(0);
  let supportedVersions: readonly number[] | 'malformed' | undefined;
  let hasKeyShare = false;
  let supportedGroups: number[] | undefined;
  let hasDoubleKeyShare = false;
  let hasSignatureAlgorithms = false;
  let lacksUncompressedPoints = false;
  let hasQuicParameters = false;
  let hasAlienEncryptedHello = false;
  let alpn: ClientHelloDetails['alpn'] = 'absent';
  for (let at = compressionsEnd + 2; at + 4 <= end; ) {
    const type = u16(bytes, at);
    const content = at + 4;
    const limit = content + u16(bytes, at + 2);
    switch (type) {
      case SUPPORTED_VERSIONS:
        supportedVersions = readSupportedVersions(bytes, content, limit);
        break;
      case KEY_SHARE:
        hasKeyShare = true;
        hasDoubleKeyShare = repeatsGroup(bytes, content, limit);
        break;
      case SUPPORTED_GROUPS:
        supportedGroups = [];
        for (let group = content + 2; group + 1 < limit; group += 2) supportedGroups.push(u16(bytes, group));
        break;
      case SIGNATURE_ALGORITHMS:
        hasSignatureAlgorithms = true;
        break;
      case POINT_FORMATS:
        lacksUncompressedPoints = !bytes.subarray(content + 1, limit).includes(0);
        break;
      case QUIC_PARAMETERS:
        hasQuicParameters = true;
        break;
      case ENCRYPTED_HELLO:
        hasAlienEncryptedHello = bytes[content] !== 0 && !(bytes[content] === 1 && limit === content + 1);
        break;
      case ALPN:
        alpn = readAlpn(bytes, content, limit) === undefined ? 'malformed' : 'valid';
        break;
    }
    at = limit;
  }
  return {
    legacyVersion: u16(bytes, start),
    supportedVersions,
    cipherSuites,
    hasNullCompression,
    hasKeyShare,
    supportedGroups,
    hasDoubleKeyShare,
    hasSignatureAlgorithms,
    lacksUncompressedPoints,
    hasQuicParameters,
    hasAlienEncryptedHello,
    alpn,
  };
}

function repeatsGroup(bytes: Uint8Array, start: number, end: number): boolean {
  const groups = new Set<number>();
  for (let at = start + 2; at + 4 <= end; at += 4 + u16(bytes, at + 2)) {
    const group = u16(bytes, at);
    if (groups.has(group)) return true;
    groups.add(group);
  }
  return false;
}

function readSupportedVersions(bytes: Uint8Array, start: number, end: number): number[] | 'malformed' {
  const length = end - start - 1;
  if (length < 1 || bytes[start] !== length) return 'malformed';
  const versions: number[] = [];
  // A byte left over at the end is met only when nothing before it fits.
  for (let at = start + 1; at + 1 < end; at += 2) versions.push(u16(bytes, at));
  return versions;
}

/** Node's own way to it, which `toString('latin1', start, end)` reaches over a switch by the encoding's name (30 ns). */
interface Sliceable {
  latin1Slice(start: number, end: number): string;
}

/** One character per byte. Buffer's native slicing is twice as fast as a loop (performance.md §7), so it is taken where there is one. */
export function latin1(bytes: Uint8Array, start: number, end: number): string {
  if (bytes instanceof Buffer) return (bytes as Buffer & Sliceable).latin1Slice(start, end);
  let text = '';
  for (let i = start; i < end; i++) text += String.fromCharCode(bytes[i] as number);
  return text;
}

export function u16(bytes: Uint8Array, at: number): number {
  return ((bytes[at] as number) << 8) | (bytes[at + 1] as number);
}
