// JUnit XML: valid to the schema in test/support whatever is reported, and readable again.
import t from 'tap';
import { type JunitSuite, renderJunit } from '../../src/diagnostics/junit.js';
import { junitProblems } from '../support/junit.js';

const nasty = 'a "b" <c> & \u0000\u001b[31m \ud800 ]]> 😀\nsecond line\u2028';

const suites: readonly JunitSuite[] = [
  {
    name: 'shop.contract.yaml',
    timestamp: Date.UTC(2026, 0, 2, 3, 4, 5),
    properties: { mode: 'run', '': 'x' },
    systemOut: 'said\n',
    cases: [
      { name: 'passes', time: 0.0041 },
      {
        name: 'fails',
        outcome: { kind: 'failure', message: 'status: expected 200, got 404', details: 'one\n  two\n' },
      },
      { name: 'is skipped', outcome: { kind: 'skipped', message: 'later' } },
      { name: 'breaks', outcome: { kind: 'error', type: 'PST1001', message: 'cannot' } },
      { name: 'is slow', time: 1234.5 },
    ],
  },
  { name: '', cases: [] },
  {
    name: nasty,
    systemErr: nasty,
    cases: [
      { name: nasty, classname: nasty, outcome: { kind: 'failure', message: nasty, details: nasty, type: nasty } },
    ],
  },
];

t.test('every document is valid', async (t) => {
  t.strictSame(await junitProblems(renderJunit([])), []);
  t.strictSame(await junitProblems(renderJunit(suites)), []);
  const broken = renderJunit(suites).replace('classname=', 'class=');
  t.not((await junitProblems(broken)).length, 0, 'the schema does refuse');
});

t.test('what is in it', async (t) => {
  const xml = renderJunit(suites);
  t.match(xml, /<testsuite name="shop.contract.yaml" [^>]*timestamp="2026-01-02T03:04:05"/);
  t.match(xml, /tests="5" failures="1" errors="1" skipped="1" time="1234.504"/);
  t.match(xml, '<failure message="status: expected 200, got 404" type="failure">one\n  two\n</failure>');
  t.match(xml, '<error message="cannot" type="PST1001">cannot</error>');
  t.match(xml, '<skipped message="later"/>');
  t.match(xml, '<property name="mode" value="run"/>');
  t.notMatch(xml, /\u001b|\u0000/);
  t.ok(xml.endsWith('</testsuites>\n'));
  t.match(renderJunit([]), /<testsuites\/>\n$/);
});
