// One contract from file to result: decode, compile, check for what makes a green result worthless, run.
import type { Decision } from '../decide/decision.js';
import { ContractFile, ContractUpstreamUnused } from '../diagnostics/catalogue.js';
import { createDiagnostic, type Diagnostic } from '../diagnostics/diagnostic.js';
import { readText } from '../gateway/sources.js';
import type { Contract, TestCase, UpstreamSpec } from './contract.js';
import { ContractError } from './contract-error.js';
import { type ContractGateway, type GatewayChanges, openContractGateway } from './contract-gateway.js';
import { Coverage } from './coverage.js';
import { decodeContract } from './decode-contract.js';
import type { ContractResult, Outcome, StepResult, TestResult } from './result.js';
import { TestRunner } from './test-runner.js';
import { findUnemulated } from './unemulated.js';

/** Which tests, and how. */
export interface RunOptions extends GatewayChanges {
  /** Default 'run'. */
  readonly mode?: 'decide' | 'run';
  /** Only tests whose name fits. */
  readonly grep?: RegExp;
  /** Only tests with one of these tags. */
  readonly tags?: readonly string[];
  /** Stop after the first failure. */
  readonly bail?: boolean;
  readonly coverage?: boolean;
  /** Accepts everything that is not emulated. */
  readonly allowUnemulated?: boolean;
  /** Called when a test is over. */
  readonly onTest?: (result: TestResult) => void;
}

/** Reads a contract file. Throws a ContractError with everything that is wrong with it. */
export async function readContract(file: string): Promise<Contract> {
  let text: string;
  try {
    text = await readText(file);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new ContractError([createDiagnostic(ContractFile, undefined, { what: file, reason })], reason, 'ENOENT');
  }
  const { contract, diagnostics } = decodeContract(file, text);
  if (contract !== undefined) return contract;
  throw new ContractError(diagnostics, `${file} has ${diagnostics.length} error${diagnostics.length === 1 ? '' : 's'}`);
}

/** The tests of a contract that the options ask for. */
export function selectTests(contract: Contract, options: Pick<RunOptions, 'grep' | 'tags'>): readonly TestCase[] {
  const { grep, tags } = options;
  return contract.tests.filter(
    (test) =>
      (grep === undefined || grep.test(test.name)) &&
      (tags === undefined || tags.length === 0 || test.tags.some((tag) => tags.includes(tag))),
  );
}

/** Runs a contract. Throws a ContractError or a ConfigError where no test can be run. */
export async function runContract(contract: Contract, options: RunOptions = {}): Promise<ContractResult> {
  const mode = options.mode ?? 'run';
  const started = performance.now();
  const gateway = await openContractGateway(contract, mode, options);
  try {
    const { compiled, sources } = gateway;
    const { refused, unused } = findUnemulated(
      sources,
      compiled,
      options.allowUnemulated === true ? 'all' : contract.gateway.allowUnemulated,
      contract.gatewayOrigin,
      options.compile?.namespace ?? contract.gateway.namespace ?? 'default',
    );
    const coverage = options.coverage === true ? new Coverage(gateway.index, compiled.origins) : undefined;
    const runner = new TestRunner(gateway, coverage);
    const left = unusedUpstreams(contract, gateway, runner);
    const tests: TestResult[] = [];
    let bailed = false;
    for (const test of selectTests(contract, options)) {
      const result = await runTest(test, contract.file, runner);
      tests.push(result);
      options.onTest?.(result);
      if (options.bail === true && isFailed(result.outcome)) {
        bailed = true;
        break;
      }
    }
    // A change of the configuration may leave an upstream without requests: then the tests that fail say more.
    if (left[0] !== undefined && !tests.some(({ outcome }) => isFailed(outcome))) {
      throw new ContractError(left, left[0].message);
    }
    return {
      file: contract.file,
      mode,
      tests,
      diagnostics: [...compiled.diagnostics, ...unused],
      unemulated: refused,
      ...(coverage === undefined ? {} : { coverage: coverage.items() }),
      bailed,
      milliseconds: performance.now() - started,
    };
  } finally {
    await gateway.close();
  }
}

/** True for what fails the run. */
export function isFailed(outcome: Outcome): boolean {
  return outcome === 'failed' || outcome === 'unexpectedPass';
}

async function runTest(test: TestCase, file: string, runner: TestRunner): Promise<TestResult> {
  const common = { name: test.name, file, origin: test.origin, tags: test.tags };
  if (test.skip !== undefined) return { ...common, outcome: 'skipped', reason: test.skip, milliseconds: 0, steps: [] };
  const started = performance.now();
  const { steps, judged } = await runner.run(test);
  const milliseconds = performance.now() - started;
  const failed = steps.some(({ failures }) => failures.length > 0);
  if (judged === 0) {
    const reason = `not computable without a socket: ${reasonsOf(steps)}`;
    return { ...common, outcome: 'skipped', reason, milliseconds, steps };
  }
  if (test.knownBug === undefined) return { ...common, outcome: failed ? 'failed' : 'passed', milliseconds, steps };
  const outcome = failed ? 'knownBug' : isPartly(steps) ? 'skipped' : 'unexpectedPass';
  return { ...common, outcome, reason: test.knownBug, milliseconds, steps };
}

/** What cannot be judged may be what the known bug is about. */
function isPartly(steps: readonly StepResult[]): boolean {
  return steps.some(({ unjudged }) => unjudged.length > 0);
}

function reasonsOf(steps: readonly StepResult[]): string {
  return [...new Set(steps.flatMap(({ unjudged }) => unjudged))].join('; ');
}

/** An upstream that no request can reach is a left-over or misspelled. */
function unusedUpstreams(contract: Contract, gateway: ContractGateway, runner: TestRunner): readonly Diagnostic[] {
  if (contract.upstreams.length === 0) return [];
  const { snapshot } = gateway.compiled;
  const fitting = new Map<UpstreamSpec, Set<string>>();
  for (const [cluster, endpoints] of Object.entries(snapshot.endpoints)) {
    for (const { address } of endpoints) {
      const upstream = gateway.upstreams.get(address);
      if (upstream === undefined) continue;
      const clusters = fitting.get(upstream) ?? new Set();
      fitting.set(upstream, clusters.add(cluster));
    }
  }
  const reached = new Set<string>();
  for (const test of contract.tests) {
    for (const step of test.steps)
      for (const name of clustersOf(runner.decideStep(step).decision, gateway)) reached.add(name);
  }
  const problems: Diagnostic[] = [];
  for (const upstream of contract.upstreams) {
    const clusters = fitting.get(upstream);
    if (clusters !== undefined && [...clusters].some((name) => reached.has(name))) continue;
    const why =
      clusters === undefined
        ? 'it fits no cluster of the gateway'
        : `no request is routed to ${[...clusters].slice(0, 3).join(', ')}`;
    problems.push(createDiagnostic(ContractUpstreamUnused, upstream.origin, { key: upstream.key, why }));
  }
  return problems;
}

/** Where a request may go: by its weights, and where it is mirrored to. */
function clustersOf(decision: Decision, gateway: ContractGateway): readonly string[] {
  const names = [decision.cluster ?? '', ...(decision.weightedClusters ?? []).map(({ cluster }) => cluster)];
  const table = gateway.index.snapshot.routes.find(({ name }) => name === decision.routeConfig);
  const host = table?.virtual_hosts.find(({ name }) => name === decision.virtualHost);
  for (const route of host?.routes ?? []) {
    for (const mirror of route.route?.request_mirror_policies ?? []) names.push(mirror.cluster);
  }
  return names;
}
