import t from 'tap';
import { RecentLookups } from '../../src/match/recent-lookups.js';

/** Asks for the names in turn, as an index does; returns how many answers came from memory. */
function ask(recent: RecentLookups<string>, names: readonly string[], times: number): number {
  let hits = 0;
  for (let round = 0; round < times; round++) {
    for (const name of names) {
      const known = recent.get(name);
      if (known === undefined) recent.set(name, `value of ${name}`);
      else {
        hits++;
        if (known !== `value of ${name}`) t.fail(`${name} has the answer of another: ${known}`);
      }
    }
  }
  return hits;
}

const names = (count: number): string[] => Array.from({ length: count }, (_, i) => `h${i}.example.com`);

t.equal(ask(new RecentLookups(), names(4096), 10), 9 * 4096, 'every name after the first round');
t.equal(ask(new RecentLookups(), names(100), 1000), 999 * 100, 'few names');
t.equal(ask(new RecentLookups(), names(65_536), 4), 0, 'more than fit');

const recent = new RecentLookups<string>();
ask(recent, names(65_536), 2);
t.equal(ask(recent, names(100), 10_000) > 9000 * 100, true, 'comes back when the names become few');

const long = new RecentLookups<string>();
t.equal(ask(long, ['x'.repeat(256)], 5), 0, 'names longer than 255 are not kept');
