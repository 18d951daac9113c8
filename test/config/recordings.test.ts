// The recordings as input: every configuration loads.
import { readFileSync } from 'node:fs';
import path from 'node:path';
import t from 'tap';
import { loadConfig } from '../../src/config/load.js';
import { caseDirectories, goldenAreas, readCertificate } from '../golden/support.js';

// The recorder's loader read `name: n` as text, which kubectl would not; fields that are not emulated say so; and istiod's
// webhook would have warned.
const TOLERATED = ['PST0109', 'PST0130', 'IST0130', 'IST0131', 'IST0133'];

t.test('every recorded configuration loads', async (t) => {
  let count = 0;
  for (const area of goldenAreas()) {
    for (const directory of caseDirectories(area)) {
      const text = readFileSync(path.join(directory, 'istio.yaml'), 'utf8');
      const { diagnostics, counts } = loadConfig([{ file: 'istio.yaml', text: withCertificates(text), named: true }]);
      const unexpected = diagnostics.filter(({ code }) => !TOLERATED.includes(code));
      if (unexpected.length > 0) t.same(unexpected, [], directory);
      t.ok(counts.loaded > 0, directory);
      count++;
    }
  }
  t.ok(count >= 172, `${count} configurations`);
});

/** Some recordings name a certificate where the recorder put its text. */
function withCertificates(text: string): string {
  return text.replace(/"@([\w.-]+)"/g, (_, file: string) => Buffer.from(readCertificate(file)).toString('base64'));
}
