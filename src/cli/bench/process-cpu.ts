// What a process has used of the processors, on Linux.
import { readdirSync, readFileSync } from 'node:fs';

/** Nanoseconds of processor time of a process, its threads and its children so far; 0 where there is no /proc. */
export function cpuOf(pid: number): number {
  let sum = 0;
  for (const one of [pid, ...childrenOf(pid)]) {
    try {
      for (const task of readdirSync(`/proc/${one}/task`))
        sum += Number(readFileSync(`/proc/${one}/task/${task}/schedstat`, 'utf8').split(' ')[0]);
    } catch {
      // Gone meanwhile, or no Linux.
    }
  }
  return sum;
}

/** Process ids of all that a process has started and that still run. */
export function childrenOf(pid: number): number[] {
  try {
    const direct = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean).map(Number);
    return direct.flatMap((child) => [child, ...childrenOf(child)]);
  } catch {
    return [];
  }
}
