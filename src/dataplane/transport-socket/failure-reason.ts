// Envoy's texts for TLS failures (spec dataplane.md §2.5, destinations.md §0.1), from what OpenSSL and we know.

/** Why a peer certificate was not accepted. */
export interface CertificateFailure {
  /** Number of the alert that Envoy sends. */
  readonly alert: number;
  /** Envoy's counter under `ssl.`. */
  readonly counter: 'fail_verify_no_cert' | 'fail_verify_error' | 'fail_verify_san' | 'fail_verify_cert_hash';
  /** Blanks as they are; the access log writes `_`. */
  readonly text: string;
}

export const SECRET_NOT_SUPPLIED = 'TLS error: Secret is not supplied by SDS';

/** `TLS_error:|268435581:SSL routines:OPENSSL_internal:REASON[:detail]:TLS_error_end`. */
export function tlsErrorText(reasonCode: number, reason: string, detail?: string): string {
  const tail = detail === undefined ? '' : `:${detail}`;
  return `TLS_error:|${268435456 + reasonCode}:SSL routines:OPENSSL_internal:${reason}${tail}:TLS_error_end`;
}

/** What the log of a terminated TLS → TCP connection says when its upstream was missing (spec dataplane.md §6.2). */
export const CONNECTION_REJECTED: string = tlsErrorText(133, 'CONNECTION_REJECTED');

/** Text for a certificate that was refused; `detail` stands after `verify cert failed: `. */
export function verifyFailedText(detail: string): string {
  return tlsErrorText(125, 'CERTIFICATE_VERIFY_FAILED', `verify cert failed: ${detail}`);
}

const NO_SHARED_CIPHER =
  'TLS_error:|268435640:SSL routines:OPENSSL_internal:NO_SHARED_CIPHER|268435640:SSL routines:OPENSSL_internal:NO_SHARED_CIPHER:TLS_error_end';

/** A certificate whose key may not sign handshakes (measured). */
export const KEY_MAY_NOT_SIGN: CertificateFailure = {
  alert: 47,
  counter: 'fail_verify_error',
  text: tlsErrorText(302, 'KEY_USAGE_BIT_INCORRECT'),
};

/** An upstream that answers the hello with handshake_failure (measured). */
export const HANDSHAKE_FAILURE_ON_HELLO =
  'TLS_error:|268436496:SSL routines:OPENSSL_internal:SSLV3_ALERT_HANDSHAKE_FAILURE|268435610:SSL routines:OPENSSL_internal:HANDSHAKE_FAILURE_ON_CLIENT_HELLO:TLS_error_end';

/** An upstream that resets the connection in the middle of the handshake (measured). */
export const CONNECTION_RESET =
  'TLS_error:|33554536:system library:OPENSSL_internal:Connection reset by peer:TLS_error_end';

/** No TLS version that both sides have. */
export const UNSUPPORTED_PROTOCOL: string = tlsErrorText(240, 'UNSUPPORTED_PROTOCOL');

interface Reason {
  readonly code: number;
  readonly name: string;
}

// Node's error codes (`ERR_SSL_` + OpenSSL's reason) → BoringSSL's reason.
const REASONS: Readonly<Record<string, Reason>> = {
  WRONG_VERSION_NUMBER: { code: 247, name: 'WRONG_VERSION_NUMBER' },
  PACKET_LENGTH_TOO_LONG: { code: 247, name: 'WRONG_VERSION_NUMBER' },
  HTTP_REQUEST: { code: 156, name: 'HTTP_REQUEST' },
  HTTPS_PROXY_REQUEST: { code: 155, name: 'HTTPS_PROXY_REQUEST' },
  NO_SHARED_CIPHER: { code: 184, name: 'NO_SHARED_CIPHER' },
  UNSUPPORTED_PROTOCOL: { code: 240, name: 'UNSUPPORTED_PROTOCOL' },
  VERSION_TOO_LOW: { code: 240, name: 'UNSUPPORTED_PROTOCOL' },
  NO_SUITABLE_KEY_SHARE: { code: 258, name: 'MISSING_KEY_SHARE' },
  NO_SUITABLE_SIGNATURE_ALGORITHM: { code: 253, name: 'NO_COMMON_SIGNATURE_ALGORITHMS' },
  NO_SHARED_GROUPS: { code: 266, name: 'NO_SHARED_GROUP' },
  NO_COMPRESSION_SPECIFIED: { code: 181, name: 'NO_COMPRESSION_SPECIFIED' },
  BAD_SIGNATURE: { code: 111, name: 'BAD_SIGNATURE' },
  UNEXPECTED_MESSAGE: { code: 223, name: 'UNEXPECTED_MESSAGE' },
  BAD_EXTENSION: { code: 149, name: 'ERROR_PARSING_EXTENSION' },
  LENGTH_MISMATCH: { code: 137, name: 'DECODE_ERROR' },
  DECRYPTION_FAILED_OR_BAD_RECORD_MAC: { code: 139, name: 'DECRYPTION_FAILED_OR_BAD_RECORD_MAC' },
};

// Alerts that the peer sent are 1000 + number, under these names.
const ALERT_NUMBERS: Readonly<Record<string, number>> = {
  SSLV3_ALERT_UNEXPECTED_MESSAGE: 10,
  SSLV3_ALERT_BAD_RECORD_MAC: 20,
  TLSV1_ALERT_RECORD_OVERFLOW: 22,
  SSLV3_ALERT_HANDSHAKE_FAILURE: 40,
  SSLV3_ALERT_BAD_CERTIFICATE: 42,
  SSLV3_ALERT_UNSUPPORTED_CERTIFICATE: 43,
  SSLV3_ALERT_CERTIFICATE_REVOKED: 44,
  SSLV3_ALERT_CERTIFICATE_EXPIRED: 45,
  SSLV3_ALERT_CERTIFICATE_UNKNOWN: 46,
  SSLV3_ALERT_ILLEGAL_PARAMETER: 47,
  TLSV1_ALERT_UNKNOWN_CA: 48,
  TLSV1_ALERT_ACCESS_DENIED: 49,
  TLSV1_ALERT_DECODE_ERROR: 50,
  TLSV1_ALERT_DECRYPT_ERROR: 51,
  TLSV1_ALERT_PROTOCOL_VERSION: 70,
  TLSV1_ALERT_INSUFFICIENT_SECURITY: 71,
  TLSV1_ALERT_INTERNAL_ERROR: 80,
  TLSV1_ALERT_USER_CANCELLED: 90,
  TLSV1_ALERT_NO_RENEGOTIATION: 100,
  TLSV1_UNSUPPORTED_EXTENSION: 110,
  TLSV1_UNRECOGNIZED_NAME: 112,
  TLSV13_ALERT_CERTIFICATE_REQUIRED: 116,
  TLSV1_ALERT_NO_APPLICATION_PROTOCOL: 120,
};

/** Envoy's text for an error of Node's TLS; '' when the connection merely ended. */
export function tlsFailureText(error: Error): string {
  const code = 'code' in error && typeof error.code === 'string' ? error.code : '';
  if (!code.startsWith('ERR_SSL_')) return '';
  // OpenSSL 3.5 (Node 22, 24) says "ssl/tls alert" where 3.0 and Envoy's library say "sslv3 alert".
  const reason = code.slice('ERR_SSL_'.length).replace('SSL/TLS_ALERT_', 'SSLV3_ALERT_');
  const alert = ALERT_NUMBERS[reason];
  if (alert !== undefined) return tlsErrorText(1000 + alert, alertName(reason));
  const known = REASONS[reason];
  if (known === undefined) return tlsErrorText(0, reason);
  // Envoy's queue holds this one twice (measured).
  if (reason === 'NO_SHARED_CIPHER') return NO_SHARED_CIPHER;
  return tlsErrorText(known.code, known.name);
}

function alertName(reason: string): string {
  if (reason === 'TLSV13_ALERT_CERTIFICATE_REQUIRED') return 'TLSV1_ALERT_CERTIFICATE_REQUIRED';
  if (reason === 'TLSV1_UNSUPPORTED_EXTENSION') return 'TLSV1_ALERT_UNSUPPORTED_EXTENSION';
  if (reason === 'TLSV1_UNRECOGNIZED_NAME') return 'TLSV1_ALERT_UNRECOGNIZED_NAME';
  return reason;
}

interface VerifyCode {
  readonly alert: number;
  readonly text: string;
}

const CRL_PREFIX = 'certificate revocation check against provided CRLs failed: ';

// OpenSSL's verification codes → Envoy's alert (BoringSSL's ssl_verify_alarm_type) and BoringSSL's text.
const VERIFY_CODES: Readonly<Record<string, VerifyCode>> = {
  UNABLE_TO_GET_ISSUER_CERT: { alert: 48, text: 'unable to get issuer certificate' },
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: { alert: 48, text: 'unable to get local issuer certificate' },
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: { alert: 48, text: 'unable to get local issuer certificate' },
  DEPTH_ZERO_SELF_SIGNED_CERT: { alert: 48, text: 'self signed certificate' },
  SELF_SIGNED_CERT_IN_CHAIN: { alert: 48, text: 'self signed certificate in certificate chain' },
  CERT_CHAIN_TOO_LONG: { alert: 48, text: 'certificate chain too long' },
  PATH_LENGTH_EXCEEDED: { alert: 48, text: 'path length constraint exceeded' },
  INVALID_CA: { alert: 48, text: 'invalid CA certificate' },
  UNABLE_TO_GET_CRL: { alert: 48, text: `${CRL_PREFIX}unable to get certificate CRL` },
  CERT_SIGNATURE_FAILURE: { alert: 51, text: 'certificate signature failure' },
  CRL_SIGNATURE_FAILURE: { alert: 51, text: 'CRL signature failure' },
  CERT_HAS_EXPIRED: { alert: 45, text: 'certificate has expired' },
  CERT_NOT_YET_VALID: { alert: 45, text: 'certificate is not yet valid' },
  CRL_HAS_EXPIRED: { alert: 45, text: `${CRL_PREFIX}CRL has expired` },
  CRL_NOT_YET_VALID: { alert: 45, text: `${CRL_PREFIX}CRL is not yet valid` },
  ERROR_IN_CERT_NOT_BEFORE_FIELD: { alert: 42, text: "format error in certificate's notBefore field" },
  ERROR_IN_CERT_NOT_AFTER_FIELD: { alert: 42, text: "format error in certificate's notAfter field" },
  UNHANDLED_CRITICAL_CRL_EXTENSION: {
    alert: 46,
    text: `${CRL_PREFIX}unhandled critical CRL extension`,
  },
  CERT_REJECTED: { alert: 42, text: 'certificate rejected' },
  CERT_UNTRUSTED: { alert: 42, text: 'certificate not trusted' },
  CERT_REVOKED: { alert: 44, text: `${CRL_PREFIX}certificate revoked` },
  INVALID_PURPOSE: { alert: 43, text: 'unsupported certificate purpose' },
};

/** `X509_verify_cert: certificate verification error at depth 0: …` and the alert for one of OpenSSL's codes. */
export function verifyCodeFailure(code: string, depth: number): CertificateFailure {
  const known = VERIFY_CODES[code] ?? { alert: 46, text: code.toLowerCase().replaceAll('_', ' ') };
  return {
    alert: known.alert,
    counter: 'fail_verify_error',
    text: verifyFailedText(`X509_verify_cert: certificate verification error at depth ${depth}: ${known.text}`),
  };
}
