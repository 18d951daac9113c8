// The stand-in for a service that is nowhere: HTTP/1.1 and HTTP/2 by prior knowledge on one port; TLS is ended with a
// certificate made on the spot; anything else is echoed as it is. `postern run` lets it answer every request with JSON of
// what it received, so that any configuration can be tried with nothing else running.
import type net from 'node:net';
import tls from 'node:tls';
import { createDevelopmentCa, issueCertificate } from '../certs/development-ca.js';
import type { KeyPair } from '../certs/key-pair.js';
import type { HttpRequest, Received, ReceivedTls, Reply, RequestHandler } from './received.js';
import { describeTls, httpConnections, listenForConnections } from './socket-server.js';

/** Where to listen and what to say. */
export interface StubOptions {
  /** What the stub calls itself: the name of the cluster it stands for. */
  readonly name: string;
  /** Default 127.0.0.1. */
  readonly host?: string;
  /** Default: JSON of what came. */
  readonly answer?: RequestHandler;
  /**
   * Told of each request when its body is complete, and of each connection that is no HTTP when its first bytes are
   * there; `peerPort` is the port that it came from. Behind TLS the client is asked for a certificate then.
   */
  readonly onReceived?: (received: Received, peerPort: number) => void;
}

/** A listening stub. */
export interface EchoStub {
  readonly name: string;
  /** `127.0.0.1:41234`. */
  readonly address: string;
  close(): Promise<void>;
}

/**
 * Starts a stub on a port of the operating system.
 *
 *     const stub = await startEchoStub({ name: 'outbound|80||web.shop.svc.cluster.local' });
 *     (await (await fetch(`http://${stub.address}/cart`)).json()).stub; // the name
 *     await stub.close();
 */
export async function startEchoStub(options: StubOptions): Promise<EchoStub> {
  const { name, onReceived } = options;
  const answer = options.answer ?? ((request: HttpRequest, reply: Reply): void => echo(name, request, reply));
  const certificates = new StubCertificates();
  const serve = (socket: net.Socket, raw: net.Socket, seen: ReceivedTls | undefined): void => {
    const peerPort = raw.remotePort ?? -1;
    const record = (received: Received): void => onReceived?.(received, peerPort);
    const behindTls = seen === undefined ? {} : { tls: seen };
    const http = httpConnections(() => (request, reply) => {
      record({ kind: 'http', server: name, ...request, ...behindTls });
      answer(request, reply);
    });
    if (seen?.alpn === 'h2') {
      http(socket, raw, seen);
      return;
    }
    socket.once('data', (first: Buffer) => {
      socket.pause();
      socket.unshift(first);
      if (seen === undefined && first[0] === TLS_HANDSHAKE) {
        acceptTls(raw, certificates, onReceived !== undefined, serve);
        return;
      }
      if (looksLikeHttp(first)) {
        http(socket, raw, seen);
      } else {
        const received: Extract<Received, { kind: 'tcp' }> = { kind: 'tcp', server: name, bytes: '', ...behindTls };
        record(received);
        socket.on('data', (chunk: Buffer) => {
          received.bytes += chunk.toString('latin1');
          socket.write(chunk);
        });
        socket.on('end', () => socket.end());
      }
      // What was put back comes again, as 'data', to whoever took over.
      socket.resume();
    });
  };
  const server = await listenForConnections({ host: options.host ?? '127.0.0.1' }, serve);
  return { name, address: `${server.host}:${server.port}`, close: () => server.close() };
}

const TLS_HANDSHAKE = 0x16;

// Behind a passthrough listener the client's own TLS arrives here: the stub ends it with a certificate for whatever
// name was asked for, and agrees to whatever protocol was offered (a sidecar's `istio` included).
function acceptTls(
  raw: net.Socket,
  certificates: StubCertificates,
  asksForCertificate: boolean,
  serve: (socket: net.Socket, raw: net.Socket, seen: ReceivedTls) => void,
): void {
  const server = tls.createServer({
    SNICallback: (name, done) => {
      certificates.contextFor(name).then(
        (context) => done(null, context),
        (error: Error) => done(error),
      );
    },
    ALPNCallback: ({ protocols }) => PREFERRED.find((name) => protocols.includes(name)) ?? protocols[0],
    requestCert: asksForCertificate,
    rejectUnauthorized: false,
  });
  server.on('tlsClientError', () => {});
  server.on('secureConnection', (socket) => {
    socket.on('error', () => {});
    serve(socket, raw, describeTls(socket));
  });
  // A client without SNI never calls SNICallback, so it needs a context of its own.
  certificates.contextFor('stub.invalid').then(
    (context) => {
      server.setSecureContext(context.options);
      server.emit('connection', raw);
    },
    () => raw.destroy(),
  );
}

const PREFERRED: readonly string[] = ['h2', 'http/1.1'];

interface StubContext extends tls.SecureContext {
  readonly options: { readonly key: string; readonly cert: string };
}

/** Certificates by name, of an authority that lives as long as the stub. */
class StubCertificates {
  private readonly contexts = new Map<string, Promise<StubContext>>();
  private authority: Promise<KeyPair> | undefined = undefined;

  contextFor(name: string): Promise<StubContext> {
    let context = this.contexts.get(name);
    if (context === undefined) {
      context = this.make(name);
      this.contexts.set(name, context);
    }
    return context;
  }

  private async make(name: string): Promise<StubContext> {
    this.authority ??= createDevelopmentCa('postern echo stub');
    const pair = await issueCertificate(await this.authority, { commonName: name, dnsNames: [name], usage: 'server' });
    const options = { key: pair.privateKey, cert: pair.certificate };
    return Object.assign(tls.createSecureContext(options), { options });
  }
}

// A request line begins with a token and a blank; the preface of HTTP/2 does too.
function looksLikeHttp(first: Buffer): boolean {
  return /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+ /.test(first.toString('latin1', 0, 64));
}

function echo(name: string, request: HttpRequest, reply: Reply): void {
  const seen = {
    stub: name,
    protocol: request.protocol,
    method: request.method,
    path: request.path,
    ...(request.authority === undefined ? {} : { authority: request.authority, scheme: request.scheme }),
    headers: request.headers,
    body: Buffer.from(request.body, 'latin1').toString(),
  };
  reply.respond({
    status: 200,
    headers: [['content-type', 'application/json']],
    body: Buffer.from(`${JSON.stringify(seen, undefined, 2)}\n`),
  });
}
