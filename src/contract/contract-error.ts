// A contract that cannot be run, as opposed to one that fails.
import type { Diagnostic } from '../diagnostics/diagnostic.js';

/** Thrown before any test was run. */
export class ContractError extends Error {
  override readonly name = 'ContractError';
  readonly diagnostics: readonly Diagnostic[];
  /** `ENOENT` (a file is not there), `EADDRINUSE` and other codes of Node; '' for a file that is wrong. */
  readonly code: string;

  constructor(diagnostics: readonly Diagnostic[], message: string, code = '') {
    super(message);
    this.diagnostics = diagnostics;
    this.code = code;
  }
}
