// TLS towards upstreams. Spec destinations.md §7. Source: istio/istio pilot/pkg/networking/core/cluster_tls.go
// (buildUpstreamTLSSettings, buildUpstreamClusterTLSContext), pilot/pkg/security/model/authentication.go.
import type { ClientTlsSettings } from '../../config/model/destination-rule.js';
import type { MeshConfig } from '../../config/model/mesh-config.js';
import {
  type Cluster,
  type CommonTlsContext,
  RAW_BUFFER_TRANSPORT_SOCKET,
  type SdsSecretConfig,
  TLS_TRANSPORT_SOCKET,
  UPSTREAM_PROXY_PROTOCOL_TRANSPORT_SOCKET,
  type UpstreamTlsContext,
  type UpstreamTransportSocket,
} from '../../xds/index.js';
import {
  CA_SUFFIX,
  credentialResourceName,
  fileCertificateName,
  fileRootName,
  MESH_ROOT,
  sdsConfig,
  WORKLOAD_CERTIFICATE,
} from '../sds-names.js';
import { exactMatchers } from '../tls-context.js';

/** What the TLS of a cluster depends on. */
export interface UpstreamTlsInput {
  /** The effective rule's block; `undefined` = none is written. */
  readonly settings: ClientTlsSettings | undefined;
  /** Auto mTLS may be used for this service (spec §7.6). */
  readonly autoMutualTls: boolean;
  /** What ISTIO_MUTUAL sends as SNI unless the rule has one. */
  readonly sniDnatName: string;
  /** Accepted names of ISTIO_MUTUAL peers: the service accounts of the endpoints and what the service lists. */
  readonly serviceAccounts: readonly string[];
  /** A ServiceEntry's names, for SIMPLE and MUTUAL rules without their own. */
  readonly subjectAltNames: readonly string[];
  readonly http2: boolean;
  readonly mesh: MeshConfig;
  readonly proxyProtocol: { readonly version: 'V1' | 'V2' } | undefined;
  /** ORIGINAL_DST clusters cannot choose a socket by endpoint. */
  readonly isOriginalDestination: boolean;
}

const ALPN_MESH = ['istio-peer-exchange', 'istio'];
const ALPN_MESH_HTTP2 = [...ALPN_MESH, 'h2'];

const RAW_BUFFER: UpstreamTransportSocket = { name: RAW_BUFFER_TRANSPORT_SOCKET, typed_config: {} };

/** The transport socket fields of a cluster; empty for plaintext. */
export function upstreamTransportSockets(
  input: UpstreamTlsInput,
): Pick<Cluster, 'transport_socket' | 'transport_socket_matches'> {
  const { settings } = input;
  if (settings === undefined && input.autoMutualTls) {
    const mutual = tlsSocket(mutualMeshContext(undefined, input));
    if (input.isOriginalDestination) return { transport_socket: withProxyProtocol(mutual, input) };
    return {
      transport_socket_matches: [
        { name: 'tlsMode-istio', match: { tlsMode: 'istio' }, transport_socket: withProxyProtocol(mutual, input) },
        { name: 'tlsMode-disabled', match: {}, transport_socket: withProxyProtocol(RAW_BUFFER, input) },
      ],
    };
  }
  const context = settings === undefined ? undefined : contextOf(settings, input);
  if (context !== undefined) return { transport_socket: withProxyProtocol(tlsSocket(context), input) };
  // istiod writes Envoy's raw buffer under its short name where there was no socket before.
  return input.proxyProtocol === undefined
    ? {}
    : { transport_socket: withProxyProtocol({ name: 'raw_buffer', typed_config: {} }, input) };
}

// The PROXY header goes first, so its socket wraps the other.
function withProxyProtocol(
  socket: UpstreamTransportSocket,
  { proxyProtocol }: UpstreamTlsInput,
): UpstreamTransportSocket {
  if (proxyProtocol === undefined) return socket;
  return {
    name: UPSTREAM_PROXY_PROTOCOL_TRANSPORT_SOCKET,
    typed_config: {
      config: proxyProtocol.version === 'V1' ? {} : { version: proxyProtocol.version },
      transport_socket: socket,
    },
  };
}

function contextOf(settings: ClientTlsSettings, input: UpstreamTlsInput): UpstreamTlsContext | undefined {
  switch (settings.mode) {
    case 'DISABLE':
      return undefined;
    case 'ISTIO_MUTUAL':
      return mutualMeshContext(settings, input);
    case 'SIMPLE':
    case 'MUTUAL':
      return verifiedContext(settings, input);
    default:
      return settings.mode satisfies never;
  }
}

function mutualMeshContext(settings: ClientTlsSettings | undefined, input: UpstreamTlsInput): UpstreamTlsContext {
  const names =
    settings === undefined || settings.subjectAltNames.length === 0 ? input.serviceAccounts : settings.subjectAltNames;
  return {
    common_tls_context: {
      tls_params: { tls_minimum_protocol_version: 'TLSv1_2', tls_maximum_protocol_version: 'TLSv1_3' },
      alpn_protocols: input.http2 ? ALPN_MESH_HTTP2 : ALPN_MESH,
      tls_certificate_sds_secret_configs: [sdsConfig(WORKLOAD_CERTIFICATE)],
      combined_validation_context: {
        default_validation_context: exactNames(names),
        validation_context_sds_secret_config: sdsConfig(MESH_ROOT),
      },
    },
    sni: settings?.sni === undefined || settings.sni === '' ? input.sniDnatName : settings.sni,
  };
}

function verifiedContext(settings: ClientTlsSettings, input: UpstreamTlsInput): UpstreamTlsContext | undefined {
  const credential = settings.credentialName ?? '';
  const certificate = credential === '' ? fileCertificate(settings) : certificateOf(settings, credential);
  // istiod logs the error and leaves the cluster in plaintext (spec §7.1).
  if (settings.mode === 'MUTUAL' && certificate === undefined) return undefined;
  const { tlsDefaults } = input.mesh;
  const common: CommonTlsContext = {
    tls_params: {
      tls_minimum_protocol_version: 'TLSv1_2',
      tls_maximum_protocol_version: 'TLSv1_3',
      ...(tlsDefaults === undefined || tlsDefaults.cipherSuites.length === 0
        ? {}
        : { cipher_suites: tlsDefaults.cipherSuites }),
      ...(tlsDefaults === undefined || tlsDefaults.ecdhCurves.length === 0
        ? {}
        : { ecdh_curves: tlsDefaults.ecdhCurves }),
    },
    ...(input.http2 ? { alpn_protocols: ['h2'] } : {}),
    ...(settings.mode === 'MUTUAL' && certificate !== undefined
      ? { tls_certificate_sds_secret_configs: [certificate] }
      : {}),
    ...validationOf(settings, credential, input),
  };
  return {
    common_tls_context: common,
    ...(settings.sni === undefined || settings.sni === '' ? {} : { sni: settings.sni }),
  };
}

function validationOf(
  settings: ClientTlsSettings,
  credential: string,
  input: UpstreamTlsInput,
): Pick<CommonTlsContext, 'validation_context' | 'combined_validation_context'> {
  if (settings.insecureSkipVerify === true) return { validation_context: {} };
  const names = settings.subjectAltNames.length === 0 ? input.subjectAltNames : settings.subjectAltNames;
  return {
    combined_validation_context: {
      default_validation_context: {
        ...exactNames(names),
        ...(credential !== '' || settings.caCrl === undefined ? {} : { crl: { filename: settings.caCrl } }),
      },
      validation_context_sds_secret_config:
        credential === '' ? sdsConfig(fileRootName(settings.caCertificates ?? '')) : rootOf(credential),
    },
  };
}

function fileCertificate({ clientCertificate = '', privateKey = '' }: ClientTlsSettings): SdsSecretConfig | undefined {
  if (clientCertificate === '' || privateKey === '') return undefined;
  return sdsConfig(fileCertificateName(clientCertificate, privateKey));
}

function certificateOf(settings: ClientTlsSettings, credential: string): SdsSecretConfig | undefined {
  return settings.mode === 'MUTUAL' ? sdsConfig(credentialResourceName(credential)) : undefined;
}

function rootOf(credential: string): SdsSecretConfig {
  const name = credentialResourceName(credential);
  return sdsConfig(name === WORKLOAD_CERTIFICATE ? MESH_ROOT : `${name}${CA_SUFFIX}`);
}

function exactNames(names: readonly string[]): { match_subject_alt_names?: readonly { exact: string }[] } {
  return names.length === 0 ? {} : { match_subject_alt_names: exactMatchers(names) };
}

function tlsSocket(context: UpstreamTlsContext): UpstreamTransportSocket {
  return { name: TLS_TRANSPORT_SOCKET, typed_config: context };
}
