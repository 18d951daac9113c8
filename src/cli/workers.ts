// `--concurrency N`: several processes that accept on the same ports, as Envoy's workers do. Each has its own load
// balancing state and counters (as in Envoy). The primary hands no socket over: workers accept directly, which is
// x1.3-1.8 faster than round-robin (performance.md §8).
import cluster from 'node:cluster';
import type { BoundListener } from '../gateway/run.js';
import { INTERNAL, OK } from './exit-codes.js';
import { writeReadyFile } from './ready-file.js';

interface ReadyMessage {
  readonly kind: 'ready';
  readonly listeners: readonly BoundListener[];
  readonly admin: string | null;
}

const ROLE = 'POSTERN_WORKER';

/** 'first' speaks for all on stderr and has the admin listener; `undefined` outside a worker. */
export function isWorker(): 'first' | 'other' | undefined {
  if (!cluster.isWorker) return undefined;
  return process.env[ROLE] === 'first' ? 'first' : 'other';
}

/** A worker's listeners have settled. */
export function reportReady(listeners: readonly BoundListener[], admin: string | null): void {
  if (cluster.isWorker) process.send?.({ kind: 'ready', listeners, admin } satisfies ReadyMessage);
}

/**
 * Runs this command line in N workers; resolves with the exit code when all have ended. `input` is what each of them
 * finds on its standard input.
 */
export async function runWorkers(count: number, readyFile: string | undefined, input: string): Promise<number> {
  cluster.schedulingPolicy = cluster.SCHED_NONE;
  cluster.setupPrimary({ stdio: ['pipe', 'inherit', 'inherit', 'ipc'] });
  const ready = new Map<number, ReadyMessage>();
  let code = OK;
  let ending = false;
  const send = (signal: NodeJS.Signals): void => {
    for (const worker of Object.values(cluster.workers ?? {})) worker?.process.kill(signal);
  };
  const end = (signal: NodeJS.Signals): void => {
    ending = true;
    send(signal);
  };
  // Who reloads by hand knows this process only.
  process.on('SIGHUP', () => send('SIGHUP'));
  process.on('SIGTERM', () => end('SIGTERM'));
  process.on('SIGINT', () => end('SIGINT'));
  const workers = Array.from({ length: count }, (_, index) =>
    cluster.fork({ [ROLE]: index === 0 ? 'first' : 'other' }),
  );
  for (const worker of workers) {
    worker.process.stdin?.on('error', () => {}); // ended before it read: its exit code says why
    worker.process.stdin?.end(input);
  }
  await Promise.all(
    workers.map(
      (worker) =>
        new Promise<void>((resolve) => {
          worker.on('message', (message: ReadyMessage) => {
            if (message.kind !== 'ready') return;
            ready.set(worker.id, message);
            if (ready.size !== count || readyFile === undefined) return;
            const { listeners } = message;
            const admin = [...ready.values()].find((other) => other.admin !== null)?.admin ?? null;
            writeReadyFile(readyFile, { pid: process.pid, listeners, admin }).catch((error: unknown) => {
              process.stderr.write(`postern: cannot write ${readyFile}: ${String(error)}\n`);
              code = INTERNAL;
              end('SIGTERM');
            });
          });
          worker.on('exit', (exitCode, signal) => {
            // A worker that cannot start (a port in use, a bad configuration) ends all with its own code.
            if (!ending || exitCode !== 0) code = code === OK ? exitCode || (signal === null ? OK : INTERNAL) : code;
            if (!ending) end('SIGTERM');
            resolve();
          });
        }),
    ),
  );
  return code;
}
