// For people: one line per test as it ends, what failed in full, coverage and a summary.
import { type ContractReporter, coverageItems, type Report, summaryOf, type Write } from '../report.js';
import type { CoverageItem, TestResult } from '../result.js';
import { failureDetails, failureTitle } from './failure-text.js';

/** How to write. */
export interface PrettyOptions {
  /** ANSI colours. */
  readonly color: boolean;
  /** A line that is written over as the run goes on: for terminals. */
  readonly progress: boolean;
}

const ANSI = { good: '32', bad: '31', warn: '33', faint: '2', strong: '1' } as const;

export class PrettyReporter implements ContractReporter {
  private readonly write: Write;
  private readonly options: PrettyOptions;
  private total = 0;
  private done = 0;

  constructor(write: Write, options: PrettyOptions) {
    this.write = write;
    this.options = options;
  }

  begin(file: string, total: number): void {
    this.total = total;
    this.done = 0;
    this.write(`${this.paint('strong', file)}\n`);
    this.showProgress();
  }

  test(result: TestResult): void {
    this.done++;
    this.eraseProgress();
    this.write(`${this.lines(result).join('\n')}\n`);
    this.showProgress();
  }

  end(report: Report): void {
    this.eraseProgress();
    for (const { unemulated, file } of report.results) {
      if (unemulated.length === 0) continue;
      this.write(`${this.paint('bad', `${file}: in use and not emulated`)}\n`);
      for (const { message, origin, help } of unemulated) {
        const place = origin === undefined ? '' : `${origin.file}:${origin.line}: `;
        this.write(`  ${place}${harmless(message)}\n`);
        if (help !== undefined && unemulated.at(-1)?.message === message)
          this.write(`  ${this.paint('faint', `help: ${help}`)}\n`);
      }
    }
    const items = coverageItems(report.results);
    if (items !== undefined) this.writeCoverage(items, report);
    const seconds = (report.milliseconds / 1000).toFixed(report.milliseconds < 10_000 ? 2 : 0);
    const bailed = report.results.some((result) => result.bailed) ? ', stopped at the first failure' : '';
    this.write(`${this.paint(report.ok ? 'good' : 'bad', summaryOf(report.counts))} (${seconds} s${bailed})\n`);
  }

  private lines(result: TestResult): readonly string[] {
    const name = harmless(result.name);
    const reason = harmless(result.reason ?? '');
    switch (result.outcome) {
      case 'passed': {
        const unjudged = [...new Set(result.steps.flatMap((step) => step.unjudged))];
        const note =
          unjudged.length === 0 ? '' : this.paint('faint', ` (not computable: ${harmless(unjudged.join('; '))})`);
        const slow = result.milliseconds > 200 ? this.paint('faint', ` ${Math.round(result.milliseconds)} ms`) : '';
        return [`  ${this.paint('good', '✓')} ${name}${slow}${note}`];
      }
      case 'skipped':
        return [`  ${this.paint('warn', '-')} ${name} ${this.paint('faint', `skipped: ${reason}`)}`];
      case 'knownBug':
        return [`  ${this.paint('warn', '~')} ${name} ${this.paint('faint', `known bug: ${reason}`)}`];
      case 'unexpectedPass':
      case 'failed':
        return [
          `  ${this.paint('bad', '✗')} ${name}`,
          ...(result.outcome === 'unexpectedPass' ? [`      ${harmless(failureTitle(result))}`] : []),
          ...failureDetails(result).map((line) => `      ${harmless(line)}`),
        ];
      default:
        return result.outcome satisfies never;
    }
  }

  private writeCoverage(items: readonly CoverageItem[], report: Report): void {
    const { coverage = 100, failUnder } = report;
    const words = { server: 'servers', host: 'hosts', match: 'match blocks' } as const;
    const parts = (['server', 'host', 'match'] as const).map((kind) => {
      const all = items.filter((item) => item.kind === kind);
      return `${words[kind]} ${all.filter(({ reached }) => reached).length}/${all.length}`;
    });
    const missed = failUnder !== undefined && coverage < failUnder ? `, below ${failUnder} %` : '';
    this.write(
      `${this.paint(missed === '' ? 'strong' : 'bad', `coverage ${coverage.toFixed(1)} %${missed}`)}: ${parts.join(', ')}\n`,
    );
    for (const { kind, name, origin, reached } of items) {
      if (reached) continue;
      const place = origin === undefined ? '' : ` (${origin.file}:${origin.line})`;
      this.write(`  no test reaches ${kind === 'match' ? 'match block' : kind} ${harmless(name)}${place}\n`);
    }
  }

  private showProgress(): void {
    if (this.options.progress && this.done < this.total) this.write(`  … ${this.done}/${this.total}`);
  }

  private eraseProgress(): void {
    if (this.options.progress) this.write('\r\u001b[2K');
  }

  private paint(style: keyof typeof ANSI, text: string): string {
    return this.options.color ? `\u001b[${ANSI[style]}m${text}\u001b[0m` : text;
  }
}

/** What servers and users wrote must not move a terminal's cursor. */
function harmless(text: string): string {
  return text.replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g, '\ufffd');
}
