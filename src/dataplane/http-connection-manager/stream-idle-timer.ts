// The connection manager's stream_idle_timeout (spec dataplane.md §3.10): something in either direction of each stream
// within that time. One timer for all streams of a connection: as a rule a stream is over long before it would run out.
import { type LocalReply, streamIdleTimeout } from '../../filters/local-reply.js';
import type { Environment, Timer } from '../environment.js';

/** A stream that may fall silent. */
export interface TimedStream {
  /** Wall clock milliseconds since when nothing has happened; Infinity = expired. */
  readonly touched: number;
  isRequestComplete(): boolean;
  expired(reply: LocalReply): void;
}

/** Watches the streams that `streams` has whenever it looks. */
export class StreamIdleTimer {
  private readonly environment: Environment;
  private readonly timeout: number;
  private readonly streams: Iterable<TimedStream>;
  private timer: Timer | undefined = undefined;

  /** `timeout` in milliseconds; 0 = off. */
  constructor(environment: Environment, timeout: number, streams: Iterable<TimedStream>) {
    this.environment = environment;
    this.timeout = timeout;
    this.streams = streams;
  }

  /** A stream has begun. A timer that runs is left to run out: it is early for this one, and looks again. */
  watch(): void {
    if (this.timeout > 0 && this.timer === undefined) this.arm(this.timeout);
  }

  stop(): void {
    this.timer?.cancel();
  }

  private arm(milliseconds: number): void {
    this.timer = this.environment.setTimer(milliseconds, () => {
      this.timer = undefined;
      this.look();
    });
  }

  private look(): void {
    const now = this.environment.now();
    let next = Number.POSITIVE_INFINITY;
    for (const stream of [...this.streams]) {
      const left = stream.touched + this.timeout - now;
      if (left > 0) next = Math.min(next, left);
      else stream.expired(streamIdleTimeout(stream.isRequestComplete()));
    }
    if (next < Number.POSITIVE_INFINITY) this.arm(Math.ceil(next));
  }
}
