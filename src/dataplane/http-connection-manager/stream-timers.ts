// The connection manager's timers of one stream (spec dataplane.md §3.10): the whole request within request_timeout, and
// something in either direction within stream_idle_timeout. Both are off unless the configuration sets them.
import { type LocalReply, REQUEST_TIMEOUT, streamIdleTimeout } from '../../filters/local-reply.js';
import type { Environment, Timer } from '../environment.js';
import type { ManagerTimeouts } from './manager-timeouts.js';

/** The stream that the timers belong to. */
export interface TimedStream {
  isRequestComplete(): boolean;
  expired(reply: LocalReply): void;
}

/** Started with the stream, stopped when it is over. */
export class StreamTimers {
  private readonly environment: Environment;
  private readonly stream: TimedStream;
  /** Milliseconds; 0 = off. */
  private readonly requestTimeout: number;
  private readonly idleTimeout: number;
  private requestTimer: Timer | undefined = undefined;
  private idleTimer: Timer | undefined = undefined;
  /** When something last happened. The timer is not moved with each chunk: it looks here when it runs out. */
  private touched = 0;

  constructor(environment: Environment, timeouts: ManagerTimeouts, stream: TimedStream) {
    this.environment = environment;
    this.stream = stream;
    this.requestTimeout = timeouts.request;
    this.idleTimeout = timeouts.streamIdle;
  }

  start(endStream: boolean): void {
    if (this.requestTimeout > 0 && !endStream) {
      this.requestTimer = this.environment.setTimer(this.requestTimeout, () => this.stream.expired(REQUEST_TIMEOUT));
    }
    if (this.idleTimeout > 0) {
      this.touch();
      this.armIdle(this.idleTimeout);
    }
  }

  requestEnded(): void {
    this.requestTimer?.cancel();
    this.touch();
  }

  touch(): void {
    if (this.idleTimeout > 0) this.touched = this.environment.now();
  }

  stop(): void {
    this.requestTimer?.cancel();
    this.idleTimer?.cancel();
  }

  private armIdle(milliseconds: number): void {
    this.idleTimer = this.environment.setTimer(milliseconds, () => {
      const left = this.touched + this.idleTimeout - this.environment.now();
      if (left > 0) this.armIdle(Math.ceil(left));
      else this.stream.expired(streamIdleTimeout(this.stream.isRequestComplete()));
    });
  }
}
