// A request and its response as the client of `gateway.fetch` handles them, whichever HTTP carries them.
import type { ClientConnection } from './client-connection.js';
import { Http1Exchanges } from './http1-exchange.js';
import { Http2Exchanges } from './http2-exchange.js';

/** Names and values in order; names as they are to be sent. */
export type HeaderLines = readonly (readonly [name: string, value: string])[];

/** What is sent. */
export interface ClientRequest {
  readonly method: string;
  /** Path and query, as it goes on the wire. */
  readonly path: string;
  /** Host of HTTP/1.1, `:authority` of HTTP/2. */
  readonly authority: string;
  readonly scheme: 'http' | 'https';
  /** Without Host. */
  readonly headers: HeaderLines;
  readonly body: Buffer;
  /** Of the request line; only on HTTP/1. */
  readonly http10: boolean;
}

/** What came back; `head` absent = no response began. */
export interface ClientResponse {
  readonly head?: { readonly status: number; readonly headers: HeaderLines };
  readonly informational: readonly { readonly status: number; readonly headers: HeaderLines }[];
  readonly body: Buffer;
  readonly trailers: HeaderLines;
  /** False: it broke off. */
  readonly complete: boolean;
  /** HTTP/2: code of a RST_STREAM other than NO_ERROR. */
  readonly streamError?: string;
  readonly timedOut: boolean;
}

/** Sends requests one after another over one connection. */
export interface Exchanges {
  readonly protocol: 'HTTP/1.1' | 'HTTP/2';
  /** False once the connection can carry no further request. */
  readonly isReusable: boolean;
  /** Never rejects for what the peer does. `timeout` in milliseconds. */
  exchange(request: ClientRequest, timeout: number): Promise<ClientResponse>;
  close(): void;
}

/** Puts HTTP on a connection: version 2 where it was agreed on, or where `http2` says so. */
export function openExchanges(connection: ClientConnection, http2: boolean): Exchanges {
  return http2 ? new Http2Exchanges(connection) : new Http1Exchanges(connection);
}
