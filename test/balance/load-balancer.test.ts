// Load balancing as a pure function of hosts, hash and draws; consistent hashing against the recordings.
import t from 'tap';
import type { BalancedHost } from '../../src/balance/balanced-host.js';
import { createLoadBalancer, type Selection } from '../../src/balance/load-balancer.js';
import { computePriorityLoad } from '../../src/balance/priority-load.js';
import type { ConsistentHash } from '../../src/config/model/destination-rule.js';
import { parseClusterName } from '../../src/translate/names.js';
import type { Cluster, Endpoint } from '../../src/xds/index.js';
import { combineHashes, xxHash64 } from '../../src/xds/xx-hash.js';
import { type HttpSpec, loadCase } from '../golden/support.js';
import { translateCase } from '../support/golden-translation.js';

interface TestHost extends BalancedHost {
  activeRequests: number;
  ejected: boolean;
}

const MASK = 0xffffffffffffffffn;
const [P1, P2, P3, P4, P5] = [
  0x9e3779b185ebca87n,
  0xc2b2ae3d27d4eb4fn,
  0x165667b19e3779f9n,
  0x85ebca77c2b2ae63n,
  0x27d4eb2f165667c5n,
] as const;

function host(address: string, endpoint: Partial<Endpoint> = {}): TestHost {
  return {
    address,
    activeRequests: 0,
    ejected: false,
    endpoint: { address, weight: 1, locality: {}, priority: 0, health: 'HEALTHY', ...endpoint },
  };
}

const PANIC_OFF: Pick<Cluster, 'common_lb_config'> = { common_lb_config: { healthy_panic_threshold: {} } };

function cluster(fields: Partial<Cluster>): Cluster {
  return { name: 'c', connect_timeout: '10s', ...PANIC_OFF, ...fields };
}

/** Draws in turn; the last one repeats. */
function draws(...values: readonly number[]): () => number {
  let index = 0;
  return () => values[Math.min(index++, values.length - 1)] ?? 0;
}

/** A fixed pseudo-random sequence (mulberry32). */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

function checkChoices(
  name: string,
  config: Cluster,
  hosts: readonly TestHost[],
  selection: Omit<Selection<TestHost>, 'random'> & { readonly random?: () => number },
  want: readonly (string | undefined)[],
): void {
  const balancer = createLoadBalancer(config, hosts);
  const random = selection.random ?? (() => 0);
  t.same(
    want.map(() => balancer.choose({ ...selection, random })?.address),
    want,
    name,
  );
}

function tally(config: Cluster, hosts: readonly TestHost[], count: number): Readonly<Record<string, number>> {
  const balancer = createLoadBalancer(config, hosts);
  const random = seeded(7);
  const counts: Record<string, number> = {};
  for (let index = 0; index < count; index++) {
    const address = balancer.choose({ random })?.address ?? 'none';
    counts[address] = (counts[address] ?? 0) + 1;
  }
  return counts;
}

t.test('xxHash64', (t) => {
  const vectors: readonly (readonly [text: string, seed: bigint, hex: string])[] = [
    ['', 0n, 'ef46db3751d8e999'],
    ['a', 0n, 'd24ec4f1a98c6e5b'],
    ['abc', 0n, '44bc2cf5ad770999'],
    ['The quick brown fox jumps over the lazy dog', 0n, '0b242d361fda71bc'],
    ['', 1n, 'd5afba1336a3be4b'],
    // Seen on a real gateway: the value of a generated cookie (spec destinations.md §8.3).
    ['203.0.113.7:51000198.51.100.1:8080', 0n, '3b98ddc8b6862b65'],
  ];
  for (const [text, seed, hex] of vectors)
    t.equal(xxHash64(text, seed).toString(16).padStart(16, '0'), hex, `${text} seed ${seed}`);
  const random = seeded(1);
  for (let length = 0; length < 100; length++) {
    const bytes = Uint8Array.from({ length }, () => Math.floor(random() * 256));
    const seed = BigInt(Math.floor(random() * 4294967296)) << 31n;
    t.equal(xxHash64(bytes, seed), plainXxHash64(bytes, seed), `${length} bytes`);
  }
  t.equal(combineHashes([undefined, 1n, undefined, 4n]), 6n, 'the earlier hash is rotated by one bit');
  t.equal(combineHashes([undefined]), undefined, 'no part, no hash');
  t.end();
});

t.test('consistent hashing goes where the real gateway went', (t) => {
  let compared = 0;
  for (const id of ['destinations/hash-header', 'destinations/hash-cookie-query', 'destinations/entry-static']) {
    const golden = loadCase(id);
    const { context, snapshot } = translateCase(golden);
    for (const [index, call] of golden.calls.entries()) {
      const requests = call.requests ?? (call.http === undefined ? [] : [call.http]);
      const log = golden.recorded.calls[index]?.log ?? [];
      if (log.length !== requests.length) continue;
      for (const [at, request] of requests.entries()) {
        const entry = log[at];
        const config = snapshot.clusters.find(({ name }) => name === entry?.cluster);
        if (config === undefined || entry?.attempts !== 1 || entry.flags !== undefined) continue;
        const hostname = parseClusterName(config.name)?.hostname ?? '';
        const rule = context.destinationRule(hostname)?.spec.trafficPolicy?.loadBalancer?.consistentHash;
        const hash = rule === undefined ? undefined : hashOf(rule, request);
        if (hash === undefined) continue;
        const hosts = (snapshot.endpoints[config.name] ?? []).map((endpoint) => host(endpoint.address, endpoint));
        const chosen = createLoadBalancer(config, hosts).choose({ hash, random: () => 0 });
        t.equal(chosen?.address, entry.upstream, `${id}: ${call.name} ${at}`);
        compared++;
      }
    }
  }
  t.ok(compared > 250, `${compared} choices compared`);
  t.end();
});

/** Plain header and query keys only; the other kinds are the hash policy's own tests. */
function hashOf(rule: ConsistentHash, request: HttpSpec): bigint | undefined {
  if (rule.httpQueryParameterName !== undefined) {
    const query = new RegExp(`[?&]${rule.httpQueryParameterName}=([^&]*)`).exec(request.path ?? '');
    return query === null ? undefined : xxHash64(query[1] ?? '');
  }
  const wanted = rule.httpHeaderName?.toLowerCase();
  const values = (request.headers ?? [])
    .filter(([name]) => name.toLowerCase() === wanted)
    .map(([, value]) => value.trim());
  if (wanted === undefined || values.length === 0) return undefined;
  return values.sort().reduce((seed, value) => xxHash64(value, seed), 0n);
}

const ring = cluster({ lb_policy: 'RING_HASH', ring_hash_lb_config: { minimum_ring_size: '16' } });
const three = (): readonly TestHost[] => [host('10.0.0.1:80'), host('10.0.0.2:80'), host('10.0.0.3:80')];

t.test('policies', (t) => {
  checkChoices('no host', cluster({ lb_policy: 'LEAST_REQUEST' }), [], {}, [undefined]);
  checkChoices('round robin goes round from a random start', cluster({}), three(), { random: draws(0.4) }, [
    '10.0.0.2:80',
    '10.0.0.3:80',
    '10.0.0.1:80',
    '10.0.0.2:80',
  ]);
  const busy = three();
  (busy[0] as TestHost).activeRequests = 2;
  checkChoices(
    'least request: the less busy of two draws, the first of equals',
    cluster({ lb_policy: 'LEAST_REQUEST' }),
    busy,
    { random: draws(0, 0.4, 0.4, 0.9) },
    ['10.0.0.2:80', '10.0.0.2:80'],
  );
  const weights = [host('a', { weight: 1 }), host('b', { weight: 2 }), host('c', { weight: 5 })];
  t.same(tally(cluster({}), weights, 800), { a: 100, b: 200, c: 500 }, 'round robin by weight is exact');
  t.same(
    tally(cluster({ lb_policy: 'LEAST_REQUEST' }), weights, 800),
    { a: 100, b: 200, c: 500 },
    'least request by weight, nobody busy',
  );
  const uniform = tally(cluster({ lb_policy: 'RANDOM' }), weights, 3000);
  for (const name of ['a', 'b', 'c'])
    t.ok(Math.abs((uniform[name] ?? 0) - 1000) < 120, `random ignores weights (${name}: ${uniform[name]})`);
  t.end();
});

t.test('consistent hash', (t) => {
  const key = xxHash64('user-1');
  const hosts = three();
  const balancer = createLoadBalancer(ring, hosts);
  const first = balancer.choose({ hash: key, random: () => 0 });
  t.equal(balancer.choose({ hash: key, random: () => 0.7 }), first, 'the same key, the same host');
  const second = balancer.choose({ hash: key, random: () => 0, exclude: first === undefined ? [] : [first] });
  t.not(second, first, 'an excluded host is walked past');
  t.equal(
    balancer.choose({ hash: key, random: () => 0, exclude: hosts }),
    balancer.choose({ hash: key, random: () => 0, exclude: hosts }),
    'when all are excluded the sixth draw counts',
  );
  t.not(balancer.choose({ random: draws(0.1) }), undefined, 'without a hash any host');
  if (first !== undefined) first.ejected = true;
  t.equal(balancer.choose({ hash: key, random: () => 0 }), first, 'an ejection counts once it is announced');
  balancer.hostsChanged();
  t.not(balancer.choose({ hash: key, random: () => 0 }), first, 'then the key moves');
  t.equal(createLoadBalancer(ring, []).choose({ hash: key, random: () => 0 }), undefined, 'no host');
  t.end();
});

t.test('health, priorities and panic', (t) => {
  const loads: readonly (readonly [
    string,
    readonly (readonly [number, number])[],
    number,
    readonly number[],
    readonly boolean[],
  ])[] = [
    [
      'all healthy',
      [
        [2, 2],
        [2, 2],
      ],
      0,
      [100, 0],
      [false, false],
    ],
    [
      'half of priority 0',
      [
        [2, 1],
        [2, 2],
      ],
      0,
      [70, 30],
      [false, false],
    ],
    [
      'scaled when in sum below 100',
      [
        [10, 2],
        [10, 4],
      ],
      0,
      [34, 66],
      [false, false],
    ],
    [
      'nobody, panic off',
      [
        [2, 0],
        [2, 0],
      ],
      0,
      [100, 0],
      [false, false],
    ],
    [
      'nobody, panic on: by number of hosts',
      [
        [1, 0],
        [3, 0],
      ],
      50,
      [25, 75],
      [true, true],
    ],
    [
      'one bad priority does not panic while all are served',
      [
        [4, 1],
        [4, 4],
      ],
      50,
      [35, 65],
      [false, false],
    ],
    [
      'empty priority 0',
      [
        [0, 0],
        [1, 1],
      ],
      50,
      [0, 100],
      [false, false],
    ],
  ];
  for (const [name, states, threshold, load, panic] of loads) {
    const health = states.map(([total, healthy]) => ({ total, healthy }));
    t.same(computePriorityLoad(health, threshold), { load, panic }, name);
  }
  const down = host('down:80', { health: 'UNHEALTHY' });
  checkChoices('unhealthy only, panic off', cluster({}), [down], {}, [undefined]);
  const panicking = cluster({ common_lb_config: { healthy_panic_threshold: { value: 50 } } });
  checkChoices('unhealthy only, panic on', panicking, [down], {}, ['down:80']);
  checkChoices('Envoy panics below 50 % where nothing is said', { name: 'c', connect_timeout: '1s' }, [down], {}, [
    'down:80',
  ]);
  const far = host('far:80', { priority: 1 });
  checkChoices('priority 0 first', cluster({}), [far, host('near:80')], {}, ['near:80', 'near:80']);
  checkChoices('priority 1 when 0 is gone', cluster({}), [{ ...host('near:80'), ejected: true }, far], {}, ['far:80']);
  checkChoices(
    'attempted priorities are left out',
    cluster({}),
    [host('near:80'), far],
    { excludePriorities: new Set([0]) },
    ['far:80'],
  );
  checkChoices(
    'but not by a hash',
    cluster({ lb_policy: 'RING_HASH' }),
    [host('near:80'), far],
    { hash: 1n, excludePriorities: new Set([0]) },
    ['near:80'],
  );
  checkChoices('until none is left', cluster({}), [host('near:80'), far], { excludePriorities: new Set([0, 1]) }, [
    'near:80',
  ]);
  t.end();
});

t.test('locality weights', (t) => {
  const weighted = cluster({ common_lb_config: { healthy_panic_threshold: {}, locality_weighted_lb_config: {} } });
  const localities = [
    host('eu-1', { locality: { region: 'eu' }, localityWeight: 80 }),
    host('eu-2', { locality: { region: 'eu' }, localityWeight: 80 }),
    host('us-1', { locality: { region: 'us' }, localityWeight: 20 }),
  ];
  t.same(tally(weighted, localities, 1000), { 'eu-1': 400, 'eu-2': 400, 'us-1': 200 }, 'each locality has its share');
  t.same(tally(cluster({}), localities, 900), { 'eu-1': 300, 'eu-2': 300, 'us-1': 300 }, 'without the config, flat');
  const degraded = localities.map((each) => ({ ...each, ejected: each.address === 'eu-1' }));
  // eu keeps 1.4 × ½ of its 80: 56 against 20.
  const counts = tally(weighted, degraded, 760);
  t.same(counts, { 'eu-2': 560, 'us-1': 200 }, 'a half-dead locality gives up traffic');
  const panicking = cluster({
    common_lb_config: { healthy_panic_threshold: { value: 90 }, locality_weighted_lb_config: {} },
  });
  const unhealthy = localities.map((each) => ({ ...each, ejected: each.address !== 'us-1' }));
  t.same(
    tally(panicking, unhealthy, 900),
    { 'eu-1': 300, 'eu-2': 300, 'us-1': 300 },
    'in panic localities weigh nothing',
  );
  t.end();
});

t.test('warm-up: a new host grows from its share to the whole', (t) => {
  const window = 100_000;
  const rows: readonly (readonly [name: string, config: Partial<Cluster>, age: number, share: number])[] = [
    ['just joined: at least 10 %', roundRobin({}), 0, 0.1],
    ['half of the window', roundRobin({}), window / 2, 0.5],
    ['aggression 2', roundRobin({ aggression: { default_value: 2 } }), window / 4, 0.5],
    ['a minimum of its own', roundRobin({ min_weight_percent: { value: 30 } }), window / 5, 0.3],
    ['without a minimum it waits for its first turn', roundRobin({ min_weight_percent: {} }), window / 2, 0],
    ['over', roundRobin({}), window + 1, 1],
    ['least request', { lb_policy: 'LEAST_REQUEST', least_request_lb_config: slow({}) }, window / 2, 0.5],
    ['not for RANDOM', { lb_policy: 'RANDOM', round_robin_lb_config: slow({}) }, 0, 1],
    ['not without a window', roundRobin({ slow_start_window: '0s' }), 0, 1],
  ];
  for (const [name, config, age, share] of rows) {
    let clock = 5_000;
    const old = [host('a:80'), host('b:80'), host('c:80')];
    const balancer = createLoadBalancer<TestHost>(cluster(config), old, () => clock);
    clock += 2 * window;
    const fresh = host('new:80');
    balancer.replaceHosts([...old, fresh]);
    clock += age;
    const random = seeded(3);
    let count = 0;
    const draws = 6200;
    for (let i = 0; i < draws; i++) if (balancer.choose({ random }) === fresh) count++;
    const want = (draws * share) / (3 + share);
    t.ok(Math.abs(count - want) < draws * 0.015, `${name}: ${count} of ${draws}, wanted ${Math.round(want)}`);
  }
  t.end();
});

t.test('another set of hosts does not restart round robin', (t) => {
  const [a, b, c, d] = ['a:80', 'b:80', 'c:80', 'd:80'].map((address) => host(address));
  if (a === undefined || b === undefined || c === undefined || d === undefined) throw new Error('no hosts');
  const balancer = createLoadBalancer<TestHost>(cluster({}), [a, b, c]);
  const next = (): string | undefined => balancer.choose({ random: () => 0 })?.address;
  t.same([next(), next()], ['a:80', 'b:80']);
  balancer.replaceHosts([a, b, c, d]);
  t.same([next(), next(), next()], ['c:80', 'd:80', 'a:80']);
  t.end();
});

t.test('how often an excluded host is drawn again', (t) => {
  const hosts = [host('a:80'), host('b:80')];
  const [a] = hosts;
  const choose = (maxDraws: number | undefined): string | undefined =>
    createLoadBalancer<TestHost>(cluster({ lb_policy: 'RANDOM' }), hosts).choose({
      exclude: a === undefined ? [] : [a],
      maxDraws,
      random: draws(0, 0, 0, 0, 0, 0.9),
    })?.address;
  t.equal(choose(5), 'a:80', 'given up');
  t.equal(choose(6), 'b:80');
  t.equal(choose(undefined), 'b:80', 'six is what Istio asks for');
  t.end();
});

function slow(config: NonNullable<Cluster['round_robin_lb_config']>['slow_start_config']) {
  return { slow_start_config: { slow_start_window: '100s', ...config } };
}

function roundRobin(config: NonNullable<Cluster['round_robin_lb_config']>['slow_start_config']): Partial<Cluster> {
  return { round_robin_lb_config: slow(config) };
}

/** The specification of xxHash64, word for word. */
function plainXxHash64(bytes: Uint8Array, seed: bigint): bigint {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const rotate = (value: bigint, bits: bigint): bigint => ((value << bits) | (value >> (64n - bits))) & MASK;
  const round = (value: bigint, lane: bigint): bigint => (rotate((value + lane * P2) & MASK, 31n) * P1) & MASK;
  let at = 0;
  let hash = (seed + P5) & MASK;
  if (bytes.length >= 32) {
    let lanes = [(seed + P1 + P2) & MASK, (seed + P2) & MASK, seed, (seed - P1) & MASK];
    for (; at + 32 <= bytes.length; at += 32)
      lanes = lanes.map((lane, index) => round(lane, view.getBigUint64(at + 8 * index, true)));
    hash = lanes.reduce((sum, lane, index) => sum + rotate(lane, [1n, 7n, 12n, 18n][index] ?? 0n), 0n) & MASK;
    for (const lane of lanes) hash = ((hash ^ round(0n, lane)) * P1 + P4) & MASK;
  }
  hash = (hash + BigInt(bytes.length)) & MASK;
  for (; at + 8 <= bytes.length; at += 8)
    hash = (rotate(hash ^ round(0n, view.getBigUint64(at, true)), 27n) * P1 + P4) & MASK;
  if (at + 4 <= bytes.length) {
    hash = (rotate(hash ^ ((BigInt(view.getUint32(at, true)) * P1) & MASK), 23n) * P2 + P3) & MASK;
    at += 4;
  }
  for (; at < bytes.length; at++) hash = (rotate(hash ^ ((BigInt(bytes[at] ?? 0) * P5) & MASK), 11n) * P1) & MASK;
  hash = ((hash ^ (hash >> 33n)) * P2) & MASK;
  hash = ((hash ^ (hash >> 29n)) * P3) & MASK;
  return hash ^ (hash >> 32n);
}
