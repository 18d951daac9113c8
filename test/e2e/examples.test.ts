// Each example: starts the commands of its README and pastes its client lines, in the order in which they stand there.
import { copyFile, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import t from 'tap';
import { type Outcome, paste } from '../support/curl.js';
import { type RunningPostern, startPostern } from '../support/postern.js';

/** What the n-th client line of a README must show. */
type Expected = (outcome: Outcome) => string | undefined;

const cluster =
  (name: string, certificate?: string): Expected =>
  (outcome) => {
    if (outcome.status !== 200) return `status ${outcome.status}, error ${outcome.error}`;
    if (!(outcome.body ?? '').includes(name)) return `the body does not name ${name}: ${outcome.body}`;
    if (certificate !== undefined && outcome.certificate !== certificate) return `certificate ${outcome.certificate}`;
    return undefined;
  };
const error =
  (...codes: readonly string[]): Expected =>
  (outcome) =>
    outcome.error !== undefined && codes.includes(outcome.error)
      ? undefined
      : `wanted ${codes.join(' or ')}, got ${JSON.stringify(outcome)}`;
const reset = error('ECONNRESET');
const shown =
  (certificate: RegExp): Expected =>
  (outcome) =>
    certificate.test(outcome.certificate ?? '')
      ? undefined
      : `certificate ${outcome.certificate}, error ${outcome.error}`;
const location =
  (status: number, where: RegExp): Expected =>
  (outcome) =>
    outcome.status === status && where.test(outcome.headers?.['location'] ?? '') ? undefined : JSON.stringify(outcome);

const EXAMPLES: Readonly<Record<string, readonly Expected[]>> = {
  tutorial: [
    cluster('outbound|80||web.demo.svc.cluster.local', 'local.test'),
    reset,
    cluster('outbound|9080||productpage.demo.svc.cluster.local', 'bookinfo.local.test'),
    cluster('outbound|9080||productpage.demo.svc.cluster.local', 'bookinfo.local.test'),
    error('ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED', 'ECONNRESET'),
  ],
  passthrough: [
    cluster('outbound|8443||orders.shop.svc.cluster.local'),
    cluster('outbound|8443||payments.shop.svc.cluster.local'),
    reset,
  ],
  'auto-passthrough': [shown(/./)],
  'all-modes-one-port': [
    cluster('outbound|80||web.shop.svc.cluster.local', 'example.com'),
    cluster('outbound|80||web.shop.svc.cluster.local', 'example.com'),
    error('ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED', 'ECONNRESET'),
    cluster('outbound|8443||bank.shop.svc.cluster.local'),
    cluster('outbound|9000||echo.shop.svc.cluster.local', 'example.com'),
    shown(/./),
    location(301, /^https:\/\/simple\.example\.com:8080\/$/),
  ],
};

t.test('every example is tested', async (t) => {
  // `contract-tests` is run by documentation.test.ts and test-command.test.ts.
  t.strictSame((await readdir('examples')).sort(), ['contract-tests', ...Object.keys(EXAMPLES)].sort());
});

for (const [name, expectations] of Object.entries(EXAMPLES)) {
  t.test(`examples/${name}: the README as it stands`, async (t) => {
    const commands = await commandsOf(`examples/${name}/README.md`);
    const clients = commands.filter((command) => !isServer(command));
    t.equal(clients.length, expectations.length, 'every client line has an expectation');
    let running: RunningPostern | undefined;
    let next = 0;
    for (const command of commands) {
      if (isServer(command)) {
        await running?.stop();
        running = await startPostern(command.split(/\s+/).slice(3));
        continue;
      }
      const postern = running;
      if (postern === undefined) throw new Error(`${command} stands before any server`);
      const outcome = await paste(command, (port) => postern.port(port));
      // The port in a location or a Host is the one that was written, not the one that the system gave.
      t.equal((expectations[next++] as Expected)(outcome), undefined, command);
    }
    const exit = await running?.stop();
    t.equal(exit?.code, 0, exit?.stderr ?? '');
  });
}

t.test('the wrong Secret warns with Envoy’s line and heals when the name is put right while running', async (t) => {
  const folder = await mkdtemp(path.join(tmpdir(), 'postern-tutorial-'));
  await copyFile('examples/tutorial/istio/1-web.yaml', path.join(folder, '1-web.yaml'));
  await copyFile('examples/tutorial/variants/2-wrong-secret.yaml', path.join(folder, '9-wrong-secret.yaml'));
  const postern = await startPostern([folder]);
  const line =
    'curl --cacert examples/tutorial/certs/local-test.crt --resolve local.test:8443:127.0.0.1 https://local.test:8443/';
  const ask = (): Promise<Outcome> => paste(line, (port) => postern.port(port));
  t.match(
    postern.stderr(),
    'initial fetch timed out for type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret',
  );
  t.equal((await ask()).error, 'ECONNRESET');
  const broken = await readFile(path.join(folder, '9-wrong-secret.yaml'), 'utf8');
  await writeFile(path.join(folder, '9-wrong-secret.yaml'), broken.replace('wrong-secret', 'local-test-tls'));
  await postern.until('stderr', 'reloaded');
  t.equal((await ask()).status, 200);
  await postern.stop();
  await rm(folder, { recursive: true });
});

t.test('the command lines that run prints work as they are', async (t) => {
  for (const name of Object.keys(EXAMPLES)) {
    const postern = await startPostern([`examples/${name}/istio`]);
    const lines = postern
      .stderr()
      .split('\n')
      .filter((line) => /^(curl|openssl) /.test(line));
    t.ok(lines.length > 0, `${name} prints commands`);
    for (const line of lines) {
      const outcome = await paste(line, (port) => port);
      t.equal(outcome.error, undefined, line);
      if (outcome.status !== undefined) t.match(String(outcome.status), /^(200|301)$/, line);
    }
    await postern.stop();
  }
});

function isServer(command: string): boolean {
  return command.startsWith('node dist/cli/main.js run ');
}

async function commandsOf(readme: string): Promise<string[]> {
  const text = await readFile(readme, 'utf8');
  return [...text.matchAll(/```sh\n([\s\S]*?)```/g)].flatMap((block) =>
    (block[1] as string).split('\n').filter((line) => line.trim() !== ''),
  );
}
