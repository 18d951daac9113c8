// Pairs among many texts of which one begins or ends with the other, without comparing each with each: a file may hold
// hundreds of thousands.
import { isWildcard } from '../model/host-name.js';

/** Positions, the smaller one first. */
export type Pair = readonly [first: number, second: number];

/** Shorter texts that an entry is looked up by. */
class TailIndex {
  private readonly places = new Map<string, number[]>();
  private readonly lengths = new Set<number>();

  add(tail: string, place: number): void {
    const places = this.places.get(tail);
    if (places === undefined) this.places.set(tail, [place]);
    else places.push(place);
    this.lengths.add(tail.length);
  }

  /** Places of every tail that `text` ends with. */
  *endsOf(text: string): Iterable<number> {
    for (const length of this.lengths) {
      if (length <= text.length) yield* this.places.get(text.slice(text.length - length)) ?? [];
    }
  }

  /** Places of every start that `text` begins with. */
  *startsOf(text: string): Iterable<number> {
    for (const length of this.lengths) {
      if (length <= text.length) yield* this.places.get(text.slice(0, length)) ?? [];
    }
  }

  *same(text: string): Iterable<number> {
    yield* this.places.get(text) ?? [];
  }
}

/** Hosts of which some name fits both, in order; at most `limit` pairs. Spec validation.md §2.1. */
export function overlappingHosts(hosts: readonly string[], limit: number): readonly Pair[] {
  const wildcards = new TailIndex();
  const names = new TailIndex();
  for (const [place, host] of hosts.entries()) {
    if (isWildcard(host)) wildcards.add(host.slice(1), place);
    else names.add(host, place);
  }
  const pairs = new Map<string, Pair>();
  for (const [place, host] of hosts.entries()) {
    const others = isWildcard(host) ? [] : names.same(host);
    for (const candidates of [wildcards.endsOf(isWildcard(host) ? host.slice(1) : host), others]) {
      for (const other of candidates) {
        if (other === place) continue;
        const pair: Pair = other < place ? [other, place] : [place, other];
        pairs.set(pair.join(), pair);
        if (pairs.size >= limit) return sorted(pairs.values());
      }
    }
  }
  return sorted(pairs.values());
}

/** Places (earlier, later) where the later text begins with the earlier one, in order; at most `limit`. */
export function prefixPairs(texts: readonly string[], holds: (pair: Pair) => boolean, limit: number): readonly Pair[] {
  const index = new TailIndex();
  for (const [place, text] of texts.entries()) index.add(text, place);
  const pairs: Pair[] = [];
  let looks = 0;
  for (const [later, text] of texts.entries()) {
    for (const earlier of index.startsOf(text)) {
      if (++looks > MAX_LOOKS) return sorted(pairs);
      if (earlier < later && holds([earlier, later]) && pairs.push([earlier, later]) >= limit) return sorted(pairs);
    }
  }
  return sorted(pairs);
}

/** Rules that nobody wrote by hand. */
const MAX_LOOKS = 2_000_000;

function sorted(pairs: Iterable<Pair>): readonly Pair[] {
  return [...pairs].sort((a, b) => a[0] - b[0] || a[1] - b[1]);
}

/** Answers whether a host lies in one of many. Spec validation.md §2.1, `subset`. */
export class HostCover {
  private readonly names: ReadonlySet<string>;
  private readonly tails = new TailIndex();

  constructor(hosts: readonly string[]) {
    this.names = new Set(hosts.filter((host) => !isWildcard(host)));
    for (const [place, host] of hosts.entries()) if (isWildcard(host)) this.tails.add(host.slice(1), place);
  }

  covers(host: string): boolean {
    if (this.names.has(host)) return true;
    for (const _ of this.tails.endsOf(isWildcard(host) ? host.slice(1) : host)) return true;
    return false;
  }
}
