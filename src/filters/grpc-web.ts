// Bodies of gRPC-Web (spec dataplane.md §3.8): a request's base64 text becomes bytes, a response's trailers become a last
// frame of its body, and in the text form every part is base64 by itself. Fed with bytes, no I/O.
import { encodeGrpcMessage, type GrpcWebFormat, httpToGrpcStatus, isGrpcContentType } from './grpc.js';
import type { HeaderMap } from './header-map.js';
import type { LocalReply } from './local-reply.js';

/** Answer to text that is no base64. */
export const INVALID_BASE64: LocalReply = {
  status: 400,
  body: 'Bad gRPC-web request, invalid base64 data.',
  headers: [],
  details: 'grpc_base_64_decode_failed',
};

const EMPTY = Buffer.alloc(0);
const FRAME_HEADER = 5;
/** First byte of the frame that holds the trailers. */
const TRAILER_FRAME = 0x80;

/** The request's body in the text form: groups of four characters, wherever its pieces are cut; padding is mandatory. */
export class GrpcWebTextDecoder {
  private rest = '';

  /** Bytes so far; 'malformed' = answer `INVALID_BASE64`. */
  push(chunk: Uint8Array): Buffer | 'malformed' {
    const text = this.rest + Buffer.from(chunk).toString('latin1');
    const whole = text.length - (text.length % 4);
    this.rest = text.slice(whole);
    return decodeGroups(text.slice(0, whole));
  }

  /** At the end of the body: true when nothing is left over. */
  isComplete(): boolean {
    return this.rest === '';
  }
}

/** `application/grpc-web` without `-text` has its frames as they are. */
export function isGrpcWebText(contentType: string | undefined): boolean {
  return contentType?.startsWith('application/grpc-web-text') === true;
}

/** How much of a plain response's body becomes the message. */
export const MAX_PLAIN_BODY = 16_384;

/** True when an upstream's response is no gRPC and has to be turned into one. */
export function isPlainResponse(headers: HeaderMap, endStream: boolean): boolean {
  const type = headers.get('content-type');
  return !endStream && !isGrpcContentType(type) && !/^application\/grpc-web\+proto$/.test(type ?? '');
}

/** The response's side. One per stream. */
export class GrpcWebResponse {
  private readonly format: GrpcWebFormat;
  /** Text form only: bytes of a frame that is not complete yet. */
  private partial: Buffer = EMPTY;

  constructor(format: GrpcWebFormat) {
    this.format = format;
  }

  /** Headers of an upstream's response, changed in place. A response that is all head keeps its status there. */
  changeHeaders(headers: HeaderMap, endStream: boolean): void {
    const type = this.format === 'text' ? 'application/grpc-web-text+proto' : 'application/grpc-web+proto';
    headers.set('content-type', type);
    if (!endStream) headers.remove('content-length');
  }

  /**
   * A response that is no gRPC becomes one without a body: its text is the message. `status` stays the HTTP status.
   * Measured with a plain 200, which says grpc-status 2.
   */
  changePlainHeaders(headers: HeaderMap, status: number, body: Uint8Array): void {
    this.changeHeaders(headers, true);
    headers.remove('content-length');
    if (body.length > 0) headers.append('grpc-message', encodeGrpcMessage(Buffer.from(body).toString('latin1')));
    headers.append('grpc-status', String(httpToGrpcStatus(status)));
    headers.append('content-length', '0');
  }

  /** A piece of the body as it goes to the client; may be empty while a frame is incomplete. */
  encode(chunk: Uint8Array): Buffer {
    if (this.format === 'binary') return Buffer.from(chunk);
    let bytes = Buffer.concat([this.partial, chunk]);
    let text = '';
    while (bytes.length >= FRAME_HEADER) {
      const length = FRAME_HEADER + bytes.readUInt32BE(1);
      if (bytes.length < length) break;
      text += bytes.toString('base64', 0, length);
      bytes = bytes.subarray(length);
    }
    this.partial = bytes;
    return Buffer.from(text, 'latin1');
  }

  /** The trailers (name, value, name, value …) as the last frame. */
  encodeTrailers(trailers: readonly string[]): Buffer {
    let text = '';
    for (let i = 0; i < trailers.length; i += 2) text += `${trailers[i]}:${trailers[i + 1]}\r\n`;
    const body = Buffer.from(text, 'latin1');
    const frame = Buffer.alloc(FRAME_HEADER + body.length);
    frame[0] = TRAILER_FRAME;
    frame.writeUInt32BE(body.length, 1);
    body.copy(frame, FRAME_HEADER);
    return this.format === 'binary' ? frame : Buffer.from(frame.toString('base64'), 'latin1');
  }
}

/** Groups may carry padding of their own, because clients encode message by message. */
function decodeGroups(text: string): Buffer | 'malformed' {
  const parts: Buffer[] = [];
  for (let at = 0; at < text.length; ) {
    const padding = text.indexOf('=', at);
    const end = padding === -1 ? text.length : padding - (padding % 4) + 4;
    const part = text.slice(at, end);
    if (!/^[A-Za-z0-9+/]*={0,2}$/.test(part)) return 'malformed';
    parts.push(Buffer.from(part, 'base64'));
    at = end;
  }
  return Buffer.concat(parts);
}
