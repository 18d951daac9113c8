// The loaded configuration: typed resources, immutable, by kind, namespace and name.
import type { MeshConfig } from './model/mesh-config.js';
import type { Kind, Resource } from './model/resource.js';
import { compareText } from './text-order.js';

/** All resources of a configuration; frozen. */
export interface Store {
  /** In the order in which Istio looks at them: creationTimestamp, then name, then namespace (spec gateway.md §2.2). */
  all<K extends Kind>(kind: K): readonly Resource<K>[];
  get<K extends Kind>(kind: K, namespace: string, name: string): Resource<K> | undefined;
  readonly mesh: MeshConfig;
}

type ByKind = { readonly [K in Kind]?: readonly Resource<K>[] };

/** A store of these resources; of two with the same kind, namespace and name the later one is kept. */
export function createStore(resources: readonly Resource[], mesh: MeshConfig = {}): Store {
  const index = new Map<string, Resource>();
  for (const resource of resources)
    index.set(keyOf(resource.kind, resource.metadata.namespace, resource.metadata.name), resource);
  const lists = new Map<Kind, Resource[]>();
  for (const resource of index.values()) {
    const list = lists.get(resource.kind);
    if (list === undefined) lists.set(resource.kind, [resource]);
    else list.push(resource);
  }
  const sorted: Record<string, readonly Resource[]> = {};
  for (const [kind, list] of lists) sorted[kind] = Object.freeze(list.sort(byAge));
  const byKind = sorted as ByKind;
  return Object.freeze({
    mesh,
    all: <K extends Kind>(kind: K): readonly Resource<K>[] => byKind[kind] ?? [],
    get: <K extends Kind>(kind: K, namespace: string, name: string): Resource<K> | undefined =>
      index.get(keyOf(kind, namespace, name)) as Resource<K> | undefined,
  });
}

function keyOf(kind: Kind, namespace: string, name: string): string {
  return `${kind}/${namespace}/${name}`;
}

function byAge(a: Resource, b: Resource): number {
  return (
    Math.floor(a.metadata.creationTimestamp / 1000) - Math.floor(b.metadata.creationTimestamp / 1000) ||
    compareText(a.metadata.name, b.metadata.name) ||
    compareText(a.metadata.namespace, b.metadata.namespace)
  );
}

const KINDS: readonly Kind[] = [
  'Gateway',
  'VirtualService',
  'DestinationRule',
  'ServiceEntry',
  'WorkloadEntry',
  'PeerAuthentication',
  'Service',
  'Pod',
  'EndpointSlice',
  'Endpoints',
  'Secret',
  'ConfigMap',
  'Namespace',
];

/** A new store with these resources laid over `store`. */
export function extendStore(store: Store, extra: readonly Resource[]): Store {
  if (extra.length === 0) return store;
  const all: Resource[] = KINDS.flatMap((kind) => store.all(kind) as readonly Resource[]);
  return createStore([...all, ...extra], store.mesh);
}

/** A new store with those resources of `store` that `keep` picks. */
export function filterStore(store: Store, keep: (resource: Resource) => boolean): Store {
  const all: Resource[] = KINDS.flatMap((kind) => store.all(kind) as readonly Resource[]);
  return createStore(all.filter(keep), store.mesh);
}
