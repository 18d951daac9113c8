// The TLS side of one filter chain: never-listening `tls.Server`s that are handed sockets whose ClientHello has been put
// back (native path, performance.md §3). One server per certificate; with or without ALPN, because Node aborts a handshake
// without common protocol where Envoy goes on (dependencies.md §2); for clients with or without TLS 1.3, because only
// below it does the server's cipher order count. Made on first use, kept for the life of the material, sharing
// session-ticket keys with each other and with no other chain (spec dataplane.md §2.1).
import { constants, createHash, randomBytes, X509Certificate } from 'node:crypto';
import type net from 'node:net';
import tls from 'node:tls';
import {
  type CandidateCertificate,
  chooseCertificate,
  describeCertificate,
  readClientSignatures,
} from '../../decide/certificate-choice.js';
import { certificateHash, rfc2253Name, rfc2253Subject, subjectAltNames } from '../../decide/certificate-facts.js';
import { demandsCertificate } from '../../decide/client-certificate.js';
import type { TlsFacts } from '../../xds/index.js';
import { type CertificateFailure, tlsFailureText } from './failure-reason.js';
import { judgeClient } from './peer-verdict.js';
import { crlBlocks, hasCrlBlock } from './revocation-list.js';
import { encryptedAlert, plaintextAlert, serverTrafficSecret } from './tls-alert.js';
import type { TlsMaterial } from './tls-material.js';
import { type TlsParameters, tlsParameters, withOwnSignature } from './tls-parameters.js';

/** What a handshake that did not succeed leaves for the log. */
export interface HandshakeFailure {
  /** Envoy's `%DOWNSTREAM_TRANSPORT_FAILURE_REASON%` with blanks; '' = the client went away. */
  readonly text: string;
  /** Which counter under `ssl.`. */
  readonly counter: CertificateFailure['counter'] | 'connection_error';
  /** 'TLSv1.3'; '' while unknown. */
  readonly version: string;
  readonly cipher: string;
  /** Subject of a refused client certificate; '' = none. */
  readonly peerSubject: string;
}

/** One of the two is called, once. */
export interface HandshakeListener {
  /** The client is accepted. The socket is paused and nothing of it has been read. */
  established(socket: tls.TLSSocket, facts: TlsFacts): void;
  /** The alert is sent and the socket is being closed. */
  failed(failure: HandshakeFailure): void;
}

/** Facts of the ClientHello that the listener has peeked. */
export interface PeekedHello {
  readonly bytes: Buffer;
  readonly serverName: string;
  readonly applicationProtocols: readonly string[];
  readonly offersTls13: boolean;
}

const NONE: readonly string[] = [];

export class DownstreamTls {
  readonly parameters: TlsParameters;
  private readonly material: TlsMaterial;
  private readonly demanded: boolean;
  private readonly alpn: readonly string[];
  private readonly candidates: readonly CandidateCertificate[];
  private readonly ticketKeys: Buffer;
  /** `certificate index * 4 + (TLS 1.3 ? 2 : 0) + (ALPN ? 1 : 0)`. */
  private readonly servers: (ChainServer | undefined)[] = [];

  /** Throws Node's error when a certificate or key cannot be used: the chain is NOT READY then. */
  constructor(material: TlsMaterial, requireClientCertificate: boolean) {
    this.material = material;
    this.parameters = tlsParameters(material.context);
    this.demanded =
      material.validation !== undefined && demandsCertificate(requireClientCertificate, material.validation.rules);
    this.alpn = material.context.alpn_protocols ?? NONE;
    this.candidates =
      material.certificates.length > 1 ? material.certificates.map(({ chain }) => describeCertificate(chain)) : [];
    // Lost whenever the context is rebuilt, as Envoy's in-process keys are.
    this.ticketKeys = randomBytes(48);
    this.server(0, true, true);
  }

  /** Takes a paused socket whose first bytes, `hello.bytes`, have been read. */
  handshake(socket: net.Socket, hello: PeekedHello, listener: HandshakeListener): void {
    const index =
      this.candidates.length === 0
        ? 0
        : chooseCertificate(this.candidates, hello.serverName, readClientSignatures(hello.bytes));
    const overlap = hello.applicationProtocols.some((protocol) => this.alpn.includes(protocol));
    const tls13 = hello.offersTls13 && this.parameters.maxVersion === 'TLSv1.3';
    this.server(index, overlap, tls13).take(socket, hello, listener);
  }

  private server(certificate: number, alpn: boolean, tls13: boolean): ChainServer {
    const withAlpn = alpn && this.alpn.length > 0;
    const slot = certificate * 4 + (tls13 ? 2 : 0) + (withAlpn ? 1 : 0);
    this.servers[slot] ??= this.buildServer(certificate, withAlpn, tls13);
    return this.servers[slot];
  }

  private buildServer(certificate: number, alpn: boolean, tls13: boolean): ChainServer {
    const { certificates, validation } = this.material;
    const pair = certificates[certificate];
    const { minVersion, maxVersion, ciphers, ecdhCurve, secureOptions, sigalgs } = this.parameters;
    const options: tls.TlsOptions & tls.SecureContextOptions = {
      minVersion,
      maxVersion,
      ciphers,
      // Below TLS 1.3 OpenSSL wants the curve of a client's own key among these; hello-answer.ts keeps them out of the key
      // exchange. They come last, and the server's order counts there.
      ecdhCurve: validation === undefined || tls13 ? ecdhCurve : withClientCurves(ecdhCurve),
      sigalgs: pair === undefined ? sigalgs : withOwnSignature(sigalgs, pair.key),
      // Below TLS 1.3 the server's order wins; in 1.3 Envoy's library holds all suites equal and the client's decides.
      honorCipherOrder: !tls13,
      // A client that asks to renegotiate gets the alert no_renegotiation (spec dataplane.md §2.1).
      secureOptions: secureOptions | constants.SSL_OP_NO_RENEGOTIATION,
      ticketKeys: this.ticketKeys,
      sessionIdContext: createHash('sha256').update(this.material.key).digest('hex').slice(0, 32),
      rejectUnauthorized: false,
      pauseOnConnect: true,
      ...(pair === undefined ? {} : { cert: pair.chain, key: pair.key }),
      ...(alpn ? { ALPNProtocols: [...this.alpn] } : {}),
    };
    if (validation !== undefined) {
      options.requestCert = true;
      options.allowPartialTrustChain = true;
      if (validation.trustedCa !== undefined) options.ca = validation.trustedCa;
      if (validation.crl !== undefined && hasCrlBlock(validation.crl)) options.crl = crlBlocks(validation.crl);
    }
    return new ChainServer(options, this.material, this.demanded, pair?.staple);
  }
}

/** The socket below a TLSSocket: Node keeps it under a name that is not documented but as old as `tls` itself. */
interface WrappingSocket {
  readonly _parent?: net.Socket;
}

const HANDSHAKE = Symbol('handshake');

/** A socket whose handshake runs knows who waits for it. */
interface HandshakingSocket extends net.Socket {
  [HANDSHAKE]?: Handshake | undefined;
}

interface Handshake {
  readonly hello: PeekedHello;
  readonly listener: HandshakeListener;
}

/** The handshake of a socket, once: whoever takes it ends it. */
function takeHandshake(socket: HandshakingSocket | undefined): Handshake | undefined {
  const handshake = socket?.[HANDSHAKE];
  if (handshake !== undefined && socket !== undefined) socket[HANDSHAKE] = undefined;
  return handshake;
}

class ChainServer {
  private readonly server: tls.Server;
  private readonly material: TlsMaterial;
  private readonly demanded: boolean;
  private readonly local: LocalCertificateFacts;
  private readonly secrets = new WeakMap<tls.TLSSocket, Buffer>();

  constructor(options: tls.TlsOptions, material: TlsMaterial, demanded: boolean, staple: Buffer | undefined) {
    this.material = material;
    this.demanded = demanded;
    this.server = tls.createServer(options);
    if (options.allowPartialTrustChain === true) usePartialChains(this.server, options);
    this.local = localFacts(typeof options.cert === 'string' ? options.cert : undefined);
    this.server.on('secureConnection', (socket: tls.TLSSocket) => this.secured(socket));
    this.server.on('tlsClientError', (error: Error, socket: tls.TLSSocket) => this.broke(error, socket));
    if (staple !== undefined) {
      this.server.on(
        'OCSPRequest',
        (_certificate: Buffer, _issuer: Buffer, done: (error: null, response: Buffer) => void) => done(null, staple),
      );
    }
    // Key logging has a price per handshake: only where an alert may have to be sealed.
    if (material.validation !== undefined) {
      this.server.on('keylog', (line: Buffer, socket: tls.TLSSocket) => {
        const secret = serverTrafficSecret(line);
        if (secret !== undefined) this.secrets.set(socket, secret);
      });
    }
  }

  take(socket: HandshakingSocket, hello: PeekedHello, listener: HandshakeListener): void {
    socket[HANDSHAKE] = { hello, listener };
    socket.once('close', closedInHandshake);
    socket.unshift(hello.bytes);
    // The TLSSocket copies this. A client that ends in the middle of the handshake is gone and would else be kept until
    // the deadline; half-closes count from the handshake on (`secured`).
    socket.allowHalfOpen = false;
    this.server.emit('connection', socket);
  }

  private secured(socket: tls.TLSSocket): void {
    const raw = parentOf(socket);
    const handshake = takeHandshake(raw);
    if (raw === undefined || handshake === undefined) {
      socket.destroy();
      return;
    }
    socket.allowHalfOpen = true;
    socket.on('error', ignore);
    const version = socket.getProtocol() ?? '';
    const cipher = socket.getCipher().name;
    const { validation } = this.material;
    const certificate = validation === undefined ? undefined : socket.getPeerX509Certificate();
    if (validation !== undefined) {
      const failure = judgeClient(
        { certificate, chainError: chainError(socket), isTls13: version === 'TLSv1.3' },
        this.demanded,
        validation,
      );
      if (failure !== undefined) {
        this.refuse(socket, raw, failure, version, cipher);
        const peerSubject = certificate === undefined ? '' : rfc2253Subject(certificate);
        handshake.listener.failed({ text: failure.text, counter: failure.counter, version, cipher, peerSubject });
        return;
      }
    }
    handshake.listener.established(
      socket,
      this.facts(socket, version, cipher, certificate, handshake.hello.serverName),
    );
  }

  // Runs before OpenSSL's pending output (tickets, the server's Finished of 1.2) is flushed, so that the alert is the next
  // thing that the client reads. Falls back to a plain close where the record cannot be made.
  private refuse(
    socket: tls.TLSSocket,
    raw: net.Socket,
    failure: CertificateFailure,
    version: string,
    cipher: string,
  ): void {
    const secret = this.secrets.get(socket);
    const record =
      version !== 'TLSv1.3'
        ? plaintextAlert(failure.alert, 3)
        : secret === undefined
          ? undefined
          : encryptedAlert(failure.alert, cipher, secret);
    if (record !== undefined && !raw.destroyed) raw.write(record);
    raw.end();
    socket.destroy();
  }

  private broke(error: Error, socket: tls.TLSSocket): void {
    takeHandshake(parentOf(socket))?.listener.failed(connectionError(tlsFailureText(error)));
  }

  private facts(
    socket: tls.TLSSocket,
    version: string,
    cipher: string,
    certificate: X509Certificate | undefined,
    serverName: string,
  ): TlsFacts {
    const base = {
      version: version as TlsFacts['version'],
      cipher,
      alpn: typeof socket.alpnProtocol === 'string' ? socket.alpnProtocol : '',
      serverName,
      ...this.local,
    };
    if (certificate === undefined) return base;
    const names = subjectAltNames(certificate);
    return {
      ...base,
      peerCertificate: {
        pem: certificate.toString(),
        sha256: certificateHash(certificate),
        subject: rfc2253Subject(certificate),
        uriSans: names.filter(({ type }) => type === 'URI').map(({ value }) => value),
        dnsSans: names.filter(({ type }) => type === 'DNS').map(({ value }) => value),
        issuer: rfc2253Name(certificate.issuer),
        serialNumber: certificate.serialNumber.toLowerCase(),
        sha1: createHash('sha1').update(certificate.raw).digest('hex'),
        validFrom: Date.parse(certificate.validFrom),
        validTo: Date.parse(certificate.validTo),
      },
    };
  }
}

function ignore(): void {}

function withClientCurves(curves: string): string {
  const listed = curves.split(':');
  return [...listed, ...['P-256', 'P-384', 'P-521'].filter((name) => !listed.includes(name))].join(':');
}

/** Where `tls.Server` keeps its context; it is not documented. */
interface ContextHolder {
  _sharedCreds?: tls.SecureContext;
}

// `tls.Server` hands a fixed list of options to its context, and allowPartialTrustChain is not among them (Node 20 to 24):
// an intermediate or a leaf in the bundle would not be an anchor. Where the field is missing, the stock context stays.
function usePartialChains(server: tls.Server, options: tls.SecureContextOptions): void {
  const holder = server as ContextHolder;
  if (holder._sharedCreds !== undefined) holder._sharedCreds = tls.createSecureContext(options);
}

function parentOf(socket: tls.TLSSocket): net.Socket | undefined {
  return (socket as WrappingSocket)._parent;
}

// Node types it as Error; it is the code of OpenSSL's verdict ('CERT_HAS_EXPIRED').
function chainError(socket: tls.TLSSocket): string | undefined {
  return socket.authorized ? undefined : String(socket.authorizationError);
}

/** What header values may ask of the certificate that we serve. */
type LocalCertificateFacts = Pick<TlsFacts, 'localUriSans' | 'localDnsSans' | 'localSubject'>;

function localFacts(pem: string | undefined): LocalCertificateFacts {
  if (pem === undefined) return { localUriSans: NONE };
  const certificate = new X509Certificate(pem);
  const names = subjectAltNames(certificate);
  return {
    localUriSans: names.filter(({ type }) => type === 'URI').map(({ value }) => value),
    localDnsSans: names.filter(({ type }) => type === 'DNS').map(({ value }) => value),
    localSubject: rfc2253Subject(certificate),
  };
}

function closedInHandshake(this: HandshakingSocket): void {
  takeHandshake(this)?.listener.failed(connectionError(''));
}

function connectionError(text: string): HandshakeFailure {
  return { text, counter: 'connection_error', version: '', cipher: '', peerSubject: '' };
}
