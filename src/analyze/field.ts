// Reading an object field by field, as istioctl's decoder would: leniently, absent is zero, and every value still knows
// where it is written. Analyzers read objects this way because they also look at what strict decoding refuses
// (spec validation.md §8.1, column "analyze").
import type { Labels } from '../config/model/common.js';
import type { WrittenObject } from '../config/written-object.js';
import { isNull, type Span, type YamlEntry, type YamlNode } from '../config/yaml/tree.js';

/** A place in an object, written or not. */
export class Field {
  readonly object: WrittenObject;
  /** `undefined` where nothing is written. */
  readonly node: YamlNode | undefined;
  /** The smallest span to point at; of an absent field that of its nearest written parent. */
  readonly span: Span;

  constructor(object: WrittenObject, node: YamlNode | undefined, span: Span) {
    this.object = object;
    this.node = node;
    this.span = span;
  }

  /** The whole object. */
  static of(object: WrittenObject): Field {
    return new Field(object, object.root, object.root);
  }

  get isWritten(): boolean {
    return this.node !== undefined;
  }

  /**
   * A field below this one. Names are tried in proto's snake_case too, as proto-JSON allows.
   *
   *     Field.of(gateway).get('spec', 'servers', 0, 'tls', 'credentialName').text();
   */
  get(...path: readonly (string | number)[]): Field {
    let node = this.node;
    let span = this.span;
    for (const step of path) {
      if (typeof step === 'number') {
        const item = node?.kind === 'list' ? node.items[step] : undefined;
        if (item === undefined) return new Field(this.object, undefined, span);
        node = item;
        span = item;
      } else {
        const entry = node?.kind === 'map' ? findEntry(node.entries, step) : undefined;
        if (entry === undefined) return new Field(this.object, undefined, span);
        node = entry.value;
        span = shownSpan(entry);
      }
    }
    return new Field(this.object, node, span);
  }

  /** The items of a list; of anything else none. */
  items(): readonly Field[] {
    return this.node?.kind === 'list' ? this.node.items.map((item) => new Field(this.object, item, item)) : [];
  }

  /** Keys and values of a map, in the order in which they are written; nulls are not there. */
  entries(): readonly (readonly [key: string, value: Field])[] {
    if (this.node?.kind !== 'map') return [];
    return this.node.entries
      .filter((entry) => !isNull(entry.value))
      .map((entry) => [entry.key, new Field(this.object, entry.value, shownSpan(entry))]);
  }

  /** '' for what is absent or no scalar. */
  text(): string {
    return this.node?.kind === 'scalar' && this.node.value !== null ? (this.node.word ?? String(this.node.value)) : '';
  }

  /** 0 for what is absent or no number; a number in quotes is one (spec validation.md §8.3). */
  number(): number {
    if (this.node?.kind !== 'scalar' || typeof this.node.value === 'boolean') return 0;
    const value = Number(this.node.value ?? 0);
    return Number.isFinite(value) ? value : 0;
  }

  boolean(): boolean {
    return this.node?.kind === 'scalar' && this.node.value === true;
  }

  /** A list of words. */
  texts(): readonly string[] {
    return this.items().map((item) => item.text());
  }

  /** A map of words. */
  labels(): Labels {
    return Object.fromEntries(this.entries().map(([key, value]) => [key, value.text()]));
  }
}

function findEntry(entries: readonly YamlEntry[], name: string): YamlEntry | undefined {
  let snake: YamlEntry | undefined;
  for (const entry of entries) {
    if (entry.key === name && !isNull(entry.value)) return entry;
    if (snake === undefined && entry.key.includes('_') && entry.key === snakeCase(name)) snake = entry;
  }
  return snake !== undefined && !isNull(snake.value) ? snake : undefined;
}

function snakeCase(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

/** A scalar itself; of what has several lines its key. */
function shownSpan({ value, keySpan }: YamlEntry): Span {
  return value.kind === 'scalar' && value.end > value.start && !value.literal ? value : keySpan;
}
