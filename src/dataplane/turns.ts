// Long work on the serving thread, a few milliseconds at a time: connections are served in between.

/** A slice of work: what a request waits at most because of it. */
const SLICE = 4;
/** The clock is asked after that many steps only. */
const STEPS = 16;

/**
 *     const turns = new Turns();
 *     for (const chain of chains) {
 *       if (turns.isOver()) await turns.next();
 *       build(chain);
 *     }
 */
export class Turns {
  private began = performance.now();
  private steps = 0;

  /** To be asked before each step. */
  isOver(): boolean {
    return ++this.steps % STEPS === 0 && performance.now() - this.began > SLICE;
  }

  /** Resolves when whatever is waiting has been served. */
  async next(): Promise<void> {
    await new Promise<void>((resolve) => {
      setImmediate(resolve);
    });
    this.began = performance.now();
  }
}
