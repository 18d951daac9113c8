// Counters of one listener under Envoy's names (spec dataplane.md §1.8, §2.7).
import { type Counter, counter, gauge } from '../telemetry/stats.js';

/** Kept as an object per listener, so that a connection does no lookups. */
export interface ListenerStats {
  readonly total: Counter;
  readonly active: Counter;
  readonly destroyed: Counter;
  readonly noFilterChain: Counter;
  readonly preConnectionActive: Counter;
  readonly preConnectionTimeout: Counter;
  readonly filterRemoteClose: Counter;
  readonly filterError: Counter;
  readonly transportSocketTimeout: Counter;
  readonly secretsNotReady: Counter;
  readonly handshakes: Counter;
  readonly noCertificate: Counter;
  readonly prefix: string;
}

/** `name` is the listener's address as it stands in its name. */
export function listenerStats(name: string): ListenerStats {
  // Envoy's stat prefix of IPv6 addresses has `_` for `:`.
  const prefix = `listener.${name.replaceAll(':', '_')}`;
  return {
    total: counter(`${prefix}.downstream_cx_total`),
    active: gauge(`${prefix}.downstream_cx_active`),
    destroyed: counter(`${prefix}.downstream_cx_destroy`),
    noFilterChain: counter(`${prefix}.no_filter_chain_match`),
    preConnectionActive: gauge(`${prefix}.downstream_pre_cx_active`),
    preConnectionTimeout: counter(`${prefix}.downstream_pre_cx_timeout`),
    filterRemoteClose: counter(`${prefix}.downstream_listener_filter_remote_close`),
    filterError: counter(`${prefix}.downstream_listener_filter_error`),
    transportSocketTimeout: counter(`${prefix}.downstream_cx_transport_socket_connect_timeout`),
    secretsNotReady: counter(`${prefix}.server_ssl_socket_factory.downstream_context_secrets_not_ready`),
    handshakes: counter(`${prefix}.ssl.handshake`),
    noCertificate: counter(`${prefix}.ssl.no_certificate`),
    prefix,
  };
}

/** Counters of all TLS inspectors together. */
export const INSPECTOR_STATS: Readonly<
  Record<'tlsFound' | 'tlsNotFound' | 'sniFound' | 'sniNotFound' | 'alpnFound' | 'alpnNotFound' | 'tooLarge', Counter>
> = {
  tlsFound: counter('tls_inspector.tls_found'),
  tlsNotFound: counter('tls_inspector.tls_not_found'),
  sniFound: counter('tls_inspector.sni_found'),
  sniNotFound: counter('tls_inspector.sni_not_found'),
  alpnFound: counter('tls_inspector.alpn_found'),
  alpnNotFound: counter('tls_inspector.alpn_not_found'),
  tooLarge: counter('tls_inspector.client_hello_too_large'),
};
