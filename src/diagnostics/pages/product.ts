// Pages of codes that `analyze` of one file does not give: stand-ins and mappings (PST06xx), export (PST09xx), contract
// files (PST10xx).
import { type CodePages, documents, EDGE, TO_WEB, virtualService } from './page.js';

const TEST = 'postern test FILE';
const EXPORT = 'postern export envoy FILE';

export const PRODUCT_PAGES: CodePages = {
  PST0601: {
    example: documents(EDGE, virtualService(`http:\n${TO_WEB}`)),
    fix: 'Load the Services too, or say --no-assume-services to get what a cluster would answer.',
  },
  PST0602: {
    shownBy: 'postern run --dev-certs FILE',
    fix: 'Nothing has to be fixed; the real gateway needs the Secret.',
  },
  PST0603: {
    shownBy: 'postern run --upstream HOST=ADDR:PORT FILE',
    fix: 'Write the host, port and subset as `postern proxy-config clusters` shows them.',
  },
  PST0901: { shownBy: EXPORT, fix: 'Mend what Envoy refuses.' },
  PST0902: { shownBy: EXPORT, fix: 'Mend what Envoy refuses.' },
  PST0903: { shownBy: EXPORT, fix: 'Add the Secret, or let --dev-certs make one.' },
  PST0904: { shownBy: EXPORT, fix: 'Map the services with --upstream.' },
  PST0905: { shownBy: EXPORT, fix: 'Nothing has to be fixed.' },
  PST0906: { shownBy: EXPORT, fix: 'Give one of the listeners another port with --port.' },
  PST0907: { shownBy: EXPORT, fix: 'Add the file, or remove `caCrl`.' },
  PST0908: { shownBy: EXPORT, fix: 'Correct accessLogFormat.' },
  PST1001: { shownBy: TEST, fix: 'Begin the file with `contract: v1`, and name contract files only.' },
  PST1002: { shownBy: TEST, fix: 'Correct the name of the key.' },
  PST1003: { shownBy: TEST, fix: 'Write a value of the kind that is expected.' },
  PST1004: { shownBy: TEST, fix: 'Add the key.' },
  PST1005: { shownBy: TEST, fix: 'Keep one of the two.' },
  PST1006: { shownBy: TEST, fix: 'Add a test: a contract without tests proves nothing.' },
  PST1007: { shownBy: TEST, fix: 'Say under `expect` what shall happen.' },
  PST1008: { shownBy: TEST, fix: 'Keep one of the keys, or add the one that is needed.' },
  PST1009: { shownBy: TEST, fix: 'Correct the request.' },
  PST1010: { shownBy: TEST, fix: 'Write an expression of RE2: no look-around and no back references.' },
  PST1011: { shownBy: TEST, fix: 'Declare the client under `clients`, or correct the name.' },
  PST1012: { shownBy: TEST, fix: 'Use the client in a test, or remove it.' },
  PST1013: { shownBy: TEST, fix: 'Write HOST[:PORT][/SUBSET], as `postern proxy-config clusters` shows it.' },
  PST1014: { shownBy: TEST, fix: 'Use the upstream in a test, or remove it.' },
  PST1015: { shownBy: TEST, fix: 'Correct the path; it is relative to the contract file.' },
  PST1016: {
    shownBy: TEST,
    fix: 'Let --dev-certs make the CA (`gateway: {devCerts: true}`), or give the certificate and key of the client.',
  },
  PST1017: { shownBy: TEST, fix: 'Accept it with `gateway: {allowUnemulated: […]}`, or test that part in a cluster.' },
  PST1018: { shownBy: TEST, fix: 'Remove the entry, or correct its name.' },
};
