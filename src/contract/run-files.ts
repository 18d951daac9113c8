// Contract files for the library: `runContract` of `postern/testing`.
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import {
  ANYTHING,
  checkOptions,
  either,
  FUNCTION,
  LIST_OF_TEXTS,
  NUMBER,
  OBJECT_OF_TEXTS,
  OptionError,
  type OptionRule,
  TEXT,
  YES_OR_NO,
} from '../gateway/option-error.js';
import type { GatewayOptions } from '../gateway.js';
import { findContracts } from './find-contracts.js';
import { buildReport, type ContractReporter, type Report } from './report.js';
import { createReporter, REPORTERS, type ReporterName } from './reporters/create-reporter.js';
import type { ContractResult, TestResult } from './result.js';
import { isFailed, type RunOptions, readContract, runContract, selectTests } from './run-contract.js';

/** Mirrors the flags of `postern test`. */
export interface ContractOptions {
  /** 'decide' opens no socket and checks what is computable; default 'run'. */
  readonly mode?: 'decide' | 'run';
  /** Only tests whose name fits; text counts as a regular expression. */
  readonly grep?: RegExp | string;
  /** Only tests with one of these tags. */
  readonly tags?: readonly string[];
  /** Stop after the first failure; default false. */
  readonly bail?: boolean;
  /** Say which servers, hosts and match blocks no test reaches; default false. */
  readonly coverage?: boolean;
  /** Per cent of these below which the run fails. */
  readonly failUnder?: number;
  /** Accept what is in use and not emulated; default false. */
  readonly allowUnemulated?: boolean;
  /** Of chance in run mode; default 1. */
  readonly seed?: number;
  /** Labels of the gateway's pod, over those of the contract. */
  readonly gatewayLabels?: GatewayOptions['gatewayLabels'];
  readonly devCerts?: boolean;
  /** Reports to write, as 'junit:FILE'; without a file they are in `output`. Default: none. */
  readonly reporters?: readonly string[];
  /** Called when a test is over. */
  readonly onTest?: (result: TestResult) => void;
}

const OPTIONS: Readonly<Record<keyof ContractOptions, OptionRule>> = {
  mode: ANYTHING,
  grep: either(TEXT, { holds: (value) => value instanceof RegExp, expected: 'a regular expression' }),
  tags: LIST_OF_TEXTS,
  bail: YES_OR_NO,
  coverage: YES_OR_NO,
  failUnder: NUMBER,
  allowUnemulated: YES_OR_NO,
  seed: NUMBER,
  gatewayLabels: OBJECT_OF_TEXTS,
  devCerts: YES_OR_NO,
  reporters: LIST_OF_TEXTS,
  onTest: FUNCTION,
};

/** What came of contract files. */
export interface ContractReport extends Report {
  /** Tests of all files, in order. */
  readonly tests: readonly TestResult[];
  /** How many passed, failed, were skipped. */
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
  /** What the reporters without a file wrote; without such a reporter what `pretty` would say. */
  readonly output: string;
}

/**
 * Runs contract files, or all `*.contract.yaml` below folders.
 *
 *     const report = await runContract('shop.contract.yaml');
 *     assert.ok(report.ok, report.output);
 *
 * Rejects with a ContractError (`.diagnostics`) for a contract that cannot be run, a ConfigError for a configuration with
 * errors and an OptionError for wrong options; a test that fails is no rejection.
 */
export async function runContractFiles(
  files: string | readonly string[],
  options: ContractOptions = {},
): Promise<ContractReport> {
  checkOptions('runContract', options, OPTIONS);
  const run = toRunOptions(options);
  const started = performance.now();
  const contracts = await Promise.all(
    (await findContracts(typeof files === 'string' ? [files] : files)).map(readContract),
  );
  const selected = contracts.map((contract) => selectTests(contract, run).length);
  if (selected.every((count) => count === 0)) {
    const what = contracts.length === 0 ? 'there is no contract file' : 'no test fits grep and tags';
    throw new OptionError(contracts.length === 0 ? 'files' : 'grep', `runContract: ${what}`);
  }
  const outputs = await Promise.all((options.reporters ?? []).map(openOutput));
  const shown = outputs.filter(({ file }) => file === undefined);
  if (shown.length === 0) shown.push(await openOutput('pretty'));
  const reporters = [...new Set([...outputs, ...shown])];
  const results: ContractResult[] = [];
  for (const [index, contract] of contracts.entries()) {
    if (selected[index] === 0) continue;
    for (const { reporter } of reporters) reporter.begin?.(contract.file, selected[index] ?? 0);
    const result = await runContract(contract, {
      ...run,
      onTest: (test) => {
        for (const { reporter } of reporters) reporter.test?.(test);
        options.onTest?.(test);
      },
    });
    results.push(result);
    if (options.bail === true && result.tests.some(({ outcome }) => isFailed(outcome))) break;
  }
  const report = buildReport(results, performance.now() - started, options.failUnder);
  for (const output of reporters) {
    output.reporter.end(report);
    if (output.file === undefined) continue;
    mkdirSync(path.dirname(output.file), { recursive: true });
    writeFileSync(output.file, output.text.join(''));
  }
  const { passed, failed, skipped } = report.counts;
  return {
    ...report,
    tests: results.flatMap(({ tests }) => tests),
    passed,
    failed,
    skipped,
    output: shown.flatMap(({ text }) => text).join(''),
  };
}

function toRunOptions(options: ContractOptions): RunOptions {
  const { grep, failUnder, gatewayLabels, seed, mode } = options;
  if (mode !== undefined && mode !== 'decide' && mode !== 'run') {
    throw new OptionError('mode', `runContract: mode: expected decide or run, found ${String(mode)}`);
  }
  if (failUnder !== undefined && !(failUnder >= 0 && failUnder <= 100)) {
    throw new OptionError('failUnder', 'runContract: failUnder: expected per cent from 0 to 100');
  }
  return {
    ...(mode === undefined ? {} : { mode }),
    ...(grep === undefined ? {} : { grep: typeof grep === 'string' ? pattern(grep) : grep }),
    ...(options.tags === undefined ? {} : { tags: options.tags }),
    bail: options.bail === true,
    coverage: options.coverage === true || failUnder !== undefined,
    allowUnemulated: options.allowUnemulated === true,
    ...(seed === undefined ? {} : { seed }),
    devCerts: options.devCerts === true,
    ...(gatewayLabels === undefined ? {} : { compile: { proxy: { labels: gatewayLabels } } }),
  };
}

function pattern(grep: string): RegExp {
  try {
    return new RegExp(grep);
  } catch {
    throw new OptionError('grep', `runContract: grep: ${grep}: no regular expression`);
  }
}

interface Output {
  readonly reporter: ContractReporter;
  readonly file: string | undefined;
  readonly text: string[];
}

async function openOutput(written: string): Promise<Output> {
  const { name, file } = parseReporter(written);
  const text: string[] = [];
  const reporter = await createReporter(name, (more) => text.push(more), { color: false, progress: false });
  return { reporter, file, text };
}

/** 'junit:build/report.xml'. Throws an OptionError. */
export function parseReporter(written: string): { readonly name: ReporterName; readonly file: string | undefined } {
  const colon = written.indexOf(':');
  const word = colon === -1 ? written : written.slice(0, colon);
  const name = REPORTERS.find((known) => known === word);
  const file = colon === -1 ? undefined : written.slice(colon + 1);
  if (name !== undefined && file !== '') return { name, file };
  throw new OptionError('reporters', `${written}: expected one of ${REPORTERS.join(', ')}, with :FILE or without`);
}
