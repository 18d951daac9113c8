// Messages: objects with named fields, declared as a table whose rows are checked against the model's types by the
// compiler. A row says how the field is read and how far postern carries it out.
import {
  AllOfViolation,
  FieldNotEmulated,
  OneOfViolation,
  RequiredValue,
  UnknownField,
  UnknownMeshField,
} from '../../diagnostics/catalogue.js';
import type { YamlEntry, YamlMap, YamlNode } from '../yaml/tree.js';
import type { Place } from './place.js';
import {
  closest,
  type FieldRow,
  type FieldStatus,
  type OptionalType,
  reportWrongType,
  type ValueType,
} from './value-type.js';

/** One field of a message: `A` is true when the model always has a value for it. */
export interface Row<T, A extends boolean = boolean> extends FieldRow {
  readonly type: ValueType<T>;
  /** Value when nothing is written. */
  readonly fallback: (A extends true ? T : undefined) | undefined;
  /** Of a field that is not emulated: the value that asks for nothing special, and is not warned about. */
  readonly harmless?: string | boolean;
  /** An absent message is read as an empty one; what that lacks is demanded by nobody. */
  readonly implied: boolean;
  readonly always: A;
}

/** Every property of the model type, with a row that yields it; a property that is not optional has a value always. */
export type Rows<T> = {
  readonly [K in keyof T]-?: object extends Pick<T, K> ? Row<Exclude<T[K], undefined>> : Row<T[K], true>;
};

/** Makes a row; what `presence` says decides whether the model always has a value. */
export interface RowBuilder {
  /** Absent is `undefined`, or the type's own empty value. */
  <T, A extends boolean>(type: ValueType<T, A>): Row<T, A>;
  <T>(type: ValueType<T>, presence: 'required' | 'implied'): Row<T, true>;
  <T>(type: ValueType<T>, presence: { readonly otherwise: T }): Row<T, true>;
}

/** Makes a row that is not carried out; `note` says why, for the table of fields and the list of deviations. */
export interface NotedRowBuilder {
  <T, A extends boolean>(type: ValueType<T, A>, note: string): Row<T, A>;
  <T>(type: ValueType<T>, note: string, presence: { readonly otherwise: T }): Row<T, true>;
}

type Presence = 'required' | 'implied' | { readonly otherwise: unknown } | undefined;

function createRow(status: FieldStatus, note: string, type: ValueType<unknown>, presence: Presence): Row<unknown> {
  return {
    status,
    note,
    type,
    required: presence === 'required',
    implied: presence === 'implied',
    fallback: typeof presence === 'object' ? presence.otherwise : presence === undefined ? type.absent : undefined,
    always: presence !== undefined || type.absent !== undefined,
  };
}

function notedRowBuilder(status: FieldStatus): NotedRowBuilder {
  const build = (type: ValueType<unknown>, note: string, presence?: Presence): Row<unknown> =>
    createRow(status, note, type, presence);
  return build as NotedRowBuilder;
}

/** The field does here what it does in Istio. A probe in test/config/field-probes shows what. */
export const emulated: RowBuilder = ((type: ValueType<unknown>, presence?: Presence) =>
  createRow('emulated', '', type, presence)) as RowBuilder;
/** Neither Istio's ingress gateway nor postern does anything with it; writing it is no cause for a word. */
export const noEffect: NotedRowBuilder = notedRowBuilder('no effect here');
/** istiod's webhook refuses it in the words of `note`, whatever its value; `validate/` says so. */
export const refused: NotedRowBuilder = notedRowBuilder('refused');
/** Istio would act on it and postern does not: writing it is warned about. */
export const notEmulated: NotedRowBuilder = notedRowBuilder('not emulated');

/** Not emulated, except that this value (usually the default) is what happens here too. */
export function notEmulatedUnless<T extends string | boolean>(
  harmless: T,
  type: OptionalType<T>,
  note: string,
): Row<T, false> {
  return { ...notEmulated(type, note), harmless };
}

/** What a table of rows cannot say. */
export interface MessageOptions<T> {
  /** Fields of the API that the model does not carry. */
  readonly others?: Readonly<Record<string, Row<unknown>>>;
  /** Groups of which at most one member may be written (spec validation.md §7.1). */
  readonly oneOf?: readonly (readonly string[])[];
  /** Unlisted fields are passed over: Kubernetes' own kinds of which istiod reads a fraction. */
  readonly open?: boolean;
  /** What no row can say. Called with every value, reports for itself; `undefined` drops the value. */
  readonly check?: (value: T, node: YamlMap, place: Place) => void;
}

/** A message type whose value is `T`. */
export function message<T extends object>(
  name: string,
  rows: Rows<T>,
  options: MessageOptions<T> = {},
): OptionalType<T> {
  const table: ReadonlyMap<string, Row<unknown>> = new Map<string, Row<unknown>>([
    ...Object.entries(options.others ?? {}),
    ...Object.entries<Row<unknown>>(rows),
  ]);
  const carried: ReadonlySet<string> = new Set(Object.keys(rows));
  const demanding = [...table].filter(([, row]) => row.required || row.implied || row.fallback !== undefined);
  return {
    name,
    absent: undefined,
    zeroIsAbsent: false,
    inner: { name, rows: table },
    read(node, place) {
      if (node.kind !== 'map') return reportWrongType(node, place, 'object');
      const value: Record<string, unknown> = {};
      let complete = true;
      const written = new Set<string>();
      for (const entry of node.entries) {
        if (entry.value.kind === 'scalar' && entry.value.value === null) {
          if (!table.has(entry.key)) readUnknown(entry, table, options, place);
          continue;
        }
        const found = findRow(entry.key, table, place);
        if (found === undefined) {
          readUnknown(entry, table, options, place);
          continue;
        }
        const [key, row] = found;
        written.add(key);
        const inside = place.child(key);
        const read = row.type.read(entry.value, inside);
        if (row.status === 'not emulated' && !isHarmless(row, entry.value)) reportNotEmulated(entry, inside);
        if (read === undefined) complete &&= !(row.always && row.fallback === undefined);
        else if (carried.has(key) && !(row.type.zeroIsAbsent && !row.always && isZero(read))) value[key] = read;
      }
      for (const [key, row] of demanding) {
        if (value[key] !== undefined || (written.has(key) && row.fallback === undefined)) continue;
        const fallback = row.fallback ?? readAbsent(row, node, place.child(key));
        if (fallback === undefined) complete = false;
        else if (carried.has(key)) value[key] = fallback;
      }
      checkGroups(options.oneOf ?? [], written, node, place);
      if (!complete) return undefined;
      // The compiler has compared the rows with T; here is the one place where that knowledge is used.
      const result = value as T;
      options.check?.(result, node, place);
      return result;
    },
  };
}

function findRow(
  key: string,
  table: ReadonlyMap<string, Row<unknown>>,
  place: Place,
): readonly [string, Row<unknown>] | undefined {
  const row = table.get(key);
  if (row !== undefined) return [key, row];
  if (place.context.strictness === 'strict' || !key.includes('_')) return undefined;
  const camel = key.replaceAll(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
  const renamed = table.get(camel);
  return renamed === undefined ? undefined : [camel, renamed];
}

function readUnknown(
  entry: YamlEntry,
  table: ReadonlyMap<string, Row<unknown>>,
  options: { readonly open?: boolean },
  place: Place,
): void {
  if (options.open === true) return;
  const meant = closest(entry.key, table.keys());
  const label = meant === undefined ? 'no such field' : `did you mean ${meant}?`;
  const inside = place.child(entry.key);
  if (place.context.strictness === 'lenient') inside.report(UnknownMeshField, entry.keySpan, {}, { label });
  else inside.report(UnknownField, entry.keySpan, {}, { label, refusedBy: 'strict' });
}

/** Zero values and empty messages are what an absent field is; servers that write objects out in full write them too. */
function isHarmless(row: Row<unknown>, node: YamlNode): boolean {
  switch (node.kind) {
    case 'map':
      return node.entries.length === 0;
    case 'list':
      return node.items.length === 0;
    case 'scalar':
      return row.harmless === undefined ? isZero(node.value) : node.value === row.harmless;
  }
}

function reportNotEmulated(entry: YamlEntry, place: Place): void {
  place.report(FieldNotEmulated, entry.keySpan, {}, { label: 'has no effect here' });
}

function readAbsent(row: Row<unknown>, parent: YamlMap, place: Place): unknown {
  if (row.implied) {
    const empty: YamlMap = { kind: 'map', entries: [], start: parent.start, end: parent.end };
    return row.type.read(empty, place.silent());
  }
  place.report(RequiredValue, parent, {}, { refusedBy: 'schema', label: `${lastKey(place)} is missing here` });
  return undefined;
}

function lastKey(place: Place): string {
  return String(place.path().at(-1) ?? '');
}

function isZero(value: unknown): boolean {
  if (value === '' || value === 0 || value === false) return true;
  return typeof value === 'object' && value !== null && Object.keys(value).length === 0;
}

function checkGroups(
  groups: readonly (readonly string[])[],
  written: ReadonlySet<string>,
  node: YamlMap,
  place: Place,
): void {
  const broken = groups.filter((group) => checkOneOf(group, written, node, place));
  // Two groups stand under an allOf in the schema, which then fails too.
  if (broken.length > 0 && groups.length > 1) place.report(AllOfViolation, node, {}, { refusedBy: 'schema' });
}

/** True when more than one member is written. */
function checkOneOf(group: readonly string[], written: ReadonlySet<string>, node: YamlMap, place: Place): boolean {
  const members = group.filter((member) => written.has(member));
  if (members.length < 2) return false;
  const second = node.entries.find((entry) => entry.key === members[1]);
  const span = second === undefined ? node : second.keySpan;
  place.report(
    OneOfViolation,
    span,
    { count: members.length },
    { refusedBy: 'schema', label: `only one of ${members.join(', ')} may be set` },
  );
  return true;
}
