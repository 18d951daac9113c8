// Reads the first bytes of a connection as Envoy's TLS inspector does: a real TLS record parser that is stopped as soon
// as the ClientHello is there (spec dataplane.md §1.2, §1.3). It owns its state and no I/O; the bytes stay the caller's,
// who replays them to the transport socket of the chosen chain.
import {
  type ClientHelloDetails,
  ClientHelloOffsets,
  latin1,
  readAlpn,
  readClientHello,
  readClientHelloDetails,
  u16,
} from './client-hello.js';
import { type HelloDefect, helloFailureText } from './hello-defect.js';

/**
 * 'needMore': wait (15 s timer). 'hello': chain selection with `serverName` and `alpn`. 'notTls': chain selection as
 * raw_buffer without name and ALPN. 'tooLarge' and 'refused' (a legacy version outside 3.1 to 3.4, close_notify): reset at
 * once, no chain selection, no log line.
 */
export type InspectOutcome = 'needMore' | 'hello' | 'notTls' | 'tooLarge' | 'refused';

/** Raw bytes from the first of the connection, record headers included (spec dataplane.md §1.2). */
export const MAX_CLIENT_HELLO_BYTES = 16_384;

const NO_ALPN: readonly string[] = [];
const RECORD_HEADER = 5;
const MESSAGE_HEADER = 4;
const MAX_MESSAGE = 16_384;
/** 2^14 of plaintext and what a cipher may add (256 + 64). */
const MAX_RECORD = 16_704;
const MAX_EMPTY_RECORDS = 32;
const MAX_WARNING_ALERTS = 4;
const HANDSHAKE = 22;
const ALERT = 21;
/** Legacy versions that Envoy knows, whatever supported_versions says (measured). */
const MIN_LEGACY_VERSION = 0x0301;
const MAX_LEGACY_VERSION = 0x0304;
const EMPTY = new Uint8Array(0);

/** Shared by all inspectors: parsing is synchronous, and the offsets are read before the next parse. */
const offsets = new ClientHelloOffsets();

/**
 *     const inspector = new TlsInspector();
 *     socket.on('data', (chunk) => { if (inspector.push(chunk) === 'hello') route(inspector.serverName); });
 *
 * After an outcome other than 'needMore', further pushes return it again and read nothing.
 */
export class TlsInspector {
  /** Lower case, one character per byte; '' while unknown or absent. */
  serverName = '';
  /** Offered protocols in order; empty when the extension is absent or malformed. */
  alpn: readonly string[] = NO_ALPN;
  /** True when an ALPN extension is there that cannot be read: a terminating chain answers decode_error (50). */
  alpnMalformed = false;
  /** What was wrong; set with 'notTls' only. */
  defect: HelloDefect | undefined = undefined;
  /** Number of the client's alert, with defect 'peer_alert'; else 0. */
  peerAlert = 0;
  private outcome: InspectOutcome = 'needMore';
  /** Bytes seen so far, copied only when the first chunk did not decide. */
  private raw: Uint8Array = EMPTY;
  private length = 0;
  /** Offset in `raw` of the first record that has not been taken apart. */
  private recordAt = 0;
  /** Handshake bytes of the records taken apart, when the hello spans several. */
  private message: Uint8Array = EMPTY;
  private messageLength = 0;
  private emptyRecords = 0;
  private warningAlerts = 0;
  private started = false;
  /** Where the accepted hello body is. */
  private hello: Uint8Array = EMPTY;
  private helloStart = 0;
  private helloEnd = 0;

  push(chunk: Uint8Array): InspectOutcome {
    if (this.outcome !== 'needMore') return this.outcome;
    if (this.length === 0) {
      // The usual hello comes in one segment and is parsed where it lies.
      this.raw = chunk;
      this.length = Math.min(chunk.length, MAX_CLIENT_HELLO_BYTES);
      if (this.inspect() === 'needMore') this.keep(chunk);
    } else {
      this.append(chunk);
      this.inspect();
    }
    if (this.outcome === 'needMore' && this.length === MAX_CLIENT_HELLO_BYTES) this.outcome = 'tooLarge';
    if (this.outcome !== 'needMore') {
      this.raw = EMPTY;
      this.message = EMPTY;
    }
    return this.outcome;
  }

  /** Text for `%DOWNSTREAM_TRANSPORT_FAILURE_REASON%` of the log line; '' = none. */
  get failureReason(): string {
    return helloFailureText(this.defect, this.peerAlert);
  }

  /** Facts for a terminating chain's own checks; `undefined` unless the outcome is 'hello'. */
  details(): ClientHelloDetails | undefined {
    if (this.outcome !== 'hello') return undefined;
    return readClientHelloDetails(this.hello, this.helloStart, this.helloEnd);
  }

  private keep(chunk: Uint8Array): void {
    const copy = new Uint8Array(Math.min(Math.max(512, this.length * 2), MAX_CLIENT_HELLO_BYTES));
    copy.set(chunk.subarray(0, this.length));
    this.raw = copy;
  }

  private append(chunk: Uint8Array): void {
    const total = Math.min(this.length + chunk.length, MAX_CLIENT_HELLO_BYTES);
    if (total > this.raw.length) {
      const grown = new Uint8Array(Math.min(Math.max(total, this.raw.length * 2), MAX_CLIENT_HELLO_BYTES));
      grown.set(this.raw.subarray(0, this.length));
      this.raw = grown;
    }
    this.raw.set(chunk.subarray(0, total - this.length), this.length);
    this.length = total;
  }

  private inspect(): InspectOutcome {
    const { raw, length } = this;
    if (!this.started) {
      if (length < RECORD_HEADER) return 'needMore';
      const clear = clearTextRequest(raw);
      if (clear !== undefined) return this.fail(clear);
      if (((raw[0] as number) & 0x80) !== 0 && raw[2] === 1 && raw[3] === 3) return this.inspectSslv2();
      this.started = true;
    }
    while (length - this.recordAt >= RECORD_HEADER) {
      const at = this.recordAt;
      if (raw[at + 1] !== 3) return this.fail('wrong_version_number');
      const recordLength = u16(raw, at + 3);
      if (recordLength > MAX_RECORD) return this.fail('encrypted_length_too_long');
      const end = at + RECORD_HEADER + recordLength;
      if (end > length) return 'needMore';
      this.recordAt = end;
      const outcome = this.takeRecord(raw[at] as number, at + RECORD_HEADER, end);
      if (outcome !== 'needMore') return outcome;
    }
    return 'needMore';
  }

  private takeRecord(type: number, start: number, end: number): InspectOutcome {
    if (start === end) {
      if (++this.emptyRecords > MAX_EMPTY_RECORDS) return this.fail('too_many_empty_fragments');
    } else {
      this.emptyRecords = 0;
    }
    if (type === ALERT) return this.takeAlert(start, end);
    this.warningAlerts = 0;
    if (type !== HANDSHAKE) return this.fail('unexpected_record');
    if (this.messageLength === 0 && this.takeMessage(this.raw, start, end)) return this.outcome;
    this.appendMessage(start, end);
    if (this.takeMessage(this.message, 0, this.messageLength)) return this.outcome;
    // Checked before more is read, so that a client cannot make the gateway hold 16 MB.
    if (this.messageLength >= MESSAGE_HEADER && messageLengthAt(this.message, 0) > MAX_MESSAGE) {
      return this.fail('excessive_message_size');
    }
    return 'needMore';
  }

  private appendMessage(start: number, end: number): void {
    const total = this.messageLength + end - start;
    if (total > this.message.length) {
      const grown = new Uint8Array(Math.max(total, this.message.length * 2, 512));
      grown.set(this.message.subarray(0, this.messageLength));
      this.message = grown;
    }
    this.message.set(this.raw.subarray(start, end), this.messageLength);
    this.messageLength = total;
  }

  /** True when a whole handshake message was there and `outcome` is decided. */
  private takeMessage(bytes: Uint8Array, start: number, end: number): boolean {
    if (end - start < MESSAGE_HEADER) return false;
    const bodyStart = start + MESSAGE_HEADER;
    const bodyEnd = bodyStart + messageLengthAt(bytes, start);
    if (bodyEnd > end) return false;
    if (bytes[start] !== 1) this.fail('unexpected_message');
    else if (bodyEnd !== end) this.takeHello(bytes, bodyStart, bodyEnd, 'excess_handshake_data');
    else this.takeHello(bytes, bodyStart, bodyEnd);
    return true;
  }

  private takeHello(bytes: Uint8Array, start: number, end: number, excess?: HelloDefect): void {
    const defect = readClientHello(bytes, start, end, offsets) ?? excess;
    if (defect !== undefined) {
      this.fail(defect);
      return;
    }
    // Measured: no chain is looked for, not even a catch-all (spec dataplane.md §1.2).
    if (offsets.legacyVersion < MIN_LEGACY_VERSION || offsets.legacyVersion > MAX_LEGACY_VERSION) {
      this.outcome = 'refused';
      return;
    }
    if (offsets.serverNameStart !== -1) {
      const name = latin1(bytes, offsets.serverNameStart, offsets.serverNameEnd);
      this.serverName = offsets.serverNameHasCapitals ? lowerCase(name) : name;
    }
    if (offsets.alpnStart !== -1) {
      const protocols = readAlpn(bytes, offsets.alpnStart, offsets.alpnEnd);
      if (protocols === undefined) this.alpnMalformed = true;
      else this.alpn = protocols;
    }
    this.hello = bytes;
    this.helloStart = start;
    this.helloEnd = end;
    this.outcome = 'hello';
  }

  private takeAlert(start: number, end: number): InspectOutcome {
    if (end - start !== 2) return this.fail('bad_alert');
    const level = this.raw[start] as number;
    const description = this.raw[start + 1] as number;
    if (level === 1) {
      // Measured: an end and no error, so nothing is chosen and nothing logged.
      if (description === 0) {
        this.outcome = 'refused';
        return 'refused';
      }
      if (++this.warningAlerts > MAX_WARNING_ALERTS) return this.fail('too_many_warning_alerts');
      return 'needMore';
    }
    if (level !== 2) return this.fail('unknown_alert_type');
    this.peerAlert = description;
    return this.fail('peer_alert');
  }

  /** An SSLv2-style hello is rewritten by the library into a TLS one without extensions; there is no name in it. */
  private inspectSslv2(): InspectOutcome {
    const { raw, length } = this;
    const size = (((raw[0] as number) & 0x7f) << 8) | (raw[1] as number);
    if (size > 4096) return this.fail('sslv2_too_large');
    if (size < 3) return this.fail('sslv2_length');
    if (length < 2 + size) return 'needMore';
    const ciphersEnd = 11 + u16(raw, 5);
    const sessionIdEnd = ciphersEnd + u16(raw, 7);
    if (size < 9 || sessionIdEnd + u16(raw, 9) !== 2 + size || u16(raw, 5) % 3 !== 0) {
      return this.fail('sslv2_decode_error');
    }
    const version = u16(raw, 3);
    const ciphers: number[] = [];
    for (let at = 11; at < ciphersEnd; at += 3) {
      if (raw[at] === 0) ciphers.push(raw[at + 1] as number, raw[at + 2] as number);
    }
    if (ciphers.length === 0) return this.fail('clienthello_parse_failed');
    const hello = new Uint8Array(39 + ciphers.length);
    hello.set([version >> 8, version & 0xff]);
    hello.set([ciphers.length >> 8, ciphers.length & 0xff, ...ciphers, 1, 0], 35);
    this.takeHello(hello, 0, hello.length);
    return this.outcome;
  }

  private fail(defect: HelloDefect): InspectOutcome {
    this.defect = defect;
    this.outcome = 'notTls';
    return 'notTls';
  }
}

/**
 * `%REQUESTED_SERVER_NAME%` of a name in the access log: as it is, or `invalid:` and the name with every byte that is
 * not a letter, digit, `.`, `-` or `_` as `_` (spec dataplane.md §1.3).
 */
export function printableServerName(serverName: string): string {
  return /^[A-Za-z0-9._-]*$/.test(serverName) ? serverName : `invalid:${serverName.replace(/[^A-Za-z0-9._-]/g, '_')}`;
}

function messageLengthAt(bytes: Uint8Array, at: number): number {
  return ((bytes[at + 1] as number) << 16) | u16(bytes, at + 2);
}

/** `toLowerCase` would also change Latin-1 letters, which are bytes here. */
function lowerCase(name: string): string {
  return name.replace(/[A-Z]+/g, (capitals) => capitals.toLowerCase());
}

function clearTextRequest(raw: Uint8Array): HelloDefect | undefined {
  const first = raw[0] as number;
  // A record begins with 20..23, an SSLv2 hello with 0x80 and more: letters need the comparison only.
  if (first < 0x41 || first > 0x5a) return undefined;
  const word = latin1(raw, 0, RECORD_HEADER);
  if (word === 'CONNE') return 'https_proxy_request';
  const request = word === 'POST ' || word === 'HEAD ' || word.startsWith('GET ') || word.startsWith('PUT ');
  return request ? 'http_request' : undefined;
}
