// Flags that say where ports are bound, as `run` and `export` read them.
import { CommandError, USAGE } from './exit-codes.js';

/** `--port PORT=PORT`, repeatable: server port → port to bind. Exits 64 for anything else. */
export function parsePorts(written: readonly string[]): ReadonlyMap<number, number> {
  const ports = new Map<number, number>();
  for (const text of written) {
    const match = /^(\d{1,5})=(\d{1,5})$/.exec(text);
    if (match === null || Number(match[1]) > 65535 || Number(match[2]) > 65535) {
      throw new CommandError(USAGE, `--port ${text}: expected PORT=PORT, as in 443=8443`);
    }
    ports.set(Number(match[1]), Number(match[2]));
  }
  return ports;
}

/** `--admin ADDRESS:PORT|off`; `undefined` = off. Exits 64 for anything else. */
export function parseAdmin(written: string): { host: string; port: number } | undefined {
  if (written === 'off') return undefined;
  const match = /^(?:\[([0-9a-fA-F:]+)\]|([^:]*)):(\d{1,5})$/.exec(written);
  if (match === null || Number(match[3]) > 65535)
    throw new CommandError(USAGE, `--admin ${written}: expected ADDRESS:PORT or off`);
  return { host: match[1] ?? (match[2] || '127.0.0.1'), port: Number(match[3]) };
}
