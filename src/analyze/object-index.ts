// The objects of a configuration by kind and name, with the gateway that is always assumed. Spec validation.md §10.3.
import type { Labels } from '../config/model/common.js';
import { SourceFile } from '../config/source-file.js';
import { compareText } from '../config/text-order.js';
import { WrittenObject } from '../config/written-object.js';
import { parseYaml } from '../config/yaml/parse.js';
import {
  AboveMaximum,
  BadBase64,
  BadDuration,
  BadTimestamp,
  FractionalInteger,
  IntegerOverflow,
  UnknownKind,
  UnsupportedValue,
  WrongType,
} from '../diagnostics/catalogue.js';
import type { Diagnostic } from '../diagnostics/diagnostic.js';
import { ANALYZED_KINDS, type AnalyzedKind } from './analyzer.js';
import { Field } from './field.js';
import { perObject } from './per-object.js';

/** Objects by kind; of two with one name the last counts. */
export interface ObjectIndex {
  all(kind: AnalyzedKind): readonly WrittenObject[];
  find(kind: AnalyzedKind, namespace: string, name: string): WrittenObject | undefined;
}

/** The emulated workload, as far as selectors see it. */
export interface AssumedGateway {
  readonly namespace: string;
  readonly labels: Labels;
}

const KIND_OF: ReadonlyMap<string, AnalyzedKind> = new Map(
  (Object.entries(ANALYZED_KINDS) as [AnalyzedKind, string][]).map(([kind, group]) => [
    `${group}/${kind === 'KubernetesGateway' ? 'Gateway' : kind}`,
    kind,
  ]),
);

/** Indexes objects and adds the Pod and the Service of the assumed gateway. */
export function indexObjects(objects: readonly WrittenObject[], gateway: AssumedGateway): ObjectIndex {
  const byName = new Map<AnalyzedKind, Map<string, WrittenObject>>();
  for (const object of [...assumedObjects(gateway), ...objects]) {
    const kind = KIND_OF.get(`${object.group}/${object.kind}`);
    if (kind === undefined || object.diagnostics.some(isUndecodable)) continue;
    let names = byName.get(kind);
    if (names === undefined) {
      names = new Map();
      byName.set(kind, names);
    }
    const name = `${object.namespace}/${object.name}`;
    names.delete(name);
    names.set(name, object);
  }
  const lists = new Map<AnalyzedKind, readonly WrittenObject[]>();
  return {
    all: (kind) => {
      let list = lists.get(kind);
      if (list === undefined) {
        list = inOrder([...(byName.get(kind)?.values() ?? [])]);
        lists.set(kind, list);
      }
      return list;
    },
    find: (kind, namespace, name) => byName.get(kind)?.get(`${namespace}/${name}`),
  };
}

const UNDECODABLE: ReadonlySet<string> = new Set(
  [UnknownKind, UnsupportedValue, FractionalInteger, IntegerOverflow, AboveMaximum, BadDuration, BadTimestamp].map(
    ({ code }) => code,
  ),
);

/** True for what istioctl's decoder cannot read either: the object is passed over (spec validation.md §8.1). */
function isUndecodable({ code, message }: Diagnostic): boolean {
  if (code === WrongType.code) return !/must be of type (integer|number): "string"|null/.test(message);
  return UNDECODABLE.has(code) || code === BadBase64.code;
}

function inOrder(objects: readonly WrittenObject[]): readonly WrittenObject[] {
  const aged = objects.map((object) => ({ object, age: ageOf(object) }));
  aged.sort(
    (a, b) =>
      a.age - b.age || compareText(a.object.name, b.object.name) || compareText(a.object.namespace, b.object.namespace),
  );
  return aged.map(({ object }) => object);
}

const ageOf: (object: WrittenObject) => number = perObject((object) => {
  const written = Field.of(object).get('metadata', 'creationTimestamp').text();
  const time = written === '' ? 0 : Date.parse(written);
  return Number.isNaN(time) ? 0 : time;
});

/** Name of the Pod that istioctl's own tests assume. */
const POD_NAME = 'istio-ingressgateway-dummypod';

/** Objects of this file are not the user's: nothing is said of them. */
const ASSUMED_FILE = '(assumed gateway)';

/** True for what was not in any file. */
export function isAssumed(object: WrittenObject): boolean {
  return object.file.name === ASSUMED_FILE;
}

function assumedObjects({ namespace, labels }: AssumedGateway): readonly WrittenObject[] {
  const ports = [80, 443, 31400, 15443].map((port) => ({ name: `p${port}`, port, targetPort: port, protocol: 'TCP' }));
  const objects = [
    { kind: 'Pod', metadata: { name: POD_NAME, namespace, labels }, spec: {} },
    { kind: 'Service', metadata: { name: 'istio-ingressgateway', namespace }, spec: { selector: labels, ports } },
  ];
  return objects.flatMap((object) => {
    const file = new SourceFile(ASSUMED_FILE, JSON.stringify(object));
    const root = parseYaml(file.text)[0]?.root;
    return root === undefined ? [] : [new WrittenObject({ kind: object.kind, group: '', root, file }, namespace, [])];
  });
}
