// First bytes to which Envoy's TLS library answers otherwise than OpenSSL would: no TLS at all on a terminating catch-all,
// no common version, no null compression (spec dataplane.md §1.4, §2.4). Everything else is left to the handshake.
import { helloDefectAlert } from '../../match/inspect/hello-defect.js';
import type { TlsInspector } from '../../match/inspect/tls-inspector.js';
import { UNSUPPORTED_PROTOCOL } from './failure-reason.js';
import { plaintextAlert } from './tls-alert.js';
import { sharesVersion, type TlsParameters } from './tls-parameters.js';

const PROTOCOL_VERSION = 70;
const ILLEGAL_PARAMETER = 47;
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
  const versions = hello.supportedVersions === 'malformed' ? undefined : hello.supportedVersions;
  if (!sharesVersion(parameters, hello.legacyVersion, versions)) {
    return { record: plaintextAlert(PROTOCOL_VERSION, 1), reason: UNSUPPORTED_PROTOCOL };
  }
  if (!hello.hasNullCompression) {
    return { record: plaintextAlert(ILLEGAL_PARAMETER, hello.legacyVersion >= VERSION_TLS12 ? 3 : 1), reason: '' };
  }
  return undefined;
}

/** True when the client would speak TLS 1.3. */
export function offersTls13(inspector: TlsInspector): boolean {
  const versions = inspector.details()?.supportedVersions;
  return versions !== undefined && versions !== 'malformed' && versions.includes(VERSION_TLS13);
}
