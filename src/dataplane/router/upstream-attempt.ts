// One attempt of a request on one host: waits for a stream, hears of it, and tells whoever asked as long as they care.
import type { Environment, Timer } from '../environment.js';
import type { ConnectFailure, Host } from '../upstream/cluster-manager.js';
import type {
  ResetReason,
  StreamRequest,
  UpstreamConnectionInfo,
  UpstreamPool,
  UpstreamRequestHead,
  UpstreamStream,
  UpstreamStreamListener,
} from '../upstream/http-stream.js';

/** The request that the attempt is for. */
export interface AttemptOwner {
  /** `stream` is set. */
  onReady(attempt: UpstreamAttempt, info: UpstreamConnectionInfo): void;
  onConnectFailure(attempt: UpstreamAttempt, failure: ConnectFailure, attached: boolean): void;
  onInformational(status: number, headers: string[]): void;
  onHead(attempt: UpstreamAttempt, status: number, headers: string[], endStream: boolean): void;
  onData(attempt: UpstreamAttempt, chunk: Buffer): void;
  onEnd(attempt: UpstreamAttempt, trailers: readonly string[]): void;
  onDrain(): void;
  onReset(attempt: UpstreamAttempt, reason: ResetReason): void;
}

/** One object in every role that an attempt plays: of a request that is forwarded, many of these are made. */
export class UpstreamAttempt implements StreamRequest, UpstreamStreamListener {
  readonly host: Host;
  readonly head: UpstreamRequestHead;
  stream: UpstreamStream | undefined = undefined;
  /** `undefined` once nobody cares any more. */
  private owner: AttemptOwner | undefined;
  private waiting: { cancel(): void } | undefined = undefined;
  private timer: Timer | undefined = undefined;

  constructor(owner: AttemptOwner, host: Host, head: UpstreamRequestHead) {
    this.owner = owner;
    this.host = host;
    this.head = head;
  }

  get listener(): UpstreamStreamListener {
    return this;
  }

  start(pool: UpstreamPool): void {
    this.waiting = pool.newStream(this);
  }

  /** The per-try timeout; replaces one that runs. Milliseconds. */
  limit(environment: Environment, milliseconds: number, onTimeout: () => void): void {
    this.timer?.cancel();
    this.timer = environment.setTimer(milliseconds, onTimeout);
  }

  stopTimer(): void {
    this.timer?.cancel();
  }

  /** The owner hears nothing more of it. */
  detach(): void {
    this.owner = undefined;
    this.timer?.cancel();
  }

  /** Given up, wherever it stands. */
  drop(): void {
    this.detach();
    this.waiting?.cancel();
    this.stream?.reset();
  }

  ready(stream: UpstreamStream, info: UpstreamConnectionInfo): void {
    this.stream = stream;
    this.waiting = undefined;
    this.owner?.onReady(this, info);
  }

  failed(failure: ConnectFailure, attached: boolean): void {
    this.owner?.onConnectFailure(this, failure, attached);
  }

  onInformational(status: number, headers: string[]): void {
    this.owner?.onInformational(status, headers);
  }

  onHead(status: number, headers: string[], endStream: boolean): void {
    this.owner?.onHead(this, status, headers, endStream);
  }

  onData(chunk: Buffer): void {
    this.owner?.onData(this, chunk);
  }

  onEnd(trailers: readonly string[]): void {
    this.owner?.onEnd(this, trailers);
  }

  onDrain(): void {
    this.owner?.onDrain();
  }

  onReset(reason: ResetReason): void {
    this.owner?.onReset(this, reason);
  }
}
