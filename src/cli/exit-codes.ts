// Exit codes of every command (those of sysexits where one fits).

export const OK = 0;
/** `diff` found differences. */
export const DIFFERENT = 1;
export const USAGE = 64;
/** Input cannot be parsed, or istiod's side (schema, webhook) rejects it. */
export const BAD_INPUT = 65;
export const NOT_FOUND = 66;
export const UNREACHABLE = 69;
/** Our own fault. */
export const INTERNAL = 70;
export const NOT_PERMITTED = 77;
/** Findings at or above `--failure-threshold`, as istioctl has it. */
export const FINDINGS = 79;
export const PORT_IN_USE = 98;
export const INTERRUPTED = 130;

/** Ends a command with a message on stderr and a code; thrown by commands, caught in main.ts. */
export class CommandError extends Error {
  override readonly name = 'CommandError';
  readonly exitCode: number;

  constructor(exitCode: number, message: string) {
    super(message);
    this.exitCode = exitCode;
  }
}
