// Certificates of the servers as their clients will see them: names, dates, keys, chains, and the CA for client
// certificates. Only material that is in the files can be judged.
import type { X509Certificate } from 'node:crypto';
import { brokenLink, coversHost, dayText, isSelfSigned, validityOf } from '../../decide/certificate-facts.js';
import {
  CertificateChainBroken,
  CertificateEndsSoon,
  CertificateHostMismatch,
  CertificateKeyMismatch,
  CertificateOutOfDate,
  CertificateSelfSigned,
  ClientCaMissing,
} from '../../diagnostics/catalogue.js';
import type { GatewayAnalysisContext, GatewayAnalyzer } from '../analyzer.js';
import type { Field } from '../field.js';
import { keyFits, namesOf, parseChain } from './pem-chain.js';
import { credentialField, shownName, type TlsChain, tlsChains } from './tls-chains.js';

const DAY = 86_400_000;
const SOON = 14 * DAY;

export const certificates: GatewayAnalyzer = {
  name: 'postern.certificates',
  description: 'Checks names, dates, keys and chains of server certificates, and the CA for client certificates',
  inputs: ['Gateway'],
  messages: [
    CertificateHostMismatch,
    CertificateOutOfDate,
    CertificateEndsSoon,
    CertificateKeyMismatch,
    ClientCaMissing,
    CertificateSelfSigned,
    CertificateChainBroken,
  ],
  analyze(context) {
    for (const chain of tlsChains(context)) {
      const at = credentialField(chain);
      const served: X509Certificate[] = [];
      for (const name of chain.certificates) {
        // The mesh's own identity is no matter of these files.
        if (name === 'default') continue;
        const certificate = checkCertificate(context, name, at);
        if (certificate !== undefined) served.push(certificate);
      }
      checkNames(context, chain, served, at);
      checkClientCa(context, chain, at);
    }
  },
};

function checkCertificate(context: GatewayAnalysisContext, sdsName: string, at: Field): X509Certificate | undefined {
  const material = context.gateway.push.credential(sdsName);
  if (material.kind !== 'certificate') return undefined;
  const chain = parseChain(material.certificateChain);
  const [leaf] = chain;
  if (leaf === undefined) return undefined;
  const credential = shownName(sdsName);
  if (!keyFits(leaf, material.privateKey)) context.report(CertificateKeyMismatch, at, { credential });
  checkDates(context, leaf, credential, at);
  if (chain.length === 1 && isSelfSigned(leaf)) context.report(CertificateSelfSigned, at, { credential });
  const broken = brokenLink(chain);
  if (broken !== undefined) {
    const [subject = '', issuer = ''] = chain.slice(broken).map((certificate) => oneLine(certificate.subject));
    context.report(CertificateChainBroken, at, { credential, position: broken + 1, subject, issuer });
  }
  return leaf;
}

function checkDates(context: GatewayAnalysisContext, leaf: X509Certificate, credential: string, at: Field): void {
  const { from, to } = validityOf(leaf);
  const { now } = context;
  if (now > to) context.report(CertificateOutOfDate, at, { credential, problem: `ended on ${dayText(to)}` });
  else if (now < from) context.report(CertificateOutOfDate, at, { credential, problem: `begins on ${dayText(from)}` });
  else if (to - now < SOON)
    context.report(CertificateEndsSoon, at, { credential, date: dayText(to), days: Math.floor((to - now) / DAY) });
}

function checkNames(
  context: GatewayAnalysisContext,
  chain: TlsChain,
  served: readonly X509Certificate[],
  at: Field,
): void {
  // With several certificates (RSA and ECDSA) each client gets one of them: all have to fit.
  for (const [index, certificate] of served.entries()) {
    const uncovered = chain.serverNames.filter((host) => host !== '*' && !coversHost(certificate, host));
    if (uncovered.length === 0) continue;
    context.report(CertificateHostMismatch, at, {
      credential: shownName(chain.certificates[index] ?? ''),
      hosts: uncovered.join(', '),
      names: namesOf(certificate).join(', ') || 'no name at all',
    });
  }
}

function checkClientCa(context: GatewayAnalysisContext, chain: TlsChain, at: Field): void {
  if (chain.clientCa === undefined || chain.clientCa === 'ROOTCA') return;
  const material = context.gateway.push.credential(chain.clientCa);
  if (material.kind !== 'missing') return;
  const mode = chain.server.get('tls', 'mode').text();
  context.report(ClientCaMissing, at, { mode, reason: material.reason });
}

function oneLine(name: string): string {
  return name.split('\n').join(', ');
}
