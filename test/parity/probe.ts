// tsx test/parity/probe.ts FILE: a YAML file with `routing` (over the services of fuzz/world.ts) and `calls`; prints what both do.
import { readFileSync } from 'node:fs';
import { parse } from 'yaml';
import type { CallSpec } from '../golden/support.js';
import { findEnvoy } from './envoy.js';
import { Pair } from './fuzz/pair.js';
import { renderConfig, startUpstreams } from './fuzz/world.js';
import { canIsolate, isIsolated, runAgain } from './isolation.js';

if (!isIsolated() && canIsolate()) process.exit(await runAgain(process.argv.slice(2), true));
const { routing, calls } = parse(readFileSync(process.argv[2] as string, 'utf8')) as {
  routing: never[];
  calls: CallSpec[];
};
const inbox: { received: never[] } = { received: [] };
const upstreams = await startUpstreams(1, (one) => inbox.received.push(one as never));
const started = await Pair.start(findEnvoy() as string, renderConfig({ routing }, 1), inbox);
if (started.kind !== 'running') console.log(started);
else {
  for (const call of calls) {
    const verdict = await started.pair.call(call);
    console.log(JSON.stringify(call));
    for (const one of verdict.differences) console.log('  DIFF', JSON.stringify(one));
    console.log('  envoy', JSON.stringify(verdict.envoy));
    console.log('  postern', JSON.stringify(verdict.postern));
  }
  await started.pair.close();
}
await Promise.all(upstreams.map((one) => one.close()));
process.exit(0);
