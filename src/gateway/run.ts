// A running gateway: wires loading, translation and data plane together, and swaps snapshots. Reload builds the new
// before it touches the old: whatever fails leaves the running configuration as it was (P10).
import type { Source } from '../config/load.js';
import type { DataPlaneContext, RunningSnapshot } from '../dataplane/downstream-connection.js';
import type { Environment } from '../dataplane/environment.js';
import { createHttpServer } from '../dataplane/http-connection-manager/http-server.js';
import { type ApplyReport, ListenerManager } from '../dataplane/listener/listener-manager.js';
import type { StreamObserver } from '../dataplane/telemetry/stream-info.js';
import { Turns } from '../dataplane/turns.js';
import { createClusterManager, createClusterManagerInTurns } from '../dataplane/upstream/clusters.js';
import { noSecretArrives } from '../decide/chain-readiness.js';
import { buildSnapshotIndex, prepareVirtualHost } from '../decide/snapshot-index.js';
import type { Diagnostic } from '../diagnostics/diagnostic.js';
import { type StubOptions, startEchoStub } from '../stub/echo-stub.js';
import type { Snapshot } from '../xds/index.js';
import { type CompileOptions, ConfigError, type Configuration } from './compile.js';
import { Compiler } from './compiler.js';
import { DevelopmentCertificates } from './development-certificates.js';
import { createEnvironment } from './environment.js';
import { Stubs } from './stubs.js';

/** What to run and where; durations in milliseconds. */
export interface RunOptions extends CompileOptions {
  /** The configuration; a function is asked again at each reload. */
  readonly sources: readonly Source[] | (() => Promise<readonly Source[]>);
  /** Default: this machine, bound to `address` and `ports`. */
  readonly environment?: Environment;
  /** Changes this machine: seeds chance, keeps connections on loopback. */
  readonly adapt?: (machine: Environment) => Environment;
  /** Default 127.0.0.1. */
  readonly address?: string;
  /** Server port (the Service's or the container's) → port to bind; 0 = any. */
  readonly ports?: ReadonlyMap<number, number>;
  /** True: a port that `ports` does not name is bound to any free port. */
  readonly anyPort?: boolean;
  /** Told of every finished stream: access log and counters. */
  readonly observer?: StreamObserver;
  /** Echo stubs for services without endpoints; default true. */
  readonly stubs?: boolean;
  /** Told of what the stubs receive. */
  readonly onReceived?: StubOptions['onReceived'];
  readonly devCerts?: boolean;
  /** Where the development CA is kept; default: in memory. */
  readonly certificates?: DevelopmentCertificates;
  /** Milliseconds for which a fresh gateway none of whose Secrets exist keeps every port closed; default 0. */
  readonly initialFetchTimeout?: number;
}

/** What Envoy calls a listener's status, with the port that was really bound. */
export interface BoundListener {
  readonly name: string;
  /** As configured: the container port. */
  readonly port: number;
  /** Where it really listens. */
  readonly address: string;
  readonly boundPort: number;
}

/** What became of a reload: all of it took effect, or nothing. */
export type ReloadResult =
  | { readonly kind: 'applied'; readonly compiled: Configuration; readonly listeners: ApplyReport }
  /** The running configuration stays. */
  | {
      readonly kind: 'refused';
      /** Errors of the configuration. */
      readonly diagnostics: readonly Diagnostic[];
      /** Listeners that could not be bound. */
      readonly failed: ApplyReport['failed'];
    };

/** A gateway in service. The getters show what runs now, so they change with a reload. */
export interface RunningGateway {
  readonly compiled: Configuration;
  readonly snapshot: Snapshot;
  readonly running: RunningSnapshot;
  readonly diagnostics: readonly Diagnostic[];
  readonly listeners: readonly BoundListener[];
  /** What the last `apply` said of each listener, failures included. */
  readonly applied: ApplyReport;
  /** Resolves when all listeners have settled (at once, but for `initialFetchTimeout`). */
  readonly settled: Promise<void>;
  /** Port as written in a Gateway → container port. */
  readonly servicePorts: ReadonlyMap<number, number>;
  readonly state: 'initializing' | 'live' | 'draining';
  reload(): Promise<ReloadResult>;
  /** Answers say `connection: close` from now on; new connections are still accepted. */
  drain(): void;
  /** Drains for `drainTime` milliseconds (default: none) and ends everything. */
  close(drainTime?: number): Promise<void>;
}

/** Starts a gateway. Rejects with a ConfigError when the configuration has errors. */
export async function runGateway(options: RunOptions): Promise<RunningGateway> {
  const gateway = new Gateway(options);
  await gateway.start();
  return gateway;
}

const NOTHING: ApplyReport = { bound: [], failed: [] };

class Gateway implements RunningGateway {
  // `start` sets both before `runGateway` hands the gateway out; the listeners that read them are bound after that.
  compiled!: Configuration;
  running!: RunningSnapshot;
  applied: ApplyReport = NOTHING;
  settled: Promise<void> = Promise.resolve();
  state: 'initializing' | 'live' | 'draining' = 'initializing';
  private readonly options: RunOptions;
  private readonly environment: Environment;
  private readonly stubs: Stubs | undefined;
  private readonly compiler: Compiler;
  private readonly manager: ListenerManager;
  private ports: ReadonlyMap<number, number> = new Map();
  private queue: Promise<unknown> = Promise.resolve();
  private endWarming: (() => void) | undefined = undefined;
  private closed = false;

  constructor(options: RunOptions) {
    this.options = options;
    const machine =
      options.environment ??
      createEnvironment(() => ({
        address: options.address ?? '127.0.0.1',
        ports: this.ports,
        ...(options.anyPort === true ? { otherwise: 0 } : {}),
      }));
    this.environment = options.adapt === undefined ? machine : options.adapt(machine);
    const { onReceived } = options;
    this.stubs =
      options.stubs === false
        ? undefined
        : new Stubs((name) => startEchoStub({ name, ...(onReceived === undefined ? {} : { onReceived }) }));
    this.compiler = new Compiler({
      options: onlyCompileOptions(options),
      stubs: this.stubs,
      certificates: options.certificates ?? new DevelopmentCertificates(undefined),
      devCerts: options.devCerts === true,
    });
    const context: DataPlaneContext = {
      environment: this.environment,
      current: () => this.running,
      observer: options.observer ?? { finished: () => {} },
    };
    this.manager = new ListenerManager(context, createHttpServer(context));
  }

  get snapshot(): Snapshot {
    return this.compiled.snapshot;
  }

  get diagnostics(): readonly Diagnostic[] {
    return this.compiled.diagnostics;
  }

  get servicePorts(): ReadonlyMap<number, number> {
    return this.compiled.servicePorts;
  }

  get listeners(): readonly BoundListener[] {
    return this.applied.bound;
  }

  async start(): Promise<void> {
    try {
      const compiled = await this.compile(undefined);
      this.compiler.commit();
      this.ports = boundPorts(this.options.ports, compiled);
      this.compiled = compiled;
      this.running = this.build(compiled);
      const wait = this.options.initialFetchTimeout ?? 0;
      if (wait > 0 && noSecretArrives(compiled.snapshot)) {
        this.settled = this.warm(wait);
      } else {
        await this.apply();
      }
    } catch (error) {
      await this.compiler.close();
      await this.stubs?.close();
      throw error;
    }
  }

  reload(): Promise<ReloadResult> {
    const next = this.queue.then(() => this.reloadNow());
    // Whoever called hears of a failure; the queue only says whose turn it is.
    this.queue = next.catch(() => undefined);
    return next;
  }

  drain(): void {
    this.state = 'draining';
    this.manager.drain();
  }

  async close(drainTime = 0): Promise<void> {
    if (this.closed) return;
    this.closed = true;
    this.endWarming?.();
    this.state = 'draining';
    await this.queue.catch(() => undefined);
    await this.manager.close(drainTime);
    this.running.clusters.close();
    await this.compiler.close();
    await this.stubs?.close();
  }

  private async reloadNow(): Promise<ReloadResult> {
    if (this.closed) return { kind: 'refused', diagnostics: [], failed: [] };
    let compiled: Configuration;
    try {
      compiled = await this.compile(this.compiled);
    } catch (error) {
      if (error instanceof ConfigError) return { kind: 'refused', diagnostics: error.diagnostics, failed: [] };
      throw error;
    }
    this.ports = boundPorts(this.options.ports, compiled);
    const previous = this.running;
    const next = await this.rebuild(compiled, previous);
    let committed = false;
    const commit = (): void => {
      committed = true;
      this.compiled = compiled;
      this.running = next;
      this.compiler.commit();
    };
    if (this.endWarming !== undefined) {
      commit();
      if (!noSecretArrives(compiled.snapshot)) {
        this.endWarming();
        await this.settled;
      }
    } else {
      const applied = await this.manager.apply(next, commit);
      this.applied = applied;
      // A port could not be bound, or the gateway was closed meanwhile.
      if (!committed) {
        next.clusters.close();
        return { kind: 'refused', diagnostics: [], failed: applied.failed };
      }
    }
    previous.clusters.close();
    await this.stubs?.retain(compiled.stubbed);
    return { kind: 'applied', compiled, listeners: this.applied };
  }

  private async compile(running: Configuration | undefined): Promise<Configuration> {
    const sources = typeof this.options.sources === 'function' ? await this.options.sources() : this.options.sources;
    return this.compiler.compile(sources, running);
  }

  private build({ snapshot }: Configuration): RunningSnapshot {
    return {
      snapshot,
      index: buildSnapshotIndex(snapshot),
      clusters: createClusterManager(snapshot, this.environment),
    };
  }

  // While the old one serves, so never long without a turn for it.
  private async rebuild({ snapshot }: Configuration, previous: RunningSnapshot): Promise<RunningSnapshot> {
    const turns = new Turns();
    for (const table of snapshot.routes) {
      for (const host of table.virtual_hosts) {
        if (turns.isOver()) await turns.next();
        prepareVirtualHost(host);
      }
    }
    await turns.next();
    const index = buildSnapshotIndex(snapshot);
    await turns.next();
    const clusters = await createClusterManagerInTurns(snapshot, this.environment, previous.clusters);
    return { snapshot, index, clusters };
  }

  private async apply(): Promise<void> {
    this.applied = await this.manager.apply(this.running, () => {});
    if (this.state === 'initializing') this.state = 'live';
  }

  // A gateway none of whose Secrets can be served is not live until the fetch has timed out (spec gateway.md §8.6).
  private warm(milliseconds: number): Promise<void> {
    return new Promise<void>((resolve, reject) => {
      const timer = this.environment.setTimer(milliseconds, () => this.endWarming?.());
      this.endWarming = () => {
        this.endWarming = undefined;
        timer.cancel();
        if (this.closed) resolve();
        else this.apply().then(resolve, reject);
      };
    });
  }
}

// `--port` names a server port as the Service has it (443) or as the container has it (8443).
function boundPorts(
  wanted: ReadonlyMap<number, number> | undefined,
  { portTargets }: Configuration,
): ReadonlyMap<number, number> {
  const ports = new Map<number, number>();
  for (const [port, bind] of wanted ?? []) ports.set(portTargets.get(port) ?? port, bind);
  return ports;
}

// Of all options those that may go to another thread, and the one function that keeps them from it.
function onlyCompileOptions(options: RunOptions): CompileOptions {
  const { namespace, meshConfig, mesh, maxInput, proxy, upstreams } = options;
  const { assumeServices, workloadCertificates, trustUpstreams, readFile } = options;
  return {
    namespace,
    meshConfig,
    mesh,
    maxInput,
    proxy,
    upstreams,
    assumeServices,
    workloadCertificates,
    trustUpstreams,
    readFile,
  };
}
