// One dial of an upstream: name, TCP, PROXY header, TLS, under the cluster's connect timeout (spec destinations.md §0.1,
// §6.5, §7, §9.7).
import net from 'node:net';
import tls from 'node:tls';
import { renderSocketAddress } from '../../xds/index.js';
import type { Environment, Timer } from '../environment.js';
import type { ConnectCallbacks, ConnectFailure, Host, UpstreamConnectOptions } from './cluster-manager.js';
import { parseHostAddress } from './host-address.js';
import { renderProxyHeader } from './proxy-header.js';
import type { UpstreamTransport } from './upstream-transport-socket.js';

/** What a dial asks of its cluster, and tells it. */
export interface Dialler {
  readonly connectTimeoutMs: number;
  /** Of the name that a dynamic forward proxy goes to. */
  readonly addressFamily: 4 | 6;
  /** Further addresses of the host's name, to be tried when the first is slow or fails. */
  alternatives(host: Host): readonly string[];
  dial(address: string, options: UpstreamConnectOptions, isTls: boolean): net.Socket;
  /** SNI and name check of a request: HTTP clusters only, and only where Istio switched them on. */
  requestNames(options: UpstreamConnectOptions): { serverName: string; checkName: string };
  /** The host of a dynamic forward proxy is a name until its first connection. */
  resolved(host: Host, address: string): void;
  countConnected(host: Host, socket: net.Socket): void;
  countFailure(host: Host, isTimeout: boolean): void;
}

/** Milliseconds after which the next address of a name is tried beside the one before (RFC 8305, Envoy's value). */
const NEXT_ADDRESS_AFTER = 300;

/** One dial, from TCP to the end of the transport socket's handshake, under the cluster's connect timeout. */
export class ConnectAttempt {
  private readonly cluster: Dialler;
  private readonly host: Host;
  private readonly options: UpstreamConnectOptions;
  private readonly callbacks: ConnectCallbacks;
  private readonly transport: UpstreamTransport;
  private readonly environment: Environment;
  /** The one that is dialled, or several in a race. */
  private readonly sockets: net.Socket[] = [];
  private readonly waiting: string[] = [];
  private next: Timer | undefined = undefined;
  private timer: Timer | undefined = undefined;
  private over = false;

  constructor(
    cluster: Dialler,
    host: Host,
    options: UpstreamConnectOptions,
    callbacks: ConnectCallbacks,
    transport: UpstreamTransport,
    environment: Environment,
  ) {
    this.cluster = cluster;
    this.host = host;
    this.options = options;
    this.callbacks = callbacks;
    this.transport = transport;
    this.environment = environment;
  }

  start(): { cancel(): void } {
    this.timer = this.environment.setTimer(this.cluster.connectTimeoutMs, () => {
      this.fail({ reason: 'connection_timeout', transportFailure: '' });
    });
    const { address, port } = parseHostAddress(this.host.address);
    if (port !== 0 && net.isIP(address) === 0) this.resolve(address, port);
    else {
      this.waiting.push(...this.cluster.alternatives(this.host));
      this.dial(this.host.address);
    }
    return { cancel: () => this.cancel() };
  }

  // The host of a dynamic forward proxy is a name until its first connection.
  private resolve(name: string, port: number): void {
    this.environment.lookup(name, this.cluster.addressFamily).then(
      ([record]) => {
        if (this.over) return;
        if (record === undefined) {
          this.fail({ reason: 'remote_connection_failure', transportFailure: 'DNS resolution failed' });
          return;
        }
        const resolved = renderSocketAddress(record.address, port);
        this.cluster.resolved(this.host, resolved);
        this.dial(resolved);
      },
      () => this.fail({ reason: 'remote_connection_failure', transportFailure: 'DNS resolution failed' }),
    );
  }

  private dial(address: string): void {
    const socket = this.cluster.dial(address, this.options, this.transport.tls !== undefined);
    this.sockets.push(socket);
    socket.on('error', (error) => this.lost(socket, connectErrorText(error, address)));
    socket.once('close', () => this.lost(socket, ''));
    socket.once('connect', () => this.connected(socket));
    if (this.waiting.length > 0) {
      this.next = this.environment.setTimer(NEXT_ADDRESS_AFTER, () => this.dialNext());
    }
  }

  private dialNext(): boolean {
    const address = this.waiting.shift();
    if (this.over || address === undefined) return false;
    this.next?.cancel();
    this.dial(address);
    return true;
  }

  // The last of several addresses decides what is said of the failure.
  private lost(socket: net.Socket, text: string): void {
    if (!this.forget(socket) || this.over) return;
    if (this.dialNext() || this.sockets.length > 0) return;
    this.fail({ reason: 'remote_connection_failure', transportFailure: text });
  }

  private connected(socket: net.Socket): void {
    if (this.over) return;
    this.next?.cancel();
    this.waiting.length = 0;
    for (const other of [...this.sockets]) if (other !== socket) this.drop(other);
    const { proxyProtocol, tls: context } = this.transport;
    if (proxyProtocol !== undefined) socket.write(renderProxyHeader(proxyProtocol, this.options.downstream));
    if (context === undefined || context === 'notReady') {
      this.succeed(socket, socket);
      return;
    }
    const request = {
      ...this.cluster.requestNames(this.options),
      applicationProtocols: this.options.applicationProtocols,
    };
    const secure = context.wrap(socket, request, (failure) => {
      if (failure === undefined) this.succeed(secure, socket);
      else this.fail({ reason: 'remote_connection_failure', transportFailure: failure });
    });
    secure.on('error', ignore);
  }

  private succeed(socket: net.Socket, raw: net.Socket): void {
    if (this.over) return;
    this.over = true;
    this.timer?.cancel();
    this.cluster.countConnected(this.host, raw);
    const alpn = socket instanceof tls.TLSSocket && typeof socket.alpnProtocol === 'string' ? socket.alpnProtocol : '';
    const localAddress =
      raw.localAddress === undefined ? '' : renderSocketAddress(raw.localAddress, raw.localPort ?? 0);
    this.callbacks.connected(socket, { alpn, localAddress });
  }

  private fail(failure: ConnectFailure): void {
    if (this.over) return;
    this.over = true;
    this.end();
    this.cluster.countFailure(this.host, failure.reason === 'connection_timeout');
    this.callbacks.failed(failure);
  }

  private cancel(): void {
    if (this.over) return;
    this.over = true;
    this.end();
  }

  private end(): void {
    this.timer?.cancel();
    this.next?.cancel();
    for (const socket of [...this.sockets]) this.drop(socket);
  }

  private drop(socket: net.Socket): void {
    this.forget(socket);
    socket.destroy();
  }

  /** False when it is not among them any more. */
  private forget(socket: net.Socket): boolean {
    const at = this.sockets.indexOf(socket);
    if (at !== -1) this.sockets.splice(at, 1);
    return at !== -1;
  }
}

function ignore(): void {}

// strerror(3) texts, which Envoy logs where Node has codes.
const ERRNO_TEXTS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'Connection refused',
  EHOSTUNREACH: 'No route to host',
  ENETUNREACH: 'Network is unreachable',
  ETIMEDOUT: 'Connection timed out',
  ECONNRESET: 'Connection reset by peer',
  EADDRNOTAVAIL: 'Cannot assign requested address',
  EACCES: 'Permission denied',
  ENOENT: 'No such file or directory',
};

// connect(2) itself fails for these: Envoy says so, and where to.
const IMMEDIATE = new Set(['ENOENT', 'ENETUNREACH', 'EADDRNOTAVAIL', 'EACCES']);

function connectErrorText(error: Error, address: string): string {
  const code = 'code' in error && typeof error.code === 'string' ? error.code : '';
  if (code === '') return '';
  const text = ERRNO_TEXTS[code] ?? code;
  const immediate = IMMEDIATE.has(code) || address.startsWith('/') || address.startsWith('@');
  return immediate ? `immediate connect error: ${text}|remote address:${address}` : `delayed connect error: ${text}`;
}
