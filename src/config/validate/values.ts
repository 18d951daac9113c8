// Numbers, addresses, durations, labels and patterns as istiod's webhook judges them. Spec validation.md §2, P9–P15,
// P17, P19–P21, P27.
import { compileRegex } from '../../regex/index.js';
import { parseDuration } from '../duration.js';
import { isIpAddress } from '../model/ip-address.js';
import { parseProtocol } from '../model/protocol.js';
import type { Findings } from './findings.js';
import { byteLength, goDouble, goQuote } from './go-text.js';
import type { Written } from './written.js';

/** P9. */
export function checkPort(port: number): string | undefined {
  return port >= 1 && port <= 65535 ? undefined : `port number ${port} must be in the range 1..65535`;
}

/** P10. */
export function checkIp(address: string): string | undefined {
  return isIpAddress(address) ? undefined : `${address} is not a valid IP`;
}

/** P11: an address or a prefix, whose host bits may be set. */
export function checkSubnet(subnet: string): string | undefined {
  const [address, length, more] = subnet.split('/');
  if (address === undefined || length === undefined || more !== undefined) return checkIp(subnet);
  const bits = address.includes(':') ? 128 : 32;
  const valid =
    isIpAddress(address) && !address.includes('%') && /^(0|[1-9]\d{0,2})$/.test(length) && Number(length) <= bits;
  return valid ? undefined : `${subnet} is not a valid CIDR block`;
}

/** P12, of a duration as it is written; what is no duration has been refused before. */
export function checkDuration(text: string): string | undefined {
  const value = parseDuration(text);
  if (value === undefined) return undefined;
  if (value < 1) return 'duration must be greater than 1ms';
  return Number.isInteger(value) ? undefined : 'only durations to ms precision are supported';
}

/** P12 of a field, where it is written. */
export function validateDuration(message: Written, key: string, found: Findings): void {
  if (message.has(key)) found.errorIf(checkDuration(message.text(key)), message.spanOf(key));
}

/** P13. */
export function checkPercent(value: number): string | undefined {
  return value < 0 || value > 100 ? `percentage ${value} is not in range 0..100` : undefined;
}

/** P14, of a field of type Percent. */
export function validatePercentage(message: Written, key: string, found: Findings): void {
  const percentage = message.message(key);
  if (percentage === undefined) return;
  const value = percentage.number('value');
  if (value >= 0 && value <= 100 && !(value > 0 && value < 0.0001)) return;
  found.error(`percentage ${goDouble(value)} is neither 0.0, nor in range [0.0001, 100.0]`, percentage.spanOf('value'));
}

const TAG_NAME = /^(?:[A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]$/;
const TAG_PREFIX = /^[a-z0-9](?:[-a-z0-9]*[a-z0-9])?(?:\.[a-z0-9](?:[-a-z0-9]*[a-z0-9])?)*$/;

/** P15. */
export function validateLabels(message: Written, key: string, found: Findings): void {
  for (const { key: name, value, keySpan, span } of message.pairs(key)) {
    const bad = checkTagKey(name);
    if (bad !== undefined) found.blockError(bad, keySpan);
    if (value !== '' && !TAG_NAME.test(value)) found.blockError(`invalid tag value: ${goQuote(value)}`, span);
  }
}

function checkTagKey(key: string): string | undefined {
  const slash = key.lastIndexOf('/');
  const prefix = slash === -1 ? undefined : key.slice(0, slash);
  const name = key.slice(slash + 1);
  const invalid = `invalid tag key: ${goQuote(key)}`;
  if (!TAG_NAME.test(name) || (prefix !== undefined && !TAG_PREFIX.test(prefix))) return invalid;
  if (prefix !== undefined && prefix.length > 253) return `${invalid} (DNS prefix is too long)`;
  return name.length > 63 ? `${invalid} (name is too long)` : undefined;
}

/** P17 of a ServiceEntry: no protocol is one too. */
export function checkProtocol(protocol: string): string | undefined {
  if (protocol === '' || parseProtocol(protocol) !== 'UnsupportedProtocol') return undefined;
  return `unsupported protocol: ${protocol}`;
}

/** P19, of an address that begins with `unix://`. */
export function checkUnixAddress(address: string): string | undefined {
  const path = address.slice('unix://'.length);
  if (path === '') return 'unix address must not be empty';
  if (path.startsWith('@') || (path.startsWith('/') && !path.endsWith('/'))) return undefined;
  return `${path} is not an absolute path to a file`;
}

const MAX_REGEX = 1024;

/** P20. */
export function checkRegex(pattern: string, where: string): string | undefined {
  if (byteLength(pattern) > MAX_REGEX) {
    return `${goQuote(where)}: regex is too large, max length allowed is ${MAX_REGEX}`;
  }
  const compiled = compileRegex(pattern);
  // What only Envoy refuses, the webhook lets pass.
  if (compiled.kind === 'regex' || compiled.refusedBy === 'envoy') return undefined;
  return `${goQuote(where)}: ${compiled.message}; Istio uses RE2 style regex-based match (https://github.com/google/re2/wiki/Syntax)`;
}

/** The member of a StringMatch that counts. */
export function chosenMatch(match: Written): 'exact' | 'prefix' | 'regex' | undefined {
  return match.oneOf('exact', 'prefix', 'regex') as 'exact' | 'prefix' | 'regex' | undefined;
}

/** The part of P21 that is about regular expressions. */
export function validateMatchRegex(match: Written, where: string, found: Findings): void {
  if (chosenMatch(match) !== 'regex') return;
  const pattern = match.text('regex');
  const text =
    pattern === '' ? `${goQuote(where)}: regex string match should not be empty` : checkRegex(pattern, where);
  found.errorIf(text, match.spanOf('regex'));
}

/** P21. */
export function validateStringMatch(match: Written, where: string, found: Findings): void {
  if (chosenMatch(match) === 'prefix' && match.text('prefix') === '') {
    found.error(`${goQuote(where)}: prefix string match should not be empty`, match.spanOf('prefix'));
  } else validateMatchRegex(match, where, found);
}

/** P27: 600 passes. */
export function checkHttpStatus(status: number): string | undefined {
  return status < 200 || status > 600 ? `HTTP status ${status} is not in range 200-599` : undefined;
}
