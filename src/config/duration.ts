// Durations as Go reads them, which is what Istio's fields and the API server's rules both use. Spec validation.md §7,
// §8.1.

const UNITS: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3, // U+00B5
  μs: 1e-3, // U+03BC
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
};

const PART = /([0-9]+\.?[0-9]*|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h)/y;

/** Go counts nanoseconds in 63 bits. */
const LONGEST = 2 ** 63 / 1e6;

/** Milliseconds of `1m30s`, `1.5s`, `100ms`, `-2h`, `0`; `undefined` when Go's time.ParseDuration would refuse it. */
export function parseDuration(text: string): number | undefined {
  const negative = text.startsWith('-');
  const body = negative || text.startsWith('+') ? text.slice(1) : text;
  if (body === '0') return 0;
  if (body === '') return undefined;
  let total = 0;
  PART.lastIndex = 0;
  while (PART.lastIndex < body.length) {
    const part = PART.exec(body);
    if (part === null) return undefined;
    total += Number(part[1]) * (UNITS[part[2] ?? ''] ?? 0);
  }
  if (total >= LONGEST) return undefined;
  // Go counts nanoseconds, so 0.1s + 0.2s is exactly 300ms.
  const rounded = Math.round(total * 1e6) / 1e6;
  return negative ? -rounded : rounded;
}

/** What Go's time.ParseDuration says of a text that is no duration. */
export function durationProblem(text: string): string {
  const quoted = JSON.stringify(text);
  const invalid = `time: invalid duration ${quoted}`;
  let rest = text.replace(/^[-+]/, '');
  if (rest === '') return invalid;
  while (rest !== '') {
    const number = /^(?:[0-9]+\.?[0-9]*|\.[0-9]+)/.exec(rest)?.[0];
    if (number === undefined) return invalid;
    rest = rest.slice(number.length);
    const unit = /^[^.0-9]*/.exec(rest)?.[0] ?? '';
    if (unit === '') return `time: missing unit in duration ${quoted}`;
    if (!Object.hasOwn(UNITS, unit)) return `time: unknown unit ${JSON.stringify(unit)} in duration ${quoted}`;
    rest = rest.slice(unit.length);
  }
  return invalid;
}
