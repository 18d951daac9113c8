// `postern bench` as a user starts it, in short: what it measures is looked at, never how fast it was. Every kind of traffic
// is in bench.verify.test.ts.
import { readFile } from 'node:fs/promises';
import t, { type Test } from 'tap';
import { runToEnd } from '../support/postern.js';

interface Bench {
  readonly rows: readonly { readonly name: string; readonly median: number }[];
  readonly traffic?: unknown;
}

async function bench(t: Test, args: readonly string[], input?: string): Promise<Bench> {
  const options = input === undefined ? {} : { input };
  const { code, stdout, stderr } = await runToEnd(['bench', ...args, '-o', 'json'], options);
  t.equal(code, 0, stderr);
  return JSON.parse(stdout) as Bench;
}

t.test('from standard input, as a table; what the user has mapped is not ours to speak for', async (t) => {
  const input = await readFile('examples/passthrough/istio/passthrough.yaml', 'utf8');
  const mapped = 'payments.shop.svc.cluster.local=127.0.0.1:9';
  const { code, stdout, stderr } = await runToEnd(['bench', '-', '--seconds', '0.5', '--upstream', mapped], { input });
  t.equal(code, 0, stderr);
  for (const text of [
    /^load, check and translate +\d+ ms$/m,
    /^passthrough connections +1 +\d+ /m,
    /^where the time goes +passed on$/m,
    /^not measured\n {2}payments\.example\.com:8443: /m,
  ])
    t.match(stdout, text);
});

t.test('without sockets', async (t) => {
  const { rows, traffic } = await bench(t, ['examples/passthrough/istio', '--seconds', '0']);
  t.ok(rows.length > 3);
  t.equal(traffic, undefined);
});

t.test('what is wrong is said before anything is measured', async (t) => {
  const wrong = 'apiVersion: networking.istio.io/v1\nkind: Gateway\nmetadata: { name: a }\nspec: { servers: 5 }\n';
  const bad = await runToEnd(['bench', '-'], { input: wrong });
  t.equal(bad.code, 65);
  t.match(bad.stderr, 'error');
  t.equal(bad.stdout, '');
  t.equal((await runToEnd(['bench', 'no-such-folder'])).code, 66);
  t.equal((await runToEnd(['bench', 'examples/passthrough/istio', '--seconds', 'soon'])).code, 64);
});
