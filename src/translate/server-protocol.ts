// What kind of thing a Gateway server is, from its protocol word and its TLS mode. Spec gateway.md §3.1, §3.2.

import type { Server, TerminatingTlsSettings } from '../config/model/gateway.js';
import { isHttpProtocol, isOpaqueTcpProtocol, parseProtocol } from '../config/model/protocol.js';

/** Classes of protocol words; 'tcp' covers TCP, MONGO, REDIS, MYSQL and (by accident of Istio) UDP. */
export type ServerProtocolClass = 'http' | 'https' | 'tls' | 'tcp' | 'unsupported';

/** Case does not matter; blanks do. */
export function serverProtocolClass(word: string): ServerProtocolClass {
  const protocol = parseProtocol(word);
  if (isHttpProtocol(protocol)) return 'http';
  if (protocol === 'HTTPS') return 'https';
  if (protocol === 'TLS') return 'tls';
  return isOpaqueTcpProtocol(protocol) ? 'tcp' : 'unsupported';
}

/** Case does not matter. */
export function isGrpcWeb(word: string): boolean {
  return parseProtocol(word) === 'GRPC-Web';
}

/** Case does not matter. */
export function isMongo(word: string): boolean {
  return parseProtocol(word) === 'Mongo';
}

/** HTTP, HTTP2, GRPC, GRPC-WEB, HTTP_PROXY: plaintext, whatever `tls` says. */
export function isPlainHttpServer(server: Server): boolean {
  return serverProtocolClass(server.port.protocol) === 'http';
}

/** The client's TLS goes through untouched. */
export function isPassthroughServer(server: Server): boolean {
  return server.tls?.mode === 'PASSTHROUGH' || server.tls?.mode === 'AUTO_PASSTHROUGH';
}

/** `tls` counts: it does not on a plaintext HTTP server. */
export function isTlsServer(server: Server): boolean {
  return server.tls !== undefined && !isPlainHttpServer(server);
}

/** HTTPS whose TLS ends here, so that it has a connection manager and a route table of its own. */
export function isTerminatedHttpsServer(server: Server): boolean {
  return (
    serverProtocolClass(server.port.protocol) === 'https' && server.tls !== undefined && !isPassthroughServer(server)
  );
}

/** A server with a route table. */
export function isHttpServer(server: Server): boolean {
  return isPlainHttpServer(server) || isTerminatedHttpsServer(server);
}

/** TLS settings of a server that ends TLS; `undefined` for every other one, also for a plaintext one with httpsRedirect. */
export function terminatingTls(server: Server): TerminatingTlsSettings | undefined {
  const tls = server.tls;
  if (tls === undefined || isPlainHttpServer(server) || !('certificates' in tls)) return undefined;
  return tls;
}
