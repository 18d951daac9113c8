// `--upstream`: which mapping takes which cluster, and that nothing but endpoints changes.
import t, { type Test } from 'tap';
import {
  applyUpstreamMappings,
  parseUpstreamFile,
  parseUpstreamMapping,
  type UpstreamMapping,
} from '../../src/gateway/upstream-mapping.js';
import type { Cluster, Endpoint, Snapshot } from '../../src/xds/index.js';

const HOST = 'web.shop.svc.cluster.local';

function mapping(text: string): UpstreamMapping {
  const parsed = parseUpstreamMapping(text);
  if (parsed === undefined) throw new Error(text);
  return parsed;
}

function endpoint(address: string): Endpoint {
  return { address, weight: 1, locality: {}, priority: 0, health: 'HEALTHY' };
}

function snapshotOf(clusters: Readonly<Record<string, readonly string[]>>): Snapshot {
  return {
    listeners: [],
    routes: [],
    clusters: Object.keys(clusters).map(
      (name): Cluster => ({ name, type: 'EDS', connect_timeout: '10s', lb_policy: 'RANDOM' }),
    ),
    endpoints: Object.fromEntries(Object.entries(clusters).map(([name, addresses]) => [name, addresses.map(endpoint)])),
    secrets: {},
    accessLog: {},
    node: { ipAddress: '127.0.0.1' },
  };
}

function checkMapping(
  t: Test,
  mappings: readonly string[],
  cluster: string,
  want: readonly string[],
  known: readonly string[] = ['10.0.0.1:80'],
): void {
  const { snapshot } = applyUpstreamMappings(snapshotOf({ [cluster]: known }), mappings.map(mapping));
  t.strictSame(
    snapshot.endpoints[cluster]?.map(({ address }) => address),
    want,
    `${mappings.join(' ')} for ${cluster}`,
  );
}

t.test('the most specific mapping wins, the later of two equal ones', (t) => {
  checkMapping(t, [`${HOST}=127.0.0.1:1`], `outbound|80||${HOST}`, ['127.0.0.1:1']);
  checkMapping(t, [`${HOST}:80=127.0.0.1:2`, `${HOST}=127.0.0.1:1`], `outbound|80||${HOST}`, ['127.0.0.1:2']);
  checkMapping(t, [`${HOST}:81=127.0.0.1:2`], `outbound|80||${HOST}`, ['10.0.0.1:80']);
  checkMapping(t, [`${HOST}:80/v2=127.0.0.1:3`, `${HOST}:80=127.0.0.1:2`], `outbound|80|v2|${HOST}`, ['127.0.0.1:3']);
  checkMapping(t, [`${HOST}:80/v2=127.0.0.1:3`], `outbound|80|v1|${HOST}`, ['10.0.0.1:80']);
  checkMapping(t, [`${HOST}=127.0.0.1:1`, `${HOST}=127.0.0.1:2,127.0.0.1:3`], `outbound|80||${HOST}`, [
    '127.0.0.1:2',
    '127.0.0.1:3',
  ]);
  checkMapping(t, ['*.cluster.local=127.0.0.1:1', '*.shop.svc.cluster.local=127.0.0.1:2'], `outbound|80||${HOST}`, [
    '127.0.0.1:2',
  ]);
  checkMapping(t, ['web.shop=127.0.0.1:1'], `outbound|80||${HOST}`, ['127.0.0.1:1']);
  checkMapping(t, ['web.shop.svc=127.0.0.1:1'], `outbound_.80_._.${HOST}`, ['127.0.0.1:1']);
  checkMapping(t, [`${HOST}=[::1]:9`], `outbound|80||${HOST}`, ['[::1]:9']);
  checkMapping(t, [`${HOST}=localhost:9`], `outbound|80||${HOST}`, ['127.0.0.1:9']);
  t.end();
});

t.test('a subset that selects no pod stays empty when the files show the service’s pods', (t) => {
  const snapshot = snapshotOf({ [`outbound|80||${HOST}`]: ['10.0.0.1:80'], [`outbound|80|v9|${HOST}`]: [] });
  const mapped = applyUpstreamMappings(snapshot, [mapping(`${HOST}=127.0.0.1:1`)]).snapshot;
  t.strictSame(mapped.endpoints[`outbound|80|v9|${HOST}`], []);
  const named = applyUpstreamMappings(snapshot, [mapping(`${HOST}/v9=127.0.0.1:1`)]).snapshot;
  t.equal(named.endpoints[`outbound|80|v9|${HOST}`]?.length, 1, 'unless the subset itself is mapped');
  t.end();
});

t.test('a name as target becomes a DNS cluster, everything else of the cluster stays', (t) => {
  const { snapshot, unused } = applyUpstreamMappings(snapshotOf({ [`outbound|80||${HOST}`]: [] }), [
    mapping(`${HOST}=host.docker.internal:3000`),
    mapping('gone.example.com=127.0.0.1:1'),
  ]);
  t.match(snapshot.clusters, [
    { name: `outbound|80||${HOST}`, type: 'STRICT_DNS', lb_policy: 'RANDOM', connect_timeout: '10s' },
  ]);
  t.strictSame(
    unused.map(({ host }) => host),
    ['gone.example.com'],
  );
  t.end();
});

t.test('what is no mapping is not taken for one', (t) => {
  for (const text of ['', 'x', '=127.0.0.1:1', 'a=b', 'a:0=b:1', 'a:80=b:70000', 'a:x=b:1', 'a b=c:1', 'a=:1']) {
    t.equal(parseUpstreamMapping(text), undefined, text);
  }
  t.equal(typeof parseUpstreamFile('- a'), 'string');
  t.equal(typeof parseUpstreamFile('a: [1]'), 'string');
  t.equal(typeof parseUpstreamFile('{'), 'string');
  t.match(parseUpstreamFile('upstreams:\n  web.shop:80/v1: 127.0.0.1:3000\n'), [
    { host: 'web.shop', port: 80, subset: 'v1' },
  ]);
  t.end();
});
