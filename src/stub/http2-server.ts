// HTTP/2 of the stubs, on node:http2: by prior knowledge or after ALPN, on any socket that has it.
import http2 from 'node:http2';
import type net from 'node:net';
import tls from 'node:tls';
import type { HeaderList, HttpRequest, Reply, RequestHandler, StubResponse } from './received.js';

/** A server without a port: connections that speak HTTP/2 are given to it. */
export interface Http2Server {
  /** `raw` is the TCP socket beneath `socket`. */
  serve(socket: net.Socket, raw: net.Socket): void;
}

export function createHttp2Server(handler: RequestHandler): Http2Server {
  const raws = new WeakMap<http2.Http2Session, net.Socket>();
  // Longer heads than Node's defaults allow: what is too much is the gateway's judgement, not the stub's.
  const server = http2.createServer({ maxHeaderListPairs: 1000, settings: { maxHeaderListSize: 1 << 20 } });
  let accepting: net.Socket | undefined;
  server.on('session', (session) => {
    if (accepting !== undefined) raws.set(session, accepting);
    session.on('error', ignore);
  });
  server.on('sessionError', ignore);
  server.on('stream', (stream: http2.ServerHttp2Stream, ...rest: unknown[]) => {
    // The fourth argument is the flat list of names and values; @types/node does not know it.
    const flat = rest[2] as readonly string[];
    const chunks: Buffer[] = [];
    stream.on('error', ignore);
    stream.on('data', (chunk: Buffer) => chunks.push(chunk));
    stream.on('end', () => {
      const session = stream.session;
      const raw = session === undefined ? undefined : raws.get(session);
      if (stream.aborted || raw === undefined) return;
      const request = toRequest(flat, Buffer.concat(chunks).toString('latin1'));
      handler(request, new Http2Reply(stream, raw, request.method));
    });
  });
  return {
    serve(socket, raw) {
      // node:http2 serves a TLS socket without ALPN only if told that h2 was agreed on.
      if (socket instanceof tls.TLSSocket) socket.alpnProtocol = 'h2';
      accepting = raw;
      server.emit('connection', socket);
      accepting = undefined;
    },
  };
}

function toRequest(flat: readonly string[], body: string): HttpRequest {
  const headers: [string, string][] = [];
  const pseudo: Record<string, string> = {};
  for (let index = 0; index < flat.length; index += 2) {
    const name = flat[index] as string;
    const value = flat[index + 1] as string;
    if (name.startsWith(':')) pseudo[name] = value;
    else headers.push([name, value]);
  }
  return {
    protocol: 'HTTP/2',
    method: pseudo[':method'] ?? '',
    path: pseudo[':path'] ?? '',
    ...(pseudo[':authority'] === undefined ? {} : { authority: pseudo[':authority'] }),
    ...(pseudo[':scheme'] === undefined ? {} : { scheme: pseudo[':scheme'] }),
    headers,
    body,
  };
}

// What the upstream did not say must not come from Node. @types/node does not know the option.
const NO_DATE: object = { sendDate: false };

class Http2Reply implements Reply {
  private readonly stream: http2.ServerHttp2Stream;
  private readonly raw: net.Socket;
  private readonly method: string;

  constructor(stream: http2.ServerHttp2Stream, raw: net.Socket, method: string) {
    this.stream = stream;
    this.raw = raw;
    this.method = method;
  }

  informational(status: number, headers: HeaderList): void {
    if (this.isOpen()) this.stream.additionalHeaders({ ':status': status, ...toObject(headers) });
  }

  respond(response: StubResponse): void {
    if (!this.isOpen()) return;
    const { status, body, trailers = [], abort = false } = response;
    const headers = { ':status': status, ...toObject(response.headers) };
    const hasBody = body.length > 0 && status !== 204 && status !== 304 && this.method !== 'HEAD';
    if (!hasBody && trailers.length === 0) {
      this.stream.respond(headers, { endStream: true, ...NO_DATE });
    } else {
      this.stream.respond(headers, { waitForTrailers: trailers.length > 0, ...NO_DATE });
      this.stream.once('wantTrailers', () => this.stream.sendTrailers(toObject(trailers)));
      if (abort) this.stream.write(body, () => this.raw.destroy());
      else this.stream.end(body);
    }
    if (response.closeAfter === true) this.stream.once('close', () => this.stream.session?.close());
  }

  reset(code?: number): void {
    if (code === undefined) this.raw.resetAndDestroy();
    else this.stream.close(code);
  }

  close(): void {
    this.raw.destroy();
  }

  garbage(): void {
    this.raw.end('this is no HTTP\r\n\r\n');
  }

  upgrade(): boolean {
    return false;
  }

  private isOpen(): boolean {
    return !this.stream.destroyed && !this.stream.closed && !this.stream.headersSent;
  }
}

function toObject(headers: HeaderList): Record<string, string | string[]> {
  const object: Record<string, string | string[]> = {};
  for (const [name, value] of headers) {
    const key = name.toLowerCase();
    const existing = object[key];
    object[key] = existing === undefined ? value : [...(Array.isArray(existing) ? existing : [existing]), value];
  }
  return object;
}

// A peer that leaves is no news to a stub.
function ignore(): void {}
