// DestinationRule policies that no recording shows, carried out live from YAML (spec destinations.md §4.1, §5.3, §8.7,
// §9, §10.2).
import http2 from 'node:http2';
import net from 'node:net';
import t from 'tap';
import { counter, gauge } from '../../src/dataplane/telemetry/stats.js';
import { loadConfig, startGateway } from '../../src/gateway.js';
import { until } from '../support/data-plane.js';
import { destination, EDGE, get, startNamedUpstream } from '../support/destination-gateway.js';

t.test('live', async (t) => {
  const names = ['aged', 'codes', 'budget', 'left', 'stays', 'mirror'] as const;
  const started = await Promise.all(names.map(startNamedUpstream));
  const upstream = (name: (typeof names)[number]) => {
    const found = started.find((each) => each.name === name);
    if (found === undefined) throw new Error(name);
    return found;
  };
  const ports = (...of: (typeof names)[number][]): number[] => of.map((name) => upstream(name).port);
  let yaml = [
    EDGE,
    destination('aged.test', ports('aged'), '{connectionPool: {tcp: {maxConnectionDuration: 150ms}}}'),
    destination(
      'codes.test',
      ports('codes'),
      '{outlierDetection: {outlierDetectionHttpErrorCodes: [404, 429], consecutive5xxErrors: 1, maxEjectionPercent: 100}}',
    ),
    destination(
      'mirrored.test',
      ports('mirror'),
      '{outlierDetection: {consecutive5xxErrors: 1, maxEjectionPercent: 100}}',
    ),
    destination(
      'mirroring.test',
      ports('budget'),
      '',
      'retries: {attempts: 0}, mirrors: [{destination: {host: mirrored.test}}]',
    ),
    destination(
      'budget.test',
      ports('budget'),
      '{retryBudget: {percent: 50, minRetryConcurrency: 1, budgetInterval: 60s}}',
      'retries: {attempts: 1, retryOn: "503", backoff: 50ms}',
    ),
  ].join('');
  const pings: number[] = [];
  const deaf = net.createServer((socket) => {
    // SETTINGS, and nothing ever again.
    socket.write(Buffer.from('000000040000000000', 'hex'));
    socket.on('data', (chunk) => {
      if (chunk.includes(Buffer.from('0000080600', 'hex'))) pings.push(1);
    });
    socket.on('error', () => {});
  });
  await new Promise<void>((resolve) => deaf.listen(0, '127.0.0.1', resolve));
  const answering = http2.createServer((_, response) => response.end('h2'));
  answering.on('session', (session) => session.on('ping', () => pings.push(2)));
  await new Promise<void>((resolve) => answering.listen(0, '127.0.0.1', resolve));
  t.teardown(() => {
    deaf.close();
    answering.close();
    proxied.close();
  });
  const firstLines: string[] = [];
  const proxied = net.createServer((socket) => {
    socket.once('data', (chunk) => {
      firstLines.push(chunk.toString('latin1').split('\r\n', 1)[0] ?? '');
      socket.write('HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n');
    });
    socket.on('error', () => {});
  });
  await new Promise<void>((resolve) => proxied.listen(0, '127.0.0.1', resolve));
  const portOf = (server: net.Server): number => (server.address() as net.AddressInfo).port;
  const pinged =
    '{connectionPool: {http: {h2UpgradePolicy: UPGRADE, http2KeepAlive: {interval: 30ms, timeout: 500ms}}}}';
  yaml += destination('deaf.test', [portOf(deaf)], pinged) + destination('answers.test', [portOf(answering)], pinged);
  yaml += destination('proxied.test', [portOf(proxied)], '{proxyProtocol: {version: V1}}');
  const moving = (...of: (typeof names)[number][]): string => yaml + destination('moving.test', ports(...of), '');
  const source = { yaml: moving('left', 'stays') };
  const gateway = await startGateway({ config: [source] });
  t.teardown(async () => {
    await gateway.close();
    await Promise.all(started.map((each) => each.close()));
  });
  const port = gateway.addresses[80]?.port ?? 0;
  t.same(
    gateway.diagnostics.filter(({ code }) => code === 'PST0130'),
    [],
    'nothing is said to be not emulated',
  );

  await t.test('maxConnectionDuration ends an idle connection, and a busy one after its request', async (t) => {
    const { sockets, held } = upstream('aged');
    await get(port, 'aged.test');
    await get(port, 'aged.test');
    t.equal(sockets.length, 1, 'kept alive');
    await until(() => sockets[0]?.destroyed === true, 'the connection is old');
    const holding = get(port, 'aged.test', '/hold');
    await until(() => held.length === 1, 'held');
    t.equal(sockets.length, 2);
    const reached = counter('cluster.outbound|80||aged.test;.upstream_cx_max_duration_reached');
    await until(() => reached.value === 2, 'old while it is busy');
    t.equal(sockets[1]?.destroyed, false);
    held[0]?.end('done');
    t.equal((await holding).body, 'done');
    await until(() => sockets[1]?.destroyed === true, 'ended after its request');
  });

  await t.test('outlierDetectionHttpErrorCodes replace 5xx', async (t) => {
    for (const path of ['/500', '/503', '/400', '/']) await get(port, 'codes.test', path);
    t.equal((await get(port, 'codes.test')).status, 200, '5xx are no errors here');
    t.equal((await get(port, 'codes.test', '/429')).status, 429);
    t.strictSame(await get(port, 'codes.test'), { status: 503, body: 'no healthy upstream' });
  });

  await t.test('what a mirror answers counts in its own cluster', async (t) => {
    t.equal((await get(port, 'mirroring.test', '/500')).status, 500, 'the primary');
    await until(() => upstream('mirror').requests.length === 1, 'the copy has arrived');
    const active = gauge('cluster.outbound|80||mirrored.test;.outlier_detection.ejections_active');
    await until(() => active.value === 1, 'ejected');
    t.strictSame(await get(port, 'mirrored.test'), { status: 503, body: 'no healthy upstream' });
  });

  await t.test('budgetInterval: requests that are over still allow retries', async (t) => {
    for (let i = 0; i < 12; i++) await get(port, 'budget.test');
    const { requests } = upstream('budget');
    requests.length = 0;
    await Promise.all([1, 2, 3, 4].map(() => get(port, 'budget.test', '/503')));
    t.same(requests.sort(), [...Array(4).fill('GET /503 1'), ...Array(4).fill('GET /503 2')], 'each is retried');
  });

  await t.test('http2KeepAlive: a peer that does not answer a PING is given up', async (t) => {
    const reset = 'upstream connect error or disconnect/reset before headers. reset reason: connection termination';
    t.strictSame(await get(port, 'deaf.test'), { status: 503, body: reset });
    t.same(pings, [1]);
    t.equal((await get(port, 'answers.test')).body, 'h2');
    await until(() => pings.length > 3, 'an answered PING is followed by another');
    t.equal(gauge('cluster.outbound|80||answers.test;.upstream_cx_active').value, 1, 'and the connection lives on');
  });

  await t.test('proxyProtocol names the client, also where the endpoint chooses its transport socket', async (t) => {
    await get(port, 'proxied.test');
    await get(port, 'proxied.test');
    t.equal(firstLines.length, 2, 'a connection for each client');
    for (const line of firstLines) t.match(line, /^PROXY TCP4 127\.0\.0\.1 127\.0\.0\.1 \d+ \d+$/);
  });

  await t.test('connections to an endpoint that has left are closed', async (t) => {
    const [left, stays] = [upstream('left').sockets, upstream('stays').sockets];
    while (left.length === 0 || stays.length === 0) await get(port, 'moving.test');
    source.yaml = moving('stays');
    await gateway.reload();
    await until(() => left.every((socket) => socket.destroyed), 'drained');
    t.equal(stays[0]?.destroyed, false, 'the other one is in use');
    t.equal((await get(port, 'moving.test')).body, 'stays');
    t.equal(stays.length, 1);
  });
});

t.test('internalTrafficPolicy Local: the endpoints of the own node', async (t) => {
  const yaml = `${EDGE}---
apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop}
spec: {internalTrafficPolicy: Local, ports: [{name: http, port: 80}]}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: web-1, namespace: shop, labels: {kubernetes.io/service-name: web}}
addressType: IPv4
ports: [{name: http, port: 8080}]
endpoints: [{addresses: [10.0.0.1], nodeName: one}, {addresses: [10.0.0.2], nodeName: two}, {addresses: [10.0.0.3]}]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: web, namespace: shop}
spec: {hosts: [web.test], gateways: [istio-system/edge], http: [{route: [{destination: {host: web}}]}]}
`;
  const load = async (nodeMetadata: Record<string, string>): Promise<readonly [unknown, unknown]> => {
    const { snapshot, diagnostics } = await loadConfig({ config: [{ yaml }], nodeMetadata });
    return [
      snapshot.endpoints['outbound|80||web.shop.svc.cluster.local']?.map(({ address }) => address),
      diagnostics.map(({ code }) => code),
    ];
  };
  t.strictSame(await load({ NODE_NAME: 'two' }), [['10.0.0.2:8080'], []]);
  t.strictSame(
    await load({}),
    [['10.0.0.1:8080', '10.0.0.2:8080', '10.0.0.3:8080'], ['PST0801']],
    'all of them where nobody says which node that is, and a warning',
  );
});

t.test('the network of a WorkloadEntry is a label that subsets select by', async (t) => {
  const host = 'net.test';
  const yaml =
    EDGE +
    destination(host, ['{address: 10.0.0.1, network: far}', '{address: 10.0.0.2}'], '').replace(
      `spec: {host: ${host}}`,
      `spec: {host: ${host}, subsets: [{name: far, labels: {topology.istio.io/network: far}}]}`,
    );
  const { snapshot } = await loadConfig({ config: [{ yaml }] });
  t.strictSame(
    snapshot.endpoints[`outbound|80|far|${host}`]?.map(({ address }) => address),
    ['10.0.0.1:80'],
  );
});
