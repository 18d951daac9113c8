// The shop's contract as a tap test: the file as it is, then the same promises in code.
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { startGateway } from 'postern';
import { generateClient, runContract, startRecordingUpstream } from 'postern/testing';
import t from 'tap';

const here = path.dirname(fileURLToPath(import.meta.url));

t.test('the contract', async (t) => {
  const report = await runContract(path.join(here, 'shop.contract.yaml'));
  for (const { name, outcome } of report.tests) t.equal(outcome, 'passed', name);
  t.ok(report.ok, report.output);
});

t.test('the same in code', async (t) => {
  const v1 = await startRecordingUpstream({ name: 'v1', respond: { headers: { 'x-served-by': 'v1' } } });
  const v2 = await startRecordingUpstream({ name: 'v2', respond: { headers: { 'x-served-by': 'v2' } } });
  const gateway = await startGateway({
    config: [path.join(here, 'istio')],
    upstreams: { 'shop.shop.svc.cluster.local:9080/v1': v1, 'shop.shop.svc.cluster.local:9080/v2': v2 },
  });
  t.teardown(async () => {
    await gateway.close();
    await v1.close();
    await v2.close();
  });

  const api = 'https://shop.example.com/api/items';
  t.match(await gateway.fetch(api), {
    status: 200,
    headers: { 'x-served-by': 'v1' },
    upstreamSaw: { path: '/api/items' },
  });
  t.match(await gateway.fetch(`${api}?page=2`, { headers: { 'x-beta': '1' } }), {
    headers: { 'x-served-by': 'v2' },
    upstreamSaw: { path: '/items?page=2', headers: { 'x-channel': 'beta' } },
  });
  t.match(gateway.decide({ port: 443, tls: 'tls', host: 'shop.example.com', path: '/canary' }).weightedClusters, [
    { weight: 90 },
    { weight: 10 },
  ]);
  t.match(await gateway.fetch('https://shop.example.com/old/hat'), { status: 302, headers: { location: /\/new$/ } });
  t.match(await gateway.fetch('http://shop.example.com/'), { status: 301, error: 'tls_redirect' });
  t.match(await gateway.fetch(api, { http2: true }), { tls: { certificate: 'shop.example.com', alpn: 'h2' } });
  t.match(await gateway.fetch(api, { tlsVersion: 'TLSv1.2' }), {
    error: 'tls_error',
    tls: { alert: 'protocol_version' },
  });

  const admin = 'https://admin.example.com/users';
  const [cert, key] = await Promise.all(
    ['crt', 'key'].map((end) => readFile(path.join(here, `certs/partner.${end}`), 'utf8')),
  );
  t.match(await gateway.fetch(admin), { error: 'mtls_error' });
  t.match(await gateway.fetch(admin, { client: await generateClient() }), { error: 'mtls_error' });
  t.match(await gateway.fetch(admin, { client: { cert, key } }), {
    status: 200,
    tls: { certificate: 'admin.example.com' },
  });
  t.match(await gateway.fetch(api, { headers: { host: 'admin.example.com' } }), { status: 404, flags: 'NR' });

  t.match(await gateway.fetch('https://bank.example.com/', { alpn: ['h2'] }), {
    tls: { certificate: 'bank.example.com', alpn: 'h2' },
  });
  t.match(await gateway.fetch('https://nope.example.com/'), { error: 'no_filter_chain', flags: 'NR' });
});
