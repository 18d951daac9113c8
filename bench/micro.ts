// Micro benchmarks of the SNI path and of routing. Each first checks that it gets the right answer.
import assert from 'node:assert/strict';
import { HeaderMap } from '../src/filters/header-map.js';
import { TlsInspector } from '../src/match/inspect/tls-inspector.js';
import { type RequestMatchFacts, RouteIndex } from '../src/match/route-index.js';
import { ServerNameIndex } from '../src/match/server-name-index.js';
import { VirtualHostIndex } from '../src/match/virtual-host-index.js';
import type { RouteMatch } from '../src/xds/index.js';
import { clientHello } from '../test/support/client-hello.js';

export interface MicroBench {
  readonly name: string;
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

/** Look-ups in an index of `size` hosts, a tenth of them wildcards; exact, wildcard and unknown names in turn. */
export function buildServerNameBench(size: number): MicroBench {
  const entries = new Map<string, number>();
  for (let i = 0; i < size; i++) entries.set(i % 10 === 0 ? `*.w${i}.example.com` : `h${i}.example.com`, i);
  const index = new ServerNameIndex(entries);
  const names: string[] = [];
  for (let i = 0; i < 4096; i++) {
    const at = Math.floor((i * 7919) % size);
    names.push(i % 16 === 15 ? `none${i}.test` : at % 10 === 0 ? `a.w${at}.example.com` : `h${at}.example.com`);
  }
  return {
    name: `micro: server name in ${size} hosts`,
    check: () => {
      assert.equal(index.find('none.test'), undefined);
      if (size > 1) assert.equal(index.find('h1.example.com'), 1);
      assert.equal(index.find('x.y.w0.example.com'), 0);
    },
    run: (operations) => {
      for (let i = 0; i < operations; i++) index.find(names[i & 4095] as string);
    },
  };
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
