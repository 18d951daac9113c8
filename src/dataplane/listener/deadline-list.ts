// Deadlines that are all equally far away, on one timer: a connection costs a list node, not a timer (performance.md §3.8).
import type { Environment, Timer } from '../environment.js';

interface Node {
  readonly at: number;
  readonly expire: () => void;
  previous: Node | undefined;
  next: Node | undefined;
  listed: boolean;
}

/** Many deadlines of one length under one timer. */
export class DeadlineList {
  private readonly environment: Environment;
  private readonly milliseconds: number;
  private first: Node | undefined = undefined;
  private last: Node | undefined = undefined;
  private timer: Timer | undefined = undefined;

  constructor(environment: Environment, milliseconds: number) {
    this.environment = environment;
    this.milliseconds = milliseconds;
  }

  /** `expire` runs once when the time is over, unless the deadline was cancelled. */
  add(expire: () => void): Timer {
    const node: Node = {
      at: this.environment.now() + this.milliseconds,
      expire,
      previous: this.last,
      next: undefined,
      listed: true,
    };
    if (this.last === undefined) this.first = node;
    else this.last.next = node;
    this.last = node;
    this.timer ??= this.arm(this.milliseconds);
    return { cancel: () => this.remove(node) };
  }

  private remove(node: Node): void {
    if (!node.listed) return;
    node.listed = false;
    if (node.previous === undefined) this.first = node.next;
    else node.previous.next = node.next;
    if (node.next === undefined) this.last = node.previous;
    else node.next.previous = node.previous;
    // An old node that still pointed at younger ones would keep them, and theirs, until a full garbage collection.
    node.previous = undefined;
    node.next = undefined;
    // The timer is left to fire: stopping and starting it per connection is what this list saves.
  }

  private arm(milliseconds: number): Timer {
    return this.environment.setTimer(milliseconds, () => {
      this.timer = undefined;
      const now = this.environment.now();
      // A timer may be early by a fraction of a millisecond.
      while (this.first !== undefined && this.first.at <= now + 1) {
        const node = this.first;
        this.remove(node);
        node.expire();
      }
      if (this.first !== undefined) this.timer ??= this.arm(Math.max(1, this.first.at - now));
    });
  }
}
