// `--concurrency N`: several processes that accept on the same ports, as Envoy's workers do. Each has its own load
// balancing state and counters (as in Envoy). The primary hands no socket over: workers accept directly, which is
// x1.3-1.8 faster than round-robin (performance.md §8).
import cluster, { type Worker } from 'node:cluster';
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
  const workers = Array.from({ length: count }, (_, index) => fork(index === 0));
  const started = hasStarted(workers[0]);
  for (const worker of workers) {
    worker.process.stdin?.on('error', () => {}); // ended before it read: its exit code says why
    worker.process.stdin?.end(input);
    holdWords(worker, started);
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
            // A worker that cannot start (a port in use, a bad configuration) ends all with its own code, once the one
            // that speaks for all has said why.
            if (!ending || exitCode !== 0) code = code === OK ? exitCode || (signal === null ? OK : INTERNAL) : code;
            void started.then(() => {
              if (!ending) end('SIGTERM');
            });
          });
          worker.process.on('close', () => resolve());
        }),
    ),
  );
  return code;
}

function fork(isFirst: boolean): Worker {
  cluster.setupPrimary({ stdio: ['pipe', 'inherit', isFirst ? 'inherit' : 'pipe', 'ipc'] });
  return cluster.fork({ [ROLE]: isFirst ? 'first' : 'other' });
}

/** True when it is ready, false when it has ended before. */
function hasStarted(worker: Worker | undefined): Promise<boolean> {
  return new Promise((resolve) => {
    worker?.on('message', () => resolve(true));
    worker?.on('exit', () => resolve(false));
  });
}

// While they start, all of them meet the same mistakes: the first one tells them.
function holdWords({ process: { stderr } }: Worker, started: Promise<boolean>): void {
  let held: Uint8Array[] | undefined = [];
  stderr?.on('data', (words: Uint8Array) => {
    if (held === undefined) process.stderr.write(words);
    else held.push(words);
  });
  void started.then((isReady) => {
    if (isReady) for (const words of held ?? []) process.stderr.write(words);
    held = isReady ? undefined : [];
  });
}
