// Micro benchmarks of the SNI path and of routing. Each first checks that it gets the right answer.
import assert from 'node:assert/strict';
import { HeaderMap } from '../src/filters/header-map.js';
import { TlsInspector } from '../src/match/inspect/tls-inspector.js';
import { type RequestMatchFacts, RouteIndex } from '../src/match/route-index.js';
import { ServerNameIndex } from '../src/match/server-name-index.js';
import { VirtualHostIndex } from '../src/match/virtual-host-index.js';
import type { RouteMatch } from '../src/xds/index.js';
import { clientHello } from '../test/support/client-hello.js';
import { accessLogLine, decisionsOf } from './decision-subjects.js';
import { gateYaml } from './gate-traffic.js';

/** One row: its answers are checked before its time counts. */
export interface MicroBench {
  readonly name: string;
  /** Of one round; 200,000 unless it says otherwise. */
  readonly operations?: number;
  check(): void;
  run(operations: number): void;
}

/** One ClientHello of 517 bytes in one piece, as a client sends it. */
export function clientHelloBench(): MicroBench {
  const hello = clientHello({ serverName: 'shop.example.com', alpn: ['h2', 'http/1.1'], padTo: 517 });
  return {
    name: 'micro: ClientHello to server name and ALPN',
    check: () => {
      const inspector = new TlsInspector();
      assert.equal(inspector.push(hello), 'hello');
      assert.equal(inspector.serverName, 'shop.example.com');
    },
    run: (operations) => {
      for (let i = 0; i < operations; i++) new TlsInspector().push(hello);
    },
  };
}

/** Of which names are asked for: all of one kind, or 14 parts exact, 1 part covered by a wildcard, 1 part unknown. */
export type Mix = 'exact' | 'wildcard' | 'unknown' | 'mixed';

/**
 * Look-ups in an index of `size` hosts, a tenth of them wildcards: `asked` names in turn, a power of two. The index keeps
 * recent answers, so a few names in turn are the everyday case and tens of thousands the worst one.
 */
export function serverNameBench(size: number, mix: Mix, asked: number): MicroBench {
  const index = serverNames(size);
  const names = askedNames(size, mix, asked);
  return {
    name: `micro: server name in ${size} hosts, ${mix}, ${asked} names`,
    check: () => checkServerNames(index, names, mix),
    run: (operations) => {
      for (let i = 0; i < operations; i++) index.find(names[i & (asked - 1)] as string);
    },
  };
}

/** What a connection costs before it is dialled: a hello read and its name, a new string, found among `size` hosts. */
export function helloToHostBench(size: number, mix: Mix, asked: number): MicroBench {
  const index = serverNames(size);
  const names = askedNames(size, mix, asked);
  const hellos = names.map((serverName) => clientHello({ serverName, alpn: ['h2', 'http/1.1'], padTo: 517 }));
  return {
    name: `micro: ClientHello to host in ${size}, ${mix}, ${asked} names`,
    check: () => {
      const read = hellos.map((hello) => {
        const inspector = new TlsInspector();
        inspector.push(hello);
        return inspector.serverName;
      });
      assert.deepEqual(read, names);
      checkServerNames(index, read, mix);
    },
    run: (operations) => {
      for (let i = 0; i < operations; i++) {
        const inspector = new TlsInspector();
        inspector.push(hellos[i & (asked - 1)] as Buffer);
        index.find(inspector.serverName);
      }
    },
  };
}

function serverNames(size: number): ServerNameIndex<number> {
  const entries = new Map<string, number>();
  for (let i = 0; i < size; i++) entries.set(i % 10 === 0 ? `*.w${i}.example.com` : `h${i}.example.com`, i);
  return new ServerNameIndex(entries);
}

function askedNames(size: number, mix: Mix, asked: number): readonly string[] {
  return Array.from({ length: asked }, (_, i) => askedName(i, size, mix));
}

function askedName(i: number, size: number, mix: Mix): string {
  const at = (i * 7919) % size;
  const kind = mix !== 'mixed' ? mix : i % 16 === 15 ? 'unknown' : i % 16 === 7 ? 'wildcard' : 'exact';
  if (kind === 'unknown') return `none${i}.test`;
  return kind === 'wildcard' ? `a${i}.w${at - (at % 10)}.example.com` : `h${at % 10 === 0 ? at + 1 : at}.example.com`;
}

function checkServerNames(index: ServerNameIndex<number>, names: readonly string[], mix: Mix): void {
  assert.equal(index.find('none.test'), undefined);
  assert.equal(index.find('h1.example.com'), 1);
  assert.equal(index.find('x.y.w0.example.com'), 0);
  const found = names.filter((name) => index.find(name) !== undefined).length;
  const all = names.length;
  assert.equal(found, { exact: all, wildcard: all, unknown: 0, mixed: (all / 16) * 15 }[mix]);
}

/** `decide` from port to endpoint, and a line of the access log. */
export async function decisionBenches(): Promise<readonly MicroBench[]> {
  const { request, connection } = await decisionsOf(await gateYaml());
  const line = accessLogLine();
  const bench = (name: string, ask: () => unknown, isRight: () => boolean): MicroBench => ({
    name: `micro: ${name}`,
    operations: 20_000,
    check: () => assert.ok(isRight()),
    run: (operations) => {
      for (let i = 0; i < operations; i++) ask();
    },
  });
  // Their answers are checked where they are made.
  return [
    bench('decision of a request, port to endpoint', request, () => true),
    bench('decision of a passthrough connection', connection, () => true),
    bench('access log line', line, () => line().endsWith('\n')),
  ];
}

/** Authorities of requests in a table of `size` virtual hosts, mixed as the server names are; each a new string. */
export function virtualHostBench(size: number): MicroBench {
  const index = new VirtualHostIndex(
    Array.from({ length: size }, (_, i) => ({ domains: [i % 10 === 0 ? `*.w${i}.example.com` : `h${i}.example.com`] })),
    true,
  );
  const names = Array.from({ length: 4096 }, (_, i) => {
    const at = (i * 7919) % size;
    return Buffer.from(
      i % 16 === 15 ? `none${i}.test` : at % 10 === 0 ? `a.w${at}.example.com` : `h${at}.example.com:8443`,
    );
  });
  return {
    name: `micro: virtual host among ${size}`,
    check: () => {
      assert.equal(index.find('none.test'), undefined);
      assert.deepEqual(index.find('H1.example.com:443')?.domains, ['h1.example.com']);
      assert.deepEqual(index.find('x.w0.example.com')?.domains, ['*.w0.example.com']);
    },
    run: (operations) => {
      for (let i = 0; i < operations; i++) index.find((names[i & 4095] as Buffer).toString('latin1'));
    },
  };
}

/** Requests for every one of `size` routes of one virtual host, all exact paths or all prefixes. */
export function routeBench(size: number, kind: 'exact' | 'prefix'): MicroBench {
  const match = (i: number): RouteMatch =>
    kind === 'exact' ? { path: `/api/v1/item${i}` } : { prefix: `/service-${i}/${'x'.repeat(i % 40)}` };
  const index = new RouteIndex(Array.from({ length: size }, (_, i) => ({ match: match(i) })));
  const facts = (i: number): RequestMatchFacts => {
    const { path, prefix } = match(i);
    const headers = new HeaderMap([]);
    return { method: 'GET', authority: 'example.com', scheme: 'https', path: path ?? `${prefix}/a?b=c`, headers };
  };
  const requests = Array.from({ length: 1024 }, (_, i) => facts((i * 7919) % size));
  return {
    name: `micro: ${kind} route among ${size}`,
    check: () => {
      assert.equal(index.find(facts(size - 1)), size - 1);
      assert.equal(index.find({ ...facts(0), path: '/nowhere' }), -1);
    },
    run: (operations) => {
      for (let i = 0; i < operations; i++) index.find(requests[i & 1023] as RequestMatchFacts);
    },
  };
}
