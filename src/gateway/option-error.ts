// Wrong options of the library, said clearly and at once.
import { closestWord } from '../diagnostics/suggestion.js';

/** An option that is unknown or has a value it cannot have; nothing was started or sent. */
export class OptionError extends TypeError {
  override readonly name = 'OptionError';
  /** 'ports', 'headers.connection'. */
  readonly option: string;

  constructor(option: string, message: string) {
    super(message);
    this.option = option;
  }
}

/** Throws for keys that `known` does not have. `where` begins the message: 'startGateway'. */
export function checkOptionNames(where: string, given: unknown, known: readonly string[]): void {
  if (typeof given !== 'object' || given === null || Array.isArray(given)) {
    throw new OptionError('', `${where}: expected an object with options`);
  }
  for (const name of Object.keys(given)) {
    if (known.includes(name)) continue;
    const meant = closestWord(name, known);
    const hint = meant === undefined ? `known are ${known.join(', ')}` : `did you mean \`${meant}\`?`;
    throw new OptionError(name, `${where}: unknown option \`${name}\`; ${hint}`);
  }
}
