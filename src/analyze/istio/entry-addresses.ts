// TCP ports of ServiceEntries need addresses. Spec validation.md §11 IST0134. Istio: serviceentry/protocoladdresses.go.
import { ServiceEntryAddressesRequired } from '../../diagnostics/catalogue.js';
import type { AnalysisContext, Analyzer } from '../analyzer.js';
import { Field } from '../field.js';

export const entryAddresses: Analyzer = {
  name: 'serviceentry.Analyzer',
  description: 'Checks the validity of ServiceEntry',
  inputs: ['ServiceEntry'],
  messages: [ServiceEntryAddressesRequired],
  analyze(context) {
    if (areAddressesAllocated(context)) return;
    for (const entry of context.all('ServiceEntry')) {
      const object = Field.of(entry);
      if (object.get('spec', 'addresses').items().length > 0 || object.get('status', 'addresses').items().length > 0)
        continue;
      for (const port of object.get('spec', 'ports').items()) {
        const protocol = port.get('protocol');
        if (protocol.text() !== '' && protocol.text().toUpperCase() !== 'TCP') continue;
        const at = protocol.isWritten ? protocol : port;
        context.report(ServiceEntryAddressesRequired, at, {}, { printed: port.get('name') });
      }
    }
  },
};

function areAddressesAllocated({ mesh }: AnalysisContext): boolean {
  const metadata = mesh.defaultConfig?.proxyMetadata ?? {};
  return (
    metadata['ISTIO_META_DNS_CAPTURE'] === 'true' &&
    (metadata['ISTIO_META_DNS_AUTO_ALLOCATE'] === 'true' || metadata['PILOT_ENABLE_IP_AUTOALLOCATE'] === 'true')
  );
}
