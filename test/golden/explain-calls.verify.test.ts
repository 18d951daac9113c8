// Every computable recorded call, asked of `postern explain --calls`.
import t from 'tap';
import { explainCase } from '../support/explain-calls.js';
import { caseDirectories, goldenAreas } from './support.js';

t.setTimeout(600_000);

t.test('all cases', { timeout: 600_000 }, async (t) => {
  let calls = 0;
  const differences: string[] = [];
  const directories = goldenAreas().flatMap(caseDirectories);
  const work = async (): Promise<void> => {
    for (let next = directories.shift(); next !== undefined; next = directories.shift()) {
      const answered = await explainCase(next);
      calls += answered.calls;
      if (answered.difference !== undefined) differences.push(answered.difference);
    }
  };
  await Promise.all([work(), work()]);
  t.same(differences, []);
  t.comment(`${calls} calls asked of the command`);
});
