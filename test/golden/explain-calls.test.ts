// `postern explain --calls` on recorded configurations: one of each area here, all of them in `npm run verify`.
import t from 'tap';
import { explainCase } from '../support/explain-calls.js';
import { caseDirectories, goldenAreas } from './support.js';

t.test('one case of each area', async (t) => {
  let calls = 0;
  for (const area of goldenAreas()) {
    const [first] = caseDirectories(area);
    if (first === undefined) continue;
    const answered = await explainCase(first);
    t.equal(answered.difference, undefined, first);
    calls += answered.calls;
  }
  t.ok(calls > 20);
  t.comment(`${calls} calls asked of the command`);
});
