// Listeners and secrets of every recorded case against what istiod sent to the real gateway, field by field.
import { differences } from '../support/differences.js';
import { checkRecordedSnapshots } from '../support/golden-translation.js';

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

checkRecordedSnapshots<Xds>('listeners and secrets', ({ listeners, secrets }, want) =>
  differences(
    { listeners: settled(listeners), secrets },
    { listeners: settled(want.listeners), secrets: want.secrets },
  ),
);

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
