// One door to the webhook for table tests: a spec as YAML in, texts out.
import t from 'tap';
import { askWebhook } from '../../../src/config/validate/webhook.js';
import { parseYaml } from '../../../src/config/yaml/parse.js';

/** Errors in order; warnings follow, each with `W ` in front. */
export function said(
  kind: string,
  spec: string,
  metadata = '{name: x}',
  group = 'networking.istio.io',
): readonly string[] {
  const text = `apiVersion: ${group}/v1\nkind: ${kind}\nmetadata: ${metadata}\nspec: ${spec}\n`;
  const document = parseYaml(text)[0];
  if (document?.root === undefined) throw new Error(`not YAML: ${text} ${JSON.stringify(document?.problems)}`);
  const answer = askWebhook(group, kind, document.root, 'default');
  if (answer === undefined) throw new Error(`nobody is asked about ${kind}`);
  const inside = [...answer.errors, ...answer.warnings].every(
    ({ span }) => span.start >= 0 && span.end >= span.start && span.end <= text.length,
  );
  if (!inside) throw new Error(`a place outside of ${text}`);
  return [...answer.errors.map((error) => error.text), ...answer.warnings.map((warning) => `W ${warning.text}`)];
}

/** `[fragment, texts…]`: what is said of each; nothing: accepted in silence. */
export type Rows = readonly (readonly [fragment: string, ...texts: string[]])[];

/** Checks every row of a table. `spec` puts a fragment into a spec that is otherwise right. */
export function checkRows(name: string, kind: string, spec: (fragment: string) => string, rows: Rows): void {
  t.test(name, async (t) => {
    for (const [fragment, ...texts] of rows) t.same(said(kind, spec(fragment)), texts, fragment);
  });
}
