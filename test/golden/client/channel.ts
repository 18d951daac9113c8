// One client connection of the replay: TCP, then whatever goes before TLS, then TLS as a call asks for it. Bytes come
// in a buffer; how the connection ended is kept, alerts by name.
import net from 'node:net';
import tls from 'node:tls';
import { alertName, opensslReason } from '../../../src/gateway/client/tls-outcome.js';
import type { TlsOutcome, TlsSpec } from '../support.js';
import { readCertificate } from '../support.js';

export interface Endpoint {
  readonly host: string;
  readonly port: number;
}

export type Connected =
  | { readonly kind: 'refused' }
  | { readonly kind: 'failed'; readonly tls: TlsOutcome }
  | { readonly kind: 'up'; readonly channel: Channel; readonly tls: TlsOutcome | undefined };

/** How a channel ended. */
export interface Ending {
  readonly closed?: 'eof' | 'reset';
  readonly alert?: string;
}

/** Opens a connection. `endpoint` undefined: nobody listens there. */
export async function openChannel(
  endpoint: Endpoint | undefined,
  spec: { readonly tls?: TlsSpec; readonly before?: string; readonly timeout: number },
): Promise<Connected> {
  if (endpoint === undefined) return { kind: 'refused' };
  const raw = net.connect({ host: endpoint.host, port: endpoint.port, noDelay: true });
  const isUp = await new Promise<boolean>((resolve) => {
    raw.once('connect', () => resolve(true));
    raw.once('error', () => resolve(false));
  });
  if (!isUp) return { kind: 'refused' };
  raw.on('error', ignore);
  if (spec.before !== undefined) raw.write(spec.before, 'latin1');
  if (spec.tls === undefined) return { kind: 'up', channel: new Channel(raw, raw), tls: undefined };
  return shakeHands(raw, spec.tls, spec.timeout);
}

async function shakeHands(raw: net.Socket, spec: TlsSpec, timeout: number): Promise<Connected> {
  let reset = false;
  raw.on('error', (error: NodeJS.ErrnoException) => {
    reset ||= error.code === 'ECONNRESET';
  });
  let socket: tls.TLSSocket;
  try {
    socket = tls.connect({ socket: raw, ...tlsOptions(spec) });
  } catch (error) {
    raw.destroy();
    return { kind: 'failed', tls: { handshake: 'failed', error: String(error) } };
  }
  const channel = new Channel(socket, raw);
  const failure = await new Promise<Error | undefined>((resolve) => {
    const timer = setTimeout(() => resolve(new Error('timeout')), timeout);
    const settle = (error: Error | undefined): void => {
      clearTimeout(timer);
      resolve(error);
    };
    socket.once('secureConnect', () => settle(undefined));
    socket.once('error', settle);
    socket.once('close', () => settle(new Error('closed')));
  });
  if (failure !== undefined) {
    raw.destroy();
    return { kind: 'failed', tls: { handshake: 'failed', ...describeFailure(failure, reset) } };
  }
  const subject = renderSubject(socket.getPeerCertificate().subject);
  return {
    kind: 'up',
    channel,
    tls: {
      handshake: 'ok',
      version: socket.getProtocol() ?? '',
      ...(typeof socket.alpnProtocol === 'string' ? { alpn: socket.alpnProtocol } : {}),
      cipher: socket.getCipher().standardName,
      ...(subject === undefined ? {} : { serverCert: subject }),
    },
  };
}

// The common name; a certificate without one (of the mesh) by all that its subject says.
function renderSubject(subject: object | undefined): string | undefined {
  if (subject === undefined) return undefined;
  const parts: [string, unknown][] = Object.entries(subject);
  const commonName = parts.find(([name]) => name === 'CN')?.[1];
  return commonName === undefined
    ? parts.map(([name, value]) => `${name}=${String(value)}`).join(',')
    : String(commonName);
}

// What Python offers by itself: nothing with SHA-1, so nothing that a server below TLS 1.2 could pick.
const RECORDER_CIPHERS = 'ECDH+AESGCM:ECDH+CHACHA20:ECDH+AES:DHE+AES:!aNULL:!eNULL:!aDSS:!SHA1:!AESCCM';

function tlsOptions(spec: TlsSpec): tls.ConnectionOptions {
  const max = spec.max ?? '1.3';
  const min = spec.min ?? (max < '1.2' ? '1.0' : '1.2');
  // Node gives up TLS 1.3 where the list names none of its suites, and refuses TLS 1.0 above security level 0.
  const suites = 'TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256:TLS_AES_128_GCM_SHA256';
  const ciphers = spec.ciphers ?? (min < '1.2' ? tls.DEFAULT_CIPHERS : RECORDER_CIPHERS);
  const isAddress = spec.sni !== undefined && net.isIP(spec.sni) !== 0;
  return {
    // Clients send no name for an address (RFC 6066 §3).
    ...(spec.sni === undefined || isAddress ? {} : { servername: spec.sni }),
    ...(spec.alpn === undefined || spec.alpn.length === 0 ? {} : { ALPNProtocols: [...spec.alpn] }),
    ...(spec.cert === undefined
      ? {}
      : { cert: readCertificate(`${spec.cert}.pem`), key: readCertificate(`${spec.cert}.key`) }),
    minVersion: toNodeVersion(min),
    maxVersion: toNodeVersion(max),
    ciphers: `${suites}:${ciphers}:@SECLEVEL=0`,
    rejectUnauthorized: false,
    checkServerIdentity: () => undefined,
  };
}

function toNodeVersion(version: string): tls.SecureVersion {
  return (version === '1.0' ? 'TLSv1' : `TLSv${version}`) as tls.SecureVersion;
}

function describeFailure(error: NodeJS.ErrnoException, reset: boolean): Ending & { readonly error?: string } {
  const reason = opensslReason(error);
  if (reason !== undefined) {
    const alert = alertName(reason);
    return alert === undefined ? { error: reason } : { alert };
  }
  if (error.message === 'timeout') return {};
  if (reset || error.code === 'EPIPE') return { closed: 'reset' };
  return { closed: 'eof' };
}

/** Bytes in and out of an open connection. */
export class Channel {
  ending: Ending | undefined = undefined;
  private readonly socket: net.Socket;
  private readonly raw: net.Socket;
  private readonly chunks: Buffer[] = [];
  private length = 0;
  private wake: (() => void) | undefined = undefined;

  constructor(socket: net.Socket, raw: net.Socket) {
    this.socket = socket;
    this.raw = raw;
    socket.on('data', (chunk: Buffer) => {
      this.chunks.push(chunk);
      this.length += chunk.length;
      this.wake?.();
    });
    socket.on('error', (error: NodeJS.ErrnoException) => {
      const reason = opensslReason(error);
      const alert = reason === undefined ? undefined : alertName(reason);
      this.end(alert === undefined ? { closed: 'reset' } : { alert });
    });
    socket.on('end', () => this.end({ closed: 'eof' }));
    socket.on('close', () => this.end({ closed: 'eof' }));
    if (raw !== socket) raw.on('error', () => this.end({ closed: 'reset' }));
  }

  /** Everything that came and was not taken. */
  get received(): Buffer {
    if (this.chunks.length > 1) this.chunks.splice(0, this.chunks.length, Buffer.concat(this.chunks));
    return this.chunks[0] ?? Buffer.alloc(0);
  }

  get receivedLength(): number {
    return this.length;
  }

  take(count: number): Buffer {
    const all = this.received;
    const rest = all.subarray(count);
    this.chunks.splice(0, this.chunks.length, ...(rest.length === 0 ? [] : [rest]));
    this.length = rest.length;
    return all.subarray(0, count);
  }

  write(data: string | Buffer): void {
    if (this.ending !== undefined || !this.socket.writable) return;
    if (typeof data === 'string') this.socket.write(data, 'latin1');
    else this.socket.write(data);
  }

  /** Resolves true once `condition` holds, false when the channel has ended without it or the time is up. */
  async until(condition: () => boolean, deadline: number): Promise<boolean> {
    for (;;) {
      if (condition()) return true;
      const left = deadline - performance.now();
      if (this.ending !== undefined || left <= 0) return false;
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, left);
        this.wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
      this.wake = undefined;
    }
  }

  close(): void {
    this.socket.destroy();
    this.raw.destroy();
  }

  private end(ending: Ending): void {
    // An alert says more than the close that follows it; of closes the first counts.
    if (this.ending === undefined || (ending.alert !== undefined && this.ending.alert === undefined))
      this.ending = ending;
    this.wake?.();
  }
}

function ignore(): void {}
