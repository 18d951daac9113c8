// The open streams of a connection by id. No Map: as streams come and go it drops its tables, and each dropped one keeps
// its followers and their streams until a full garbage collection (live-set.ts). Ids count up by two, so the slot of an
// id is mostly free; else the next free one is taken.

interface Identified {
  readonly id: number;
}

/** Slots that a table begins with; a power of two. */
const SMALLEST = 16;

/** `T` by its id. */
export class StreamTable<T extends Identified> {
  size = 0;
  /** At least half of them are free. */
  private slots: (T | undefined)[] = new Array<T | undefined>(SMALLEST).fill(undefined);

  get(id: number): T | undefined {
    const { slots } = this;
    const mask = slots.length - 1;
    for (let at = (id >>> 1) & mask; ; at = (at + 1) & mask) {
      const found = slots[at];
      if (found === undefined || found.id === id) return found;
    }
  }

  /** The id must not be here yet. */
  add(stream: T): void {
    if (++this.size > this.slots.length / 2) this.grow();
    this.place(stream);
  }

  /** False when there is none of that id. */
  delete(id: number): boolean {
    const { slots } = this;
    const mask = slots.length - 1;
    let hole = (id >>> 1) & mask;
    while (slots[hole]?.id !== id) {
      if (slots[hole] === undefined) return false;
      hole = (hole + 1) & mask;
    }
    this.size--;
    slots[hole] = undefined;
    // Whoever stands behind and could not have the hole moves into it, so that no search ends too early.
    for (let at = (hole + 1) & mask; ; at = (at + 1) & mask) {
      const stream = slots[at];
      if (stream === undefined) return true;
      const home = (stream.id >>> 1) & mask;
      if (((at - home) & mask) < ((at - hole) & mask)) continue;
      slots[hole] = stream;
      slots[at] = undefined;
      hole = at;
    }
  }

  clear(): void {
    this.slots = new Array<T | undefined>(SMALLEST).fill(undefined);
    this.size = 0;
  }

  /** All of them, oldest first; the table may change while they are gone through. */
  values(): T[] {
    const all: T[] = [];
    for (const stream of this.slots) if (stream !== undefined) all.push(stream);
    return all.sort((a, b) => a.id - b.id);
  }

  private place(stream: T): void {
    const { slots } = this;
    const mask = slots.length - 1;
    let at = (stream.id >>> 1) & mask;
    while (slots[at] !== undefined) at = (at + 1) & mask;
    slots[at] = stream;
  }

  private grow(): void {
    const old = this.slots;
    this.slots = new Array<T | undefined>(old.length * 2).fill(undefined);
    for (const stream of old) if (stream !== undefined) this.place(stream);
  }
}
