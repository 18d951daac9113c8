// A snapshot on its way from the thread that compiles to the thread that serves. What has not changed is named, not sent,
// so the serving thread goes on with the very objects that it has compiled already; what is new comes in small pieces, so
// that no connection waits for a large one to be received.
import { createHash } from 'node:crypto';
import type { Diagnostic } from '../diagnostics/diagnostic.js';
import { OriginTable } from '../diagnostics/origin.js';
import type { Snapshot } from '../xds/index.js';

/** Where each part of the new snapshot comes from. */
export interface SnapshotDelta {
  /** The snapshot without its parts: the lists that they stand in are empty. */
  readonly shell: Snapshot;
  /** Filter chains of each listener and virtual hosts of each route table: how many parts each takes. */
  readonly counts: readonly number[];
  readonly clusterCount: number;
  readonly endpointNames: readonly string[];
  readonly secretNames: readonly string[];
  /** Per part: its number in the snapshot before, or -1 = the next one of the pieces. */
  readonly order: Int32Array;
}

/** Parts in one message: received in about a millisecond. */
const PIECE = 100;

/** The parts of a snapshot, in one order: chains by listener, virtual hosts by table, clusters, endpoints, secrets. */
function partsOf(snapshot: Snapshot): object[] {
  const parts: object[] = [];
  for (const { listener } of snapshot.listeners) parts.push(...(listener?.filter_chains ?? []));
  for (const table of snapshot.routes) parts.push(...table.virtual_hosts);
  parts.push(...snapshot.clusters);
  parts.push(...Object.values(snapshot.endpoints));
  parts.push(...Object.values(snapshot.secrets));
  return parts;
}

function shellOf(snapshot: Snapshot): Snapshot {
  return {
    ...snapshot,
    listeners: snapshot.listeners.map((entry) =>
      entry.listener === undefined ? entry : { ...entry, listener: { ...entry.listener, filter_chains: [] } },
    ),
    routes: snapshot.routes.map((table) => ({ ...table, virtual_hosts: [] })),
    clusters: [],
    endpoints: {},
    secrets: {},
  };
}

interface KnownPart {
  readonly index: number;
  readonly origins: readonly number[];
}

/** The thread that compiles: knows what the other one has. */
export class DeltaWriter {
  private known = new Map<string, KnownPart[]>();
  private nextOrigin = 0;
  private pending: { readonly known: Map<string, KnownPart[]>; readonly nextOrigin: number } | undefined = undefined;

  /** The other thread has this snapshot, whatever the origins in it. */
  adopt(snapshot: Snapshot, origins: number): void {
    this.known = new Map();
    for (const [index, part] of partsOf(snapshot).entries()) remember(this.known, part, index, originsOf(part));
    this.nextOrigin = origins;
  }

  /** The last delta has become what the other thread has. */
  commit(): void {
    if (this.pending === undefined) return;
    this.known = this.pending.known;
    this.nextOrigin = this.pending.nextOrigin;
    this.pending = undefined;
  }

  /** `pieces` are lists of parts; origins are renumbered so that parts that are not sent keep their numbers. */
  write(
    snapshot: Snapshot,
    origins: OriginTable,
  ): { readonly delta: SnapshotDelta; readonly origins: OriginTable; readonly pieces: readonly (readonly object[])[] } {
    const parts = partsOf(snapshot);
    const order = new Int32Array(parts.length);
    const left = new Map([...this.known].map(([hash, list]) => [hash, [...list].reverse()]));
    const known = new Map<string, KnownPart[]>();
    const fresh: object[] = [];
    const table: ReturnType<OriginTable['get']>[] = [];
    let nextOrigin = this.nextOrigin;
    const numberOf = (old: number): number => {
      table[nextOrigin] = origins.get(old);
      return nextOrigin++;
    };
    for (const [index, part] of parts.entries()) {
      const hash = hashOf(part);
      const ids = originsOf(part);
      const same = left.get(hash)?.pop();
      if (same === undefined || same.origins.length !== ids.length) {
        order[index] = -1;
        const renumbered = withOrigins(part, numberOf) as object;
        fresh.push(renumbered);
        rememberAs(known, hash, index, originsOf(renumbered));
        continue;
      }
      order[index] = same.index;
      for (const [at, id] of same.origins.entries()) table[id] = origins.get(ids[at]);
      rememberAs(known, hash, index, same.origins);
    }
    const shell = withOrigins(shellOf(snapshot), numberOf) as Snapshot;
    this.pending = { known, nextOrigin };
    const pieces: object[][] = [];
    for (let at = 0; at < fresh.length; at += PIECE) pieces.push(fresh.slice(at, at + PIECE));
    return {
      delta: {
        shell,
        counts: [
          ...snapshot.listeners.map(({ listener }) => listener?.filter_chains.length ?? 0),
          ...snapshot.routes.map((table) => table.virtual_hosts.length),
        ],
        clusterCount: snapshot.clusters.length,
        endpointNames: Object.keys(snapshot.endpoints),
        secretNames: Object.keys(snapshot.secrets),
        order,
      },
      origins: new OriginTable(Array.from({ length: nextOrigin }, (_, id) => table[id])),
      pieces,
    };
  }
}

/** The thread that serves: the new snapshot from the one before and all the pieces. */
export function readDelta(delta: SnapshotDelta, pieces: readonly object[], before: Snapshot | undefined): Snapshot {
  const old = before === undefined ? [] : partsOf(before);
  let piece = 0;
  let at = 0;
  const next = (): object => {
    const from = delta.order[at++] ?? -1;
    const part = from === -1 ? pieces[piece++] : old[from];
    if (part === undefined) throw new Error('a part of the snapshot is missing');
    return part;
  };
  const take = <T>(count: number): T[] => Array.from({ length: count }, () => next() as T);
  const { shell, counts } = delta;
  let list = 0;
  const listeners = shell.listeners.map((entry) => {
    const count = counts[list++] ?? 0;
    if (entry.listener === undefined) return entry;
    return { ...entry, listener: { ...entry.listener, filter_chains: take(count) } };
  });
  const routes = shell.routes.map((table) => ({ ...table, virtual_hosts: take(counts[list++] ?? 0) }));
  return {
    ...shell,
    listeners,
    routes,
    clusters: take(delta.clusterCount),
    endpoints: Object.fromEntries(
      delta.endpointNames.map((name) => [name, next()]),
    ) as unknown as Snapshot['endpoints'],
    secrets: Object.fromEntries(delta.secretNames.map((name) => [name, next()])) as unknown as Snapshot['secrets'],
  } as Snapshot;
}

/** Diagnostics in pieces, for the same reason. */
export function piecesOf(diagnostics: readonly Diagnostic[]): readonly (readonly Diagnostic[])[] {
  const pieces: (readonly Diagnostic[])[] = [];
  for (let at = 0; at < diagnostics.length; at += PIECE) pieces.push(diagnostics.slice(at, at + PIECE));
  return pieces;
}

function remember(known: Map<string, KnownPart[]>, part: object, index: number, origins: readonly number[]): void {
  rememberAs(known, hashOf(part), index, origins);
}

function rememberAs(known: Map<string, KnownPart[]>, hash: string, index: number, origins: readonly number[]): void {
  const list = known.get(hash);
  if (list === undefined) known.set(hash, [{ index, origins }]);
  else list.push({ index, origins });
}

function hashOf(part: object): string {
  const text = JSON.stringify(part, (key, value: unknown) => (key === 'originId' ? undefined : value));
  return createHash('sha1').update(text).digest('base64');
}

/** The `originId`s of a part, in the order in which `withOrigins` meets them. */
function originsOf(part: object): readonly number[] {
  const ids: number[] = [];
  withOrigins(part, (id) => {
    ids.push(id);
    return id;
  });
  return ids;
}

function withOrigins(value: unknown, renumber: (id: number) => number): unknown {
  if (Array.isArray(value)) return value.map((member) => withOrigins(member, renumber));
  if (typeof value !== 'object' || value === null) return value;
  const copy: Record<string, unknown> = {};
  for (const [key, member] of Object.entries(value))
    copy[key] = key === 'originId' && typeof member === 'number' ? renumber(member) : withOrigins(member, renumber);
  return copy;
}
