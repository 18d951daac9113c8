// What upstreams saw: the vocabulary of recordings, so that a record can be compared with one as it is. Text that came
// as bytes is Latin-1, one character per byte.

/** Names and values in the order and case in which they came. */
export type HeaderList = readonly (readonly [name: string, value: string])[];

/** What a TLS-terminating upstream saw of its peer. */
export interface ReceivedTls {
  /** Absent: none was sent. */
  readonly sni?: string;
  /** The protocol agreed on; absent: none. */
  readonly alpn?: string;
  /** 'TLSv1.3'. */
  readonly version: string;
  /** `organizationName=Example,commonName=client`; absent: no certificate. */
  readonly clientSubject?: string;
  /** `URI:spiffe://…`, `DNS:…`; absent: no certificate, or one without names. */
  readonly clientSan?: readonly string[];
}

/** One request whose body had come in full. */
export interface ReceivedRequest {
  readonly kind: 'http';
  /** Name of the upstream. */
  readonly server: string;
  readonly protocol: 'HTTP/1.1' | 'HTTP/2';
  readonly method: string;
  readonly path: string;
  /** HTTP/2 only. */
  readonly authority?: string;
  /** HTTP/2 only. */
  readonly scheme?: string;
  /** Without HTTP/2's pseudo headers. */
  readonly headers: HeaderList;
  /** Without the chunked framing. */
  readonly body: string;
  readonly tls?: ReceivedTls;
}

/** One connection to a `tcp` or `tls` upstream. */
export interface ReceivedConnection {
  readonly kind: 'tcp';
  readonly server: string;
  /** Grows while the connection lives. */
  bytes: string;
  readonly tls?: ReceivedTls;
}

/** Bytes that came after a 101. */
export interface ReceivedUpgrade {
  readonly kind: 'upgraded';
  readonly server: string;
  /** Grows while the connection lives. */
  bytes: string;
}

export type Received = ReceivedRequest | ReceivedConnection | ReceivedUpgrade;

/** A request as a protocol driver hands it on. */
export type HttpRequest = Omit<ReceivedRequest, 'kind' | 'server' | 'tls'>;

export interface StubResponse {
  readonly status: number;
  readonly headers: HeaderList;
  readonly body: Buffer;
  /** HTTP/1.1: chunked instead of a content-length. */
  readonly chunked?: boolean;
  /** HTTP/1.1: only together with `chunked`. */
  readonly trailers?: HeaderList;
  /** Breaks off before the body is complete. */
  readonly abort?: boolean;
  /** Ends the connection after the answer. */
  readonly closeAfter?: boolean;
}

/** How a request can be answered; each method ends the exchange, but for `informational`. */
export interface Reply {
  informational(status: number, headers: HeaderList): void;
  respond(response: StubResponse): void;
  /** Resets the connection; over HTTP/2 with a code only the stream. */
  reset(code?: number): void;
  /** Ends the connection without an answer. */
  close(): void;
  /** Answers with bytes that are no HTTP. */
  garbage(): void;
  /** 101, then raw bytes both ways, echoed. False over HTTP/2, where nothing is done. */
  upgrade(headers: HeaderList, received: (chunk: Buffer) => void): boolean;
}

export type RequestHandler = (request: HttpRequest, reply: Reply) => void;

/** The value of the first header with this name (lower case); '' = absent. */
export function headerValue(headers: HeaderList, name: string): string {
  for (const [key, value] of headers) if (key.toLowerCase() === name) return value;
  return '';
}
