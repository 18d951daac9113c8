// Makes a differing configuration and call small: parts are taken out as long as the difference stays.

/** A value with one part less, for every part that can be taken out; big parts first. */
export function* smaller(value: unknown): Generator<unknown> {
  if (Array.isArray(value)) {
    for (let index = 0; index < value.length; index++) yield value.filter((_, at) => at !== index);
    for (const [index, member] of value.entries())
      for (const less of smaller(member)) yield value.map((other, at) => (at === index ? less : other));
    return;
  }
  if (typeof value !== 'object' || value === null) return;
  const entries = Object.entries(value);
  for (const [key] of entries) yield Object.fromEntries(entries.filter(([other]) => other !== key));
  for (const [key, member] of entries)
    for (const less of smaller(member))
      yield Object.fromEntries(entries.map(([other, one]) => [other, other === key ? less : one]));
}

/** The smallest value found for which `holds`, in at most `limit` tries. */
export async function reduce<T>(value: T, holds: (candidate: T) => Promise<boolean>, limit: number): Promise<T> {
  let best = value;
  let tries = 0;
  for (let improved = true; improved && tries < limit; ) {
    improved = false;
    for (const candidate of smaller(best)) {
      if (++tries > limit) break;
      if (!(await holds(candidate as T))) continue;
      best = candidate as T;
      improved = true;
      break;
    }
  }
  return best;
}
