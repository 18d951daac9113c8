// Bytes of a client → requests, one at a time (spec dataplane.md §3.3, §3.4). Fed by the connection, owns no I/O. The head
// is read from one latin1 string once it is complete; only its request line is looked at before (Envoy refuses a line that
// is none at once, and a request without a version is complete with it).
import {
  type Http1HeadFacts,
  isContentLength,
  isMethod,
  isTarget,
  isUpgrade,
  MAX_HEAD_BYTES,
} from '../../../filters/http1-head.js';
import type { CodecError } from '../../../filters/local-reply.js';
import { ChunkedDecoder } from './chunked-decoder.js';
import { BlockScanner, hasForbiddenCharacter, joinLines, readHeaderLines, splitFirstLine } from './header-lines.js';

const LF = 10;
const CR = 13;
const EMPTY: Buffer = Buffer.alloc(0);

/** A request line with its headers. */
export interface ParsedHead {
  readonly facts: Http1HeadFacts;
  readonly isHttp11: boolean;
  /** name, value … in order, names lower case, Host left out. */
  readonly headers: string[];
  /** What follows: nothing, a body of that many bytes, chunks, or (upgrades, CONNECT) bytes without end. */
  readonly body: 'none' | 'length' | 'chunked' | 'raw';
}

/** Who hears of the parts of a request, in order. Errors end everything: nothing is read behind one. */
export interface RequestSink {
  /** The first byte of a request, or of the empty lines before one. False = do not read it. */
  onBegin(): boolean;
  /** A legal head; with `body` 'none' the request is complete and `onEnd` does not follow. An answer refuses it. */
  onHead(head: ParsedHead): CodecError | undefined;
  onHeadError(error: CodecError): void;
  onData(chunk: Buffer): void;
  /** The request is complete; the next one is read after `next()`. */
  onEnd(): void;
  onBodyError(error: CodecError): void;
}

type State = 'idle' | 'blank' | 'head' | 'length' | 'chunked' | 'raw' | 'complete' | 'dead';

export interface RequestParserSettings {
  readonly isTls: boolean;
  /** Versions other than 1.1 are served. */
  readonly acceptsHttp10: boolean;
}

/** One parser serves a connection. */
export class Http1RequestParser {
  private readonly settings: RequestParserSettings;
  private readonly sink: RequestSink;
  private state: State = 'idle';
  /** What has not been consumed; `at` = its first byte. */
  private buffer: Buffer = EMPTY;
  private at = 0;
  private readonly scanner = new BlockScanner();
  private readonly chunks: ChunkedDecoder;
  /** The request line, once it is there. */
  private line: readonly [method: string, target: string, version: string] | undefined = undefined;
  private left = 0;
  private running = false;

  constructor(settings: RequestParserSettings, sink: RequestSink) {
    this.settings = settings;
    this.sink = sink;
    this.chunks = new ChunkedDecoder(sink, MAX_HEAD_BYTES);
  }

  /** Bytes that wait for the request before theirs to be answered. */
  get waitingBytes(): number {
    return this.buffer.length - this.at;
  }

  /** A request has begun and is not complete: the peer's end now cuts it. */
  get isInMessage(): boolean {
    return this.state !== 'idle' && this.state !== 'complete' && this.state !== 'dead';
  }

  push(chunk: Buffer): void {
    if (this.state === 'dead') return;
    if (this.at === this.buffer.length) {
      this.buffer = chunk;
      this.rebase(this.at);
      this.at = 0;
    } else {
      this.append(chunk);
    }
    this.run();
  }

  /** The request before has been answered: reads on, with what is there at once. */
  next(): void {
    if (this.state !== 'complete') return;
    this.state = 'idle';
    this.run();
  }

  /** Nothing more is read. */
  stop(): void {
    this.state = 'dead';
    this.buffer = EMPTY;
    this.at = 0;
  }

  private run(): void {
    if (this.running) return;
    this.running = true;
    while (this.at < this.buffer.length && this.step());
    this.running = false;
  }

  /** Reads something; false when more bytes, or an answer, are needed first. */
  private step(): boolean {
    const { buffer } = this;
    switch (this.state) {
      case 'idle':
        if (!this.sink.onBegin()) return false;
        this.state = 'blank';
        return true;
      case 'blank':
        return this.skipBlankLines();
      case 'head':
        return this.readHead();
      case 'length': {
        const take = Math.min(this.left, buffer.length - this.at);
        this.left -= take;
        const from = this.at;
        this.at += take;
        if (this.left > 0) {
          this.sink.onData(buffer.subarray(from, from + take));
          return true;
        }
        this.state = 'complete';
        this.sink.onData(buffer.subarray(from, from + take));
        this.sink.onEnd();
        return true;
      }
      case 'chunked': {
        const next = this.chunks.push(buffer, this.at);
        if (next === -1) return this.failBody();
        this.at = next;
        if (!this.chunks.isDone) return false;
        this.state = 'complete';
        this.sink.onEnd();
        return true;
      }
      case 'raw': {
        const from = this.at;
        this.at = buffer.length;
        this.sink.onData(from === 0 ? buffer : buffer.subarray(from));
        return true;
      }
      default:
        return false;
    }
  }

  private skipBlankLines(): boolean {
    const { buffer } = this;
    while (this.at < buffer.length) {
      const byte = buffer[this.at] as number;
      if (byte !== CR && byte !== LF) {
        if (byte <= 32) return this.failHead('http1.codec_error');
        this.state = 'head';
        this.line = undefined;
        this.scanner.start(this.at);
        return true;
      }
      this.at++;
    }
    return false;
  }

  private readHead(): boolean {
    const { buffer, at, scanner } = this;
    let end = scanner.scan(buffer);
    const isFresh = this.line === undefined && scanner.firstLineEnd !== -1;
    if (isFresh) {
      this.line = splitFirstLine(buffer.toString('latin1', at, scanner.firstLineEnd));
      if (this.line[1] === '') return this.failHead('http1.codec_error');
      // A line of two words is HTTP/0.9: there are no headers.
      if (this.line[2] === '') end = scanner.firstLineEnd;
    }
    if ((end === -1 ? buffer.length : end) - at > MAX_HEAD_BYTES) return this.failHead('http1.headers_too_large');
    if (end === -1) {
      if (isFresh && !this.isLegalLine()) return this.failHead('http1.codec_error');
      return false;
    }
    const text = buffer.toString('latin1', at, end);
    if (hasForbiddenCharacter(text)) return this.failHead('http1.invalid_characters');
    if (isFresh && !this.isLegalLine()) return this.failHead('http1.codec_error');
    const head = this.readLines(text, scanner.firstLineEnd - at);
    if (typeof head === 'string') return this.failHead(head);
    this.at = end;
    switch (head.body) {
      case 'length':
        this.state = 'length';
        this.left = Number(head.facts.contentLength);
        break;
      case 'chunked':
        this.state = 'chunked';
        this.chunks.start();
        break;
      case 'raw':
        this.state = 'raw';
        break;
      case 'none':
        this.state = 'complete';
    }
    const error = this.sink.onHead(head);
    return error === undefined ? true : this.failHead(error);
  }

  private isLegalLine(): boolean {
    const [method, target, version] = this.line as [string, string, string];
    return isMethod(method) && isTarget(target, method) && (version === '' || /^HTTP\/\d\.\d$/.test(version));
  }

  /** Header lines behind the request line; what Envoy's parser itself refuses. */
  private readLines(text: string, start: number): ParsedHead | CodecError {
    const [method, target, version] = this.line as [string, string, string];
    const headers: string[] = [];
    let lines = 0;
    let lengths = 0;
    let hasUnderscore = false;
    let host: string | undefined;
    let transferEncoding: string | undefined;
    let lastEncoding = '';
    let connection: string | undefined;
    let upgrade: string | undefined;
    let te: string | undefined;
    let contentLength: string | undefined;
    let rawLength = '';
    const first = text.charCodeAt(start);
    if (first === 32 || first === 9) return 'http1.codec_error'; // it continues nothing
    const isLegal = readHeaderLines(text, start, (name, value, raw) => {
      lines++;
      switch (name) {
        case 'host':
          host = joinLines(host, value);
          return;
        case 'transfer-encoding':
          transferEncoding = joinLines(transferEncoding, value);
          lastEncoding = raw;
          break;
        case 'content-length':
          lengths++;
          contentLength = value;
          rawLength = raw;
          break;
        case 'connection':
          connection = joinLines(connection, value);
          break;
        case 'upgrade':
          upgrade = joinLines(upgrade, value);
          break;
        case 'te':
          te = joinLines(te, value);
          break;
        default:
          if (!hasUnderscore && name.includes('_')) hasUnderscore = true;
      }
      headers.push(name, value);
    });
    if (!isLegal || lengths > 1) return 'http1.codec_error';
    if (lengths === 1 && transferEncoding === undefined && !isContentLength(rawLength)) return 'http1.codec_error';
    // Envoy looks at how the line ends, even where the last word is the target.
    const isHttp11 = version === 'HTTP/1.1' || (version === '' && target.endsWith('HTTP/1.1'));
    const facts: Http1HeadFacts = {
      method,
      target,
      isTls: this.settings.isTls,
      isServedVersion: isHttp11 || this.settings.acceptsHttp10,
      headerLines: lines,
      hasUnderscore,
      host,
      transferEncoding,
      connection,
      upgrade,
      te,
      contentLength,
    };
    let body: ParsedHead['body'] = 'none';
    if (method === 'CONNECT' || isUpgrade(facts)) body = 'raw';
    // The parser reads the last line as it stands: one with a CR inside frames nothing, though the header says chunked.
    else if (transferEncoding !== undefined) body = lastEncoding.toLowerCase() === 'chunked' ? 'chunked' : 'none';
    else if (contentLength !== undefined && Number(contentLength) > 0) body = 'length';
    return { facts, isHttp11, headers, body };
  }

  private failHead(error: CodecError): false {
    this.stop();
    this.sink.onHeadError(error);
    return false;
  }

  private failBody(): false {
    const { error } = this.chunks;
    this.stop();
    this.sink.onBodyError(
      error === 'trailersTooLarge'
        ? 'http1.headers_too_large'
        : error === 'forbiddenCharacter'
          ? 'http1.invalid_characters'
          : 'http1.codec_error',
    );
    return false;
  }

  private append(chunk: Buffer): void {
    const kept = this.buffer.length - this.at;
    const whole = Buffer.allocUnsafe(kept + chunk.length);
    this.buffer.copy(whole, 0, this.at);
    chunk.copy(whole, kept);
    this.rebase(this.at);
    this.buffer = whole;
    this.at = 0;
  }

  private rebase(bytes: number): void {
    if (this.state === 'head') this.scanner.shift(bytes);
  }
}
