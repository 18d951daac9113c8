// Between router and connection manager: what the router asks of the client's side (spec dataplane.md §4.1).
import type { RequestFacts, RequestForward } from '../../decide/request-decision.js';
import type { LocalReply } from '../../filters/local-reply.js';
import type { ResponseFlag } from '../../xds/index.js';
import type { ByteSource, ServerTunnel } from '../codec/stream.js';
import type { StreamInfo } from '../telemetry/stream-info.js';

/** The client's side of a forwarded request. */
export interface Downstream {
  readonly facts: RequestFacts;
  readonly decision: RequestForward;
  readonly info: StreamInfo;
  readonly body: ByteSource;
  /** Complete once `body` has ended. */
  readonly trailers: readonly string[];
  informational(status: number, headers: string[]): void;
  /** Header pairs as the upstream sent them. */
  respond(status: number, headers: string[], endStream: boolean): void;
  /** Counts bytes of the request, or of the client's side of a tunnel. */
  received(bytes: number): void;
  /** Counts bytes to the client that go past `write` (tunnels). */
  sent(bytes: number): void;
  /** False asks to wait for `Forwarding.drained`. */
  write(chunk: Buffer): boolean;
  end(trailers: readonly string[]): void;
  /** Nothing has been sent yet: a reply of the gateway. */
  reply(reply: LocalReply): void;
  /** The response broke off: the client's stream is reset (spec dataplane.md §4.2). */
  breakOff(flag: ResponseFlag, details: string): void;
  /** A 101: answers and gives the raw bytes. */
  tunnel(status: number, headers: string[]): ServerTunnel;
  /** The tunnel is over. */
  tunnelClosed(): void;
}

/** The router's handle on a request in flight. */
export interface Forwarding {
  /** The client has gone, or its stream is reset; nothing more is said to `Downstream`. */
  cancel(): void;
  /** The client can take more of the response. */
  drained(): void;
}
