// TLS contexts of both directions. The material itself is in `Snapshot.secrets`, looked up by the SDS names here.

import type {
  RAW_BUFFER_TRANSPORT_SOCKET,
  TLS_TRANSPORT_SOCKET,
  UPSTREAM_PROXY_PROTOCOL_TRANSPORT_SOCKET,
} from './names.js';
import type { EmptyMessage } from './snapshot.js';

export type TlsProtocolVersion = 'TLS_AUTO' | 'TLSv1_0' | 'TLSv1_1' | 'TLSv1_2' | 'TLSv1_3';

export interface SdsSecretConfig {
  /** `kubernetes://local-tls`, `kubernetes://local-tls-cacert`, `file-cert:CERT~KEY`, `file-root:CA`, `default`, `ROOTCA`. */
  readonly name: string;
  readonly sds_config: 'ads' | 'sds-grpc';
}

/** A `verify_certificate_hash` that Envoy takes: 64 hex digits, or 32 pairs with colons between. */
export const CERTIFICATE_HASH: RegExp = /^[0-9a-fA-F]{2}(?:[0-9a-fA-F]{62}|(?::[0-9a-fA-F]{2}){31})$/;
/** A `verify_certificate_spki` that Envoy takes: base64 of 32 bytes. */
export const SPKI_HASH: RegExp = /^[A-Za-z0-9+/]{43}=$/;

export interface CertificateValidationContext {
  readonly match_subject_alt_names?: readonly StringMatcher[];
  /** base64 of SHA-256 over the SubjectPublicKeyInfo. */
  readonly verify_certificate_spki?: readonly string[];
  /** hex of SHA-256 over the DER certificate, plain or colon separated. */
  readonly verify_certificate_hash?: readonly string[];
  readonly trust_chain_verification?: 'VERIFY_TRUST_CHAIN' | 'ACCEPT_UNTRUSTED';
  /** From `caCrl`. The text is in `Snapshot.secrets['file-crl:FILENAME']` (a validation context with `crl` only). */
  readonly crl?: { readonly filename: string };
}

export interface CommonTlsContext {
  readonly tls_params?: {
    readonly tls_minimum_protocol_version?: TlsProtocolVersion;
    readonly tls_maximum_protocol_version?: TlsProtocolVersion;
    readonly cipher_suites?: readonly string[];
    readonly ecdh_curves?: readonly string[];
  };
  readonly alpn_protocols?: readonly string[];
  readonly tls_certificate_sds_secret_configs?: readonly SdsSecretConfig[];
  /**
   * Upstream: no verification at all when it is an empty object. Downstream: only from SIMPLE with `subjectAltNames`,
   * and then Envoy refuses the listener.
   */
  readonly validation_context?: CertificateValidationContext;
  readonly combined_validation_context?: {
    readonly default_validation_context: CertificateValidationContext;
    readonly validation_context_sds_secret_config: SdsSecretConfig;
  };
}

export interface DownstreamTransportSocket {
  readonly name: typeof TLS_TRANSPORT_SOCKET;
  readonly typed_config: {
    readonly common_tls_context: CommonTlsContext;
    readonly require_client_certificate: boolean;
  };
}

export interface UpstreamTlsContext {
  readonly common_tls_context: CommonTlsContext;
  readonly sni?: string;
}

export type UpstreamTransportSocket =
  | { readonly name: typeof TLS_TRANSPORT_SOCKET; readonly typed_config: UpstreamTlsContext }
  | { readonly name: typeof RAW_BUFFER_TRANSPORT_SOCKET | 'raw_buffer'; readonly typed_config: EmptyMessage }
  | {
      readonly name: typeof UPSTREAM_PROXY_PROTOCOL_TRANSPORT_SOCKET;
      readonly typed_config: {
        readonly config: { readonly version?: 'V1' | 'V2' };
        readonly transport_socket: UpstreamTransportSocket;
      };
    };

/** Envoy's StringMatcher: exactly one member is set. */
export interface StringMatcher {
  readonly exact?: string;
  readonly prefix?: string;
  readonly suffix?: string;
  readonly contains?: string;
  readonly safe_regex?: { readonly regex: string };
  readonly ignore_case?: boolean;
}
