// Starts the real `postern` binary for a test and waits for its ready file. Ports come from the operating system.
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';

export interface Exit {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunningPostern {
  readonly child: ChildProcess;
  readonly folder: string;
  readonly listeners: readonly {
    readonly name: string;
    readonly port: number;
    readonly address: string;
    readonly boundPort: number;
  }[];
  readonly admin: string | null;
  readonly stdout: () => string;
  readonly stderr: () => string;
  /** The bound port of a container port. */
  port(containerPort: number): number;
  /** Resolves when the text has appeared on that stream; rejects after `seconds`. */
  until(stream: 'stdout' | 'stderr', text: string | RegExp, seconds?: number): Promise<void>;
  stop(signal?: NodeJS.Signals): Promise<Exit>;
}

const BINARY = path.resolve('dist/cli/main.js');

/** Runs a command to its end. */
export function runToEnd(
  args: readonly string[],
  options: { input?: string; cwd?: string; env?: NodeJS.ProcessEnv } = {},
): Promise<Exit> {
  const child = spawn(process.execPath, [BINARY, ...args], {
    cwd: options.cwd,
    env: { ...process.env, ...options.env },
  });
  const output = gather(child);
  child.stdin.end(options.input ?? '');
  return new Promise((resolve) => {
    child.on('close', (code) => resolve({ code, stdout: output.stdout(), stderr: output.stderr() }));
  });
}

/** `postern run` with a free port for 80 and 443, no admin listener unless `args` say otherwise, and a ready file. */
export async function startPostern(
  args: readonly string[],
  options: {
    binary?: string;
    cwd?: string;
    env?: NodeJS.ProcessEnv;
    input?: string;
    /** Runs while the ready file is waited for. */
    meanwhile?: (stderr: () => string) => Promise<void>;
  } = {},
): Promise<RunningPostern> {
  const folder = await mkdtemp(path.join(tmpdir(), 'postern-'));
  const ready = path.join(folder, 'ready.json');
  const has = (flag: string): boolean => args.includes(flag);
  const child = spawn(
    process.execPath,
    [
      options.binary ?? BINARY,
      'run',
      ...args,
      '--ready-file',
      ready,
      ...(has('--port') ? [] : ['--port', '80=0', '--port', '443=0', '--port', '15443=0']),
      ...(has('--admin') ? [] : ['--admin', 'off']),
      ...(has('--drain-time') ? [] : ['--drain-time', '100ms']),
    ],
    { cwd: options.cwd, env: { ...process.env, XDG_DATA_HOME: path.join(folder, 'data'), ...options.env } },
  );
  const output = gather(child);
  child.stdin.end(options.input ?? '');
  let exited: number | null | undefined;
  const closed = new Promise<number | null>((resolve) => {
    child.on('close', (code) => {
      exited = code;
      resolve(code);
    });
  });
  void options.meanwhile?.(output.stderr);
  let facts: { listeners: RunningPostern['listeners']; admin: string | null } | undefined;
  const deadline = Date.now() + 30_000;
  while (facts === undefined) {
    if (exited !== undefined) throw new Error(`postern ended with ${exited} before it was ready:\n${output.stderr()}`);
    if (Date.now() > deadline) {
      child.kill('SIGKILL');
      throw new Error(`postern was not ready in time:\n${output.stderr()}`);
    }
    const text = await readFile(ready, 'utf8').catch(() => undefined);
    if (text === undefined) await wait(10);
    else facts = JSON.parse(text) as NonNullable<typeof facts>;
  }
  const { listeners, admin } = facts;
  return {
    child,
    folder,
    listeners,
    admin,
    stdout: output.stdout,
    stderr: output.stderr,
    port: (containerPort) => {
      const found = listeners.find(({ port }) => port === containerPort);
      if (found === undefined) throw new Error(`no listener on ${containerPort}: ${JSON.stringify(listeners)}`);
      return found.boundPort;
    },
    until: async (stream, text, seconds = 10) => {
      const end = Date.now() + seconds * 1000;
      for (;;) {
        const seen = output[stream]();
        if (typeof text === 'string' ? seen.includes(text) : text.test(seen)) return;
        if (Date.now() > end) throw new Error(`${String(text)} did not appear on ${stream}:\n${seen}`);
        await wait(10);
      }
    },
    stop: async (signal = 'SIGTERM') => {
      if (exited === undefined) child.kill(signal);
      const code = await closed;
      await rm(folder, { recursive: true, force: true });
      return { code, stdout: output.stdout(), stderr: output.stderr() };
    },
  };
}

function gather(child: ChildProcess): { stdout: () => string; stderr: () => string } {
  let stdout = '';
  let stderr = '';
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  return { stdout: () => stdout, stderr: () => stderr };
}
