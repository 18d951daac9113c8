// The recordings of real Istio, replayed against a real gateway: in finished areas every call that is on no list agrees
// on all three levels, and no listed call agrees after all. The share of the other areas is printed.
// `npm run golden -- DIR` shows what differs.
import t from 'tap';
import { decideCase } from './decide-replay.js';
import { startGatewayTarget } from './gateway-target.js';
import { BEYOND_DECIDE, listedCalls, STRICT_AREAS } from './lists.js';
import { replayAll } from './replay-all.js';
import { agrees, judge, renderCall, renderTable, summarize } from './report.js';
import { caseDirectories, goldenAreas, loadCase } from './support.js';

// Of the whole file; the runner gives it as much.
const LIMIT = 230_000;
t.setTimeout(LIMIT);

const listed = listedCalls();

t.test('listed calls exist', async (t) => {
  const known = new Set<string>();
  for (const directory of goldenAreas().flatMap(caseDirectories)) {
    const golden = loadCase(directory);
    for (const call of golden.calls) known.add(`${golden.id}: ${call.name}`);
  }
  t.same(
    [...listed.keys(), ...Object.keys(BEYOND_DECIDE)].filter((id) => !known.has(id)),
    [],
  );
});

t.test('what needs no socket is decided as recorded', async (t) => {
  const wrong: string[] = [];
  const shares: string[] = [];
  for (const area of goldenAreas()) {
    const results = (
      await Promise.all(caseDirectories(area).map((directory) => decideCase(loadCase(directory))))
    ).flat();
    const agreeing = results.filter((result) => result.differences.length === 0);
    shares.push(`${area} ${agreeing.length} of ${results.length}`);
    for (const { id, differences } of results) {
      const isExcused = BEYOND_DECIDE[id] !== undefined;
      if (differences.length === 0 && isExcused) wrong.push(`${id}: excused, but agrees`);
      if (differences.length > 0 && !isExcused) wrong.push(`${id}: ${differences.join('; ')}`);
    }
  }
  t.comment(shares.join(', '));
  t.same(wrong, []);
});

t.test('the replay', { timeout: LIMIT }, async (t) => {
  const results = await replayAll(goldenAreas().flatMap(caseDirectories), {
    kind: 'in-process',
    start: startGatewayTarget,
  });
  t.comment(`\n${renderTable(summarize(results, listed))}`);
  for (const area of STRICT_AREAS) {
    const own = results.filter((result) => result.area === area);
    t.ok(own.length > 0, `${area} was replayed`);
    const differing = own.filter((result) => !agrees(result) && !listed.has(result.id));
    t.same(
      differing.map((result) => renderCall(result)),
      [],
      `${area}: all calls agree that are on no list`,
    );
  }
  t.same(judge(results, listed), [], 'the lists hold, and hold nothing that agrees');

  await t.test('live traffic and decide come to the same', async (t) => {
    const byCase = new Map<string, (typeof results)[number][]>();
    for (const result of results) {
      const own = byCase.get(result.caseId);
      if (own === undefined) byCase.set(result.caseId, [result]);
      else own.push(result);
    }
    const compared = await Promise.all(
      goldenAreas()
        .flatMap(caseDirectories)
        .map((directory) => {
          const golden = loadCase(directory);
          const own = byCase.get(golden.id) ?? [];
          return decideCase(golden, (position) => own[position]?.replayed);
        }),
    );
    const calls = compared.flat();
    t.comment(`${calls.length} computable calls compared: cluster, route, flags, details, status, location, request`);
    t.ok(calls.length > 2000);
    t.same(
      calls
        .filter(({ id, differences }) => differences.length > 0 && BEYOND_DECIDE[id] === undefined && !listed.has(id))
        .map(({ id, differences }) => `${id}: ${differences.join('; ')}`),
      [],
    );
  });
});
