// The order in which istiod sorts names.

/** Go's order of strings, for `sort`. By UTF-16 units, which is byte order for everything that a name may hold. */
export function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
