// Fields that several kinds share, and the outermost object. Spec virtualservice.md §1.4-1.6, §1.15; validation.md §7.1.
import { NameIsBoolean } from '../../diagnostics/catalogue.js';
import { emulated, message, noEffect, type Row, type Rows } from '../decode/message.js';
import { reportEntryRule, reportRule, writtenNode } from '../decode/rule.js';
import {
  anything,
  converted,
  double,
  list,
  mapOf,
  type OptionalType,
  pairsOf,
  present,
  string,
  textUpTo,
  timestamp,
  uint32,
  type ValueType,
} from '../decode/value-type.js';
import type { Destination, HeaderOperations, Headers, Labels, Percent, StringMatch } from '../model/common.js';
import type { Kind, KindSpecs } from '../model/resource.js';
import type { YamlNode } from '../yaml/tree.js';
import { reportMetadataKeys } from './metadata-keys.js';

export const labels: ValueType<Labels, true> = mapOf(string);

/** Values of selectors: a label's value is no longer. */
const selectedValue: OptionalType<string> = textUpTo(63);

/** `{matchLabels: …}` taken down to the labels. */
export const matchLabels: OptionalType<Labels> = converted(
  message<{ readonly matchLabels: Labels }>(
    'WorkloadSelector',
    { matchLabels: emulated(mapOf(selectedValue, { atMost: 4096 })) },
    {
      check(_, node, place) {
        const written = writtenNode(node, 'matchLabels');
        if (written?.kind !== 'map') return;
        const inside = place.child('matchLabels');
        // Rules about keys are rules of the map, and told once.
        const keys = written.entries.map(({ key }) => key);
        if (keys.some((key) => key.includes('*'))) {
          reportRule(inside, written, 'wildcard not allowed in label key match');
        }
        if (keys.includes('')) reportRule(inside, written, 'key must not be empty');
        for (const { key, value } of written.entries) {
          if (value.kind === 'scalar' && String(value.value).includes('*')) {
            reportEntryRule(inside, key, value, 'wildcard not allowed in label value match');
          }
        }
      },
    },
  ),
  (selector) => selector.matchLabels,
);

export const stringMatch: OptionalType<StringMatch> = message<StringMatch>(
  'StringMatch',
  { exact: emulated(present(string)), prefix: emulated(present(string)), regex: emulated(present(string)) },
  { oneOf: [['exact', 'prefix', 'regex']] },
);

export const percent: OptionalType<Percent> = message<Percent>('Percent', {
  value: emulated(double, { otherwise: 0 }),
});

const headerOperations: OptionalType<HeaderOperations> = message<HeaderOperations>('HeaderOperations', {
  set: emulated(pairsOf(string), { otherwise: [] }),
  add: emulated(pairsOf(string), { otherwise: [] }),
  remove: emulated(list(string)),
});

export const headers: OptionalType<Headers> = message<Headers>('Headers', {
  request: emulated(headerOperations),
  response: emulated(headerOperations),
});

/** `port: {number: 80}`; empty is port 0, which istiod refuses. */
export const portSelector: OptionalType<{ readonly number: number }> = message<{ readonly number: number }>(
  'PortSelector',
  { number: emulated(uint32, { otherwise: 0 }) },
);

export function isPort(value: number): boolean {
  return value >= 1 && value <= 65535;
}

export const destination: OptionalType<Destination> = message<Destination>('Destination', {
  host: emulated(string, 'required'),
  subset: emulated(string),
  port: emulated(portSelector),
});

/** metadata as it is written; `loadConfig` adds the namespace. */
export interface WrittenMetadata {
  readonly name?: string;
  readonly namespace?: string;
  readonly labels: Labels;
  readonly annotations: Labels;
  readonly creationTimestamp?: number;
  readonly deletionTimestamp?: number;
}

// `name: n` is a boolean for kubectl. Other loaders of the same files read it as a name, and for a name there is nothing
// else it could mean, so it is taken as one and warned about.
const objectName: OptionalType<string> = {
  ...string,
  read(node, place) {
    const word = node.kind === 'scalar' ? node.word : undefined;
    if (word === undefined || !/^[yn]$/i.test(word)) return string.read(node, place);
    place.report(NameIsBoolean, node, { word }, { label: 'not quoted' });
    return word;
  },
};

const BOOKKEEPING = "the API server's bookkeeping; a gateway's configuration does not depend on it";

const metadata: OptionalType<WrittenMetadata> = message<WrittenMetadata>(
  'ObjectMeta',
  {
    name: emulated(objectName),
    namespace: emulated(objectName),
    labels: emulated(labels),
    annotations: emulated(labels),
    creationTimestamp: emulated(timestamp),
    deletionTimestamp: emulated(timestamp),
  },
  {
    others: {
      generateName: noEffect(string, 'the API server makes a name of it'),
      selfLink: noEffect(string, BOOKKEEPING),
      uid: noEffect(string, BOOKKEEPING),
      resourceVersion: noEffect(string, BOOKKEEPING),
      generation: noEffect(anything, BOOKKEEPING),
      deletionGracePeriodSeconds: noEffect(anything, BOOKKEEPING),
      ownerReferences: noEffect(anything, BOOKKEEPING),
      finalizers: noEffect(anything, BOOKKEEPING),
      managedFields: noEffect(anything, BOOKKEEPING),
    },
  },
);

/** An object as its decoder leaves it. */
export interface DecodedObject<K extends Kind = Kind> {
  readonly metadata: WrittenMetadata;
  readonly spec: KindSpecs[K];
}

/** One kind that postern reads. */
export interface KindDefinition<K extends Kind = Kind> {
  readonly kind: K;
  /** '' for the core group. */
  readonly group: string;
  /** All versions have the same fields. */
  readonly versions: readonly string[];
  readonly namespaced: boolean;
  /** The whole object. */
  readonly root: ValueType<DecodedObject<K>>;
}

interface RootObject {
  readonly metadata: WrittenMetadata;
}

/** The outermost object of a kind: its own top-level rows beside apiVersion, kind and metadata. */
export function rootObject<K extends Kind, T extends object>(
  kind: K,
  rows: Rows<T>,
  toSpec: (object: T & RootObject, node: YamlNode) => KindSpecs[K],
  others: Readonly<Record<string, Row<unknown>>> = {},
): ValueType<DecodedObject<K>> {
  const all = { ...rows, metadata: emulated(metadata, 'implied') } as Rows<T & RootObject>;
  const root = message<T & RootObject>(kind, all, {
    others: {
      apiVersion: noEffect(string, 'says which kind this is; every version has the same fields'),
      kind: noEffect(string, 'says which kind this is'),
      status: noEffect(anything, 'written by controllers, read by nobody here'),
      ...others,
    },
    check: (_, node, place) => reportMetadataKeys(kind, node, place),
  });
  return converted(root, (object, node) => ({ metadata: object.metadata, spec: toSpec(object, node) }));
}

/** A kind of Istio's: everything it says is under `spec`, which few kinds' schema demands. */
export function istioKind<K extends Kind>(
  kind: K,
  group: string,
  versions: readonly string[],
  spec: OptionalType<KindSpecs[K]>,
  presence: 'required' | 'implied' = 'implied',
): KindDefinition<K> {
  const rows: Rows<{ readonly spec: KindSpecs[K] }> = { spec: emulated(spec, presence) };
  return { kind, group, versions, namespaced: true, root: rootObject(kind, rows, (object) => object.spec) };
}
