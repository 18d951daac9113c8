// Makes a differing configuration and call small: parts are taken out as long as the difference stays.

/** A value with one part less, for every part that can be taken out; big parts first. */
export function smaller(value: unknown): readonly unknown[] {
  const made: unknown[] = [];
  if (Array.isArray(value)) {
    for (let index = 0; index < value.length; index++) made.push(value.filter((_, at) => at !== index));
    for (const [index, member] of value.entries())
      for (const less of smaller(member)) made.push(value.map((other, at) => (at === index ? less : other)));
    return made;
  }
  if (typeof value !== 'object' || value === null) return made;
  const entries = Object.entries(value);
  for (const [key] of entries) made.push(Object.fromEntries(entries.filter(([other]) => other !== key)));
  for (const [key, member] of entries)
    for (const less of smaller(member))
      made.push(Object.fromEntries(entries.map(([other, one]) => [other, other === key ? less : one])));
  return made;
}

/** The smallest value found for which `holds`, in at most `limit` tries. */
export async function reduce<T>(value: T, holds: (candidate: T) => Promise<boolean>, limit: number): Promise<T> {
  let best = value;
  let tries = 0;
  for (let improved = true; improved && tries < limit; ) {
    improved = false;
    // After a success the next part has moved to the same place, so nothing that failed is tried again in this pass.
    for (let index = 0; tries < limit; tries++) {
      const candidates = smaller(best);
      if (index >= candidates.length) break;
      const candidate = candidates[index] as T;
      if (await holds(candidate)) {
        best = candidate;
        improved = true;
      } else {
        index += 1;
      }
    }
  }
  return best;
}
