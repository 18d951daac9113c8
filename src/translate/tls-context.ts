// The TLS context of a server that ends TLS: which secrets it asks for, when it wants a client certificate, versions,
// ciphers and ALPN. Spec gateway.md §6.4, §7.1, §7.2, §7.6, §8.1, §8.3.
import type { ServerCertificates, TerminatingTlsSettings, TlsVersion } from '../config/model/gateway.js';
import type { MeshConfig } from '../config/model/mesh-config.js';
import {
  type CertificateValidationContext,
  type CommonTlsContext,
  type DownstreamTransportSocket,
  type SdsSecretConfig,
  TLS_TRANSPORT_SOCKET,
  type TlsProtocolVersion,
} from '../xds/index.js';
import type { ServerProtocolClass } from './server-protocol.js';

/** SDS names of the workload's own certificate and of the mesh root. */
export const WORKLOAD_CERTIFICATE = 'default';
export const MESH_ROOT = 'ROOTCA';
/** Ours: material of `caCrl`, which Envoy reads from a file instead of from SDS. */
export const CRL_FILE_PREFIX = 'file-crl:';

const CA_SUFFIX = '-cacert';

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

/**
 * A `credentialName` as an SDS resource name (spec gateway.md §8.1).
 *
 *     credentialResourceName('web-cert'); // 'kubernetes://web-cert'
 */
export function credentialResourceName(credentialName: string): string {
  if (credentialName.startsWith('builtin://')) return WORKLOAD_CERTIFICATE;
  // The rest of the name is lost: `invalid://x` and `invalid://y` are one resource that never comes.
  if (credentialName.startsWith('invalid://')) return 'invalid://';
  for (const scheme of ['kubernetes://', 'kubernetes-gateway://', 'configmap://'])
    if (credentialName.startsWith(scheme)) return credentialName;
  // No gateway pod has a socket of an external SDS server here, so Istio falls back to the Secret of that name.
  if (credentialName.startsWith('sds://')) return `kubernetes://${credentialName.slice('sds://'.length)}`;
  return `kubernetes://${credentialName}`;
}

/** `ads`: istiod answers; `sds-grpc`: the agent in the pod does (workload certificate and files). */
function sdsConfig(name: string): SdsSecretConfig {
  const local = name === WORKLOAD_CERTIFICATE || name === MESH_ROOT || name.startsWith('file-');
  return { name, sds_config: local ? 'sds-grpc' : 'ads' };
}

function certificateConfigs(certificates: ServerCertificates): readonly SdsSecretConfig[] {
  switch (certificates.kind) {
    case 'credential':
      return certificates.names.map((name) => sdsConfig(credentialResourceName(name)));
    case 'files':
      return certificates.pairs.map((pair) => sdsConfig(`file-cert:${pair.serverCertificate}~${pair.privateKey}`));
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
      return certificates.caCertificates === undefined ? undefined : `file-root:${certificates.caCertificates}`;
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

function exactMatchers(names: readonly string[]): readonly { readonly exact: string }[] {
  return names.map((exact) => ({ exact }));
}

function alpnProtocols(tls: TerminatingTlsSettings, protocol: ServerProtocolClass): readonly string[] {
  // A raw TCP backend gets h2 offered on its behalf too: that is Istio's trap, not ours to mend.
  const http = ['h2', 'http/1.1'];
  return tls.mode === 'ISTIO_MUTUAL' && protocol !== 'https' ? ['istio-peer-exchange', ...http] : http;
}

const PROTOCOL_VERSIONS: Readonly<Record<TlsVersion, TlsProtocolVersion>> = {
  TLS_AUTO: 'TLS_AUTO',
  TLSV1_0: 'TLSv1_0',
  TLSV1_1: 'TLSv1_1',
  TLSV1_2: 'TLSv1_2',
  TLSV1_3: 'TLSv1_3',
};

const KNOWN_CIPHERS: ReadonlySet<string> = new Set([
  'ECDHE-ECDSA-AES128-GCM-SHA256',
  'ECDHE-RSA-AES128-GCM-SHA256',
  'ECDHE-ECDSA-AES256-GCM-SHA384',
  'ECDHE-RSA-AES256-GCM-SHA384',
  'ECDHE-ECDSA-CHACHA20-POLY1305',
  'ECDHE-RSA-CHACHA20-POLY1305',
  'ECDHE-ECDSA-AES128-SHA',
  'ECDHE-RSA-AES128-SHA',
  'ECDHE-ECDSA-AES256-SHA',
  'ECDHE-RSA-AES256-SHA',
  'AES128-GCM-SHA256',
  'AES256-GCM-SHA384',
  'AES128-SHA',
  'AES256-SHA',
  'DES-CBC3-SHA',
]);

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
  return [...new Set(suites)].filter((suite) => KNOWN_CIPHERS.has(suite));
}
