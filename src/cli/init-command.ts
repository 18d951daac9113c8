// `postern init`: a first contract from the loaded configuration, which then passes.
import { existsSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { Command } from 'commander';
import { decodeContract } from '../contract/decode-contract.js';
import { isFailed, runContract } from '../contract/run-contract.js';
import { findUnemulated } from '../contract/unemulated.js';
import { silentStubs } from '../gateway/stubs.js';
import { addConfigOptions, type ConfigFlags, compileSources, configPaths, loadSources } from './config-options.js';
import { BAD_INPUT, CommandError, NOT_FOUND, OK, USAGE } from './exit-codes.js';
import { type FirstTest, firstTests, quote, renderFirstContract } from './first-contract.js';

interface InitFlags extends ConfigFlags {
  readonly output: string;
  readonly force: boolean;
}

export function initCommand(): Command {
  return addConfigOptions(
    new Command('init')
      .description('write a first contract from the loaded configuration')
      .argument('[PATH...]', 'files or folders with Istio YAML'),
  )
    .option('-o, --output <FILE|->', 'where to write', 'gateway.contract.yaml')
    .option('--force', 'write over a file that is there', false)
    .action(async (paths: readonly string[], flags: InitFlags) => {
      const files = configPaths(paths, flags);
      if (files.includes('-')) {
        throw new CommandError(USAGE, 'a contract names its configuration, so it must be files or folders');
      }
      if (flags.output !== '-' && !flags.force && existsSync(flags.output)) {
        throw new CommandError(USAGE, `${flags.output} is there already; choose another with -o FILE, or --force`);
      }
      const { text, kept, dropped } = await writeContract(files, flags);
      if (flags.output === '-') process.stdout.write(text);
      else {
        try {
          await mkdir(path.dirname(flags.output), { recursive: true });
          await writeFile(flags.output, text);
        } catch (error) {
          const reason = error instanceof Error ? error.message : String(error);
          throw new CommandError(NOT_FOUND, `cannot write ${flags.output}: ${reason}`);
        }
      }
      const left = dropped === 0 ? '' : `, ${dropped} left out because a run came to something else`;
      const next = flags.output === '-' ? '' : `; run them with: postern test ${flags.output}`;
      process.stderr.write(`${kept} test${kept === 1 ? '' : 's'}${left}${next}\n`);
      process.exitCode = OK;
    });
}

async function writeContract(
  files: readonly string[],
  flags: InitFlags,
): Promise<{ readonly text: string; readonly kept: number; readonly dropped: number }> {
  const sources = await loadSources(files);
  const compiled = await compileSources(sources, flags, silentStubs());
  const namespace = flags.namespace;
  const origin = { file: '', line: 1, column: 1 };
  const { exceptions } = findUnemulated(sources, compiled, [], origin, namespace);
  const folder = flags.output === '-' ? '.' : path.dirname(flags.output);
  const config = files.map((file) => path.relative(folder, file) || '.');
  const render = (tests: readonly FirstTest[]): string =>
    renderFirstContract(tests, { config, devCerts: flags.devCerts, exceptions, gateway: workloadLines(flags, folder) });
  const tests = firstTests(compiled);
  if (tests.length === 0) {
    throw new CommandError(
      BAD_INPUT,
      'no host is served, so there is nothing to expect: is a Gateway for this workload loaded?',
    );
  }
  const passing = await whatPasses(tests, render, path.join(folder, 'first.contract.yaml'));
  if (passing.length === 0) throw new CommandError(BAD_INPUT, 'no test that could be written passes');
  return { text: render(passing), kept: passing.length, dropped: tests.length - passing.length };
}

/** What the flags say of the gateway's workload, as a contract has it. */
function workloadLines(flags: InitFlags, folder: string): readonly string[] {
  const map = (written: readonly string[]): string =>
    written
      .map((text) => `${quote(text.slice(0, text.indexOf('=')))}: ${quote(text.slice(text.indexOf('=') + 1))}`)
      .join(', ');
  const file = (name: string): string => quote(path.relative(folder, name));
  return [
    ...(flags.gatewayLabel.length === 0 ? [] : [`gatewayLabels: { ${map(flags.gatewayLabel)} }`]),
    ...(flags.nodeMetadata.length === 0 ? [] : [`nodeMetadata: { ${map(flags.nodeMetadata)} }`]),
    ...(flags.gatewayNamespace === 'istio-system' ? [] : [`gatewayNamespace: ${quote(flags.gatewayNamespace)}`]),
    ...(flags.namespace === 'default' ? [] : [`namespace: ${quote(flags.namespace)}`]),
    ...(flags.meshConfig === undefined ? [] : [`meshConfig: ${file(flags.meshConfig)}`]),
    ...(flags.workloadCerts === undefined ? [] : [`workloadCerts: ${file(flags.workloadCerts)}`]),
    ...(flags.assumeServices === undefined ? [] : [`assumeServices: ${flags.assumeServices}`]),
  ];
}

/** Through real listeners: what is written must be what happens. */
async function whatPasses(
  tests: readonly FirstTest[],
  render: (tests: readonly FirstTest[]) => string,
  file: string,
): Promise<readonly FirstTest[]> {
  const { contract, diagnostics } = decodeContract(file, render(tests));
  if (contract === undefined)
    throw new Error(`the contract that was written is wrong: ${diagnostics[0]?.message ?? ''}`);
  const result = await runContract(contract);
  const failed = new Set(result.tests.filter(({ outcome }) => isFailed(outcome)).map(({ name }) => name));
  return tests.filter(({ name }) => !failed.has(name));
}
