// The fault suite on three connections at a time (faults.verify.test.ts: fifty): every fault of an upstream and of a
// client, over HTTP/1.1 and HTTP/2 on both sides. Nothing hangs, everything is logged once, nothing is left.
import t from 'tap';
import {
  footprint,
  runClientFaults,
  runUpstreamFault,
  settle,
  startFaultWorld,
  UPSTREAM_FAULTS,
} from '../support/fault-suite.js';

const world = await startFaultWorld();
const before = footprint(world);
for (const downstream of ['h1', 'h2'] as const) {
  await t.test(`clients over ${downstream}`, async (t) => {
    const faults = UPSTREAM_FAULTS.map((fault) => runUpstreamFault(world, fault, downstream, 3, 0));
    for (const { label, wrong } of await Promise.all(faults)) t.same(wrong, [], label);
    for (const upstream of ['h1', 'h2'] as const) {
      for (const { label, wrong } of await runClientFaults(world, downstream, upstream, 3, 0)) t.same(wrong, [], label);
    }
  });
}
const afterwards = await settle(world, before.descriptors);
t.equal(afterwards.descriptors, before.descriptors, 'all descriptors are back');
t.same(await world.stop(), { code: 0, errors: '' }, 'it ended well, and had no errors of its own');
