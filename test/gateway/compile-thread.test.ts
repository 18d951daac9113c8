// Large configurations are loaded and translated in a thread of their own. What comes out must be what this thread would
// have made of the same files, with the parts that have not changed taken over as they are.
import t from 'tap';
import { request } from 'undici';
import type { Source } from '../../src/config/load.js';
import { OriginTable } from '../../src/diagnostics/origin.js';
import type { CompileOptions, Configuration } from '../../src/gateway/compile.js';
import { ConfigError, compile } from '../../src/gateway/compile.js';
import { Compiler } from '../../src/gateway/compiler.js';
import { DevelopmentCertificates } from '../../src/gateway/development-certificates.js';
import { type RunningGateway, runGateway } from '../../src/gateway/run.js';
import { DeltaWriter, readDelta } from '../../src/gateway/snapshot-delta.js';
import { Stubs } from '../../src/gateway/stubs.js';

const HOSTS = 250;

const GATEWAY = `apiVersion: networking.istio.io/v1
kind: Gateway
metadata: { name: edge, namespace: shop }
spec:
  selector: { istio: ingressgateway }
  servers:
  - port: { number: 80, name: http, protocol: HTTP }
    hosts: ["*"]
  - port: { number: 443, name: https, protocol: HTTPS }
    tls: { mode: MUTUAL, credentialName: edge-tls }
    hosts: ["*.example.com"]
`;

function virtualService(i: number, route = 'api'): string {
  return `apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: vs-${i}, namespace: shop }
spec:
  hosts: [h${i}.example.com]
  gateways: [edge]
  http:
  - { name: ${route}, match: [{ uri: { prefix: /api } }], route: [{ destination: { host: web.shop.svc.cluster.local } }] }
`;
}

function sources(first = GATEWAY, change = (i: number) => virtualService(i)): Source[] {
  const text = [first, ...Array.from({ length: HOSTS }, (_, i) => change(i))].join('---\n');
  return [{ file: 'shop.yaml', text, named: true }];
}

/** The configuration with every origin number replaced by the place itself. */
function placed({ snapshot, origins }: Pick<Configuration, 'snapshot' | 'origins'>): unknown {
  return JSON.parse(
    JSON.stringify(snapshot, (key, value: unknown) =>
      key === 'originId' ? (origins.get(value as number) ?? null) : value,
    ),
  );
}

t.test('a thread says what this one would say', async (t) => {
  const options: CompileOptions = { trustUpstreams: true };
  const certificates = new DevelopmentCertificates(undefined);
  const started: string[] = [];
  const stubs = new Stubs(async (name) => {
    started.push(name);
    return { name, address: '127.0.0.1:4711', close: async () => {} };
  });
  const settings = { options, stubs, certificates, devCerts: true };
  const here = (files: Source[]) => compile(files, options, settings);
  const compiler = new Compiler(settings);
  t.teardown(() => compiler.close());

  let running: Configuration = await compiler.compile(sources(), undefined);
  t.ok(running.load, 'what is small at start is compiled here');
  const step = async (name: string, files: Source[], reused: (hosts: number) => boolean): Promise<void> => {
    const next = await compiler.compile(files, running);
    t.equal(next.load, undefined, `${name}: a reload of this size is not`);
    const expected = await here(files);
    t.strictSame(placed(next), placed(expected), `${name}: same snapshot, same places`);
    t.strictSame(next.diagnostics, expected.diagnostics, `${name}: same findings`);
    t.strictSame([...next.servicePorts], [...expected.servicePorts], `${name}: same ports`);
    t.strictSame(next.developmentSecrets, ['edge-tls'], `${name}: certificates are made where they are kept`);
    const before = new Set(running.snapshot.routes.flatMap((table) => table.virtual_hosts));
    const kept = next.snapshot.routes.flatMap((table) => table.virtual_hosts).filter((host) => before.has(host));
    t.ok(reused(kept.length), `${name}: ${kept.length} virtual hosts are the very ones`);
    compiler.commit();
    running = next;
  };
  const twoTables = 2 * HOSTS;
  await step(
    'an edit',
    sources(GATEWAY, (i) => virtualService(i, i === 7 ? 'other' : 'api')),
    (n) => n === twoTables - 2,
  );
  await step('lines move', sources(`# a comment\n\n${GATEWAY}`), (n) => n === twoTables - 2);
  await step(
    'all change',
    sources(GATEWAY, (i) => virtualService(i, 'v2')),
    (n) => n === 0,
  );
  await step(
    'some go, some come',
    sources(GATEWAY, (i) => virtualService(i + 100, 'v2')),
    (n) => n === twoTables - 200,
  );
  t.equal(new Set(started).size, started.length, 'stubs are started once');

  const broken = sources(GATEWAY.replace('number: 443', 'number: nine'));
  await t.rejects(compiler.compile(broken, running), ConfigError, 'errors come back as they do here');
  await step('after a refusal', sources(), (n) => n === 0);
  const uncommitted = await compiler.compile(
    sources(GATEWAY, (i) => virtualService(i, 'lost')),
    running,
  );
  t.not(uncommitted, running);
  await step('after one that did not come into force', sources(), (n) => n === twoTables);
});

t.test('a running gateway takes over what the thread has made', async (t) => {
  const read = { files: sources() };
  const gateway: RunningGateway = await runGateway({ sources: async () => read.files, anyPort: true });
  t.teardown(() => gateway.close());
  const port = gateway.listeners.find((listener) => listener.port === 8080 || listener.port === 80)?.boundPort ?? 0;
  const status = async (host: string): Promise<number> => {
    const { statusCode, body } = await request(`http://127.0.0.1:${port}/api`, { headers: { host } });
    await body.dump();
    return statusCode;
  };
  t.equal(await status('h1.example.com'), 200);
  t.equal(await status(`h${HOSTS}.example.com`), 404);
  read.files = sources(GATEWAY, (i) => virtualService(i + 1));
  t.equal((await gateway.reload()).kind, 'applied');
  t.equal(await status(`h${HOSTS}.example.com`), 200, 'what is new is served');
  t.equal(await status('h0.example.com'), 404, 'what is gone is not');
  read.files = [{ file: 'shop.yaml', text: `${read.files[0]?.text}---\nkind: [\n`, named: true }];
  t.equal((await gateway.reload()).kind, 'refused');
  t.equal(await status('h1.example.com'), 200, 'a refused one changes nothing');
});

t.test('origins survive packing', async (t) => {
  const table = new OriginTable([
    { file: 'a.yaml', line: 3, column: 1 },
    undefined,
    { file: 'b.yaml', line: 1, column: 2, endLine: 4, endColumn: 5, resource: 'Gateway/shop/edge' },
  ]);
  const unpacked = new OriginTable(structuredClone(table.pack()));
  t.equal(unpacked.size, 3);
  for (const id of [0, 1, 2, 3, undefined]) t.strictSame(unpacked.get(id), table.get(id), `number ${id}`);
});

t.test('parts that are equal are told apart by their places', async (t) => {
  const { snapshot } = await compile(
    sources(),
    {},
    { stubs: undefined, certificates: new DevelopmentCertificates(undefined), devCerts: false },
  );
  const table = snapshot.routes[0];
  const host = table?.virtual_hosts[0];
  if (table === undefined || host === undefined) throw new Error('no virtual host');
  const twins = { ...snapshot, routes: [{ ...table, virtual_hosts: [{ ...host }, { ...host }] }] };
  const writer = new DeltaWriter();
  const origins = new OriginTable();
  const first = writer.write(twins, origins);
  const before = readDelta(first.delta, first.pieces.flat(), undefined);
  writer.commit();
  const second = writer.write(twins, origins);
  t.equal(second.pieces.length, 0, 'nothing is sent twice');
  const after = readDelta(second.delta, [], before);
  t.equal(after.routes[0]?.virtual_hosts[1], before.routes[0]?.virtual_hosts[1]);
  t.not(after.routes[0]?.virtual_hosts[0], after.routes[0]?.virtual_hosts[1]);
});
