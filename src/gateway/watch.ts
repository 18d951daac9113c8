// Notices that configuration files changed. chokidar reacts fast; a slow look at the files' identities catches what
// watching misses (a swapped `..data` symlink of a Kubernetes mount, network file systems). Editors that write by
// rename and several files saved at once give one call, after a moment of quiet.
import { stat } from 'node:fs/promises';
import { watch as chokidar } from 'chokidar';
import type { Source } from '../config/load.js';
import { listSources, readSources } from './sources.js';

/** A running watch; `close` resolves when no more change will be reported. */
export interface Watch {
  close(): Promise<void>;
}

const QUIET = 60;
/** A file that never rests is looked at all the same. */
const PATIENCE = 1000;
const LOOK = 1000;

/**
 * Calls `changed` when the text behind these paths is no longer that of `loaded`, also when it changed before watching
 * began. Standard input ('-') never changes.
 */
export function watchSources(
  paths: readonly string[],
  loaded: readonly Source[],
  changed: () => void | Promise<void>,
): Watch {
  const files = paths.filter((location) => location !== '-');
  if (files.length === 0) return { close: async () => {} };
  let closed = false;
  let quiet: NodeJS.Timeout | undefined;
  let identity = '';
  let text = textOf(loaded.filter(({ file }) => file !== '-'));
  let looking: Promise<void> = Promise.resolve();

  const compare = (): void => {
    looking = looking
      .then(async () => {
        const next = await readAll(files);
        if (closed || next === text) return;
        text = next;
        await changed();
      })
      // A file went away between being listed and being read: the next look finds out. `changed` tells of its own failures.
      .catch(() => {});
  };
  let since = 0;
  const touched = (): void => {
    if (closed) return;
    if (quiet === undefined) since = performance.now();
    clearTimeout(quiet);
    quiet = setTimeout(
      () => {
        quiet = undefined;
        compare();
      },
      performance.now() - since > PATIENCE ? 0 : QUIET,
    );
  };
  const watcher = chokidar([...files], {
    ignoreInitial: true,
    ignored: (location) => /(^|[\\/])node_modules([\\/]|$)/.test(location),
  });
  watcher.on('all', touched);
  watcher.on('ready', touched);
  watcher.on('error', () => {}); // the regular look goes on without it
  const timer = setInterval(() => {
    void identify(files).then((next) => {
      if (identity !== '' && next !== identity) touched();
      identity = next;
    });
  }, LOOK);
  timer.unref();

  return {
    close: async () => {
      closed = true;
      clearTimeout(quiet);
      clearInterval(timer);
      await watcher.close();
      await looking;
    },
  };
}

function textOf(sources: readonly Source[]): string {
  return sources.map(({ file, text }) => `${file}\0${text}`).join('\0');
}

async function readAll(files: readonly string[]): Promise<string> {
  // A file that vanished in the middle of a save counts as a change; the reload that follows says what is wrong.
  try {
    return textOf(await readSources(files));
  } catch (error) {
    return `unreadable: ${String(error)}`;
  }
}

async function identify(files: readonly string[]): Promise<string> {
  const parts: string[] = [];
  for (const file of await listSources(files)) {
    const facts = await stat(file).catch(() => undefined);
    parts.push(`${file} ${facts?.ino} ${facts?.size} ${facts?.mtimeMs}`);
  }
  return parts.join('\n');
}
