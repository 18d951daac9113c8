// A parsed YAML or JSON document as values with their places. Aliases share the node they name, merge keys are already
// applied, and scalars have the type that Kubernetes' loader gives them.

/** Offsets into the text of the file; the end is exclusive. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

/** A value with the span (offsets into the text) where it is written. */
export type YamlNode = YamlMap | YamlList | YamlScalar;

export interface YamlMap extends Span {
  readonly kind: 'map';
  /** In the order in which they are written, merged ones last; keys are unique. */
  readonly entries: readonly YamlEntry[];
}

export interface YamlEntry {
  readonly key: string;
  readonly keySpan: Span;
  readonly value: YamlNode;
}

export interface YamlList extends Span {
  readonly kind: 'list';
  readonly items: readonly YamlNode[];
}

export interface YamlScalar extends Span {
  readonly kind: 'scalar';
  readonly value: string | number | boolean | null;
  /** A `|` block: its text starts on the line after `start`, which lets a YAML document inside keep its positions. */
  readonly literal: boolean;
  /** Of a boolean: the word that was written. */
  readonly word?: string;
}

/** True for `null`, `~` and nothing. */
export function isNull(node: YamlNode): boolean {
  return node.kind === 'scalar' && node.value === null;
}

/** The entry of a map, or `undefined` for an absent key, a null value and a node that is no map. */
export function entryOf(node: YamlNode, key: string): YamlEntry | undefined {
  if (node.kind !== 'map') return undefined;
  for (const entry of node.entries) if (entry.key === key) return isNull(entry.value) ? undefined : entry;
  return undefined;
}

/** The text under a key, if it is one. */
export function textOf(node: YamlNode, key: string): string | undefined {
  const value = entryOf(node, key)?.value;
  return value?.kind === 'scalar' && typeof value.value === 'string' ? value.value : undefined;
}

/**
 * Where a field is written: the value of a scalar, the key of a map or list (its lines may be many), a list item as a
 * whole. Of an absent field the nearest parent that is there.
 */
export function spanAt(root: YamlNode, path: readonly (string | number)[]): Span {
  let node = root;
  let span: Span = root;
  for (const step of path) {
    if (typeof step === 'number') {
      const item = node.kind === 'list' ? node.items[step] : undefined;
      if (item === undefined) return span;
      node = item;
      span = item;
    } else {
      const entry = node.kind === 'map' ? node.entries.find((candidate) => candidate.key === step) : undefined;
      if (entry === undefined) return span;
      node = entry.value;
      span = entrySpan(entry);
    }
  }
  return span;
}

/** The smallest span that shows an entry's value: a scalar itself, the key of anything longer. */
export function entrySpan(entry: YamlEntry): Span {
  const { value } = entry;
  return value.kind === 'scalar' && value.end > value.start && !value.literal ? value : entry.keySpan;
}

/** Plain JavaScript values, for the few fields that are carried as they were written. */
export function toPlain(node: YamlNode): unknown {
  switch (node.kind) {
    case 'scalar':
      return node.value;
    case 'list':
      return node.items.map(toPlain);
    case 'map':
      return Object.fromEntries(node.entries.map((entry) => [entry.key, toPlain(entry.value)]));
  }
}
