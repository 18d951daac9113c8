// The framing that Envoy's HTTP/1 codec adds behind all other response headers (spec dataplane.md §3.7 item 5).
import type { HeaderMap } from '../../filters/header-map.js';

/** What decides how a response is framed. */
export interface FramingFacts {
  readonly isHttp10: boolean;
  readonly isHead: boolean;
  readonly endStream: boolean;
  readonly isTunnel: boolean;
}

/** HTTP/1 only. Adds `content-length: 0` or `transfer-encoding: chunked` where there is no length. */
export function addResponseFraming(headers: HeaderMap, status: number, facts: FramingFacts): void {
  if (facts.isTunnel) return;
  const isEmpty = facts.endStream && !facts.isHead;
  if (!headers.has('content-length')) {
    if (isEmpty) {
      if (status >= 200 && status !== 204 && status !== 304) headers.append('content-length', '0');
    } else if (facts.isHttp10) {
      headers.set('connection', 'close'); // nothing else could end the body (spec dataplane.md §3.2)
    } else if (status >= 200 && status !== 204) {
      headers.append('transfer-encoding', 'chunked');
    }
  }
  if (facts.isHttp10 && !headers.has('connection')) headers.append('connection', 'keep-alive');
}
