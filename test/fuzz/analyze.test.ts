// A few mutated configurations through the analyzers; many in analyze.verify.test.ts.
import t from 'tap';
import { analyzeMutations } from './analyze-run.js';

t.test('analyzing never fails', async (t) => {
  for await (const { text, problem } of analyzeMutations(120, 3)) {
    if (problem !== undefined) t.fail(`${problem}\n${text}`);
  }
  t.pass('120 configurations');
});
