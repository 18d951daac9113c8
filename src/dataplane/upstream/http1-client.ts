// An upstream HTTP/1.1 connection of our own (performance.md §5, spec dataplane.md §5.2-§5.4): one exchange at a time,
// head and first body bytes in one write, responses through Http1ResponseParser.
import type net from 'node:net';
import { Http1ResponseParser, type ResponseSink } from '../codec/http1/response-parser.js';
import type { UpstreamRequestHead, UpstreamStream, UpstreamStreamListener } from './http-stream.js';

/** Body chunks up to this size are copied behind the head into one buffer; larger ones are written beside it. */
const JOIN_LIMIT = 16 * 1024;
const NO_TRAILERS: readonly string[] = [];

/** Methods that say nothing about a body they do not have (spec dataplane.md §5.2). */
const BODILESS: ReadonlySet<string> = new Set(['GET', 'HEAD', 'DELETE', 'TRACE', 'CONNECT']);

/** The pool. */
export interface Http1ConnectionOwner {
  /** The exchange is over and the connection may carry another one. */
  onIdle(connection: Http1Connection): void;
  /** The socket is gone, or will be used no more. Called once. */
  onClosed(connection: Http1Connection): void;
}

/** Made over a socket that is connected, TLS included. */
export class Http1Connection implements ResponseSink {
  readonly localAddress: string;
  /** Exchanges begun so far (max_requests_per_connection). */
  served = 0;
  private readonly socket: net.Socket;
  private readonly owner: Http1ConnectionOwner;
  private readonly parser: Http1ResponseParser;
  private exchange: Exchange | undefined = undefined;
  private closed = false;
  /** The chunk that is being read has completed a response, and the connection may be used again. */
  private becameIdle = false;

  constructor(socket: net.Socket, localAddress: string, owner: Http1ConnectionOwner) {
    this.socket = socket;
    this.localAddress = localAddress;
    this.owner = owner;
    this.parser = new Http1ResponseParser(this);
    // Only TLS: a plaintext socket reads through `onread`.
    socket.on('data', (chunk: Buffer) => this.onBytes(chunk));
    socket.on('drain', () => this.exchange?.listener.onDrain());
    socket.on('end', () => this.onSocketEnd());
    socket.on('error', () => this.onSocketEnd()); // reset: 'connection termination' as well
    socket.on('close', () => this.onSocketEnd());
  }

  /** Starts an exchange; the head is written together with the first body bytes, or at the end of this turn. */
  begin(head: UpstreamRequestHead, listener: UpstreamStreamListener): UpstreamStream {
    this.served++;
    this.parser.expect({ head: head.method === 'HEAD', upgrade: head.upgrade });
    const exchange = new Exchange(this, this.socket, head, listener);
    this.exchange = exchange;
    if (this.socket.isPaused()) this.socket.resume(); // as handed over by the dial
    if (!head.endStream) queueMicrotask(() => exchange.flushHead());
    return exchange;
  }

  /** Ends the connection; an exchange that runs is told nothing. */
  close(): void {
    this.exchange = undefined;
    this.shut();
  }

  onInformational(status: number, headers: string[]): void {
    this.exchange?.listener.onInformational(status, headers);
  }

  onHead(status: number, headers: string[], endStream: boolean): void {
    this.exchange?.listener.onHead(status, headers, endStream);
  }

  onData(chunk: Buffer): void {
    this.exchange?.listener.onData(chunk);
  }

  onEnd(): void {
    const exchange = this.exchange;
    if (exchange === undefined) return;
    this.exchange = undefined;
    // A response before the end of the request leaves bytes that nobody would read (spec dataplane.md §5.3).
    const reusable = this.parser.keepAlive && exchange.isSent && !this.closed;
    exchange.detach();
    if (!reusable) this.shut();
    exchange.listener.onEnd(NO_TRAILERS);
    if (!reusable || this.closed) return;
    if (this.socket.isPaused()) this.socket.resume(); // an idle connection must see the peer's FIN
    this.becameIdle = true;
  }

  /** From the exchange: the caller gives up. */
  abandon(exchange: Exchange): void {
    if (this.exchange !== exchange) return;
    this.exchange = undefined;
    this.shut();
  }

  /** From the socket; the chunk is the connection's. */
  onBytes(chunk: Buffer): void {
    if (this.closed) return;
    this.becameIdle = false;
    const verdict = this.parser.push(chunk);
    if (this.closed) return;
    if (verdict === 'ok') {
      // Only now: the rest of the chunk must not be taken for the answer to the next request.
      if (this.becameIdle) this.owner.onIdle(this);
      return;
    }
    // Bytes that nobody asked for end the connection; the response before them is already delivered.
    const exchange = this.exchange;
    this.exchange = undefined;
    this.shut();
    if (verdict === 'malformed' && exchange !== undefined) {
      exchange.detach();
      exchange.listener.onReset('protocol_error');
    }
  }

  private onSocketEnd(): void {
    const exchange = this.exchange;
    if (exchange === undefined) {
      this.shut();
      return;
    }
    const outcome = this.parser.end(); // may complete a close-delimited body through onEnd
    if (this.exchange === undefined) return;
    this.exchange = undefined;
    exchange.detach();
    this.shut();
    exchange.listener.onReset(outcome === 'cut' ? 'protocol_error' : 'connection_termination');
  }

  private shut(): void {
    if (this.closed) return;
    this.closed = true;
    this.socket.destroy();
    this.owner.onClosed(this);
  }
}

/** One request on the connection. Handed out, and deaf once the exchange is over, so that late calls do no harm. */
class Exchange implements UpstreamStream {
  readonly listener: UpstreamStreamListener;
  private connection: Http1Connection | undefined;
  private readonly socket: net.Socket;
  private head: string | undefined;
  private readonly chunked: boolean;
  /** Bytes that the head has promised and that have not been written; `undefined` = it promised none. */
  private left: number | undefined;
  private sent = false;

  constructor(
    connection: Http1Connection,
    socket: net.Socket,
    head: UpstreamRequestHead,
    listener: UpstreamStreamListener,
  ) {
    this.connection = connection;
    this.socket = socket;
    this.listener = listener;
    const length = contentLength(head.headers);
    this.chunked = !head.endStream && !head.upgrade && length === undefined;
    this.left = head.upgrade ? undefined : length;
    this.head = renderHead(head, this.chunked);
  }

  /** All of the request is out, and it is as long as it said: else the peer would take the next request for its rest. */
  get isSent(): boolean {
    return this.sent && (this.left ?? 0) === 0;
  }

  write(chunk: Uint8Array): boolean {
    if (this.connection === undefined || this.sent || chunk.length === 0) return true;
    if (this.left !== undefined) this.left -= chunk.length;
    if ((this.left ?? 0) < 0) {
      // More than was promised would be read as another request.
      this.reset();
      queueMicrotask(() => this.listener.onReset('local_reset'));
      return true;
    }
    const before = this.takeHead() + (this.chunked ? `${chunk.length.toString(16)}\r\n` : '');
    if (chunk.length <= JOIN_LIMIT && before.length + chunk.length <= 2 * JOIN_LIMIT) {
      return this.socket.write(join(before, chunk, this.chunked ? '\r\n' : ''));
    }
    this.socket.cork();
    if (before !== '') this.socket.write(before, 'latin1');
    let more = this.socket.write(chunk);
    if (this.chunked) more = this.socket.write('\r\n', 'latin1');
    this.socket.uncork();
    return more;
  }

  end(): void {
    if (this.connection === undefined || this.sent) return;
    this.sent = true;
    const rest = this.takeHead() + (this.chunked ? '0\r\n\r\n' : '');
    if (rest !== '') this.socket.write(rest, 'latin1');
  }

  pause(): void {
    if (this.connection !== undefined) this.socket.pause();
  }

  resume(): void {
    if (this.connection !== undefined) this.socket.resume();
  }

  reset(): void {
    const connection = this.connection;
    this.connection = undefined;
    connection?.abandon(this);
  }

  flushHead(): void {
    if (this.connection === undefined || this.head === undefined) return;
    this.socket.write(this.takeHead(), 'latin1');
  }

  detach(): void {
    this.connection = undefined;
  }

  private takeHead(): string {
    const head = this.head ?? '';
    this.head = undefined;
    return head;
  }
}

/** Request line and headers, framing last (spec dataplane.md §3.6, §5.2). */
function renderHead(head: UpstreamRequestHead, chunked: boolean): string {
  let text = `${head.method} ${head.path} HTTP/1.1\r\nhost: ${head.authority}\r\n`;
  const headers = head.headers;
  for (let i = 0; i < headers.length; i += 2) text += `${headers[i]}: ${headers[i + 1]}\r\n`;
  if (chunked) text += 'transfer-encoding: chunked\r\n';
  else if (head.endStream && !BODILESS.has(head.method) && contentLength(headers) === undefined)
    text += 'content-length: 0\r\n';
  return `${text}\r\n`;
}

function contentLength(headers: readonly string[]): number | undefined {
  for (let i = 0; i < headers.length; i += 2) if (headers[i] === 'content-length') return Number(headers[i + 1]);
  return undefined;
}

function join(before: string, chunk: Uint8Array, after: string): Uint8Array {
  if (before === '' && after === '') return chunk;
  const joined = Buffer.allocUnsafe(before.length + chunk.length + after.length);
  joined.write(before, 0, 'latin1');
  joined.set(chunk, before.length);
  joined.write(after, before.length + chunk.length, 'latin1');
  return joined;
}
