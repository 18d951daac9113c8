// Every computable recorded call, asked of `postern explain --calls`.
import t from 'tap';
import { explainCase } from '../support/explain-calls.js';
import { caseDirectories, goldenAreas } from './support.js';

t.setTimeout(600_000);

/** The command also takes the Service's port where nothing else listens on it; recorded is a container's closed port. */
const SERVICE_PORTS: ReadonlySet<string> = new Set(['gateway/ports']);

t.test('all cases', { timeout: 600_000 }, async (t) => {
  let calls = 0;
  const differences: string[] = [];
  const directories = goldenAreas().flatMap(caseDirectories);
  const work = async (): Promise<void> => {
    for (let next = directories.shift(); next !== undefined; next = directories.shift()) {
      const answered = await explainCase(next);
      calls += answered.calls;
      if (answered.difference !== undefined && !SERVICE_PORTS.has(answered.difference.split(':')[0] ?? ''))
        differences.push(answered.difference);
    }
  };
  await Promise.all([work(), work()]);
  t.same(differences, []);
  t.comment(`${calls} calls asked of the command`);
});
