// What a client learns of a TLS handshake: version, protocol, the server's certificate, or the alert that ended it.
import type { X509Certificate } from 'node:crypto';
import type tls from 'node:tls';
import { certificateNames } from '../../decide/certificate-facts.js';

/** A handshake as the client saw it. Absent fields: it did not get that far. */
export interface TlsOutcome {
  /** 'TLSv1.3'. */
  readonly version?: string;
  /** The protocol agreed on; absent = none. */
  readonly alpn?: string;
  /** IANA's name, 'TLS_AES_256_GCM_SHA384'. */
  readonly cipher?: string;
  /** Common name of the server's certificate, or its first DNS name where it has none. */
  readonly certificate?: string;
  /** Common name and DNS names of the server's certificate. */
  readonly names?: readonly string[];
  /** The server's certificate, PEM. */
  readonly pem?: string;
  /** 'unknown_ca': the alert that the server sent. With TLS 1.3 it may come after a handshake that succeeded. */
  readonly alert?: string;
  /** What else went wrong, in OpenSSL's words. */
  readonly error?: string;
}

/** Of a handshake that succeeded. */
export function describeHandshake(socket: tls.TLSSocket): TlsOutcome {
  const { alpnProtocol } = socket;
  return {
    ...(socket.getProtocol() === null ? {} : { version: socket.getProtocol() as string }),
    ...(typeof alpnProtocol === 'string' && alpnProtocol !== '' ? { alpn: alpnProtocol } : {}),
    cipher: socket.getCipher().standardName,
    // A resumed session has no certificate to show; sessions are never offered by this client.
    ...describeCertificate(socket.getPeerX509Certificate()),
  };
}

function describeCertificate(
  certificate: X509Certificate | undefined,
): Pick<TlsOutcome, 'certificate' | 'names' | 'pem'> {
  if (certificate === undefined) return {};
  const names = certificateNames(certificate);
  return {
    ...(names[0] === undefined ? {} : { certificate: names[0] }),
    names,
    pem: certificate.toString(),
  };
}

/** What an error of a TLS socket says; `undefined` for errors that are not TLS's. */
export function describeTlsError(error: NodeJS.ErrnoException): Pick<TlsOutcome, 'alert' | 'error'> | undefined {
  const reason = opensslReason(error);
  if (reason === undefined) return undefined;
  const alert = alertName(reason);
  return alert === undefined ? { error: reason.toLowerCase().replaceAll('_', ' ') } : { alert };
}

/** `WRONG_VERSION_NUMBER` of an error of OpenSSL; `undefined` for others. */
export function opensslReason(error: NodeJS.ErrnoException): string | undefined {
  if (error.code?.startsWith('ERR_SSL_')) return error.code.slice('ERR_SSL_'.length);
  const text = /error:[0-9A-Fa-f]+:SSL routines:[^:]*:([^:]+):/.exec(error.message)?.[1];
  return text?.toUpperCase().replaceAll(' ', '_');
}

/**
 * 'handshake_failure': the alert that such a reason stands for; `undefined` when no alert was received. OpenSSL says
 * SSLV3_ALERT_HANDSHAKE_FAILURE, TLSV1_ALERT_UNKNOWN_CA, TLSV13_ALERT_…, in newer releases SSL/TLS_ALERT_…; a few have no
 * ALERT in their name.
 */
export function alertName(reason: string): string | undefined {
  const name = /^(?:SSLV3|TLSV1|TLSV13|SSL\/TLS)_ALERT_(.+)$/.exec(reason)?.[1];
  if (name !== undefined) return name.toLowerCase();
  const bare =
    /^TLSV1_(BAD_CERTIFICATE_HASH_VALUE|UNRECOGNIZED_NAME|UNSUPPORTED_EXTENSION|CERTIFICATE_UNOBTAINABLE|BAD_CERTIFICATE_STATUS_RESPONSE)$/.exec(
      reason,
    )?.[1];
  return bare?.toLowerCase();
}
