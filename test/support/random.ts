// Numbers for random tests that a failure can be repeated with.

/** A fixed sequence of integers from 0 up to the bound of each call (xorshift32). */
export function randomNumbers(seed: number): (bound: number) => number {
  let state = seed;
  return (bound) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % bound;
  };
}
