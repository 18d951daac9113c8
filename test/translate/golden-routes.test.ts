// Route tables of every recorded case against what istiod sent to the real gateway, field by field.
import { differences } from '../support/differences.js';
import { checkRecordedSnapshots } from '../support/golden-translation.js';

interface Table {
  readonly name: string;
}

// These two name their VirtualService `n` without quotes, which is a boolean in Kubernetes' YAML: kubectl refuses it, the
// recorder's istiod called it "false", and postern takes it at its word and warns (PST0109).
const NAMED_N = ['http.8080.virtual_hosts[0].routes[0].decorator.operation: got "n:80/admin*", want "false:80/admin*"'];
const KNOWN_DIFFERENCES: ReadonlyMap<string, readonly string[]> = new Map([
  ['routing/path-normalization-decode', NAMED_N],
  ['routing/path-normalization-none', NAMED_N],
]);

checkRecordedSnapshots<{ readonly routes: readonly Table[] }>(
  'routes',
  ({ routes }, want) => differences(byName(routes), byName(want.routes)),
  KNOWN_DIFFERENCES,
);

// Tables come in the order of their subscriptions, query parameters of one match in that of a Go map.
function byName(tables: readonly Table[]): unknown {
  return Object.fromEntries(tables.map((table) => [table.name, withSortedQuery(table)]));
}

function withSortedQuery(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withSortedQuery);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, member]) => [
      key,
      key === 'query_parameters' && Array.isArray(member)
        ? member.map((entry: unknown) => JSON.stringify(entry)).sort()
        : withSortedQuery(member),
    ]),
  );
}
