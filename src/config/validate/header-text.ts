// Names and values of headers as istiod's webhook judges them. Spec validation.md §2, P22–P26, §2.2.
import { jwtClaim } from '../model/jwt-claim.js';
import type { Findings } from './findings.js';
import { goQuote } from './go-text.js';
import type { Written } from './written.js';

// Istio's class has `+-.` as a range, so the comma is in it too.
const NAME = /^[!#$%&'*+,\-.^_`|~A-Za-z0-9]+$/;
const PSEUDO = new Set([':method', ':scheme', ':authority', ':path', ':status']);
const EMPTY = 'header name cannot be empty';

/** P22. */
export function checkMatchHeaderName(name: string): string | undefined {
  if (name === '') return EMPTY;
  if (jwtClaim(name) !== undefined || PSEUDO.has(name) || NAME.test(name)) return undefined;
  return `header name ${name} is not a valid header name`;
}

/** P23. */
export function checkCorsHeaderName(name: string): string | undefined {
  if (name === '') return EMPTY;
  return name === '*' || NAME.test(name) ? undefined : `header name ${name} is not a valid header name`;
}

/** `host` and `:authority`, which are the same thing. */
export function isAuthority(name: string): boolean {
  const lower = name.toLowerCase();
  return lower === 'host' || lower === ':authority';
}

/** P24: names that a request may be given. */
function checkRequestOperation(name: string): string | undefined {
  if (name === '') return EMPTY;
  return name.startsWith(':') && !isAuthority(name) ? pseudoText(name) : undefined;
}

/** P25: names that a response may be given, and those that may be removed. */
function checkOperation(name: string): string | undefined {
  if (name === '') return EMPTY;
  if (name.toLowerCase() === 'host') return `invalid header ${goQuote(name)}: cannot set Host header`;
  return name.startsWith(':') ? pseudoText(name) : undefined;
}

function pseudoText(name: string): string {
  return `invalid header ${goQuote(name)}: header cannot have ":" prefix`;
}

/** P26. */
export function checkHeaderValue(value: string): string | undefined {
  if (/[\u0000-\u0008\u000a-\u001f\u007f]/.test(value)) return `header value configuration ${value} is invalid`;
  const problem = variableProblem(value);
  return problem === undefined ? undefined : `header value configuration: ${problem}`;
}

type State =
  | 'literal'
  | 'name'
  | 'arrayStart'
  | 'expectString'
  | 'string'
  | 'delimiter'
  | 'argumentsEnd'
  | 'variableEnd';

const PREFIX = 'invalid header configuration.';

/** Envoy's `%VARIABLE%` syntax, as the webhook checks it (spec §2.2); names of variables are not looked at. */
function variableProblem(value: string): string | undefined {
  let state: State = 'literal';
  for (let at = 0; at < value.length; at++) {
    const character = value[at];
    switch (state) {
      case 'literal':
        if (character !== '%') break;
        if (at + 1 === value.length) return `${PREFIX} Un-escaped %`;
        if (value[at + 1] === '%') at++;
        else state = 'name';
        break;
      case 'name':
        if (character === '%') state = 'literal';
        else if (character === '(') state = 'arrayStart';
        break;
      case 'arrayStart':
        if (character === '[') state = 'expectString';
        else if (character !== ' ') state = 'string';
        break;
      case 'expectString':
        if (character === '"') state = 'string';
        else if (character !== ' ') return `${PREFIX} Expecting '"'`;
        break;
      case 'string':
        if (character === '\\') {
          if (at + 1 === value.length) return `${PREFIX} Un-terminated backslash in JSON string`;
          at++;
        } else if (character === ')') state = 'variableEnd';
        else if (character === '"') state = 'delimiter';
        break;
      case 'delimiter':
        if (character === ',') state = 'expectString';
        else if (character === ']') state = 'argumentsEnd';
        else if (character !== ' ') return `${PREFIX} Expecting ',', ']', or whitespace`;
        break;
      case 'argumentsEnd':
        if (character === ')') state = 'variableEnd';
        else if (character !== ' ') {
          return `${PREFIX} Expecting ')' or whitespace after '{}', but found '{}'`;
        }
        break;
      case 'variableEnd':
        if (character === '%') state = 'literal';
        else if (character !== ' ') return `${PREFIX} Expecting '%' or whitespace after`;
        break;
    }
  }
  return state === 'literal' ? undefined : `${PREFIX} Un-terminated variable expression '${value}'`;
}

/** `headers` of a route or a destination. */
export function validateHeaders(headers: Written | undefined, found: Findings): void {
  const request = headers?.message('request');
  const response = headers?.message('response');
  for (const operation of ['add', 'set']) {
    for (const { key, value, keySpan, span } of request?.pairs(operation) ?? []) {
      found.errorIf(checkRequestOperation(key), keySpan);
      found.errorIf(checkHeaderValue(value), span);
    }
  }
  for (const { value, span } of request?.texts('remove') ?? []) found.errorIf(checkOperation(value), span);
  for (const operation of ['add', 'set']) {
    for (const { key, value, keySpan, span } of response?.pairs(operation) ?? []) {
      found.errorIf(checkOperation(key), keySpan);
      found.errorIf(checkHeaderValue(value), span);
    }
  }
  for (const { value, span } of response?.texts('remove') ?? []) found.errorIf(checkOperation(value), span);
}
