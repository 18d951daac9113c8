// The thread that loads and translates while another one serves: the entry file of a worker. It keeps what it has read and
// what the serving thread runs, so that an edit costs what it changes.
import { setPriority } from 'node:os';
import { type MessagePort, parentPort } from 'node:worker_threads';
import { LoadCache, type Source } from '../config/load.js';
import type { Diagnostic } from '../diagnostics/diagnostic.js';
import type { OriginTable, PackedOrigins } from '../diagnostics/origin.js';
import { acceptUpdate } from '../translate/update.js';
import type { Snapshot } from '../xds/index.js';
import { type Compiled, type CompileOptions, ConfigError, type Configuration, compile } from './compile.js';
import type { MissingSecret } from './development-certificates.js';
import { DeltaWriter, piecesOf, type SnapshotDelta } from './snapshot-delta.js';

/** What the serving thread sends. */
export type CompileOrder =
  /** What runs already, where it was compiled elsewhere; `origins`: how many. */
  | { readonly kind: 'adopt'; readonly snapshot: Snapshot; readonly origins: number }
  | {
      readonly kind: 'compile';
      readonly sources: readonly Source[];
      readonly options: CompileOptions;
      readonly stubs: boolean;
      readonly devCerts: boolean;
    }
  /** The next piece, please. */
  | { readonly kind: 'next' }
  /** What came last is in force. */
  | { readonly kind: 'commit' }
  /** An answer to `issue`. */
  | { readonly kind: 'issued'; readonly value: unknown };

/** What it gets. */
export type CompileReply =
  | {
      readonly kind: 'compiled';
      readonly rest: Omit<Configuration, 'snapshot' | 'origins' | 'diagnostics' | 'load'>;
      readonly delta: SnapshotDelta;
      readonly origins: PackedOrigins;
    }
  | { readonly kind: 'parts'; readonly parts: readonly object[] }
  | { readonly kind: 'diagnostics'; readonly diagnostics: readonly Diagnostic[] }
  | { readonly kind: 'end' }
  | { readonly kind: 'refused'; readonly diagnostics: readonly Diagnostic[] }
  | { readonly kind: 'failed'; readonly message: string }
  /** Certificates are made where they are kept. */
  | { readonly kind: 'issue'; readonly what: 'secrets'; readonly missing: readonly MissingSecret[] }
  | { readonly kind: 'issue'; readonly what: 'identity'; readonly proxy: Compiled['proxy'] };

/** Of a stub whose address only the serving thread knows. */
const SOMEWHERE = '0.0.0.0:0';

class CompileThread {
  private readonly port: MessagePort;
  private readonly cache = new LoadCache();
  private readonly writer = new DeltaWriter();
  private running: Snapshot | undefined = undefined;
  private candidate: Snapshot | undefined = undefined;
  private outbox: CompileReply[] = [];
  private issued: ((value: unknown) => void) | undefined = undefined;

  constructor(port: MessagePort) {
    this.port = port;
    port.on('message', (order: CompileOrder) => this.take(order));
  }

  private take(order: CompileOrder): void {
    switch (order.kind) {
      case 'adopt':
        this.running = order.snapshot;
        this.writer.adopt(order.snapshot, order.origins);
        return;
      case 'compile':
        this.compile(order).catch((error: unknown) => {
          this.send({ kind: 'failed', message: error instanceof Error ? error.message : String(error) });
        });
        return;
      case 'next':
        this.send(this.outbox.shift() ?? { kind: 'end' });
        return;
      case 'commit':
        this.running = this.candidate;
        this.writer.commit();
        return;
      case 'issued':
        this.issued?.(order.value);
        return;
    }
  }

  private async compile(order: CompileOrder & { readonly kind: 'compile' }): Promise<void> {
    let compiled: Compiled;
    try {
      compiled = await compile(
        order.sources,
        order.options,
        {
          stubs: order.stubs
            ? { addresses: async (names) => new Map(names.map((name) => [name, SOMEWHERE])) }
            : undefined,
          certificates: {
            issueSecrets: (missing) => this.ask({ kind: 'issue', what: 'secrets', missing }),
            workloadIdentity: (proxy) => this.ask({ kind: 'issue', what: 'identity', proxy }),
          },
          devCerts: order.devCerts,
        },
        this.cache,
      );
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      this.send({ kind: 'refused', diagnostics: error.diagnostics });
      return;
    }
    const { snapshot: update, origins, diagnostics, load: _load, store: _store, context: _context, ...rest } = compiled;
    const accepted = this.running === undefined ? update : acceptUpdate(this.running, update);
    this.publish(accepted, origins, diagnostics, rest);
  }

  private publish(
    snapshot: Snapshot,
    origins: OriginTable,
    diagnostics: readonly Diagnostic[],
    rest: (CompileReply & { readonly kind: 'compiled' })['rest'],
  ): void {
    const written = this.writer.write(snapshot, origins);
    this.candidate = snapshot;
    this.outbox = [
      ...written.pieces.map((parts): CompileReply => ({ kind: 'parts', parts })),
      ...piecesOf(diagnostics).map((piece): CompileReply => ({ kind: 'diagnostics', diagnostics: piece })),
    ];
    const packed = written.origins.pack();
    const reply: CompileReply = { kind: 'compiled', rest, delta: written.delta, origins: packed };
    this.port.postMessage(reply, [packed.cells.buffer as ArrayBuffer, written.delta.order.buffer as ArrayBuffer]);
  }

  private ask<T>(reply: CompileReply): Promise<T> {
    return new Promise((resolve) => {
      this.issued = (value) => resolve(value as T);
      this.send(reply);
    });
  }

  private send(reply: CompileReply): void {
    this.port.postMessage(reply);
  }
}

if (parentPort !== null) {
  // Linux counts niceness by thread: where processors are short, serving comes first. Elsewhere it would slow down all.
  if (process.platform === 'linux') setPriority(10);
  new CompileThread(parentPort);
}
