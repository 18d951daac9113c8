// `postern test`: contract files against their configuration, with reporters, filters, coverage and watch.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { Command, Option } from 'commander';
import type { Contract } from '../contract/contract.js';
import { ContractError } from '../contract/contract-error.js';
import { findContracts } from '../contract/find-contracts.js';
import { buildReport, type ContractReporter } from '../contract/report.js';
import { createReporter, REPORTERS, type ReporterName } from '../contract/reporters/create-reporter.js';
import type { ContractResult } from '../contract/result.js';
import { isFailed, type RunOptions, readContract, runContract, selectTests } from '../contract/run-contract.js';
import { parseReporter } from '../contract/run-files.js';
import { AllowedButNotInUse } from '../diagnostics/catalogue.js';
import { renderDiagnostics } from '../diagnostics/render.js';
import { type CompileOptions, ConfigError } from '../gateway/compile.js';
import { OptionError } from '../gateway/option-error.js';
import { readSources } from '../gateway/sources.js';
import { watchSources } from '../gateway/watch.js';
import { isLoopback } from '../xds/index.js';
import { parsePorts } from './bind-options.js';
import { addConfigOptions, type ConfigFlags, compileOptions, loadSources } from './config-options.js';
import {
  BAD_INPUT,
  CommandError,
  INTERRUPTED,
  NOT_FOUND,
  NOT_PERMITTED,
  OK,
  PORT_IN_USE,
  USAGE,
} from './exit-codes.js';

const CONTRACT_FAILED = 1;

interface TestFlags extends ConfigFlags {
  readonly mode: 'decide' | 'run';
  readonly reporter: readonly string[];
  readonly grep?: string;
  readonly tag: readonly string[];
  readonly bail: boolean;
  readonly coverage: boolean;
  readonly failUnder?: string;
  readonly watch: boolean;
  readonly allowUnemulated: boolean;
  readonly seed: string;
  readonly port: readonly string[];
}

const collectValues = (value: string, previous: readonly string[]): readonly string[] => [...previous, value];

export function testCommand(): Command {
  return addConfigOptions(
    new Command('test')
      .description('run contract files; nothing leaves loopback')
      .argument('[CONTRACT...]', 'contract files, or folders with *.contract.yaml (default: this folder)'),
  )
    .addOption(
      new Option('--mode <MODE>', 'decide: no socket, what is computable; run: through real listeners')
        .choices(['decide', 'run'])
        .default('run'),
    )
    .addOption(
      new Option('--reporter <NAME[:FILE]>', `${REPORTERS.join(', ')} (repeatable)`)
        .default([] as readonly string[], 'pretty')
        .argParser(collectValues),
    )
    .option('--grep <REGEXP>', 'only tests whose name fits')
    .addOption(
      new Option('--tag <TAG>', 'only tests with this tag (repeatable: any of them)')
        .default([] as readonly string[], 'all')
        .argParser(collectValues),
    )
    .option('--bail', 'stop after the first failure', false)
    .option('--coverage', 'say which servers, hosts and match blocks no test reaches', false)
    .option('--fail-under <PERCENT>', 'fail when less of them is reached (implies --coverage)')
    .option('--watch', 'run again when a file changes', false)
    .option('--allow-unemulated', 'accept what is in use and not emulated', false)
    .option('--seed <NUMBER>', 'of chance in run mode', '1')
    .addOption(
      new Option('--port <PORT=PORT>', 'bind a server port there, 443=8443 (repeatable; default: any free port)')
        .default([] as readonly string[], 'none')
        .argParser(collectValues),
    )
    .action(async (paths: readonly string[], flags: TestFlags, command: Command) => {
      const plan = await planRun(flags, command);
      const once = (): Promise<number> => runOnce(paths, plan);
      process.exitCode = flags.watch ? await watch(paths, once) : await once();
    });
}

interface Plan {
  readonly options: RunOptions;
  readonly reporters: readonly { readonly name: ReporterName; readonly file: string | undefined }[];
  readonly failUnder: number | undefined;
}

async function planRun(flags: TestFlags, command: Command): Promise<Plan> {
  const reporters = (flags.reporter.length === 0 ? ['pretty'] : flags.reporter).map(readReporter);
  const failUnder = flags.failUnder === undefined ? undefined : percent(flags.failUnder);
  const seed = Number(flags.seed);
  if (!Number.isInteger(seed) || seed < 0) throw new CommandError(USAGE, `--seed ${flags.seed}: expected a number`);
  const compile = await changesOf(flags, command);
  const options: RunOptions = {
    mode: flags.mode,
    ...(flags.grep === undefined ? {} : { grep: pattern(flags.grep) }),
    tags: flags.tag,
    bail: flags.bail,
    coverage: flags.coverage || failUnder !== undefined,
    allowUnemulated: flags.allowUnemulated,
    seed,
    ports: parsePorts(flags.port),
    config: flags.filename.length === 0 ? [] : await loadSources(flags.filename),
    compile,
    devCerts: flags.devCerts,
    ...(flags.stubs ? {} : { stubs: false }),
  };
  return { options, reporters, failUnder };
}

/** Only what was said on the command line; the rest is the contract's. */
async function changesOf(flags: TestFlags, command: Command): Promise<CompileOptions> {
  const all = await compileOptions(flags);
  const isSaid = (name: string): boolean => command.getOptionValueSource(name) === 'cli';
  for (const { text, targets } of all.upstreams ?? []) {
    if (targets.every(({ address }) => isLoopback(address))) continue;
    throw new CommandError(USAGE, `--upstream ${text}: postern test never leaves loopback`);
  }
  const { namespace: _namespace, ...proxy } = all.proxy ?? {};
  return {
    ...all,
    namespace: isSaid('namespace') ? all.namespace : undefined,
    proxy: { ...proxy, ...(isSaid('gatewayNamespace') ? { namespace: flags.gatewayNamespace } : {}) },
  };
}

async function runOnce(paths: readonly string[], plan: Plan): Promise<number> {
  const started = performance.now();
  const { options, failUnder } = plan;
  const results: ContractResult[] = [];
  try {
    const contracts = await readContracts(paths);
    const total = contracts.reduce((sum, contract) => sum + selectTests(contract, options).length, 0);
    if (total === 0) {
      const filters = [
        ...(options.grep === undefined ? [] : [`--grep ${options.grep.source}`]),
        ...(options.tags ?? []).map((tag) => `--tag ${tag}`),
      ];
      throw new CommandError(USAGE, `${filters.join(' ')}: no test fits`);
    }
    const outputs = await Promise.all(plan.reporters.map(openReporter));
    for (const contract of contracts) {
      const selected = selectTests(contract, options).length;
      if (selected === 0) continue;
      for (const { reporter } of outputs) reporter.begin?.(contract.file, selected);
      const result = await runContract(contract, {
        ...options,
        onTest: (test) => {
          for (const { reporter } of outputs) reporter.test?.(test);
        },
      });
      results.push(result);
      const left = result.diagnostics.filter(({ code }) => code === AllowedButNotInUse.code);
      if (left.length > 0) process.stderr.write(renderDiagnostics(left, textOf));
      if (options.bail === true && result.tests.some(({ outcome }) => isFailed(outcome))) break;
    }
    const report = buildReport(results, performance.now() - started, failUnder);
    for (const { reporter, close } of outputs) {
      reporter.end(report);
      close();
    }
    return report.ok ? OK : CONTRACT_FAILED;
  } catch (error) {
    throw toCommandError(error);
  }
}

async function readContracts(paths: readonly string[]): Promise<readonly Contract[]> {
  const files = await findContracts(paths.length === 0 ? ['.'] : paths);
  if (files.length === 0) {
    throw new CommandError(
      USAGE,
      'no contract file: name one, or a folder with *.contract.yaml (postern init writes a first one)',
    );
  }
  const contracts: Contract[] = [];
  const errors: ContractError[] = [];
  for (const file of files) {
    try {
      contracts.push(await readContract(file));
    } catch (error) {
      if (!(error instanceof ContractError)) throw error;
      errors.push(error);
    }
  }
  const first = errors[0];
  if (first === undefined) return contracts;
  throw new ContractError(
    errors.flatMap(({ diagnostics }) => diagnostics),
    errors.map(({ message }) => message).join('; '),
    first.code,
  );
}

function toCommandError(error: unknown): unknown {
  if (error instanceof ConfigError) {
    process.stderr.write(renderDiagnostics(error.diagnostics, textOf));
    return new CommandError(BAD_INPUT, error.message);
  }
  if (!(error instanceof ContractError)) return error;
  process.stderr.write(renderDiagnostics(error.diagnostics, textOf));
  switch (error.code) {
    case 'ENOENT':
      return new CommandError(NOT_FOUND, error.message);
    case 'EADDRINUSE':
      return new CommandError(PORT_IN_USE, `${error.message}; leave --port out and any free port will do`);
    case 'EACCES':
      return new CommandError(NOT_PERMITTED, error.message);
    default:
      return new CommandError(BAD_INPUT, error.message);
  }
}

/** For code frames. */
function textOf(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
}

function readReporter(written: string): Plan['reporters'][number] {
  try {
    return parseReporter(written);
  } catch (error) {
    if (error instanceof OptionError) throw new CommandError(USAGE, `--reporter ${error.message}`);
    throw error;
  }
}

async function openReporter({
  name,
  file,
}: Plan['reporters'][number]): Promise<{ reporter: ContractReporter; close: () => void }> {
  if (file === undefined) {
    const isTerminal = process.stdout.isTTY === true;
    const { FORCE_COLOR: forced, NO_COLOR: none = '' } = process.env;
    const color = forced === undefined ? isTerminal && none === '' : forced !== '0';
    const write = (text: string): void => void process.stdout.write(text);
    return {
      reporter: await createReporter(name, write, { color, progress: isTerminal && process.env['CI'] === undefined }),
      close: () => {},
    };
  }
  let text = '';
  const write = (more: string): void => {
    text += more;
  };
  const close = (): void => {
    try {
      mkdirSync(path.dirname(file), { recursive: true });
      writeFileSync(file, text);
    } catch (error) {
      throw new CommandError(
        NOT_FOUND,
        `cannot write ${file}: ${error instanceof Error ? error.message : String(error)}`,
      );
    }
  };
  return { reporter: await createReporter(name, write, { color: false, progress: false }), close };
}

function pattern(written: string): RegExp {
  try {
    return new RegExp(written);
  } catch {
    throw new CommandError(USAGE, `--grep ${written}: no regular expression`);
  }
}

function percent(written: string): number {
  const number = Number(written.replace(/%$/, ''));
  if (written === '' || !(number >= 0 && number <= 100)) {
    throw new CommandError(USAGE, `--fail-under ${written}: expected per cent from 0 to 100`);
  }
  return number;
}

/** Until the first signal. Mistakes are said, and the next change is waited for. */
async function watch(paths: readonly string[], once: () => Promise<number>): Promise<number> {
  let stop = (): void => {};
  const stopped = new Promise<'stopped'>((resolve) => {
    stop = () => resolve('stopped');
  });
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, stop);
  for (;;) {
    // Read before the run: what changes while it runs is a change. A contract may name other configuration now.
    const files = await watchedFiles(paths);
    const loaded = await readSources(files).catch(() => []);
    try {
      await once();
    } catch (error) {
      if (!(error instanceof CommandError)) throw error;
      process.stderr.write(`postern: ${error.message}\n`);
    }
    let notice = (): void => {};
    const changed = new Promise<'changed'>((resolve) => {
      notice = () => resolve('changed');
    });
    const watching = watchSources(files, loaded, () => notice());
    process.stderr.write('waiting for changes\n');
    const what = await Promise.race([changed, stopped]);
    await watching.close();
    if (what === 'stopped') return INTERRUPTED;
  }
}

/** Contracts and the configuration that they name. */
async function watchedFiles(paths: readonly string[]): Promise<readonly string[]> {
  const contracts = await findContracts(paths.length === 0 ? ['.'] : paths);
  const config = contracts.map((file) =>
    readContract(file).then(
      (contract) => contract.config,
      () => [],
    ),
  );
  return [...contracts, ...(await Promise.all(config)).flat()];
}
