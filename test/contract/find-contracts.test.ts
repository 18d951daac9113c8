// Which files of a folder are contracts: the same walk as for configuration.
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import t from 'tap';
import { findContracts } from '../../src/contract/find-contracts.js';
import { readSources } from '../../src/gateway/sources.js';

const folder = await mkdtemp(path.join(tmpdir(), 'postern-find-'));
t.teardown(() => rm(folder, { recursive: true, force: true }));
const at = (...names: string[]): string => path.join(folder, ...names);
for (const name of ['all/b', 'all/.hidden', 'all/node_modules', 'elsewhere'])
  await mkdir(at(name), { recursive: true });
for (const name of [
  'all/a.contract.yaml',
  'all/istio.yaml',
  'all/b/b.contract.yml',
  'all/.hidden/x.contract.yaml',
  'all/node_modules/x.contract.yaml',
  'elsewhere/far.contract.yaml',
]) {
  await writeFile(at(name), '');
}
await symlink('../elsewhere', at('all/linked'));
await symlink('nowhere', at('all/lost.contract.yaml'));
await symlink('..', at('all/b/up'));

const files = async (...names: string[]): Promise<readonly string[]> =>
  (await findContracts(names.map((name) => at(name)))).map((file) => path.relative(folder, file));

t.test('contracts below a folder', async (t) => {
  t.same(await files('all'), [
    'all/a.contract.yaml',
    'all/b/b.contract.yml',
    'all/linked/far.contract.yaml',
    'all/lost.contract.yaml',
  ]);
  t.same(await files('all/istio.yaml', 'all/b', 'all/istio.yaml'), [
    'all/istio.yaml',
    'all/b/b.contract.yml',
    'all/b/up/a.contract.yaml',
    'all/b/up/linked/far.contract.yaml',
    'all/b/up/lost.contract.yaml',
  ]);
  await t.rejects(findContracts([at('none')]), { code: 'ENOENT', message: /cannot read .*none/ });
});

t.test('configuration below a folder: a link to a folder above it is no way round', async (t) => {
  const sources = await readSources([at('all')]);
  t.same(
    sources.map(({ file }) => path.relative(folder, file)),
    ['all/a.contract.yaml', 'all/b/b.contract.yml', 'all/istio.yaml', 'all/linked/far.contract.yaml'],
  );
});
