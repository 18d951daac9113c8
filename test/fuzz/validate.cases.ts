// Mutated YAML for the loader: recorded objects with keys dropped, types exchanged, numbers inflated, nested, aliased and
// spiced with control characters. Every case is a text.
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import fc from 'fast-check';
import { parse, stringify } from 'yaml';
import { caseDirectories, goldenAreas, goldenRoot } from '../golden/support.js';

/** Recorded texts that are small enough to be read ten thousand times. */
export function seedTexts(): readonly string[] {
  const validation = path.join(goldenRoot(), 'validation');
  const objects = readdirSync(validation)
    .filter((name) => name.endsWith('.yaml'))
    .map((name) => readFileSync(path.join(validation, name), 'utf8'));
  const whole = goldenAreas()
    .flatMap((area) => caseDirectories(area).slice(0, 6))
    .map((directory) => readFileSync(path.join(directory, 'istio.yaml'), 'utf8'))
    .filter((text) => text.length < 8000);
  return [...objects, ...whole];
}

const HUGE = [0, -1, 1e308, 2 ** 53, 4_294_967_296, 2_147_483_648, 65_536, 0.1, -0.5, 1e21];
const WORDS = [
  '',
  '*',
  '*.',
  '/',
  '~',
  '.',
  ':',
  '%',
  '%(',
  '\u0000',
  '\u001b[2J',
  'é',
  'y',
  '0x',
  '1_000',
  'a'.repeat(300),
];
const KEYS = ['__proto__', 'constructor', 'spec', '', '0', 'true', 'a.b', 'hosts', 'match'];

/** A change at one place of a document. */
export interface Mutation {
  readonly kind: 'drop' | 'null' | 'number' | 'word' | 'wrap' | 'nest' | 'double' | 'rename' | 'empty';
  /** Which of the places, as a fraction of all. */
  readonly at: number;
  readonly pick: number;
}

export const mutation: fc.Arbitrary<Mutation> = fc.record({
  kind: fc.constantFrom('drop', 'null', 'number', 'word', 'wrap', 'nest', 'double', 'rename', 'empty'),
  at: fc.double({ min: 0, max: 0.999, noNaN: true }),
  pick: fc.nat(1000),
});

type Container = Record<string, unknown> | unknown[];

/** Applies mutations to the documents of a text; what cannot be parsed stays as it is. */
export function mutate(text: string, mutations: readonly Mutation[]): string {
  return text
    .split(/^---.*$/m)
    .map((document) => mutateDocument(document, mutations))
    .join('---\n');
}

function mutateDocument(document: string, mutations: readonly Mutation[]): string {
  let root: unknown;
  try {
    root = parse(document, { uniqueKeys: false, maxAliasCount: -1, logLevel: 'silent' });
  } catch {
    return document;
  }
  if (typeof root !== 'object' || root === null) return document;
  for (const one of mutations) apply(root as Container, one);
  return stringify(root, { aliasDuplicateObjects: mutations.length % 2 === 0 });
}

function apply(root: Container, { kind, at, pick }: Mutation): void {
  const places: (readonly [Container, string | number])[] = [];
  collectPlaces(root, places, 0);
  const place = places[Math.floor(at * places.length)];
  if (place === undefined) return;
  const [container, key] = place;
  const target = container as Record<string | number, unknown>;
  const value = target[key];
  switch (kind) {
    case 'drop':
      if (Array.isArray(container)) container.splice(Number(key), 1);
      else delete target[key];
      break;
    case 'null':
      target[key] = null;
      break;
    case 'number':
      target[key] = HUGE[pick % HUGE.length];
      break;
    case 'word':
      target[key] = WORDS[pick % WORDS.length];
      break;
    case 'wrap':
      target[key] = pick % 2 === 0 ? [value] : { value };
      break;
    case 'nest':
      target[key] = nested(value, pick % 230);
      break;
    case 'double':
      if (Array.isArray(value)) target[key] = [...value, ...value, value[0] ?? null];
      else if (Array.isArray(container)) container.push(value);
      break;
    case 'rename':
      if (Array.isArray(container)) break;
      delete target[key];
      Object.defineProperty(target, KEYS[pick % KEYS.length] ?? '', {
        value,
        enumerable: true,
        configurable: true,
        writable: true,
      });
      break;
    case 'empty':
      target[key] = Array.isArray(value) ? [] : {};
  }
}

function nested(value: unknown, depth: number): unknown {
  let wrapped = value;
  for (let level = 0; level < depth; level++) wrapped = level % 2 === 0 ? [wrapped] : { a: wrapped };
  return wrapped;
}

function collectPlaces(node: unknown, places: (readonly [Container, string | number])[], depth: number): void {
  if (typeof node !== 'object' || node === null || depth > 60 || places.length > 2000) return;
  for (const key of Object.keys(node)) {
    places.push([node as Container, Array.isArray(node) ? Number(key) : key]);
    collectPlaces((node as Record<string, unknown>)[key], places, depth + 1);
  }
}

const SPICE = [
  '\t',
  '\u0000',
  '\u0007',
  '\uFEFF',
  '&a ',
  '*a ',
  '<<: *a\n',
  '!!binary ',
  '"',
  "'",
  '[',
  '{',
  '}',
  '\n---\n',
  '|',
  '>-',
  '? ',
  '\u2028',
];

/** Text pieces put at places of a text. */
export const spice: fc.Arbitrary<readonly (readonly [number, number])[]> = fc.array(
  fc.tuple(fc.double({ min: 0, max: 1, noNaN: true }), fc.nat(SPICE.length - 1)),
  { maxLength: 3 },
);

export function season(text: string, pieces: readonly (readonly [number, number])[]): string {
  let seasoned = text;
  for (const [at, piece] of pieces) {
    const place = Math.floor(at * seasoned.length);
    seasoned = seasoned.slice(0, place) + (SPICE[piece] ?? '') + seasoned.slice(place);
  }
  return seasoned;
}

/** What attackers write, and generators by accident; `scale` 1 is a few megabytes each. */
export function hostileTexts(scale: number): Readonly<Record<string, string>> {
  const head = (kind: string): string =>
    `apiVersion: networking.istio.io/v1\nkind: ${kind}\nmetadata: {name: x}\nspec:\n`;
  const laughs = Array.from({ length: 30 }, (_, level) =>
    level === 0 ? 'a0: &a0 [x, x, x, x]' : `a${level}: &a${level} [*a${level - 1}, *a${level - 1}, *a${level - 1}]`,
  ).join('\n');
  const many = (count: number, line: (index: number) => string): string =>
    Array.from({ length: Math.ceil(count * scale) }, (_, index) => line(index)).join('\n');
  return {
    'billion laughs': `${laughs}\n`,
    'an anchor in itself': 'a: &a\n  b: *a\n',
    'deep flow nesting': `${head('Gateway')}  servers: ${'['.repeat(50_000)}`,
    'deep block nesting': many(5000, (index) => `${' '.repeat(index % 3000)}a:`),
    'many hosts': `${head('VirtualService')}  hosts:\n${many(200_000, (index) => `  - h${index}.example.com`)}\n`,
    'equal hosts': `${head('VirtualService')}  hosts:\n${many(200_000, () => '  - a.example.com')}\n`,
    'wildcard hosts': `${head('VirtualService')}  hosts:\n${many(100_000, (index) => `  - "*${index % 7}.com"`)}\n  gateways: [g]\n`,
    'many rules': `${head('VirtualService')}  hosts: [a.test]\n  http:\n${many(30_000, (index) => `  - {match: [{uri: {prefix: /${'a'.repeat(index % 40)}}}], route: [{destination: {host: w}}]}`)}\n`,
    'many SNI hosts': `${head('VirtualService')}  hosts: [${many(30_000, (index) => `h${index}.test,`).replaceAll('\n', ' ')}]\n  tls:\n  - match: [{sniHosts: [${many(30_000, (index) => `n${index}.test,`).replaceAll('\n', ' ')}]}]\n    route: [{destination: {host: w}}]\n`,
    'many documents': many(50_000, () => 'apiVersion: v1\nkind: Service\nmetadata: {name: a}\n---'),
    'many servers': `${head('Gateway')}  servers:\n${many(20_000, () => '  - {port: {number: 80, name: a, protocol: HTTP}, hosts: ["*"]}')}\n`,
    'a regex of many kilobytes': `${head('VirtualService')}  hosts: [a.test]\n  http:\n  - match: [{uri: {regex: "${'(a|b)*'.repeat(3000)}"}}]\n    route: [{destination: {host: w}}]\n`,
    'nested repetition': `${head('VirtualService')}  hosts: [a.test]\n  http:\n  - match: [{uri: {regex: "((a{1,100}){1,100}){1,100}"}}]\n    route: [{destination: {host: w}}]\n`,
    'a large maglev table': `${head('DestinationRule')}  host: a\n  subsets:\n${many(2000, (index) => `  - {name: s${index}, trafficPolicy: {loadBalancer: {consistentHash: {useSourceIp: true, maglev: {tableSize: 9007199254740881}}}}}`)}\n`,
    'one long line': `a: "${'x'.repeat(8_000_000 * scale)}"\n`,
    'nothing but colons': ':'.repeat(200_000),
    'nothing but tabs': '\t'.repeat(200_000),
    'ten megabytes': `a: "${'x'.repeat(10_500_000)}"\n`,
  };
}
