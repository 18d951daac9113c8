// `--ready-file`: says that every listener has settled, and on which ports. Renamed into place, so whoever waits for
// the file never reads half of it.
import { rename, rm, writeFile } from 'node:fs/promises';
import type { BoundListener } from '../gateway/run.js';

/** The content of `--ready-file`. */
export interface ReadyFacts {
  readonly pid: number;
  readonly listeners: readonly BoundListener[];
  /** `address:port`, or null when it is off. */
  readonly admin: string | null;
}

/** Written beside and renamed into place, so that a reader never sees half of it. */
export async function writeReadyFile(file: string, facts: ReadyFacts): Promise<void> {
  const temporary = `${file}.${process.pid}.tmp`;
  try {
    await writeFile(temporary, `${JSON.stringify(facts)}\n`);
    await rename(temporary, file);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}
