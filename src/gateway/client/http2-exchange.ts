// HTTP/2 of the client, on node:http2.
import http2 from 'node:http2';
import type { ClientConnection } from './client-connection.js';
import type { ClientRequest, ClientResponse, Exchanges, HeaderLines } from './exchange.js';

const NO_LINES: HeaderLines = [];

/** Requests over one HTTP/2 connection. */
export class Http2Exchanges implements Exchanges {
  readonly protocol = 'HTTP/2';
  private readonly connection: ClientConnection;
  private readonly session: http2.ClientHttp2Session;

  constructor(connection: ClientConnection) {
    this.connection = connection;
    this.session = http2.connect('https://gateway.invalid', { createConnection: () => connection.socket });
    this.session.on('error', ignore);
  }

  get isReusable(): boolean {
    return !this.session.closed && !this.session.destroyed && this.connection.ending === undefined;
  }

  exchange(request: ClientRequest, timeout: number): Promise<ClientResponse> {
    return new Promise((resolve) => {
      let head: ClientResponse['head'];
      const informational: { status: number; headers: HeaderLines }[] = [];
      const chunks: Buffer[] = [];
      let trailers: HeaderLines = NO_LINES;
      let ended = false;
      let settled = false;
      let stream: http2.ClientHttp2Stream | undefined;
      const settle = (timedOut: boolean): void => {
        if (settled) return;
        settled = true;
        clearTimeout(timer);
        const code = stream?.rstCode ?? 0;
        // A server that answers before the body has come resets the rest with NO_ERROR.
        const isWhole = ended && (code === 0 || code === http2.constants.NGHTTP2_NO_ERROR);
        resolve({
          ...(head === undefined ? {} : { head }),
          informational,
          body: Buffer.concat(chunks),
          trailers,
          complete: isWhole,
          ...(code === 0 ? {} : { streamError: ERROR_NAMES[code] ?? String(code) }),
          timedOut,
        });
      };
      const timer = setTimeout(() => {
        stream?.close(http2.constants.NGHTTP2_CANCEL);
        settle(true);
      }, timeout);
      if (!this.isReusable) {
        settle(false);
        return;
      }
      try {
        stream = this.session.request(toHeaders(request), { endStream: request.body.length === 0 });
      } catch {
        // The session ended between the look and the request.
        settle(false);
        return;
      }
      const opened = stream;
      opened.on('error', ignore);
      opened.on('headers', (fields: http2.IncomingHttpHeaders, _flags: number, raw?: unknown) => {
        informational.push({ status: statusOf(fields), headers: linesOf(raw) });
      });
      opened.on('response', (fields: http2.IncomingHttpHeaders, _flags: number, ...rest: unknown[]) => {
        head = { status: statusOf(fields), headers: linesOf(rest[0]) };
      });
      opened.on('trailers', (_fields: http2.IncomingHttpHeaders, _flags: number, ...rest: unknown[]) => {
        trailers = linesOf(rest[0]);
      });
      opened.on('data', (chunk: Buffer) => chunks.push(chunk));
      opened.on('end', () => {
        ended = true;
      });
      opened.on('close', () => settle(false));
      if (request.body.length > 0) opened.end(request.body);
    });
  }

  close(): void {
    this.session.destroy();
    this.connection.close();
  }
}

function toHeaders(request: ClientRequest): http2.OutgoingHttpHeaders {
  const headers: http2.OutgoingHttpHeaders = {
    ':method': request.method,
    ':scheme': request.scheme,
    ':authority': request.authority,
    ':path': request.path,
  };
  for (const [written, value] of request.headers) {
    const name = written.toLowerCase();
    const existing = headers[name];
    if (existing === undefined) headers[name] = value;
    else headers[name] = [...(Array.isArray(existing) ? existing : [String(existing)]), value];
  }
  const isFramed = headers['content-length'] !== undefined;
  if (!isFramed && request.body.length > 0) headers['content-length'] = String(request.body.length);
  return headers;
}

function statusOf(fields: http2.IncomingHttpHeaders): number {
  return Number(fields[':status'] ?? 0);
}

/** node:http2 hands over a flat list of names and values beside the object; @types/node does not know it. */
function linesOf(flat: unknown): HeaderLines {
  const lines: [string, string][] = [];
  if (!Array.isArray(flat)) return lines;
  for (let i = 0; i < flat.length; i += 2) {
    const name = String(flat[i]);
    if (!name.startsWith(':')) lines.push([name, String(flat[i + 1])]);
  }
  return lines;
}

// RFC 9113 §7, in the order of their codes.
const ERROR_NAMES: readonly string[] = [
  'NO_ERROR',
  'PROTOCOL_ERROR',
  'INTERNAL_ERROR',
  'FLOW_CONTROL_ERROR',
  'SETTINGS_TIMEOUT',
  'STREAM_CLOSED',
  'FRAME_SIZE_ERROR',
  'REFUSED_STREAM',
  'CANCEL',
  'COMPRESSION_ERROR',
  'CONNECT_ERROR',
  'ENHANCE_YOUR_CALM',
  'INADEQUATE_SECURITY',
  'HTTP_1_1_REQUIRED',
];

function ignore(): void {}
