// An HTTP/2 client that counts answers: literal headers that are never indexed, a large window, nothing decoded.
import type { Subject } from './subjects.js';

const PREFACE = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n';
const FRAME_HEADER_BYTES = 9;
const DATA = 0;
const HEADERS = 1;
const RST_STREAM = 3;
const SETTINGS = 4;
const PING = 6;
const WINDOW_UPDATE = 8;
const END_STREAM = 1;
const END_HEADERS = 4;
const ACK = 1;
/** Of the connection and of each stream, on top of what they have. */
const WINDOW = 1 << 24;
/** Received bytes after which the window is opened again. */
const GRANT = 1 << 20;
const SETTINGS_INITIAL_WINDOW_SIZE = 4;

/** One connection; it has no socket of its own. */
export class Http2Client {
  private readonly subjects: readonly Subject[];
  private readonly blocks: readonly Buffer[];
  private readonly done: (subject: Subject, sent: number) => void;
  private readonly failed: () => void;
  private readonly streams = new Map<number, { readonly subject: Subject; readonly sent: number }>();
  private rest: Buffer | undefined = undefined;
  private next = 0;
  private received = 0;

  /** Asks the subjects in turn. `done` is called for each answer, `failed` for each stream that is reset. */
  constructor(subjects: readonly Subject[], done: (subject: Subject, sent: number) => void, failed: () => void) {
    this.subjects = subjects;
    this.blocks = subjects.map(headerBlock);
    this.done = done;
    this.failed = failed;
  }

  /** The first bytes: so many streams. */
  open(count: number): Buffer {
    const settings = Buffer.alloc(6);
    settings.writeUInt16BE(SETTINGS_INITIAL_WINDOW_SIZE, 0);
    settings.writeUInt32BE(WINDOW, 2);
    const parts = [Buffer.from(PREFACE), frame(SETTINGS, 0, 0, settings), frame(WINDOW_UPDATE, 0, 0, uint32(WINDOW))];
    for (let i = 0; i < count; i++) parts.push(this.request());
    return Buffer.concat(parts);
  }

  /** What is to be written after these bytes have come; a new request for each answer while `goOn`. */
  push(chunk: Buffer, goOn: boolean): Buffer {
    const bytes = this.rest === undefined ? chunk : Buffer.concat([this.rest, chunk]);
    const replies: Buffer[] = [];
    let at = 0;
    while (bytes.length - at >= FRAME_HEADER_BYTES) {
      const length = bytes.readUIntBE(at, 3);
      const end = at + FRAME_HEADER_BYTES + length;
      if (bytes.length < end) break;
      this.frame(bytes.subarray(at, end), replies, goOn);
      at = end;
    }
    this.rest = at < bytes.length ? bytes.subarray(at) : undefined;
    if (this.received >= GRANT) {
      replies.push(frame(WINDOW_UPDATE, 0, 0, uint32(this.received)));
      this.received = 0;
    }
    return Buffer.concat(replies);
  }

  private frame(bytes: Buffer, replies: Buffer[], goOn: boolean): void {
    const type = bytes[3] as number;
    const flags = bytes[4] as number;
    const payload = bytes.subarray(FRAME_HEADER_BYTES);
    const isAck = (flags & ACK) !== 0;
    if (type === DATA) this.received += payload.length;
    if (type === SETTINGS && !isAck) replies.push(frame(SETTINGS, ACK, 0, Buffer.alloc(0)));
    if (type === PING && !isAck) replies.push(frame(PING, ACK, 0, payload));
    const isReset = type === RST_STREAM;
    const isEnd = (type === DATA || type === HEADERS) && (flags & END_STREAM) !== 0;
    if (!isReset && !isEnd) return;
    const id = bytes.readUInt32BE(5);
    const asked = this.streams.get(id);
    // A reset may come after the end: nobody waits for it.
    if (asked === undefined) return;
    this.streams.delete(id);
    if (isReset) this.failed();
    else this.done(asked.subject, asked.sent);
    if (goOn) replies.push(this.request());
  }

  private request(): Buffer {
    const at = this.next++;
    const id = 2 * at + 1;
    this.streams.set(id, { subject: this.subjects[at % this.subjects.length] as Subject, sent: performance.now() });
    return frame(HEADERS, END_STREAM | END_HEADERS, id, this.blocks[at % this.blocks.length] as Buffer);
  }
}

function headerBlock({ authority, kind, request }: Subject): Buffer {
  const pairs = [
    [':method', request.method],
    [':scheme', kind === 'http' ? 'http' : 'https'],
    [':authority', authority],
    [':path', request.path],
    ['user-agent', 'postern-bench'],
    ...request.headers.map(([name, value]) => [name.toLowerCase(), value] as const),
  ] as const;
  return Buffer.concat(pairs.flatMap(([name, value]) => [Buffer.from([0]), literal(name), literal(value)]));
}

/** A string without Huffman coding; its length is an integer with a prefix of 7 bits (RFC 7541 §5.1). */
function literal(text: string): Buffer {
  const bytes = Buffer.from(text, 'latin1');
  const length: number[] = [];
  if (bytes.length < 127) length.push(bytes.length);
  else {
    length.push(127);
    let left = bytes.length - 127;
    for (; left >= 128; left >>= 7) length.push((left & 127) | 128);
    length.push(left);
  }
  return Buffer.concat([Buffer.from(length), bytes]);
}

function frame(type: number, flags: number, stream: number, payload: Uint8Array): Buffer {
  const bytes = Buffer.allocUnsafe(FRAME_HEADER_BYTES + payload.length);
  bytes.writeUIntBE(payload.length, 0, 3);
  bytes[3] = type;
  bytes[4] = flags;
  bytes.writeUInt32BE(stream, 5);
  bytes.set(payload, FRAME_HEADER_BYTES);
  return bytes;
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}
