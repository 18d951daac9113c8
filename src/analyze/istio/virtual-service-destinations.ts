// Destinations of a VirtualService in the order in which the analyzers look at them: tcp, tls, http, then mirrors.
import type { WrittenObject } from '../../config/written-object.js';
import { Field } from '../field.js';
import { perObject } from '../per-object.js';

/** One destination with its place. */
export interface AnalyzedDestination {
  readonly destination: Field;
  readonly isMirror: boolean;
  readonly host: string;
  readonly subset: string;
  /** The field whose line istioctl prints; of an item of `mirrors` it knows none. */
  readonly printed: Field | undefined;
}

/** Destinations of routes. */
export const routeDestinations: (virtualService: WrittenObject) => readonly AnalyzedDestination[] =
  perObject(readRoutes);

/** Destinations of `mirror` and `mirrors`. */
export const mirrorDestinations: (virtualService: WrittenObject) => readonly AnalyzedDestination[] =
  perObject(readMirrors);

function readRoutes(virtualService: WrittenObject): readonly AnalyzedDestination[] {
  const spec = Field.of(virtualService).get('spec');
  return ['tcp', 'tls', 'http'].flatMap((section) =>
    spec
      .get(section)
      .items()
      .flatMap((rule) => rule.get('route').items())
      .map((route) => toDestination(route.get('destination'), false, true)),
  );
}

function readMirrors(virtualService: WrittenObject): readonly AnalyzedDestination[] {
  const found: AnalyzedDestination[] = [];
  for (const rule of Field.of(virtualService).get('spec', 'http').items()) {
    const mirror = rule.get('mirror');
    if (mirror.isWritten) found.push(toDestination(mirror, true, true));
    for (const item of rule.get('mirrors').items()) found.push(toDestination(item.get('destination'), true, false));
  }
  return found;
}

function toDestination(destination: Field, isMirror: boolean, isPrinted: boolean): AnalyzedDestination {
  const host = destination.get('host');
  return {
    destination,
    isMirror,
    host: host.text(),
    subset: destination.get('subset').text(),
    printed: isPrinted && host.isWritten ? host : undefined,
  };
}
