// Two Gateways do not share a certificate. Spec validation.md §11 IST0138. Istio: gateway/certificate.go.
import type { Labels } from '../../config/model/common.js';
import { labelsMatch } from '../../config/model/labels.js';
import { goList } from '../../config/validate/go-text.js';
import type { WrittenObject } from '../../config/written-object.js';
import { GatewayDuplicateCertificate } from '../../diagnostics/catalogue.js';
import type { AnalysisContext, Analyzer } from '../analyzer.js';
import { Field } from '../field.js';
import { fullName, gatewaySelector } from '../selector.js';

interface Candidate {
  readonly gateway: WrittenObject;
  readonly selector: Labels;
  /** Each certificate with the first server that has it. */
  readonly certificates: ReadonlyMap<string, Field>;
}

export const duplicateCertificates: Analyzer = {
  name: 'gateway.CertificateAnalyzer',
  description: 'Checks a gateway certificate',
  inputs: ['Gateway'],
  messages: [GatewayDuplicateCertificate],
  analyze(context) {
    const candidates = context.all('Gateway').map(toCandidate);
    const byCertificate = new Map<string, Candidate[]>();
    for (const candidate of candidates) {
      for (const certificate of candidate.certificates.keys()) {
        const list = byCertificate.get(certificate);
        if (list === undefined) byCertificate.set(certificate, [candidate]);
        else list.push(candidate);
      }
    }
    for (const current of candidates) {
      const told = new Set<Candidate>([current]);
      for (const [certificate, at] of current.certificates) {
        for (const other of byCertificate.get(certificate) ?? []) {
          // The wider selector is told about the narrower one, not the other way round.
          if (told.has(other) || !labelsMatch(current.selector, other.selector)) continue;
          told.add(other);
          report(context, current, other, at);
        }
      }
    }
  },
};

function report(context: AnalysisContext, current: Candidate, other: Candidate, at: Field): void {
  context.report(
    GatewayDuplicateCertificate,
    at,
    { gateways: goList([fullName(current.gateway), fullName(other.gateway)]) },
    { printed: Field.of(current.gateway).get('metadata', 'name') },
  );
}

function toCandidate(gateway: WrittenObject): Candidate {
  const certificates = new Map<string, Field>();
  for (const server of Field.of(gateway).get('spec', 'servers').items()) {
    const tls = server.get('tls');
    const certificate = certificateOf(tls);
    if (certificate !== undefined && !certificates.has(certificate.key))
      certificates.set(certificate.key, certificate.at);
  }
  return { gateway, selector: gatewaySelector(gateway), certificates };
}

/** Names are compared as they are written, whatever namespace they are in. */
function certificateOf(tls: Field): { readonly key: string; readonly at: Field } | undefined {
  const credential = tls.get('credentialName');
  if (credential.text() !== '') return { key: `credential ${credential.text()}`, at: credential };
  const certificate = tls.get('serverCertificate');
  const privateKey = tls.get('privateKey').text();
  if (certificate.text() === '' || privateKey === '') return undefined;
  return { key: `file ${certificate.text()} ${privateKey}`, at: certificate };
}
