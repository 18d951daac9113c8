// `postern run` as a user meets it: flags, exit codes, ready file, access log, reload, admin listener, signals.
import { generateKeyPairSync, type X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises';
import http from 'node:http';
import net from 'node:net';
import path from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import tls from 'node:tls';
import t from 'tap';
import { issueCertificate } from '../../src/certs/development-ca.js';
import { renderTlsSecret } from '../../src/certs/secret-yaml.js';
import { paste } from '../support/curl.js';
import { type RunningPostern, runToEnd, startPostern } from '../support/postern.js';
import { documents, folderWith, GATEWAY, route, SERVICE } from '../support/shop-yaml.js';

async function get(
  postern: RunningPostern,
  target = '/',
  host = 'shop.example.com',
): Promise<Awaited<ReturnType<typeof paste>>> {
  return paste(`curl --resolve ${host}:8080:127.0.0.1 http://${host}:8080${target}`, (port) => postern.port(port));
}

t.test('wrong usage, missing files and bad input have their own exit codes, and nothing starts', async (t) => {
  const folder = await folderWith({
    'broken.yaml': 'apiVersion: v1\nkind: Service\nmetadata: { name: a\n',
    'wrong.yaml': GATEWAY.replace('number: 80', 'number: eighty').replace('protocol: HTTP', 'protocol: 7'),
    'good.yaml': documents(SERVICE, GATEWAY, route()),
    'refused.yaml': documents(SERVICE, GATEWAY.replace('number: 80', 'number: 0'), route()),
  });
  const check = async (args: readonly string[], code: number, said: RegExp): Promise<void> => {
    const exit = await runToEnd(args);
    t.equal(exit.code, code, `${args.join(' ')}: ${exit.stderr}`);
    t.match(exit.stderr, said);
    t.equal(exit.stdout, '');
  };
  await check(['run'], 64, /no configuration/);
  await check(['run', folder, '--port', 'x'], 64, /expected PORT=PORT/);
  await check(['run', folder, '--nonsense'], 64, /unknown option/);
  await check(['frobnicate'], 64, /unknown command/);
  await check(['run', path.join(folder, 'good.yaml'), '--upstream', 'x'], 64, /expected HOST/);
  await check(['run', path.join(folder, 'good.yaml'), '--admin', '0.0.0.0:0', '--port', '80=0'], 64, /loopback only/);
  await check(['run', path.join(folder, 'nowhere.yaml')], 66, /nowhere\.yaml/);
  await check(['run', folder, '--address', 'foo.invalid'], 64, /expected an IP address/);
  const good = ['run', path.join(folder, 'good.yaml'), '--port', '80=0', '--admin', 'off'];
  await check([...good, '--ready-file', path.join(folder, 'nowhere', 'ready.json')], 66, /cannot write/);
  await check(['run', path.join(folder, 'broken.yaml')], 65, /broken\.yaml:\d+:\d+ - error/);
  // What istiod's webhook refuses, a cluster would not hold.
  await check(['run', path.join(folder, 'refused.yaml')], 65, /IST0106: .*port number 0 must be in the range/);
  await check(
    [...good, '--upstreams', path.join(folder, 'broken.yaml')],
    65,
    /broken\.yaml: .* at line 4, column 1\n$/,
  );
  await check([...good, '--upstreams', path.join(folder, 'good.yaml')], 65, /good\.yaml: .*expected|documents/);
  await check([...good, '--max-input', '100'], 65, /PST1205: the file has \d+ bytes; more than 100 are not read/);
  await check([...good, '--max-input', 'much'], 64, /expected a number of bytes/);
  await check(['run', path.join(folder, 'wrong.yaml')], 65, /wrong\.yaml:8:23[\s\S]*wrong\.yaml:8:53/);
});

t.test('a port in use is exit 98, for a listener and for the admin listener', async (t) => {
  const folder = await folderWith({ 'a.yaml': documents(SERVICE, GATEWAY, route()) });
  const taken = net.createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => taken.once('listening', resolve));
  const { port } = taken.address() as net.AddressInfo;
  const listener = await runToEnd(['run', folder, '--port', `80=${port}`, '--admin', 'off']);
  t.equal(listener.code, 98, listener.stderr);
  t.match(listener.stderr, `127.0.0.1:${port} is in use`, 'the address that was tried');
  const foreign = await runToEnd(['run', folder, '--port', '80=0', '--admin', 'off', '--address', '192.0.2.1']);
  t.equal(foreign.code, 64, foreign.stderr);
  const admin = await runToEnd(['run', folder, '--port', '80=0', '--admin', `127.0.0.1:${port}`]);
  t.equal(admin.code, 98, admin.stderr);
  taken.close();
});

t.test('standard input, stubs, access log in JSON, SIGTERM ends with 0', async (t) => {
  const postern = await startPostern(['-', '--access-log', 'json'], { input: documents(SERVICE, GATEWAY, route()) });
  const answer = await get(postern, '/cart?x=1');
  t.equal(answer.status, 200);
  t.match(answer.body ?? '', 'outbound|80||web.shop.svc.cluster.local');
  t.equal(answer.headers?.['server'], 'istio-envoy');
  t.equal((await get(postern, '/', 'other.example.com')).status, 404);
  await postern.until('stdout', '"NR"');
  const { code, stdout } = await postern.stop();
  t.equal(code, 0);
  const lines = stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
  t.match(lines, [
    {
      method: 'GET',
      path: '/cart?x=1',
      response_code: 200,
      response_flags: '-',
      response_code_details: 'via_upstream',
      authority: 'shop.example.com:8080',
      upstream_cluster: 'outbound|80||web.shop.svc.cluster.local',
      protocol: 'HTTP/1.1',
    },
    { response_code: 404, response_flags: 'NR', response_code_details: 'route_not_found', upstream_cluster: null },
  ]);
  t.strictSame(
    Object.keys(lines[0] ?? {}),
    'authority bytes_received bytes_sent connection_termination_details downstream_local_address downstream_remote_address duration method path protocol request_id requested_server_name response_code response_code_details response_flags route_name start_time upstream_cluster upstream_host upstream_local_address upstream_service_time upstream_transport_failure_reason user_agent x_forwarded_for'.split(
      ' ',
    ),
  );
});

t.test('no endpoints and unknown destinations are what Istio answers', async (t) => {
  const folder = await folderWith({ 'a.yaml': documents(SERVICE, GATEWAY, route()) });
  const empty = await startPostern([folder, '--no-stubs']);
  t.match(await get(empty), { status: 503, body: 'no healthy upstream' });
  await empty.until('stdout', ' 503 UH no_healthy_upstream ');
  await empty.stop();
  const unknown = await startPostern(['-'], {
    input: documents(SERVICE, GATEWAY, route('gone.shop.svc.cluster.local')),
  });
  t.match(await get(unknown), { status: 503, body: '' });
  await unknown.until('stdout', ' 503 NC cluster_not_found ');
  await unknown.stop();
  // Without any Service every destination counts as one, and that is said.
  const assumed = await startPostern(['-'], { input: documents(GATEWAY, route('gone.shop.svc.cluster.local')) });
  t.match(assumed.stderr(), 'no Service or ServiceEntry is loaded');
  t.match(await get(assumed), { status: 200 });
  await assumed.stop();
});

t.test('--upstream dials the real thing', async (t) => {
  const backend = http.createServer((request, response) => response.end(`real ${request.url}`)).listen(0, '127.0.0.1');
  await new Promise((resolve) => backend.once('listening', resolve));
  const { port } = backend.address() as net.AddressInfo;
  const postern = await startPostern(
    [
      '-',
      '--upstream',
      `web.shop.svc.cluster.local:80=127.0.0.1:${port}`,
      '--upstream',
      'gone.example.com=127.0.0.1:1',
    ],
    { input: documents(SERVICE, GATEWAY, route()) },
  );
  t.match(postern.stderr(), 'gone.example.com=127.0.0.1:1 fits no cluster');
  t.match(await get(postern, '/a'), { status: 200, body: /real \/a/ });
  await postern.stop();
  backend.close();
  backend.closeAllConnections();
});

t.test('zero listeners: the ready file is written and the process stays up', async (t) => {
  const postern = await startPostern(['-'], { input: SERVICE });
  t.strictSame(postern.listeners, []);
  t.equal(postern.child.exitCode, null);
  t.equal((await postern.stop('SIGINT')).code, 0);
});

t.test('an edit is taken over, a bad one keeps the old configuration serving and says why', async (t) => {
  const folder = await folderWith({ 'a.yaml': documents(SERVICE, GATEWAY), 'route.yaml': route() });
  const file = path.join(folder, 'route.yaml');
  const postern = await startPostern([folder]);
  t.equal((await get(postern)).status, 200);
  await writeFile(file, route('gone.shop.svc.cluster.local'));
  await postern.until('stderr', 'reloaded');
  t.equal((await get(postern)).status, 503);
  await writeFile(file, `${route()}  nonsense: [`);
  await postern.until('stderr', 'the running configuration stays');
  t.match(postern.stderr(), /route\.yaml:\d+:\d+ - error/);
  t.equal((await get(postern)).status, 503, 'the configuration before the bad edit');
  // As an editor saves: a new file renamed over the old one.
  await writeFile(`${file}.tmp`, route());
  await rename(`${file}.tmp`, file);
  await postern.until('stderr', /reloaded[\s\S]*reloaded/);
  t.equal((await get(postern)).status, 200);
  await postern.stop();
});

t.test(
  'whatever is wrong with an edit, the old configuration serves, and the next good one is taken over',
  async (t) => {
    const folder = await folderWith({ 'a.yaml': documents(SERVICE, GATEWAY), 'route.yaml': route() });
    const file = path.join(folder, 'route.yaml');
    const postern = await startPostern([path.join(folder, 'a.yaml'), file]);
    let seen = 0;
    const after = async (change: () => Promise<void>, said: RegExp): Promise<string> => {
      await change();
      await postern.until('stderr', new RegExp(`^[\\s\\S]{${seen},}${said.source}`));
      const text = postern.stderr().slice(seen);
      seen = postern.stderr().length;
      return text;
    };
    const stays = /the running configuration stays/;
    const bad: readonly (readonly [what: string, text: string | Uint8Array, said: RegExp])[] = [
      ['YAML syntax', `${route()}  nonsense: [`, /route\.yaml:11:\d+ - error PST0101: /],
      ['not UTF-8', Buffer.from(`${route()}# caf\xe9\n`, 'latin1'), /route\.yaml:11:6 - error PST0101: .*octet 0xe9/],
      ['schema', route().replace('number: 80', 'number: eighty'), /route\.yaml:10:\d+ - error PST01\d\d: /],
      ['unknown field', `${route()}    retires: {}\n`, /route\.yaml:11:5 - error PST0110: .*unknown field/],
      ['the webhook', route().replace('number: 80', 'number: 0'), /route\.yaml:10:\d+ - error IST0106: /],
      ['no object', 'spec: {}\n', /route\.yaml:1:1 - error PST0103: /],
    ];
    for (const [what, text, said] of bad) {
      t.match(await after(() => writeFile(file, text), stays), said, what);
      t.equal((await get(postern)).status, 200, `${what}: what was there before serves`);
    }
    t.match(await after(() => rm(file), stays), /cannot read .*route\.yaml/);
    t.equal((await get(postern)).status, 200, 'a file that went away');
    t.notMatch(postern.stderr(), /^\s+at /m, 'no stack trace');
    await after(() => writeFile(file, route('gone.shop.svc.cluster.local')), /reloaded: /);
    t.equal((await get(postern)).status, 503, 'the next good one is in force');
    await postern.stop();
  },
);

t.test('a Secret that is taken away is warned about and stays in use; its successor is taken over', async (t) => {
  const request = { commonName: 'shop', dnsNames: ['shop.example.com'], usage: 'server' } as const;
  const secret = async (): Promise<string> =>
    renderTlsSecret('istio-system', 'shop', await issueCertificate(undefined, request));
  const gateway = GATEWAY.replace(
    '{ port: { number: 80, name: http, protocol: HTTP }, hosts: ["*"] }',
    '{ port: { number: 443, name: https, protocol: HTTPS }, tls: { mode: SIMPLE, credentialName: shop }, hosts: ["*"] }',
  );
  const folder = await folderWith({ 'a.yaml': documents(SERVICE, gateway, route()), 'secret.yaml': await secret() });
  const file = path.join(folder, 'secret.yaml');
  const postern = await startPostern([folder]);
  const shown = async (): Promise<string> => {
    const socket = tls.connect({ port: postern.port(8443), servername: 'shop.example.com', rejectUnauthorized: false });
    await once(socket, 'secureConnect');
    const { fingerprint256 } = socket.getPeerX509Certificate() as X509Certificate;
    socket.destroy();
    return fingerprint256;
  };
  const first = await shown();
  await rm(file);
  await postern.until('stderr', /PST0210: .*secret istio-system\/shop not found[\s\S]*reloaded/);
  t.equal(await shown(), first);
  await writeFile(file, await secret());
  await postern.until('stderr', /reloaded[\s\S]*reloaded/);
  t.not(await shown(), first);
  await postern.stop();
});

t.test('a Kubernetes-style symlink swap is noticed', async (t) => {
  const folder = await folderWith({});
  const write = async (version: string, text: string): Promise<void> => {
    await mkdir(path.join(folder, `..${version}`));
    await writeFile(path.join(folder, `..${version}`, 'all.yaml'), text);
    await symlink(`..${version}`, path.join(folder, '..data.tmp'));
    await rename(path.join(folder, '..data.tmp'), path.join(folder, '..data'));
  };
  await write('1', documents(SERVICE, GATEWAY, route('gone.shop.svc.cluster.local')));
  await symlink('..data/all.yaml', path.join(folder, 'all.yaml'));
  const postern = await startPostern([folder]);
  t.equal((await get(postern)).status, 503);
  await write('2', documents(SERVICE, GATEWAY, route()));
  await postern.until('stderr', 'reloaded');
  t.equal((await get(postern)).status, 200);
  await postern.stop();
});

t.test('the admin listener has Envoy’s paths and shows no private key', async (t) => {
  const postern = await startPostern(['examples/tutorial/istio', '--admin', '127.0.0.1:0']);
  const ask = (target: string, headers: http.OutgoingHttpHeaders = {}): Promise<{ status: number; body: string }> =>
    new Promise((resolve, reject) => {
      http
        .get(`http://${postern.admin}${target}`, { headers }, (response) => {
          let body = '';
          response.setEncoding('utf8').on('data', (text: string) => {
            body += text;
          });
          response.on('end', () => resolve({ status: response.statusCode ?? 0, body }));
        })
        .on('error', reject);
    });
  t.strictSame(await ask('/ready'), { status: 200, body: 'LIVE\n' });
  const dump = await ask('/config_dump?include_eds');
  t.match(dump.body, 'https.443.https.web-gateway.istio-system');
  t.notMatch(dump.body, /PRIVATE KEY|LS0tLS1CRUdJTiBQUklWQVRF/);
  t.match(
    (await ask('/clusters')).body,
    'outbound|80||web.demo.svc.cluster.local::default_priority::max_connections::4294967295',
  );
  await paste(
    'curl --cacert examples/tutorial/certs/local-test.crt --resolve local.test:8443:127.0.0.1 https://local.test:8443/',
    (port) => postern.port(port),
  );
  const stats = (await ask('/stats')).body;
  t.match(stats, /^listener\.0\.0\.0\.0_8443\.downstream_cx_total: 1$/m);
  for (const [name, value] of [
    ['downstream_cx_total', 1],
    ['downstream_cx_ssl_total', 1],
    ['downstream_rq_total', 1],
    ['downstream_rq_http2_total', 1],
    ['downstream_rq_active', 0],
    ['downstream_rq_2xx', 1],
    ['downstream_rq_4xx', 0],
  ] as const) {
    t.ok(stats.includes(`\nhttp.outbound_0.0.0.0_8443;.${name}: ${value}\n`), name);
  }
  t.match(
    (await ask('/stats/prometheus')).body,
    /^envoy_http_downstream_rq\{http_conn_manager_prefix="outbound_0\.0\.0\.0_8443",response_code_class="2xx"\} 1$/m,
  );
  t.match(await ask('/nope'), { status: 404, body: /^invalid path\. admin commands are:/ });
  for (const host of ['evil.example.com', '127.0.0.1.example.com', '127.example.com:15000', 'localhost.example.com'])
    t.equal((await ask('/config_dump', { host })).status, 403, `no DNS rebinding through ${host}`);
  // Targets that are no URL, and a filter that would keep a backtracking engine busy for years.
  for (const target of ['//', '//[', '/..//', '/%', '/stats?filter=%', '/stats?filter=(']) await ask(target);
  t.equal((await ask('/stats?filter=((a%2B)%2B)%2B$')).status, 200);
  t.match(
    (await ask('/stats?filter=listener.*cx_total$')).body,
    /^listener\.0\.0\.0\.0_8443\.downstream_cx_total: 1\n$/,
  );
  const table = await runToEnd(['proxy-config', 'listeners', '--admin', `http://${postern.admin}`]);
  t.match(table.stdout, /0\.0\.0\.0 +8443 +SNI: local\.test +Route: https\.443\.https\.web-gateway\.istio-system/);
  t.notMatch(postern.stderr() + postern.stdout(), 'PRIVATE KEY');
  await postern.stop();
});

t.test('whoever reads the output may go', async (t) => {
  const postern = await startPostern([await folderWith({ 'all.yaml': documents(SERVICE, GATEWAY, route()) })]);
  postern.child.stdout?.destroy();
  postern.child.stderr?.destroy();
  for (let i = 0; i < 4; i++) {
    t.equal((await get(postern)).status, 200);
    await wait(30); // the log is written within 20 ms
  }
  t.equal((await postern.stop()).code, 0);
});

t.test('--dev-certs makes what is missing, and the printed commands work with it', async (t) => {
  const yaml = documents(
    SERVICE,
    GATEWAY.replace(
      '- { port: { number: 80, name: http, protocol: HTTP }, hosts: ["*"] }',
      '- { port: { number: 443, name: https, protocol: HTTPS }, hosts: [shop.example.com], tls: { mode: MUTUAL, credentialName: shop } }',
    ),
    route(),
  );
  const postern = await startPostern(['-', '--dev-certs'], { input: yaml });
  const line = postern
    .stderr()
    .split('\n')
    .find((text) => text.startsWith('curl '));
  t.match(line ?? '', /--cacert .* --cert .* --key /);
  t.match(await paste(line ?? '', (port) => port), { status: 200, certificate: 'shop.example.com' });
  await postern.stop();
  const without = await startPostern(['-'], { input: yaml });
  t.match(without.stderr(), 'initial fetch timed out');
  t.match(
    await paste('curl -k --resolve shop.example.com:8443:127.0.0.1 https://shop.example.com:8443/', (port) =>
      without.port(port),
    ),
    { error: 'ECONNRESET' },
  );
  await without.stop();
});

t.test('--initial-fetch-timeout keeps every port closed while no Secret exists', async (t) => {
  const yaml = documents(
    SERVICE,
    GATEWAY.replace(
      '  - { port: { number: 80',
      '  - { port: { number: 443, name: https, protocol: HTTPS }, hosts: [a.example.com], tls: { mode: SIMPLE, credentialName: none } }\n  - { port: { number: 80',
    ),
    route(),
  );
  const started = Date.now();
  const postern = await startPostern(['-', '--initial-fetch-timeout', '700ms'], { input: yaml });
  t.ok(Date.now() - started >= 700, 'ready only then');
  t.equal((await get(postern)).status, 200);
  await postern.stop();
});

t.test('--initial-fetch-timeout: a Secret that appears ends the wait', async (t) => {
  const https = GATEWAY.replace(
    / {2}- .*\n/,
    '  - { port: { number: 443, name: https, protocol: HTTPS }, hosts: [shop.example.com], tls: { mode: SIMPLE, credentialName: shop } }\n',
  );
  const folder = await folderWith({ 'a.yaml': documents(SERVICE, https, route()) });
  const made = await runToEnd(['certs', folder, '--out', path.join(folder, '.made')]);
  t.equal(made.code, 0, made.stderr);
  const secrets = await readFile(path.join(folder, '.made', 'secrets.yaml'), 'utf8');
  const postern = await startPostern([folder, '--initial-fetch-timeout', '60s'], {
    meanwhile: async (stderr) => {
      while (!stderr().includes('initial fetch timed out')) await wait(10);
      await writeFile(path.join(folder, 'secrets.yaml'), secrets);
    },
  });
  const line = `curl -k --resolve shop.example.com:8443:127.0.0.1 https://shop.example.com:8443/`;
  t.match(await paste(line, (port) => postern.port(port)), { status: 200, certificate: 'shop.example.com' });
  t.equal((await postern.stop()).code, 0);
});

t.test('SIGTERM drains: the answer under way is finished, a second signal ends at once', async (t) => {
  const backend = http
    .createServer((_request, response) => {
      setTimeout(() => response.end('late'), 300);
    })
    .listen(0, '127.0.0.1');
  await new Promise((resolve) => backend.once('listening', resolve));
  const { port } = backend.address() as net.AddressInfo;
  const args = ['-', '--upstream', `web.shop.svc.cluster.local=127.0.0.1:${port}`, '--drain-time', '5s'];
  const input = documents(SERVICE, GATEWAY, route());
  const postern = await startPostern(args, { input });
  const answer = get(postern);
  await new Promise((resolve) => backend.once('request', resolve));
  const exit = postern.stop();
  t.match(await answer, { status: 200, body: /late/, headers: { connection: 'close' } });
  const began = Date.now();
  t.equal((await exit).code, 0);
  t.ok(Date.now() - began < 4000, 'no longer than there are connections');

  const stubborn = await startPostern(args, { input });
  const socket = net.connect(stubborn.port(8080), '127.0.0.1');
  await new Promise((resolve) => socket.once('connect', resolve));
  socket.write('GET / HTTP/1.1\r\n');
  socket.on('error', () => {});
  stubborn.child.kill('SIGTERM');
  await stubborn.until('stderr', 'draining');
  t.equal((await stubborn.stop('SIGTERM')).code, 130);
  socket.destroy();
  backend.close();
  backend.closeAllConnections();
});

t.test('--concurrency serves from several processes', async (t) => {
  const folder = await folderWith({ 'a.yaml': documents(SERVICE, GATEWAY, route()) });
  const postern = await startPostern([folder, '--concurrency', '2']);
  for (let i = 0; i < 8; i++) t.equal((await get(postern)).status, 200);
  t.equal((await postern.stop()).code, 0);
});

t.test('--concurrency: what keeps all of them from starting is said once, and in full', async (t) => {
  const folder = await folderWith({ 'a.yaml': documents(SERVICE, GATEWAY, route()), 'broken.yaml': 'a: [\n' });
  const taken = net.createServer().listen(0, '127.0.0.1');
  await once(taken, 'listening');
  const { port } = taken.address() as net.AddressInfo;
  for (let turn = 0; turn < 3; turn++) {
    const broken = await runToEnd(['run', folder, '--admin', 'off', '--concurrency', '3']);
    t.equal(broken.code, 65);
    t.match(broken.stderr, /broken\.yaml:1:\d+ - error PST0101: /);
    t.equal(broken.stderr.match(/^postern: the configuration has 1 error/gm)?.length, 1, broken.stderr);
  }
  const good = path.join(folder, 'a.yaml');
  const busy = await runToEnd(['run', good, '--port', `80=${port}`, '--admin', 'off', '--concurrency', '2']);
  t.equal(busy.code, 98);
  t.equal(busy.stderr.match(/^postern: .* is in use/gm)?.length, 1, busy.stderr);
  taken.close();
});

t.test('Node’s own memory of keys: nothing of a Secret reaches stdout or stderr of a failing load', async (t) => {
  const key = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({
    type: 'pkcs8',
    format: 'pem',
  }) as string;
  const secret = `apiVersion: v1\nkind: Secret\nmetadata: { name: a, namespace: istio-system }\nstringData:\n  tls.key: ${JSON.stringify(key)}\n  tls.crt: 7\n`;
  const exit = await runToEnd(['run', '-', '--admin', 'off'], { input: secret });
  t.equal(exit.code, 65, exit.stderr);
  t.notMatch(exit.stdout + exit.stderr, key.split('\n')[1] as string);
});
