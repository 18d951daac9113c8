// The secrets of a snapshot: what every chain and cluster asks for, as Envoy takes it or refuses it. Spec gateway.md
// §8.5, §8.6.
import { CredentialMissing, NoSecretAvailable, SecretRejected } from '../diagnostics/catalogue.js';
import type { DiagnosticDetails, Reporter } from '../diagnostics/diagnostic.js';
import type { Origin, OriginTable } from '../diagnostics/origin.js';
import type { PushContext, ResolvedCredential } from '../registry/push-context.js';
import {
  CERTIFICATE_HASH,
  type Cluster,
  CRL_FILE_PREFIX,
  type ListenerEntry,
  type Secret,
  SPKI_HASH,
  SYSTEM_ROOTS,
} from '../xds/index.js';
import type { MergedGateways, MergedServer } from './gateway-merge.js';
import { chainSecrets, clusterSecrets } from './published.js';
import { isLocalName, isWorkloadName, MESH_ROOT, WORKLOAD_CERTIFICATE } from './sds-names.js';
import { judgeCa, judgeCertificate } from './secret-judgement.js';
import { terminatingTls } from './server-protocol.js';
import { buildDownstreamTls } from './tls-context.js';

interface Request {
  readonly name: string;
  /** A listener serves it as a certificate. */
  served: boolean;
  /** A listener asks for it, for whatever purpose. */
  byListener: boolean;
  /** Where it is asked for. */
  origin: Origin | undefined;
}

/** Secrets by SDS name; a name that nobody can answer is absent. */
export function buildSecrets(
  context: PushContext,
  parts: {
    readonly listeners: readonly ListenerEntry[];
    readonly clusters: readonly Cluster[];
    readonly gateways: MergedGateways;
  },
  origins: OriginTable,
  report: Reporter,
): Readonly<Record<string, Secret>> {
  const secrets: Record<string, Secret> = {};
  const absent: Request[] = [];
  const arrived = new Set<string>();
  for (const request of collectRequests(parts, origins)) {
    const credential = context.credential(request.name);
    if (credential.kind === 'missing') {
      // Without a workload certificate nobody meant to use mesh TLS; a chain that does is reported like any other.
      if (!isWorkloadName(request.name) || request.served) {
        absent.push(request);
        report(CredentialMissing, request.origin, { reason: credential.reason }, hintFor(credential.reason));
      }
      continue;
    }
    const secret = judge(request, credential, origins);
    if (request.byListener && !isLocalName(request.name)) arrived.add(request.name);
    secrets[request.name] = secret;
    const reason = secret.kind === 'refused' ? secret.reason : misuse(request, secret);
    if (reason !== undefined) report(SecretRejected, request.origin ?? credential.from?.origin, { reason });
  }
  reportStall(absent, arrived, report);
  reportPins(parts.gateways, report);
  return secrets;
}

/**
 * What a real gateway waits for in vain. Listeners ask for all their Secrets in one request, and any one that comes
 * tells Envoy that the others do not; if none comes, every port stays closed until the fetch times out. Clusters ask
 * one by one.
 */
function reportStall(absent: readonly Request[], arrived: ReadonlySet<string>, report: Reporter): void {
  for (const request of absent)
    if (!isLocalName(request.name) && (!request.byListener || arrived.size === 0))
      report(NoSecretAvailable, request.origin, {});
}

/** A pin that is none breaks the chain's context as soon as its CA is there (spec gateway.md §7.4). */
function reportPins(gateways: MergedGateways, report: Reporter): void {
  for (const group of gateways.ports) {
    for (const { server, gateway, index } of group.servers) {
      const tls = terminatingTls(server);
      if (tls === undefined || tls.certificates.kind !== 'credential' || tls.mode === 'SIMPLE') continue;
      const at = (field: string): Origin => gateway.at(['spec', 'servers', index, 'tls', field]);
      for (const pin of tls.verifyCertificateHash)
        if (!CERTIFICATE_HASH.test(pin))
          report(SecretRejected, at('verifyCertificateHash'), { reason: `Invalid hex-encoded SHA-256 ${pin}` });
      for (const pin of tls.verifyCertificateSpki)
        if (!SPKI_HASH.test(pin))
          report(SecretRejected, at('verifyCertificateSpki'), { reason: `Invalid base64-encoded SHA-256 ${pin}` });
    }
  }
}

function hintFor(reason: string): DiagnosticDetails {
  const name = /: (secret|configmap) (\S+) not found$/.exec(reason);
  if (name === null) return {};
  const kind = name[1] === 'secret' ? 'Secret' : 'ConfigMap';
  return { label: `looked for ${kind} ${name[2]}`, help: `add that ${kind} to the loaded files` };
}

function collectRequests(
  parts: {
    readonly listeners: readonly ListenerEntry[];
    readonly clusters: readonly Cluster[];
    readonly gateways: MergedGateways;
  },
  origins: OriginTable,
): Iterable<Request> {
  const requests = new Map<string, Request>();
  const ask = (name: string, served: boolean, byListener: boolean, origin: Origin | undefined): void => {
    const known = requests.get(name);
    if (known === undefined) {
      requests.set(name, { name, served, byListener, origin });
      return;
    }
    known.served ||= served;
    known.byListener ||= byListener;
    known.origin ??= origin;
  };
  const credentialOrigins = originsOfCredentials(parts.gateways);
  for (const { listener } of parts.listeners) {
    for (const chain of listener?.filter_chains ?? []) {
      const served = new Set(
        (chain.transport_socket?.typed_config.common_tls_context.tls_certificate_sds_secret_configs ?? []).map(
          (config) => config.name,
        ),
      );
      for (const name of chainSecrets(chain))
        ask(name, served.has(name), true, credentialOrigins.get(name) ?? origins.get(chain.originId));
    }
  }
  for (const cluster of parts.clusters)
    for (const name of clusterSecrets(cluster)) ask(name, false, false, origins.get(cluster.originId));
  for (const name of [WORKLOAD_CERTIFICATE, MESH_ROOT]) ask(name, false, false, undefined);
  return requests.values();
}

/** The smallest span that names each secret: `credentialName` rather than the server. */
function originsOfCredentials(gateways: MergedGateways): ReadonlyMap<string, Origin> {
  const found = new Map<string, Origin>();
  for (const group of gateways.ports) for (const merged of group.servers) addCredentialOrigins(merged, found);
  return found;
}

function addCredentialOrigins(merged: MergedServer, found: Map<string, Origin>): void {
  const tls = terminatingTls(merged.server);
  if (tls === undefined) return;
  const context = buildDownstreamTls(tls, 'https', {}).typed_config.common_tls_context;
  const at = (...path: readonly (string | number)[]): Origin =>
    merged.gateway.at(['spec', 'servers', merged.index, 'tls', ...path]);
  const several = tls.certificates.kind === 'credential' && tls.certificates.names.length > 1;
  (context.tls_certificate_sds_secret_configs ?? []).forEach(({ name }, index) => {
    if (found.has(name)) return;
    if (several) found.set(name, at('credentialNames', index));
    else found.set(name, at(tls.certificates.kind === 'credential' ? 'credentialName' : 'serverCertificate'));
  });
  const ca = context.combined_validation_context?.validation_context_sds_secret_config.name;
  if (ca === undefined || found.has(ca)) return;
  if (tls.certificates.kind !== 'credential') found.set(ca, at('caCertificates'));
  else if (tls.certificates.caCertCredentialName !== undefined) found.set(ca, at('caCertCredentialName'));
  else found.set(ca, several ? at('credentialNames', 0) : at('credentialName'));
}

function judge(
  request: Request,
  credential: Exclude<ResolvedCredential, { kind: 'missing' }>,
  origins: OriginTable,
): Secret {
  const origin = credential.from === undefined ? {} : { originId: origins.add(credential.from.origin) };
  if (credential.kind === 'certificate') {
    const ocspStaple = credential.ocspStaple ?? '';
    const verdict = judgeCertificate({ ...credential, ocspStaple, served: request.served });
    if (verdict.kind === 'refused') return { ...verdict, ...origin };
    return {
      kind: 'tls_certificate',
      ...verdict.material,
      ...(ocspStaple === '' ? {} : { ocspStaple }),
      ...origin,
    };
  }
  if (request.name.startsWith(CRL_FILE_PREFIX))
    return { kind: 'validation_context', trustedCa: '', crl: credential.crl ?? '', ...origin };
  // Hundreds of certificates that the system vouches for are not parsed again at every load.
  if (request.name === SYSTEM_ROOTS) return { kind: 'validation_context', trustedCa: credential.trustedCa, ...origin };
  const verdict = judgeCa(credential.trustedCa, credential.crl);
  if (verdict.kind === 'refused') return { ...verdict, ...origin };
  return { kind: 'validation_context', ...verdict.material, ...origin };
}

/** A CA where a certificate is wanted, from a ConfigMap or a name that ends in `-cacert`. */
function misuse(request: Request, secret: Secret): string | undefined {
  return request.served && secret.kind === 'validation_context'
    ? 'Failed to load incomplete private key from path: '
    : undefined;
}
