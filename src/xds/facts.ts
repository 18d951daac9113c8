// Facts about connections and requests: what matchers and filters are asked about. Types only; the data plane gathers
// them from sockets, `decide(call)` from a Call.

/** Known once the first bytes have been inspected; everything that chain selection may look at. */
export interface ConnectionFacts {
  /** Name of the listener that accepted, `0.0.0.0_8443`. */
  readonly listener: string;
  /** 'tls' when the bytes were a ClientHello. */
  readonly transportProtocol: 'tls' | 'raw_buffer';
  /** Lower case; '' = absent or not TLS. */
  readonly serverName: string;
  /** As offered in the ClientHello, in order. */
  readonly applicationProtocols: readonly string[];
  /** Peer, after PROXY protocol. */
  readonly source: SocketAddress;
  /** Address the client dialled, in configured terms (the container port), after PROXY protocol. */
  readonly destination: SocketAddress;
}

export interface SocketAddress {
  /** IP literal without brackets. */
  readonly address: string;
  readonly port: number;
}

/** What a finished downstream handshake says. */
export interface TlsFacts {
  readonly version: 'TLSv1' | 'TLSv1.1' | 'TLSv1.2' | 'TLSv1.3';
  /** OpenSSL's or the RFC's name as Envoy prints it. */
  readonly cipher: string;
  /** Negotiated; '' = none. */
  readonly alpn: string;
  readonly serverName: string;
  readonly peerCertificate?: PeerCertificate;
  /** URI SANs of the certificate that we served (`By=` of XFCC). */
  readonly localUriSans: readonly string[];
  /** Of the certificate that we served, for `%DOWNSTREAM_LOCAL_…%` header values; absent = unknown. */
  readonly localSubject?: string;
  readonly localDnsSans?: readonly string[];
  /** Lower-case hex. */
  readonly sessionId?: string;
}

export interface PeerCertificate {
  /** PEM of the leaf with '\n' line ends and a final newline. */
  readonly pem: string;
  /** lower-case hex SHA-256 of the DER. */
  readonly sha256: string;
  /** RFC 2253 text, 'CN=client,O=acme'. */
  readonly subject: string;
  readonly uriSans: readonly string[];
  readonly dnsSans: readonly string[];
  /** For `%DOWNSTREAM_PEER_…%` header values; absent = unknown. RFC 2253 text. */
  readonly issuer?: string;
  /** Lower-case hex, an even number of digits. */
  readonly serialNumber?: string;
  /** Lower-case hex SHA-1 of the DER. */
  readonly sha1?: string;
  /** Milliseconds since the epoch. */
  readonly validFrom?: number;
  readonly validTo?: number;
}

export type HttpProtocol = 'HTTP/1.0' | 'HTTP/1.1' | 'HTTP/2';

/** Reading side of a header list; names are lower case. */
export interface HeaderReader {
  /** First value, or `undefined`. */
  get(name: string): string | undefined;
  /** Every value, in order. */
  values(name: string): readonly string[];
  has(name: string): boolean;
}
