// One HTTP/1 request and its response over node:http objects.
import type http from 'node:http';
import type net from 'node:net';
import { Readable } from 'node:stream';
import { Http1ResponseParser } from '../upstream/http1-response-parser.js';
import { reasonPhrase } from './reason-phrases.js';
import type {
  RequestHead,
  ResponseHead,
  ServerStream,
  ServerStreamListener,
  ServerTunnel,
  StreamFailure,
} from './stream.js';

const NO_TRAILERS: readonly string[] = [];
/** Bytes that a client may send behind an upgrade request before the upstream has answered (Envoy's buffer limit). */
const TUNNEL_BUFFER = 1024 * 1024;

/** The connection, as a stream needs it. */
export interface Http1StreamOwner {
  readonly socket: net.Socket;
  /** HTTP/1.0 requests are served, and answered as such. */
  readonly acceptsHttp10: boolean;
  /** The response is out. */
  finished(stream: Http1Stream): void;
  close(): void;
  delayedClose(): void;
}

/** Its body is the IncomingMessage itself; its response goes through the ServerResponse, head included, as text of ours. */
export class Http1Stream implements ServerStream {
  readonly head: RequestHead;
  readonly body: Readable;
  readonly trailers: readonly string[] = NO_TRAILERS; // dropped on HTTP/1 (spec dataplane.md §3.4)
  hasResponded = false;
  isTunnel = false;
  private readonly codec: Http1StreamOwner;
  private readonly request: http.IncomingMessage;
  private readonly response: http.ServerResponse;
  private listener: ServerStreamListener | undefined = undefined;
  private readonly early: EarlyBytes | undefined;
  private over = false;

  constructor(
    codec: Http1StreamOwner,
    head: RequestHead,
    request: http.IncomingMessage,
    response: http.ServerResponse,
    upgradeHead: Buffer | undefined,
  ) {
    this.codec = codec;
    this.head = upgradeHead === undefined || isIgnoredUpgrade(head) ? head : { ...head, endStream: true };
    this.request = request;
    this.response = response;
    // The client's leaving must be seen while the upstream makes up its mind, so its bytes are read all the time.
    this.early = upgradeHead === undefined ? undefined : new EarlyBytes(codec, upgradeHead);
    if (this.early === undefined) this.body = request;
    else this.body = this.head.endStream ? Readable.from([]) : new DetachedBody(head, this.early, codec);
    response.on('drain', () => {
      if (!this.over) this.listener?.onDrain();
    });
    response.on('finish', () => this.onFinish());
    response.on('error', () => {}); // a late write to a socket that is gone
  }

  private get isHttp10(): boolean {
    return this.head.protocol === 'HTTP/1.0' && this.codec.acceptsHttp10;
  }

  get requestComplete(): boolean {
    if (this.body instanceof DetachedBody) return this.body.complete;
    return this.head.endStream || this.request.complete;
  }

  listen(listener: ServerStreamListener): void {
    this.listener = listener;
  }

  informational(status: number, headers: readonly string[]): void {
    if (this.over || this.hasResponded) return;
    // ServerResponse can say 100, 102 and 103 only in its own words; this stream is the first in line, so its bytes are next.
    this.codec.socket.write(renderResponseHead(status, headers, this.isHttp10), 'latin1');
  }

  respond(head: ResponseHead, endStream: boolean): void {
    if (this.over || this.hasResponded) return;
    this.hasResponded = true;
    takeOverHead(this.response, head, { isHttp10: this.isHttp10, isHead: this.head.method === 'HEAD', endStream });
    if (endStream) this.response.end();
  }

  write(chunk: Uint8Array): boolean {
    if (this.over || chunk.length === 0) return true;
    return this.response.write(chunk);
  }

  end(_trailers: readonly string[]): void {
    if (!this.over) this.response.end();
  }

  tunnel(head: ResponseHead): ServerTunnel {
    this.hasResponded = true;
    this.isTunnel = true;
    const { socket } = this.codec;
    this.response.detachSocket(socket);
    socket.write(renderResponseHead(head.status, head.headers, this.isHttp10), 'latin1');
    socket.on('drain', () => {
      if (!this.over) this.listener?.onDrain();
    });
    return {
      fromClient: this.early ?? Readable.from([]),
      write: (chunk) => socket.write(chunk),
      end: () => {
        socket.end();
      },
      destroy: () => {
        this.over = true;
        socket.destroy();
      },
    };
  }

  reset(): void {
    if (this.over) return;
    this.over = true;
    this.body.resume();
    this.codec.delayedClose();
  }

  /** From the codec. */
  fail(failure: StreamFailure): void {
    if (this.over) return;
    this.over = true;
    this.early?.destroy();
    this.listener?.onFailure(failure);
  }

  private onFinish(): void {
    if (this.over) return;
    this.over = true;
    this.codec.finished(this);
    // Every answer to an upgrade but 101 ends the connection (spec dataplane.md §3.12); Node's server has let it go.
    if (this.early !== undefined) this.codec.close();
    this.listener?.onFinished();
  }
}

/** Bytes of the client behind an upgrade request, read ahead up to a limit. */
class EarlyBytes extends Readable {
  private readonly codec: Http1StreamOwner;

  constructor(codec: Http1StreamOwner, head: Buffer) {
    super({ highWaterMark: TUNNEL_BUFFER });
    this.codec = codec;
    if (head.length > 0) this.push(head);
    codec.socket.on('data', (chunk: Buffer) => {
      if (!this.push(chunk)) codec.socket.pause();
    });
    codec.socket.on('end', () => this.push(null));
    codec.socket.resume();
  }

  override _read(): void {
    this.codec.socket.resume();
  }
}

/** Envoy does not know `h2c` and takes such a request for an ordinary one, body and all (spec dataplane.md §3.12). */
function isIgnoredUpgrade({ method, headers }: RequestHead): boolean {
  if (method === 'CONNECT') return false;
  for (let i = 0; i < headers.length; i += 2) {
    if (headers[i] === 'upgrade' && (headers[i + 1] as string).toLowerCase() !== 'h2c') return false;
  }
  return true;
}

/** The body of a request that node:http took for an upgrade, and whose bytes it therefore leaves alone. */
class DetachedBody extends Readable {
  complete = false;
  private readonly source: Readable;

  constructor({ headers }: RequestHead, source: Readable, codec: Http1StreamOwner) {
    super();
    this.source = source;
    // The framing of bodies is the same in both directions.
    const parser = new Http1ResponseParser({
      onInformational: () => {},
      onHead: () => {},
      onData: (chunk) => {
        if (!this.push(chunk)) source.pause();
      },
      onEnd: () => {
        this.complete = true;
        this.push(null);
      },
    });
    parser.expect({ head: false, upgrade: false });
    const framing = headers.flatMap((name, i) =>
      i % 2 === 0 && (name === 'content-length' || name === 'transfer-encoding')
        ? [name, headers[i + 1] as string]
        : [],
    );
    parser.push(Buffer.from(renderResponseHead(200, framing), 'latin1'));
    source.on('data', (chunk: Buffer) => {
      if (!this.complete && parser.push(chunk) === 'malformed') codec.socket.destroy();
    });
  }

  override _read(): void {
    this.source.resume();
  }
}

/** Status line and headers as bytes. An answer to HTTP/1.0 says so. */
export function renderResponseHead(status: number, headers: readonly string[], isHttp10 = false): string {
  let text = `HTTP/1.${isHttp10 ? '0' : '1'} ${status} ${reasonPhrase(status)}\r\n`;
  for (let i = 0; i < headers.length; i += 2) text += `${headers[i]}: ${headers[i + 1]}\r\n`;
  return `${text}\r\n`;
}

/**
 * Gives a ServerResponse its head as finished text. `writeHead` has opinions that Envoy does not share: HTTP/1.1 on every
 * status line, no status above 999, no `trailer` without chunks, no bytes behind 204 and 304 (spec dataplane.md §3.2,
 * §3.7, §5.3). The fields are internal to node:http but the same in Node 20 to 24; http1.test.ts shows each of them at work.
 */
function takeOverHead(
  response: http.ServerResponse,
  head: ResponseHead,
  facts: { readonly isHttp10: boolean; readonly isHead: boolean; readonly endStream: boolean },
): void {
  const { headers } = head;
  let isChunked = false;
  let closes = facts.isHttp10;
  for (let i = 0; i < headers.length; i += 2) {
    if (headers[i] === 'transfer-encoding') isChunked = true;
    else if (headers[i] === 'connection') closes = headers[i + 1] === 'close';
  }
  Reflect.set(response, '_header', renderResponseHead(head.status, headers, facts.isHttp10));
  Reflect.set(response, 'chunkedEncoding', isChunked);
  Reflect.set(response, '_hasBody', !facts.endStream && !facts.isHead);
  Reflect.set(response, '_last', closes);
  Reflect.set(response, 'shouldKeepAlive', !closes);
}
