// What there is to say of the TLS of one chain: which certificate answers and why, whether it covers the host, its dates
// and chain, versions and protocols, who must present a certificate, and which other hosts a browser would send over the
// same connection. Spec gateway.md §6.4, §7, dataplane.md §2.3.
import type { X509Certificate } from 'node:crypto';
import type { CertificateValidationContext, FilterChain, Secret, VirtualHost } from '../xds/index.js';
import { type CandidateCertificate, chooseCertificate, describeCertificate } from './certificate-choice.js';
import {
  brokenLink,
  certificatesIn,
  commonName,
  commonNameIn,
  coversHost,
  dayText,
  dnsNameCovers,
  isSelfSigned,
  validityOf,
} from './certificate-facts.js';
import { demandsCertificate } from './client-certificate.js';
import { reusedHosts } from './connection-reuse.js';
import { tableOf } from './nearest.js';
import type { ListenerIndex, SnapshotIndex } from './snapshot-index.js';

/** One thing that the doctor says. */
export interface TlsRemark {
  readonly subject:
    | 'certificate'
    | 'coverage'
    | 'dates'
    | 'chain'
    | 'protocol'
    | 'client certificate'
    | 'connection reuse';
  /** `fine`: nothing to do. `note`: worth knowing. `problem`: clients fail, or are served what they did not ask for. */
  readonly verdict: 'fine' | 'note' | 'problem';
  readonly text: string;
  readonly originId?: number | undefined;
}

/** A connection as the doctor sees it. */
export interface TlsVisit {
  readonly listener: ListenerIndex;
  readonly chain: FilterChain;
  /** Lower case; '' = none sent. */
  readonly serverName: string;
  /** The host that the client means to reach, without port; '' = unknown. */
  readonly host: string;
  readonly applicationProtocols: readonly string[];
}

const MODERN_CLIENT = { ecdsaCurves: ['prime256v1', 'secp384r1', 'secp521r1'] };
/** A certificate that ends sooner is worth a note: 30 days in milliseconds. */
const SOON = 30 * 24 * 3600 * 1000;

/** The remarks on a chain that terminates TLS; none for others. `now`: milliseconds since 1970, for dates. */
export function examineTls(index: SnapshotIndex, visit: TlsVisit, now: number): readonly TlsRemark[] {
  const socket = visit.chain.transport_socket?.typed_config;
  if (socket === undefined) return [];
  const context = socket.common_tls_context;
  const names = (context.tls_certificate_sds_secret_configs ?? []).map(({ name }) => name);
  const { secrets } = index.snapshot;
  const remarks: TlsRemark[] = [];
  const usable = names.flatMap((name) => {
    const secret = secrets[name];
    if (secret?.kind === 'tls_certificate' && certificatesIn(secret.certificateChain).length > 0)
      return [{ name, secret, candidate: describeCertificate(secret.certificateChain) }];
    remarks.push({ subject: 'certificate', verdict: 'problem', text: `${name}: ${absence(secret)}` });
    return [];
  });
  const chosen =
    usable[
      chooseCertificate(
        usable.map(({ candidate }) => candidate),
        visit.serverName,
        MODERN_CLIENT,
      )
    ];
  if (chosen !== undefined) {
    remarks.push({
      subject: 'certificate',
      verdict: 'fine',
      text: `${chosen.name} (${chosen.candidate.names.join(', ')}; ${chosen.candidate.kind}): ${reasonOf(
        usable.map(({ candidate }) => candidate),
        chosen.candidate,
        visit.serverName,
      )}`,
      originId: chosen.secret.originId,
    });
    remarks.push(...examineCertificate(chosen.secret.certificateChain, visit.host, now));
  }
  remarks.push(protocolRemark(visit));
  remarks.push(...clientRemarks(visit.chain, secrets));
  if (chosen !== undefined) remarks.push(...reuseRemarks(index, visit, chosen.secret.certificateChain));
  return remarks;
}

function absence(secret: Secret | undefined): string {
  return secret?.kind === 'refused' ? `Envoy refuses it: ${secret.reason}` : 'no such Secret';
}

function reasonOf(all: readonly CandidateCertificate[], chosen: CandidateCertificate, serverName: string): string {
  if (all.length === 1) return 'the only one of this chain';
  if (serverName === '') return 'without SNI the first usable one answers';
  if (chosen.names.includes(serverName)) return `it names ${serverName}${preference(all, chosen)}`;
  if (chosen.names.some((name) => dnsNameCovers(name, serverName))) return `its wildcard covers ${serverName}`;
  return `none of the ${all.length} names ${serverName}, so the first answers`;
}

function preference(all: readonly CandidateCertificate[], chosen: CandidateCertificate): string {
  return chosen.kind === 'ecdsa' && all.some(({ kind }) => kind === 'rsa') ? ', and ECDSA goes before RSA' : '';
}

function examineCertificate(pem: string, host: string, now: number): readonly TlsRemark[] {
  const chain = certificatesIn(pem);
  const [leaf] = chain;
  if (leaf === undefined) return [];
  const remarks: TlsRemark[] = [];
  if (host !== '') {
    const covers = coversHost(leaf, host);
    remarks.push({
      subject: 'coverage',
      verdict: covers ? 'fine' : 'problem',
      text: covers ? `it covers ${host}` : `it does not cover ${host}: clients that verify refuse it`,
    });
  }
  const { from, to } = validityOf(leaf);
  const dates = `${dayText(from)} to ${dayText(to)}`;
  if (now < from || now > to)
    remarks.push({ subject: 'dates', verdict: 'problem', text: `${now > to ? 'expired' : 'not valid yet'}: ${dates}` });
  else remarks.push({ subject: 'dates', verdict: to - now < SOON ? 'note' : 'fine', text: `valid from ${dates}` });
  remarks.push(chainRemark(chain));
  return remarks;
}

function chainRemark(chain: readonly X509Certificate[]): TlsRemark {
  const root = chain.findIndex(isSelfSigned);
  const broken = brokenLink(chain);
  // What stands behind a root is nothing that a client needs.
  if (root !== -1 && (broken === undefined || root <= broken)) return rootRemark(root, chain.length);
  if (broken !== undefined) return brokenRemark(chain, broken);
  const issuer = commonNameIn(chain.at(-1)?.issuer) || 'its issuer';
  return {
    subject: 'chain',
    verdict: chain.length === 1 ? 'note' : 'fine',
    text: `${chain.length === 1 ? 'sent alone' : `${chain.length} certificates`}: clients must have ${issuer}, which signed the last one`,
  };
}

function rootRemark(position: number, length: number): TlsRemark {
  return position === 0
    ? { subject: 'chain', verdict: 'note', text: 'self-signed: clients must trust it itself' }
    : { subject: 'chain', verdict: 'fine', text: `complete up to its root (${length} certificates)` };
}

function brokenRemark(chain: readonly X509Certificate[], position: number): TlsRemark {
  const [certificate, issuer] = chain.slice(position).map(commonName);
  return {
    subject: 'chain',
    verdict: 'problem',
    text: `certificate ${position + 2} of the Secret (${issuer}) did not sign the one before it (${certificate})`,
  };
}

function protocolRemark({ chain, applicationProtocols }: TlsVisit): TlsRemark {
  const context = chain.transport_socket?.typed_config.common_tls_context;
  const { tls_minimum_protocol_version: min, tls_maximum_protocol_version: max } = context?.tls_params ?? {};
  const offered = context?.alpn_protocols ?? [];
  const common = offered.find((protocol) => applicationProtocols.includes(protocol));
  const versions = `TLS ${version(min, '1.2')} to ${version(max, '1.3')}`;
  const alpn =
    offered.length === 0
      ? 'no ALPN'
      : common === undefined
        ? `no protocol of ${offered.join(', ')} was offered: the handshake goes on without`
        : `${common} of ${offered.join(', ')}`;
  return { subject: 'protocol', verdict: 'fine', text: `${versions}; ${alpn}` };
}

function version(written: string | undefined, otherwise: string): string {
  const match = /^TLSv(\d)_(\d)$/.exec(written ?? '');
  return match === null ? otherwise : `${match[1]}.${match[2]}`;
}

function clientRemarks(chain: FilterChain, secrets: Readonly<Record<string, Secret>>): readonly TlsRemark[] {
  const socket = chain.transport_socket?.typed_config;
  const combined = socket?.common_tls_context.combined_validation_context;
  if (socket === undefined || combined === undefined)
    return [{ subject: 'client certificate', verdict: 'fine', text: 'none is asked for' }];
  const ca = combined.validation_context_sds_secret_config.name;
  const secret = secrets[ca];
  if (secret?.kind !== 'validation_context')
    return [{ subject: 'client certificate', verdict: 'problem', text: `CA ${ca}: ${absence(secret)}` }];
  const rules = combined.default_validation_context;
  const required = demandsCertificate(socket.require_client_certificate, rules);
  const signers = certificatesIn(secret.trustedCa).map((certificate) => commonName(certificate) || certificate.subject);
  const text = `${required ? 'required' : 'asked for, not required'}; signed by ${signers.join(' or ')} (${ca})${restrictions(rules)}`;
  return [{ subject: 'client certificate', verdict: 'fine', text, originId: secret.originId }];
}

function restrictions(rules: CertificateValidationContext): string {
  const parts: string[] = [];
  const names = (rules.match_subject_alt_names ?? []).map(
    (matcher) => matcher.exact ?? matcher.prefix ?? matcher.suffix ?? '',
  );
  if (names.length > 0) parts.push(`with one of the names ${names.join(', ')}`);
  if ((rules.verify_certificate_hash?.length ?? 0) > 0 || (rules.verify_certificate_spki?.length ?? 0) > 0)
    parts.push('pinned by hash');
  if (rules.crl !== undefined) parts.push('not on the revocation list');
  return parts.length === 0 ? '' : `, ${parts.join(', ')}`;
}

function reuseRemarks(index: SnapshotIndex, visit: TlsVisit, pem: string): readonly TlsRemark[] {
  const [certificate] = certificatesIn(pem);
  const alpn = visit.chain.transport_socket?.typed_config.common_tls_context.alpn_protocols ?? [];
  const table = tableOf(index, visit.chain);
  if (certificate === undefined || !alpn.includes('h2') || table === undefined) return [];
  const others = (visit.listener.entry.listener?.filter_chains ?? [])
    .filter((other) => other !== visit.chain)
    .flatMap((other) => (other.filter_chain_match?.server_names ?? []).map((name) => [name, other] as const));
  const findVirtualHost = (authority: string): VirtualHost | undefined => table.findVirtualHost(authority)?.virtualHost;
  return reusedHosts({ certificate, findVirtualHost }, others).map(({ host, other, isServed }) => ({
    subject: 'connection reuse',
    verdict: 'problem',
    text: isServed
      ? `this certificate covers ${host} too: a browser may send its requests here, past the TLS settings of chain ${other.label ?? ''}`
      : `this certificate covers ${host} too: a browser may send its requests here, where they get 404 (NR); chain ${other.label ?? ''} would serve them`,
    originId: other.originId,
  }));
}
