// `postern bench` on every kind of traffic: half a minute of load, so not among the tests of each change.
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

t.test('a server whose clients nobody here can be is named, and not measured', async (t) => {
  // From standard input nothing lies beside the files.
  const example = await readFile('examples/all-modes-one-port/istio/all-modes.yaml', 'utf8');
  const secrets = example.split('---\n').slice(0, 2).join('---\n');
  const { traffic } = await bench(t, ['-'], `${secrets}---\n${MUTUAL}`);
  t.same(traffic?.rows, []);
  t.match(traffic?.skipped, [/^https:\/\/mutual\.example\.com\/ on 8443: wants a client certificate/]);
});
