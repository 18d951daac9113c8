// `postern test` and `postern init` as they are typed: exit codes, files of reporters, no stack traces.
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import net from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import t, { type Test } from 'tap';
import { CommandError } from '../../src/cli/exit-codes.js';
import { initCommand } from '../../src/cli/init-command.js';
import { testCommand } from '../../src/cli/test-command.js';
import { junitProblems } from '../support/junit.js';
import { type Exit, runToEnd, startPostern } from '../support/postern.js';

const EXAMPLE = 'examples/contract-tests';
const TEST = 'tests: [{ name: a, request: { url: "https://nope.test/" }, expect: { error: no_filter_chain } }]\n';

const folder = await mkdtemp(path.join(tmpdir(), 'postern-test-'));
t.teardown(() => rm(folder, { recursive: true, force: true }));

async function write(name: string, text: string): Promise<string> {
  const file = path.join(folder, name);
  await writeFile(file, text);
  return file;
}

/** The command without a process of its own, which would cost ten times as much; reports go nowhere. */
async function inProcess(name: 'test' | 'init', args: readonly string[]): Promise<Exit> {
  let stderr = '';
  const write = process.stderr.write.bind(process.stderr);
  process.stderr.write = (text: string | Uint8Array) => {
    stderr += String(text);
    return true;
  };
  const command = name === 'test' ? testCommand() : initCommand();
  const quiet =
    name === 'test' && !args.includes('--reporter') ? ['--reporter', `json:${path.join(folder, 'out.json')}`] : [];
  try {
    await command.exitOverride().parseAsync([...args, ...quiet], { from: 'user' });
    return { code: Number(process.exitCode ?? 0), stdout: '', stderr };
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    return { code: error.exitCode, stdout: '', stderr: `${stderr}postern: ${error.message}\n` };
  } finally {
    process.stderr.write = write;
    process.exitCode = undefined;
  }
}

function check(t: Test, exit: Exit, code: number, stderr: RegExp, what: string): void {
  t.equal(exit.code, code, `${what}: ${exit.stderr}`);
  t.match(exit.stderr, stderr, what);
  t.notMatch(exit.stderr, /\n\s+at /, `${what}: no stack trace`);
}

t.test('exit codes', async (t) => {
  const istio = path.resolve(EXAMPLE, 'istio');
  const good = await write('good.contract.yaml', `contract: v1\nconfig: "${istio}"\n${TEST}`);
  const failing = await write(
    'bad.contract.yaml',
    `contract: v1\nconfig: "${istio}"\n${TEST.replace('no_filter_chain', 'no_route')}`,
  );
  const taken = net.createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => taken.once('listening', resolve));
  const { port } = taken.address() as net.AddressInfo;
  const cases: readonly (readonly [args: readonly string[], code: number, stderr: RegExp])[] = [
    [[good], 0, /^$/],
    [[failing], 1, /^$/],
    [[good, '--mode', 'decide', '--fail-under', '100'], 1, /^$/],
    [[good, '--grep', 'zzz'], 64, /^postern: --grep zzz: no test fits\n$/],
    [[good, '--tag', 'zzz'], 64, /--tag zzz: no test fits/],
    [[good, '--grep', '('], 64, /no regular expression/],
    [[good, '--reporter', 'xml'], 64, /expected one of pretty, tap, junit, github, json/],
    [[good, '--fail-under', 'x'], 64, /--fail-under x/],
    [[good, '--upstream', 'a.test=10.0.0.1:80'], 64, /never leaves loopback/],
    [[path.join(folder, 'none')], 66, /none/],
    [
      [await write('typo.contract.yaml', `contract: v1\nconfig: "${istio}"\n${TEST}clinets: {}\n`)],
      65,
      /typo\.contract\.yaml:4:1 - error PST1002: clinets: unknown key "clinets"\n4 \| clinets: \{\}\n.*\^{7}\n.*did you mean `clients`/,
    ],
    [
      [await write('empty.contract.yaml', `contract: v1\nconfig: "${istio}"\ntests: []\n`)],
      65,
      /PST1006: the contract has no tests/,
    ],
    [
      [await write('unused.contract.yaml', `contract: v1\nconfig: "${istio}"\nupstreams: { a.test: {} }\n${TEST}`)],
      65,
      /unused\.contract\.yaml:3:14 - error PST1014/,
    ],
    [
      [
        await write(
          'client.contract.yaml',
          `contract: v1\nconfig: "${istio}"\nclients: { a: { generate: { signedBy: self } } }\n${TEST}`,
        ),
      ],
      65,
      /:3:12 - error PST1012/,
    ],
    [[await write('config.contract.yaml', `contract: v1\nconfig: nowhere\n${TEST}`)], 66, /:2:9 - error PST1015/],
    [[await write('broken.contract.yaml', `contract: v1\nconfig: broken.yaml\n${TEST}`)], 66, /broken\.yaml/],
    [[good, '--port', `443=${port}`], 98, /cannot bind 127\.0\.0\.1:\d+: EADDRINUSE/],
  ];
  for (const [args, code, stderr] of cases) check(t, await inProcess('test', args), code, stderr, args.join(' '));
  for (const [args, code, stderr] of cases.slice(-3))
    check(t, await runToEnd(['test', ...args]), code, stderr, args.join(' '));
  taken.close();
});

t.test('several reporters at once', async (t) => {
  const file = (name: string): string => path.join(folder, 'reports', name);
  const reporters = [
    'pretty',
    `tap:${file('a.tap')}`,
    `junit:${file('a.xml')}`,
    `json:${file('a.json')}`,
    `github:${file('a.txt')}`,
  ];
  const exit = await runToEnd(
    ['test', EXAMPLE, '--mode', 'decide', '--coverage', ...reporters.flatMap((one) => ['--reporter', one])],
    { env: { FORCE_COLOR: '0' } },
  );
  t.equal(exit.code, 0, exit.stderr);
  t.match(exit.stdout, /22 passed, 0 failed/);
  t.match(exit.stdout, /coverage \d+\.\d %: servers 4\/4, hosts \d\/4, match blocks 5\/5/);
  t.match(await readFile(file('a.tap'), 'utf8'), /^TAP version 14\n1\.\.1\n/);
  t.strictSame(await junitProblems(await readFile(file('a.xml'), 'utf8')), []);
  t.match(JSON.parse(await readFile(file('a.json'), 'utf8')), { ok: true, counts: { passed: 22 } });
  t.match(await readFile(file('a.txt'), 'utf8'), /^::notice title=postern test::22 passed, 0 failed\n$/);
});

t.test('init writes a contract that passes', async (t) => {
  for (const [name, config, more] of [
    ['tutorial', 'examples/tutorial/istio', []],
    ['modes', 'examples/all-modes-one-port/istio', ['--dev-certs', '--gateway-label', 'tier=edge']],
  ] as const) {
    const file = path.join(folder, `${name}.contract.yaml`);
    const made = await inProcess('init', [config, '-o', file, ...more]);
    check(t, made, 0, /^\d+ tests; run them with: postern test /, name);
    const text = await readFile(file, 'utf8');
    t.match(text, 'contract: v1\n');
    t.notMatch(text, /url: .*\n.*expect: \{ +\}/, 'every test expects something');
    t.equal((await inProcess('test', [file])).code, 0, text);
    check(t, await inProcess('init', [config, '-o', file]), 64, /is there already/, 'it is not written over');
  }
  check(t, await inProcess('init', []), 64, /no configuration/, 'without configuration');
  const none = await write('none.yaml', 'apiVersion: v1\nkind: Namespace\nmetadata: { name: a }\n');
  check(t, await inProcess('init', [none, '-o', '-']), 65, /no host is served/, 'without a Gateway');
});

t.test('watch runs again when a file changes', async (t) => {
  const istio = path.resolve(EXAMPLE, 'istio');
  const file = await write('watched.contract.yaml', `contract: v1\nconfig: "${istio}"\n${TEST}`);
  const { spawn } = await import('node:child_process');
  const child = spawn(process.execPath, ['dist/cli/main.js', 'test', file, '--watch', '--mode', 'decide'], {
    env: { ...process.env, NO_COLOR: '1' },
  });
  t.teardown(() => void child.kill('SIGKILL'));
  let said = '';
  let heard = (): void => {};
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      said += text;
      heard();
    });
  }
  const until = async (pattern: RegExp): Promise<void> => {
    while (!pattern.test(said))
      await new Promise<void>((resolve) => {
        heard = resolve;
      });
  };
  await until(/1 passed[\s\S]*waiting for changes/);
  await writeFile(file, `contract: v1\nconfig: "${istio}"\n${TEST.replace('no_filter_chain', 'no_route')}`);
  await until(/0 passed, 1 failed[\s\S]*waiting for changes/);
  await writeFile(file, 'contract: v1\n');
  await until(/PST1004[\s\S]*waiting for changes/);
  child.kill('SIGINT');
  t.equal(await new Promise((resolve) => child.once('close', resolve)), 130);
});

t.test('a contract beside its configuration is passed over', async (t) => {
  const postern = await startPostern([EXAMPLE]);
  t.teardown(() => postern.stop());
  t.match(postern.stderr(), /1 contract files/);
});
