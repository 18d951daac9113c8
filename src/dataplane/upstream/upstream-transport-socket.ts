// TLS origination towards an upstream: SNI, ALPN, client certificate, chain and name checks (spec destinations.md §7).
// Contexts are built once per material and shared by all connections of a cluster.
import net from 'node:net';
import tls from 'node:tls';
import { dnsNameCovers, subjectAltNames } from '../../decide/certificate-facts.js';
import type { Cluster, Endpoint, Snapshot, UpstreamTlsContext, UpstreamTransportSocket } from '../../xds/index.js';
import { TLS_TRANSPORT_SOCKET, UPSTREAM_PROXY_PROTOCOL_TRANSPORT_SOCKET } from '../../xds/index.js';
import { maySign } from '../../xds/key-usage.js';
import {
  CONNECTION_RESET,
  HANDSHAKE_FAILURE_ON_HELLO,
  KEY_MAY_NOT_SIGN,
  tlsFailureText,
  verifyFailedText,
} from '../transport-socket/failure-reason.js';
import { judgePeer } from '../transport-socket/peer-verdict.js';
import { crlBlocks, hasCrlBlock } from '../transport-socket/revocation-list.js';
import { resolveTlsMaterial, type TlsMaterial } from '../transport-socket/tls-material.js';
import { tlsParameters, withOwnSignature } from '../transport-socket/tls-parameters.js';

/** A cluster's transport socket for one endpoint, resolved: what happens on a connection once TCP is up. */
export interface UpstreamTransport {
  /** Version of the PROXY header that is sent first. */
  readonly proxyProtocol: 'V1' | 'V2' | undefined;
  readonly tls: UpstreamTls | 'notReady' | undefined;
}

const PLAINTEXT: UpstreamTransport = { proxyProtocol: undefined, tls: undefined };

/** Resolves a cluster's transport sockets; the first match by the endpoint's tlsMode wins. */
export class TransportSockets {
  private readonly cluster: Cluster;
  private readonly secrets: Snapshot['secrets'];
  private readonly resolved = new Map<UpstreamTransportSocket, UpstreamTransport>();

  constructor(cluster: Cluster, secrets: Snapshot['secrets']) {
    this.cluster = cluster;
    this.secrets = secrets;
  }

  forEndpoint(endpoint: Endpoint): UpstreamTransport {
    const { transport_socket: common, transport_socket_matches: matches } = this.cluster;
    const match = matches?.find(
      ({ match: wanted }) => wanted.tlsMode === undefined || wanted.tlsMode === endpoint.tlsMode,
    );
    const socket = match?.transport_socket ?? common;
    if (socket === undefined) return PLAINTEXT;
    let transport = this.resolved.get(socket);
    if (transport === undefined) {
      transport = this.resolve(socket);
      this.resolved.set(socket, transport);
    }
    return transport;
  }

  /** Texts of every secret that is used, for "has anything changed". */
  fingerprint(): string {
    const keys: string[] = [];
    const add = (socket: UpstreamTransportSocket | undefined): void => {
      if (socket === undefined) return;
      if (socket.name === UPSTREAM_PROXY_PROTOCOL_TRANSPORT_SOCKET) add(socket.typed_config.transport_socket);
      else if (socket.name === TLS_TRANSPORT_SOCKET) {
        keys.push(resolveTlsMaterial(socket.typed_config.common_tls_context, this.secrets, '')?.key ?? 'missing');
      }
    };
    add(this.cluster.transport_socket);
    for (const { transport_socket } of this.cluster.transport_socket_matches ?? []) add(transport_socket);
    return keys.join(' ');
  }

  private resolve(socket: UpstreamTransportSocket): UpstreamTransport {
    switch (socket.name) {
      case UPSTREAM_PROXY_PROTOCOL_TRANSPORT_SOCKET: {
        const inner = this.resolve(socket.typed_config.transport_socket);
        return { proxyProtocol: socket.typed_config.config.version ?? 'V1', tls: inner.tls };
      }
      case TLS_TRANSPORT_SOCKET: {
        const material = resolveTlsMaterial(socket.typed_config.common_tls_context, this.secrets, this.cluster.name);
        return {
          proxyProtocol: undefined,
          tls: material === undefined ? 'notReady' : buildTls(socket.typed_config, material),
        };
      }
      default:
        return PLAINTEXT;
    }
  }
}

function buildTls(config: UpstreamTlsContext, material: TlsMaterial): UpstreamTls | 'notReady' {
  try {
    return new UpstreamTls(config, material);
  } catch {
    // Material that OpenSSL cannot load counts as not delivered.
    return 'notReady';
  }
}

/** What the request adds to the cluster's settings. */
export interface UpstreamTlsRequest {
  /** SNI where the context has none: the Host that goes upstream, port stripped; '' = none (TCP). */
  readonly serverName: string;
  /** What auto SAN validation looks for; '' = no such check. */
  readonly checkName: string;
  /** ALPN to offer where the context names none. */
  readonly applicationProtocols: readonly string[] | undefined;
}

export class UpstreamTls {
  private readonly config: UpstreamTlsContext;
  private readonly material: TlsMaterial;
  private readonly secureContext: tls.SecureContext;

  constructor(config: UpstreamTlsContext, material: TlsMaterial) {
    this.config = config;
    this.material = material;
    const { minVersion, maxVersion, ciphers, ecdhCurve, secureOptions, sigalgs } = tlsParameters(material.context);
    const options: tls.SecureContextOptions = { minVersion, maxVersion, ciphers, ecdhCurve, secureOptions, sigalgs };
    const pair = material.certificates[0];
    if (pair !== undefined) {
      options.cert = pair.chain;
      options.key = pair.key;
      options.sigalgs = withOwnSignature(sigalgs, pair.key);
    }
    const { validation } = material;
    if (validation !== undefined) {
      options.allowPartialTrustChain = true;
      if (validation.trustedCa !== undefined) options.ca = validation.trustedCa;
      if (validation.crl !== undefined && hasCrlBlock(validation.crl)) options.crl = crlBlocks(validation.crl);
    }
    this.secureContext = tls.createSecureContext(options);
  }

  /**
   * Wraps a connected socket. `done` is called once: with the failure text ('' = the peer went away), or with nothing when
   * the peer is accepted.
   */
  wrap(socket: net.Socket, request: UpstreamTlsRequest, done: (failure: string | undefined) => void): tls.TLSSocket {
    const sni = this.config.sni ?? request.serverName.toLowerCase();
    const offered = request.applicationProtocols ?? this.config.common_tls_context.alpn_protocols;
    const options: tls.ConnectionOptions = {
      socket,
      secureContext: this.secureContext,
      rejectUnauthorized: false,
      checkServerIdentity: () => undefined,
      // An IP literal is never sent as a name.
      servername: sni !== '' && net.isIP(sni) === 0 ? sni : '',
      allowHalfOpen: true,
    } as tls.ConnectionOptions;
    if (offered !== undefined && offered.length > 0) options.ALPNProtocols = [...offered];
    const secure = tls.connect(options);
    let settled = false;
    const settle = (failure: string | undefined): void => {
      if (settled) return;
      settled = true;
      done(failure);
    };
    secure.once('secureConnect', () => settle(this.judge(secure, request.checkName)));
    secure.once('error', (error: Error) => settle(failureText(error, secure)));
    secure.once('close', () => settle(''));
    return secure;
  }

  private judge(socket: tls.TLSSocket, checkName: string): string | undefined {
    const { validation } = this.material;
    const certificate = socket.getPeerX509Certificate();
    // Asked of the key that signed the handshake, verification or not (measured). Only suites with ECDHE are in use.
    if (certificate !== undefined && !maySign(certificate)) return KEY_MAY_NOT_SIGN.text;
    if (validation === undefined) return undefined;
    if (certificate === undefined) return verifyFailedText('no certificate');
    const failure = judgePeer(
      certificate,
      socket.authorized ? undefined : String(socket.authorizationError),
      validation,
      'server',
    );
    if (failure !== undefined) return failure.text;
    if (checkName === '') return undefined;
    const names = subjectAltNames(certificate);
    const isAddress = net.isIP(checkName) !== 0;
    const fits = names.some(({ type, value }) =>
      isAddress ? type === 'IP Address' && value === checkName : type === 'DNS' && dnsNameCovers(value, checkName),
    );
    if (fits) return undefined;
    const listed = names.map(({ value }) => value).join(', ');
    return verifyFailedText(`verify SAN list, expected SANs: [${checkName}], certificate SANs: [${listed}]`);
  }
}

function failureText(error: NodeJS.ErrnoException, socket: tls.TLSSocket): string {
  if (error.code === 'ECONNRESET' && error.syscall === 'read') return CONNECTION_RESET;
  const text = tlsFailureText(error);
  // As an answer to the hello, before a suite is agreed, the library says so (measured).
  const isAnswerToHello = (socket.getCipher() as tls.CipherNameAndProtocol | undefined)?.name === undefined;
  return isAnswerToHello && error.code?.endsWith('_ALERT_HANDSHAKE_FAILURE') === true
    ? HANDSHAKE_FAILURE_ON_HELLO
    : text;
}
