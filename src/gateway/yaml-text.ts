// Plain data as YAML text, for what postern prints.
import { stringify } from 'yaml';

/** Block style, long lines whole, nothing shared by anchors: for people and for other programs' parsers. */
export function renderYaml(value: unknown): string {
  return stringify(value, { aliasDuplicateObjects: false, lineWidth: 0 });
}
