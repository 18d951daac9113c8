// The published package: packed, unpacked beside the existing node_modules, and the README's first example run with it.
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import t from 'tap';
import { paste } from './support/curl.js';
import { startPostern } from './support/postern.js';

const folder = mkdtempSync(path.join(tmpdir(), 'postern-package-'));
t.teardown(() => rmSync(folder, { recursive: true, force: true }));

// dist was built before the tests; scripts would build it again.
execFileSync('npm', ['pack', '--ignore-scripts', '--silent', '--pack-destination', folder], { stdio: 'pipe' });
const tarball = readdirSync(folder).find((name) => name.endsWith('.tgz')) ?? '';
execFileSync('tar', ['-xzf', path.join(folder, tarball), '-C', folder]);
symlinkSync(path.resolve('node_modules'), path.join(folder, 'node_modules'));

t.test('the package has what it needs and nothing of the tests', (t) => {
  const top = readdirSync(path.join(folder, 'package')).sort();
  for (const name of ['LICENSE', 'README.md', 'CHANGELOG.md', 'dist', 'package.json']) t.ok(top.includes(name), name);
  for (const name of ['src', 'test', 'bench', 'examples', 'dist-test']) t.notOk(top.includes(name), name);
  t.end();
});

t.test('the first example of the README runs from the package', async (t) => {
  const line = /^curl .*$/m.exec(readFileSync('README.md', 'utf8'))?.[0] ?? '';
  const postern = await startPostern(['examples/tutorial/istio'], {
    binary: path.join(folder, 'package/dist/cli/main.js'),
  });
  t.match(await paste(line, (port) => postern.port(port)), { status: 200 });
  t.equal((await postern.stop()).code, 0);
});

t.test('both entry points can be imported', (t) => {
  const file = path.join(folder, 'import.mjs');
  writeFileSync(
    file,
    `import { startGateway, loadConfig, decide, ConfigError } from './package/dist/index.js';
     import { createDevelopmentCa } from './package/dist/testing.js';
     console.log(typeof startGateway, typeof loadConfig, typeof decide, typeof ConfigError, typeof createDevelopmentCa);`,
  );
  const { stdout, stderr } = spawnSync(process.execPath, [file], { encoding: 'utf8' });
  t.equal(stdout.trim(), 'function function function function function', stderr);
  t.end();
});
