// The protocol word of a port, in Gateways, ServiceEntries and Services. Spec gateway.md §3.1; Istio:
// pkg/config/protocol/instance.go Parse.

/** As Istio prints them; `UnsupportedProtocol` is every word that it does not know. */
export type Protocol =
  | 'TCP'
  | 'UDP'
  | 'GRPC'
  | 'GRPC-Web'
  | 'HTTP'
  | 'HTTP_PROXY'
  | 'HTTP2'
  | 'HTTPS'
  | 'TLS'
  | 'Mongo'
  | 'Redis'
  | 'MySQL'
  | 'UnsupportedProtocol';

// The values are the spellings that Istio prints.
const PROTOCOLS: ReadonlyMap<string, Protocol> = new Map<string, Protocol>([
  ['tcp', 'TCP'],
  ['udp', 'UDP'],
  ['grpc', 'GRPC'],
  ['grpc-web', 'GRPC-Web'],
  ['http', 'HTTP'],
  ['http_proxy', 'HTTP_PROXY'],
  ['http2', 'HTTP2'],
  ['https', 'HTTPS'],
  ['tls', 'TLS'],
  ['mongo', 'Mongo'],
  ['redis', 'Redis'],
  ['mysql', 'MySQL'],
]);

/** Case does not matter, blanks do; every other word is `UnsupportedProtocol`. */
export function parseProtocol(word: string): Protocol {
  return PROTOCOLS.get(word.toLowerCase()) ?? 'UnsupportedProtocol';
}

/** HTTP in the clear: a port that gets routes rather than a TCP proxy. HTTPS is not one of them. */
export function isHttpProtocol(protocol: Protocol): boolean {
  switch (protocol) {
    case 'HTTP':
    case 'HTTP2':
    case 'HTTP_PROXY':
    case 'GRPC':
    case 'GRPC-Web':
      return true;
    default:
      return false;
  }
}

/** Bytes in the clear of which the gateway knows nothing; Istio builds UDP like these on a gateway. */
export function isOpaqueTcpProtocol(protocol: Protocol): boolean {
  return (
    protocol === 'TCP' || protocol === 'UDP' || protocol === 'Mongo' || protocol === 'Redis' || protocol === 'MySQL'
  );
}
