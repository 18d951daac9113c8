// Pages of codes that `analyze` of one file does not give: stand-ins and mappings (PST06xx), export (PST09xx).
import { type CodePages, documents, EDGE, TO_WEB, virtualService } from './page.js';

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
};
