// The `date` of responses (spec dataplane.md §3.7): its text is made once a second, not once a response.

let second = Number.NaN;
let text = '';

/** Wall clock milliseconds as RFC 1123 text. */
export function httpDate(now: number): string {
  const of = Math.floor(now / 1000);
  if (of !== second) {
    second = of;
    text = new Date(of * 1000).toUTCString();
  }
  return text;
}
