// A reload that does not touch a cluster leaves its load balancing, ejections and circuit breakers as they are; one that
// does starts it anew (issue 4; spec destinations.md §9.2, §10.3).
import http from 'node:http';
import t from 'tap';
import { startGateway } from '../../src/gateway.js';

interface Upstream {
  readonly port: number;
  /** Requests for /hold that wait for `release`. */
  readonly held: http.ServerResponse[];
  close(): Promise<void>;
}

/** Answers with its name; `/fail` with 500, `/hold` when it is told to. */
async function startUpstream(name: string): Promise<Upstream> {
  const held: http.ServerResponse[] = [];
  const server = http.createServer((request, response) => {
    if (request.url === '/hold') held.push(response);
    else response.writeHead(request.url === '/fail' ? 500 : 200).end(name);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  return {
    port: typeof address === 'object' && address !== null ? address.port : 0,
    held,
    close: () => {
      server.closeAllConnections();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}

function get(port: number, host: string, path = '/'): Promise<{ readonly status: number; readonly body: string }> {
  return new Promise((resolve, reject) => {
    const request = http.get({ host: '127.0.0.1', port, path, headers: { host }, agent: false }, (response) => {
      let body = '';
      response.setEncoding('utf8').on('data', (chunk: string) => {
        body += chunk;
      });
      response.on('end', () => resolve({ status: response.statusCode ?? 0, body }));
    });
    request.on('error', reject);
  });
}

function entry(host: string, ports: readonly number[], policy: string): string {
  return `---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: ${host.split('.')[0]}, namespace: istio-system}
spec:
  hosts: [${host}]
  location: MESH_INTERNAL
  ports: [{number: 80, name: http, protocol: HTTP}]
  resolution: STATIC
  endpoints: [${ports.map((port) => `{address: 127.0.0.1, ports: {http: ${port}}}`).join(', ')}]
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: ${host.split('.')[0]}, namespace: istio-system}
spec: {host: ${host}, trafficPolicy: ${policy}}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: ${host.split('.')[0]}, namespace: istio-system}
spec:
  hosts: [${host}]
  gateways: [edge]
  http: [{retries: {attempts: 0}, route: [{destination: {host: ${host}}}]}]
`;
}

const GATEWAY = `apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: edge, namespace: istio-system}
spec:
  selector: {istio: ingressgateway}
  servers: [{port: {number: 80, name: http, protocol: HTTP}, hosts: ["*"]}]
`;

t.test('load balancing state survives a reload that does not touch its cluster', async (t) => {
  const upstreams = await Promise.all(['a', 'b', 'c', 'd'].map(startUpstream));
  const [a, b, c, d] = upstreams.map(({ port }) => port) as [number, number, number, number];
  const balancing = '{simple: ROUND_ROBIN}';
  const ejecting = 'outlierDetection: {consecutive5xxErrors: 1, maxEjectionPercent: 100, baseEjectionTime: 300s}';
  const policy = `{loadBalancer: ${balancing}, ${ejecting}}`;
  const single = '{connectionPool: {http: {http2MaxRequests: 1}}}';
  const source = { yaml: GATEWAY + entry('app.test', [a, b, c, d], policy) + entry('one.test', [a], single) };
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

  const out = (await get(port, 'app.test', '/fail')).body;
  const three = (await names(3)).split('').sort().join('');
  t.equal(three, 'abcd'.replace(out, ''), 'the one that failed is out');
  const holding = get(port, 'one.test', '/hold');
  while (upstreams[0]?.held.length !== 1) await new Promise<void>((resolve) => setImmediate(resolve));
  t.equal((await get(port, 'one.test')).status, 503, 'the only slot is taken');

  let last = await names(1);
  for (let round = 0; round < 3; round++) {
    source.yaml += entry(`other${round}.test`, [b], '{}').replace('trafficPolicy: {}', 'subsets: []');
    await gateway.reload();
    const next = await names(1);
    t.equal(next, three[(three.indexOf(last) + 1) % 3], 'round robin goes on where it was');
    last = next;
  }
  t.equal((await get(port, 'one.test')).status, 503, 'the slot is still taken');

  source.yaml = source.yaml.replace(entry('app.test', [a, b, c, d], policy), entry('app.test', [d, c, b, a], policy));
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
