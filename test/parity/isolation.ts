// A network of our own, where the system allows it: nothing but loopback, as on the recorder's machine. Every address and
// port of a case is free there, Envoy finds no other address of its own, and nothing can leave.
import { spawnSync } from 'node:child_process';

const MARK = 'POSTERN_PARITY_ISOLATED';

/** True inside such a network. */
export function isIsolated(): boolean {
  return process.env[MARK] === '1';
}

/** Runs this program again in a network of its own and ends with its exit code; returns where that is not possible. */
export function isolate(): void {
  if (isIsolated() || process.platform !== 'linux') return;
  const inside = (command: string, ...rest: string[]): string[] => [
    '-rn',
    'sh',
    '-c',
    `ip link set lo up && ${command}`,
    ...rest,
  ];
  if (spawnSync('unshare', inside('true'), { stdio: 'ignore' }).status !== 0) return;
  const { status } = spawnSync(
    'unshare',
    inside('exec "$0" "$@"', process.execPath, ...process.execArgv, ...process.argv.slice(1)),
    { stdio: 'inherit', env: { ...process.env, [MARK]: '1' } },
  );
  process.exit(status ?? 70);
}
