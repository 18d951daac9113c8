// One client connection to a listener of ours: TCP, then TLS as asked. Nothing here throws or rejects for what the peer
// does: how a connection ended is kept as a fact.
import net from 'node:net';
import tls from 'node:tls';
import { describeHandshake, describeTlsError, type TlsOutcome } from './tls-outcome.js';

/** A certificate that a client presents; PEM texts. */
export interface ClientCertificate {
  /** The leaf first, then intermediates. */
  readonly cert: string;
  readonly key: string;
}

export type TlsVersion = 'TLSv1' | 'TLSv1.1' | 'TLSv1.2' | 'TLSv1.3';

/** How to shake hands. */
export interface ClientTls {
  /** '' = none is sent. */
  readonly serverName: string;
  /** Empty = none is offered. */
  readonly alpn: readonly string[];
  readonly client?: ClientCertificate;
  /** The only version that is offered. */
  readonly version?: TlsVersion;
}

/** Where and how to connect; `timeout` in milliseconds counts for TCP and TLS together. */
export interface Dial {
  readonly address: string;
  readonly port: number;
  readonly tls?: ClientTls;
  readonly timeout: number;
}

/** How a connection ended. */
export type Ending = 'eof' | 'reset' | 'timeout';

/** A connection that is or was up. */
export class ClientConnection {
  readonly socket: net.Socket;
  readonly raw: net.Socket;
  /** Which connection this is to the listener: its port on this side. */
  readonly localPort: number;
  /** Absent on plaintext. An alert that comes late is added. */
  tls: TlsOutcome | undefined;
  /** `undefined` while it is open. */
  ending: Ending | undefined = undefined;
  /** Called once, when `ending` is set. */
  onEnded: (() => void) | undefined = undefined;

  constructor(socket: net.Socket, raw: net.Socket, localPort: number, outcome: TlsOutcome | undefined) {
    this.socket = socket;
    this.raw = raw;
    this.localPort = localPort;
    this.tls = outcome;
    socket.on('error', (error: NodeJS.ErrnoException) => {
      const said = describeTlsError(error);
      if (said === undefined) this.end('reset');
      else {
        this.tls = { ...this.tls, ...said };
        this.end('eof');
      }
    });
    socket.on('end', () => this.end('eof'));
    socket.on('close', () => this.end('eof'));
    if (raw !== socket) {
      raw.on('error', () => this.end('reset'));
      raw.on('close', () => this.end('eof'));
    }
  }

  /** Ends it now; nothing keeps the process alive after that. */
  close(): void {
    this.socket.destroy();
    this.raw.destroy();
  }

  private end(how: Ending): void {
    if (this.ending !== undefined) return;
    this.ending = how;
    this.onEnded?.();
  }
}

/** What came of an attempt to connect. */
export type Dialled =
  /** Nobody listens there. */
  | { readonly kind: 'refused'; readonly code: string }
  /** TCP came to be, TLS did not. */
  | { readonly kind: 'failed'; readonly localPort: number; readonly tls: TlsOutcome; readonly ending: Ending }
  | { readonly kind: 'up'; readonly connection: ClientConnection };

/** Opens a connection. Never rejects. */
export async function dial(target: Dial): Promise<Dialled> {
  const deadline = Date.now() + target.timeout;
  const raw = net.connect({ host: target.address, port: target.port, noDelay: true, autoSelectFamily: false });
  const failure = await settled(raw, 'connect', target.timeout);
  if (failure !== undefined) {
    raw.destroy();
    return { kind: 'refused', code: failure === 'closed' || failure === 'timeout' ? failure : (failure.code ?? '') };
  }
  raw.on('error', ignore);
  const localPort = raw.localPort ?? 0;
  if (target.tls === undefined) {
    return { kind: 'up', connection: new ClientConnection(raw, raw, localPort, undefined) };
  }
  let reset = false;
  raw.on('error', (error: NodeJS.ErrnoException) => {
    reset ||= error.code === 'ECONNRESET';
  });
  const socket = tls.connect({ socket: raw, ...tlsOptions(target.tls) });
  const broken = await settled(socket, 'secureConnect', Math.max(1, deadline - Date.now()));
  if (broken === undefined) {
    return {
      kind: 'up',
      connection: new ClientConnection(socket, raw, localPort, describeHandshake(socket)),
    };
  }
  socket.on('error', ignore);
  socket.destroy();
  raw.destroy();
  if (broken === 'timeout') return { kind: 'failed', localPort, tls: {}, ending: 'timeout' };
  const said = broken === 'closed' ? undefined : describeTlsError(broken);
  if (said !== undefined) return { kind: 'failed', localPort, tls: said, ending: 'eof' };
  const wasReset = reset || (broken !== 'closed' && (broken.code === 'EPIPE' || broken.syscall === 'read'));
  return { kind: 'failed', localPort, tls: {}, ending: wasReset ? 'reset' : 'eof' };
}

const SUITES = 'TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256:TLS_AES_128_GCM_SHA256';

function tlsOptions(wanted: ClientTls): tls.ConnectionOptions {
  const { serverName, alpn, client, version } = wanted;
  const isOld = version === 'TLSv1' || version === 'TLSv1.1';
  return {
    // Clients send no name for an address (RFC 6066 §3).
    ...(serverName === '' || net.isIP(serverName) !== 0 ? {} : { servername: serverName }),
    ...(alpn.length === 0 ? {} : { ALPNProtocols: [...alpn] }),
    ...(client === undefined ? {} : { cert: client.cert, key: client.key }),
    ...(version === undefined ? {} : { minVersion: version, maxVersion: version }),
    // OpenSSL refuses TLS below 1.2 above security level 0.
    ...(isOld ? { ciphers: `${SUITES}:${tls.DEFAULT_CIPHERS}:@SECLEVEL=0` } : {}),
    // What the server shows is reported, not judged.
    rejectUnauthorized: false,
    checkServerIdentity: () => undefined,
  };
}

/** `undefined` once the event has come; otherwise why it will not. */
function settled(
  socket: net.Socket,
  event: 'connect' | 'secureConnect',
  timeout: number,
): Promise<NodeJS.ErrnoException | 'closed' | 'timeout' | undefined> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => finish('timeout'), timeout);
    const finish = (outcome: NodeJS.ErrnoException | 'closed' | 'timeout' | undefined): void => {
      clearTimeout(timer);
      socket.off(event, up);
      socket.off('close', closed);
      socket.off('error', finish);
      resolve(outcome);
    };
    const up = (): void => finish(undefined);
    const closed = (): void => finish('closed');
    socket.on(event, up);
    socket.on('close', closed);
    socket.on('error', finish);
  });
}

function ignore(): void {}
