// Where two JSON values differ, as readable paths. Keys in any order, lists in theirs.

/** 'path: got X, want Y' for each difference, at most `limit`. */
export function differences(got: unknown, want: unknown, limit = 20): readonly string[] {
  const found: string[] = [];
  compare(got, want, '', found, limit);
  return found;
}

function compare(got: unknown, want: unknown, path: string, found: string[], limit: number): void {
  if (found.length >= limit || Object.is(got, want)) return;
  if (Array.isArray(got) && Array.isArray(want)) {
    if (got.length !== want.length) found.push(`${path}.length: got ${got.length}, want ${want.length}`);
    for (let i = 0; i < Math.min(got.length, want.length); i++) compare(got[i], want[i], `${path}[${i}]`, found, limit);
    return;
  }
  if (isRecord(got) && isRecord(want)) {
    for (const key of new Set([...Object.keys(got), ...Object.keys(want)]))
      compare(got[key], want[key], path === '' ? key : `${path}.${key}`, found, limit);
    return;
  }
  found.push(`${path}: got ${short(got)}, want ${short(want)}`);
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function short(value: unknown): string {
  const text = JSON.stringify(value) ?? 'undefined';
  return text.length > 160 ? `${text.slice(0, 160)}…` : text;
}
