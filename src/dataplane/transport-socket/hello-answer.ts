// First bytes to which Envoy's TLS library answers otherwise than OpenSSL would: no TLS at all on a terminating catch-all,
// no common version, no null compression (spec dataplane.md §1.4, §2.4). Everything else is left to the handshake.

import type { ClientHelloDetails } from '../../match/inspect/client-hello.js';
import { helloDefectAlert } from '../../match/inspect/hello-defect.js';
import type { TlsInspector } from '../../match/inspect/tls-inspector.js';
import { tlsErrorText, UNSUPPORTED_PROTOCOL } from './failure-reason.js';
import { plaintextAlert } from './tls-alert.js';
import { sharesVersion, type TlsParameters } from './tls-parameters.js';

const PROTOCOL_VERSION = 70;
const HANDSHAKE_FAILURE = 40;
const ILLEGAL_PARAMETER = 47;
const DECODE_ERROR = 50;
const UNSUPPORTED_EXTENSION = 110;
const VERSION_TLS12 = 0x0303;
const VERSION_TLS13 = 0x0304;

export interface HelloAnswer {
  /** The alert record; `undefined` = FIN without a byte. */
  readonly record: Buffer | undefined;
  /** Text for the log where it differs from the inspector's; '' = leave that. */
  readonly reason: string;
}

/** `undefined` = go on with the handshake. */
export function answerHello(inspector: TlsInspector, parameters: TlsParameters): HelloAnswer | undefined {
  if (inspector.defect !== undefined) {
    const alert = helloDefectAlert(inspector.defect);
    return { record: alert > 0 ? plaintextAlert(alert, 1) : undefined, reason: '' };
  }
  const hello = inspector.details();
  if (hello === undefined) return undefined;
  const versions = hello.supportedVersions;
  if (versions === 'malformed') {
    return { record: plaintextAlert(DECODE_ERROR, 1), reason: tlsErrorText(137, 'DECODE_ERROR') };
  }
  if (!sharesVersion(parameters, hello.legacyVersion, versions)) {
    return { record: plaintextAlert(PROTOCOL_VERSION, 1), reason: UNSUPPORTED_PROTOCOL };
  }
  if (!hello.hasNullCompression) {
    return { record: plaintextAlert(ILLEGAL_PARAMETER, hello.legacyVersion >= VERSION_TLS12 ? 3 : 1), reason: '' };
  }
  const isTls13 = parameters.maxVersion === 'TLSv1.3' && versions?.includes(VERSION_TLS13) === true;
  return answerExtensions(hello, isTls13, parameters);
}

// Measured; OpenSSL overlooks all of them, or words them otherwise.
function answerExtensions(
  hello: ClientHelloDetails,
  isTls13: boolean,
  parameters: TlsParameters,
): HelloAnswer | undefined {
  const answer = (alert: number, code: number, name: string): HelloAnswer => ({
    record: plaintextAlert(alert, 3),
    reason: tlsErrorText(code, name),
  });
  if (hello.hasAlienEncryptedHello) return answer(DECODE_ERROR, 149, 'ERROR_PARSING_EXTENSION');
  if (!isTls13) {
    const { groups } = parameters;
    if (groups !== undefined && hello.supportedGroups?.some((group) => groups.includes(group)) === false) {
      return answer(HANDSHAKE_FAILURE, 243, 'WRONG_CURVE');
    }
    return hello.lacksUncompressedPoints ? answer(ILLEGAL_PARAMETER, 149, 'ERROR_PARSING_EXTENSION') : undefined;
  }
  if (hello.hasQuicParameters) return answer(UNSUPPORTED_EXTENSION, 149, 'ERROR_PARSING_EXTENSION');
  if (hello.hasDoubleKeyShare) return answer(ILLEGAL_PARAMETER, 264, 'DUPLICATE_KEY_SHARE');
  if (hello.hasKeyShare && !hello.hasSignatureAlgorithms) {
    return answer(HANDSHAKE_FAILURE, 253, 'NO_COMMON_SIGNATURE_ALGORITHMS');
  }
  return undefined;
}

/** True when the client would speak TLS 1.3. */
export function offersTls13(inspector: TlsInspector): boolean {
  const versions = inspector.details()?.supportedVersions;
  return versions !== undefined && versions !== 'malformed' && versions.includes(VERSION_TLS13);
}
