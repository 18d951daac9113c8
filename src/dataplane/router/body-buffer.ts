// What of a request's body is kept: everything while a retry may need it, else what came before the connection was there.
import type { UpstreamStream } from '../upstream/http-stream.js';

/** Envoy's per-connection buffer limit: a larger body is streamed and can no longer be tried again. */
export const RETRY_BUFFER: number = 1024 * 1024;
/** What is kept of a body while no connection is there and no retry is possible. */
export const CONNECT_BUFFER: number = 64 * 1024;

/** Chunks in order, and how many of them the running attempt has had. */
export class BodyBuffer {
  bytes = 0;
  private chunks: Buffer[] = [];
  /** How many of `chunks` the running attempt has been given. */
  private given = 0;

  add(chunk: Buffer): void {
    this.chunks.push(chunk);
    this.bytes += chunk.length;
  }

  /** Another attempt begins: everything kept is to be given again. */
  rewind(): void {
    this.given = 0;
  }

  /** The running attempt has been given all of it by other means. */
  markGiven(): void {
    this.given = this.chunks.length;
  }

  /** Gives an attempt what it has not had; false when the stream asks to wait. */
  giveTo(stream: UpstreamStream): boolean {
    let more = true;
    for (; this.given < this.chunks.length; this.given++) more = stream.write(this.chunks[this.given] as Buffer);
    return more;
  }

  drop(): void {
    this.chunks = [];
    this.given = 0;
    this.bytes = 0;
  }
}
