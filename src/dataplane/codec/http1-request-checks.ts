// From node:http's view of a request head to ours: Envoy's checks (filters/http1-head.ts), its limit on the size of a
// head, and what a head that node:http could not parse would have been refused with (spec dataplane.md §3.3).
import { checkHttp1Head, MAX_HEAD_BYTES } from '../../filters/http1-head.js';
import { type CodecError, codecError, type LocalReply } from '../../filters/local-reply.js';
import type { HttpConnectionManager } from '../../xds/index.js';
import type { RequestHead } from './stream.js';

/** A head as node:http parsed it. */
export interface RawRequest {
  readonly method: string;
  readonly target: string;
  /** '1.1', '1.0' … */
  readonly version: string;
  /** As sent: names in their own case. */
  readonly rawHeaders: readonly string[];
  readonly secure: boolean;
  readonly options: HttpConnectionManager['common_http_protocol_options'];
}

/** Either a head to serve or a reply of the codec. */
export type ReadRequest = { readonly head: RequestHead } | { readonly refused: LocalReply };

/** The head as a codec hands it on, or the reply that refuses it. */
export function readRequest(request: RawRequest): ReadRequest {
  if (headBytes(request) > MAX_HEAD_BYTES) return { refused: codecError('http1.headers_too_large') };
  const raw = request.rawHeaders.map((text, i) => (i % 2 === 0 ? text : trimBlanks(text)));
  const { method, target, secure } = request;
  const outcome = checkHttp1Head({ method, target, rawHeaders: raw, isTls: secure }, request.options);
  if (outcome.kind === 'error') return { refused: outcome.reply };
  const headers: string[] = [];
  let hasBody = false;
  for (let i = 0; i < raw.length; i += 2) {
    const name = (raw[i] as string).toLowerCase();
    const value = raw[i + 1] as string;
    if (name === 'host') continue;
    if (name === 'transfer-encoding' || (name === 'content-length' && Number(value) !== 0)) hasBody = true;
    headers.push(name, value);
  }
  return {
    head: {
      protocol: request.version === '1.1' ? 'HTTP/1.1' : 'HTTP/1.0',
      method,
      authority: outcome.authority,
      path: outcome.path,
      scheme: outcome.scheme,
      headers,
      endStream: !hasBody,
    },
  };
}

/** Blanks around names and values are gone already, so this is the least that the head can have had. */
function headBytes(request: RawRequest): number {
  let bytes = request.method.length + request.target.length + ' HTTP/1.1\r\n'.length + 3;
  for (let i = 0; i < request.rawHeaders.length; i++) bytes += (request.rawHeaders[i] as string).length + 2;
  return bytes;
}

function trimBlanks(value: string): string {
  const first = value.charCodeAt(0);
  const last = value.charCodeAt(value.length - 1);
  return first === 32 || first === 9 || last === 32 || last === 9 ? value.replace(/^[ \t]+|[ \t]+$/g, '') : value;
}

/** `packet` = the bytes that node:http choked on, `code` its error's. */
export function refusalOfParserError(code: string, packet: Buffer | undefined): LocalReply {
  return codecError(classify(code, packet?.toString('latin1') ?? ''));
}

function classify(code: string, text: string): CodecError {
  if (code === 'HPE_HEADER_OVERFLOW') return 'http1.headers_too_large';
  const end = text.search(/\r?\n\r?\n/);
  const head = end === -1 ? text : text.slice(0, end);
  const isCoded = /\ntransfer-encoding[ \t]*:/i.test(head);
  if (isCoded && /\ncontent-length[ \t]*:/i.test(head)) return 'http1.content_length_and_chunked_not_allowed';
  if (code === 'HPE_INVALID_TRANSFER_ENCODING') return 'http1.invalid_transfer_encoding';
  // Other versions in HTTP/1 form, and a request line without one (0.9).
  if (/^[A-Z]+ \/\S*(?: HTTP\/(?:0\.9|1\.2|2\.0|3\.0))?\r?\n/.test(text)) return 'low_version';
  // A head that begins like one is judged as a whole, its request line too (measured: lower-case word and a control).
  if (/^[A-Za-z]/.test(head) && /[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]/.test(head)) return 'http1.invalid_characters';
  return 'http1.codec_error';
}
