// One accepted connection, from its first byte to the hand-over: listener filters (PROXY protocol, TLS inspector), chain
// selection, transport socket, network filter (spec dataplane.md §0.1, §1). Protocol knowledge lives elsewhere; this
// file moves bytes, keeps the timers and closes the socket the way Envoy would (§0.3).
import type net from 'node:net';
import type tls from 'node:tls';
import { decideConnection } from '../../decide/decide-connection.js';
import { ProxyProtocolParser } from '../../match/inspect/proxy-protocol.js';
import { printableServerName, TlsInspector } from '../../match/inspect/tls-inspector.js';
import type { ConnectionFacts, FilterChain, HttpConnectionManager, SocketAddress, TlsFacts } from '../../xds/index.js';
import type { DownstreamConnection } from '../downstream-connection.js';
import type { Timer } from '../environment.js';
import type { LiveMember } from '../live-set.js';
import { type DownstreamClose, TcpProxySession } from '../tcp-proxy/tcp-proxy.js';
import { counter } from '../telemetry/stats.js';
import { StreamInfo } from '../telemetry/stream-info.js';
import type { HandshakeFailure } from '../transport-socket/downstream-tls.js';
import { CONNECTION_REJECTED } from '../transport-socket/failure-reason.js';
import { answerHello, offersTls13 } from '../transport-socket/hello-answer.js';
import { plainAddress, resetSocket } from './accepted-socket.js';
import type { ActiveListener } from './active-listener.js';
import { INSPECTOR_STATS } from './listener-stats.js';
import type { RunningChain } from './running-chain.js';

const NO_PROTOCOLS: readonly string[] = [];
const EMPTY = Buffer.alloc(0);
/** How long a client may take to close after our FIN. */
const LINGER = 1000;

export class ActiveConnection implements LiveMember {
  place = -1;
  readonly socket: net.Socket;
  /** The chain that serves it; `undefined` before the choice. */
  chain: RunningChain | undefined = undefined;
  private readonly listener: ActiveListener;
  private readonly info: StreamInfo;
  private source: SocketAddress;
  private destination: SocketAddress;
  private proxyProtocol: ProxyProtocolParser | undefined;
  private inspector: TlsInspector | undefined;
  /** Bytes read from the socket that nobody has consumed yet. */
  private peeked: Buffer = EMPTY;
  private inFilters = false;
  /** True once the TLS wrapper reads from the socket. */
  private handedOver = false;
  private deadline: Timer | undefined = undefined;
  private secure: tls.TLSSocket | undefined = undefined;
  private session: TcpProxySession | undefined = undefined;
  private draining = false;
  private drainListeners: (() => void)[] | undefined = undefined;

  /** `socket` is paused and nothing of it has been read. */
  constructor(listener: ActiveListener, socket: net.Socket, destination: SocketAddress) {
    this.listener = listener;
    this.socket = socket;
    this.source = { address: plainAddress(socket.remoteAddress), port: socket.remotePort ?? 0 };
    this.destination = destination;
    this.info = new StreamInfo(listener.environment.now(), socket.remotePort);
    this.proxyProtocol = listener.index.expectsProxyProtocol ? new ProxyProtocolParser() : undefined;
    this.inspector = listener.index.inspectsTls ? new TlsInspector() : undefined;
    // A reset shows as 'error' and then 'close'; what matters is the close.
    socket.on('error', ignore);
    socket.once('close', () => this.closed());
  }

  /** Begins: with listener filters it waits for bytes, without it chooses the chain now. */
  start(): void {
    if (this.proxyProtocol === undefined && this.inspector === undefined) {
      this.choose('raw_buffer', '', NO_PROTOCOLS);
      return;
    }
    this.inFilters = true;
    this.listener.stats.preConnectionActive.value++;
    this.deadline = this.listener.filterDeadlines.add(() => {
      this.listener.stats.preConnectionTimeout.value++;
      this.leaveFilters();
      this.closeUnread();
    });
    this.socket.on('data', this.onPeek);
    this.socket.once('end', this.onPeekEnd);
    this.socket.resume();
  }

  isDraining(): boolean {
    return this.draining || this.listener.draining;
  }

  /** Answers say `connection: close` from now on; TCP goes on until the end of the drain time. */
  drain(): void {
    if (this.draining) return;
    this.draining = true;
    for (const listener of this.drainListeners ?? []) listener();
    this.drainListeners = undefined;
  }

  onDrain(listener: () => void): void {
    if (this.isDraining()) {
      listener();
      return;
    }
    this.drainListeners ??= [];
    this.drainListeners.push(listener);
  }

  /** End of the drain time. */
  destroy(): void {
    this.session?.abort();
    if (this.secure !== undefined) this.secure.destroy();
    this.closeUnread();
  }

  private readonly onPeek = (chunk: Buffer): void => {
    this.peeked = this.peeked.length === 0 ? chunk : Buffer.concat([this.peeked, chunk]);
    this.filter(chunk);
  };

  private readonly onPeekEnd = (): void => {
    this.listener.stats.filterRemoteClose.value++;
    this.leaveFilters();
    this.closeUnread();
  };

  private filter(chunk: Buffer): void {
    let bytes = chunk;
    if (this.proxyProtocol !== undefined) {
      switch (this.proxyProtocol.push(bytes)) {
        case 'needMore':
          return;
        case 'malformed':
          counter('proxy_proto.not_found_disallowed').value++;
          this.listener.stats.filterError.value++;
          this.leaveFilters();
          this.closeUnread();
          return;
        case 'header':
          break;
      }
      this.source = this.proxyProtocol.source ?? this.source;
      this.destination = this.proxyProtocol.destination ?? this.destination;
      // The header is consumed, not peeked: what follows is the connection (spec dataplane.md §1.6).
      this.peeked = this.peeked.subarray(this.proxyProtocol.consumed);
      bytes = this.peeked;
      this.proxyProtocol = undefined;
      if (this.inspector === undefined) {
        this.leaveFilters();
        this.choose('raw_buffer', '', NO_PROTOCOLS);
        return;
      }
      if (bytes.length === 0) return;
    }
    this.inspect(bytes);
  }

  private inspect(bytes: Buffer): void {
    const { inspector } = this;
    if (inspector === undefined) return;
    switch (inspector.push(bytes)) {
      case 'needMore':
        return;
      case 'tooLarge':
        INSPECTOR_STATS.tooLarge.value++;
        this.leaveFilters();
        this.closeUnread();
        return;
      case 'refused':
        this.leaveFilters();
        this.closeUnread();
        return;
      case 'notTls':
        INSPECTOR_STATS.tlsNotFound.value++;
        this.info.downstreamTransportFailureReason = inspector.failureReason;
        this.leaveFilters();
        this.choose('raw_buffer', '', NO_PROTOCOLS);
        return;
      case 'hello':
        INSPECTOR_STATS.tlsFound.value++;
        (inspector.serverName === '' ? INSPECTOR_STATS.sniNotFound : INSPECTOR_STATS.sniFound).value++;
        (inspector.alpn.length === 0 ? INSPECTOR_STATS.alpnNotFound : INSPECTOR_STATS.alpnFound).value++;
        this.leaveFilters();
        this.choose('tls', inspector.serverName, inspector.alpn);
        return;
    }
  }

  private leaveFilters(): void {
    this.inFilters = false;
    this.deadline?.cancel();
    this.deadline = undefined;
    this.listener.stats.preConnectionActive.value--;
    this.socket.off('data', this.onPeek);
    this.socket.off('end', this.onPeekEnd);
    // Taking the 'data' listener off does not stop the flow.
    this.socket.pause();
  }

  private choose(
    transportProtocol: ConnectionFacts['transportProtocol'],
    serverName: string,
    protocols: readonly string[],
  ): void {
    const facts: ConnectionFacts = {
      listener: this.listener.name,
      transportProtocol,
      serverName,
      applicationProtocols: protocols,
      source: this.source,
      destination: this.destination,
    };
    const { info } = this;
    info.downstreamLocal = facts.destination;
    info.downstreamRemote = facts.source;
    info.requestedServerName = printableServerName(serverName);
    const decision = decideConnection(this.listener.index, facts);
    if (decision.kind === 'close') {
      this.listener.stats.noFilterChain.value++;
      info.setFlag(decision.flag);
      info.details = decision.details;
      this.closeUnread();
      this.log();
      return;
    }
    const chain = this.listener.runningChain(decision.chain);
    this.chain = chain;
    const { terminal } = chain;
    if (terminal === undefined) {
      this.closeUnread();
      return;
    }
    if (chain.terminatesTls) {
      this.openTls(chain, facts);
      return;
    }
    this.inspector = undefined;
    if (terminal.kind === 'tcp') {
      this.session = this.startTcp(chain, facts);
      if (this.session === undefined) {
        this.closeUnread();
        this.log();
        return;
      }
      this.attach(this.session, this.socket);
    } else {
      this.acceptHttp(this.socket, facts, undefined, chain.chain, terminal.manager);
    }
  }

  // Puts back what was peeked, in one piece, and lets the proxy have the socket.
  private attach(session: TcpProxySession, socket: net.Socket): void {
    const { peeked } = this;
    if (peeked.length > 0) socket.unshift(peeked);
    session.attach(socket);
  }

  private startTcp(chain: RunningChain, facts: ConnectionFacts): TcpProxySession | undefined {
    if (chain.terminal?.kind !== 'tcp') return undefined;
    const session = new TcpProxySession(
      { environment: this.listener.environment, clusters: this.listener.clusters() },
      chain.terminal.proxy,
      facts,
      this.info,
      {
        closeDownstream: (how) => this.closeFor(how),
        // What was peeked is with the upstream now: no longer a reason for a reset.
        flowing: () => {
          this.peeked = EMPTY;
        },
        finished: () => this.log(),
      },
    );
    return session.start() ? session : undefined;
  }

  private openTls(chain: RunningChain, facts: ConnectionFacts): void {
    const context = chain.tls();
    if (context === 'notReady') {
      this.listener.stats.secretsNotReady.value++;
      // No log line, whatever the chain's filter: the connection never came to be (spec gateway.md §8.6).
      this.closeUnread();
      return;
    }
    if (chain.terminal?.kind === 'tcp') {
      this.session = this.startTcp(chain, facts);
      if (this.session === undefined) {
        // The TLS socket has read the hello: FIN without a byte (spec dataplane.md §6.2).
        this.info.downstreamTransportFailureReason = CONNECTION_REJECTED;
        this.info.downstreamTlsVersion = 'TLSv1.2';
        this.finish();
        this.log();
        return;
      }
    }
    const { inspector } = this;
    const answer = inspector === undefined ? undefined : answerHello(inspector, context.parameters);
    if (answer !== undefined) {
      this.count('connection_error');
      if (answer.reason !== '') this.info.downstreamTransportFailureReason = answer.reason;
      this.listener.observer.handshakeFailed?.(this.info, false);
      if (answer.record !== undefined) this.socket.write(answer.record);
      this.finish();
      this.session?.abort();
      return;
    }
    const tls13 = inspector !== undefined && offersTls13(inspector);
    this.deadline = this.listener.handshakeDeadline(chain.connectTimeout, () => {
      this.listener.stats.transportSocketTimeout.value++;
      this.session?.abort();
      this.socket.destroy();
    });
    const bytes = this.peeked;
    this.peeked = EMPTY;
    this.inspector = undefined;
    this.handedOver = true;
    context.handshake(
      this.socket,
      { bytes, serverName: facts.serverName, applicationProtocols: facts.applicationProtocols, offersTls13: tls13 },
      {
        established: (socket, tlsFacts) => this.established(socket, tlsFacts, facts, chain),
        failed: (failure) => this.handshakeFailed(failure),
      },
    );
  }

  private established(socket: tls.TLSSocket, tlsFacts: TlsFacts, facts: ConnectionFacts, chain: RunningChain): void {
    this.deadline?.cancel();
    this.deadline = undefined;
    this.secure = socket;
    this.listener.stats.handshakes.value++;
    if (tlsFacts.peerCertificate === undefined) this.listener.stats.noCertificate.value++;
    this.info.downstreamTlsVersion = tlsFacts.version;
    this.info.downstreamTlsCipher = tlsFacts.cipher;
    this.info.downstreamPeerSubject = tlsFacts.peerCertificate?.subject ?? '';
    if (chain.terminal?.kind === 'http') {
      this.acceptHttp(socket, facts, tlsFacts, chain.chain, chain.terminal.manager);
    } else if (this.session !== undefined) {
      this.session.attach(socket);
    }
  }

  private handshakeFailed(failure: HandshakeFailure): void {
    this.deadline?.cancel();
    this.deadline = undefined;
    this.count(failure.counter);
    this.info.downstreamTransportFailureReason = failure.text;
    this.info.downstreamTlsVersion = failure.version;
    this.info.downstreamTlsCipher = failure.cipher;
    this.info.downstreamPeerSubject = failure.peerSubject;
    this.listener.observer.handshakeFailed?.(this.info, failure.counter !== 'connection_error');
    // On an HTTP chain nothing is logged: no stream came to be (spec dataplane.md §2.5).
    this.session?.abort();
  }

  private count(name: string): void {
    counter(`${this.listener.stats.prefix}.ssl.${name}`).value++;
  }

  private acceptHttp(
    socket: net.Socket | tls.TLSSocket,
    facts: ConnectionFacts,
    tlsFacts: TlsFacts | undefined,
    chain: FilterChain,
    manager: HttpConnectionManager,
  ): void {
    if (socket === this.socket && this.peeked.length > 0) {
      socket.unshift(this.peeked);
      this.peeked = EMPTY;
    }
    const connection: DownstreamConnection = {
      socket,
      facts,
      tls: tlsFacts,
      chain,
      manager,
      isDraining: () => this.isDraining(),
      onDrain: (listener) => this.onDrain(listener),
    };
    this.listener.httpServer.accept(connection);
  }

  // What the TCP proxy asks for, translated to the socket that is there.
  private closeFor(how: DownstreamClose): void {
    const { secure, socket } = this;
    switch (how) {
      case 'reset':
        resetSocket(socket);
        secure?.destroy();
        return;
      case 'fin':
        if (secure === undefined) this.finish();
        else {
          secure.end();
          secure.destroySoon();
        }
        return;
      case 'unread':
        if (secure !== undefined) {
          secure.end();
          secure.destroySoon();
        } else if (this.chain?.terminatesTls === true) {
          // In the middle of the handshake: our flight is out, the client finishes and then reads FIN (§6.2).
          this.finish();
        } else {
          this.closeUnread();
        }
    }
  }

  // close(2) with bytes that nobody read is a reset; without, a FIN (spec dataplane.md §0.3).
  private closeUnread(): void {
    if (this.socket.destroyed) return;
    if (this.peeked.length > 0) resetSocket(this.socket);
    else this.socket.destroy();
  }

  // FIN after everything was read: waits a moment for the client, so that what is in flight does not turn it into a reset.
  private finish(): void {
    const { socket } = this;
    if (socket.destroyed) return;
    socket.end();
    const linger = this.listener.environment.setTimer(LINGER, () => socket.destroy());
    socket.once('close', () => linger.cancel());
    // Under a TLS wrapper it is the wrapper that reads.
    if (this.handedOver) return;
    socket.once('end', () => socket.destroy());
    socket.resume();
  }

  private log(): void {
    this.info.endTime = this.listener.environment.now();
    this.listener.observer.finished(this.info);
  }

  private closed(): void {
    if (this.inFilters) this.leaveFilters();
    this.deadline?.cancel();
    this.listener.remove(this);
  }
}

function ignore(): void {}
