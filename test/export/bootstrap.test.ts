// The shape of exported bootstraps: of some recorded cases, and what is left out or asked for in vain. Whether Envoy takes
// them is `bootstrap.verify.test.ts`.
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import t from 'tap';
import { parse } from 'yaml';
import { loadCase } from '../golden/support.js';
import { exportCase } from '../parity/envoy-target.js';
import { runToEnd } from '../support/postern.js';

interface Bootstrap {
  readonly admin?: unknown;
  readonly static_resources: {
    readonly listeners: readonly {
      readonly name: string;
      readonly address: { readonly socket_address?: { readonly address: string; readonly port_value: number } };
    }[];
    readonly clusters: readonly {
      readonly name: string;
      readonly type?: string;
      readonly alt_stat_name?: string;
      readonly load_assignment?: { readonly endpoints: readonly unknown[] };
    }[];
    readonly secrets?: readonly {
      readonly name: string;
      readonly tls_certificate?: { readonly private_key: object };
    }[];
  };
}

async function bootstrapOf(id: string): Promise<{ readonly bootstrap: Bootstrap; readonly codes: readonly string[] }> {
  const { bootstrap, diagnostics } = await exportCase(loadCase(id));
  return { bootstrap: bootstrap as unknown as Bootstrap, codes: diagnostics.map(({ code }) => code) };
}

/** Every member of that name, at any depth. */
function collect(value: unknown, name: string, into: unknown[] = []): unknown[] {
  if (typeof value !== 'object' || value === null) return into;
  for (const [key, member] of Object.entries(value)) {
    if (key === name) into.push(member);
    collect(member, name, into);
  }
  return into;
}

t.test('listeners, routes, clusters and secrets of a plain case', async (t) => {
  const { bootstrap } = await bootstrapOf('seed/scenario-1-simple');
  const { listeners, clusters, secrets } = bootstrap.static_resources;
  t.match(listeners, [{ name: '0.0.0.0_8443', address: { socket_address: { address: '127.0.0.1', port_value: 0 } } }]);
  t.match(
    clusters.find(({ name }) => name === 'outbound|80||web.demo.svc.cluster.local'),
    {
      alt_stat_name: 'outbound|80||web.demo.svc.cluster.local;',
      type: 'STATIC',
      load_assignment: {
        endpoints: [
          { lb_endpoints: [{ endpoint: { address: { socket_address: { address: '127.0.10.1', port_value: 80 } } } }] },
        ],
      },
    },
  );
  t.match(secrets, [{ name: 'kubernetes://local-test-tls' }]);
  t.same(collect(bootstrap, 'rds'), [], 'route tables are inside');
  t.match(collect(bootstrap, 'route_config'), [{ virtual_hosts: [{ domains: ['local.test'] }] }]);
  for (const own of ['originId', 'label', 'eds_cluster_config']) t.same(collect(bootstrap, own), [], own);
  for (const config of [
    ...collect(bootstrap, 'typed_config'),
    ...collect(bootstrap, 'typed_per_filter_config').flatMap((all) => Object.values(all as object)),
  ])
    t.match((config as Record<string, unknown>)['@type'], /^type\.googleapis\.com\/envoy\./);
});

t.test('what Envoy would refuse is left out, with a code', async (t) => {
  const refused = await bootstrapOf('gateway/rejected-listener');
  t.ok(refused.codes.includes('PST0901'));
  const table = await bootstrapOf('routing/unknown-operator');
  t.ok(table.codes.includes('PST0902'));
  t.ok(
    collect(table.bootstrap, 'route_config').some(
      (config) => (config as { virtual_hosts: [] }).virtual_hosts.length === 0,
    ),
    'a refused table has no routes',
  );
  const missing = await bootstrapOf('tls/secret-missing');
  t.ok(missing.codes.includes('PST0903'));
  t.ok(collect(missing.bootstrap, 'api_config_source').length > 0, 'a secret that is not there is asked for in vain');
  t.ok((await bootstrapOf('destinations/subsets')).codes.includes('PST0904'));
});

const GATEWAY = `
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: { name: edge, namespace: istio-system }
spec:
  selector: { istio: ingressgateway }
  servers:
  - port: { number: 443, name: https, protocol: HTTPS }
    tls: { mode: MUTUAL, credentialName: shop }
    hosts: [shop.example.com]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: web, namespace: istio-system }
spec:
  hosts: ["*"]
  gateways: [edge]
  http:
  - route: [{ destination: { host: web.shop.svc.cluster.local, port: { number: 80 } } }]
`;

t.test('the command: ports, address, mapped upstreams, secrets inline and as files', async (t) => {
  const folder = await mkdtemp(path.join(tmpdir(), 'postern-export-'));
  t.teardown(() => rm(folder, { recursive: true, force: true }));
  const file = path.join(folder, 'gateway.yaml');
  await writeFile(file, GATEWAY);
  const common = ['--dev-certs', '--upstream', 'web.shop.svc.cluster.local=127.0.0.1:3000', '--port', '443=9443'];
  const inline = await runToEnd(['export', 'envoy', file, '-o', 'json', ...common, '--address', '0.0.0.0']);
  t.equal(inline.code, 0, inline.stderr);
  const bootstrap = JSON.parse(inline.stdout) as Bootstrap;
  t.match(bootstrap.static_resources.listeners[0]?.address, {
    socket_address: { address: '0.0.0.0', port_value: 9443 },
  });
  t.match(bootstrap.admin, { address: { socket_address: { address: '127.0.0.1', port_value: 15_000 } } });
  t.match(inline.stdout, 'PRIVATE KEY');
  t.notMatch(inline.stderr, 'PRIVATE KEY');

  const keys = path.join(folder, 'keys');
  const files = await runToEnd(['export', 'envoy', '--secrets', 'files', keys, file, ...common, '--admin', 'off']);
  t.equal(files.code, 0, files.stderr);
  t.notMatch(files.stdout, 'PRIVATE KEY');
  const parsed = parse(files.stdout) as Bootstrap;
  t.notOk(parsed.admin);
  t.match(parsed.static_resources.secrets?.[0]?.tls_certificate?.private_key, {
    filename: path.join(keys, 'shop.key'),
  });
  for (const name of await readdir(keys)) t.equal((await stat(path.join(keys, name))).mode & 0o777, 0o600, name);
  t.match(await readFile(path.join(keys, 'shop.key'), 'utf8'), 'PRIVATE KEY');

  t.equal((await runToEnd(['export', 'envoy', file, '--secrets', 'elsewhere'])).code, 64);
  t.equal((await runToEnd(['export', 'nginx', file])).code, 64);
  t.equal((await runToEnd(['export', 'envoy', path.join(folder, 'nothing.yaml')])).code, 66);
});
