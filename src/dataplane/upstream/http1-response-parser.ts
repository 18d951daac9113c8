// Bytes of an HTTP/1.1 upstream → head, body and end (spec dataplane.md §5.3). Fed by the connection; owns no I/O.
// Heads are found with a native search and read from one latin1 string; only chunk framing is a state machine
// (performance.md §5).

/** Envoy's limits for responses: 80 KiB of head, 100 header lines. */
const MAX_HEAD_BYTES = 80 * 1024;
const MAX_HEADER_LINES = 100;
const END_OF_HEAD = Buffer.from('\r\n\r\n');
const LF = 10;
const CR = 13;

/** Who hears of the parts of a response, in order. */
export interface ResponseSink {
  onInformational(status: number, headers: string[]): void;
  onHead(status: number, headers: string[], endStream: boolean): void;
  onData(chunk: Buffer): void;
  /** The response is complete. `trailers` of HTTP/1.1 are dropped, as Envoy does. */
  onEnd(): void;
}

/** What of the request decides how its response reads. */
export interface ExpectedResponse {
  /** HEAD has no body whatever the head says. */
  readonly head: boolean;
  /** A 101 opens a tunnel. */
  readonly upgrade: boolean;
}

type State =
  | 'head'
  | 'length'
  | 'close'
  | 'chunkSize'
  | 'chunkExtension'
  | 'chunkData'
  | 'chunkEnd'
  | 'trailer'
  | 'tunnel'
  | 'done';

/**
 * One parser serves a connection: `expect` before each response.
 *
 *     parser.expect({ head: false, upgrade: false });
 *     if (parser.push(bytes) !== 'ok') connection.close();
 */
export class Http1ResponseParser {
  /** False once the peer said, or the framing implies, that the connection ends with this response. */
  keepAlive = true;
  private state: State = 'done';
  private left = 0;
  private digits = 0;
  private trailerLine = 0;
  private sawCr = false;
  private pending: Buffer | undefined = undefined;
  private expected: ExpectedResponse = { head: false, upgrade: false };
  private readonly sink: ResponseSink;

  constructor(sink: ResponseSink) {
    this.sink = sink;
  }

  /** Gets ready for the next response. */
  expect(expected: ExpectedResponse): void {
    this.expected = expected;
    this.state = 'head';
    this.keepAlive = true;
  }

  get isTunnel(): boolean {
    return this.state === 'tunnel';
  }

  /** True when the bytes were no HTTP (502 UPE) or came after the end of a response. */
  push(chunk: Buffer): 'ok' | 'malformed' | 'unexpected' {
    let buffer = chunk;
    if (this.pending !== undefined) {
      buffer = Buffer.concat([this.pending, chunk]);
      this.pending = undefined;
    }
    let at = 0;
    while (at < buffer.length) {
      switch (this.state) {
        case 'done':
          return 'unexpected';
        case 'head': {
          const end = headEnd(buffer, at);
          if (end === -1) {
            if (buffer.length - at > MAX_HEAD_BYTES || !couldBeStatusLine(buffer, at)) return 'malformed';
            this.pending = at === 0 ? buffer : buffer.subarray(at);
            return 'ok';
          }
          if (end - at > MAX_HEAD_BYTES) return 'malformed';
          const text = buffer.toString('latin1', at, end);
          at = end;
          if (!this.readHead(text)) return 'malformed';
          break;
        }
        case 'length': {
          const take = Math.min(this.left, buffer.length - at);
          this.left -= take;
          this.sink.onData(buffer.subarray(at, at + take));
          at += take;
          if (this.left === 0) this.finish();
          break;
        }
        case 'close':
        case 'tunnel':
          this.sink.onData(at === 0 ? buffer : buffer.subarray(at));
          return 'ok';
        default: {
          const next = this.readChunked(buffer, at);
          if (next === -1) return 'malformed';
          at = next;
        }
      }
    }
    return 'ok';
  }

  /**
   * The peer closed. What that means depends on where we are: `onEnd` is called for a close-delimited body; `broken` when
   * bytes of a response were there, be it the first one of its head (Envoy: protocol error); else `cut`.
   */
  end(): 'complete' | 'cut' | 'broken' {
    if (this.state === 'close') {
      this.finish();
      return 'complete';
    }
    if (this.state === 'done') return 'complete';
    if (this.state === 'tunnel') return 'cut';
    return this.state === 'head' && this.pending === undefined ? 'cut' : 'broken';
  }

  private finish(): void {
    this.state = 'done';
    this.sink.onEnd();
  }

  private readHead(text: string): boolean {
    const lines = new HeadLines(text);
    const status = parseStatusLine(lines.next() ?? '');
    if (status === undefined) return false;
    const headers: string[] = [];
    let contentLength: string | undefined;
    let transferEncoding: string | undefined;
    let connection = '';
    for (let line = lines.next(); line !== undefined && line !== ''; line = lines.next()) {
      if (headers.length >= 2 * MAX_HEADER_LINES) return false;
      const colon = line.indexOf(':');
      if (colon < 1) return false;
      const name = line.slice(0, colon).toLowerCase();
      const value = trimBlanks(line, colon + 1);
      if (!isToken(name) || hasControl(value)) return false;
      switch (name) {
        case 'content-length':
          if (contentLength !== undefined || !/^\d{1,15}$/.test(value)) return false;
          contentLength = value;
          break;
        case 'transfer-encoding':
          if (transferEncoding !== undefined || value.toLowerCase() !== 'chunked') return false;
          transferEncoding = value;
          break;
        case 'connection':
          connection = connection === '' ? value.toLowerCase() : `${connection},${value.toLowerCase()}`;
          break;
        default:
      }
      headers.push(name, value);
    }
    if (contentLength !== undefined && transferEncoding !== undefined) return false;
    return this.startBody(status, headers, contentLength, transferEncoding !== undefined, connection);
  }

  private startBody(
    status: StatusLine,
    headers: string[],
    length: string | undefined,
    chunked: boolean,
    connection: string,
  ): boolean {
    const code = status.code;
    const bytes = length === undefined ? undefined : Number(length);
    if ((code < 200 || code === 204) && (chunked || (bytes ?? 0) !== 0)) return false;
    if (code < 200 && code !== 101) {
      this.sink.onInformational(code, headers); // the head of the real response follows
      return true;
    }
    if (/(?:^|,)\s*close\s*(?:,|$)/.test(connection)) this.keepAlive = false;
    if (status.http10 && !/(?:^|,)\s*keep-alive\s*(?:,|$)/.test(connection)) this.keepAlive = false;
    if (code === 101 && this.expected.upgrade) {
      this.state = 'tunnel';
      this.keepAlive = false;
      this.sink.onHead(code, headers, false);
      return true;
    }
    if (code === 101) this.keepAlive = false; // nobody asked: the peer now speaks something else
    const empty = this.expected.head || code === 101 || code === 204 || code === 304 || bytes === 0;
    if (empty) {
      this.state = 'done';
      this.sink.onHead(code, headers, true);
      this.sink.onEnd();
      return true;
    }
    if (chunked) {
      this.state = 'chunkSize';
      this.left = 0;
      this.digits = 0;
    } else if (bytes !== undefined) {
      this.state = 'length';
      this.left = bytes;
    } else {
      this.state = 'close';
      this.keepAlive = false;
    }
    this.sink.onHead(code, headers, false);
    return true;
  }

  /** Reads one piece of chunk framing or data; the next position, or -1 when it is malformed. */
  private readChunked(buffer: Buffer, start: number): number {
    let at = start;
    switch (this.state) {
      case 'chunkSize': {
        const byte = buffer[at++] as number;
        const digit = hexDigit(byte);
        if (digit !== -1) {
          if (++this.digits > 13) return -1; // beyond 2^52 no size is real
          this.left = this.left * 16 + digit;
          return at;
        }
        if (this.digits === 0) return -1;
        if (byte === CR || byte === 59 || byte === 32 || byte === 9) {
          this.sawCr = byte === CR;
          this.state = 'chunkExtension';
          return at;
        }
        return -1;
      }
      case 'chunkExtension': {
        if (!this.sawCr) {
          const cr = buffer.indexOf(CR, at);
          if (cr === -1) return buffer.length;
          this.sawCr = true;
          return cr + 1;
        }
        if (buffer[at++] !== LF) return -1;
        this.digits = 0;
        this.trailerLine = 0;
        this.state = this.left === 0 ? 'trailer' : 'chunkData';
        return at;
      }
      case 'chunkData': {
        const take = Math.min(this.left, buffer.length - at);
        this.left -= take;
        if (this.left === 0) {
          this.state = 'chunkEnd';
          this.sawCr = false;
        }
        this.sink.onData(buffer.subarray(at, at + take));
        return at + take;
      }
      case 'chunkEnd': {
        const byte = buffer[at++] as number;
        if (!this.sawCr) {
          if (byte !== CR) return -1;
          this.sawCr = true;
          return at;
        }
        if (byte !== LF) return -1;
        this.state = 'chunkSize';
        return at;
      }
      default: {
        // Trailer lines are dropped; an empty one ends the message. `trailerLine` counts bytes of the current line.
        const byte = buffer[at++] as number;
        if (byte === LF) {
          if (this.trailerLine === 0) this.finish();
          this.trailerLine = 0;
        } else if (byte !== CR) {
          this.trailerLine++;
        }
        return at;
      }
    }
  }
}

interface StatusLine {
  readonly code: number;
  readonly http10: boolean;
}

// A reason may be missing and a code may have more than three digits (spec dataplane.md §5.3: 2000 is passed on).
function parseStatusLine(line: string): StatusLine | undefined {
  const match = /^HTTP\/(\d)\.(\d) +(\d{3,9})(?: |$)/.exec(line);
  if (match === null) return undefined;
  const code = Number(match[3]);
  return code < 100 ? undefined : { code, http10: match[1] === '1' && match[2] === '0' };
}

const STATUS_START = 'HTTP/';

/** Garbage is refused at its first wrong byte, so that a peer that then waits does not hang the request. */
function couldBeStatusLine(buffer: Buffer, at: number): boolean {
  const length = Math.min(STATUS_START.length, buffer.length - at);
  return buffer.toString('latin1', at, at + length) === STATUS_START.slice(0, length);
}

/** Position behind the empty line that ends the head, or -1. Lines may end with a bare LF (spec dataplane.md §5.3). */
function headEnd(buffer: Buffer, from: number): number {
  const strict = buffer.indexOf(END_OF_HEAD, from);
  const limit = strict === -1 ? buffer.length : strict;
  for (let lf = buffer.indexOf(LF, from); lf !== -1 && lf < limit; lf = buffer.indexOf(LF, lf + 1)) {
    if (buffer[lf + 1] === LF) return lf + 2;
    if (buffer[lf + 1] === CR && buffer[lf + 2] === LF) return lf + 3;
  }
  return strict === -1 ? -1 : strict + 4;
}

/** Lines of a head, continuation lines joined: the line break goes, the first blank stays. */
class HeadLines {
  private at = 0;
  private readonly text: string;

  constructor(text: string) {
    this.text = text;
  }

  next(): string | undefined {
    let line = this.raw();
    if (line === undefined || line === '') return line;
    while (this.text.charCodeAt(this.at) === 32 || this.text.charCodeAt(this.at) === 9) {
      const more = this.raw();
      if (more === undefined) break;
      line += more;
    }
    return line;
  }

  private raw(): string | undefined {
    if (this.at >= this.text.length) return undefined;
    const lf = this.text.indexOf('\n', this.at);
    if (lf === -1) return undefined;
    const end = lf > this.at && this.text.charCodeAt(lf - 1) === CR ? lf - 1 : lf;
    const line = this.text.slice(this.at, end);
    this.at = lf + 1;
    return line;
  }
}

function trimBlanks(line: string, start: number): string {
  let from = start;
  let to = line.length;
  while (from < to && (line.charCodeAt(from) === 32 || line.charCodeAt(from) === 9)) from++;
  while (to > from && (line.charCodeAt(to - 1) === 32 || line.charCodeAt(to - 1) === 9)) to--;
  return line.slice(from, to);
}

function isToken(name: string): boolean {
  return /^[!#$%&'*+\-.^_`|~0-9a-z]+$/.test(name);
}

function hasControl(value: string): boolean {
  return /[\x00-\x08\x0a-\x1f\x7f]/.test(value);
}

function hexDigit(byte: number): number {
  if (byte >= 48 && byte <= 57) return byte - 48;
  const lower = byte | 32;
  return lower >= 97 && lower <= 102 ? lower - 87 : -1;
}
