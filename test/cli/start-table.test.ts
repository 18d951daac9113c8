// What `postern run` prints at start, and several processes at once.
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import t from 'tap';
import { paste } from '../support/curl.js';
import { startPostern } from '../support/postern.js';
import { documents, folderWith, GATEWAY, route, SERVICE } from '../support/shop-yaml.js';

t.test('the printed commands meet what the rules ask for, whatever the host looks like', async (t) => {
  const listen = (number: number, name: string, more: string): string =>
    `  - { port: { number: ${number}, name: ${name}, protocol: ${more} }\n`;
  const yaml = documents(
    SERVICE,
    GATEWAY.replace(
      / {2}- .*\n/,
      [
        listen(80, 'http', 'HTTP }, hosts: ["*.example.com"]'),
        listen(443, 'a', 'HTTPS }, hosts: ["*.example.com"], tls: { mode: OPTIONAL_MUTUAL, credentialName: a }'),
        listen(9443, 'b', 'HTTPS }, hosts: ["*"], tls: { mode: ISTIO_MUTUAL }'),
        listen(9444, 'c', 'HTTPS }, hosts: ["*"], tls: { mode: SIMPLE, credentialName: c }'),
        listen(9445, 'd', 'TLS }, hosts: [d.example.com], tls: { mode: SIMPLE, credentialName: d }'),
        listen(9000, 'e', 'TCP }, hosts: ["*"]'),
      ].join(''),
    ),
    `${route(undefined, 'match: [{ uri: { regex: "/\\\\p{L}+" } }]\n    ').replace(
      'shop.example.com',
      '"*"',
    )}  - match: [{ method: { exact: POST }, headers: { x-tier: { prefix: gold } }, queryParams: { v: { exact: "1" } }, uri: { prefix: /api } }]
    route: [{ destination: { host: web.shop.svc.cluster.local, port: { number: 80 } } }]
  tcp:
  - route: [{ destination: { host: web.shop.svc.cluster.local, port: { number: 80 } } }]
`,
  );
  const ports = ['80', '443', '9443', '9444', '9445', '9000'].flatMap((port) => ['--port', `${port}=0`]);
  const postern = await startPostern(['-', '--dev-certs', ...ports, '--port', '7=8'], { input: yaml });
  t.match(postern.stderr(), '--port 7: no server of a Gateway has this port');
  const lines = postern.stderr().match(/^(?:curl|nc|openssl) .*$/gm) ?? [];
  t.equal(lines.length, 6, postern.stderr());
  for (const line of lines) t.match(await paste(line, (port) => port), { status: 200 }, line);
  t.match(lines[0], "-X POST -H 'x-tier: gold' 'http://any.example.com:");
  await postern.stop();

  // A container port in the Gateway, the Service's port on the command line.
  const plain = await startPostern(['-', '--port', '80=0'], {
    input: documents(SERVICE, GATEWAY.replace('number: 80', 'number: 8080'), route()),
  });
  t.notMatch(plain.stderr(), 'no server of a Gateway');
  t.match(plain.stderr(), '/etc/hosts');
  t.notMatch(plain.stderr(), 'certificate', 'there is none to accept');
  await plain.stop();
});

t.test('who serves nothing says why', async (t) => {
  const other = await startPostern(['-', '--gateway-label', 'istio=other'], { input: documents(SERVICE, GATEWAY) });
  t.match(other.stderr(), 'no host is served: the Gateway that is loaded selects another workload than istio-system');
  await other.stop();
  const empty = await startPostern(['-'], { input: SERVICE });
  t.match(empty.stderr(), 'no host is served: no Gateway is loaded');
  await empty.stop();
  // What Envoy refuses gets no command to paste.
  const refused = await startPostern(['-'], {
    input: documents(SERVICE, GATEWAY, route(undefined, 'headers: { response: { set: { x-a: "%NOPE%" } } }\n    ')),
  });
  t.match(refused.stderr(), 'shop.example.com (routes refused)');
  t.notMatch(refused.stderr(), /^curl /m);
  await refused.stop();
});

t.test('--concurrency: standard input, SIGHUP and the development CA are those of all processes', async (t) => {
  const folder = await folderWith({ 'a.yaml': documents(SERVICE, GATEWAY, route('gone.shop.svc.cluster.local')) });
  const file = path.join(folder, 'a.yaml');
  const reloaded = await startPostern([file, '--concurrency', '2', '--no-watch']);
  await writeFile(file, documents(SERVICE, GATEWAY, route()));
  reloaded.child.kill('SIGHUP');
  await reloaded.until('stderr', 'reloaded');
  t.equal((await reloaded.stop()).code, 0);

  const yaml = documents(
    SERVICE,
    GATEWAY.replace(
      '- { port: { number: 80, name: http, protocol: HTTP }, hosts: ["*"] }',
      '- { port: { number: 443, name: https, protocol: HTTPS }, hosts: [shop.example.com], tls: { mode: MUTUAL, credentialName: shop } }',
    ),
    route(),
  );
  const postern = await startPostern(['-', '--dev-certs', '--concurrency', '2'], { input: yaml });
  const line = postern.stderr().match(/^curl .*$/m)?.[0] ?? '';
  for (let i = 0; i < 6; i++) t.match(await paste(line, (port) => port), { status: 200 });
  await postern.stop();
});
