// What comes and goes all the time: streams of a connection, connections of a listener. A Set drops a table every few
// members, and a dropped table points at the one that follows it: once such a table has grown old, all of its followers
// are kept with their members until a full garbage collection. Here nothing is dropped.

/** A member of one set at most. */
export interface LiveMember {
  /** The set's own: -1 = in none. */
  place: number;
}

/**
 * A set without an order. Iterating over it while it changes may miss a member; take `[...set]` for that.
 *
 *     set.add(stream);
 *     if (!set.delete(stream)) return; // it was not there any more
 */
export class LiveSet<T extends LiveMember> implements Iterable<T> {
  private readonly members: T[] = [];

  get size(): number {
    return this.members.length;
  }

  /** `member` must be in no set. */
  add(member: T): void {
    member.place = this.members.length;
    this.members.push(member);
  }

  /** False when it is not here. */
  delete(member: T): boolean {
    const { members } = this;
    const { place } = member;
    if (members[place] !== member) return false;
    const last = members.pop() as T;
    if (last !== member) {
      members[place] = last;
      last.place = place;
    }
    member.place = -1;
    return true;
  }

  [Symbol.iterator](): Iterator<T> {
    return this.members[Symbol.iterator]();
  }
}
