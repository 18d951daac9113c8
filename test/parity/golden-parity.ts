// The golden cases on three sides: the recording, real Envoy on the exported configuration, and postern.
import { compareCall, type Difference } from '../golden/compare.js';
import { startGatewayTarget } from '../golden/gateway-target.js';
import { listedCalls } from '../golden/lists.js';
import { type CallResult, replayCase } from '../golden/replay.js';
import { loadCase } from '../golden/support.js';
import { startEnvoyTarget } from './envoy-target.js';
import { exampleCase } from './example-cases.js';

export interface ParityResult {
  readonly area: string;
  readonly id: string;
  /** Between Envoy and postern; `recorded` is Envoy's side. */
  readonly differences: readonly Difference[];
  /** Between the recording and Envoy: what our export does not carry. */
  readonly exported: readonly Difference[];
  /** Why one of the two did not start. */
  readonly error: string | undefined;
  readonly listed: boolean;
}

/** Marks an example among the directories of recorded cases. */
export const EXAMPLE = 'example:';

/** Replays one case after the other; both sides of a case at the same time. */
export async function replayParity(directories: readonly string[], binary: string): Promise<readonly ParityResult[]> {
  const listed = listedCalls();
  const results: ParityResult[] = [];
  for (const directory of directories) {
    const golden = directory.startsWith(EXAMPLE)
      ? await exampleCase(directory.slice(EXAMPLE.length))
      : loadCase(directory);
    // It shows the first seconds of a gateway that waits for its Secrets; an exported bootstrap starts settled.
    if (golden.recorded.ready !== 'live' && golden.settle === undefined) continue;
    const [envoy, postern] = await Promise.all([
      replayCase(golden, startEnvoyTarget(binary)),
      replayCase(golden, { kind: 'in-process', start: startGatewayTarget }),
    ]);
    for (const [index, one] of envoy.entries()) results.push(toResult(one, postern[index], listed.has(one.id)));
  }
  return results;
}

function toResult(envoy: CallResult, postern: CallResult | undefined, listed: boolean): ParityResult {
  const { area, id } = envoy;
  const error = envoy.error ?? postern?.error;
  const [left, right] = [envoy.replayed, postern?.replayed];
  if (left === undefined || right === undefined)
    return { area, id, differences: [], exported: [], error: error ?? 'the call was not made', listed };
  // There is no recording of an example.
  const exported = area === 'examples' ? [] : envoy.differences;
  return { area, id, differences: compareCall(left, right), exported, error, listed };
}

/** A table by area, and the calls that differ. */
export function renderParity(results: readonly ParityResult[], verbose: boolean): string {
  const lines: string[] = [];
  for (const area of new Set(results.map((result) => result.area))) {
    const own = results.filter((result) => result.area === area);
    const agreeing = own.filter((result) => result.error === undefined && result.differences.length === 0);
    const faithful = own.filter((result) => result.error === undefined && result.exported.length === 0);
    const recording = area === 'examples' ? '' : `, Envoy = recording ${faithful.length}`;
    lines.push(`${area.padEnd(14)} ${own.length} calls, postern = Envoy ${agreeing.length}${recording}`);
  }
  for (const result of results) {
    const { id, differences, exported, error, listed } = result;
    const mark = listed ? ' (listed)' : '';
    if (error !== undefined) lines.push(`${id}${mark}: ${error.split('\n').slice(0, 3).join(' ').slice(0, 300)}`);
    for (const difference of differences) {
      const where = exported.some(({ path, level }) => path === difference.path && level === difference.level);
      lines.push(`${id}${mark}${where ? ' (export)' : ''}: ${render(difference, 'envoy', 'postern')}`);
    }
    if (verbose)
      for (const difference of exported) lines.push(`${id}: EXPORT ${render(difference, 'recorded', 'envoy')}`);
  }
  return lines.join('\n');
}

function render({ level, path, recorded, replayed }: Difference, left: string, right: string): string {
  return `${level} ${path} ${left}=${JSON.stringify(recorded)} ${right}=${JSON.stringify(replayed)}`.slice(0, 400);
}
