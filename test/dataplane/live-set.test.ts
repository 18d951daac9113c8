import t from 'tap';
import { type LiveMember, LiveSet } from '../../src/dataplane/live-set.js';

interface Named extends LiveMember {
  readonly name: string;
}

const member = (name: string): Named => ({ name, place: -1 });
const names = (set: LiveSet<Named>): string[] => [...set].map(({ name }) => name).sort();

const set = new LiveSet<Named>();
const [a, b, c, stranger] = [member('a'), member('b'), member('c'), member('stranger')];
for (const one of [a, b, c]) set.add(one);
t.strictSame(names(set), ['a', 'b', 'c']);
t.equal(set.delete(stranger), false, 'never in it');
t.equal(set.delete(a), true);
t.equal(set.delete(a), false, 'not twice');
t.strictSame(names(set), ['b', 'c'], 'the others stay');
t.equal(a.place, -1);
t.equal(set.delete(c), true);
t.equal(set.delete(b), true);
t.equal(set.size, 0);

const other = new LiveSet<Named>();
other.add(a);
set.add(b);
t.equal(set.delete(a), false, 'the member of another set at the same place');
t.equal(set.size, 1);

t.test('any order of coming and going', async (t) => {
  const live = new LiveSet<Named>();
  const expected = new Set<Named>();
  let seed = 7;
  const next = (below: number): number => {
    seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648;
    return seed % below;
  };
  const all = Array.from({ length: 50 }, (_, i) => member(`m${i}`));
  for (let i = 0; i < 2000; i++) {
    const one = all[next(all.length)] as Named;
    if (expected.has(one)) {
      expected.delete(one);
      if (!live.delete(one)) t.fail(`${one.name} was in it`);
    } else {
      expected.add(one);
      live.add(one);
    }
  }
  t.strictSame(names(live), [...expected].map(({ name }) => name).sort());
});
