// Documentation that runs: each TypeScript example of docs/library.md and of the README, each contract of
// docs/contracts.md, and the shop's contract under tap, node:test and vitest.
import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import t from 'tap';
import ts from 'typescript';
import { decodeContract } from '../../src/contract/decode-contract.js';

const folder = await mkdtemp(path.join(tmpdir(), 'postern-docs-'));
t.teardown(() => rm(folder, { recursive: true, force: true }));
// A project that has postern installed and the tutorial's configuration.
await mkdir(path.join(folder, 'node_modules'));
for (const name of ['tap', 'vitest'])
  await symlink(path.resolve('node_modules', name), path.join(folder, 'node_modules', name));
await symlink(path.resolve('.'), path.join(folder, 'node_modules/postern'));
await cp('examples/tutorial/istio', path.join(folder, 'k8s'), { recursive: true });
await cp('examples/contract-tests', folder, { recursive: true });
await writeFile(path.join(folder, 'package.json'), '{ "type": "module" }');

interface Run {
  readonly code: number;
  readonly output: string;
}

function run(args: readonly string[]): Promise<Run> {
  return new Promise((resolve) => {
    // Not as a child of this test's own runner.
    const inherited = Object.entries(process.env).filter(([name]) => !/^(TAP|_TAP|NODE_OPTIONS|NODE_TEST)/.test(name));
    const env = { ...Object.fromEntries(inherited), NO_COLOR: '1', TAP: '1' };
    execFile(process.execPath, args, { cwd: folder, env, timeout: 60_000 }, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : Number(error.code ?? 1), output: stdout + stderr });
    });
  });
}

function blocks(text: string, language: string): string[] {
  return [...text.matchAll(new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)^\`\`\``, 'gm'))].map(
    (match) => match[1] as string,
  );
}

t.test('the examples of the library run', async (t) => {
  const examples = [
    ...blocks(await readFile('docs/library.md', 'utf8'), 'ts'),
    ...blocks(await readFile('README.md', 'utf8'), 'ts'),
  ];
  t.ok(examples.length >= 6);
  // In one process, each as a module: starting Node costs more than most of them.
  const names = await Promise.all(
    examples.map(async (text, index) => {
      // Node 20 and 22 do not know `await using` without a compiler.
      const options = { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2022 };
      await writeFile(
        path.join(folder, `example-${index}.mjs`),
        ts.transpileModule(text, { compilerOptions: options }).outputText,
      );
      return `./example-${index}.mjs`;
    }),
  );
  const all = names.map((name) => `await import('${name}'); console.log('ran ${name}');`).join('\n');
  await writeFile(path.join(folder, 'all.mjs'), all);
  const { code, output } = await run(['all.mjs']);
  t.equal(code, 0, output);
  for (const name of names) t.match(output, `ran ${name}`);
});

t.test('the contracts of the documentation can be read', async (t) => {
  const contracts = blocks(await readFile('docs/contracts.md', 'utf8'), 'yaml');
  t.ok(contracts.length > 0);
  for (const text of contracts) t.strictSame(decodeContract('docs.contract.yaml', text).diagnostics, []);
});

t.test('the shop under tap, node:test and vitest', async (t) => {
  const body = (assertion: string): string => `
    const report = await runContract('shop.contract.yaml', { grep: 'beta|admin wants' });
    ${assertion}(report.passed, 5);
    const gateway = await startGateway({ config: ['istio'] });
    const reply = await gateway.fetch('https://shop.example.com/api/items', { headers: { 'x-beta': '1' } });
    ${assertion}(reply.decision.cluster, 'outbound|9080|v2|shop.shop.svc.cluster.local');
    await gateway.close();`;
  const imports = "import { startGateway } from 'postern';\nimport { runContract } from 'postern/testing';\n";
  await writeFile(
    path.join(folder, 'node.test.mjs'),
    `import test from 'node:test';\nimport { equal } from 'node:assert/strict';\n${imports}test('shop', async () => {${body('equal')}\n});\n`,
  );
  await writeFile(
    path.join(folder, 'vitest.test.mjs'),
    `import { expect, test } from 'vitest';\n${imports}const equal = (a, b) => expect(a).toBe(b);\ntest('shop', async () => {${body('equal')}\n});\n`,
  );
  const tap = await run(['shop.test.mjs']);
  t.equal(tap.code, 0, tap.output);
  t.match(tap.output, /^ok 2 - the same in code/m);
  const node = await run(['--test', '--test-reporter=tap', 'node.test.mjs']);
  t.equal(node.code, 0, node.output);
  t.match(node.output, /# pass 1/);
  const vitest = await run(['node_modules/vitest/vitest.mjs', 'run', 'vitest.test.mjs', '--pool', 'threads']);
  t.equal(vitest.code, 0, vitest.output);
  t.match(vitest.output, /1 passed/);
});
