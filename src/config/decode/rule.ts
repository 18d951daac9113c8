// Rules of the API server's schema that no type expresses (CEL). Spec validation.md §7.1, §7.2.
import { DuplicateListKey, SchemaRule } from '../../diagnostics/catalogue.js';
import { isNull, type YamlMap, type YamlNode } from '../yaml/tree.js';
import type { Place } from './place.js';

/** Reports that a value breaks a rule; the API server shows the value itself when it is a scalar. */
export function reportRule(place: Place, node: YamlNode, rule: string): void {
  reportAt(String(place), place, node, rule);
}

/** The same for a value of a map, whose path the API server writes as `labels[app]`. */
export function reportEntryRule(place: Place, key: string, node: YamlNode, rule: string): void {
  reportAt(`${place}[${key}]`, place, node, rule);
}

function reportAt(path: string, place: Place, node: YamlNode, rule: string): void {
  const text = node.kind === 'scalar' ? `${JSON.stringify(node.value)}: ${rule}` : rule;
  place.report(SchemaRule, node, { path, rule: text }, { refusedBy: 'schema' });
}

/** Reports list items whose `key` an earlier item has. */
export function reportDuplicates(list: YamlNode | undefined, key: string, place: Place): void {
  if (list?.kind !== 'list') return;
  const seen = new Set<unknown>();
  for (const [index, item] of list.items.entries()) {
    const node = item.kind === 'map' ? writtenNode(item, key) : undefined;
    if (node?.kind !== 'scalar') continue;
    if (seen.has(node.value)) {
      const value = JSON.stringify({ [key]: node.value });
      place.child(index).report(DuplicateListKey, node, { value }, { refusedBy: 'schema' });
    }
    seen.add(node.value);
  }
}

/** The node of a field that is written, nulls aside: the API server drops them before it looks. */
export function writtenNode(map: YamlMap, key: string): YamlNode | undefined {
  const node = map.entries.find((entry) => entry.key === key)?.value;
  return node === undefined || isNull(node) ? undefined : node;
}
