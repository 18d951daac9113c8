// An HTTP server of the data plane on a loopback port: real codecs, router and upstream clients over a small snapshot and
// clusters without load balancing. Raw sockets as clients, so that every byte is visible.
import net from 'node:net';
import type { DataPlaneContext, RunningSnapshot } from '../../src/dataplane/downstream-connection.js';
import type { Environment } from '../../src/dataplane/environment.js';
import { createHttpServer } from '../../src/dataplane/http-connection-manager/http-server.js';
import type { StreamInfo } from '../../src/dataplane/telemetry/stream-info.js';
import type { CircuitBreaker, Host, UpstreamCluster } from '../../src/dataplane/upstream/cluster-manager.js';
import { buildSnapshotIndex } from '../../src/decide/snapshot-index.js';
import type { Cluster, HttpConnectionManager, Route, Snapshot } from '../../src/xds/index.js';
import { connectionManager } from './connection-manager.js';

export interface TestCluster {
  readonly name: string;
  /** Ports on 127.0.0.1, tried in turn. */
  readonly ports: readonly number[];
  readonly protocol?: 'http1' | 'http2' | 'downstream';
  readonly limits?: Partial<Record<'connection' | 'pending' | 'request' | 'retry', number>>;
  readonly config?: Partial<Cluster>;
  readonly connectTimeout?: number;
}

export interface TestGateway {
  readonly port: number;
  readonly environment: Environment;
  /** Finished streams, oldest first. */
  readonly log: StreamInfo[];
  /** Resolves when that many streams have finished. */
  logged(count: number): Promise<StreamInfo[]>;
  readonly clusters: ReadonlyMap<string, UpstreamCluster & { readonly connects: number }>;
  /** Connections from clients that are still open. */
  readonly open: Set<net.Socket>;
  drain(): void;
  close(): Promise<void>;
}

export const MANAGER: HttpConnectionManager = connectionManager({
  http_filters: [
    { name: 'envoy.filters.http.fault' },
    { name: 'envoy.filters.http.cors' },
    { name: 'envoy.filters.http.router' },
  ],
});

/** A route for everything under `prefix`. */
export function routeTo(cluster: string, more: Partial<NonNullable<Route['route']>> = {}, prefix = '/'): Route {
  return { match: { prefix }, route: { cluster, timeout: '0s', ...more } };
}

export async function startHttpGateway(options: {
  readonly routes: readonly Route[];
  readonly clusters: readonly TestCluster[];
  readonly manager?: Partial<HttpConnectionManager>;
  readonly environment?: Partial<Environment>;
}): Promise<TestGateway> {
  const environment: Environment = { ...realEnvironment(), ...options.environment };
  const snapshot: Snapshot = {
    listeners: [],
    routes: [
      {
        name: 'http.8080',
        validate_clusters: false,
        virtual_hosts: [
          { name: 'all', domains: ['*'], include_request_attempt_count: true, routes: options.routes },
          { name: 'none', domains: ['none.test'], routes: [] },
        ],
      },
    ],
    clusters: options.clusters.map((cluster) => ({ name: cluster.name, connect_timeout: '10s', ...cluster.config })),
    endpoints: {},
    secrets: {},
    accessLog: {},
    node: { ipAddress: '127.0.0.2' },
  };
  const clusters = new Map(options.clusters.map((cluster) => [cluster.name, buildCluster(cluster, environment)]));
  const running: RunningSnapshot = {
    snapshot,
    index: buildSnapshotIndex(snapshot),
    clusters: { get: (name) => clusters.get(name), close: () => {} },
  };
  const log: StreamInfo[] = [];
  const waiters: { count: number; done: (log: StreamInfo[]) => void }[] = [];
  const context: DataPlaneContext = {
    environment,
    current: () => running,
    observer: {
      finished: (info) => {
        log.push(info);
        for (const waiter of waiters) if (log.length >= waiter.count) waiter.done(log);
      },
    },
  };
  const http = createHttpServer(context);
  const manager = { ...MANAGER, ...options.manager };
  let draining = false;
  const drains: (() => void)[] = [];
  const open = new Set<net.Socket>();
  const server = net.createServer({ pauseOnConnect: true, allowHalfOpen: true }, (socket) => {
    open.add(socket);
    socket.on('close', () => open.delete(socket));
    http.accept({
      socket,
      facts: {
        listener: '0.0.0.0_8080',
        transportProtocol: 'raw_buffer',
        serverName: '',
        applicationProtocols: [],
        source: { address: socket.remoteAddress ?? '', port: socket.remotePort ?? 0 },
        destination: { address: '127.0.0.1', port: 8080 },
      },
      tls: undefined,
      chain: { label: 'test', filters: [] },
      manager,
      isDraining: () => draining,
      onDrain: (listener) => drains.push(listener),
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  return {
    port: typeof address === 'object' && address !== null ? address.port : 0,
    environment,
    log,
    logged: (count) =>
      new Promise((done) => {
        if (log.length >= count) done(log);
        else waiters.push({ count, done });
      }),
    clusters,
    open,
    drain: () => {
      draining = true;
      for (const listener of drains) listener();
    },
    close: async () => {
      http.closeAll();
      for (const socket of open) socket.destroy();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

export function realEnvironment(): Environment {
  let uuids = 0;
  return {
    now: () => performance.timeOrigin + performance.now(),
    random: Math.random,
    uuid: () => `00000000-0000-4000-8000-${String(++uuids).padStart(12, '0')}`,
    setTimer: (milliseconds, run) => {
      const timer = setTimeout(run, milliseconds);
      timer.unref();
      return { cancel: () => clearTimeout(timer) };
    },
    listen: () => Promise.reject(new Error('not here')),
    connect: (address, port, options) => net.connect({ ...options, host: address, port }),
    lookup: () => Promise.reject(new Error('not here')),
  };
}

function buildCluster(cluster: TestCluster, environment: Environment): UpstreamCluster & { connects: number } {
  const hosts: Host[] = cluster.ports.map((port) => ({
    endpoint: { address: `127.0.0.1:${port}`, weight: 1, locality: {}, priority: 0, health: 'HEALTHY' },
    address: `127.0.0.1:${port}`,
    activeRequests: 0,
    activeConnections: 0,
    ejected: false,
  }));
  let turn = 0;
  return {
    config: { name: cluster.name, connect_timeout: '10s', ...cluster.config },
    hosts,
    httpProtocol: cluster.protocol ?? 'http1',
    connects: 0,
    chooseHost({ exclude = [] }) {
      const fresh = hosts.filter((host) => !exclude.includes(host));
      const pool = fresh.length > 0 ? fresh : hosts;
      return pool[turn++ % Math.max(1, pool.length)];
    },
    connect(host, options, callbacks) {
      this.connects++;
      const port = Number(host.address.split(':')[1]);
      const socket = environment.connect('127.0.0.1', port, {
        allowHalfOpen: true,
        noDelay: true,
        ...(options.onread ? { onread: options.onread } : {}),
      });
      const timer = environment.setTimer(cluster.connectTimeout ?? 10_000, () => {
        socket.destroy();
        callbacks.failed({ reason: 'connection_timeout', transportFailure: '' });
      });
      const failed = (error: Error): void => {
        timer.cancel();
        const text = /ECONNREFUSED/.test(error.message) ? 'delayed connect error: Connection refused' : error.message;
        callbacks.failed({ reason: 'remote_connection_failure', transportFailure: text });
      };
      socket.once('error', failed);
      socket.once('connect', () => {
        timer.cancel();
        socket.off('error', failed);
        callbacks.connected(socket, { alpn: '', localAddress: `127.0.0.1:${socket.localPort}` });
      });
      return {
        cancel: () => {
          timer.cancel();
          socket.off('error', failed);
          socket.on('error', () => {});
          socket.destroy();
        },
      };
    },
    circuit: new Breaker(cluster.limits ?? {}),
    report: () => {},
  };
}

export class Breaker implements CircuitBreaker {
  readonly held = { connection: 0, pending: 0, request: 0, retry: 0 };
  private readonly limits: Partial<Record<'connection' | 'pending' | 'request' | 'retry', number>>;

  constructor(limits: Partial<Record<'connection' | 'pending' | 'request' | 'retry', number>>) {
    this.limits = limits;
  }

  tryAcquire(resource: keyof Breaker['held']): boolean {
    if (this.held[resource] >= (this.limits[resource] ?? Number.POSITIVE_INFINITY)) return false;
    this.held[resource]++;
    return true;
  }

  release(resource: keyof Breaker['held']): void {
    this.held[resource]--;
    if (this.held[resource] < 0) throw new Error(`${resource} released too often`);
  }
}

/** A client that shows bytes as they come. */
export class RawClient {
  readonly socket: net.Socket;
  /** Everything received so far, latin1. */
  received = '';
  closed: 'no' | 'fin' | 'reset' = 'no';
  private readonly waiters = new Set<() => void>();

  constructor(port: number, options: { readonly allowHalfOpen?: boolean } = {}) {
    this.socket = net.connect({ port, host: '127.0.0.1', allowHalfOpen: options.allowHalfOpen ?? false });
    this.socket.setNoDelay(true);
    this.socket.on('data', (chunk: Buffer) => {
      this.received += chunk.toString('latin1');
      this.changed();
    });
    this.socket.on('end', () => {
      if (this.closed === 'no') this.closed = 'fin';
      this.changed();
    });
    this.socket.on('error', () => {
      this.closed = 'reset';
      this.changed();
    });
    this.socket.on('close', () => this.changed());
  }

  send(text: string): this {
    this.socket.write(text, 'latin1');
    return this;
  }

  /** Waits until the predicate holds for what has been received; rejects after five seconds. */
  until(predicate: (received: string) => boolean, what = 'bytes'): Promise<string> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(
        () =>
          reject(
            new Error(`no ${what}; received ${JSON.stringify(this.received.slice(0, 2000))}, closed ${this.closed}`),
          ),
        5000,
      );
      const check = (): void => {
        if (!predicate(this.received)) return;
        clearTimeout(timer);
        this.waiters.delete(check);
        resolve(this.received);
      };
      this.waiters.add(check);
      check();
    });
  }

  /** A whole response: head and the body that its framing announces (`bodyless` for HEAD). Consumes it. */
  async response(bodyless = false): Promise<RawResponse> {
    await this.until((text) => parseResponse(text, bodyless) !== undefined, 'response');
    const parsed = parseResponse(this.received, bodyless) as RawResponse & { size: number };
    this.received = this.received.slice(parsed.size);
    return parsed;
  }

  async end(): Promise<'fin' | 'reset'> {
    await this.until(() => this.closed !== 'no', 'end');
    return this.closed === 'reset' ? 'reset' : 'fin';
  }

  destroy(): void {
    this.socket.destroy();
  }

  private changed(): void {
    for (const waiter of [...this.waiters]) waiter();
  }
}

export interface RawResponse {
  readonly line: string;
  readonly status: number;
  /** `name: value` lines in order, date and ids as they are. */
  readonly headers: readonly string[];
  readonly body: string;
}

function parseResponse(text: string, bodyless: boolean): (RawResponse & { size: number }) | undefined {
  const end = text.indexOf('\r\n\r\n');
  if (end === -1) return undefined;
  const [line = '', ...headers] = text.slice(0, end).split('\r\n');
  const status = Number(line.split(' ')[1]);
  const value = (name: string): string | undefined =>
    headers.find((header) => header.toLowerCase().startsWith(`${name}: `))?.slice(name.length + 2);
  const start = end + 4;
  const result = (body: string, size: number): RawResponse & { size: number } => ({
    line,
    status,
    headers,
    body,
    size,
  });
  if (bodyless || status < 200 || status === 304) return result('', start);
  const length = value('content-length');
  if (length !== undefined) {
    const size = start + Number(length);
    return text.length < size ? undefined : result(text.slice(start, size), size);
  }
  if (value('transfer-encoding') === 'chunked') {
    let body = '';
    for (let at = start; ; ) {
      const lineEnd = text.indexOf('\r\n', at);
      if (lineEnd === -1) return undefined;
      const size = Number.parseInt(text.slice(at, lineEnd), 16);
      if (text.length < lineEnd + 2 + size + 2) return undefined;
      body += text.slice(lineEnd + 2, lineEnd + 2 + size);
      at = lineEnd + 2 + size + 2;
      if (size === 0) return result(body, at);
    }
  }
  return result('', start);
}

export interface RawUpstream {
  readonly port: number;
  /** Everything received on each connection, latin1. */
  readonly connections: { received: string; readonly socket: net.Socket }[];
  close(): Promise<void>;
}

/**
 * An upstream that is a script: `answer` is called with each request head (up to the empty line) that arrives and the
 * connection it came on, and writes what it likes.
 */
export async function startRawUpstream(
  answer: (socket: net.Socket, head: string, count: number) => void,
): Promise<RawUpstream> {
  const connections: RawUpstream['connections'] = [];
  let count = 0;
  const server = net.createServer({ allowHalfOpen: true }, (socket) => {
    const connection = { received: '', socket };
    connections.push(connection);
    let seen = 0;
    socket.on('error', () => {});
    socket.on('end', () => socket.end());
    socket.on('data', (chunk: Buffer) => {
      connection.received += chunk.toString('latin1');
      for (;;) {
        const version = connection.received.indexOf(' HTTP/1.1\r\n', seen);
        const end = version === -1 ? -1 : connection.received.indexOf('\r\n\r\n', version);
        if (end === -1) return;
        const head = connection.received.slice(seen, end + 4);
        seen = end + 4;
        answer(socket, head, ++count);
      }
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  return {
    port: typeof address === 'object' && address !== null ? address.port : 0,
    connections,
    close: async () => {
      for (const { socket } of connections) socket.destroy();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

/** A port of loopback on which nothing listens. */
export async function deadPort(): Promise<number> {
  const server = net.createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise<void>((resolve) => server.close(() => resolve()));
  return typeof address === 'object' && address !== null ? address.port : 0;
}
