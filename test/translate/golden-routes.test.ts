// Route tables of every recorded case against what istiod sent to the real gateway, field by field.
import { existsSync } from 'node:fs';
import path from 'node:path';
import t from 'tap';
import { publishSnapshot } from '../../src/translate/published.js';
import { caseDirectories, goldenAreas, loadCase } from '../golden/support.js';
import { differences } from '../support/differences.js';
import { translateCase } from '../support/golden-translation.js';

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

for (const area of goldenAreas()) {
  t.test(area, (t) => {
    let cases = 0;
    let agreed = 0;
    for (const directory of caseDirectories(area)) {
      // One recording holds no dump.
      if (!existsSync(path.join(directory, 'xds.json'))) continue;
      const golden = loadCase(directory);
      const want = golden.readXds() as { readonly routes: readonly Table[] };
      const { routes } = publishSnapshot(translateCase(golden).snapshot);
      const found = differences(byName(routes), byName(want.routes));
      cases += 1;
      if (found.length === 0) agreed += 1;
      t.same(found, KNOWN_DIFFERENCES.get(golden.id) ?? [], golden.id);
    }
    t.comment(`${area}: ${agreed} of ${cases} cases agree in routes`);
    t.end();
  });
}

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
