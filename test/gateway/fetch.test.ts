// The library: what fetch says of everything that a data plane can do, and that nothing of a gateway is left behind.

import { once } from 'node:events';
import net from 'node:net';
import path from 'node:path';
import t from 'tap';
import { createDevelopmentCa, issueCertificate } from '../../src/certs/development-ca.js';
import {
  ConfigError,
  decide,
  loadConfig,
  OptionError,
  type Reply,
  SourceError,
  startGateway,
} from '../../src/index.js';
import { generateClient, runContract, startRecordingUpstream } from '../../src/testing.js';
import { folderWith } from '../support/shop-yaml.js';

const CONFIG = `
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: { name: edge, namespace: shop }
spec:
  selector: { istio: ingressgateway }
  servers:
  - port: { number: 80, name: http, protocol: HTTP }
    tls: { httpsRedirect: true }
    hosts: [shop.example.com]
  - port: { number: 443, name: https, protocol: HTTPS }
    tls: { mode: SIMPLE, credentialName: shop }
    hosts: [shop.example.com, empty.example.com]
  - port: { number: 443, name: admin, protocol: HTTPS }
    tls: { mode: MUTUAL, credentialName: admin }
    hosts: [admin.example.com]
  - port: { number: 443, name: bank, protocol: TLS }
    tls: { mode: PASSTHROUGH }
    hosts: [bank.example.com]
  - port: { number: 9000, name: plain, protocol: HTTP }
    hosts: [any.example.com]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: shop, namespace: shop }
spec:
  hosts: [shop.example.com, admin.example.com]
  gateways: [edge]
  http:
  - match: [{ uri: { prefix: /api/ } }]
    rewrite: { uri: / }
    headers: { request: { set: { x-channel: web }, remove: [x-secret] } }
    mirror: { host: mirror.shop.svc.cluster.local, port: { number: 80 } }
    retries: { attempts: 2, retryOn: 5xx }
    route: [{ destination: { host: web.shop.svc.cluster.local, port: { number: 80 } } }]
  - match: [{ uri: { prefix: /slow } }]
    timeout: 50ms
    route: [{ destination: { host: web.shop.svc.cluster.local, port: { number: 80 } } }]
  - match: [{ uri: { prefix: /bad } }]
    retries: { attempts: 0 }
    route: [{ destination: { host: web.shop.svc.cluster.local, port: { number: 80 } } }]
  - match: [{ uri: { prefix: /typo } }]
    route: [{ destination: { host: webb.shop.svc.cluster.local, port: { number: 80 } } }]
  - match: [{ uri: { prefix: /gone } }]
    route: [{ destination: { host: web.shop.svc.cluster.local, port: { number: 80 }, subset: none } }]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: bank, namespace: shop }
spec:
  hosts: [bank.example.com]
  gateways: [edge]
  tls:
  - match: [{ sniHosts: [bank.example.com] }]
    route: [{ destination: { host: bank.shop.svc.cluster.local, port: { number: 443 } } }]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: plain, namespace: shop }
spec:
  hosts: [any.example.com]
  gateways: [edge]
  http:
  - route: [{ destination: { host: web.shop.svc.cluster.local, port: { number: 80 } } }]
---
apiVersion: v1
kind: Service
metadata: { name: web, namespace: shop }
spec: { selector: { app: web }, ports: [{ name: http, port: 80 }] }
---
apiVersion: v1
kind: Service
metadata: { name: mirror, namespace: shop }
spec: { selector: { app: mirror }, ports: [{ name: http, port: 80 }] }
---
apiVersion: v1
kind: Service
metadata: { name: bank, namespace: shop }
spec: { selector: { app: bank }, ports: [{ name: tls, port: 443 }] }
`;

t.test('outcomes', async (t) => {
  await using web = await startRecordingUpstream({
    name: 'web',
    respond: [{ status: 503 }, { status: 200, headers: { 'x-served-by': 'web' }, body: 'hällo' }],
  });
  await using gateway = await startGateway({
    config: [{ yaml: CONFIG }],
    devCerts: true,
    upstreams: { 'web.shop.svc.cluster.local:80': web },
  });
  const check = async (what: string, reply: Promise<Reply>, want: object): Promise<void> => {
    t.match(await reply, want, what);
  };

  await check(
    'an answer after a retry, with everything that was seen',
    gateway.fetch('https://shop.example.com/api/a?b=1', {
      method: 'PUT',
      body: 'x',
      headers: { 'x-secret': '1', 'X-Two': ['a', 'b'] },
    }),
    {
      status: 200,
      body: 'hällo',
      headers: { 'x-served-by': 'web', server: 'istio-envoy' },
      protocol: 'HTTP/1.1',
      details: 'via_upstream',
      error: undefined,
      failure: undefined,
      tls: {
        version: 'TLSv1.3',
        alpn: 'http/1.1',
        certificate: 'empty.example.com',
        names: ['empty.example.com', 'shop.example.com'],
      },
      decision: {
        cluster: 'outbound|80||web.shop.svc.cluster.local',
        virtualHost: 'shop.example.com:443',
        endpoint: web.address,
      },
      upstreamSaw: {
        server: 'web',
        method: 'PUT',
        path: '/a?b=1',
        authority: 'shop.example.com',
        body: 'x',
        headers: { 'x-channel': 'web', 'x-secret': undefined, 'x-two': /a,\s?b/, 'x-envoy-attempt-count': '2' },
      },
    },
  );
  t.equal(web.received.length, 2, 'the first try got 503');

  web.reset();
  const mirrored = await gateway.fetch('https://shop.example.com/api/m', { http2: true });
  t.equal(mirrored.protocol, 'HTTP/2');
  t.equal(mirrored.tls?.alpn, 'h2');
  t.strictSame(mirrored.upstreamsSaw.map(({ server }) => server).sort(), [
    'outbound|80||mirror.shop.svc.cluster.local',
    'web',
    'web',
  ]);
  t.equal(mirrored.upstreamSaw?.server, 'web');

  web.reset();
  await check('redirect to https', gateway.fetch('http://shop.example.com/x'), {
    status: 301,
    error: 'tls_redirect',
    headers: { location: 'https://shop.example.com/x' },
    upstreamSaw: undefined,
  });
  await check('unknown name', gateway.fetch('https://nope.example.com/'), {
    status: undefined,
    error: 'no_filter_chain',
    flags: 'NR',
    details: 'filter_chain_not_found',
    failure: /reset/,
  });
  await check('no name', gateway.fetch('https://shop.example.com/', { sni: '' }), { error: 'no_filter_chain' });
  await check('plaintext to TLS', gateway.fetch('https://shop.example.com/', { plaintext: true }), {
    error: 'no_filter_chain',
    tls: undefined,
  });
  await check(
    'another host on the connection',
    gateway.fetch('https://shop.example.com/', { headers: { host: 'admin.example.com' } }),
    { status: 404, error: 'no_virtual_host', flags: 'NR' },
  );
  await check('no rule', gateway.fetch('https://shop.example.com/none'), {
    status: 404,
    error: 'no_route',
    details: 'route_not_found',
  });
  await check('a host without routes', gateway.fetch('https://empty.example.com/'), {
    status: 404,
    error: 'no_virtual_host',
  });
  await check('no cluster', gateway.fetch('https://shop.example.com/typo'), {
    status: 503,
    error: 'no_cluster',
    flags: 'NC',
  });
  await check('no subset', gateway.fetch('https://shop.example.com/gone'), { status: 503, error: 'no_cluster' });
  await check('no listener', gateway.fetch('https://shop.example.com:7443/'), {
    error: 'no_listener',
    failure: 'nothing listens on port 7443',
  });
  await check('the container port works too', gateway.fetch('https://shop.example.com:8443/none'), { status: 404 });
  await check('another port under the same URL', gateway.fetch('http://any.example.com/any', { port: 9000 }), {
    status: 503,
    upstreamSaw: { path: '/any' },
  });
  await check('h2c', gateway.fetch('http://any.example.com/any', { port: 9000, http2: true }), {
    status: 200,
    protocol: 'HTTP/2',
  });
  await check('no certificate', gateway.fetch('https://admin.example.com/'), {
    error: 'mtls_error',
    tls: { alert: 'certificate_required' },
    failure: 'TLS alert certificate_required',
  });
  await check(
    'no certificate under TLS 1.2',
    gateway.fetch('https://admin.example.com/', { tlsVersion: 'TLSv1.2', http2: true }),
    { error: 'mtls_error', tls: { alert: 'handshake_failure' } },
  );
  await check(
    'a certificate of nobody',
    gateway.fetch('https://admin.example.com/', { client: await generateClient() }),
    { error: 'mtls_error', tls: { alert: 'unknown_ca' } },
  );
  const partner = await generateClient({ signedBy: gateway, commonName: 'partner' });
  await check('a certificate that is trusted', gateway.fetch('https://admin.example.com/none', { client: partner }), {
    status: 404,
    error: 'no_route',
  });
  await check('passthrough', gateway.fetch('https://bank.example.com/x', { alpn: ['h2'] }), {
    status: 200,
    protocol: 'HTTP/2',
    tls: { certificate: 'bank.example.com', alpn: 'h2' },
    upstreamSaw: { server: 'outbound|443||bank.shop.svc.cluster.local', path: '/x', tls: { sni: 'bank.example.com' } },
    decision: { cluster: 'outbound|443||bank.shop.svc.cluster.local' },
  });
  await check('paths go as they are written', gateway.fetch('https://shop.example.com/api/../none'), { status: 404 });
  await check('malformed', gateway.fetch('https://shop.example.com/', { headers: { 'content-length': 'x' } }), {
    status: 400,
    error: 'protocol_error',
    flags: 'DPE',
  });
  const parallel = await Promise.all(
    Array.from({ length: 8 }, (_, n) => gateway.fetch(`http://any.example.com/n${n}`, { port: 9000 })),
  );
  t.strictSame(
    parallel.map((reply) => reply.upstreamSaw?.path),
    Array.from({ length: 8 }, (_, n) => `/n${n}`),
    'each sees its own',
  );
});

t.test('upstreams that fail', async (t) => {
  for (const { respond, want } of [
    { respond: { reset: true }, want: { status: 503, error: 'upstream_reset', flags: /^(UC|URX,UC|UC,URX)$/ } },
    { respond: { close: true }, want: { status: 503, error: 'upstream_reset' } },
    { respond: { delay: 2000 }, want: { status: 504, error: 'timeout', flags: 'UT' } },
  ]) {
    await using web = await startRecordingUpstream({ respond });
    await using gateway = await startGateway({
      config: [{ yaml: CONFIG }],
      devCerts: true,
      upstreams: { 'web.shop.svc.cluster.local': web },
    });
    t.match(await gateway.fetch(`https://shop.example.com/${want.status === 504 ? 'slow' : 'bad'}`), want);
  }
  const gone = await startRecordingUpstream();
  await gone.close();
  await using gateway = await startGateway({
    config: [{ yaml: CONFIG }],
    devCerts: true,
    upstreams: { 'web.shop.svc.cluster.local': gone.address },
  });
  t.match(await gateway.fetch('https://shop.example.com/bad'), {
    status: 503,
    error: 'upstream_connect',
    flags: /UF/,
  });
});

t.test('a client that gives up has not been refused', async (t) => {
  const silent = net.createServer((socket) => socket.on('error', () => {}).resume()).listen(0, '127.0.0.1');
  await once(silent, 'listening');
  t.teardown(() => silent.close());
  const { port } = silent.address() as net.AddressInfo;
  await using gateway = await startGateway({
    config: [{ yaml: CONFIG }],
    devCerts: true,
    upstreams: { 'bank.shop.svc.cluster.local': `127.0.0.1:${port}` },
  });
  const shaking = await gateway.fetch('https://bank.example.com/', { timeout: 100 });
  t.match(shaking, { error: undefined, status: undefined, failure: 'no TLS handshake within 100 ms' });
  const connecting = gateway.fetch('https://shop.example.com/', { timeout: 1 });
  for (const end = Date.now() + 20; Date.now() < end; ); // the timer is over before anything else has a turn
  t.match(await connecting, { error: undefined, status: undefined, failure: 'no connection within 1 ms' });
});

t.test('an upstream that keeps no book: what was sent to it', async (t) => {
  const { createServer } = await import('node:http');
  const server = createServer((_request, response) => response.end('mine'));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => server.close());
  const { port } = server.address() as { port: number };
  await using gateway = await startGateway({
    config: [{ yaml: CONFIG }],
    devCerts: true,
    upstreams: { 'web.shop.svc.cluster.local': `127.0.0.1:${port}` },
  });
  const reply = await gateway.fetch('https://shop.example.com/api/x', { headers: { 'x-a': '1' } });
  t.match(reply, {
    body: 'mine',
    upstreamSaw: {
      path: '/x',
      method: 'GET',
      authority: 'shop.example.com',
      headers: { 'x-a': '1', 'x-channel': 'web' },
    },
  });
});

t.test('decide, addresses, reload and close', async (t) => {
  const gateway = await startGateway({ config: [{ yaml: CONFIG }], devCerts: true, ports: { 443: 0 } });
  t.equal(gateway.addresses[443]?.port, gateway.addresses[8443]?.port);
  t.equal(
    gateway.decide({ port: 443, tls: 'tls', host: 'shop.example.com', path: '/api/x' }).upstreamRequest?.path,
    '/x',
  );
  await gateway.reload();
  t.equal((await gateway.fetch('https://shop.example.com/none')).status, 404);
  await gateway.close();
  t.match(await gateway.fetch('https://shop.example.com/none'), { error: 'no_listener' });
  await gateway.close();
});

t.test('options take what the flags take', async (t) => {
  const ca = await createDevelopmentCa();
  const identity = await issueCertificate(ca, {
    commonName: '',
    uris: ['spiffe://cluster.local/ns/a/sa/b'],
    usage: 'both',
  });
  const workloadCerts = await folderWith({
    'root.pem': ca.certificate,
    'cert.pem': identity.certificate,
    'key.pem': identity.privateKey,
  });
  const mutual = CONFIG.replace('{ mode: MUTUAL, credentialName: admin }', '{ mode: ISTIO_MUTUAL }');
  await using gateway = await startGateway({ config: [{ yaml: mutual }], workloadCerts, nodeLocality: 'here/a' });
  const client = await generateClient({ signedBy: ca });
  const reply = await gateway.fetch('https://admin.example.com/api/', { client, alpn: ['istio'] });
  t.equal(reply.status, 200, 'the folder holds the root that members of the mesh are judged by');
});

t.test('a snapshot is asked by server port, and knows its lines', async (t) => {
  const loaded = await loadConfig({ config: [{ yaml: CONFIG, file: 'shop.yaml' }], devCerts: true });
  const call = { port: 443, tls: 'tls', host: 'shop.example.com', path: '/api/x' } as const;
  for (const asked of [loaded, loaded.snapshot]) {
    const decision = decide(asked, call);
    t.equal(decision.cluster, 'outbound|80||web.shop.svc.cluster.local');
    t.equal(decision.trail.find(({ stage }) => stage === 'route')?.at?.file, 'shop.yaml');
    t.equal(decide(asked, { ...call, port: 8443 }).route, decision.route);
    t.equal(decide(asked, { ...call, port: 444 }).error, 'no_listener');
  }
  const copy = structuredClone(loaded.snapshot);
  t.match(decide(copy, { ...call, port: 8443 }), { virtualHost: 'shop.example.com:443' }, 'a copy is a snapshot too');
  await using gateway = await startGateway({ config: [{ yaml: CONFIG }], devCerts: true });
  t.equal(decide(gateway.snapshot, call).upstreamRequest?.path, '/x');
});

t.test('a file that is not there, and a reload of what is closed, are said as such', async (t) => {
  const missing = path.join(t.testdir({}), 'gone.yaml');
  await t.rejects(startGateway({ config: [missing] }), SourceError);
  await t.rejects(loadConfig({ config: [missing] }), { name: 'SourceError', path: missing });
  const gateway = await startGateway({ config: [{ yaml: CONFIG }] });
  await gateway.close();
  await t.rejects(gateway.reload(), { name: 'Error', message: 'the gateway is closed' });
});

t.test('what cannot be is said at once', async (t) => {
  await using gateway = await startGateway({ config: [{ yaml: CONFIG }] });
  for (const [url, options, message] of [
    ['shop.example.com', {}, /no URL/],
    ['https://u:p@shop.example.com/', {}, /no URL/],
    ['https://shop.example.com/', { methd: 'GET' }, /unknown option `methd`; did you mean `method`/],
    ['https://shop.example.com/', { method: 'A B' }, /no method/],
    ['https://shop.example.com/', { headers: { 'x y': '1' } }, /no header name/],
    ['https://shop.example.com/', { headers: { x: 'a\r\nb' } }, /line breaks/],
    ['https://shop.example.com/', { client: { cert: 'a.crt', key: 'a.key' } }, /client\.cert: ENOENT/],
    ['https://shop.example.com/', { port: 70000 }, /no port/],
    ['https://shop.example.com/', { tlsVersion: '1.2' }, /TLSv1.2/],
    ['https://shop.example.com/', { timeout: 0 }, /above 0/],
    ['https://shop.example.com/', { method: 7 }, /method: expected text/],
    ['https://shop.example.com/', { body: 7 }, /body: expected text or bytes/],
    ['https://shop.example.com/', { sni: false }, /sni: expected text/],
    ['https://shop.example.com/', { alpn: 'h2' }, /alpn: expected a list/],
    ['https://shop.example.com/', { http2: 'yes' }, /http2: expected true or false/],
    ['https://shop.example.com/', { headers: [['a', 'b']] }, /headers: expected an object/],
    ['https://shop.example.com/', { headers: new Headers({ a: 'b' }) }, /headers: expected an object/],
    ['https://shop.example.com/', { headers: { a: 7 } }, /headers\.a: expected text/],
    ['https://shop.example.com/', { client: 'partner.crt' }, /client: expected an object/],
  ] as const) {
    await t.rejects(gateway.fetch(url, options as object), { name: 'OptionError', message }, String(message));
  }
  await t.rejects(startGateway({ confg: ['x'] } as never), OptionError, 'unknown option');
  await t.rejects(startGateway({ config: [] }), /config: expected/);
  for (const [option, value] of Object.entries({
    config: [7],
    address: 'nowhere.invalid',
    ports: 443,
    upstreams: { web: 3000 },
    stubs: 'no',
    devCerts: 1,
    namespace: 7,
    gatewayLabels: 'istio=edge',
    nodeMetadata: { HTTP10: 1 },
    nodeLocality: ['a'],
    meshConfig: 7,
    workloadCerts: {},
    maxInput: '8Mi',
  })) {
    const wrong = { config: [{ yaml: CONFIG }], [option]: value } as never;
    await t.rejects(startGateway(wrong), { name: 'OptionError', option }, option);
  }
  await t.rejects(
    startGateway({ config: [{ yaml: CONFIG }], workloadCerts: 'nowhere' }),
    /cannot read nowhere.cert\.pem/,
  );
  await t.rejects(runContract('x.contract.yaml', { grep: '(' }), { name: 'OptionError', option: 'grep' });
  await t.rejects(runContract('x.contract.yaml', { tags: 'a' } as never), { name: 'OptionError', option: 'tags' });
  await t.rejects(startGateway({ config: [{ yaml: CONFIG }], ports: { 443: -1 } }), /ports/);
  await t.rejects(startGateway({ config: [{ yaml: CONFIG }], upstreams: { web: 'nowhere' } }), /ADDR:PORT/);
  await t.rejects(loadConfig({ config: [{ yaml: 'a: [' }] }), ConfigError);
  await t.rejects(gateway.issueClientCertificate(), /no server of this gateway trusts/);
  await t.rejects(generateClient({ signedBy: 'me' } as never), OptionError);
});

t.test('closing leaves nothing open', async (t) => {
  const open = (): string[] =>
    process.getActiveResourcesInfo().filter((name) => /^(TCP|TLS|HTTP|Timeout|FSEvent)/i.test(name));
  const before = open();
  {
    await using web = await startRecordingUpstream();
    await using gateway = await startGateway({
      config: [{ yaml: CONFIG }],
      devCerts: true,
      upstreams: { 'web.shop.svc.cluster.local': web },
    });
    for (const url of ['shop.example.com/api/x', 'bank.example.com/', 'nope.example.com/', 'admin.example.com/']) {
      await gateway.fetch(`https://${url}`);
      await gateway.fetch(`https://${url}`, { http2: true });
    }
    t.ok(open().length > before.length, 'there is something to close');
  }
  // Handles are closed in a later round.
  for (let round = 0; round < 100 && open().length > before.length; round++) {
    await new Promise((resolve) => setImmediate(resolve));
  }
  t.ok(open().length <= before.length, open().join(' '));
});
