// `postern diff OLD NEW`: which hosts, paths and server names change destination, status or TLS policy between two
// configurations. Both are asked the same questions; what only looks different is no difference.
import { Command, Option } from 'commander';
import type { Source } from '../config/load.js';
import { type ComparedSnapshot, compareSnapshots, type SnapshotDifference } from '../decide/snapshot-comparison.js';
import { buildSnapshotIndex } from '../decide/snapshot-index.js';
import { addConfigOptions, type ConfigFlags, compileSources, loadSources } from './config-options.js';
import { CommandError, DIFFERENT, OK, USAGE } from './exit-codes.js';

interface DiffFlags extends ConfigFlags {
  readonly output: 'text' | 'json';
}

export function diffCommand(): Command {
  return addConfigOptions(
    new Command('diff')
      .description('tell which hosts, paths and server names change destination, status or TLS policy')
      .argument('<OLD>', 'file or folder, or - for standard input')
      .argument('<NEW>', 'file or folder, or - for standard input')
      .addOption(new Option('-o, --output <FORMAT>', 'format').choices(['text', 'json']).default('text')),
  ).action(async (old: string, next: string, flags: DiffFlags) => {
    if ([old, next, ...flags.filename].filter((path) => path === '-').length > 1)
      throw new CommandError(USAGE, '- can be only one of OLD, NEW and --filename: standard input is read once');
    const common = await loadSources(flags.filename);
    const { differences, connections, requests, skipped } = compareSnapshots(
      await compiled(old, common, flags),
      await compiled(next, common, flags),
    );
    process.stdout.write(
      flags.output === 'json'
        ? `${JSON.stringify(differences, null, 1)}\n`
        : differences.map((difference) => `${renderDifference(difference).join('\n')}\n`).join(''),
    );
    for (const what of skipped) process.stderr.write(`not compared, no request could be made up for it: ${what}\n`);
    process.stderr.write(
      `${differences.length} difference${differences.length === 1 ? '' : 's'} in ${connections} connections and ${requests} requests\n`,
    );
    process.exitCode = differences.length === 0 && skipped.length === 0 ? OK : DIFFERENT;
  });
}

/** `common` belongs to both sides; an object that a side has too is the side's. */
async function compiled(path: string, common: readonly Source[], flags: DiffFlags): Promise<ComparedSnapshot> {
  const { snapshot, origins } = await compileSources([...common, ...(await loadSources([path]))], flags);
  return { index: buildSnapshotIndex(snapshot), origins };
}

function renderDifference(difference: SnapshotDifference): string[] {
  const { aspect, subject, method, headers, oldAt, newAt } = difference;
  const with_ = (headers ?? []).map((header) => ` with ${header}`).join('');
  const place = (at: SnapshotDifference['oldAt']) => (at === undefined ? '' : `  (${at.file}:${at.line})`);
  return [
    `${method === undefined ? '' : `${method} `}${subject}${with_}: ${aspect}`,
    `  - ${difference.old}${place(oldAt)}`,
    `  + ${difference.new}${place(newAt)}`,
  ];
}
