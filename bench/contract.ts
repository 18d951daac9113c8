// Contracts of a thousand tests: decide mode, run mode on a fresh TLS connection each, run mode on one shared connection.
// Tests per second, decoding and start of the gateway included.
import { decodeContract } from '../src/contract/decode-contract.js';
import { runContract } from '../src/contract/run-contract.js';

/** A row of the table. */
export interface ContractRow {
  readonly name: string;
  readonly unit: string;
  readonly runs: readonly number[];
}

const TESTS = 1000;
const ROUNDS = 5;
const FILE = 'examples/contract-tests/bench.contract.yaml';
const UPSTREAM = 'shop.shop.svc.cluster.local:9080/v1';
const HEAD = `contract: v1\nconfig: istio/\nupstreams: { ${UPSTREAM}: { respond: { body: ok } } }\ntests:\n`;
const URL = 'https://shop.example.com/api';

const numbers = Array.from({ length: TESTS }, (_, index) => index);
const decided = numbers.map(
  (n) =>
    `- { name: t${n}, request: { url: ${URL}/${n} }, expect: { route: { route: stable }, upstream: { path: /api/${n} } } }`,
);
const fresh = numbers.map((n) => `- { name: t${n}, request: { url: ${URL}/${n} }, expect: { status: 200, body: ok } }`);
const shared = [
  '- name: shared\n  connection: shared\n  requests:',
  ...numbers.map((n) => `  - { url: ${URL}/${n}, expect: { status: 200, body: ok } }`),
];

/** Each subject is checked before its numbers count: a test that fails ends the benchmark. */
export async function contractRows(): Promise<readonly ContractRow[]> {
  return [
    await row('contract, decide mode', decided, 'decide'),
    await row('contract, run mode, fresh TLS connections', fresh, 'run'),
    await row('contract, run mode, one shared HTTP/2 connection', shared, 'run'),
    await row(
      'contract, run mode, one shared HTTP/1.1 connection',
      shared.map((line) => line.replace(', expect', ', version: HTTP/1.1, expect')),
      'run',
    ),
  ];
}

async function row(name: string, lines: readonly string[], mode: 'decide' | 'run'): Promise<ContractRow> {
  const text = `${HEAD}${lines.join('\n')}\n`;
  const runs: number[] = [];
  for (let round = 0; round <= ROUNDS; round++) {
    const began = performance.now();
    const { contract, diagnostics } = decodeContract(FILE, text);
    if (contract === undefined) throw new Error(diagnostics[0]?.message ?? 'no contract');
    const { tests } = await runContract(contract, { mode });
    const failed = tests.find(({ outcome }) => outcome !== 'passed');
    if (failed !== undefined) throw new Error(`${name}: ${failed.name} ${failed.outcome}`);
    // The first round warms up.
    if (round > 0) runs.push((TESTS * 1000) / (performance.now() - began));
  }
  return { name: `${name}, ${TESTS} tests`, unit: '/s', runs };
}
