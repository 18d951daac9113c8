// The indexed comparison of hosts answers as a plain reading of spec gateway.md §5.2 does.
import t from 'tap';
import { overlaps, subsetOf } from '../../../src/config/model/host-name.js';
import { ServerHosts } from '../../../src/translate/routes/server-hosts.js';

const POOL = ['*', '*.test', '*.a.test', '*a.test', 'a.test', 'b.a.test', 'c.b.a.test', 'A.test', 'x', '*.x', 'test'];

/** The members of POOL whose bits are set. */
function subset(bits: number): readonly string[] {
  return POOL.filter((_, index) => (bits & (1 << index)) !== 0);
}

function plainIntersection(hosts: readonly string[], others: readonly string[]): readonly string[] {
  const result = new Set<string>();
  for (const host of hosts) {
    for (const other of others) {
      if (subsetOf(host, other)) result.add(host);
      else if (subsetOf(other, host)) result.add(other);
    }
  }
  return [...result];
}

function indexedIntersection(hosts: readonly string[], others: readonly string[]): readonly string[] {
  return new ServerHosts(hosts).intersection(others);
}

t.test('the more specific host of each pair survives an intersection', async (t) => {
  const cases: readonly (readonly [string[], string[], string[]])[] = [
    [['*'], ['a.com'], ['a.com']],
    [['*.example.com'], ['*'], ['*.example.com']],
    [['a.example.com'], ['*.example.com'], ['a.example.com']],
    [['*.example.com'], ['example.com'], []],
    [['Example.com'], ['example.com'], []],
    [
      ['*.a.test', 'b.test'],
      ['x.a.test', '*'],
      ['x.a.test', '*.a.test', 'b.test'],
    ],
    [['a.test', '*.test'], ['a.test'], ['a.test']],
    [[], ['*'], []],
  ];
  for (const [hosts, others, want] of cases)
    for (const intersect of [plainIntersection, indexedIntersection])
      t.same([...intersect(hosts, others)].sort(), [...want].sort(), `${hosts.join(' ')} with ${others.join(' ')}`);
});

t.test('the index agrees with the plain reading', async (t) => {
  let wrong = 0;
  // 31 and 37 have no common factor with 2048, so that both walk through all subsets in different orders.
  for (let i = 0; i < 2048; i++) {
    const hosts = subset((i * 31) % 2048);
    const others = subset((i * 37 + 5) % 2048);
    const index = new ServerHosts(hosts);
    if ([...index.intersection(others)].sort().join() !== [...plainIntersection(hosts, others)].sort().join()) wrong++;
    for (const other of POOL) if (index.overlaps(other) !== hosts.some((host) => overlaps(host, other))) wrong++;
  }
  t.equal(wrong, 0);
});
