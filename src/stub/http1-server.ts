// HTTP/1.1 of the stubs, over a socket and by hand: whatever is sent must be recorded as it was, header case and order
// included, and answered in ways that a well-behaved server would refuse (two lengths, garbage, half a body).
import { STATUS_CODES } from 'node:http';
import type net from 'node:net';
import type { Duplex } from 'node:stream';
import type { HeaderList, HttpRequest, Reply, RequestHandler, StubResponse } from './received.js';
import { headerValue } from './received.js';

type BodyState =
  | { readonly kind: 'none' }
  | { readonly kind: 'length'; remaining: number }
  | { readonly kind: 'chunked'; remaining: number; stage: 'size' | 'data' | 'dataEnd' | 'trailers' };

/** Serves the requests of one connection, one after another. `raw` is the TCP socket beneath `socket`. */
export function serveHttp1(socket: Duplex, raw: net.Socket, handler: RequestHandler): void {
  new Http1Connection(socket, raw, handler);
}

class Http1Connection {
  private readonly socket: Duplex;
  private readonly raw: net.Socket;
  private readonly handler: RequestHandler;
  private pending: Buffer = Buffer.alloc(0);
  private head: Omit<HttpRequest, 'body'> | undefined = undefined;
  private state: BodyState = { kind: 'none' };
  private body: Buffer[] = [];
  private busy = false;
  private upgraded: ((chunk: Buffer) => void) | undefined = undefined;

  constructor(socket: Duplex, raw: net.Socket, handler: RequestHandler) {
    this.socket = socket;
    this.raw = raw;
    this.handler = handler;
    socket.on('data', (chunk: Buffer) => {
      if (this.upgraded !== undefined) return this.echo(chunk);
      this.pending = this.pending.length === 0 ? chunk : Buffer.concat([this.pending, chunk]);
      this.advance();
    });
    socket.on('end', () => socket.end());
  }

  private advance(): void {
    while (!this.busy && this.upgraded === undefined) {
      if (this.head === undefined && !this.readHead()) return;
      if (!this.readBody()) return;
      const request: HttpRequest = {
        ...(this.head as Omit<HttpRequest, 'body'>),
        body: Buffer.concat(this.body).toString('latin1'),
      };
      this.head = undefined;
      this.body = [];
      this.busy = true;
      this.handler(request, new Http1Reply(this.socket, this.raw, request.method, (next) => this.answered(next)));
    }
  }

  private answered(next: 'next' | ((chunk: Buffer) => void)): void {
    this.busy = false;
    if (next === 'next') {
      // Not at once: an answer from within the handler would otherwise recurse per pipelined request.
      setImmediate(() => this.advance());
      return;
    }
    this.upgraded = next;
    const rest = this.pending;
    this.pending = Buffer.alloc(0);
    if (rest.length > 0) this.echo(rest);
  }

  private echo(chunk: Buffer): void {
    this.upgraded?.(chunk);
    this.socket.write(chunk);
  }

  private readHead(): boolean {
    const end = this.pending.indexOf('\r\n\r\n');
    if (end === -1) return false;
    const lines = this.pending.toString('latin1', 0, end).split('\r\n');
    this.pending = this.pending.subarray(end + 4);
    const [method = '', path = ''] = (lines.shift() ?? '').split(' ');
    const headers: [string, string][] = lines.map((line) => {
      const colon = line.indexOf(':');
      return [line.slice(0, colon), line.slice(colon + 1).trim()];
    });
    this.head = { protocol: 'HTTP/1.1', method, path, headers };
    if (/\bchunked$/i.test(headerValue(headers, 'transfer-encoding'))) {
      this.state = { kind: 'chunked', remaining: 0, stage: 'size' };
    } else {
      const length = Number(headerValue(headers, 'content-length'));
      this.state = length > 0 ? { kind: 'length', remaining: length } : { kind: 'none' };
    }
    return true;
  }

  /** True when the body is complete. */
  private readBody(): boolean {
    const state = this.state;
    switch (state.kind) {
      case 'none':
        return true;
      case 'length':
        state.remaining -= this.take(state.remaining);
        return state.remaining === 0;
      case 'chunked':
        return this.readChunks(state);
      default:
        return state satisfies never;
    }
  }

  private readChunks(state: Extract<BodyState, { kind: 'chunked' }>): boolean {
    for (;;) {
      if (state.stage === 'data') {
        state.remaining -= this.take(state.remaining);
        if (state.remaining > 0) return false;
        state.stage = 'dataEnd';
      }
      const line = this.pending.indexOf('\r\n');
      if (line === -1) return false;
      const text = this.pending.toString('latin1', 0, line);
      this.pending = this.pending.subarray(line + 2);
      if (state.stage === 'trailers') {
        if (text === '') return true;
      } else if (state.stage === 'dataEnd') {
        state.stage = 'size';
      } else {
        state.remaining = Number.parseInt(text, 16);
        state.stage = state.remaining > 0 ? 'data' : 'trailers';
      }
    }
  }

  private take(wanted: number): number {
    const part = this.pending.subarray(0, wanted);
    if (part.length > 0) this.body.push(part);
    this.pending = this.pending.subarray(part.length);
    return part.length;
  }
}

class Http1Reply implements Reply {
  private readonly socket: Duplex;
  private readonly raw: net.Socket;
  private readonly method: string;
  private readonly done: (next: 'next' | ((chunk: Buffer) => void)) => void;

  constructor(
    socket: Duplex,
    raw: net.Socket,
    method: string,
    done: (next: 'next' | ((chunk: Buffer) => void)) => void,
  ) {
    this.socket = socket;
    this.raw = raw;
    this.method = method;
    this.done = done;
  }

  informational(status: number, headers: HeaderList): void {
    this.write(renderHead(status, headers));
  }

  respond(response: StubResponse): void {
    const { status, body, chunked = false } = response;
    const hasBody = status >= 200 && status !== 204 && status !== 304 && this.method !== 'HEAD';
    const framing: [string, string][] =
      status === 204 ? [] : chunked ? [['transfer-encoding', 'chunked']] : [['content-length', String(body.length)]];
    this.write(renderHead(status, [...response.headers, ...framing]));
    if (hasBody) this.writeBody(response, chunked);
    if (response.abort === true || response.closeAfter === true) this.socket.end();
    else this.done('next');
  }

  reset(): void {
    this.raw.resetAndDestroy();
  }

  close(): void {
    this.socket.end();
  }

  garbage(): void {
    this.write('this is no HTTP\r\n\r\n');
    this.socket.end();
  }

  upgrade(headers: HeaderList, received: (chunk: Buffer) => void): boolean {
    this.write(renderHead(101, headers));
    this.done(received);
    return true;
  }

  private writeBody(response: StubResponse, chunked: boolean): void {
    const { body, abort = false, trailers = [] } = response;
    if (!chunked) {
      this.write(abort ? body.subarray(0, body.length >> 1) : body);
      return;
    }
    this.write(`${body.length.toString(16)}\r\n`);
    this.write(body);
    this.write('\r\n');
    if (abort) return;
    this.write(`0\r\n${trailers.map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n`);
  }

  private write(data: string | Buffer): void {
    if (!this.socket.writable) return;
    if (typeof data === 'string') this.socket.write(data, 'latin1');
    else this.socket.write(data);
  }
}

function renderHead(status: number, headers: HeaderList): string {
  const lines = headers.map(([name, value]) => `${name}: ${value}\r\n`);
  return `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? 'Unknown'}\r\n${lines.join('')}\r\n`;
}
