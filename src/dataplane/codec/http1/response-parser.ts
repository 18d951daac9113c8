// Bytes of an HTTP/1.1 upstream → head, body and end (spec dataplane.md §5.3). Fed by the connection; owns no I/O. Shares
// its tokenizer and chunk framing with the requests' parser: Envoy's is one parser for both.
import { isContentLength } from '../../../filters/http1-head.js';
import { ChunkedDecoder } from './chunked-decoder.js';
import { BlockScanner, hasForbiddenCharacter, joinLines, readHeaderLines } from './header-lines.js';

/** Envoy's limits for responses: 80 KiB of head, 100 header lines. */
const MAX_HEAD_BYTES = 80 * 1024;
const MAX_HEADER_LINES = 100;
const CR = 13;
const EMPTY: Buffer = Buffer.alloc(0);

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

type State = 'head' | 'length' | 'close' | 'chunked' | 'tunnel' | 'done';

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
  private pending: Buffer = EMPTY;
  private isBetweenLines = true;
  private readonly scanner = new BlockScanner();
  private readonly chunks: ChunkedDecoder;
  private expected: ExpectedResponse = { head: false, upgrade: false };
  private readonly sink: ResponseSink;

  constructor(sink: ResponseSink) {
    this.sink = sink;
    this.chunks = new ChunkedDecoder(sink, MAX_HEAD_BYTES);
  }

  /** Gets ready for the next response. */
  expect(expected: ExpectedResponse): void {
    this.expected = expected;
    this.state = 'head';
    this.isBetweenLines = true;
    this.keepAlive = true;
  }

  get isTunnel(): boolean {
    return this.state === 'tunnel';
  }

  /** True when the bytes were no HTTP (502 UPE) or came after the end of a response. */
  push(chunk: Buffer): 'ok' | 'malformed' | 'unexpected' {
    let buffer = chunk;
    if (this.pending.length > 0) {
      buffer = Buffer.concat([this.pending, chunk]);
      this.pending = EMPTY;
    }
    let at = 0;
    while (at < buffer.length) {
      switch (this.state) {
        case 'done':
          return 'unexpected';
        case 'head': {
          if (this.isBetweenLines) {
            if (!couldBeStatusLine(buffer, at)) return 'malformed';
            this.isBetweenLines = false;
            this.scanner.start(at);
          }
          const end = this.scanner.scan(buffer);
          if ((end === -1 ? buffer.length : end) - at > MAX_HEAD_BYTES) return 'malformed';
          if (end === -1) {
            if (!couldBeStatusLine(buffer, at)) return 'malformed';
            this.pending = at === 0 ? buffer : buffer.subarray(at);
            this.scanner.shift(at);
            return 'ok';
          }
          const text = buffer.toString('latin1', at, end);
          at = end;
          this.isBetweenLines = true;
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
        case 'chunked': {
          at = this.chunks.push(buffer, at);
          if (at === -1) return 'malformed';
          if (this.chunks.isDone) this.finish();
          break;
        }
        default:
          this.sink.onData(at === 0 ? buffer : buffer.subarray(at));
          return 'ok';
      }
    }
    return 'ok';
  }

  /**
   * The peer closed, in whatever way: 'none' before the first byte of a response, 'cut' in the middle of one (which Envoy
   * calls a protocol error, measured). `onEnd` is called for a close-delimited body.
   */
  end(): 'complete' | 'none' | 'cut' {
    if (this.state === 'close') {
      this.finish();
      return 'complete';
    }
    if (this.state === 'done') return 'complete';
    return this.state === 'tunnel' || (this.state === 'head' && this.isBetweenLines) ? 'none' : 'cut';
  }

  private finish(): void {
    this.state = 'done';
    this.sink.onEnd();
  }

  private readHead(text: string): boolean {
    if (hasForbiddenCharacter(text)) return false;
    const lf = text.indexOf('\n');
    const status = parseStatusLine(text.slice(0, text.charCodeAt(lf - 1) === CR ? lf - 1 : lf));
    const first = text.charCodeAt(lf + 1);
    if (status === undefined || first === 32 || first === 9) return false;
    const headers: string[] = [];
    let lines = 0;
    let lengths = 0;
    let length: string | undefined;
    let encoding: string | undefined;
    let lastEncoding = '';
    let connection = '';
    const isLegal = readHeaderLines(text, lf + 1, (name, value, raw) => {
      lines++;
      switch (name) {
        case 'content-length':
          lengths++;
          length = raw;
          break;
        case 'transfer-encoding':
          encoding = joinLines(encoding, value);
          lastEncoding = raw;
          break;
        case 'connection':
          connection = joinLines(connection, value.toLowerCase());
          break;
        default:
      }
      headers.push(name, value);
    });
    if (!isLegal || lines > MAX_HEADER_LINES || lengths > 1) return false;
    if (length !== undefined && (encoding !== undefined || !isContentLength(length))) return false;
    if (encoding !== undefined && encoding.toLowerCase() !== 'chunked') return false;
    if ((status.code < 200 || status.code === 204) && encoding !== undefined) return false;
    return this.startBody(status, headers, length, lastEncoding.toLowerCase() === 'chunked', connection);
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
    if ((code < 200 || code === 204) && (bytes ?? 0) !== 0) return false;
    if (code < 200 && code !== 101) {
      this.sink.onInformational(code, headers); // the head of the real response follows
      return true;
    }
    if (connection !== '' && /(?:^|,)\s*close\s*(?:,|$)/.test(connection)) this.keepAlive = false;
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
      this.state = 'chunked';
      this.chunks.start();
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
}

interface StatusLine {
  readonly code: number;
  readonly http10: boolean;
}

// A reason may be missing and a code may have more than three digits (spec dataplane.md §5.3: 2000 is passed on).
function parseStatusLine(line: string): StatusLine | undefined {
  const match = /^HTTP\/(\d)\.(\d)[ \t]+\+?(\d{3,9})(?:[ \t]|$)/.exec(line);
  if (match === null) return undefined;
  const code = Number(match[3]);
  return code < 100 ? undefined : { code, http10: match[1] === '1' && match[2] === '0' };
}

const STATUS_START = 'HTTP/';

/** Garbage is refused at its first wrong byte, so that a peer that then waits does not hang the request. */
function couldBeStatusLine(buffer: Buffer, at: number): boolean {
  for (let i = 0; i < STATUS_START.length && at + i < buffer.length; i++) {
    if (buffer[at + i] !== STATUS_START.charCodeAt(i)) return false;
  }
  return true;
}
