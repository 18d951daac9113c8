// The TLS context of a server that ends TLS: which secrets it asks for, when it wants a client certificate, versions,
// ciphers and ALPN. Spec gateway.md §6.4, §7.1, §7.2, §7.6, §8.1, §8.3.
import { CIPHER_SUITES } from '../config/model/cipher-suites.js';
import type { ServerCertificates, TerminatingTlsSettings, TlsVersion } from '../config/model/gateway.js';
import type { MeshConfig } from '../config/model/mesh-config.js';
import { TlsAlgorithmUnavailable } from '../diagnostics/catalogue.js';
import type { Reporter } from '../diagnostics/diagnostic.js';
import type { Origin } from '../diagnostics/origin.js';
import {
  type CertificateValidationContext,
  type CommonTlsContext,
  type DownstreamTransportSocket,
  type SdsSecretConfig,
  TLS_TRANSPORT_SOCKET,
  type TlsProtocolVersion,
} from '../xds/index.js';
import type { MergedGateways } from './gateway-merge.js';
import {
  CA_SUFFIX,
  credentialResourceName,
  fileCertificateName,
  fileRootName,
  MESH_ROOT,
  sdsConfig,
  WORKLOAD_CERTIFICATE,
} from './sds-names.js';
import { type ServerProtocolClass, terminatingTls } from './server-protocol.js';

/** The context of one server. `protocol` is the class of its port's protocol word. */
export function buildDownstreamTls(
  tls: TerminatingTlsSettings,
  protocol: ServerProtocolClass,
  mesh: MeshConfig,
): DownstreamTransportSocket {
  const context: CommonTlsContext = {
    ...(tls.mode === 'ISTIO_MUTUAL' ? {} : tlsParameters(tls, mesh)),
    alpn_protocols: alpnProtocols(tls, protocol),
    tls_certificate_sds_secret_configs: certificateConfigs(tls.certificates),
    ...validation(tls),
  };
  return {
    name: TLS_TRANSPORT_SOCKET,
    typed_config: {
      common_tls_context: context,
      require_client_certificate: tls.mode === 'MUTUAL' || tls.mode === 'ISTIO_MUTUAL',
    },
  };
}

function certificateConfigs(certificates: ServerCertificates): readonly SdsSecretConfig[] {
  switch (certificates.kind) {
    case 'credential':
      return certificates.names.map((name) => sdsConfig(credentialResourceName(name)));
    case 'files':
      return certificates.pairs.map((pair) => sdsConfig(fileCertificateName(pair.serverCertificate, pair.privateKey)));
    case 'workload':
      return [sdsConfig(WORKLOAD_CERTIFICATE)];
    default:
      return certificates satisfies never;
  }
}

function caResourceName(certificates: ServerCertificates): string | undefined {
  switch (certificates.kind) {
    case 'credential':
      return credentialResourceName(certificates.caCertCredentialName ?? `${certificates.names[0] ?? ''}${CA_SUFFIX}`);
    case 'files':
      return certificates.caCertificates === undefined ? undefined : fileRootName(certificates.caCertificates);
    case 'workload':
      return MESH_ROOT;
    default:
      return certificates satisfies never;
  }
}

function validation(
  tls: TerminatingTlsSettings,
): Pick<CommonTlsContext, 'validation_context' | 'combined_validation_context'> {
  const { certificates } = tls;
  if (tls.mode === 'SIMPLE') {
    // istiod's slip: with a credential it sends the names without a CA, and Envoy refuses the whole listener.
    if (certificates.kind !== 'credential' || tls.subjectAltNames.length === 0) return {};
    return { validation_context: { match_subject_alt_names: exactMatchers(tls.subjectAltNames) } };
  }
  const ca = caResourceName(certificates);
  if (ca === undefined) return {};
  return {
    combined_validation_context: {
      default_validation_context: validationContext(tls),
      validation_context_sds_secret_config: sdsConfig(ca),
    },
  };
}

function validationContext(tls: TerminatingTlsSettings): CertificateValidationContext {
  const { certificates } = tls;
  const pinned = certificates.kind === 'credential'; // pins are ignored with files and with ISTIO_MUTUAL
  const crl = certificates.kind === 'credential' ? undefined : certificates.caCrl;
  return {
    ...(pinned && tls.verifyCertificateSpki.length > 0 ? { verify_certificate_spki: tls.verifyCertificateSpki } : {}),
    ...(pinned && tls.verifyCertificateHash.length > 0 ? { verify_certificate_hash: tls.verifyCertificateHash } : {}),
    ...(tls.subjectAltNames.length > 0 ? { match_subject_alt_names: exactMatchers(tls.subjectAltNames) } : {}),
    ...(crl === undefined ? {} : { crl: { filename: crl } }),
    ...(tls.insecureSkipVerify ? { trust_chain_verification: 'ACCEPT_UNTRUSTED' } : {}),
  };
}

/** Subject alternative names, each to be matched as a whole. */
export function exactMatchers(names: readonly string[]): readonly { readonly exact: string }[] {
  return names.map((exact) => ({ exact }));
}

function alpnProtocols(tls: TerminatingTlsSettings, protocol: ServerProtocolClass): readonly string[] {
  // A raw TCP backend gets h2 offered on its behalf too: that is Istio's trap, not ours to mend.
  const http = ['h2', 'http/1.1'];
  return tls.mode === 'ISTIO_MUTUAL' && protocol !== 'https' ? ['istio-peer-exchange', ...http] : http;
}

/** Of what Istio lets pass: those that OpenSSL has under all versions of Node. */
const PORTABLE_CURVES: ReadonlySet<string> = new Set(['P-224', 'P-256', 'P-384', 'P-521', 'X25519']);
const UNPORTABLE_CIPHERS: ReadonlySet<string> = new Set(['DES-CBC3-SHA']);

/** Says which of the named curves and cipher suites the data plane may have to leave out. */
export function reportTlsAlgorithms(mesh: MeshConfig, gateways: MergedGateways, report: Reporter): void {
  const { tlsDefaults } = mesh;
  if (tlsDefaults !== undefined) reportUnportable(tlsDefaults, 'tlsDefaults.', () => undefined, report);
  for (const { servers } of gateways.ports)
    for (const { server, gateway, index } of servers) {
      const tls = terminatingTls(server);
      if (tls === undefined || tls.mode === 'ISTIO_MUTUAL') continue;
      reportUnportable(tls, '', (field) => gateway.at(['spec', 'servers', index, 'tls', field]), report);
    }
}

function reportUnportable(
  settings: { readonly cipherSuites: readonly string[]; readonly ecdhCurves: readonly string[] },
  prefix: string,
  at: (field: 'cipherSuites' | 'ecdhCurves') => Origin | undefined,
  report: Reporter,
): void {
  for (const name of settings.cipherSuites)
    if (UNPORTABLE_CIPHERS.has(name))
      report(TlsAlgorithmUnavailable, at('cipherSuites'), { field: `${prefix}cipherSuites`, name });
  for (const name of settings.ecdhCurves)
    if (!PORTABLE_CURVES.has(name))
      report(TlsAlgorithmUnavailable, at('ecdhCurves'), { field: `${prefix}ecdhCurves`, name });
}

const PROTOCOL_VERSIONS: Readonly<Record<TlsVersion, TlsProtocolVersion>> = {
  TLS_AUTO: 'TLS_AUTO',
  TLSV1_0: 'TLSv1_0',
  TLSV1_1: 'TLSv1_1',
  TLSV1_2: 'TLSv1_2',
  TLSV1_3: 'TLSv1_3',
};

/** Mesh defaults with the server's own settings over them; absent when nobody wrote anything. */
function tlsParameters(tls: TerminatingTlsSettings, mesh: MeshConfig): Pick<CommonTlsContext, 'tls_params'> {
  const defaults = mesh.tlsDefaults;
  const minimum = writtenVersion(tls.minProtocolVersion) ?? writtenVersion(defaults?.minProtocolVersion);
  const maximum = writtenVersion(tls.maxProtocolVersion);
  const own = knownCiphers(tls.cipherSuites);
  const ciphers = own.length > 0 ? own : (defaults?.cipherSuites ?? []);
  const curves = tls.ecdhCurves.length > 0 ? tls.ecdhCurves : (defaults?.ecdhCurves ?? []);
  const parameters = {
    ...(minimum === undefined ? {} : { tls_minimum_protocol_version: minimum }),
    ...(maximum === undefined ? {} : { tls_maximum_protocol_version: maximum }),
    ...(ciphers.length === 0 ? {} : { cipher_suites: ciphers }),
    ...(curves.length === 0 ? {} : { ecdh_curves: curves }),
  };
  return Object.keys(parameters).length > 0 ? { tls_params: parameters } : {};
}

function writtenVersion(version: TlsVersion | undefined): TlsProtocolVersion | undefined {
  return version === undefined || version === 'TLS_AUTO' ? undefined : PROTOCOL_VERSIONS[version];
}

function knownCiphers(suites: readonly string[]): readonly string[] {
  return [...new Set(suites)].filter((suite) => CIPHER_SUITES.has(suite));
}
