// Durations as the recordings and Envoy's config dump print them: proto3 JSON, seconds with 0, 3, 6 or 9 decimals and
// an `s` ('0s', '0.250s', '15s'). Inside our own code a duration is a number of milliseconds.

/** Milliseconds of a proto3 JSON duration; `undefined` when the text is not one. */
export function parseDuration(text: string): number | undefined {
  const match = /^(-?)(\d+)(?:\.(\d{1,9}))?s$/.exec(text);
  if (match === null) return undefined;
  const fraction = match[3] === undefined ? 0 : Number(`0.${match[3]}`);
  const seconds = Number(match[2]) + fraction;
  return Math.round((match[1] === '-' ? -seconds : seconds) * 1e9) / 1e6;
}

/** The proto3 JSON form of a number of milliseconds: `250` gives '0.250s', `15000` gives '15s'. */
export function renderDuration(milliseconds: number): string {
  const nanos = Math.round(milliseconds * 1e6);
  const sign = nanos < 0 ? '-' : '';
  const whole = Math.floor(Math.abs(nanos) / 1e9);
  const rest = Math.abs(nanos) % 1e9;
  if (rest === 0) return `${sign}${whole}s`;
  const digits = rest.toString().padStart(9, '0');
  const decimals = rest % 1e6 === 0 ? 3 : rest % 1e3 === 0 ? 6 : 9;
  return `${sign}${whole}.${digits.slice(0, decimals)}s`;
}
