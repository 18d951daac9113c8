// What the analyzers say of the recorded files is what istioctl's said: the same codes, levels, objects and texts, in the
// same order. Codes of our own stand beside them.
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import t from 'tap';
import { AnalysisSession } from '../../src/gateway/analysis.js';
import { goldenRoot } from './support.js';

interface Recorded {
  readonly messages: readonly {
    readonly code: string;
    readonly level: string;
    readonly resource: string;
    readonly message: string;
  }[];
  readonly parseError?: string;
}

const ANALYSIS = path.join(goldenRoot(), 'analysis');

const names = readdirSync(ANALYSIS)
  .filter((file) => file.endsWith('.yaml'))
  .map((file) => file.slice(0, -'.yaml'.length));

t.ok(names.length >= 36, `${names.length} recorded files`);

for (const name of names) {
  t.test(name, async (t) => {
    const text = readFileSync(path.join(ANALYSIS, `${name}.yaml`), 'utf8');
    const recorded = JSON.parse(readFileSync(path.join(ANALYSIS, `${name}.json`), 'utf8')) as Recorded;
    const { diagnostics } = await new AnalysisSession().analyze([{ file: 'f.yaml', text, named: true }], {
      selectedNamespace: 'default',
    });
    const said = diagnostics
      .filter(({ code }) => code.startsWith('IST'))
      .map(({ code, severity, origin, message }) => `${code} ${severity} ${origin?.resource ?? ''} ${message}`);
    const wanted = recorded.messages.map(
      ({ code, level, resource, message }) => `${code} ${level.toLowerCase()} ${resource.replace(' ', '/')} ${message}`,
    );
    t.same(said, wanted);
    for (const { origin, message } of diagnostics) t.ok((origin?.line ?? 0) > 0, `a line for: ${message}`);
    if (wanted.length === 0) {
      // The recorded certificate is for another host, which is what PST1301 is there to say.
      const loud = diagnostics.filter(({ code, severity }) => severity !== 'info' && code !== 'PST1301');
      t.same(loud, [], 'what is clean gives nothing from warning on');
    }
    if (recorded.parseError !== undefined)
      t.ok(
        diagnostics.some(({ code, severity }) => code === 'PST0101' && severity === 'error'),
        'the broken document is reported',
      );
  });
}

interface Judged {
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
  readonly refusedBy: 'kind' | 'strict' | 'schema' | 'webhook' | null;
}

// Verdicts of the API server and the webhook, through the same door as the command (exit 65 or not).
t.test('who refuses an object is who refused it', async (t) => {
  const folder = path.join(goldenRoot(), 'validation');
  let judged = 0;
  for (const file of readdirSync(folder).filter((name) => name.endsWith('.yaml'))) {
    const source = { file, text: readFileSync(path.join(folder, file), 'utf8'), named: true };
    const recorded = JSON.parse(readFileSync(path.join(folder, file.replace('.yaml', '.json')), 'utf8')) as Judged[];
    const { diagnostics } = await new AnalysisSession().analyze([source], {});
    for (const { kind, namespace, name, refusedBy } of recorded) {
      const said = new Set(
        diagnostics
          .filter(({ severity, origin }) => severity === 'error' && origin?.resource === `${kind}/${namespace}/${name}`)
          .flatMap((diagnostic) => diagnostic.refusedBy ?? []),
      );
      t.same([...said], refusedBy === null ? [] : [refusedBy], `${file}: ${kind} ${name}`);
      judged++;
    }
  }
  t.ok(judged > 130, `${judged} objects`);
});
