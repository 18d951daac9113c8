// Names looked up lately in a large table. A Map of 100,000 names misses the processor's caches on every lookup; the
// few thousand names that traffic really asks for do not (performance.md §7: flat from 10 to a million names).

/** Half of what is remembered; past it the older half is forgotten. */
const GENERATION = 4096;
/** Answers from memory, per generation, below which remembering costs more than it saves. */
const WORTHWHILE = GENERATION / 2;
/** Lookups that go by without it then; after that it is tried again. */
const REST = 16 * GENERATION;
/** Longer names are rare, and what is remembered must stay small whatever clients send. */
const LONGEST = 255;

/**
 * The last few thousand answers of a lookup, at most 2 x 4096. `T` must not be `undefined`: that means "ask the table".
 * Where clients ask for so many names that few are asked again in time, it rests: remembering is dearer than asking.
 */
export class RecentLookups<T> {
  private young = new Map<string, T>();
  private old = new Map<string, T>();
  /** Answers since the last generation began. */
  private hits = 0;
  /** Generations in a row that were not worth it. The first one never is: nobody has asked for anything before. */
  private cold = 0;
  /** Lookups that still go by. */
  private rest = 0;

  get(name: string): T | undefined {
    if (this.rest > 0) {
      this.rest--;
      return undefined;
    }
    const hit = this.young.get(name);
    if (hit !== undefined) {
      this.hits++;
      return hit;
    }
    const older = this.old.get(name);
    if (older !== undefined) {
      this.hits++;
      this.keep(name, older);
    }
    return older;
  }

  set(name: string, value: T): void {
    if (this.rest > 0) return;
    // A copy: a name cut from a request's head would keep the whole head alive.
    if (name.length <= LONGEST) this.keep(Buffer.from(name, 'latin1').toString('latin1'), value);
  }

  private keep(name: string, value: T): void {
    if (this.young.size >= GENERATION) this.nextGeneration();
    this.young.set(name, value);
  }

  private nextGeneration(): void {
    this.cold = this.hits < WORTHWHILE ? this.cold + 1 : 0;
    this.hits = 0;
    this.old = this.young;
    this.young = new Map();
    if (this.cold < 2) return;
    this.old = new Map();
    this.cold = 0;
    this.rest = REST;
  }
}
