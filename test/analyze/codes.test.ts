// Catalogue, pages and examples are in step: every code has a page, every page a code, and every example gives its code.
import t from 'tap';
import * as catalogue from '../../src/diagnostics/catalogue.js';
import { CODE_PAGES } from '../../src/diagnostics/pages/index.js';
import { AnalysisSession } from '../../src/gateway/analysis.js';
import { ConfigError } from '../../src/gateway/compile.js';
import { loadConfig } from '../../src/gateway.js';

const codes = new Set(Object.values(catalogue).map(({ code }) => code));

t.test('every code has a page, and every page a code', async (t) => {
  t.same(
    [...codes].filter((code) => CODE_PAGES[code] === undefined),
    [],
    'codes without a page',
  );
  t.same(
    Object.keys(CODE_PAGES).filter((code) => !codes.has(code)),
    [],
    'pages without a code',
  );
  for (const [code, page] of Object.entries(CODE_PAGES)) {
    t.ok(page.fix.length > 5, `${code} says how to fix it`);
    t.ok(page.example !== undefined || page.shownBy !== undefined, `${code} has an example, or says who gives it`);
  }
});

t.test('every example gives its code', async (t) => {
  for (const [code, page] of Object.entries(CODE_PAGES)) {
    const { example, shownAs } = page;
    if (example === undefined || page.shownBy !== undefined) continue;
    const source = { file: 'example.yaml', text: example, named: true };
    const { diagnostics } = await new AnalysisSession().analyze([source], {});
    const said = diagnostics.map((diagnostic) => diagnostic.code);
    t.ok(said.includes(shownAs ?? code), `${code}: analyze says ${said.join(' ')}`);
    if (shownAs !== undefined) {
      t.notOk(said.includes(code), `${code} is said as ${shownAs} only`);
      t.ok((await compiled(example)).includes(code), `${code} is what run says`);
    }
  }
});

async function compiled(yaml: string): Promise<readonly string[]> {
  try {
    return (await loadConfig({ config: [{ yaml }] })).diagnostics.map(({ code }) => code);
  } catch (error) {
    if (error instanceof ConfigError) return error.diagnostics.map(({ code }) => code);
    throw error;
  }
}
