// Which files are contracts: those that are named, and `*.contract.yaml` below folders.
import { stat } from 'node:fs/promises';
import { ContractFile } from '../diagnostics/catalogue.js';
import { createDiagnostic } from '../diagnostics/diagnostic.js';
import { listFolder } from '../gateway/sources.js';
import { ContractError } from './contract-error.js';

const CONTRACT = /\.contract\.ya?ml$/;

// A link that leads nowhere is a contract that cannot be read, and whoever reads it says so.
const isContract = (name: string): boolean => CONTRACT.test(name);

/** Files as they are named, folders walked in name order, links followed. Throws a ContractError for what is not there. */
export async function findContracts(paths: readonly string[]): Promise<readonly string[]> {
  const files: string[] = [];
  for (const location of paths) {
    try {
      if ((await stat(location)).isDirectory()) files.push(...(await listFolder(location, isContract)));
      else files.push(location);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      const diagnostic = createDiagnostic(ContractFile, undefined, { what: location, reason });
      throw new ContractError([diagnostic], `cannot read ${location}: ${reason}`, 'ENOENT');
    }
  }
  return [...new Set(files)];
}
