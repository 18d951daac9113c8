// Recorded calls asked of the command itself: `postern explain --calls` must say what `decide` says in this process,
// which other tests compare with the recordings.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { decide } from '../../src/decide/decide.js';
import type { Decision } from '../../src/decide/decision.js';
import { configFlags } from '../golden/binary-target.js';
import { computableCalls, indexOf } from '../golden/decide-replay.js';
import { loadCase } from '../golden/support.js';
import { runToEnd } from './postern.js';

/** How many calls were asked, and the first difference. */
export async function explainCase(
  directory: string,
): Promise<{ readonly calls: number; readonly difference: string | undefined }> {
  const golden = loadCase(directory);
  const asked = computableCalls(golden);
  if (asked.length === 0) return { calls: 0, difference: undefined };
  const folder = await mkdtemp(path.join(tmpdir(), 'postern-explain-'));
  try {
    const calls = path.join(folder, 'calls.json');
    await writeFile(calls, JSON.stringify(asked.map(({ call }) => call)));
    const { code, stdout, stderr } = await runToEnd(
      ['explain', '-', '--calls', calls, ...(await configFlags(golden, folder))],
      { input: golden.istioYaml },
    );
    if (code !== 0) return { calls: asked.length, difference: `${golden.id}: exit ${code}: ${stderr.slice(0, 500)}` };
    const answers = JSON.parse(stdout) as readonly Decision[];
    const index = await indexOf(golden);
    for (const [at, { call }] of asked.entries()) {
      const ours = withoutTrail(decide(index, call));
      const theirs = withoutTrail(answers[at]);
      if (ours !== theirs)
        return { calls: asked.length, difference: `${golden.id}: ${JSON.stringify(call)}: ${theirs}` };
    }
    return { calls: asked.length, difference: undefined };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function withoutTrail(decision: Decision | undefined): string {
  const { trail: _, ...rest } = decision ?? { trail: [] };
  return JSON.stringify(rest);
}
