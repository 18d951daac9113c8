// Localities `region/zone/subzone` of one list: none may lie in another. Spec validation.md §5; Istio:
// pkg/config/validation/agent/validation.go validateLocalities.
import type { Findings } from './findings.js';
import type { WrittenText } from './written.js';

/** What has been said of a region or zone: all of it, or parts by name. */
type Level = 'all' | Map<string, Level>;

/** The first locality that is wrong ends the list. */
export function validateLocalities(localities: readonly WrittenText[], found: Findings): void {
  const regions = new Map<string, Level>();
  for (const { value, span } of localities) {
    const problem = problemOf(value, regions);
    if (problem === undefined) continue;
    found.error(`locality ${value} ${problem}`, span);
    return;
  }
}

const OVERLAP = 'overlap with previous specified ones';

function problemOf(locality: string, regions: Map<string, Level>): string | undefined {
  const stars = locality.split('*').length - 1;
  if (stars > 1 || (stars === 1 && !locality.endsWith('*'))) {
    return "wildcard '*' number can not exceed 1 and must be in the end";
  }
  if (regions.has('*')) return OVERLAP;
  const parts = splitLocality(locality);
  if (parts.includes('')) return 'must not contain empty region/zone/subzone info';
  let level = regions;
  for (const [index, part] of parts.entries()) {
    const inner = level.get(part);
    if (index === parts.length - 1) {
      if (inner !== undefined) return OVERLAP;
      level.set(part, 'all');
      return undefined;
    }
    if (inner === 'all' || inner?.has('*') === true) return OVERLAP;
    if (inner !== undefined) level = inner;
    else {
      const made = new Map<string, Level>();
      level.set(part, made);
      level = made;
    }
  }
  return undefined;
}

/** At most three parts; further slashes belong to the subzone. */
function splitLocality(locality: string): readonly string[] {
  const [region = '', zone, ...rest] = locality.split('/');
  if (zone === undefined) return [region];
  return rest.length === 0 ? [region, zone] : [region, zone, rest.join('/')];
}
