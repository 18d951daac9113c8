// The gateway that `postern bench` measures: `postern run` itself, in a process of its own, on ports of the system's choice.
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { CommandError, INTERNAL } from '../exit-codes.js';
import type { ReadyFacts } from '../ready-file.js';
import type { CpuProfile } from './cpu-profile.js';

/** How to start it. */
export interface GatewayOptions {
  /** Flags of `postern run` that say what is served. */
  readonly args: readonly string[];
  /** Ports of the listeners; each is bound elsewhere. */
  readonly ports: readonly number[];
  /** What `-` in the arguments stands for. */
  readonly input: string;
  /** Records where the time goes; costs some of it. */
  readonly isProfiled: boolean;
}

/** It runs. */
export interface GatewayProcess {
  readonly pid: number;
  /** Where a listener is, by the port of the snapshot. */
  readonly boundPorts: ReadonlyMap<number, number>;
  /** Ends it; the profile, if one was asked for. */
  stop(): Promise<CpuProfile | undefined>;
}

const MAIN = fileURLToPath(new URL('../main.js', import.meta.url));
const PATIENCE = 120_000;

/** Resolves when every listener has settled. Throws with what the gateway said when it does not come up. */
export async function startGatewayProcess(options: GatewayOptions): Promise<GatewayProcess> {
  const folder = mkdtempSync(path.join(tmpdir(), 'postern-bench-'));
  const ready = path.join(folder, 'ready.json');
  const child = spawn(
    process.execPath,
    [
      ...(options.isProfiled ? ['--cpu-prof', '--cpu-prof-dir', folder] : []),
      ...[MAIN, 'run', ...options.args, '--ready-file', ready, '--admin', 'off', '--no-watch'],
      ...['--access-log', 'off', '--log-level', 'error', '--drain-time', '0s'],
      ...options.ports.flatMap((port) => ['--port', `${port}=0`]),
    ],
    { stdio: ['pipe', 'ignore', 'pipe'] },
  );
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    said += text;
  });
  child.stdin.on('error', () => {}); // ended before it read: what it said tells why
  child.stdin.end(options.input);
  const closed = new Promise<void>((resolve) => child.once('close', () => resolve()));
  const end = async (): Promise<CpuProfile | undefined> => {
    child.kill('SIGTERM');
    const timer = setTimeout(() => child.kill('SIGKILL'), 10_000);
    await closed;
    clearTimeout(timer);
    const profile = readdirSync(folder).find((file) => file.endsWith('.cpuprofile'));
    const read = profile === undefined ? undefined : readFileSync(path.join(folder, profile), 'utf8');
    rmSync(folder, { recursive: true, force: true });
    return read === undefined ? undefined : (JSON.parse(read) as CpuProfile);
  };
  const deadline = performance.now() + PATIENCE;
  while (!existsSync(ready)) {
    if (child.exitCode !== null || performance.now() > deadline) {
      await end();
      throw new CommandError(child.exitCode || INTERNAL, `the gateway does not come up: ${said.trim()}`);
    }
    await wait(10);
  }
  const { pid, listeners } = JSON.parse(readFileSync(ready, 'utf8')) as ReadyFacts;
  return { pid, boundPorts: new Map(listeners.map(({ port, boundPort }) => [port, boundPort])), stop: end };
}
