// A certificate and its key as two files of a folder.
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import type { KeyPair } from '../certs/key-pair.js';

/**
 * `undefined` when one of `NAME.crt` and `NAME.key` is not there. Throws Node's error for a file that is there and cannot
 * be read: whoever made a new pair then would replace one that clients trust.
 */
export async function readStoredPair(folder: string, name: string): Promise<KeyPair | undefined> {
  try {
    return {
      certificate: await readFile(path.join(folder, `${name}.crt`), 'utf8'),
      privateKey: await readFile(path.join(folder, `${name}.key`), 'utf8'),
    };
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
}
