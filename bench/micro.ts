// Micro benchmarks of the SNI path. Each first checks that it gets the right answer.
import assert from 'node:assert/strict';
import { TlsInspector } from '../src/match/inspect/tls-inspector.js';
import { ServerNameIndex } from '../src/match/server-name-index.js';
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
