// Reads configuration from files, folders and standard input. The only place that opens the user's YAML.
import { readdir, readFile, realpath, stat } from 'node:fs/promises';
import path from 'node:path';
import type { Source } from '../config/load.js';
import { decodeText } from '../config/yaml/encoding.js';

/** A path on the command line does not exist or cannot be read (exit 66). */
export class SourceError extends Error {
  override readonly name = 'SourceError';
  readonly path: string;

  constructor(location: string, cause: unknown) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    super(`cannot read ${location}: ${reason}`, { cause });
    this.path = location;
  }
}

const YAML_FILE = /\.(ya?ml|json)$/i;

// While a mounted ConfigMap is exchanged its links lead nowhere for a moment.
const isSource = (name: string, isThere: boolean): boolean => isThere && YAML_FILE.test(name);

/**
 * The texts behind these paths: a file as it is, a folder walked recursively for .yaml, .yml and .json in name order,
 * '-' for standard input. Throws a SourceError for what is not there.
 */
export async function readSources(
  paths: readonly string[],
  standardInput: () => Promise<string> = readStdin,
): Promise<Source[]> {
  const sources: Source[] = [];
  const seen = new Set<string>();
  for (const location of paths) {
    if (location === '-') {
      sources.push({ file: '-', text: await standardInput(), named: true });
      continue;
    }
    try {
      if ((await stat(location)).isDirectory()) {
        for (const file of await listFolder(location, isSource)) await add(file, false);
      } else {
        await add(location, true);
      }
    } catch (error) {
      throw error instanceof SourceError ? error : new SourceError(location, error);
    }
  }
  return sources;

  async function add(file: string, named: boolean): Promise<void> {
    const identity = path.resolve(file);
    if (seen.has(identity)) return;
    seen.add(identity);
    try {
      sources.push({ file, text: await readText(file), named });
    } catch (error) {
      throw new SourceError(file, error);
    }
  }
}

/** The files that `readSources` would read now; paths that are not there are left out. */
export async function listSources(paths: readonly string[]): Promise<string[]> {
  const files: string[] = [];
  for (const location of paths) {
    if (location === '-') continue;
    const facts = await stat(location).catch(() => undefined);
    if (facts?.isDirectory() === true) files.push(...(await listFolder(location, isSource).catch(() => [])));
    else if (facts !== undefined) files.push(location);
  }
  return files;
}

/**
 * The files of a folder and of those below that fit, in name order. `fits` gets a file's name, and false where it is a link
 * that leads nowhere. Hidden folders and `node_modules` are left out. Throws Node's error for a folder that cannot be read.
 *
 * Kubernetes mounts a ConfigMap as symlinks into a hidden `..data` folder: the links are read, the hidden folders are not,
 * otherwise every object would be loaded twice.
 */
export async function listFolder(
  folder: string,
  fits: (name: string, isThere: boolean) => boolean,
): Promise<readonly string[]> {
  return walk(folder, fits, [await realpath(folder)]);
}

/** `above`: the real paths of the folders that the walk is in, this one last; a link back to one of them is not followed. */
async function walk(
  folder: string,
  fits: (name: string, isThere: boolean) => boolean,
  above: readonly string[],
): Promise<string[]> {
  const files: string[] = [];
  const entries = await readdir(folder, { withFileTypes: true });
  entries.sort((a, b) => (a.name < b.name ? -1 : 1));
  for (const entry of entries) {
    if (entry.name.startsWith('.') || entry.name === 'node_modules') continue;
    const location = path.join(folder, entry.name);
    const kind = entry.isSymbolicLink() ? await stat(location).catch(() => undefined) : entry;
    if (kind?.isDirectory() === true) {
      const real = await realpath(location);
      if (!above.includes(real)) files.push(...(await walk(location, fits, [...above, real])));
    } else if (fits(entry.name, kind !== undefined)) files.push(location);
  }
  return files;
}

/** A file as text, whatever its encoding. Rejects with the system's error where it cannot be read. */
export async function readText(file: string): Promise<string> {
  return decodeText(await readFile(file));
}

/** All of standard input. */
export async function readStdin(): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of process.stdin) chunks.push(chunk as Buffer);
  return decodeText(Buffer.concat(chunks));
}
