// What has to be looked at again after a small change. Translating thousands of objects takes longer than anybody wants
// to wait after saving one file, and an edit of a VirtualService concerns few Gateways: those that it is bound to, those
// with a host in common, those whose VirtualServices lead to the same services. What the slice says before and after the
// change, compared, is what the change did to the whole.
import { overlaps } from '../config/model/host-name.js';
import type { WrittenObject } from '../config/written-object.js';
import { ANALYZED_KINDS } from './analyzer.js';
import { Field } from './field.js';
import { expandHost } from './istio/destination-lookup.js';
import { mirrorDestinations, routeDestinations } from './istio/virtual-service-destinations.js';
import { perObject } from './per-object.js';
import { fullName, resolveName } from './selector.js';

/** Gateways and VirtualServices of a slice, by `Kind/ns/name`; objects of other kinds are all in it. */
export type Slice = ReadonlySet<string>;

/** The difference between two states of the files. */
export interface ChangedObjects {
  /** Other text, or on other lines, or there in one state only: names of VirtualServices and Gateways. */
  readonly names: ReadonlySet<string>;
  /** Objects of other kinds that merely stand on other lines: name to number of lines down. */
  readonly shifts: ReadonlyMap<string, number>;
}

/** More changed VirtualServices than this are looked at together with everything else. */
const FEW = 100;

/**
 * Compares two states; `undefined` when something else than a few VirtualServices has changed, so that everything has to
 * be looked at.
 */
export function compareObjects(
  before: readonly WrittenObject[],
  after: readonly WrittenObject[],
): ChangedObjects | undefined {
  const old = new Map(before.map((object) => [object.resource, object]));
  const names = new Set<string>();
  const shifts = new Map<string, number>();
  // The last of two objects with one name counts; which one that is must not change either.
  if (old.size !== before.length) return undefined;
  const seen = new Set<string>();
  for (const object of after) {
    const { resource } = object;
    if (seen.has(resource)) return undefined;
    seen.add(resource);
    const earlier = old.get(resource);
    if (earlier === object) continue;
    const shift = earlier === undefined ? undefined : shiftOf(earlier, object);
    if (shift === 0) continue;
    if (isRouting(object) && shift !== undefined) names.add(resource);
    else if (shift !== undefined) shifts.set(resource, shift);
    else if (!isOpenToEdits(object) || (earlier !== undefined && !isOpenToEdits(earlier))) return undefined;
    else names.add(resource);
  }
  for (const [resource, object] of old) {
    if (seen.has(resource)) continue;
    if (!isOpenToEdits(object)) return undefined;
    names.add(resource);
  }
  return names.size > FEW ? undefined : { names, shifts };
}

/** Lines that an object with the same text has moved; `undefined` for another text. */
function shiftOf(earlier: WrittenObject, object: WrittenObject): number | undefined {
  if (earlier.file.name !== object.file.name || textOf(earlier) !== textOf(object)) return undefined;
  const [from, to] = [earlier.origin(earlier.root), object.origin(object.root)];
  return from.column === to.column ? to.line - from.line : undefined;
}

const textOf: (object: WrittenObject) => string = perObject(({ file, root }) => file.text.slice(root.start, root.end));

/** A Gateway or a VirtualService. */
function isRouting({ kind, group }: WrittenObject): boolean {
  return (kind === 'Gateway' || kind === 'VirtualService') && group === ANALYZED_KINDS.Gateway;
}

/** A VirtualService whose routes are HTTP: those of tls and tcp decide about filter chains that all Gateways share. */
function isOpenToEdits(object: WrittenObject): boolean {
  if (object.kind !== 'VirtualService' || object.group !== ANALYZED_KINDS.VirtualService) return false;
  const spec = Field.of(object).get('spec');
  return spec.get('tls').items().length === 0 && spec.get('tcp').items().length === 0;
}

interface Binding {
  readonly gateways: readonly string[];
  readonly hosts: readonly string[];
  readonly destinations: readonly string[];
  readonly delegates: readonly string[];
}

const bindingOf: (virtualService: WrittenObject) => Binding = perObject((virtualService) => {
  const { namespace } = virtualService;
  const spec = Field.of(virtualService).get('spec');
  return {
    gateways: spec
      .get('gateways')
      .texts()
      .map((written) => fullName(resolveName(namespace, written))),
    hosts: spec.get('hosts').texts(),
    destinations: [...routeDestinations(virtualService), ...mirrorDestinations(virtualService)].map(({ host }) =>
      expandHost(namespace, host),
    ),
    delegates: spec
      .get('http')
      .items()
      .map((rule) => rule.get('delegate'))
      .filter((delegate) => delegate.isWritten)
      .map((delegate) => `${delegate.get('namespace').text() || namespace}/${delegate.get('name').text()}`),
  };
});

const serverHosts: (gateway: WrittenObject) => readonly string[] = perObject((gateway) =>
  Field.of(gateway)
    .get('spec', 'servers')
    .items()
    .flatMap((server) => server.get('hosts').texts())
    .map((host) => host.slice(host.indexOf('/') + 1)),
);

/** What the changed objects may have to do with, in either state. */
export function sliceAround({ names }: ChangedObjects, ...states: readonly (readonly WrittenObject[])[]): Slice {
  const gateways = new Set<string>();
  const hosts = new Set<string>();
  const destinations = new Set<string>();
  const all = new Set(states.flat().filter(isRouting));
  for (const object of all) {
    if (!names.has(object.resource)) continue;
    if (object.kind === 'Gateway') {
      gateways.add(fullName(object));
      continue;
    }
    const binding = bindingOf(object);
    for (const gateway of binding.gateways) gateways.add(gateway);
    for (const host of binding.hosts) hosts.add(host);
    for (const destination of binding.destinations) destinations.add(destination);
  }
  const changedNames = new Set([...names].map((resource) => resource.slice(resource.indexOf('/') + 1)));
  for (const object of all) {
    if (object.kind === 'Gateway') {
      if (serverHosts(object).some((host) => anyOverlaps(hosts, host))) gateways.add(fullName(object));
      continue;
    }
    const binding = bindingOf(object);
    const isConcerned =
      binding.destinations.some((destination) => destinations.has(destination)) ||
      binding.delegates.some((delegate) => changedNames.has(delegate));
    if (isConcerned) for (const gateway of binding.gateways) gateways.add(gateway);
  }
  const slice = new Set<string>(names);
  for (const object of all) {
    const isIn =
      object.kind === 'Gateway'
        ? gateways.has(fullName(object))
        : bindingOf(object).hosts.length === 0 || bindingOf(object).gateways.some((gateway) => gateways.has(gateway));
    if (isIn) slice.add(object.resource);
  }
  return slice;
}

function anyOverlaps(hosts: ReadonlySet<string>, host: string): boolean {
  if (!host.startsWith('*') && hosts.has(host)) return true;
  for (const candidate of hosts) if (overlaps(candidate, host)) return true;
  return false;
}

/** True for what is in the slice, or of a kind that is looked at whole. */
export function isInSlice(slice: Slice, kind: string, resource: string): boolean {
  return (kind !== 'Gateway' && kind !== 'VirtualService') || slice.has(resource);
}
