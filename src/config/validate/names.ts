// Names of hosts, ports and subsets as istiod's webhook judges them: every check answers with Istio's text, or with
// nothing. Spec validation.md §2, P1–P8, P16, P18; Istio: pkg/config/validation/agent/validation.go, pkg/config/labels.
import { byteLength, goQuote, isGoInteger } from './go-text.js';

const LABEL = /^[a-zA-Z0-9](?:[-a-zA-Z0-9]*[a-zA-Z0-9])?$/;
const MAX_LABEL = 63;
const MAX_NAME = 255;

/** P1. Upper case passes, an underscore does not. */
export function isDnsLabel(text: string): boolean {
  return text.length <= MAX_LABEL && LABEL.test(text);
}

/** P2: a label, perhaps behind `*` or `*-`, or `*` alone. */
export function isWildcardLabel(text: string): boolean {
  return text.length <= MAX_LABEL && (text === '*' || LABEL.test(text.replace(/^\*-?/, '')));
}

/** P3. */
function checkLength(name: string): string | undefined {
  if (byteLength(name) > MAX_NAME) return `domain name ${goQuote(name)} too long (max 255)`;
  return name === '' ? 'empty domain name not allowed' : undefined;
}

/** P4. */
function checkLabels(domain: string): string | undefined {
  const parts = domain.split('.');
  const last = parts.at(-1) ?? '';
  if (isGoInteger(last)) {
    return `domain name ${goQuote(domain)} invalid (top level domain ${goQuote(last)} cannot be all-numeric)`;
  }
  // Behind a trailing dot is nothing.
  const bad = (last === '' ? parts.slice(0, -1) : parts).find((part) => !isDnsLabel(part));
  return bad === undefined ? undefined : invalidLabel(domain, bad);
}

function invalidLabel(domain: string, label: string): string {
  return `domain name ${goQuote(domain)} invalid (label ${goQuote(label)} invalid)`;
}

/** P5: a name without wildcards. */
export function checkFqdn(name: string): string | undefined {
  return checkLength(name) ?? checkLabels(name);
}

/** P6: the first label may be a wildcard. What is behind the first dot is judged, and quoted, alone. */
export function checkWildcardDomain(name: string): string | undefined {
  const length = checkLength(name);
  if (length !== undefined) return length;
  const dot = name.indexOf('.');
  const first = dot === -1 ? name : name.slice(0, dot);
  if (!isWildcardLabel(first)) return invalidLabel(name, first);
  return dot === -1 ? undefined : checkLabels(name.slice(dot + 1));
}

const SNI_FORMAT = 'outbound_.<PORT>_._.<HOSTNAME>';

/** P7: a host of a VirtualService that is bound to gateways; with TLS routes it may be an SNI of AUTO_PASSTHROUGH. */
export function checkGatewayBoundDomain(sni: boolean, name: string): string | undefined {
  if (!sni || !name.startsWith('outbound_')) return checkWildcardDomain(name);
  const length = checkLength(name);
  if (length !== undefined) return length;
  const parts = name.split('_');
  if (parts.length < 4) return `domain name ${name} invalid, should follow '${SNI_FORMAT}' format`;
  const port = trimDots(parts[1] ?? '');
  const host = trimDots(parts[3] ?? '');
  const bad = !/[0-9]/.test(port) ? port : !/[a-zA-Z]/.test(host) ? host : undefined;
  return bad === undefined ? undefined : `${invalidLabel(name, bad)}. should follow ${SNI_FORMAT} format`;
}

function trimDots(text: string): string {
  return text.replace(/^\.+|\.+$/g, '');
}

/** P8. */
export function checkPartialWildcard(host: string): string | undefined {
  if (!host.includes('*') || byteLength(host) === 1 || host.startsWith('*.')) return undefined;
  return `partial wildcard ${goQuote(host)} not allowed`;
}

/** P16; an empty name fails. */
export function checkPortName(name: string): string | undefined {
  return isDnsLabel(name) ? undefined : `invalid port name: ${name}`;
}

/** P18. */
export function checkSubsetName(name: string): string | undefined {
  if (name === '') return 'subset name cannot be empty';
  return isDnsLabel(name) ? undefined : `subset name is invalid: ${name}`;
}
