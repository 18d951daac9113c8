// Names looked up lately in a large table. A Map of 100,000 names misses the processor's caches on every lookup; the
// few thousand names that traffic really asks for do not (performance.md §7: flat from 10 to a million names).

/** Half of what is remembered; past it the older half is forgotten. */
const GENERATION = 4096;
/** Longer names are rare, and what is remembered must stay small whatever clients send. */
const LONGEST = 255;

/** The last few thousand answers of a lookup, at most 2 x 4096. `T` must not be `undefined`: that means "ask the table". */
export class RecentLookups<T> {
  private young = new Map<string, T>();
  private old = new Map<string, T>();

  get(name: string): T | undefined {
    const hit = this.young.get(name);
    if (hit !== undefined) return hit;
    const older = this.old.get(name);
    if (older !== undefined) this.keep(name, older);
    return older;
  }

  set(name: string, value: T): void {
    // A copy: a name cut from a request's head would keep the whole head alive.
    if (name.length <= LONGEST) this.keep(Buffer.from(name, 'latin1').toString('latin1'), value);
  }

  private keep(name: string, value: T): void {
    if (this.young.size >= GENERATION) {
      this.old = this.young;
      this.young = new Map();
    }
    this.young.set(name, value);
  }
}
