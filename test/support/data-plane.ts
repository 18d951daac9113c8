// A data plane over a hand-made snapshot: real sockets on loopback, ports of the system, a manual clock for timers where a
// test wants one, and an HTTP side that answers every connection with one line.
import { readFileSync } from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import type { DownstreamConnection, HttpServer, RunningSnapshot } from '../../src/dataplane/downstream-connection.js';
import type { Environment } from '../../src/dataplane/environment.js';
import { type ApplyReport, ListenerManager } from '../../src/dataplane/listener/listener-manager.js';
import type { StreamInfo } from '../../src/dataplane/telemetry/stream-info.js';
import { createClusterManager } from '../../src/dataplane/upstream/clusters.js';
import { buildSnapshotIndex } from '../../src/decide/snapshot-index.js';
import type { Cluster, Endpoint, FilterChain, Listener, Secret, Snapshot } from '../../src/xds/index.js';
import {
  HTTP_CONNECTION_MANAGER,
  PROXY_PROTOCOL,
  TCP_PROXY,
  TLS_INSPECTOR,
  TLS_TRANSPORT_SOCKET,
} from '../../src/xds/index.js';

const CERTS = path.resolve('test/golden/cases/certs');

/** PEM text of the recordings' test material: `pem('client.key')`. */
export function pem(name: string): string {
  return readFileSync(path.join(CERTS, name), 'utf8');
}

export function tlsSecret(name: string): Secret {
  return { kind: 'tls_certificate', certificateChain: pem(`${name}.pem`), privateKey: pem(`${name}.key`) };
}

export interface ChainOptions {
  readonly names?: readonly string[];
  readonly alpn?: readonly string[];
  /** SDS names of certificates; absent = no TLS here. */
  readonly certificates?: readonly string[];
  readonly ca?: string;
  readonly requireClientCertificate?: boolean;
  readonly validation?: NonNullable<
    NonNullable<FilterChain['transport_socket']>['typed_config']['common_tls_context']['combined_validation_context']
  >['default_validation_context'];
  readonly params?: NonNullable<FilterChain['transport_socket']>['typed_config']['common_tls_context']['tls_params'];
  /** TCP proxy to that cluster; absent = HTTP. */
  readonly cluster?: string;
  readonly idleTimeout?: string;
  readonly maxDuration?: string;
}

export function chain(options: ChainOptions): FilterChain {
  const { names, alpn, certificates, ca, cluster } = options;
  return {
    label: `test/${names?.join(',') ?? '*'}`,
    ...(names === undefined && alpn === undefined
      ? {}
      : {
          filter_chain_match: {
            ...(names === undefined ? {} : { server_names: names }),
            ...(alpn === undefined ? {} : { application_protocols: alpn }),
          },
        }),
    filters: [
      cluster === undefined
        ? {
            name: HTTP_CONNECTION_MANAGER,
            typed_config: {
              rds: { config_source: 'ads', route_config_name: 'none' },
              http_filters: [],
              http_protocol_options: {},
              use_remote_address: true,
              forward_client_cert_details: 'SANITIZE_SET',
              upgrade_configs: [],
              normalize_path: true,
              path_with_escaped_slashes_action: 'KEEP_UNCHANGED',
            },
          }
        : {
            name: TCP_PROXY,
            typed_config: {
              cluster,
              ...(options.idleTimeout === undefined ? {} : { idle_timeout: options.idleTimeout }),
              ...(options.maxDuration === undefined ? {} : { max_downstream_connection_duration: options.maxDuration }),
            },
          },
    ],
    ...(certificates === undefined
      ? {}
      : {
          transport_socket_connect_timeout: '15s',
          transport_socket: {
            name: TLS_TRANSPORT_SOCKET,
            typed_config: {
              require_client_certificate: options.requireClientCertificate ?? ca !== undefined,
              common_tls_context: {
                alpn_protocols: ['h2', 'http/1.1'],
                tls_certificate_sds_secret_configs: certificates.map((name) => ({ name, sds_config: 'ads' as const })),
                ...(options.params === undefined ? {} : { tls_params: options.params }),
                ...(ca === undefined
                  ? {}
                  : {
                      combined_validation_context: {
                        default_validation_context: options.validation ?? {},
                        validation_context_sds_secret_config: { name: ca, sds_config: 'ads' as const },
                      },
                    }),
              },
            },
          },
        }),
  };
}

export function listener(
  port: number,
  chains: readonly FilterChain[],
  options: { address?: string; proxyProtocol?: boolean } = {},
): Listener {
  const address = options.address ?? '0.0.0.0';
  const inspects = chains.some((one) => one.transport_socket !== undefined || one.filter_chain_match !== undefined);
  return {
    name: `${address}_${port}`,
    address: { socket_address: { address, port_value: port } },
    filter_chains: chains,
    listener_filters: [
      ...(options.proxyProtocol === true ? [{ name: PROXY_PROTOCOL, typed_config: {} } as const] : []),
      ...(inspects ? [{ name: TLS_INSPECTOR, typed_config: {} } as const] : []),
    ],
  };
}

export function cluster(name: string, changes: Partial<Cluster> = {}): Cluster {
  return { name, type: 'EDS', connect_timeout: '10s', lb_policy: 'ROUND_ROBIN', ...changes };
}

export function endpoint(port: number, address = '127.0.0.1'): Endpoint {
  return { address: `${address}:${port}`, weight: 1, locality: {}, priority: 0, health: 'HEALTHY' };
}

export interface SnapshotParts {
  readonly listeners: readonly Listener[];
  readonly clusters?: Readonly<Record<string, readonly Endpoint[]>>;
  readonly clusterConfigs?: readonly Cluster[];
  readonly secrets?: Readonly<Record<string, Secret>>;
}

export function snapshot(parts: SnapshotParts): Snapshot {
  const endpoints = parts.clusters ?? {};
  return {
    listeners: parts.listeners.map((one) => ({ name: one.name, state: 'active', listener: one })),
    routes: [],
    clusters: parts.clusterConfigs ?? Object.keys(endpoints).map((name) => cluster(name)),
    endpoints,
    secrets: parts.secrets ?? {},
    accessLog: {},
    node: { ipAddress: '127.0.0.2' },
  };
}

/** Timers that only run when a test says so; the clock follows. */
export class ManualTime {
  private clock = 1_700_000_000_000;
  private timers: { at: number; run: () => void }[] = [];

  now(): number {
    return this.clock;
  }

  setTimer(milliseconds: number, run: () => void): { cancel(): void } {
    const timer = { at: this.clock + milliseconds, run };
    this.timers.push(timer);
    return {
      cancel: () => {
        this.timers = this.timers.filter((other) => other !== timer);
      },
    };
  }

  advance(milliseconds: number): void {
    this.clock += milliseconds;
    for (let due = this.due(); due !== undefined; due = this.due()) {
      this.timers = this.timers.filter((other) => other !== due);
      due.run();
    }
  }

  private due(): { at: number; run: () => void } | undefined {
    return this.timers.filter(({ at }) => at <= this.clock).sort((a, b) => a.at - b.at)[0];
  }
}

export function loopbackEnvironment(time?: ManualTime): Environment {
  return {
    now: time === undefined ? () => performance.timeOrigin + performance.now() : () => time.now(),
    random: Math.random,
    uuid: () => '00000000-0000-4000-8000-000000000000',
    setTimer:
      time === undefined
        ? (milliseconds, run) => {
            const timer = setTimeout(run, milliseconds);
            timer.unref();
            return { cancel: () => clearTimeout(timer) };
          }
        : (milliseconds, run) => time.setTimer(milliseconds, run),
    listen: (server, address) =>
      new Promise((resolve, reject) => {
        server.once('error', reject);
        const done = (): void => {
          server.off('error', reject);
          const bound = server.address();
          if (bound === null || typeof bound === 'string') resolve({ address: bound ?? '', port: 0 });
          else resolve({ address: bound.address, port: bound.port });
        };
        if (address.path !== undefined) server.listen({ path: address.path }, done);
        else server.listen({ host: '127.0.0.1', port: 0 }, done);
      }),
    connect: (address, port, options) => net.connect({ ...options, host: address, port, autoSelectFamily: false }),
    lookup: async () => [],
  };
}

/** Answers each connection's first bytes and closes; keeps what was accepted. */
export class OneLineHttp implements HttpServer {
  readonly accepted: DownstreamConnection[] = [];

  accept(connection: DownstreamConnection): void {
    this.accepted.push(connection);
    const { socket } = connection;
    socket.on('error', () => {});
    socket.once('data', () => {
      const body = `${connection.chain.label} ${connection.tls?.peerCertificate?.subject ?? '-'}\n`;
      socket.write(`HTTP/1.1 200 OK\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`);
    });
    socket.once('end', () => socket.end());
    socket.resume();
  }

  closeAll(): void {}
}

export interface DataPlane {
  readonly manager: ListenerManager;
  readonly http: OneLineHttp;
  readonly log: StreamInfo[];
  running: RunningSnapshot;
  /** Port of the system for a listener's name. */
  port(name?: string): number;
  reload(next: Snapshot): Promise<ApplyReport>;
  close(): Promise<void>;
}

export async function startDataPlane(
  first: Snapshot,
  environment: Environment = loopbackEnvironment(),
): Promise<DataPlane> {
  const log: StreamInfo[] = [];
  const http = new OneLineHttp();
  const build = (next: Snapshot, previous?: RunningSnapshot): RunningSnapshot => ({
    snapshot: next,
    index: buildSnapshotIndex(next),
    clusters: createClusterManager(next, environment, previous?.clusters),
  });
  const context = {
    environment,
    current: () => plane.running,
    observer: { finished: (info: StreamInfo) => void log.push(info) },
  };
  const manager = new ListenerManager(context, http);
  const plane: DataPlane = {
    manager,
    http,
    log,
    running: build(first),
    port: (name) => {
      const bound = name === undefined ? manager.bound[0] : manager.bound.find((one) => one.name === name);
      if (bound === undefined) throw new Error(`nothing is bound for ${name}`);
      return bound.boundPort;
    },
    reload: async (next) => {
      const previous = plane.running;
      const running = build(next, previous);
      const report = await manager.apply(running, () => {
        plane.running = running;
      });
      if (report.failed.length === 0) previous.clusters.close();
      else running.clusters.close();
      return report;
    },
    close: async () => {
      await manager.close();
      plane.running.clusters.close();
    },
  };
  const report = await manager.apply(plane.running);
  if (report.failed.length > 0) throw new Error(`cannot bind: ${report.failed[0]?.code}`);
  return plane;
}

/** A TCP upstream that records every connection: bytes, and how it ended. */
export interface Recorder {
  readonly port: number;
  readonly connections: { bytes: Buffer; ended: boolean }[];
  close(): Promise<void>;
}

export async function startRecorder(serve: (socket: net.Socket) => void = echo): Promise<Recorder> {
  const connections: { bytes: Buffer; ended: boolean }[] = [];
  const sockets = new Set<net.Socket>();
  const server = net.createServer({ allowHalfOpen: true }, (socket) => {
    const record = { bytes: Buffer.alloc(0), ended: false };
    connections.push(record);
    sockets.add(socket);
    socket.on('error', () => {});
    socket.on('data', (chunk) => {
      // A long transfer is counted by the server under test, not kept.
      if (record.bytes.length < 1 << 20) record.bytes = Buffer.concat([record.bytes, chunk]);
    });
    socket.once('end', () => {
      record.ended = true;
    });
    socket.once('close', () => sockets.delete(socket));
    serve(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as net.AddressInfo).port,
    connections,
    close: () =>
      new Promise((resolve) => {
        for (const socket of sockets) socket.destroy();
        server.close(() => resolve());
      }),
  };
}

function echo(socket: net.Socket): void {
  socket.on('data', (chunk) => {
    if (!socket.write(chunk)) socket.pause();
  });
  socket.on('drain', () => socket.resume());
  socket.once('end', () => socket.end());
}

/** What a raw TCP client saw. */
export interface RawOutcome {
  readonly received: Buffer;
  readonly closed: 'fin' | 'reset' | 'open';
}

/** Sends chunks (each in its own segment where `delay` turns pass), then listens until closed or `wait` milliseconds are over. */
export function rawCall(port: number, chunks: readonly (Buffer | string)[], wait = 400): Promise<RawOutcome> {
  return new Promise((resolve) => {
    const socket = net.connect({ port, host: '127.0.0.1', noDelay: true, allowHalfOpen: true });
    const received: Buffer[] = [];
    let settled = false;
    const settle = (closed: RawOutcome['closed']): void => {
      if (settled) return;
      settled = true;
      clearTimeout(timer);
      socket.destroy();
      resolve({ received: Buffer.concat(received), closed });
    };
    const timer = setTimeout(() => settle('open'), wait);
    socket.on('data', (chunk) => received.push(chunk));
    socket.on('end', () => settle('fin'));
    socket.on('error', () => settle('reset'));
    socket.on('close', () => settle('fin'));
    socket.once('connect', () => {
      let index = 0;
      const next = (): void => {
        const chunk = chunks[index++];
        if (chunk === undefined || settled) return;
        socket.write(chunk, () => setImmediate(next));
      };
      next();
    });
  });
}

/** Waits for something that other turns of the event loop bring about; fails after two seconds. */
export async function until(condition: () => boolean, what: string): Promise<void> {
  const end = performance.now() + 2000;
  while (!condition()) {
    if (performance.now() > end) throw new Error(`timed out: ${what}`);
    await new Promise<void>((resolve) => setImmediate(resolve));
  }
}
