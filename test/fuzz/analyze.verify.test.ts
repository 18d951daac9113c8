// Many mutated configurations through the analyzers.
import t from 'tap';
import { analyzeMutations } from './analyze-run.js';

const COUNT = 20_000;

t.test('analyzing never fails, and takes no time', async (t) => {
  let slow = 0;
  let worst = 0;
  for await (const { text, problem, time } of analyzeMutations(COUNT, 5)) {
    if (problem !== undefined) t.fail(`${problem}\n${text}`);
    if (time > 100) slow++;
    worst = Math.max(worst, time);
  }
  t.comment(`${COUNT} configurations, ${slow} over 100 ms, worst ${Math.round(worst)} ms`);
  t.ok(slow <= COUNT / 100, `${slow} took more than 100 ms`);
  t.ok(worst < 2000, `the worst took ${Math.round(worst)} ms`);
});
