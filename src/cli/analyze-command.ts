// `postern analyze` (alias lint, validate): what the API server, istiod's webhook and `istioctl analyze` would say of
// these files, and what postern has to add. Spec validation.md §10.
import { Command, Option } from 'commander';
import type { Source } from '../config/load.js';
import * as catalogue from '../diagnostics/catalogue.js';
import type { Diagnostic, Severity } from '../diagnostics/diagnostic.js';
import { renderGithub } from '../diagnostics/github.js';
import { diagnosticToJson, renderDiagnostic, renderDiagnostics, summarizeDiagnostics } from '../diagnostics/render.js';
import { type AnalysisOptions, type AnalysisResult, AnalysisSession, parseSuppression } from '../gateway/analysis.js';
import { readSources } from '../gateway/sources.js';
import { watchSources } from '../gateway/watch.js';
import { addConfigOptions, type ConfigFlags, compileOptions, configPaths, loadSources } from './config-options.js';
import { BAD_INPUT, CommandError, FINDINGS, INTERRUPTED, OK, USAGE } from './exit-codes.js';
import { Progress } from './progress.js';

type Format = 'text' | 'json' | 'github' | 'junit';

interface AnalyzeFlags extends ConfigFlags {
  readonly output: Format;
  readonly failureThreshold: string;
  readonly suppress: readonly string[];
  readonly watch: boolean;
}

export function analyzeCommand(): Command {
  return addConfigOptions(
    new Command('analyze')
      .aliases(['lint', 'validate'])
      .description('what istiod, kubectl or `istioctl analyze` would say')
      .argument('[PATH...]', 'files or folders with Istio YAML, or - for standard input'),
  )
    .addOption(
      new Option('-o, --output <FORMAT>', 'format').choices(['text', 'json', 'github', 'junit']).default('text'),
    )
    .option('--failure-threshold <LEVEL>', 'findings from this level on exit 79: Error, Warning, Info', 'Error')
    .addOption(
      new Option(
        '-S, --suppress <CODE=KIND NAMESPACE/NAME>',
        'say nothing of this code there; * is any text (repeatable)',
      )
        .default([] as readonly string[], 'none')
        .argParser((value: string, previous: readonly string[]) => [...previous, value]),
    )
    .option('--watch', 'look again whenever a file changes', false)
    .action(async (paths: readonly string[], flags: AnalyzeFlags, command: Command) => {
      const isSelected = command.getOptionValueSource('namespace') === 'cli';
      process.exitCode = await analyze(paths, flags, isSelected ? flags.namespace : undefined);
    });
}

async function analyze(
  paths: readonly string[],
  flags: AnalyzeFlags,
  selectedNamespace: string | undefined,
): Promise<number> {
  const files = configPaths(paths, flags);
  const threshold = parseThreshold(flags.failureThreshold);
  const progress = new Progress(process.stderr);
  const options: AnalysisOptions = {
    ...(await compileOptions(flags)),
    selectedNamespace,
    suppressions: parseSuppressions(flags.suppress),
    progress: (done, total) => progress.show(`analyzing: ${done} of ${total} files`),
  };
  const session = new AnalysisSession();
  const look = async (sources: readonly Source[]): Promise<number> => {
    const result = await session.analyze(sources, options);
    progress.clear();
    process.stdout.write(await render(result, sources, flags.output, threshold));
    process.stderr.write(renderSummary(result, flags.output === 'text'));
    return exitCodeOf(result.diagnostics, threshold);
  };
  const sources = await loadSources(files);
  const code = await look(sources);
  return flags.watch ? keepLooking(files, sources, look) : code;
}

/** Looks again after each change, until it is interrupted. */
async function keepLooking(
  files: readonly string[],
  first: readonly Source[],
  look: (sources: readonly Source[]) => Promise<number>,
): Promise<number> {
  const fixed = first.filter(({ file }) => file === '-');
  const watch = watchSources(files, first, async () => {
    try {
      await look([...fixed, ...(await readSources(files.filter((file) => file !== '-')))]);
    } catch (error) {
      process.stderr.write(`postern: ${error instanceof Error ? error.message : String(error)}\n`);
    }
  });
  await new Promise<void>((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => resolve());
  });
  await watch.close();
  return INTERRUPTED;
}

const RANK: Readonly<Record<Severity, number>> = { error: 0, warning: 1, info: 2 };

function parseThreshold(written: string): Severity {
  const word = written.toLowerCase();
  if (word === 'error' || word === 'warning' || word === 'info') return word;
  throw new CommandError(USAGE, `--failure-threshold ${written}: expected Error, Warning or Info`);
}

function parseSuppressions(written: readonly string[]): AnalysisOptions['suppressions'] {
  const known = new Set(Object.values(catalogue).map(({ code }) => code));
  return written.map((text) => {
    const suppression = parseSuppression(text);
    if (suppression === undefined)
      throw new CommandError(
        USAGE,
        `--suppress ${text}: expected CODE=KIND NAMESPACE/NAME, as in "IST0102=Pod shop/*"`,
      );
    if (!known.has(suppression.code))
      process.stderr.write(
        `Warning: Supplied message code '${suppression.code}' is an unknown message code and will not have any effect.\n`,
      );
    return suppression;
  });
}

function exitCodeOf(diagnostics: readonly Diagnostic[], threshold: Severity): number {
  if (diagnostics.some(isRefusal)) return BAD_INPUT;
  return diagnostics.some(({ severity }) => RANK[severity] <= RANK[threshold]) ? FINDINGS : OK;
}

/** What keeps an object out of a cluster; analyzers never say that. */
function isRefusal({ severity, refusedBy }: Diagnostic): boolean {
  return severity === 'error' && refusedBy !== undefined;
}

async function render(
  { diagnostics }: AnalysisResult,
  sources: readonly Source[],
  format: Format,
  threshold: Severity,
): Promise<string> {
  switch (format) {
    case 'text':
      return renderDiagnostics(diagnostics, sources, { color: hasColor(process.stdout) });
    case 'json':
      return `${JSON.stringify(diagnostics.map(diagnosticToJson), null, 1)}\n`;
    case 'github':
      return renderGithub(diagnostics);
    case 'junit':
      return renderJunitReport(diagnostics, sources, threshold);
    default: {
      const unreachable: never = format;
      return unreachable;
    }
  }
}

async function renderJunitReport(
  diagnostics: readonly Diagnostic[],
  sources: readonly Source[],
  threshold: Severity,
): Promise<string> {
  const { renderJunit } = await import('../diagnostics/junit.js');
  const suites = sources.map(({ file }) => {
    const own = diagnostics.filter(({ origin }) => origin?.file === file);
    const failing = own.filter((one) => isRefusal(one) || RANK[one.severity] <= RANK[threshold]);
    const passing = own.filter((one) => !failing.includes(one));
    const cases = failing.map((one) => ({
      name: `${one.code} ${one.origin?.resource ?? file}:${one.origin?.line ?? 1}`,
      classname: file,
      outcome: {
        kind: isRefusal(one) ? ('error' as const) : ('failure' as const),
        message: one.message,
        type: one.code,
        details: renderDiagnostic(one, sources),
      },
    }));
    return {
      name: file,
      cases: cases.length === 0 ? [{ name: file, classname: file }] : cases,
      systemOut: renderDiagnostics(passing, sources),
    };
  });
  return renderJunit(suites);
}

function renderSummary({ diagnostics, hidden, suppressed, load }: AnalysisResult, isText: boolean): string {
  const lines: string[] = [];
  if (isText) {
    const objects = load.counts.documents;
    const found = summarizeDiagnostics(diagnostics);
    const infos = diagnostics.filter(({ severity }) => severity === 'info').length;
    const all = [found, infos === 0 ? '' : `${infos} note${infos === 1 ? '' : 's'}`].filter((text) => text !== '');
    const looked = `${objects} object${objects === 1 ? '' : 's'}`;
    lines.push(all.length === 0 ? `✔ nothing to report in ${looked}` : `${all.join(', ')} in ${looked}`);
  }
  if (hidden > 0) lines.push(`${hidden} finding${hidden === 1 ? '' : 's'} on objects of other namespaces not shown`);
  if (suppressed > 0) lines.push(`${suppressed} finding${suppressed === 1 ? '' : 's'} suppressed`);
  return lines.map((line) => `${line}\n`).join('');
}

function hasColor(stream: NodeJS.WriteStream): boolean {
  const { NO_COLOR, FORCE_COLOR } = process.env;
  if (FORCE_COLOR !== undefined && FORCE_COLOR !== '' && FORCE_COLOR !== '0') return true;
  return stream.isTTY === true && (NO_COLOR === undefined || NO_COLOR === '');
}
