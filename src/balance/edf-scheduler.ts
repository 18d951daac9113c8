// Earliest deadline first: picks entries in proportion to their weights, evenly spread. Source: envoyproxy/envoy
// source/common/upstream/edf_scheduler.h.

interface Entry<T> {
  readonly value: T;
  deadline: number;
  /** Breaks ties: first in, first out. */
  order: number;
}

/** Earliest deadline first: each pick moves the picked one back by 1/weight. */
export class EdfScheduler<T> {
  private readonly heap: Entry<T>[] = [];
  private now = 0;
  private sequence = 0;

  add(value: T, weight: number): void {
    this.insert({ value, deadline: this.now + 1 / weight, order: this.sequence++ });
  }

  /** The entry that is due; it is scheduled again with what `weight` says now. `undefined` when there is none. */
  pick(weight: (value: T) => number): T | undefined {
    const entry = this.heap[0];
    if (entry === undefined) return undefined;
    this.now = entry.deadline;
    entry.deadline = this.now + 1 / weight(entry.value);
    entry.order = this.sequence++;
    this.sink();
    return entry.value;
  }

  private insert(entry: Entry<T>): void {
    let at = this.heap.push(entry) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!isBefore(entry, this.at(parent))) break;
      this.heap[at] = this.at(parent);
      at = parent;
    }
    this.heap[at] = entry;
  }

  private sink(): void {
    const entry = this.at(0);
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= this.heap.length) break;
      if (child + 1 < this.heap.length && isBefore(this.at(child + 1), this.at(child))) child++;
      if (!isBefore(this.at(child), entry)) break;
      this.heap[at] = this.at(child);
      at = child;
    }
    this.heap[at] = entry;
  }

  private at(index: number): Entry<T> {
    return this.heap[index] as Entry<T>;
  }
}

function isBefore<T>(a: Entry<T>, b: Entry<T>): boolean {
  return a.deadline < b.deadline || (a.deadline === b.deadline && a.order < b.order);
}
