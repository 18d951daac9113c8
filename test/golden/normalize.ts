// What differs each time is replaced before anything is compared, in recordings and replays alike.
import type { Pairs } from './support.js';

const UUID = /\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b/gi;
const DATE = /\b(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d{2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} GMT/g;

/** Text that is no header and no raw response. */
export function normalizeText(text: string): string {
  return text.replace(UUID, '<uuid>');
}

/** Raw bytes that may hold a response or request head. */
export function normalizeBytes(bytes: string): string {
  return normalizeText(bytes)
    .replace(DATE, '<date>')
    .replace(/(x-envoy-upstream-service-time: )\d+/gi, '$1<ms>');
}

/** Names in lower case, sorted by name; values of one name keep their order. */
export function normalizeHeaders(headers: Pairs): Pairs {
  return headers
    .map(([name, value]): readonly [string, string] => {
      const key = name.toLowerCase();
      if (key === 'date') return [key, '<date>'];
      if (key === 'x-envoy-upstream-service-time') return [key, '<ms>'];
      return [key, normalizeText(value)];
    })
    .sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
}
