// `postern bench` as a user starts it, in short: what it measures is looked at, never how fast it was.
import { readFile } from 'node:fs/promises';
import t, { type Test } from 'tap';
import { runToEnd } from '../support/postern.js';

interface Bench {
  readonly rows: readonly { readonly name: string; readonly median: number }[];
  readonly traffic?: {
    readonly rows: readonly {
      readonly name: string;
      readonly subjects: number;
      readonly rate: { readonly median: number };
      readonly errors: number;
      readonly places: readonly { readonly place: string; readonly share: number }[];
    }[];
    readonly skipped: readonly string[];
  };
}

const MUTUAL = `apiVersion: networking.istio.io/v1
kind: Gateway
metadata: { name: edge, namespace: istio-system }
spec:
  selector: { istio: ingressgateway }
  servers:
  - port: { number: 443, name: https, protocol: HTTPS }
    tls: { mode: MUTUAL, credentialName: server }
    hosts: [mutual.example.com]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: web, namespace: istio-system }
spec:
  hosts: [mutual.example.com]
  gateways: [edge]
  http: [{ directResponse: { status: 200 } }]
`;

async function bench(t: Test, args: readonly string[], input?: string): Promise<Bench> {
  const options = input === undefined ? {} : { input };
  const { code, stdout, stderr } = await runToEnd(['bench', ...args, '-o', 'json'], options);
  t.equal(code, 0, stderr);
  return JSON.parse(stdout) as Bench;
}

t.test('every kind of traffic of one port, with a client certificate from beside the files', async (t) => {
  const { rows, traffic } = await bench(t, ['examples/all-modes-one-port/istio', '--seconds', '0.8']);
  t.ok(rows.some(({ name }) => name.includes('chain among 9 server names')));
  t.same(
    traffic?.rows.map(({ name, subjects }) => `${subjects} ${name}`),
    [
      '4 passthrough connections',
      '2 TLS handshakes with a request',
      '2 HTTP/1.1 requests over TLS',
      '2 HTTP/2 requests over TLS',
      '1 HTTP/1.1 requests without TLS',
    ],
  );
  for (const { name, rate, errors, places } of traffic?.rows ?? []) {
    t.ok(rate.median > 0, name);
    t.equal(errors, 0, name);
    t.ok(places.length > 0, `${name}: says where the time goes`);
    const sum = places.reduce((all, { share }) => all + share, 0);
    t.ok(Math.abs(sum - 1) < 1e-6, `${name}: all of it`);
  }
  t.same(traffic?.skipped, []);
});

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

t.test('a server whose clients nobody here can be is named, and not measured', async (t) => {
  // From standard input nothing lies beside the files.
  const example = await readFile('examples/all-modes-one-port/istio/all-modes.yaml', 'utf8');
  const secrets = example.split('---\n').slice(0, 2).join('---\n');
  const { traffic } = await bench(t, ['-'], `${secrets}---\n${MUTUAL}`);
  t.same(traffic?.rows, []);
  t.match(traffic?.skipped, [/^https:\/\/mutual\.example\.com\/ on 8443: wants a client certificate/]);
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
