// `--port PORT=PORT`.
import { CommandError, USAGE } from './exit-codes.js';

/** Server port → port to bind. Exits 64 for anything else. */
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
