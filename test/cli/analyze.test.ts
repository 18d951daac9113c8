// `postern analyze` and `postern codes` as people and CI jobs meet them: formats, exit codes, suppression, watching; and
// the library's `analyze`.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import t from 'tap';
import { analyze } from '../../src/gateway.js';
import { runToEnd } from '../support/postern.js';

const GATEWAY = `apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: edge}
spec:
  selector: {istio: ingressgateway}
  servers:
  - port: {number: 80, name: http, protocol: HTTP}
    hosts: [shop.test]
`;
const VIRTUAL_SERVICE = `apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: shop}
spec:
  hosts: [shop.test]
  gateways: [edge]
  http:
  - directResponse: {status: 200}
`;
const CLEAN = `${GATEWAY}---\n${VIRTUAL_SERVICE}`;
const UNBOUND = CLEAN.replace('gateways: [edge]', 'gateways: [gone]');
const REFUSED = CLEAN.replace('status: 200', 'status: 700');
const WARNED = CLEAN.replace('hosts: [shop.test]\n  gateways', 'hosts: [blog.test]\n  gateways');

const run = (yaml: string, ...args: readonly string[]): ReturnType<typeof runToEnd> =>
  runToEnd(['analyze', '-', ...args], { input: yaml, env: { NO_COLOR: '1' } });

// Each process costs a third of a second, so each says as much as it can.
t.test('text, and exit codes', async (t) => {
  const [unbound, clean, broken] = await Promise.all([run(UNBOUND), run(CLEAN), run('kind: [')]);
  t.equal(unbound.code, 79);
  t.match(
    unbound.stdout,
    `-:15:14 - error IST0101: Referenced gateway not found: "gone"
15 |   gateways: [gone]
   |              ^^^^
`,
  );
  t.match(unbound.stderr, '1 error, 1 warning, 2 notes in 2 objects');
  t.equal(clean.code, 0);
  t.notMatch(clean.stdout, 'error');
  t.equal(broken.code, 65, 'what cannot be parsed');
  const [silent, hidden, missing] = await Promise.all([
    run(UNBOUND, '-n', 'shop', '-S', 'IST0101=VirtualService shop/*', '-S', 'IST0132=*', '-S', 'IST9999=x'),
    run(UNBOUND.replaceAll('{name: shop}', '{name: shop, namespace: team}'), '-n', 'default'),
    runToEnd(['validate', '/nowhere/at-all']),
  ]);
  t.equal(silent.code, 0, 'objects without a namespace are in the selected one');
  t.match(silent.stderr, '2 findings suppressed');
  t.match(silent.stderr, "Supplied message code 'IST9999' is an unknown message code");
  t.equal(hidden.code, 0);
  t.match(hidden.stderr, '2 findings on objects of other namespaces not shown');
  t.equal(missing.code, 66);
  const [threshold, suppression] = await Promise.all([
    run(CLEAN, '--failure-threshold', 'fatal'),
    run(CLEAN, '-S', 'IST0101'),
  ]);
  t.equal(threshold.code, 64);
  t.equal(suppression.code, 64);
});

t.test('formats for machines', async (t) => {
  const [json, refused, github, junit] = await Promise.all([
    run(WARNED, '-o', 'json', '--failure-threshold', 'Warning'),
    run(REFUSED, '-o', 'json'),
    run(UNBOUND, '-o', 'github'),
    run(UNBOUND, '-o', 'junit'),
  ]);
  t.equal(json.code, 79);
  t.match((JSON.parse(json.stdout) as unknown[])[0], {
    code: 'IST0132',
    severity: 'warning',
    message: 'one or more host [blog.test] defined in VirtualService default/shop not found in Gateway default/edge.',
    file: '-',
    line: 15,
    column: 14,
    resource: 'VirtualService/default/shop',
  });
  t.equal(refused.code, 65);
  const first = (JSON.parse(refused.stdout) as { refusedBy?: string; code: string; message: string }[])[0];
  t.match(first, {
    refusedBy: 'webhook',
    code: 'IST0106',
    message: 'Schema validation error: HTTP status 700 is not in range 200-599',
  });
  t.match(github.stdout, '::error file=-,line=15,col=14,endLine=15,endColumn=18,title=IST0101::Referenced gateway');
  t.match(junit.stdout, /<testsuite name="-"[^>]* failures="1"/);
  t.match(junit.stdout, 'Referenced gateway not found');
});

t.test('codes', async (t) => {
  const [list, page, lower, unknown] = await Promise.all([
    runToEnd(['codes']),
    runToEnd(['codes', 'IST0132']),
    runToEnd(['codes', 'pst1310']),
    runToEnd(['codes', 'IST9999']),
  ]);
  t.match(list.stdout, /^IST0101 +error +ReferencedResourceNotFound/m);
  for (const part of ['What it means:', 'Example:', 'kind: VirtualService', 'How to fix it:'])
    t.match(page.stdout, part);
  t.match(lower.stdout, 'PST1310 RouteShadowed (warning)');
  t.equal(unknown.code, 64);
});

t.test('--watch looks again, and ends when it is interrupted', { timeout: 60_000 }, async (t) => {
  const folder = await mkdtemp(path.join(tmpdir(), 'postern-analyze-'));
  t.teardown(() => rm(folder, { recursive: true, force: true }));
  const file = path.join(folder, 'a.yaml');
  await writeFile(file, CLEAN);
  const child = spawn(process.execPath, [path.resolve('dist/cli/main.js'), 'analyze', '--watch', file], {
    env: { ...process.env, NO_COLOR: '1' },
  });
  t.teardown(() => child.kill('SIGKILL'));
  await until(child, 'stderr', 'in 2 objects');
  const said = until(child, 'stdout', 'IST0101');
  await writeFile(file, UNBOUND);
  await said;
  const mended = until(child, 'stderr', '1 note in 2 objects');
  await writeFile(file, CLEAN);
  await mended;
  const exited = once(child, 'exit');
  child.kill('SIGINT');
  t.same(await exited, [130, null]);
});

function until(child: ChildProcess, stream: 'stdout' | 'stderr', text: string): Promise<void> {
  let seen = '';
  return new Promise((resolve) => {
    child[stream]?.on('data', (chunk: Buffer) => {
      seen += chunk.toString();
      if (seen.includes(text)) resolve();
    });
  });
}

t.test('the library', async (t) => {
  const config = [{ yaml: UNBOUND, file: 'a.yaml' }];
  const { diagnostics } = await analyze({ config });
  t.match(diagnostics[0], { code: 'IST0101', origin: { file: 'a.yaml', line: 15 } });
  const again = await analyze({ config: [{ yaml: CLEAN, file: 'a.yaml' }] });
  t.same(
    again.diagnostics.filter(({ severity }) => severity !== 'info'),
    [],
  );
  const silent = await analyze({ config, suppress: ['IST0101=*', 'IST0132=*'] });
  t.equal(silent.suppressed, 2);
  t.equal((await analyze({ config, namespace: 'shop' })).diagnostics[0]?.origin?.resource, 'VirtualService/shop/shop');
  await t.rejects(analyze({ config, suppress: ['IST0101'] }), { name: 'OptionError' });
});
