// HTTP pools of a cluster that goes away, or of an endpoint that leaves it, while requests wait in them (spec
// destinations.md §6.3, §9.3).
import http2 from 'node:http2';
import type net from 'node:net';
import t, { type Test } from 'tap';
import { createClusterManager } from '../../../src/dataplane/upstream/clusters.js';
import { HttpPools } from '../../../src/dataplane/upstream/http-pools.js';
import { HTTP_PROTOCOL_OPTIONS } from '../../../src/xds/index.js';
import { cluster, endpoint, loopbackEnvironment, snapshot, until } from '../../support/data-plane.js';
import { startRawUpstream } from '../../support/http-gateway.js';

const OK = 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok';
const ADDRESS = { address: '127.0.0.1', port: 1 };
const FACTS = { authority: 'a.test', downstreamHttp2: false, source: ADDRESS, destination: ADDRESS };

/** Statuses of `count` requests that are handed to a pool before `close` ends all pools, or right after it. */
async function serve(t: Test, port: number, http2Only: boolean, when: 'before' | 'after', count: number) {
  const environment = loopbackEnvironment();
  const options = http2Only
    ? { [HTTP_PROTOCOL_OPTIONS]: { explicit_http_config: { http2_protocol_options: {} } } }
    : {};
  const manager = createClusterManager(
    snapshot({
      listeners: [],
      clusterConfigs: [cluster('up', { typed_extension_protocol_options: options })],
      clusters: { up: [endpoint(port)] },
    }),
    environment,
  );
  const pools = new HttpPools(environment);
  const found = manager.get('up');
  const host = found?.hosts[0];
  if (found === undefined || host === undefined) throw new Error('no host');
  const statuses: (number | string)[] = [];
  const request = (): void => {
    pools.pool(found, host, FACTS).newStream({
      head: {
        method: 'GET',
        path: '/',
        authority: 'a.test',
        scheme: 'http',
        headers: [],
        endStream: true,
        upgrade: false,
      },
      listener: {
        onInformational: () => {},
        onHead: (status) => void statuses.push(status),
        onData: () => {},
        onEnd: () => {},
        onDrain: () => {},
        onReset: (reason) => void statuses.push(reason),
      },
      ready: (stream) => stream.end(),
      failed: ({ reason }) => void statuses.push(reason),
    });
  };
  pools.pool(found, host, FACTS);
  if (when === 'before') for (let i = 0; i < count; i++) request();
  manager.close();
  if (when === 'after') for (let i = 0; i < count; i++) request();
  await until(() => statuses.length === count, 'all are served');
  await until(() => host.activeConnections === 0, 'connections are closed');
  t.same(statuses, Array(count).fill(200), `${when} the cluster went away`);
}

t.test('HTTP/1.1: who waits is served, then the connections end', async (t) => {
  const upstream = await startRawUpstream((socket) => socket.write(OK));
  t.teardown(() => upstream.close());
  await serve(t, upstream.port, false, 'before', 3);
  await serve(t, upstream.port, false, 'after', 1);
  t.ok(upstream.connections.length <= 4, `${upstream.connections.length} connections for four requests`);
});

t.test('HTTP/2: who waits is served, then the connections end', async (t) => {
  const server = http2.createServer((_, response) => response.end('ok'));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => server.close());
  const { port } = server.address() as net.AddressInfo;
  await serve(t, port, true, 'before', 3);
  await serve(t, port, true, 'after', 1);
});
