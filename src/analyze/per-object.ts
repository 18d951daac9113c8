// What is read of an object once and asked for often. Objects of unchanged files stay the same from one look to the next
// (LoadCache), and so does what was read of them.
import type { WrittenObject } from '../config/written-object.js';

/** `compute`, remembered for as long as the object lives. */
export function perObject<T>(compute: (object: WrittenObject) => T): (object: WrittenObject) => T {
  const known = new WeakMap<WrittenObject, { readonly value: T }>();
  return (object) => {
    let found = known.get(object);
    if (found === undefined) {
      found = { value: compute(object) };
      known.set(object, found);
    }
    return found.value;
  };
}
