// Which files are contracts: those that are named, and `*.contract.yaml` below folders.
import { readdir, stat } from 'node:fs/promises';
import path from 'node:path';
import { ContractFile } from '../diagnostics/catalogue.js';
import { createDiagnostic } from '../diagnostics/diagnostic.js';
import { ContractError } from './contract-error.js';

const CONTRACT = /\.contract\.ya?ml$/;

/** Files as they are named, folders walked in name order. Throws a ContractError for what is not there. */
export async function findContracts(paths: readonly string[]): Promise<readonly string[]> {
  const files: string[] = [];
  for (const location of paths) {
    try {
      if ((await stat(location)).isDirectory()) files.push(...(await walk(location)));
      else files.push(location);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      const diagnostic = createDiagnostic(ContractFile, undefined, { what: location, reason });
      throw new ContractError([diagnostic], `cannot read ${location}: ${reason}`, 'ENOENT');
    }
  }
  return [...new Set(files)];
}

async function walk(folder: string): Promise<string[]> {
  const files: string[] = [];
  const entries = await readdir(folder, { withFileTypes: true });
  entries.sort((a, b) => (a.name < b.name ? -1 : 1));
  for (const entry of entries) {
    if (entry.name.startsWith('.') || entry.name === 'node_modules') continue;
    const location = path.join(folder, entry.name);
    if (entry.isDirectory()) files.push(...(await walk(location)));
    else if (CONTRACT.test(entry.name)) files.push(location);
  }
  return files;
}
