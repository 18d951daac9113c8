// The outcome of `gateway.fetch`: one shape for an answer, a refusal and a broken connection.
import type { Decision, ErrorClass } from '../../decide/decision.js';
import type { ReceivedTls } from '../../stub/received.js';
import type { HeaderLines } from './exchange.js';
import type { TlsOutcome } from './tls-outcome.js';

/** Header values by lower-case name, several of one name joined with `, `. */
export interface HeaderRecord {
  readonly [name: string]: string;
}

/** What an upstream received. */
export interface UpstreamSaw {
  /** The key of the contract's or option's upstream, or the name of the cluster that a stub stands in for. */
  readonly server?: string;
  readonly protocol?: 'HTTP/1.1' | 'HTTP/2';
  readonly method?: string;
  /** With the query. */
  readonly path?: string;
  /** Host of HTTP/1.1, `:authority` of HTTP/2. */
  readonly authority?: string;
  readonly headers: HeaderRecord;
  /** In order, as they came. */
  readonly rawHeaders: HeaderLines;
  /** Absent for an upstream that is not postern's: what it received is then what was sent to it. */
  readonly body?: string;
  /** Behind TLS. */
  readonly tls?: ReceivedTls;
}

/** What came of a request. Absent: it did not come to that. */
export interface Reply {
  readonly status?: number;
  readonly headers: HeaderRecord;
  /** In order and with every duplicate. */
  readonly rawHeaders: HeaderLines;
  /** As UTF-8; '' = none. */
  readonly body: string;
  readonly bytes: Uint8Array;
  readonly trailers: HeaderRecord;
  /** 1xx answers that came before. */
  readonly informational: readonly { readonly status: number; readonly headers: HeaderRecord }[];
  /** Of the connection to the gateway. */
  readonly protocol?: 'HTTP/1.1' | 'HTTP/2';
  /** Absent on plaintext. */
  readonly tls?: TlsOutcome;
  /** What `decide` says of the same call; where chance had a say, cluster and endpoint are those that were really used. */
  readonly decision: Decision;
  /** What the upstream that answered received; absent when the gateway answered itself. */
  readonly upstreamSaw?: UpstreamSaw;
  /** Everything that upstreams received of this request: tries before the last one and mirrored copies too. */
  readonly upstreamsSaw: readonly UpstreamSaw[];
  readonly error?: ErrorClass;
  /** Envoy's response flags, as the access log has them. */
  readonly flags?: string;
  /** Envoy's response code details: `via_upstream` when the upstream answered. */
  readonly details?: string;
  /** Why there is no whole answer, in words. */
  readonly failure?: string;
}

/** Header lines by lower-case name. */
export function toHeaderRecord(lines: HeaderLines): HeaderRecord {
  const record: Record<string, string> = {};
  for (const [written, value] of lines) {
    const name = written.toLowerCase();
    record[name] = Object.hasOwn(record, name) ? `${record[name]}, ${value}` : value;
  }
  return record;
}
