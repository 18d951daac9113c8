// The indexed comparison of hosts answers as the plain one does (config/model/host-name.ts).
import t from 'tap';
import { intersection, overlaps } from '../../../src/config/model/host-name.js';
import { ServerHosts } from '../../../src/translate/routes/server-hosts.js';

const POOL = ['*', '*.test', '*.a.test', '*a.test', 'a.test', 'b.a.test', 'c.b.a.test', 'A.test', 'x', '*.x', 'test'];

/** The members of POOL whose bits are set. */
function subset(bits: number): readonly string[] {
  return POOL.filter((_, index) => (bits & (1 << index)) !== 0);
}

t.test('intersection and overlaps', async (t) => {
  let wrong = 0;
  // 31 and 37 have no common factor with 2048, so that both walk through all subsets in different orders.
  for (let i = 0; i < 2048; i++) {
    const hosts = subset((i * 31) % 2048);
    const others = subset((i * 37 + 5) % 2048);
    const index = new ServerHosts(hosts);
    if ([...index.intersection(others)].sort().join() !== [...intersection(hosts, others)].sort().join()) wrong++;
    for (const other of POOL) if (index.overlaps(other) !== hosts.some((host) => overlaps(host, other))) wrong++;
  }
  t.equal(wrong, 0);
});
