// The seam between bytes and everything else that is HTTP: a codec turns a downstream connection into streams and is
// the only code that touches HTTP sockets or node:http and node:http2 (style.md §3). Connection manager, filters and
// router know only what stands here, so a codec can be replaced without touching them.
import type { HeaderMap } from '../../filters/header-map.js';
import type { HttpProtocol } from '../../xds/index.js';

/** Bytes that come as events and can be held back: what is used of a Readable, so that a codec need not make one. */
export interface ByteSource {
  /** Listening to 'data' starts the flow. */
  on(event: 'data', listener: (chunk: Buffer) => void): unknown;
  on(event: 'end', listener: () => void): unknown;
  pause(): unknown;
  /** Bytes that nobody listens to are dropped. */
  resume(): unknown;
  /** Bytes that have come and that nobody has taken yet. */
  readonly waiting: number;
}

/** A request head as it arrived. */
export interface RequestHead {
  readonly protocol: HttpProtocol;
  readonly method: string;
  /** `:authority` or Host; of an absolute-form target its own. `undefined` = none, '' = an empty Host. */
  readonly authority: string | undefined;
  /** With query and fragment as sent; `undefined` = none (CONNECT, h2 without `:path`). */
  readonly path: string | undefined;
  /** `:scheme`, or that of an absolute-form target. */
  readonly scheme: string | undefined;
  /** name, value, name, value … in order; names lower case, values latin1, Host and pseudo headers left out. */
  readonly headers: string[];
  /** True when the head is the whole request. */
  readonly endStream: boolean;
}

/** A final response head. `headers` are complete: the codec adds nothing (no date, no framing, no connection header). */
export interface ResponseHead {
  readonly status: number;
  readonly headers: readonly string[];
  /** The answer was decided before the request's body was looked at: an HTTP/1 connection that ends with it lingers. */
  readonly lingers?: boolean;
}

/** How a stream ended before its time, in the words of Envoy's log. */
export interface StreamFailure {
  /**
   * `disconnect`: the client's connection is lost or half-closed (DC). `reset`: RST_STREAM (DR).
   * `protocol`: the client broke the protocol (DPE). `local`: we closed the connection.
   */
  readonly kind: 'disconnect' | 'reset' | 'protocol' | 'local';
  readonly details: string;
  /** `protocol` on HTTP/1 before a response has begun: answered with this status and its reason phrase as body. */
  readonly status?: number;
  /** Length of that body. */
  readonly bodyBytes?: number;
  /** The first headers of that answer: empty, for what the request's route adds to any answer. */
  readonly answerHeaders?: HeaderMap;
}

/** What a stream tells the connection manager. */
export interface ServerStreamListener {
  /** The stream is dead: nothing more can be written and no other call follows. */
  onFailure(failure: StreamFailure): void;
  /** The last byte of the response has been handed to the kernel. No other call follows. */
  onFinished(): void;
  /** Writing may go on after `write` or `tunnel` said false. */
  onDrain(): void;
}

/** One request and its response. */
export interface ServerStream {
  readonly head: RequestHead;
  /** The request's body, not yet flowing. Ends once; after a failure it neither ends nor errs. */
  readonly body: ByteSource;
  /** Trailers of the request; complete once `body` has ended. */
  readonly trailers: readonly string[];
  /** True once the last byte of the request has arrived. */
  readonly requestComplete: boolean;
  listen(listener: ServerStreamListener): void;
  informational(status: number, headers: readonly string[]): void;
  /** Once. `endStream` = there is no body. */
  respond(head: ResponseHead, endStream: boolean): void;
  /** A piece of the body; false asks to wait for `onDrain`. */
  write(chunk: Uint8Array): boolean;
  /** Ends the body. Trailers are dropped on HTTP/1 (spec dataplane.md §3.4). */
  end(trailers: readonly string[]): void;
  /** After a 101: answers with `head` and gives the raw bytes of both directions. HTTP/1 only. */
  tunnel(head: ResponseHead): ServerTunnel;
  /**
   * Gives the stream up: RST_STREAM INTERNAL_ERROR at once, or the connection is closed after the delayed close of 1 s
   * (spec dataplane.md §4.2). `onFailure` and `onFinished` are not called any more.
   */
  reset(): void;
}

/** Raw bytes behind a 101. */
export interface ServerTunnel {
  /** Bytes from the client, those sent right behind the request first. */
  readonly fromClient: ByteSource;
  write(chunk: Uint8Array): boolean;
  /** The upstream is done: the connection closes after the delayed close of 1 s, and what the client still sends is dropped. */
  end(): void;
  /** Closes the connection behind what has been written. */
  destroy(): void;
}

/** What a connection tells the connection manager. */
export interface ServerCodecListener {
  /** The first byte of a request has come (HTTP/1): the connection is not idle any more, though there is no stream yet. */
  onRequestBegun(): void;
  onStream(stream: ServerStream): void;
  /**
   * The codec refused bytes before there was a stream, and has answered or closed already.
   * `status` 0 = nothing was written (HTTP/2). `bodyBytes` = length of the body it wrote.
   */
  onRefused(refusal: CodecRefusal): void;
  /** The connection is over. Called once. */
  onClosed(): void;
}

/** A refusal of the codec (spec dataplane.md §3.2, §3.3, §3.9). */
export interface CodecRefusal {
  readonly status: number;
  readonly details: string;
  /** `undefined`: the time for a head has run out. */
  readonly flag: 'DPE' | 'DR' | 'DC' | undefined;
  readonly bodyBytes: number;
}

/** One downstream HTTP connection. */
export interface ServerCodec {
  readonly protocol: 'http1' | 'http2';
  /** No new streams: GOAWAY on HTTP/2; on HTTP/1 the connection manager says `connection: close`. */
  drain(): void;
  /** Ends the connection now: FIN on HTTP/1, GOAWAY and close on HTTP/2. */
  close(): void;
}
