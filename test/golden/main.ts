// npm run golden -- [--area A]… [--json FILE] [--verbose] [--jobs N] [--strict A]… [--binary] [DIR…]
//
// Replays recordings against a real gateway and prints a table per area; exit 1 when a call that must agree differs, or
// a listed one agrees. With --binary the gateway is `postern run` as it was built, one case at a time. Without arguments:
// everything. DIR is a case or an area, as a path or `AREA/NAME`.
import { existsSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { startBinary } from './binary-target.js';
import { startGatewayTarget } from './gateway-target.js';
import { listedCalls, STRICT_AREAS } from './lists.js';
import { replayAll, runningCase } from './replay-all.js';
import { agrees, judge, renderCall, renderTable, summarize } from './report.js';
import { caseDirectories, goldenAreas, goldenRoot, loadCase } from './support.js';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    area: { type: 'string', multiple: true, default: [] },
    strict: { type: 'string', multiple: true, default: [...STRICT_AREAS] },
    json: { type: 'string' },
    jobs: { type: 'string', default: '12' },
    verbose: { type: 'boolean', default: false },
    binary: { type: 'boolean', default: false },
    quiet: { type: 'boolean', default: false },
  },
});

const directories = [...values.area.flatMap(caseDirectories), ...positionals.flatMap(casesIn)];
if (directories.length === 0) directories.push(...goldenAreas().flatMap(caseDirectories));

// An exception of the gateway that nobody catches would end a real one: it fails the run, but not the other cases.
const crashes: string[] = [];
process.on('uncaughtException', (error) => {
  crashes.push(`uncaught in ${runningCase() ?? 'a case'}: ${error.stack ?? error.message}`);
});

// The real binary dials what the files say: nothing beyond loopback is ever touched.
const offLimits = values.binary ? directories.filter((directory) => !staysOnLoopback(directory)) : [];
for (const directory of offLimits) process.stdout.write(`left out, its endpoints are not loopback: ${directory}\n`);
const chosen = directories.filter((directory) => !offLimits.includes(directory));

const started = performance.now();
const listed = listedCalls();
const results = values.binary
  ? await replayAll(chosen, { kind: 'binary', start: startBinary }, { jobs: 1 })
  : await replayAll(chosen, { kind: 'in-process', start: startGatewayTarget }, { jobs: Number(values.jobs) });
if (!values.quiet) {
  for (const result of results) {
    if (!agrees(result) && !listed.has(result.id)) process.stdout.write(renderCall(result, values.verbose));
  }
}
const summaries = summarize(results, listed);
process.stdout.write(`\n${renderTable(summaries)}${((performance.now() - started) / 1000).toFixed(1)} s\n`);
const problems = [...judge(results, listed, values.strict), ...crashes];
for (const problem of problems) process.stdout.write(`${problem}\n`);
if (values.json !== undefined) {
  writeFileSync(values.json, `${JSON.stringify({ areas: summaries, problems, calls: results }, undefined, 1)}\n`);
}
// Whatever a failed case may have left open must not keep the process.
process.exit(problems.length === 0 ? 0 : 1);

function staysOnLoopback(directory: string): boolean {
  if (!existsSync(path.join(directory, 'xds.json'))) return true;
  const { endpoints } = loadCase(directory).readXds() as {
    endpoints: Readonly<Record<string, readonly { address: string }[]>>;
  };
  return Object.values(endpoints).every((list) => list.every(({ address }) => !/^(?!127\.)\d/.test(address)));
}

function casesIn(argument: string): readonly string[] {
  const folder = existsSync(argument) ? path.resolve(argument) : path.join(goldenRoot(), argument);
  if (existsSync(path.join(folder, 'case.yaml'))) return [folder];
  if (!existsSync(folder)) throw new Error(`${argument} is neither a case nor an area`);
  return caseDirectories(path.basename(folder));
}
