// How the regression gate counts: bytes allocated, bytes copied, and the unit in which it states what a decision costs.

import { getHeapSpaceStatistics } from 'node:v8';

/** Keeps what a loop works out alive. */
const sink = { hits: 0 };
const BYTES = Buffer.alloc(64, 0x63);

/**
 * Bytes of memory that one `operation` takes, on the heap and in buffers beside it. A collection in the middle would hide
 * some: the process has to have `gc` and a young generation that holds them all (`npm run gate` gives it both).
 */
export async function allocated(times: number, operation: () => void | Promise<void>): Promise<number> {
  if (globalThis.gc === undefined) throw new Error('run with --expose-gc');
  globalThis.gc();
  const before = memory();
  for (let i = 0; i < times; i++) {
    const pending = operation();
    if (pending !== undefined) await pending;
  }
  return Math.max(0, memory() - before) / times;
}

/** Operations between two collections of the young generation. */
const COLLECTED_EVERY = 10;

/**
 * Bytes per `operation` that outlive the young generation: what is over and still kept by something old costs each
 * collection a copy, and memory until the next full one. Collected in the middle of an operation, as it happens.
 */
export async function outlived(times: number, operation: () => Promise<void>): Promise<number> {
  if (globalThis.gc === undefined) throw new Error('run with --expose-gc');
  globalThis.gc();
  const before = oldGeneration();
  for (let i = 0; i < times; i++) {
    const pending = operation();
    if (i % COLLECTED_EVERY === 0) globalThis.gc({ type: 'minor' });
    await pending;
  }
  // The first one leaves survivors among the young, the second one moves them.
  for (let i = 0; i < 2; i++) globalThis.gc({ type: 'minor' });
  return Math.max(0, oldGeneration() - before) / times;
}

function oldGeneration(): number {
  let bytes = 0;
  for (const { space_name, space_used_size } of getHeapSpaceStatistics())
    if (space_name === 'old_space' || space_name === 'map_space') bytes += space_used_size;
  return bytes;
}

/** Counts the bytes that JavaScript is asked to copy, from its making to `stop`. */
export class CopyCounter {
  private bytes = 0;
  private readonly originals = {
    concat: Buffer.concat,
    from: Buffer.from,
    set: Uint8Array.prototype.set,
    copy: Buffer.prototype.copy,
  };

  constructor() {
    const { concat, from, set, copy } = this.originals;
    const count = (length: number): void => {
      this.bytes += length;
    };
    Buffer.concat = (list, total) => {
      const whole = concat(list, total);
      count(whole.length);
      return whole;
    };
    Buffer.from = ((value: unknown, ...rest: unknown[]) => {
      if (value instanceof Uint8Array) count(value.length);
      return (from as (...all: unknown[]) => Buffer)(value, ...rest);
    }) as typeof Buffer.from;
    Uint8Array.prototype.set = function (this: Uint8Array, array: ArrayLike<number>, offset?: number) {
      count(array.length);
      set.call(this, array, offset);
    };
    Buffer.prototype.copy = function (this: Buffer, ...all: Parameters<Buffer['copy']>) {
      const copied = copy.apply(this, all);
      count(copied);
      return copied;
    };
  }

  /** Puts everything back; returns the bytes. */
  stop(): number {
    Buffer.concat = this.originals.concat;
    Buffer.from = this.originals.from;
    Uint8Array.prototype.set = this.originals.set;
    Buffer.prototype.copy = this.originals.copy;
    return this.bytes;
  }
}

/**
 * What one `run` costs in units of `calibrate`. Of both the best of a few in turn: what the machine does beside us only
 * ever adds, to either of them.
 */
export function inCalibratedLoops(operations: number, run: () => unknown): number {
  let best = Number.POSITIVE_INFINITY;
  let unit = Number.POSITIVE_INFINITY;
  for (let take = 0; take < 5; take++) {
    unit = Math.min(unit, calibrate());
    const began = process.hrtime.bigint();
    for (let i = 0; i < operations; i++) run();
    best = Math.min(best, Number(process.hrtime.bigint() - began) / operations);
  }
  return best / unit;
}

/** Nanoseconds of 64 steps over bytes and one look into a map. */
function calibrate(): number {
  const steps = 20_000;
  const map = new Map([[7, 'seven']]);
  const began = process.hrtime.bigint();
  for (let i = 0; i < steps; i++) {
    let hash = i;
    for (let at = 0; at < BYTES.length; at++) hash = Math.imul(hash ^ (BYTES[at] as number), 16_777_619);
    if (map.get(hash & 15) !== undefined) sink.hits++;
  }
  return Number(process.hrtime.bigint() - began) / steps;
}

function memory(): number {
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}
