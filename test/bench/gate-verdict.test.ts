import t from 'tap';
import { baselineOf, type Count, judge, type Kind, renderVerdict, unmeasured } from '../../bench/gate-verdict.js';

const NAME = 'allocated per request';

function check(title: string, kind: Kind, accepted: number | undefined, runs: readonly number[], want: string): void {
  t.test(title, async (t) => {
    const [verdict] = judge([{ name: NAME, kind, runs }], accepted === undefined ? {} : { [NAME]: accepted });
    t.equal(verdict?.outcome, want, verdict === undefined ? '' : renderVerdict(verdict));
  });
}

check('what is as it was passes', 'bytes', 23_000, [23_100, 22_900, 23_000, 23_050, 22_980], 'ok');
check('a buffer more per request fails', 'bytes', 23_000, [27_100, 27_000, 27_050, 27_020, 26_980], 'worse');
check('growth within the floor passes', 'bytes', 23_000, [25_900, 26_000, 26_100, 25_950, 26_050], 'ok');
check(
  'growth within the noise of its own rounds passes',
  'bytes',
  100_000,
  [80_000, 96_000, 120_000, 126_000, 150_000],
  'ok',
);
check('noise excuses only so much', 'bytes', 100_000, [50_000, 90_000, 160_000, 300_000, 500_000], 'worse');
check('the two extremes are not noise', 'bytes', 100_000, [10_000, 118_000, 118_500, 119_000, 900_000], 'worse');
check('a copy more per byte fails', 'copies', 0.01, [1.01, 1.01, 1.01], 'worse');
check('a few bytes copied once in a download do not', 'copies', 0.01, [0.03, 0.03, 0.03], 'ok');
check('a write more per request fails', 'calls', 4, [5, 5, 5], 'worse');
check('a call in a hundred connections does not', 'calls', 4, [4.01, 4.01, 4.02], 'ok');
check('a decision twice as dear fails', 'ratio', 150, [300, 310, 305], 'worse');
check('another processor does not', 'ratio', 150, [190, 200, 205], 'ok');
check('what has become cheaper is said', 'bytes', 23_000, [15_000, 15_100, 15_050], 'better');
check('without a baseline nothing fails', 'bytes', undefined, [1, 2, 3], 'new');

t.test('one figure fails, the others are told all the same', async (t) => {
  const counts: Count[] = [
    { name: 'a', kind: 'bytes', runs: [100, 100, 100] },
    { name: 'b', kind: 'bytes', runs: [900, 900, 900] },
  ];
  t.same(
    judge(counts, { a: 100, b: 500 }).map(({ outcome }) => outcome),
    ['ok', 'worse'],
  );
});

t.test('a figure that is no longer measured is named', async (t) => {
  t.same(unmeasured([{ name: 'a', kind: 'calls', runs: [1] }], { a: 1, 'system calls': 4 }), ['system calls']);
});

t.test('medians become the baseline', async (t) => {
  t.same(baselineOf([{ name: 'a', kind: 'bytes', runs: [3, 1.23456, 9] }]), { a: 3 });
});
