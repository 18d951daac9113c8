// The types that an API field can have, as readers: a node of YAML in, a value of the model out, everything wrong with
// it reported on the way. Texts are the API server's (spec validation.md §7.2), so that one mistake reads the same
// here, in kubectl and in the recordings.
import {
  AboveMaximum,
  BadBase64,
  BadDuration,
  BadTimestamp,
  BelowMinimum,
  FractionalInteger,
  IntegerOverflow,
  ShortDuration,
  TooFewItems,
  TooLong,
  TooManyItems,
  UnsupportedValue,
  WrongType,
} from '../../diagnostics/catalogue.js';
import { parseDuration } from '../duration.js';
import { toPlain, type YamlNode } from '../yaml/tree.js';
import type { Place } from './place.js';

/**
 * How one value is read. `A` says what an absent field is: `true` where the type has a value for it (an empty list or
 * map), so that the model never holds `undefined` there.
 */
export interface ValueType<T, A extends boolean = boolean> {
  /** 'duration', 'list<Server>': for the table of fields and for messages. */
  readonly name: string;
  /** The value of a field that nobody wrote. */
  readonly absent: A extends true ? T : undefined;
  /** `undefined` after something was reported. */
  read(node: YamlNode, place: Place): T | undefined;
  /** proto3 cannot tell the zero value of a plain scalar from an absent field, so the model does not either. */
  readonly zeroIsAbsent: boolean;
  /** The message inside, for listing its fields. */
  readonly inner?: MessageShape;
}

/** What `listFields` needs to know of a message. */
export interface MessageShape {
  readonly name: string;
  readonly rows: ReadonlyMap<string, FieldRow>;
}

/**
 * How far postern carries a field out. A written field that is 'not emulated' is warned about; one that is 'refused' is
 * refused here as by istiod's webhook, whatever its value.
 */
export type FieldStatus = 'emulated' | 'no effect here' | 'refused' | 'not emulated';

export interface FieldRow {
  readonly status: FieldStatus;
  /**
   * Why it has no effect, in which words it is refused, or what the real gateway does with it that is not done here;
   * '' of an emulated field.
   */
  readonly note: string;
  readonly type: ValueType<unknown>;
  readonly required: boolean;
}

/** A type of which nothing is there when nothing is written. */
export type OptionalType<T> = ValueType<T, false>;

function scalarType<T>(
  name: string,
  zero: T | undefined,
  read: (node: YamlNode, place: Place) => T | undefined,
): OptionalType<T> {
  return { name, absent: undefined, zeroIsAbsent: zero !== undefined, read };
}

/** JSON's name of a node's type, as the API server prints it. */
export function typeWord(node: YamlNode): string {
  switch (node.kind) {
    case 'map':
      return 'object';
    case 'list':
      return 'array';
    case 'scalar':
      if (node.value === null) return 'null';
      if (typeof node.value === 'number') return Number.isInteger(node.value) ? 'integer' : 'number';
      return typeof node.value;
  }
}

/** Reports a value of another type than `expected`; `undefined`, so that a reader can return it. */
export function reportWrongType(node: YamlNode, place: Place, expected: string): undefined {
  place.report(
    WrongType,
    node,
    { expected, found: typeWord(node) },
    { refusedBy: 'schema', label: `expected ${expected}` },
  );
  return undefined;
}

function readText(node: YamlNode, place: Place): string | undefined {
  if (node.kind === 'scalar' && typeof node.value === 'string') return node.value;
  return reportWrongType(node, place, 'string');
}

function readBoolean(node: YamlNode, place: Place): boolean | undefined {
  if (node.kind === 'scalar' && typeof node.value === 'boolean') return node.value;
  return reportWrongType(node, place, 'boolean');
}

interface Range {
  readonly minimum: number;
  readonly maximum: number;
}

function readInteger(node: YamlNode, place: Place, range: Range, format: string): number | undefined {
  const written = node.kind === 'scalar' ? node.value : undefined;
  // proto-JSON, the form of MeshConfig, takes numbers in quotes too.
  const quoted = typeof written === 'string' && place.context.strictness === 'lenient' && /^-?[0-9]+$/.test(written);
  const value = quoted ? Number(written) : written;
  if (typeof value !== 'number') return reportWrongType(node, place, 'integer');
  if (!Number.isSafeInteger(value)) {
    place.report(FractionalInteger, node, { value }, { refusedBy: 'schema', label: 'expected an integer' });
  }
  const bits = format === 'int32' ? 32 : 64;
  if (!Number.isInteger(value) || Math.abs(value) > 2 ** (bits - 1) - (value < 0 ? 0 : 1)) {
    const words = format === '' ? '(default format)' : `with format ${format}`;
    const label = Number.isInteger(value) ? `does not fit into ${bits} bits` : 'expected an integer';
    place.report(IntegerOverflow, node, { format: words }, { refusedBy: 'schema', label });
    if (format === 'int32') return undefined;
  }
  const checked = checkRange(value, node, place, range);
  return Number.isSafeInteger(value) ? checked : undefined;
}

/** The value, even when it is outside: the rules of the message around it are judged all the same. */
function checkRange(value: number, node: YamlNode, place: Place, range: Range): number {
  const { minimum, maximum } = range;
  const outside = value < minimum ? BelowMinimum : value > maximum ? AboveMaximum : undefined;
  if (outside === undefined) return value;
  place.report(
    outside,
    node,
    { value, minimum, maximum },
    { refusedBy: 'schema', label: `allowed: ${minimum} to ${maximum}` },
  );
  return value;
}

const INT32: Range = { minimum: -0x80000000, maximum: 0x7fffffff };
const UINT32: Range = { minimum: 0, maximum: 0xffffffff };
const UINT64: Range = { minimum: 0, maximum: Number.MAX_SAFE_INTEGER };

export const string: OptionalType<string> = scalarType('string', '', readText);
export const bool: OptionalType<boolean> = scalarType('bool', false, readBoolean);
export const int32: OptionalType<number> = scalarType('int32', 0, (node, place) =>
  readInteger(node, place, INT32, 'int32'),
);
export const uint32: OptionalType<number> = scalarType('uint32', 0, (node, place) =>
  readInteger(node, place, UINT32, ''),
);
export const uint64: OptionalType<number> = scalarType('uint64', 0, (node, place) =>
  readInteger(node, place, UINT64, ''),
);

/** A number with a fraction; percentages are 0..100. */
export const double: OptionalType<number> = scalarType('double', 0, readNumber);

function readNumber(node: YamlNode, place: Place): number | undefined {
  if (node.kind === 'scalar' && typeof node.value === 'number' && Number.isFinite(node.value)) return node.value;
  return reportWrongType(node, place, 'number');
}

/** An integer with limits of its own. */
export function integer(minimum: number, maximum: number): OptionalType<number> {
  return scalarType('int32', 0, (node, place) => readInteger(node, place, { minimum, maximum }, ''));
}

/** A number with limits of its own, both included. */
export function doubleIn(minimum: number, maximum: number): OptionalType<number> {
  return scalarType('double', 0, (node, place) => {
    const value = readNumber(node, place);
    return value === undefined ? undefined : checkRange(value, node, place, { minimum, maximum });
  });
}

/** A member of a oneof, or a wrapper type: zero is a value of its own, different from absence. */
export function present<T>(type: OptionalType<T>): OptionalType<T> {
  return { ...type, zeroIsAbsent: false };
}

/** A list or map of which emptiness means the same as absence: the default of somewhere else applies. */
export function unlessEmpty<T extends object>(type: ValueType<T>): OptionalType<T> {
  return { ...type, absent: undefined, zeroIsAbsent: true };
}

/** A text of at most so many characters. */
export function textUpTo(maximum: number): OptionalType<string> {
  return scalarType('string', '', (node, place) => {
    const text = readText(node, place);
    // The API server counts characters and calls them bytes.
    if (text !== undefined && text.length > maximum && [...text].length > maximum) {
      place.report(TooLong, node, { maximum }, { refusedBy: 'schema' });
    }
    return text;
  });
}

/** Base64 that is carried as text. */
export const base64Text: OptionalType<string> = scalarType('string', '', (node, place) => {
  const text = readText(node, place);
  if (text === undefined || BASE64.test(text.replaceAll(/[\r\n]/g, ''))) return text;
  const found = text.length > MAX_QUOTED ? `${text.slice(0, MAX_QUOTED)}…` : text;
  place.report(WrongType, node, { expected: 'byte', found }, { refusedBy: 'schema', label: 'not base64' });
  return text;
});

/** Of a value that is no base64, for its message. */
const MAX_QUOTED = 200;

/** One of these words, exactly. */
export function enumeration<const V extends string>(...values: readonly V[]): OptionalType<V> {
  const allowed: ReadonlySet<string> = new Set(values);
  const isAllowed = (value: string): value is V => allowed.has(value);
  const supported = values.map((value) => JSON.stringify(value)).join(', ');
  return scalarType<V>(values.join(' | '), undefined, (node, place) => {
    const value = node.kind === 'scalar' ? node.value : undefined;
    if (typeof value === 'string' && isAllowed(value)) return value;
    if (typeof value !== 'string') reportWrongType(node, place, 'string');
    if (node.kind === 'scalar') {
      place.report(
        UnsupportedValue,
        node,
        { value: JSON.stringify(value), supported },
        { refusedBy: 'schema', label: nearest(String(value), values) },
      );
    }
    return undefined;
  });
}

function nearest(value: string, values: readonly string[]): string {
  const meant = closest(value, values);
  return meant === undefined ? 'not a supported value' : `did you mean ${meant}?`;
}

/** The name that a misspelt one most likely stands for: the same but for case, or at most two letters away. */
export function closest(name: string, names: Iterable<string>): string | undefined {
  const plain = name.toLowerCase().replaceAll(/[_-]/g, '');
  let best: string | undefined;
  let bestDistance = Math.min(3, Math.max(1, Math.ceil(plain.length / 3)));
  for (const candidate of names) {
    const distance = editDistance(plain, candidate.toLowerCase().replaceAll(/[_-]/g, ''), bestDistance);
    if (distance < bestDistance) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best;
}

function editDistance(a: string, b: string, limit: number): number {
  if (Math.abs(a.length - b.length) >= limit) return limit;
  let previous = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const replace = (previous[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      row.push(Math.min(replace, (previous[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1));
    }
    previous = row;
  }
  return previous[b.length] ?? limit;
}

function durationType(name: string, minimum: number | undefined): OptionalType<number> {
  return scalarType<number>(name, undefined, (node, place) => {
    const text = readText(node, place);
    if (text === undefined) return undefined;
    const value = parseDuration(text);
    if (value === undefined) {
      // Plain text to the API server: it is istiod that cannot decode it.
      if (minimum === undefined && place.context.strictness === 'strict') return undefined;
      place.report(
        BadDuration,
        node,
        {},
        { refusedBy: 'schema', label: 'not a duration such as 1.5s, 100ms or 1m30s' },
      );
      return undefined;
    }
    if (minimum !== undefined && value < minimum) {
      place.report(
        ShortDuration,
        node,
        { value: JSON.stringify(text) },
        { refusedBy: 'schema', label: 'at least 1ms' },
      );
      return undefined;
    }
    return value;
  });
}

/** At least 1ms; milliseconds. */
export const duration: OptionalType<number> = durationType('duration', 1);
/** Any duration, zero included; milliseconds. */
export const plainDuration: OptionalType<number> = durationType('duration', undefined);

/** RFC 3339; milliseconds since the epoch. */
export const timestamp: OptionalType<number> = scalarType<number>('timestamp', undefined, (node, place) => {
  const text = readText(node, place);
  if (text === undefined) return undefined;
  const value = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[-+]\d\d:\d\d)$/.test(text) ? Date.parse(text) : Number.NaN;
  if (!Number.isNaN(value)) return value;
  place.report(BadTimestamp, node, {}, { refusedBy: 'strict' });
  return undefined;
});

/** A port number or the name of one. */
export const intOrString: OptionalType<number | string> = scalarType<number | string>(
  'int-or-string',
  undefined,
  (node, place) => {
    if (node.kind === 'scalar' && typeof node.value === 'string') return node.value;
    return readInteger(node, place, INT32, 'int32');
  },
);

const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

/** Base64 in the file, one character per byte in the model. Messages never show the text: it may be a key. */
export const bytes: OptionalType<string> = scalarType<string>('bytes', undefined, (node, place) => {
  const text = readText(node, place);
  if (text === undefined) return undefined;
  const compact = text.replaceAll(/[\r\n]/g, '');
  if (BASE64.test(compact)) return Buffer.from(compact, 'base64').toString('latin1');
  place.report(BadBase64, node, { offset: illegalByte(compact) }, { refusedBy: 'strict', label: 'not base64' });
  return undefined;
});

function illegalByte(text: string): number {
  const at = text.search(/[^A-Za-z0-9+/]/);
  return at === -1 ? text.length : at;
}

/** Whatever is written, unread. */
export const anything: OptionalType<unknown> = scalarType<unknown>('any', undefined, (node) => toPlain(node));

/** How many items the schema allows, both included. */
export interface ItemLimits {
  readonly atLeast?: number;
  readonly atMost?: number;
}

/** Absent is the empty list. Items that cannot be read are reported and left out. */
export function list<T>(item: ValueType<T>, limits: ItemLimits = {}): ValueType<readonly T[], true> {
  const { atLeast = 0, atMost = Number.POSITIVE_INFINITY } = limits;
  return {
    name: `list<${item.name}>`,
    absent: [],
    zeroIsAbsent: false,
    ...(item.inner === undefined ? {} : { inner: item.inner }),
    read(node, place) {
      if (node.kind !== 'list') return reportWrongType(node, place, 'array');
      const count = node.items.length;
      if (count > atMost) place.report(TooManyItems, node, { count, maximum: atMost }, { refusedBy: 'schema' });
      if (count < atLeast) place.report(TooFewItems, node, { count, minimum: atLeast }, { refusedBy: 'schema' });
      const values: T[] = [];
      for (const [index, child] of node.items.entries()) {
        const value = item.read(child, place.child(index));
        if (value !== undefined) values.push(value);
      }
      return values;
    },
  };
}

/** How many entries the schema allows. */
export interface EntryLimits {
  readonly atMost?: number;
}

/** Keys are free; an entry with a null value counts as absent, as the API server drops it (spec validation.md §8.1). */
export function mapOf<T>(value: ValueType<T>, limits: EntryLimits = {}): ValueType<Readonly<Record<string, T>>, true> {
  const { atMost = Number.POSITIVE_INFINITY } = limits;
  return {
    name: `map<string, ${value.name}>`,
    absent: {},
    zeroIsAbsent: false,
    ...(value.inner === undefined ? {} : { inner: value.inner }),
    read(node, place) {
      if (node.kind !== 'map') return reportWrongType(node, place, 'object');
      const entries: [string, T][] = [];
      for (const entry of node.entries) {
        if (entry.value.kind === 'scalar' && entry.value.value === null) continue;
        const read = value.read(entry.value, place.child(entry.key));
        if (read !== undefined) entries.push([entry.key, read]);
      }
      const count = node.entries.length;
      if (count > atMost) place.report(TooManyItems, node, { count, maximum: atMost }, { refusedBy: 'schema' });
      // Not by assignment: a key named __proto__ is an ordinary key.
      return Object.fromEntries(entries);
    },
  };
}

/** A map as pairs in written order. */
export function pairsOf<T>(value: ValueType<T>): ValueType<readonly (readonly [string, T])[], true> {
  return { ...converted(mapOf(value), (map) => Object.entries(map)), absent: [] };
}

/** The same on the outside, another shape in the model. `undefined` from `convert`: it reported something. */
export function converted<A, B>(
  type: ValueType<A>,
  convert: (value: A, node: YamlNode, place: Place) => B | undefined,
): OptionalType<B> {
  return {
    name: type.name,
    absent: undefined,
    zeroIsAbsent: false,
    ...(type.inner === undefined ? {} : { inner: type.inner }),
    read(node, place) {
      const value = type.read(node, place);
      return value === undefined ? undefined : convert(value, node, place);
    },
  };
}
