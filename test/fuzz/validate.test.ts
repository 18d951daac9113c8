// A slice of the mutated inputs of validate.verify.test.ts, and every hostile text: loading returns, in bounded time.
import t from 'tap';
import { loadConfig } from '../../src/config/load.js';
import { hostileTexts } from './validate.cases.js';
import { loadMeasured, runMutations } from './validate-run.js';

t.test('mutated objects', async (t) => {
  const { inputs, crashes, slowest, refused } = runMutations(200, 1);
  t.same(crashes, []);
  t.ok(slowest < 2000, `${slowest.toFixed(0)} ms for the slowest of ${inputs}`);
  t.ok(refused > inputs / 4, `${refused} of ${inputs} were refused`);
});

t.test('hostile texts', async (t) => {
  for (const [name, text] of Object.entries(hostileTexts(0.05))) {
    const { milliseconds, diagnostics } = loadMeasured(text);
    t.ok(milliseconds < 2000, `${name}: ${milliseconds.toFixed(0)} ms`);
    t.ok(diagnostics.length > 0 || text.trim() === '', `${name}: ${diagnostics[0]?.code}`);
  }
});

t.test('the limit of a file is the one that is asked for', async (t) => {
  const text = `a: ${'x'.repeat(2000)}\n`;
  const codes = (maxInput?: number): readonly string[] =>
    loadConfig([{ file: 'f.yaml', text, named: true }], maxInput === undefined ? {} : { maxInput }).diagnostics.map(
      ({ code }) => code,
    );
  t.same(codes(1000), ['PST1205']);
  t.same(codes(), ['PST0103'], 'read, and no object');
});
