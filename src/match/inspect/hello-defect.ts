// What a real TLS library objects to in the first bytes of a connection, and how Envoy's log words it
// (spec dataplane.md §1.3; the reason numbers are BoringSSL's).

/** Why bytes are not a ClientHello that can be used. A closed union: the transport socket of a catch-all chain chooses its alert by it. */
export type HelloDefect =
  /** `GET `, `POST `, `HEAD `, `PUT ` in clear. */
  | 'http_request'
  /** `CONNE…` in clear. */
  | 'https_proxy_request'
  /** The record's major version is not 3: text, an HTTP/2 preface, garbage. */
  | 'wrong_version_number'
  | 'encrypted_length_too_long'
  | 'too_many_empty_fragments'
  /** A record of another type than handshake or alert. */
  | 'unexpected_record'
  /** A handshake message other than ClientHello. */
  | 'unexpected_message'
  /** A ClientHello that announces more than 16 KiB. */
  | 'excessive_message_size'
  /** A fatal alert of the client; `HelloFailure.alert` has its number. */
  | 'peer_alert'
  | 'bad_alert'
  | 'unknown_alert_type'
  | 'too_many_warning_alerts'
  /** Lengths, duplicate extensions, empty cipher list, session id over 32 bytes. */
  | 'clienthello_parse_failed'
  /** server_name extension whose structure is broken (two names, empty list, trailing bytes). */
  | 'malformed_server_name'
  /** server_name that is empty, longer than 255 bytes, holds a NUL, or is no host_name. */
  | 'unacceptable_server_name'
  /** An encrypted_client_hello extension that cannot be taken apart. */
  | 'malformed_encrypted_hello'
  /** More bytes in the record after the hello. */
  | 'excess_handshake_data'
  /** An SSLv2-style hello with wrong lengths. */
  | 'sslv2_length'
  | 'sslv2_too_large'
  | 'sslv2_decode_error';

/** Alerts that a client may send, by number, under the names that the library's error texts use. */
const PEER_ALERTS: Readonly<Record<number, string>> = {
  0: 'SSLV3_ALERT_CLOSE_NOTIFY',
  10: 'SSLV3_ALERT_UNEXPECTED_MESSAGE',
  20: 'SSLV3_ALERT_BAD_RECORD_MAC',
  21: 'TLSV1_ALERT_DECRYPTION_FAILED',
  22: 'TLSV1_ALERT_RECORD_OVERFLOW',
  30: 'SSLV3_ALERT_DECOMPRESSION_FAILURE',
  40: 'SSLV3_ALERT_HANDSHAKE_FAILURE',
  41: 'SSLV3_ALERT_NO_CERTIFICATE',
  42: 'SSLV3_ALERT_BAD_CERTIFICATE',
  43: 'SSLV3_ALERT_UNSUPPORTED_CERTIFICATE',
  44: 'SSLV3_ALERT_CERTIFICATE_REVOKED',
  45: 'SSLV3_ALERT_CERTIFICATE_EXPIRED',
  46: 'SSLV3_ALERT_CERTIFICATE_UNKNOWN',
  47: 'SSLV3_ALERT_ILLEGAL_PARAMETER',
  48: 'TLSV1_ALERT_UNKNOWN_CA',
  49: 'TLSV1_ALERT_ACCESS_DENIED',
  50: 'TLSV1_ALERT_DECODE_ERROR',
  51: 'TLSV1_ALERT_DECRYPT_ERROR',
  60: 'TLSV1_ALERT_EXPORT_RESTRICTION',
  70: 'TLSV1_ALERT_PROTOCOL_VERSION',
  71: 'TLSV1_ALERT_INSUFFICIENT_SECURITY',
  80: 'TLSV1_ALERT_INTERNAL_ERROR',
  86: 'TLSV1_ALERT_INAPPROPRIATE_FALLBACK',
  90: 'TLSV1_ALERT_USER_CANCELLED',
  100: 'TLSV1_ALERT_NO_RENEGOTIATION',
  110: 'TLSV1_ALERT_UNSUPPORTED_EXTENSION',
  111: 'TLSV1_ALERT_CERTIFICATE_UNOBTAINABLE',
  112: 'TLSV1_ALERT_UNRECOGNIZED_NAME',
  113: 'TLSV1_ALERT_BAD_CERTIFICATE_STATUS_RESPONSE',
  114: 'TLSV1_ALERT_BAD_CERTIFICATE_HASH_VALUE',
  115: 'TLSV1_ALERT_UNKNOWN_PSK_IDENTITY',
  116: 'TLSV1_ALERT_CERTIFICATE_REQUIRED',
  120: 'TLSV1_ALERT_NO_APPLICATION_PROTOCOL',
  121: 'TLSV1_ALERT_ECH_REQUIRED',
};

interface DefectFacts {
  readonly reason: string;
  readonly code: number;
  /** Number of the TLS alert with which a terminating chain answers; 0 = none, FIN without a byte. */
  readonly alert: number;
}

const DEFECTS: Readonly<Record<Exclude<HelloDefect, 'peer_alert'>, DefectFacts>> = {
  http_request: { reason: 'HTTP_REQUEST', code: 156, alert: 0 },
  https_proxy_request: { reason: 'HTTPS_PROXY_REQUEST', code: 155, alert: 0 },
  wrong_version_number: { reason: 'WRONG_VERSION_NUMBER', code: 247, alert: 70 },
  encrypted_length_too_long: { reason: 'ENCRYPTED_LENGTH_TOO_LONG', code: 146, alert: 22 },
  too_many_empty_fragments: { reason: 'TOO_MANY_EMPTY_FRAGMENTS', code: 219, alert: 10 },
  unexpected_record: { reason: 'UNEXPECTED_RECORD', code: 225, alert: 10 },
  unexpected_message: { reason: 'UNEXPECTED_MESSAGE', code: 223, alert: 10 },
  excessive_message_size: { reason: 'EXCESSIVE_MESSAGE_SIZE', code: 150, alert: 47 },
  bad_alert: { reason: 'BAD_ALERT', code: 102, alert: 50 },
  unknown_alert_type: { reason: 'UNKNOWN_ALERT_TYPE', code: 227, alert: 47 },
  too_many_warning_alerts: { reason: 'TOO_MANY_WARNING_ALERTS', code: 220, alert: 10 },
  clienthello_parse_failed: { reason: 'CLIENTHELLO_PARSE_FAILED', code: 131, alert: 50 },
  malformed_server_name: { reason: 'ERROR_PARSING_EXTENSION', code: 149, alert: 50 },
  unacceptable_server_name: { reason: 'ERROR_PARSING_EXTENSION', code: 149, alert: 112 },
  malformed_encrypted_hello: { reason: 'DECODE_ERROR', code: 137, alert: 50 },
  excess_handshake_data: { reason: 'EXCESS_HANDSHAKE_DATA', code: 255, alert: 10 },
  sslv2_length: { reason: 'RECORD_LENGTH_MISMATCH', code: 199, alert: 0 },
  sslv2_too_large: { reason: 'RECORD_TOO_LARGE', code: 200, alert: 0 },
  sslv2_decode_error: { reason: 'DECODE_ERROR', code: 137, alert: 0 },
};

/**
 * Envoy's text for `%DOWNSTREAM_TRANSPORT_FAILURE_REASON%`:
 * `TLS_error|error:1000009c:SSL_routines:OPENSSL_internal:HTTP_REQUEST:TLS_error_end`.
 * `peerAlert` is the number of the client's own alert and counts with 'peer_alert' only. '' when the library sees no error.
 */
export function helloFailureText(defect: HelloDefect | undefined, peerAlert: number): string {
  if (defect === undefined) return '';
  // Reasons of alerts that the peer sent are 1000 + its number (spec dataplane.md §1.3).
  if (defect === 'peer_alert')
    return errorText(1000 + peerAlert, PEER_ALERTS[peerAlert] ?? `UNKNOWN_ALERT_${peerAlert}`);
  const facts = DEFECTS[defect];
  return errorText(facts.code, facts.reason);
}

/** Number of the alert with which a terminating chain answers such bytes, in a plaintext record of version 3.1; 0 = none, FIN without a byte (spec dataplane.md §1.4). */
export function helloDefectAlert(defect: HelloDefect): number {
  return defect === 'peer_alert' ? 0 : DEFECTS[defect].alert;
}

function errorText(reason: number, name: string): string {
  const code = (0x10000000 + reason).toString(16);
  return `TLS_error|error:${code}:SSL_routines:OPENSSL_internal:${name}:TLS_error_end`;
}
