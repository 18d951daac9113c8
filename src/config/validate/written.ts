// An object as istiod's webhook sees it: what is written, nulls dropped, absent fields as the zero values of proto3,
// and where each of it stands. Spec validation.md §8.1.
//
// The webhook is asked about the text, not about the model: the model leaves out what changes no gateway, and joins
// fields that exclude each other.
import { entryOf, entrySpan, type Span, type YamlEntry, type YamlMap, type YamlNode } from '../yaml/tree.js';

/** A text and its place. */
export interface WrittenText {
  readonly value: string;
  readonly span: Span;
}

/** An entry of a map of texts or numbers. */
export interface WrittenPair {
  readonly key: string;
  /** As text: numbers and booleans as they print. */
  readonly value: string;
  readonly keySpan: Span;
  readonly span: Span;
}

/** One message. */
export class Written {
  /** Where it is shown when nothing smaller is at fault. */
  readonly span: Span;
  private readonly node: YamlNode | undefined;

  constructor(node: YamlNode | undefined, span: Span) {
    this.node = node;
    this.span = span;
  }

  /** The field is there, even if empty. */
  has(key: string): boolean {
    return this.entry(key) !== undefined;
  }

  /** The smallest place that shows a field: its value, or its key where the value is long; of an absent one, the message. */
  spanOf(key: string): Span {
    const entry = this.entry(key);
    return entry === undefined ? this.span : entrySpan(entry);
  }

  /** '' when absent. */
  text(key: string): string {
    return asText(this.entry(key)?.value);
  }

  /** A text is written there, not a number or boolean. */
  isText(key: string): boolean {
    const value = this.entry(key)?.value;
    return value?.kind === 'scalar' && typeof value.value === 'string';
  }

  /** 0 when absent or no number; numbers in quotes count, as in proto-JSON. */
  number(key: string): number {
    return asNumber(this.entry(key)?.value);
  }

  flag(key: string): boolean {
    const value = this.entry(key)?.value;
    return value?.kind === 'scalar' && value.value === true;
  }

  /** `undefined` when absent; an empty message is one. */
  message(key: string): Written | undefined {
    const entry = this.entry(key);
    return entry === undefined ? undefined : new Written(entry.value, entrySpan(entry));
  }

  /** Messages of a list; a null item is an empty message. */
  messages(key: string): readonly Written[] {
    const value = this.entry(key)?.value;
    return value?.kind === 'list' ? value.items.map((item) => new Written(item, startOf(item))) : [];
  }

  texts(key: string): readonly WrittenText[] {
    const value = this.entry(key)?.value;
    return value?.kind === 'list' ? value.items.map((item) => ({ value: asText(item), span: startOf(item) })) : [];
  }

  /** Entries of a map, in the order of their keys: Go's order is random, and one order reads better than many. */
  pairs(key: string): readonly WrittenPair[] {
    return this.entriesOf(key).map((entry) => ({
      key: entry.key,
      value: asText(entry.value),
      keySpan: entry.keySpan,
      span: entrySpan(entry),
    }));
  }

  /** Messages of a map. */
  namedMessages(key: string): readonly (readonly [name: WrittenText, message: Written])[] {
    return this.entriesOf(key).map((entry) => [
      { value: entry.key, span: entry.keySpan },
      new Written(entry.value, entrySpan(entry)),
    ]);
  }

  /** Of members that exclude each other the one that counts: proto-JSON takes the one that is declared last. */
  oneOf(...members: readonly string[]): string | undefined {
    return members.findLast((member) => this.has(member));
  }

  /** Everything that is written, for comparing two messages. */
  entries(): readonly YamlEntry[] {
    return this.node?.kind === 'map' ? this.node.entries.filter((entry) => !isNullEntry(entry)) : [];
  }

  private entriesOf(key: string): readonly YamlEntry[] {
    const value = this.entry(key)?.value;
    return value?.kind === 'map' ? value.entries.filter((entry) => !isNullEntry(entry)) : [];
  }

  private entry(key: string): YamlEntry | undefined {
    return this.node === undefined ? undefined : entryOf(this.node, key);
  }
}

function isNullEntry({ value }: YamlEntry): boolean {
  return value.kind === 'scalar' && value.value === null;
}

/** A list item that is a map is shown by its first key; its lines may be many. */
function startOf(node: YamlNode): Span {
  if (node.kind !== 'map') return node;
  return firstKey(node) ?? node;
}

function firstKey(map: YamlMap): Span | undefined {
  let first: Span | undefined;
  for (const { keySpan } of map.entries) {
    // Merged entries stand elsewhere.
    if (keySpan.start < map.start || keySpan.end > map.end) continue;
    if (first === undefined || keySpan.start < first.start) first = keySpan;
  }
  return first;
}

function asText(node: YamlNode | undefined): string {
  return node?.kind === 'scalar' && node.value !== null ? String(node.value) : '';
}

function asNumber(node: YamlNode | undefined): number {
  if (node?.kind !== 'scalar') return 0;
  if (typeof node.value === 'number') return node.value;
  return typeof node.value === 'string' && /^-?\d+(\.\d+)?$/.test(node.value) ? Number(node.value) : 0;
}
