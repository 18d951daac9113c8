// A network of our own, where the system allows it: nothing but loopback, as on the recorder's machine. Every address and
// port of a case is free there, Envoy finds no other address of its own, and nothing can leave.
import { spawn, spawnSync } from 'node:child_process';

const MARK = 'POSTERN_PARITY_ISOLATED';

/** True inside such a network. */
export function isIsolated(): boolean {
  return process.env[MARK] === '1';
}

/** False where the system gives no network of one's own; what runs then shares the machine's. */
export function canIsolate(): boolean {
  return process.platform === 'linux' && spawnSync('unshare', inside('true'), { stdio: 'ignore' }).status === 0;
}

/** Runs this program again with these arguments, in a network of its own if `isolated`; resolves with its exit code. */
export function runAgain(args: readonly string[], isolated: boolean): Promise<number> {
  const program = [process.execPath, ...process.execArgv, process.argv[1] as string, ...args];
  const [command, ...rest] = isolated ? ['unshare', ...inside('exec "$0" "$@"', ...program)] : program;
  const child = spawn(command as string, rest, {
    stdio: 'inherit',
    env: { ...process.env, [MARK]: isolated ? '1' : '0' },
  });
  return new Promise((resolve) => child.once('close', (code) => resolve(code ?? 70)));
}

function inside(command: string, ...rest: string[]): string[] {
  return ['-rn', 'sh', '-c', `ip link set lo up && ${command}`, ...rest];
}
