// TLS towards a destination says which CA it trusts. Spec validation.md §11 IST0128, IST0129. Istio:
// destinationrule/ca-certificates.go.
import {
  NoServerCertificateVerificationDestinationLevel,
  NoServerCertificateVerificationPortLevel,
} from '../../diagnostics/catalogue.js';
import type { Analyzer } from '../analyzer.js';
import { Field } from '../field.js';
import { fullName } from '../selector.js';

const MODES: ReadonlySet<string> = new Set(['SIMPLE', 'MUTUAL']);

export const caCertificates: Analyzer = {
  name: 'destinationrule.CaCertificateAnalyzer',
  description: 'Checks if caCertificates is set when TLS mode is SIMPLE/MUTUAL',
  inputs: ['DestinationRule'],
  messages: [NoServerCertificateVerificationDestinationLevel, NoServerCertificateVerificationPortLevel],
  analyze(context) {
    for (const rule of context.all('DestinationRule')) {
      const spec = Field.of(rule).get('spec');
      const hasSelector = spec.get('workloadSelector').isWritten;
      const parameters = { rule: fullName(rule), namespace: rule.namespace, host: spec.get('host').text() };
      const policy = spec.get('trafficPolicy');
      const tls = policy.get('tls');
      if (isUnverified(tls, hasSelector)) {
        const mode = tls.get('mode');
        context.report(NoServerCertificateVerificationDestinationLevel, mode, { ...parameters, mode: mode.text() });
      }
      for (const port of policy.get('portLevelSettings').items()) {
        const portTls = port.get('tls');
        if (!isUnverified(portTls, hasSelector)) continue;
        const mode = portTls.get('mode');
        const number = port.get('port', 'number');
        context.report(NoServerCertificateVerificationPortLevel, mode, {
          ...parameters,
          mode: mode.text(),
          port: number.isWritten ? `number:${number.number()}` : '',
        });
      }
    }
  },
};

function isUnverified(tls: Field, hasSelector: boolean): boolean {
  if (!MODES.has(tls.get('mode').text()) || tls.get('caCertificates').text() !== '') return false;
  return !(hasSelector && tls.get('credentialName').text() !== '');
}
