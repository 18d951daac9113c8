// The commands that do not serve: certs, proxy-config, deviations, version.
import { X509Certificate } from 'node:crypto';
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import t from 'tap';
import { paste } from '../support/curl.js';
import { runToEnd, startPostern } from '../support/postern.js';

const GATEWAY = `
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: { name: edge, namespace: istio-system }
spec:
  selector: { istio: ingressgateway }
  servers:
  - port: { number: 443, name: https-a, protocol: HTTPS }
    tls: { mode: SIMPLE, credentialName: shop }
    hosts: [shop.example.com]
  - port: { number: 443, name: https-b, protocol: HTTPS }
    tls: { mode: MUTUAL, credentialName: admin }
    hosts: [./admin.example.com, "*.admin.example.com"]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: web, namespace: istio-system }
spec:
  hosts: ["*"]
  gateways: [edge]
  http:
  - route: [{ destination: { host: web.shop.svc.cluster.local, port: { number: 80 } } }]
`;

async function folderFor(test: { teardown(run: () => Promise<void>): void }): Promise<string> {
  const folder = await mkdtemp(path.join(tmpdir(), 'postern-commands-'));
  test.teardown(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

t.test('certs makes what the Gateways need, and postern serves with it', async (t) => {
  const folder = await folderFor(t);
  await writeFile(path.join(folder, 'gateway.yaml'), GATEWAY);
  const out = path.join(folder, 'certs');
  const made = await runToEnd(['certs', path.join(folder, 'gateway.yaml'), '--out', out]);
  t.equal(made.code, 0, made.stderr);
  const authority = new X509Certificate(await readFile(path.join(out, 'ca.crt')));
  const admin = new X509Certificate(await readFile(path.join(out, 'admin.crt')));
  t.ok(admin.verify(authority.publicKey));
  t.equal(admin.checkHost('a.admin.example.com'), '*.admin.example.com');
  t.equal((await stat(path.join(out, 'admin.key'))).mode & 0o777, 0o600, 'keys are nobody else’s to read');
  t.equal((await stat(path.join(out, 'secrets.yaml'))).mode & 0o777, 0o600);
  t.notMatch(made.stdout + made.stderr, 'PRIVATE KEY');

  const postern = await startPostern([folder]);
  const ask = (line: string): ReturnType<typeof paste> => paste(line, (port) => postern.port(port));
  t.match(
    await ask(`curl --cacert ${out}/ca.crt --resolve shop.example.com:8443:127.0.0.1 https://shop.example.com:8443/`),
    { status: 200, certificate: 'shop.example.com' },
  );
  t.match(
    await ask(
      `curl --cacert ${out}/ca.crt --cert ${out}/client.crt --key ${out}/client.key --resolve admin.example.com:8443:127.0.0.1 https://admin.example.com:8443/`,
    ),
    { status: 200 },
  );
  t.ok((await ask(`curl -k --resolve admin.example.com:8443:127.0.0.1 https://admin.example.com:8443/`)).error);

  // A second run keeps the CA that clients trust by now and makes new certificates: they rotate while running.
  const before = new X509Certificate(await readFile(path.join(out, 'shop.crt'))).serialNumber;
  const again = await runToEnd(['certs', path.join(folder, 'gateway.yaml'), '--out', out]);
  t.equal(again.code, 0, again.stderr);
  await postern.until('stderr', 'reloaded');
  t.not(new X509Certificate(await readFile(path.join(out, 'shop.crt'))).serialNumber, before);
  t.match(
    await ask(`curl --cacert ${out}/ca.crt --resolve shop.example.com:8443:127.0.0.1 https://shop.example.com:8443/`),
    { status: 200 },
    'the new certificate, of the same CA',
  );
  await postern.stop();
  t.equal((await runToEnd(['certs', '--out', out])).code, 64);

  // A CA that is there and cannot be read is not replaced by another.
  await rm(path.join(out, 'ca.key'));
  await mkdir(path.join(out, 'ca.key'));
  const unreadable = await runToEnd(['certs', '--host', 'a.example.com', '--out', out]);
  t.equal(unreadable.code, 65);
  t.match(unreadable.stderr, 'cannot be read');
  t.equal(new X509Certificate(await readFile(path.join(out, 'ca.crt'))).serialNumber, authority.serialNumber);
});

t.test('certs writes nothing outside its folder, and over nothing of its own', async (t) => {
  const folder = await folderFor(t);
  const named = (name: string): string => GATEWAY.replaceAll('credentialName: shop', `credentialName: ${name}`);
  const out = path.join(folder, 'a', 'certs');
  await writeFile(path.join(folder, 'outside.yaml'), named('a/../../outside'));
  const outside = await runToEnd(['certs', path.join(folder, 'outside.yaml'), '--out', out]);
  t.equal(outside.code, 0, outside.stderr);
  t.match(outside.stderr, /"\.\.\/\.\.\/outside" is no name of a Secret/);
  t.same((await readdir(folder)).sort(), ['a', 'outside.yaml']);
  t.same(await readdir(path.join(folder, 'a')), ['certs']);

  await writeFile(path.join(folder, 'outside.yaml'), named('ca'));
  t.equal((await runToEnd(['certs', path.join(folder, 'outside.yaml'), '--out', out])).code, 0);
  const authority = new X509Certificate(await readFile(path.join(out, 'ca.crt')));
  t.ok(authority.ca, 'a credential of that name does not replace the CA');
  t.ok(new X509Certificate(await readFile(path.join(out, 'ca-server.crt'))).verify(authority.publicKey));

  const hosts = ['--host', '*.example.com', '--host', '10.0.0.1', '--host', '::1'];
  t.equal((await runToEnd(['certs', ...hosts, '--out', out])).code, 0);
  const wildcard = new X509Certificate(await readFile(path.join(out, 'wildcard.example.com.crt')));
  t.equal(wildcard.checkHost('a.example.com'), '*.example.com');
  t.equal(new X509Certificate(await readFile(path.join(out, '10.0.0.1.crt'))).checkIP('10.0.0.1'), '10.0.0.1');
  t.equal(new X509Certificate(await readFile(path.join(out, 'ip--1.crt'))).checkIP('::1'), '::1');
  for (const host of ['bad host', '../x', 'https://a', ''])
    t.equal((await runToEnd(['certs', '--host', host, '--out', out])).code, 64, host);
});

t.test('proxy-config prints the sections in the recordings’ shape, and tables', async (t) => {
  const json = async (section: string): Promise<unknown> => {
    const { code, stdout, stderr } = await runToEnd(['pc', section, '-', '-o', 'json'], { input: GATEWAY });
    t.equal(code, 0, stderr);
    return JSON.parse(stdout);
  };
  t.match(await json('listeners'), [
    {
      name: '0.0.0.0_8443',
      state: 'active',
      listener: {
        address: { socket_address: { address: '0.0.0.0', port_value: 8443 } },
        filter_chains: [
          { filter_chain_match: { server_names: ['shop.example.com'] }, transport_socket_connect_timeout: '15s' },
          { filter_chain_match: { server_names: ['*.admin.example.com', 'admin.example.com'] } },
        ],
      },
    },
  ]);
  t.equal((await runToEnd(['pc', 'routes', '--admin', '127.0.0.1:1'])).code, 69);
  t.equal((await runToEnd(['pc', 'routes', '--admin', 'ftp://x'])).code, 64);
  t.match(await json('routes'), [
    { name: 'https.443.https-a.edge.istio-system' },
    { name: 'https.443.https-b.edge.istio-system' },
  ]);
  t.match(await json('clusters'), [{ name: 'outbound|80||web.shop.svc.cluster.local' }]);
  t.match(await json('secrets'), {
    active: [],
    warming: ['kubernetes://admin', 'kubernetes://admin-cacert', 'kubernetes://shop'],
  });
  t.notMatch(JSON.stringify(await json('listeners')), /originId|label/);
  const table = await runToEnd(['proxy-config', 'routes', '-'], { input: GATEWAY });
  t.match(table.stdout, /^NAME +VHOST NAME +DOMAINS +MATCH +VIRTUAL SERVICE\n/);
  t.equal((await runToEnd(['pc', 'nonsense', '-'])).code, 64);
  t.equal((await runToEnd(['pc', 'routes', '--admin', 'http://127.0.0.1:1'])).code, 69);
  t.equal((await runToEnd(['pc', 'routes', '-'], { input: 'a: [' })).code, 65);
  const both = await runToEnd(['pc', 'routes', '-', '--admin', 'http://127.0.0.1:1']);
  t.match(both, { code: 64, stderr: 'name no files beside it' });
});

t.test('version, help, deviations', async (t) => {
  t.match((await runToEnd(['version'])).stdout, /^postern \d+\.\d+\.\d+ \(node v/);
  const help = await runToEnd(['--help']);
  t.equal(help.code, 0);
  for (const command of ['run', 'proxy-config', 'certs', 'deviations']) t.match(help.stdout, command);
  t.ok(Array.isArray(JSON.parse((await runToEnd(['deviations', '-o', 'json'])).stdout)));
});
