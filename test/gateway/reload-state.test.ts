// A reload that does not touch a cluster leaves its load balancing, ejections and circuit breakers as they are; one that
// does starts it anew (issue 4; spec destinations.md §9.2, §10.3).
import t from 'tap';
import { startGateway } from '../../src/gateway.js';
import { until } from '../support/data-plane.js';
import { destination, EDGE, get, startNamedUpstream } from '../support/destination-gateway.js';

t.test('load balancing state survives a reload that does not touch its cluster', async (t) => {
  const upstreams = await Promise.all(['a', 'b', 'c', 'd'].map(startNamedUpstream));
  const [a, b, c, d] = upstreams.map(({ port }) => port) as [number, number, number, number];
  const balancing = '{simple: ROUND_ROBIN}';
  const ejecting = 'outlierDetection: {consecutive5xxErrors: 1, maxEjectionPercent: 100, baseEjectionTime: 300s}';
  const policy = `{loadBalancer: ${balancing}, ${ejecting}}`;
  const single = '{connectionPool: {http: {http2MaxRequests: 1}}}';
  const source = { yaml: EDGE + destination('app.test', [a, b, c, d], policy) + destination('one.test', [a], single) };
  const gateway = await startGateway({ config: [source] });
  t.teardown(async () => {
    await gateway.close();
    await Promise.all(upstreams.map((upstream) => upstream.close()));
  });
  const port = gateway.addresses[80]?.port ?? 0;
  const names = async (count: number): Promise<string> => {
    let text = '';
    for (let i = 0; i < count; i++) text += (await get(port, 'app.test')).body;
    return text;
  };

  const out = (await get(port, 'app.test', '/500')).body;
  const three = (await names(3)).split('').sort().join('');
  t.equal(three, 'abcd'.replace(out, ''), 'the one that failed is out');
  const holding = get(port, 'one.test', '/hold');
  await until(() => upstreams[0]?.held.length === 1, 'held');
  t.equal((await get(port, 'one.test')).status, 503, 'the only slot is taken');

  let last = await names(1);
  for (let round = 0; round < 3; round++) {
    source.yaml += destination(`other${round}.test`, [b], '');
    await gateway.reload();
    const next = await names(1);
    t.equal(next, three[(three.indexOf(last) + 1) % 3], 'round robin goes on where it was');
    last = next;
  }
  t.equal((await get(port, 'one.test')).status, 503, 'the slot is still taken');

  source.yaml = source.yaml.replace(
    destination('app.test', [a, b, c, d], policy),
    destination('app.test', [d, c, b, a], policy),
  );
  await gateway.reload();
  t.notMatch(await names(6), out, 'other endpoints: those that stay stay ejected');

  source.yaml = source.yaml
    .replace(balancing, '{simple: LEAST_REQUEST}')
    .replace('http2MaxRequests: 1', 'http2MaxRequests: 2');
  await gateway.reload();
  t.match(await names(60), out, 'a touched cluster starts with all its endpoints');
  t.equal((await get(port, 'one.test')).status, 200, 'and with free slots');
  upstreams[0]?.held[0]?.end('a');
  t.equal((await holding).status, 200, 'the request from before ends in peace');
});
