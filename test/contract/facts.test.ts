// What a failure says was expected and what there was.
import t from 'tap';
import { ABSENT, renderExpected, renderFact } from '../../src/contract/facts.js';

t.test('a text that reads like a matcher is told apart from it', async (t) => {
  t.equal(renderExpected({ kind: 'absent' }), 'absent');
  t.equal(renderExpected({ kind: 'value', value: 'absent' }), '"absent"');
  t.equal(renderExpected({ kind: 'value', value: 'present' }), '"present"');
  t.equal(renderExpected({ kind: 'value', value: 'absentee' }), 'absentee');
  t.equal(renderFact(ABSENT), 'absent');
});
