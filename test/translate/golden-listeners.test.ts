// Listeners and secrets of every recorded case against what istiod sent to the real gateway, field by field.
import { existsSync } from 'node:fs';
import path from 'node:path';
import t from 'tap';
import { publishSnapshot } from '../../src/translate/published.js';
import { caseDirectories, goldenAreas, loadCase } from '../golden/support.js';
import { differences } from '../support/differences.js';
import { translateCase } from '../support/golden-translation.js';

interface Entry {
  readonly name: string;
  readonly state: string;
  readonly error?: string;
  readonly listener?: unknown;
}

interface Xds {
  readonly listeners: readonly Entry[];
  readonly secrets: unknown;
}

for (const area of goldenAreas()) {
  t.test(area, (t) => {
    let cases = 0;
    let agreed = 0;
    for (const directory of caseDirectories(area)) {
      // One recording holds no dump.
      if (!existsSync(path.join(directory, 'xds.json'))) continue;
      const golden = loadCase(directory);
      const want = golden.readXds() as Xds;
      const published = publishSnapshot(translateCase(golden).snapshot);
      const found = differences(
        { listeners: settled(published.listeners), secrets: published.secrets },
        { listeners: settled(want.listeners), secrets: want.secrets },
      );
      cases += 1;
      if (found.length === 0) agreed += 1;
      t.same(found, [], golden.id);
    }
    t.comment(`${area}: ${agreed} of ${cases} cases agree in listeners and secrets`);
    t.end();
  });
}

// Three things of the dump are the moment's and not istiod's: a refused listener may stand there twice (once per
// attempt) or under the name '' that it had before Envoy had read it, and a listener that waits for its secrets is
// warming until the fetch times out; postern warms in no time.
function settled(entries: readonly Entry[]): readonly Entry[] {
  const seen = new Set<string>();
  const kept: Entry[] = [];
  for (const entry of entries) {
    if (entry.name === '' || seen.has(entry.name)) continue;
    seen.add(entry.name);
    kept.push(entry.state === 'warming' ? { ...entry, state: 'active' } : entry);
  }
  return kept;
}
