import t from 'tap';
import { StreamTable } from '../../../src/dataplane/codec/http2/stream-table.js';

const ids = (table: StreamTable<{ readonly id: number }>): number[] => table.values().map(({ id }) => id);

const table = new StreamTable<{ readonly id: number }>();
t.equal(table.get(1), undefined);
t.equal(table.delete(1), false);
const first = { id: 1 };
table.add(first);
t.equal(table.get(1), first);
// 33 and 65 want the slot of 1.
for (const id of [33, 65, 3]) table.add({ id });
t.strictSame(ids(table), [1, 3, 33, 65], 'oldest first');
t.equal(table.delete(1), true);
t.equal(table.delete(1), false, 'not twice');
for (const id of [3, 33, 65]) t.equal(table.get(id)?.id, id, `${id} is still found`);
t.equal(table.get(97), undefined, 'another one of that slot');
t.equal(table.size, 3);
table.clear();
t.strictSame([table.size, ids(table), table.get(3)], [0, [], undefined]);

t.test('agrees with a Map, whatever comes and goes', async (t) => {
  let seed = 11;
  const next = (below: number): number => {
    seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648;
    return seed % below;
  };
  const ours = new StreamTable<{ readonly id: number }>();
  const theirs = new Map<number, { readonly id: number }>();
  let id = -1;
  let differences = 0;
  for (let i = 0; i < 20_000; i++) {
    if (next(2) === 0 || theirs.size === 0) {
      // Now and then far ahead, as where other streams were refused.
      id += next(40) === 0 ? 2 * next(500) + 2 : 2;
      const stream = { id };
      ours.add(stream);
      theirs.set(id, stream);
    } else {
      const all = [...theirs.keys()];
      const gone = all[next(all.length)] as number;
      theirs.delete(gone);
      if (!ours.delete(gone)) differences++;
    }
    const asked = next(id + 3);
    if (ours.get(asked) !== theirs.get(asked) || ours.size !== theirs.size) differences++;
  }
  t.equal(differences, 0);
  t.strictSame(ids(ours), [...theirs.keys()]);
});
