// h2spec against the real binary, over TLS and in plaintext: whatever fails is what fails with Envoy 1.40.
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import http from 'node:http';
import net from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import t from 'tap';
import { buildH2spec, ENVOY_FAILURES, ENVOY_PLAINTEXT_FAILURES, runH2spec } from '../support/h2spec.js';
import { startPostern } from '../support/postern.js';

const YAML = (upstream: number): string => `
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: { name: edge, namespace: shop }
spec:
  selector: { istio: ingressgateway }
  servers:
  - { port: { number: 80, name: http, protocol: HTTP }, hosts: ["*"] }
  - { port: { number: 443, name: https, protocol: HTTPS }, hosts: ["*"], tls: { mode: SIMPLE, credentialName: edge } }
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: all, namespace: shop }
spec:
  hosts: ["*"]
  gateways: [edge]
  http: [{ route: [{ destination: { host: web.example.com, port: { number: 80 } } }] }]
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: web, namespace: shop }
spec:
  hosts: [web.example.com]
  ports: [{ number: 80, name: http, protocol: HTTP }]
  resolution: STATIC
  endpoints: [{ address: 127.0.0.1, ports: { http: ${upstream} } }]
`;

async function upstream(): Promise<{ port: number; close(): void }> {
  const server = http.createServer((request, response) => {
    request.resume();
    // Not at once: a case that opens more streams than are allowed must not find the first ones answered.
    setTimeout(() => response.end('web\n'), 150);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as net.AddressInfo).port,
    close: () => server.closeAllConnections() ?? server.close(),
  };
}

const built = await buildH2spec();
t.setTimeout(600_000);
const options = {
  timeout: 600_000,
  ...('missing' in built ? { skip: `h2spec cannot be built here: ${built.missing}` } : {}),
};

t.test('postern fails of h2spec what Envoy fails', options, async (t) => {
  if ('missing' in built) return;
  const web = await upstream();
  const folder = await mkdtemp(path.join(tmpdir(), 'postern-h2spec-'));
  await writeFile(path.join(folder, 'istio.yaml'), YAML(web.port));
  const postern = await startPostern([folder, '--dev-certs', '--no-watch', '--access-log', 'off']);
  t.teardown(async () => {
    await postern.stop();
    web.close();
    await rm(folder, { recursive: true, force: true });
  });
  const [plain, tls] = await Promise.all([
    runH2spec(built.path, postern.port(8080), false),
    runH2spec(built.path, postern.port(8443), true),
  ]);
  t.ok(plain.cases > 140, `${plain.cases} cases`);
  t.equal(tls.cases, plain.cases);
  t.same([...plain.failures].sort(), [...ENVOY_PLAINTEXT_FAILURES].sort(), 'plaintext');
  t.same([...tls.failures].sort(), [...ENVOY_FAILURES].sort(), 'TLS');
});

const { POSTERN_ENVOY: envoy } = process.env;
t.test(
  'the list is what Envoy itself fails',
  { ...options, ...(envoy === undefined ? { skip: 'POSTERN_ENVOY names no Envoy' } : {}) },
  async (t) => {
    if ('missing' in built || envoy === undefined) return;
    const web = await upstream();
    const port = await freePort();
    const folder = await mkdtemp(path.join(tmpdir(), 'postern-h2spec-'));
    await writeFile(path.join(folder, 'envoy.json'), JSON.stringify(bootstrap(port, web.port)));
    const child = spawn(
      envoy,
      ['-c', path.join(folder, 'envoy.json'), '--use-dynamic-base-id', '--log-level', 'error'],
      {
        stdio: 'ignore',
      },
    );
    t.teardown(async () => {
      await stopped(child);
      web.close();
      await rm(folder, { recursive: true, force: true });
    });
    for (let i = 0; i < 100 && !(await accepts(port)); i++) await wait(100);
    const { failures } = await runH2spec(built.path, port, false);
    t.same([...failures].sort(), [...ENVOY_PLAINTEXT_FAILURES].sort());
  },
);

/** The connection manager of an Istio gateway, as far as HTTP/2 is concerned. */
function bootstrap(port: number, upstreamPort: number): unknown {
  const type = 'type.googleapis.com/envoy.extensions.filters';
  const address = (portValue: number): unknown => ({ socket_address: { address: '127.0.0.1', port_value: portValue } });
  const manager = {
    '@type': `${type}.network.http_connection_manager.v3.HttpConnectionManager`,
    stat_prefix: 'h2spec',
    server_name: 'istio-envoy',
    use_remote_address: true,
    proxy_100_continue: true,
    stream_idle_timeout: '0s',
    normalize_path: true,
    upgrade_configs: [{ upgrade_type: 'websocket' }],
    http_filters: [{ name: 'envoy.filters.http.router', typed_config: { '@type': `${type}.http.router.v3.Router` } }],
    route_config: {
      virtual_hosts: [{ name: 'all', domains: ['*'], routes: [{ match: { prefix: '/' }, route: { cluster: 'web' } }] }],
    },
  };
  const filters = [{ name: 'envoy.filters.network.http_connection_manager', typed_config: manager }];
  const endpoint = { endpoint: { address: address(upstreamPort) } };
  return {
    static_resources: {
      listeners: [{ name: 'h2spec', address: address(port), filter_chains: [{ filters }] }],
      clusters: [
        {
          name: 'web',
          type: 'STATIC',
          load_assignment: { cluster_name: 'web', endpoints: [{ lb_endpoints: [endpoint] }] },
        },
      ],
    },
  };
}

async function freePort(): Promise<number> {
  const server = net.createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as net.AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = net.connect(port, '127.0.0.1', () => {
      socket.destroy();
      resolve(true);
    });
    socket.on('error', () => resolve(false));
  });
}

function stopped(child: ChildProcess): Promise<unknown> {
  const gone = new Promise((resolve) => child.once('close', resolve));
  child.kill('SIGKILL');
  return gone;
}
