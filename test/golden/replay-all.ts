// Many cases at the same time: most of a replay is waiting.
import { AsyncLocalStorage } from 'node:async_hooks';
import { type CallResult, replayCase, type Start } from './replay.js';
import { loadCase } from './support.js';

const running = new AsyncLocalStorage<string>();

/** The case in whose doing this is called; also within a handler of uncaught exceptions. */
export function runningCase(): string | undefined {
  return running.getStore();
}

/** Replays these cases, `jobs` at a time; results in the order of the directories. */
export async function replayAll(
  directories: readonly string[],
  start: Start,
  options: { readonly jobs?: number } = {},
): Promise<readonly CallResult[]> {
  const results: (readonly CallResult[])[] = [];
  // The longest first, so that none of them is alone at the end.
  // All are read before the first clock runs: parsing would hold up calls about time.
  const queue = directories.map((directory, index) => ({ golden: loadCase(directory), index }));
  queue.sort((a, b) => weight(b.golden.id) - weight(a.golden.id));
  const work = async (): Promise<void> => {
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
      const { golden, index } = next;
      results[index] = await running.run(golden.id, () => replayCase(golden, start));
    }
  };
  await Promise.all(Array.from({ length: options.jobs ?? 12 }, work));
  return results.flat();
}

// By what is known to be about time; the rest in any order.
const SLOW = ['sni/timeouts', 'policy/', 'destinations/', 'dataplane/', 'sni/', 'tls/'];

function weight(id: string): number {
  const rank = SLOW.findIndex((part) => id.startsWith(part));
  return rank === -1 ? 0 : SLOW.length - rank;
}
