// Compiles for a running gateway: small configurations here, large ones in a thread of their own, so that connections do
// not wait for a reload. The thread is started when it is first needed and keeps nothing alive.
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import type { Source } from '../config/load.js';
import type { Diagnostic } from '../diagnostics/diagnostic.js';
import { OriginTable } from '../diagnostics/origin.js';
import { acceptUpdate } from '../translate/update.js';
import { type CompileOptions, ConfigError, type Configuration, compile } from './compile.js';
import type { CompileOrder, CompileReply } from './compile-thread.js';
import type { DevelopmentCertificates } from './development-certificates.js';
import { readDelta } from './snapshot-delta.js';
import { type Stubs, withStubAddresses } from './stubs.js';

/** Characters of YAML from which a reload is felt by connections: some 30 ms of work here. */
const LARGE_RELOAD = 64 * 1024;
/** At start nobody waits but the user, and a thread takes 100 ms to come up. */
const LARGE_START = 1024 * 1024;

const THREAD_FILE = new URL('./compile-thread.js', import.meta.url);

/** What a compiler is made of; `stubs` undefined = no echo stubs. */
export interface CompilerSettings {
  readonly options: CompileOptions;
  readonly stubs: Stubs | undefined;
  readonly certificates: DevelopmentCertificates;
  readonly devCerts: boolean;
}

/** Compiles one configuration after the other for one gateway. */
export class Compiler {
  private readonly settings: CompilerSettings;
  private thread: Thread | undefined = undefined;

  constructor(settings: CompilerSettings) {
    this.settings = settings;
  }

  /**
   * The configuration that is in force after these sources have come to a gateway that runs `running`. Throws a ConfigError
   * when they cannot be used. One at a time: `commit` or another call comes after it has resolved.
   */
  async compile(sources: readonly Source[], running: Configuration | undefined): Promise<Configuration> {
    const { options, stubs, certificates, devCerts } = this.settings;
    const limit = running === undefined ? LARGE_START : LARGE_RELOAD;
    // Once the thread knows the configuration it goes on with it, whatever the size.
    if (this.thread !== undefined || (sizeOf(sources) >= limit && this.canLeave())) {
      this.thread ??= new Thread(this.settings, running, () => {
        this.thread = undefined;
      });
      return this.thread.compile(sources, running);
    }
    const compiled = await compile(sources, options, { stubs, certificates, devCerts });
    if (running === undefined) return compiled;
    // What Envoy would not take over (a refused listener, a deleted Secret) stays as it runs.
    return { ...compiled, snapshot: acceptUpdate(running.snapshot, compiled.snapshot) };
  }

  /** The last one is in force. */
  commit(): void {
    this.thread?.commit();
  }

  async close(): Promise<void> {
    await this.thread?.close();
  }

  // A function cannot go to another thread; and running from TypeScript sources there is no file to start it from.
  private canLeave(): boolean {
    return this.settings.options.readFile === undefined && existsSync(fileURLToPath(THREAD_FILE));
  }
}

function sizeOf(sources: readonly Source[]): number {
  let size = 0;
  for (const { text } of sources) size += text.length;
  return size;
}

interface Waiting {
  readonly resolve: (reply: CompileReply) => void;
  readonly reject: (error: Error) => void;
}

class Thread {
  private readonly settings: CompilerSettings;
  private readonly worker: Worker;
  private waiting: Waiting | undefined = undefined;
  private gone = false;

  constructor(settings: CompilerSettings, running: Configuration | undefined, ended: () => void) {
    this.settings = settings;
    this.worker = new Worker(THREAD_FILE, { name: 'postern-compile' });
    this.worker.on('message', (reply: CompileReply) => this.take(reply));
    const fail = (error: Error): void => {
      this.gone = true;
      ended();
      this.waiting?.reject(error);
      this.waiting = undefined;
    };
    this.worker.on('error', fail);
    this.worker.on('exit', () => fail(new Error('the compiling thread has ended')));
    this.worker.unref();
    if (running !== undefined) this.send({ kind: 'adopt', snapshot: running.snapshot, origins: running.origins.size });
  }

  async compile(sources: readonly Source[], running: Configuration | undefined): Promise<Configuration> {
    const { options, stubs, devCerts } = this.settings;
    // While somebody waits for it, the thread counts.
    this.worker.ref();
    try {
      const reply = await this.ask({ kind: 'compile', sources, options, stubs: stubs !== undefined, devCerts });
      if (reply.kind === 'refused') throw new ConfigError(reply.diagnostics);
      if (reply.kind !== 'compiled') throw new Error(reply.kind === 'failed' ? reply.message : `got ${reply.kind}`);
      const parts: object[] = [];
      const diagnostics: Diagnostic[] = [];
      for (;;) {
        const piece = await this.ask({ kind: 'next' });
        if (piece.kind === 'end') break;
        if (piece.kind === 'parts') parts.push(...piece.parts);
        else if (piece.kind === 'diagnostics') diagnostics.push(...piece.diagnostics);
      }
      const snapshot = readDelta(reply.delta, parts, running?.snapshot);
      const addresses = (await stubs?.addresses(reply.rest.stubbed)) ?? new Map();
      return {
        ...reply.rest,
        snapshot: Object.freeze(withStubAddresses(snapshot, addresses)),
        origins: new OriginTable(reply.origins),
        diagnostics,
      };
    } finally {
      this.worker.unref();
    }
  }

  commit(): void {
    this.send({ kind: 'commit' });
  }

  async close(): Promise<void> {
    await this.worker.terminate();
  }

  private take(reply: CompileReply): void {
    if (reply.kind === 'issue') {
      const { certificates } = this.settings;
      const made =
        reply.what === 'secrets'
          ? certificates.issueSecrets(reply.missing)
          : certificates.workloadIdentity(reply.proxy);
      made.then(
        (value) => this.send({ kind: 'issued', value }),
        (error: unknown) => this.waiting?.reject(error instanceof Error ? error : new Error(String(error))),
      );
      return;
    }
    const { waiting } = this;
    this.waiting = undefined;
    waiting?.resolve(reply);
  }

  private ask(order: CompileOrder): Promise<CompileReply> {
    if (this.gone) return Promise.reject(new Error('the compiling thread has ended'));
    return new Promise((resolve, reject) => {
      this.waiting = { resolve, reject };
      this.send(order);
    });
  }

  private send(order: CompileOrder): void {
    this.worker.postMessage(order);
  }
}
