// The head of a request as filters see and change it.
import type { ConnectionFacts, HttpProtocol, SocketAddress, TlsFacts } from '../xds/index.js';
import type { HeaderMap } from './header-map.js';

/** A request as the codec understood it. Filters change `headers`, `authority`, `path` and `scheme` in place, as Envoy's do. Texts hold one character per byte. */
export interface RequestHead {
  readonly protocol: HttpProtocol;
  method: string;
  /** `:authority` or Host, as sent; `undefined` = none at all ('' is an empty Host). */
  authority: string | undefined;
  /** With query and fragment as sent; `undefined` = no `:path` (h2, CONNECT). After the decision: as sent upstream. */
  path: string | undefined;
  /** `:scheme` of h2 or of an absolute-form target; `undefined` = not given. */
  scheme: string | undefined;
  readonly headers: HeaderMap;
  /** True when the head is the whole request. */
  readonly endStream: boolean;
  readonly connection: ConnectionFacts;
  readonly tls: TlsFacts | undefined;
  /** Wall clock milliseconds at which the request began, for `%START_TIME%`; absent = 0. */
  readonly startTime?: number;
  /** The client as trusted (peer, or an entry of x-forwarded-for): set by the header mutation, for operators, hashes and the log. */
  remoteAddress?: SocketAddress;
}
