// HTTP/1.1 of the client: a head written as it was asked for, and the response parser of our upstream side.
import { Http1ResponseParser } from '../../dataplane/codec/http1/response-parser.js';
import type { ClientConnection } from './client-connection.js';
import type { ClientRequest, ClientResponse, Exchanges, HeaderLines } from './exchange.js';

const NO_LINES: HeaderLines = [];

/** Requests over one HTTP/1.1 connection. */
export class Http1Exchanges implements Exchanges {
  readonly protocol = 'HTTP/1.1';
  isReusable = true;
  private readonly connection: ClientConnection;
  private readonly parser: Http1ResponseParser;
  private head: { status: number; headers: HeaderLines } | undefined = undefined;
  private informational: { status: number; headers: HeaderLines }[] = [];
  private chunks: Buffer[] = [];
  private complete = false;
  private settle: ((timedOut: boolean) => void) | undefined = undefined;

  constructor(connection: ClientConnection) {
    this.connection = connection;
    this.parser = new Http1ResponseParser({
      onInformational: (status, headers) => this.informational.push({ status, headers: pairs(headers) }),
      onHead: (status, headers, endStream) => {
        this.head = { status, headers: pairs(headers) };
        if (endStream) this.finish();
      },
      onData: (chunk) => this.chunks.push(Buffer.from(chunk)),
      onEnd: () => this.finish(),
    });
    connection.socket.on('data', (chunk: Buffer) => {
      if (this.parser.push(chunk) !== 'ok') {
        this.isReusable = false;
        this.settle?.(false);
      }
    });
    connection.onEnded = () => {
      this.isReusable = false;
      // A body that ends with the connection is complete.
      if (connection.ending === 'eof' && this.settle !== undefined) this.parser.end();
      this.settle?.(false);
    };
  }

  exchange(request: ClientRequest, timeout: number): Promise<ClientResponse> {
    this.head = undefined;
    this.informational = [];
    this.chunks = [];
    this.complete = false;
    this.parser.expect({ head: request.method === 'HEAD', upgrade: asksForUpgrade(request) });
    return new Promise((resolve) => {
      const timer = setTimeout(() => this.settle?.(true), timeout);
      this.settle = (timedOut) => {
        clearTimeout(timer);
        this.settle = undefined;
        if (timedOut || !this.complete || !this.parser.keepAlive || this.parser.isTunnel) this.isReusable = false;
        resolve({
          ...(this.head === undefined ? {} : { head: this.head }),
          informational: this.informational,
          body: Buffer.concat(this.chunks),
          trailers: NO_LINES,
          complete: this.complete,
          timedOut,
        });
      };
      if (this.connection.ending !== undefined) this.settle(false);
      else this.connection.socket.write(renderRequest(request));
    });
  }

  close(): void {
    this.isReusable = false;
    this.connection.close();
  }

  private finish(): void {
    this.complete = true;
    this.settle?.(false);
  }
}

function renderRequest(request: ClientRequest): Buffer {
  const { method, path, authority, headers, body, http10 } = request;
  const lines = [`${method} ${path} HTTP/${http10 ? '1.0' : '1.1'}`, `host: ${authority}`];
  for (const [name, value] of headers) lines.push(`${name}: ${value}`);
  const isFramed = headers.some(([name]) => /^(?:content-length|transfer-encoding)$/i.test(name));
  if (!isFramed && (body.length > 0 || /^(?:POST|PUT|PATCH)$/.test(method))) {
    lines.push(`content-length: ${body.length}`);
  }
  const head = Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1');
  return body.length === 0 ? head : Buffer.concat([head, body]);
}

function asksForUpgrade({ headers }: ClientRequest): boolean {
  return headers.some(([name]) => name.toLowerCase() === 'upgrade');
}

function pairs(flat: readonly string[]): HeaderLines {
  const lines: [string, string][] = [];
  for (let i = 0; i < flat.length; i += 2) lines.push([flat[i] as string, flat[i + 1] as string]);
  return lines;
}
