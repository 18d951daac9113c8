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

/** What a value of an option has to be, and how that is said. */
export interface OptionRule {
  readonly holds: (value: unknown) => boolean;
  readonly expected: string;
}

const isText = (value: unknown): boolean => typeof value === 'string';

/** An object as `{}` writes it: no list, no Map, no Headers, whose entries would be passed over. */
const isPlain = (value: unknown): value is Readonly<Record<string, unknown>> => {
  if (typeof value !== 'object' || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || Object.getPrototypeOf(prototype) === null;
};

/** Checked where the value is used, or not to be checked. */
export const ANYTHING: OptionRule = { holds: () => true, expected: '' };
export const TEXT: OptionRule = { holds: isText, expected: 'text' };
export const NUMBER: OptionRule = { holds: (value) => typeof value === 'number', expected: 'a number' };
export const YES_OR_NO: OptionRule = { holds: (value) => typeof value === 'boolean', expected: 'true or false' };
export const FUNCTION: OptionRule = { holds: (value) => typeof value === 'function', expected: 'a function' };
export const PLAIN_OBJECT: OptionRule = { holds: isPlain, expected: 'an object of names and values' };
export const LIST_OF_TEXTS: OptionRule = {
  holds: (value) => Array.isArray(value) && value.every(isText),
  expected: 'a list of texts',
};
export const OBJECT_OF_TEXTS: OptionRule = {
  holds: (value) => isPlain(value) && Object.values(value).every(isText),
  expected: 'an object of names and texts',
};

/** One of these. */
export function either(...rules: readonly OptionRule[]): OptionRule {
  return {
    holds: (value) => rules.some((rule) => rule.holds(value)),
    expected: rules.map(({ expected }) => expected).join(', or '),
  };
}

/**
 * Throws for names that `rules` does not have and for values that their rule does not take; `undefined` is as good as
 * absent. `where` begins the message: 'startGateway'.
 */
export function checkOptions(where: string, given: unknown, rules: Readonly<Record<string, OptionRule>>): void {
  if (typeof given !== 'object' || given === null || Array.isArray(given)) {
    throw new OptionError('', `${where}: expected an object with options`);
  }
  for (const [name, value] of Object.entries(given)) {
    const rule = Object.hasOwn(rules, name) ? rules[name] : undefined;
    if (rule === undefined) throw unknownOption(where, name, Object.keys(rules));
    if (value === undefined || rule.holds(value)) continue;
    throw new OptionError(name, `${where}: ${name}: expected ${rule.expected}`);
  }
}

function unknownOption(where: string, name: string, known: readonly string[]): OptionError {
  const meant = closestWord(name, known);
  const hint = meant === undefined ? `known are ${known.join(', ')}` : `did you mean \`${meant}\`?`;
  return new OptionError(name, `${where}: unknown option \`${name}\`; ${hint}`);
}
