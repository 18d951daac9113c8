// One stream as its connection keeps it: where it stands, its windows, and what of it waits to be written.
import { DEFAULT_WINDOW } from './constants.js';

/** Told once, when a stream ends before its time. */
export interface StreamEnd {
  /**
   * `peer`: RST_STREAM; `local`: we found something wrong with this stream alone; `connection`: the whole connection is
   * given up; `goaway`: the peer says that it has not looked at it.
   */
  readonly by: 'peer' | 'local' | 'connection' | 'goaway';
  /** Error code of the RST_STREAM; PROTOCOL_ERROR where a connection broke its rules. */
  readonly code: number;
  /** Envoy's response code details; '' where it has none. */
  readonly details: string;
}

const NO_TRAILERS: readonly string[] = [];

/** What requests and responses of either side share; the session reads and writes its fields, subclasses hear of events. */
export abstract class SessionStream {
  readonly id: number;
  /** Bytes that the peer still takes; negative after a smaller INITIAL_WINDOW_SIZE. */
  sendWindow: number;
  /** Bytes that we take in all, and those received and not yet given back by WINDOW_UPDATE. */
  receiveWindow: number = DEFAULT_WINDOW;
  received = 0;
  /** Of these the ones that have been consumed, and those that the reader has not looked at. */
  consumed = 0;
  unconsumed = 0;
  /** The peer has sent END_STREAM. */
  remoteEnded = false;
  /** A head has been written. */
  headSent = false;
  /** No more data will be added; what waits is still to be sent. */
  localEnded = false;
  /** END_STREAM has been written. */
  endSent = false;
  /** Gone from its connection. */
  closed = false;
  /** What `content-length` promised, or -1; and how much has come. */
  contentLength = -1;
  bodyBytes = 0;
  /** Envoy's details of what was found wrong with this stream. */
  details = '';
  /** Data that waits, its length, and the trailers behind it. */
  readonly chunks: Uint8Array[] = [];
  chunkAt = 0;
  pending = 0;
  pendingTrailers: readonly string[] = NO_TRAILERS;
  /** In the list of streams that have something to write. */
  isReady = false;
  /** `write` has said false. */
  wantsDrain = false;

  constructor(id: number, sendWindow: number) {
    this.id = id;
    this.sendWindow = sendWindow;
  }

  /** A piece of the body. False: the reader is full, `consume` will be called when it has room. */
  abstract onData(chunk: Buffer): boolean;
  /** Trailers; `onRemoteEnd` follows. */
  abstract onTrailers(trailers: string[]): void;
  abstract onRemoteEnd(): void;
  /** Room for more after a write that said false. */
  abstract onDrain(): void;
  /** END_STREAM has been handed to the socket. */
  abstract onSent(): void;
  abstract onEnded(end: StreamEnd): void;
}
