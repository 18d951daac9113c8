// An upstream that answers predictably, misbehaves on demand and records what it saw. The golden replay puts it where
// the recordings had theirs; contracts and tests use it likewise.
import { type Behaviour, type Mishap, parseBehaviour } from './behaviour.js';
import {
  type HeaderList,
  type HttpRequest,
  headerValue,
  type Received,
  type Reply,
  type RequestHandler,
} from './received.js';
import {
  type ConnectionHandler,
  httpConnections,
  listenForConnections,
  type TlsServerOptions,
} from './socket-server.js';

/** Where to listen and how to behave. */
export interface UpstreamOptions {
  /** Says who answered: body `NAME\n`, header `x-served-by`, prefix of echoed bytes. */
  readonly name: string;
  /**
   * `http` (default) speaks HTTP/1.1, and HTTP/2 by prior knowledge, on one port; `https` the same behind TLS; `tcp` and
   * `tls` echo what they read as `NAME:` and the same bytes.
   */
  readonly protocol?: 'http' | 'https' | 'tcp' | 'tls';
  /** Needed for `https` and `tls`. */
  readonly tls?: TlsServerOptions;
  /** `tcp`, `tls`: sent as soon as the connection is up (Latin-1). */
  readonly banner?: string;
  /** As if each request had this `x-up` header too; see parseBehaviour. */
  readonly behaviour?: string;
  /** Default 127.0.0.1. */
  readonly host?: string;
  /** Default 0: any. */
  readonly port?: number;
  /** Called with each record as it begins. */
  readonly onReceived?: (received: Received) => void;
}

/** A listening upstream that keeps what it received. */
export interface Upstream {
  readonly name: string;
  /** `127.0.0.1:41234`. */
  readonly address: string;
  readonly host: string;
  readonly port: number;
  /** In order of arrival: requests when their body is complete, connections when they are up. */
  readonly received: readonly Received[];
  close(): Promise<void>;
}

/**
 * Starts an upstream on a port of the operating system.
 *
 *     const upstream = await startUpstream({ name: 'web' });
 *     await fetch(`http://${upstream.address}/cart`, { headers: { 'x-up': 'status=503' } });
 *     upstream.received[0]; // { kind: 'http', server: 'web', protocol: 'HTTP/1.1', method: 'GET', path: '/cart', … }
 *     await upstream.close();
 */
export async function startUpstream(options: UpstreamOptions): Promise<Upstream> {
  const protocol = options.protocol ?? 'http';
  if ((protocol === 'https' || protocol === 'tls') && options.tls === undefined) {
    throw new TypeError(`upstream ${options.name} needs a certificate`);
  }
  const received: Received[] = [];
  const record = (entry: Received): void => {
    received.push(entry);
    options.onReceived?.(entry);
  };
  const answers = new Answers(options, record);
  const server = await listenForConnections(
    {
      ...(options.host === undefined ? {} : { host: options.host }),
      ...(options.port === undefined ? {} : { port: options.port }),
      ...(protocol === 'https' || protocol === 'tls' ? { tls: options.tls as TlsServerOptions } : {}),
    },
    protocol === 'http' || protocol === 'https' ? httpConnections(answers.handler) : echoConnections(options, record),
  );
  return {
    name: options.name,
    host: server.host,
    port: server.port,
    address: `${server.host}:${server.port}`,
    received,
    close: () => {
      answers.stop();
      return server.close();
    },
  };
}

function echoConnections(options: UpstreamOptions, record: (entry: Received) => void): ConnectionHandler {
  const prefix = Buffer.from(`${options.name}:`, 'latin1');
  return (socket, _raw, seen) => {
    const entry: Received = {
      kind: 'tcp',
      server: options.name,
      bytes: '',
      ...(seen === undefined ? {} : { tls: seen }),
    };
    record(entry);
    socket.on('error', () => {});
    socket.on('data', (chunk: Buffer) => {
      entry.bytes += chunk.toString('latin1');
      socket.write(Buffer.concat([prefix, chunk]));
    });
    socket.on('end', () => socket.end());
    if (options.banner !== undefined) socket.write(options.banner, 'latin1');
  };
}

class Answers {
  private readonly options: UpstreamOptions;
  private readonly record: (entry: Received) => void;
  /** Tries so far, by request identifier. */
  private readonly tries = new Map<string, number>();
  private readonly timers = new Set<NodeJS.Timeout>();

  constructor(options: UpstreamOptions, record: (entry: Received) => void) {
    this.options = options;
    this.record = record;
  }

  readonly handler: Parameters<typeof httpConnections>[0] =
    (seen): RequestHandler =>
    (request, reply) => {
      const server = this.options.name;
      this.record({ kind: 'http', server, ...request, ...(seen === undefined ? {} : { tls: seen }) });
      const asked = headerValue(request.headers, 'x-up');
      const behaviour = parseBehaviour([this.options.behaviour ?? '', asked].filter((text) => text !== '').join(';'));
      if (behaviour.delay === 0) {
        this.answer(request, reply, behaviour);
        return;
      }
      const timer = setTimeout(() => {
        this.timers.delete(timer);
        this.answer(request, reply, behaviour);
      }, behaviour.delay);
      this.timers.add(timer);
    };

  stop(): void {
    for (const timer of this.timers) clearTimeout(timer);
  }

  private answer(request: HttpRequest, reply: Reply, behaviour: Behaviour): void {
    const failure = this.failure(request, behaviour);
    const mishap = failure?.mishap ?? behaviour.mishap;
    if (mishap !== undefined) {
      this.fail(mishap, behaviour.resetCode, reply);
      return;
    }
    const status = failure?.status ?? behaviour.status;
    if (status === undefined && this.upgrade(request, reply)) return;
    if (behaviour.early) reply.informational(103, [['link', '</a.css>; rel=preload']]);
    if (request.protocol === 'HTTP/2' && headerValue(request.headers, 'content-type').startsWith('application/grpc')) {
      this.answerGrpc(request, reply, behaviour, status ?? 200);
      return;
    }
    const body = behaviour.size === undefined ? `${this.options.name}\n` : 'x'.repeat(behaviour.size);
    reply.respond({
      status: status ?? 200,
      headers: this.headers('text/plain', behaviour.headers),
      body: Buffer.from(body, 'latin1'),
      chunked: behaviour.chunked,
      ...(behaviour.trailers ? { trailers: [['x-trail', '1']] as HeaderList } : {}),
      abort: behaviour.abort,
      closeAfter: behaviour.closeAfter,
    });
  }

  private answerGrpc(request: HttpRequest, reply: Reply, behaviour: Behaviour, status: number): void {
    const headers = this.headers('application/grpc', behaviour.headers);
    if (behaviour.grpcStatus !== undefined) {
      const failed: HeaderList = [
        ['grpc-status', String(behaviour.grpcStatus)],
        ['grpc-message', 'no'],
      ];
      reply.respond({ status, headers: [...headers, ...failed], body: Buffer.alloc(0) });
      return;
    }
    reply.respond({ status, headers, body: Buffer.from(request.body, 'latin1'), trailers: [['grpc-status', '0']] });
  }

  private headers(contentType: string, more: HeaderList): HeaderList {
    return [['content-type', contentType], ['x-served-by', this.options.name], ...more];
  }

  private upgrade(request: HttpRequest, reply: Reply): boolean {
    const wanted = headerValue(request.headers, 'upgrade');
    if (wanted === '' || request.protocol !== 'HTTP/1.1') return false;
    const headers: HeaderList = [
      ['upgrade', wanted],
      ['connection', 'Upgrade'],
      ['x-served-by', this.options.name],
    ];
    let entry: Extract<Received, { kind: 'upgraded' }> | undefined;
    return reply.upgrade(headers, (chunk) => {
      if (entry === undefined) {
        entry = { kind: 'upgraded', server: this.options.name, bytes: '' };
        this.record(entry);
      }
      entry.bytes += chunk.toString('latin1');
    });
  }

  private failure(request: HttpRequest, behaviour: Behaviour): Behaviour['failures'] {
    if (behaviour.failures === undefined) return undefined;
    const id = headerValue(request.headers, 'x-request-id');
    const tries = (this.tries.get(id) ?? 0) + 1;
    this.tries.set(id, tries);
    return tries <= behaviour.failures.count ? behaviour.failures : undefined;
  }

  private fail(mishap: Mishap, resetCode: number | undefined, reply: Reply): void {
    if (mishap === 'close') reply.close();
    else if (mishap === 'reset') reply.reset(resetCode);
    else if (mishap === 'garbage') reply.garbage();
  }
}
