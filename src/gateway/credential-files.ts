// Certificates that a Gateway or DestinationRule names as files (spec gateway.md §8.7). They lie on the gateway pod;
// here that is this machine.
import { readFileSync } from 'node:fs';
import type { ReadCredentialFile } from '../registry/push-context.js';

/** Reads a file of this machine; relative paths count from the working directory. `undefined` = not there. */
export const readCredentialFile: ReadCredentialFile = (path) => {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
};
