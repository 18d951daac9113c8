// The example's contract against every alteration of its configuration: at least 95 % must make it fail. What survives is
// printed; what Istio would refuse does not count.
import { cp, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import t from 'tap';
import { ConfigError } from '../../src/index.js';
import { ContractError, runContract } from '../../src/testing.js';
import { type Mutation, mutationsOf } from './mutations.js';

type Verdict = 'killed' | 'survived' | 'refused';

t.test('the shop’s contract notices what changes', async (t) => {
  const folder = await mkdtemp(path.join(tmpdir(), 'postern-mutation-'));
  t.teardown(() => rm(folder, { recursive: true, force: true }));
  await cp('examples/contract-tests', folder, { recursive: true });
  const contract = path.join(folder, 'shop.contract.yaml');
  t.ok((await runContract(contract)).ok, 'unaltered it passes');
  const tally: Record<Verdict, string[]> = { killed: [], survived: [], refused: [] };
  const operators = new Map<string, number>();
  for (const name of await readdir(path.join(folder, 'istio'))) {
    const file = path.join(folder, 'istio', name);
    const text = await readFile(file, 'utf8');
    for (const mutation of mutationsOf(text)) {
      await writeFile(file, mutation.text);
      const verdict = await judge(contract);
      tally[verdict].push(`${mutation.operator}: ${mutation.what}`);
      operators.set(mutation.operator, (operators.get(mutation.operator) ?? 0) + 1);
    }
    await writeFile(file, text);
  }
  const { killed, survived, refused } = tally;
  const counted = killed.length + survived.length;
  t.comment(
    `${counted} alterations, ${killed.length} noticed (${((100 * killed.length) / counted).toFixed(1)} %), ${refused.length} refused by istiod`,
  );
  t.comment([...operators].map(([operator, count]) => `${operator} ${count}`).join(', '));
  for (const one of survived) t.comment(`survivor: ${one}`);
  for (const operator of [
    'drop',
    'swap',
    'weight',
    'match',
    'tls mode',
    'port',
    'secret',
    'header name',
  ] satisfies Mutation['operator'][]) {
    t.ok(operators.has(operator), `there is something for ${operator}`);
  }
  t.ok(killed.length >= 0.95 * counted, `${killed.length} of ${counted}`);
});

/** As `postern test` in both modes: decide sees weights to one in a hundred, run sees TLS and bytes. */
async function judge(contract: string): Promise<Verdict> {
  try {
    if (!(await runContract(contract, { mode: 'decide' })).ok) return 'killed';
    const run = await runContract(contract, { grep: '^(?!canary is)', bail: true });
    return run.ok ? 'survived' : 'killed';
  } catch (error) {
    if (error instanceof ConfigError) return 'refused';
    // An upstream that no request reaches is no failed test (exit 65 and not 1).
    if (error instanceof ContractError) return 'survived';
    throw error;
  }
}
