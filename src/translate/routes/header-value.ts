// Whether Envoy takes a header value with `%OPERATORS%`. Source: envoyproxy/envoy
// source/common/formatter/substitution_formatter.cc (SubstitutionFormatParser, CommandSyntaxChecker); spec
// virtualservice.md §14.5, §17.4.
import { COMMAND_OPERATORS } from '../../xds/index.js';

const OPERATOR = /^%([A-Z0-9_]+)(?:\((.*?)\))?(?::([0-9]+))?%/s;

/** Envoy's reason for refusing the value; `undefined` when it takes it. */
export function headerValueError(value: string): string | undefined {
  for (let at = value.indexOf('%'); at !== -1; at = value.indexOf('%', at)) {
    if (value.charAt(at + 1) === '%') {
      at += 2;
      continue;
    }
    const match = OPERATOR.exec(value.slice(at));
    if (match === null) return `Incorrect configuration: ${value}. Couldn't find valid command at position ${at}`;
    const error = operatorError(match[1] as string, match[2], match[3]);
    if (error !== undefined) return error;
    at += match[0].length;
  }
  return undefined;
}

function operatorError(name: string, argument: string | undefined, length: string | undefined): string | undefined {
  const wants = COMMAND_OPERATORS.get(name);
  if (wants === undefined) return `Not supported field in StreamInfo: ${name}`;
  if (wants === 'required' && (argument ?? '') === '') return `${name} requires parameters`;
  if (wants === 'none' && (argument ?? '') !== '') return `${name} does not take any parameters`;
  if (wants === 'none' && length !== undefined) return `${name} does not allow length to be specified.`;
  const alternatives = name === 'REQ' || name === 'RESP' || name === 'TRAILER' ? (argument ?? '').split('?').length : 0;
  return alternatives > 2 ? `More than 1 alternative header specified in token: ${argument}` : undefined;
}
