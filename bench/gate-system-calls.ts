// System calls of the real binary per operation, by strace.
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { type GateBackends, SERVICES } from './gate-traffic.js';

/** Waiting for events is left out: how many come at once is a matter of luck. */
const CALLS =
  'read,write,writev,sendto,recvfrom,socket,connect,accept4,close,shutdown,setsockopt,getsockname,getpeername,epoll_ctl';

/** `postern run` under strace. */
export interface TracedGateway {
  readonly http: number;
  readonly tls: number;
  /** Calls that are made until all is quiet again. */
  count(run: () => Promise<void>): Promise<number>;
  close(): Promise<void>;
}

/** Starts it; `undefined` where there is no strace, or none that may look at another process. */
export async function startTraced(yaml: string, backends: GateBackends): Promise<TracedGateway | undefined> {
  if (spawnSync('strace', ['-o', '/dev/null', 'true']).status !== 0) return undefined;
  const folder = mkdtempSync(path.join(tmpdir(), 'postern-gate-'));
  const trace = path.join(folder, 'trace');
  const ready = path.join(folder, 'ready.json');
  writeFileSync(path.join(folder, 'gate.yaml'), yaml);
  const child = spawn(
    'strace',
    [
      ...['-f', '-o', trace, '-e', `trace=${CALLS}`, process.execPath, 'dist/cli/main.js', 'run', folder],
      ...['--port', '80=0', '--port', '443=0', '--admin', 'off', '--access-log', 'off', '--no-watch'],
      ...['--ready-file', ready, '--drain-time', '0s'],
      ...['--upstream', `${SERVICES.http}=127.0.0.1:${backends.http}`],
      ...['--upstream', `${SERVICES.tcp}=127.0.0.1:${backends.tcp}`],
    ],
    { stdio: 'ignore' },
  );
  const closed = new Promise((resolve) => child.once('close', resolve));
  const end = async (kill: () => void): Promise<void> => {
    kill();
    await closed;
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    const { pid, http, tls } = await untilReady(ready, child);
    await settled(trace);
    return {
      http,
      tls,
      count: async (run) => {
        const before = linesOf(trace);
        await run();
        await settled(trace);
        return linesOf(trace) - before;
      },
      // strace leaves alone what it has traced; it ends with it.
      close: () => end(() => process.kill(pid, 'SIGKILL')),
    };
  } catch (error) {
    await end(() => child.kill('SIGKILL'));
    throw error;
  }
}

async function untilReady(
  file: string,
  child: { readonly exitCode: number | null },
): Promise<{ readonly pid: number; readonly http: number; readonly tls: number }> {
  const deadline = performance.now() + 30_000;
  while (performance.now() < deadline && child.exitCode === null) {
    // Renamed into place: who sees it sees all of it.
    if (existsSync(file)) {
      const { pid, listeners } = JSON.parse(readFileSync(file, 'utf8')) as {
        pid: number;
        listeners: { port: number; boundPort: number }[];
      };
      const boundTo = (port: number): number => listeners.find((one) => one.port === port)?.boundPort ?? 0;
      return { pid, http: boundTo(8080) || boundTo(80), tls: boundTo(8443) || boundTo(443) };
    }
    await wait(20);
  }
  throw new Error('postern did not get ready under strace');
}

/** Resolves when nothing more is being written: the last connections are closed. */
async function settled(file: string): Promise<void> {
  for (let size = -1, next = 0; size !== next; ) {
    size = next;
    await wait(40);
    next = readFileSync(file).length;
  }
}

function linesOf(file: string): number {
  // A call that another thread interrupts takes two lines.
  return readFileSync(file, 'latin1')
    .split('\n')
    .filter((line) => !line.includes('resumed>')).length;
}
