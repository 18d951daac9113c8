// networking.istio.io Gateway, field by field. Spec gateway.md §1, validation.md §7.1.
import { emulated, message, noEffect, refused } from '../decode/message.js';
import { reportRule, writtenNode } from '../decode/rule.js';
import { bool, converted, enumeration, list, type OptionalType, string, uint32 } from '../decode/value-type.js';
import type {
  GatewaySpec,
  Port,
  Server,
  ServerCertificates,
  ServerTlsSettings,
  TlsMode,
  TlsVersion,
} from '../model/gateway.js';
import { istioKind, type KindDefinition, labels } from './common.js';

export const tlsVersion: OptionalType<TlsVersion> = enumeration('TLS_AUTO', 'TLSV1_0', 'TLSV1_1', 'TLSV1_2', 'TLSV1_3');

interface WrittenTlsCertificate {
  readonly serverCertificate?: string;
  readonly privateKey?: string;
}

interface WrittenServerTls {
  readonly httpsRedirect: boolean;
  readonly mode?: TlsMode;
  readonly serverCertificate?: string;
  readonly privateKey?: string;
  readonly caCertificates?: string;
  readonly caCrl?: string;
  readonly credentialName?: string;
  readonly credentialNames: readonly string[];
  readonly caCertCredentialName?: string;
  readonly tlsCertificates: readonly WrittenTlsCertificate[];
  readonly subjectAltNames: readonly string[];
  readonly verifyCertificateSpki: readonly string[];
  readonly verifyCertificateHash: readonly string[];
  readonly minProtocolVersion?: TlsVersion;
  readonly maxProtocolVersion?: TlsVersion;
  readonly cipherSuites: readonly string[];
  readonly ecdhCurves: readonly string[];
  readonly insecureSkipVerify: boolean;
}

const tlsCertificate: OptionalType<WrittenTlsCertificate> = message<WrittenTlsCertificate>(
  'ServerTLSSettings.TLSCertificate',
  { serverCertificate: emulated(string), privateKey: emulated(string) },
  {
    others: {
      // Spec gateway.md §1.4.
      caCertificates: noEffect(string, 'hidden in the API: istiod reads the caCertificates of the settings around it'),
    },
  },
);

const writtenServerTls: OptionalType<WrittenServerTls> = message<WrittenServerTls>(
  'ServerTLSSettings',
  {
    httpsRedirect: emulated(bool, { otherwise: false }),
    mode: emulated(
      enumeration('PASSTHROUGH', 'SIMPLE', 'MUTUAL', 'AUTO_PASSTHROUGH', 'ISTIO_MUTUAL', 'OPTIONAL_MUTUAL'),
    ),
    serverCertificate: emulated(string),
    privateKey: emulated(string),
    caCertificates: emulated(string),
    caCrl: emulated(string),
    credentialName: emulated(string),
    credentialNames: emulated(list(string, { atLeast: 1, atMost: 2 })),
    caCertCredentialName: emulated(string),
    tlsCertificates: emulated(list(tlsCertificate, { atLeast: 1, atMost: 2 })),
    subjectAltNames: emulated(list(string)),
    verifyCertificateSpki: emulated(list(string)),
    verifyCertificateHash: emulated(list(string)),
    minProtocolVersion: emulated(tlsVersion),
    maxProtocolVersion: emulated(tlsVersion),
    cipherSuites: emulated(list(string)),
    ecdhCurves: emulated(list(string)),
    insecureSkipVerify: emulated(bool, { otherwise: false }),
  },
  {
    check(_, node, place) {
      const written = (key: string): boolean => writtenNode(node, key) !== undefined;
      if (written('credentialNames') && written('tlsCertificates')) {
        reportRule(place, node, 'only one of credentialNames or tlsCertificates can be set');
        // Istio's rule about credentialName asks for credentialNames by mistake (spec validation.md §7.1).
        reportRule(place, node, 'only one of credentialName or tlsCertificates can be set');
      }
      if (written('credentialName') && written('credentialNames')) {
        reportRule(place, node, 'only one of credentialName or credentialNames can be set');
      }
    },
  },
);

const serverTls: OptionalType<ServerTlsSettings> = converted(writtenServerTls, (written): ServerTlsSettings => {
  const { httpsRedirect } = written;
  const mode = written.mode ?? 'PASSTHROUGH';
  if (mode === 'PASSTHROUGH' || mode === 'AUTO_PASSTHROUGH') return { mode, httpsRedirect };
  return {
    mode,
    httpsRedirect,
    certificates: certificatesOf(written),
    subjectAltNames: written.subjectAltNames,
    verifyCertificateSpki: written.verifyCertificateSpki,
    verifyCertificateHash: written.verifyCertificateHash,
    ...(written.minProtocolVersion === undefined ? {} : { minProtocolVersion: written.minProtocolVersion }),
    ...(written.maxProtocolVersion === undefined ? {} : { maxProtocolVersion: written.maxProtocolVersion }),
    cipherSuites: written.cipherSuites,
    ecdhCurves: written.ecdhCurves,
    insecureSkipVerify: written.insecureSkipVerify,
  };
});

function certificatesOf(written: WrittenServerTls): ServerCertificates {
  const crl = written.caCrl === undefined ? {} : { caCrl: written.caCrl };
  if (written.mode === 'ISTIO_MUTUAL') return { kind: 'workload', ...crl };
  const names = written.credentialNames.length > 0 ? written.credentialNames : [written.credentialName ?? ''];
  if (names[0] !== '') {
    const ca = written.caCertCredentialName;
    return { kind: 'credential', names, ...(ca === undefined ? {} : { caCertCredentialName: ca }) };
  }
  const pairs = written.tlsCertificates.length > 0 ? written.tlsCertificates : [written];
  return {
    kind: 'files',
    pairs: pairs.map((pair) => ({
      serverCertificate: pair.serverCertificate ?? '',
      privateKey: pair.privateKey ?? '',
    })),
    ...(written.caCertificates === undefined ? {} : { caCertificates: written.caCertificates }),
    ...crl,
  };
}

const port: OptionalType<Port> = message<Port>(
  'Port',
  {
    number: emulated(uint32, 'required'),
    protocol: emulated(string, 'required'),
    name: emulated(string, 'required'),
  },
  // Deprecated; 0 is let through.
  { others: { targetPort: refused(uint32, 'targetPort has no impact on Gateways') } },
);

const server: OptionalType<Server> = message<Server>('Server', {
  port: emulated(port, 'required'),
  hosts: emulated(list(string), 'required'),
  tls: emulated(serverTls),
  bind: emulated(string),
  // The stat prefix of an HTTPS server.
  name: emulated(string),
  defaultEndpoint: noEffect(string, 'never implemented: no version of istiod reads it'),
});

const gatewaySpec: OptionalType<GatewaySpec> = message<GatewaySpec>('Gateway', {
  selector: emulated(labels),
  servers: emulated(list(server)),
});

export const gateway: KindDefinition<'Gateway'> = istioKind(
  'Gateway',
  'networking.istio.io',
  ['v1', 'v1beta1', 'v1alpha3'],
  gatewaySpec,
);
