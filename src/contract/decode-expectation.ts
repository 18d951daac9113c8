// `expect` of a contract to assertions. The shape of the node has been checked, so nothing is reported here but what a
// shape cannot say.
import { entryOf, type YamlMap, type YamlNode, type YamlScalar } from '../config/yaml/tree.js';
import { ContractPattern } from '../diagnostics/catalogue.js';
import { compileRegex } from '../regex/index.js';
import type { Assertion, Expectation, Expected, Scalar } from './contract.js';
import { MATCHERS } from './contract-shape.js';
import type { FileReader } from './file-reader.js';

/** Fields whose values are maps of more fields, with the names under which they are found in what is observed. */
const NESTED: ReadonlySet<string> = new Set(['headers', 'route', 'upstream', 'tls']);

/** Reads the node under `expect`; `undefined` = nothing is expected. */
export function decodeExpectation(node: YamlNode | undefined, reader: FileReader): Expectation {
  const assertions: Assertion[] = [];
  if (node?.kind !== 'map') return { assertions };
  let split: Expectation['split'];
  for (const { key, keySpan, value } of node.entries) {
    if (key === 'split') {
      if (value.kind !== 'map') continue;
      const weights = Object.fromEntries(value.entries.map((entry) => [entry.key, numberOf(entry.value)]));
      split = { weights, origin: reader.origin(keySpan) };
    } else collect(assertions, [key], value, keySpan, reader);
  }
  return { assertions, ...(split === undefined ? {} : { split }) };
}

function collect(
  into: Assertion[],
  path: readonly string[],
  node: YamlNode,
  keySpan: { readonly start: number; readonly end: number },
  reader: FileReader,
): void {
  const key = path[path.length - 1] as string;
  // Headers may be called anything, `exact` too, so only a whole field can be a matcher of presence.
  const isPresence = path.length === 1 && key === 'upstream' && matcherOf(node) !== undefined;
  const isNested = NESTED.has(key) && (path.length === 1 || path[0] === 'upstream') && !isPresence;
  if (isNested && node.kind === 'map') {
    for (const entry of node.entries) {
      const name = key === 'headers' ? entry.key.toLowerCase() : entry.key;
      collectInner(into, [...path, name], entry.value, entry.keySpan, reader);
    }
    return;
  }
  collectInner(into, path, node, keySpan, reader);
}

function collectInner(
  into: Assertion[],
  path: readonly string[],
  node: YamlNode,
  keySpan: { readonly start: number; readonly end: number },
  reader: FileReader,
): void {
  const isBlock = path[0] === 'upstream' && path.length === 2 && (path[1] === 'headers' || path[1] === 'tls');
  if (isBlock) {
    collect(into, path, node, keySpan, reader);
    return;
  }
  const expected = decodeExpected(node, reader);
  if (expected === undefined) return;
  const span = node.kind === 'scalar' && node.end > node.start && !node.literal ? node : keySpan;
  into.push({ path, expected, origin: reader.origin(span) });
}

function decodeExpected(node: YamlNode, reader: FileReader): Expected | undefined {
  switch (node.kind) {
    case 'scalar':
      return { kind: 'value', value: scalarOf(node) };
    case 'list': {
      const of = node.items.map((item) => decodeExpected(item, reader)).filter((one) => one !== undefined);
      return { kind: 'anyOf', of };
    }
    case 'map': {
      const matcher = matcherOf(node);
      return matcher === undefined ? undefined : decodeMatcher(matcher.key, matcher.value, reader);
    }
  }
}

function decodeMatcher(key: string, value: YamlNode, reader: FileReader): Expected | undefined {
  switch (key) {
    case 'exact':
      return decodeExpected(value, reader);
    case 'prefix':
    case 'suffix':
    case 'contains':
      return { kind: 'text', how: key, text: scalarText(value) };
    case 'regex': {
      const text = scalarText(value);
      const compiled = compileRegex(text);
      if (compiled.kind === 'error') {
        reader.report(ContractPattern, value, { reason: compiled.message });
        return undefined;
      }
      return { kind: 'text', how: 'regex', text };
    }
    case 'present':
    case 'absent': {
      const holds = isTrue(value);
      return { kind: (key === 'present') === holds ? 'present' : 'absent' };
    }
    case 'oneOf':
      return decodeExpected(value, reader);
    case 'not': {
      const of = decodeExpected(value, reader);
      return of === undefined ? undefined : { kind: 'not', of };
    }
    default:
      return undefined;
  }
}

function matcherOf(node: YamlNode): { readonly key: string; readonly value: YamlNode } | undefined {
  if (node.kind !== 'map' || node.entries.length !== 1) return undefined;
  const [entry] = (node as YamlMap).entries;
  return entry !== undefined && MATCHERS.some((word) => word === entry.key) ? entry : undefined;
}

/** A word such as `on` or `y` is a boolean to Kubernetes and text to everybody else. */
export function scalarOf(node: YamlScalar): Scalar {
  if (typeof node.value === 'boolean' && node.word !== undefined && !/^(?:true|false)$/i.test(node.word))
    return node.word;
  return node.value ?? '';
}

/** The text of a scalar; '' for anything else. */
export function scalarText(node: YamlNode | undefined): string {
  return node?.kind === 'scalar' ? String(scalarOf(node)) : '';
}

export function isTrue(node: YamlNode | undefined): boolean {
  return node?.kind === 'scalar' && node.value === true;
}

export function numberOf(node: YamlNode | undefined): number {
  return node?.kind === 'scalar' && typeof node.value === 'number' ? node.value : 0;
}

/** The node under a key. */
export function under(node: YamlNode | undefined, key: string): YamlNode | undefined {
  return node === undefined ? undefined : entryOf(node, key)?.value;
}
