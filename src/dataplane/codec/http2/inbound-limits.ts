// How much a peer may send that costs us more than it costs the peer: Envoy's protocol constraints, with its numbers
// (spec dataplane.md §3.9 "floods").
import { FLAG, FRAME } from './constants.js';

/** Frames without content one behind the other. */
const MAX_EMPTY_FRAMES = 1;
/** PRIORITY frames for each stream opened, and one more. */
const MAX_PRIORITY_PER_STREAM = 100;
/** WINDOW_UPDATE frames for each DATA frame sent. */
const MAX_WINDOW_UPDATES_PER_DATA = 10;
/** Frames, and answers to control frames, that wait because the peer does not read. */
const MAX_OUTBOUND_FRAMES = 10_000;
const MAX_OUTBOUND_CONTROL_FRAMES = 1_000;

/** Counts of one connection. Each check gives Envoy's text of the violation, or undefined. */
export class InboundLimits {
  private emptyFrames = 0;
  private priorities = 0;
  private windowUpdates = 0;
  private streams = 0;
  private dataSent = 0;
  /** Frames of ours that the kernel has not taken. */
  outboundFrames = 0;
  outboundControlFrames = 0;

  streamOpened(): void {
    this.streams++;
  }

  dataFrameSent(): void {
    this.dataSent++;
    this.outboundFrames++;
  }

  /** `length` without padding. */
  received(type: number, flags: number, length: number): string | undefined {
    switch (type) {
      case FRAME.HEADERS:
      case FRAME.CONTINUATION:
      case FRAME.DATA:
        if (length > 0 || (flags & FLAG.END_STREAM) !== 0) {
          this.emptyFrames = 0;
          return undefined;
        }
        this.emptyFrames++;
        return this.emptyFrames > MAX_EMPTY_FRAMES ? 'Too many consecutive frames with an empty payload' : undefined;
      case FRAME.PRIORITY:
        this.priorities++;
        return this.priorities > MAX_PRIORITY_PER_STREAM * (1 + this.streams) ? 'Too many PRIORITY frames' : undefined;
      case FRAME.WINDOW_UPDATE:
        this.windowUpdates++;
        return this.windowUpdates > 5 + 2 * (this.streams + MAX_WINDOW_UPDATES_PER_DATA * this.dataSent)
          ? 'Too many WINDOW_UPDATE frames'
          : undefined;
      default:
        return undefined;
    }
  }

  checkOutbound(): string | undefined {
    if (this.outboundFrames > MAX_OUTBOUND_FRAMES) return 'Too many frames in the outbound queue.';
    if (this.outboundControlFrames > MAX_OUTBOUND_CONTROL_FRAMES)
      return 'Too many control frames in the outbound queue.';
    return undefined;
  }

  /** The kernel has taken everything. */
  flushed(): void {
    this.outboundFrames = 0;
    this.outboundControlFrames = 0;
  }
}
