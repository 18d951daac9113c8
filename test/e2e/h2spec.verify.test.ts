// h2spec against the real binary, over TLS and in plaintext: whatever fails is what fails with Envoy 1.40. Where there is an
// Envoy it is asked as well.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import http from 'node:http';
import type net from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import t from 'tap';
import { collect } from '../../src/diagnostics/diagnostic.js';
import { exportBootstrap } from '../../src/export/bootstrap.js';
import { compile } from '../../src/gateway/compile.js';
import { DevelopmentCertificates } from '../../src/gateway/development-certificates.js';
import { EnvoyProcess, findEnvoy } from '../parity/envoy.js';
import { listenersOf } from '../parity/envoy-target.js';
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

const envoy = findEnvoy();
t.test(
  'the list is what Envoy itself fails',
  { ...options, ...(envoy === undefined ? { skip: 'no Envoy (set ENVOY_BIN, or npm run parity -- --install)' } : {}) },
  async (t) => {
    if ('missing' in built || envoy === undefined) return;
    const web = await upstream();
    t.teardown(() => web.close());
    const running = await EnvoyProcess.start(envoy, await bootstrap(web.port), () => {});
    t.teardown(() => running.close());
    const listeners = listenersOf(running);
    const port = (configured: number): number => listeners.get(`0.0.0.0:${configured}`)?.port ?? 0;
    const [plain, tls] = await Promise.all([
      runH2spec(built.path, port(8080), false),
      runH2spec(built.path, port(8443), true),
    ]);
    t.ok(plain.cases > 140, `${plain.cases} cases`);
    t.same([...plain.failures].sort(), [...ENVOY_PLAINTEXT_FAILURES].sort(), 'plaintext');
    t.same([...tls.failures].sort(), [...ENVOY_FAILURES].sort(), 'TLS');
  },
);

/** The same configuration as Envoy gets it, on any ports. */
async function bootstrap(upstreamPort: number): Promise<object> {
  const { snapshot, origins } = await compile(
    [{ file: 'istio.yaml', text: YAML(upstreamPort), named: true }],
    {},
    { stubs: undefined, certificates: new DevelopmentCertificates(undefined), devCerts: true },
  );
  return exportBootstrap(snapshot, origins, collect([]), { otherwise: 0, accessLog: 'off' }).bootstrap;
}
