// TAP 14: one subtest per file, YAML blocks with what failed.
import { type ContractReporter, type Report, summaryOf, type Write } from '../report.js';
import type { ContractResult, TestResult } from '../result.js';
import { failureDetails, failureTitle } from './failure-text.js';

export class TapReporter implements ContractReporter {
  private readonly write: Write;

  constructor(write: Write) {
    this.write = write;
  }

  end(report: Report): void {
    const lines = ['TAP version 14', `1..${report.results.length + (belowThreshold(report) ? 1 : 0)}`];
    for (const [index, result] of report.results.entries()) {
      const points = pointsOf(result);
      lines.push(`# Subtest: ${escaped(result.file)}`, `    1..${points.length}`);
      for (const [position, point] of points.entries()) {
        lines.push(...point.lines(position + 1).map((line) => `    ${line}`));
      }
      lines.push(`${points.every(({ ok }) => ok) ? 'ok' : 'not ok'} ${index + 1} - ${escaped(result.file)}`);
    }
    if (belowThreshold(report)) {
      const text = `coverage ${report.coverage?.toFixed(1)} % is below ${report.failUnder} %`;
      lines.push(`not ok ${report.results.length + 1} - ${text}`);
    }
    lines.push(`# ${summaryOf(report.counts)}`);
    this.write(`${lines.join('\n')}\n`);
  }
}

interface Point {
  /** Whether the parent passes: a known bug is `not ok # TODO`, which does not count. */
  readonly ok: boolean;
  lines(number: number): readonly string[];
}

function pointsOf(result: ContractResult): readonly Point[] {
  const points = result.tests.map(testPoint);
  if (result.unemulated.length === 0) return points;
  const list = result.unemulated.map(({ message, origin }) =>
    origin === undefined ? message : `${origin.file}:${origin.line}: ${message}`,
  );
  return [
    ...points,
    {
      ok: false,
      lines: (number) => [
        `not ok ${number} - nothing in use that is not emulated`,
        ...yamlBlock({ message: 'in use and not emulated', list }),
      ],
    },
  ];
}

function testPoint(test: TestResult): Point {
  const name = escaped(test.name);
  const reason = escaped(test.reason ?? '');
  switch (test.outcome) {
    case 'passed':
      return { ok: true, lines: (number) => [`ok ${number} - ${name}`] };
    case 'skipped':
      return { ok: true, lines: (number) => [`ok ${number} - ${name} # SKIP ${reason}`] };
    case 'knownBug':
      return { ok: true, lines: (number) => [`not ok ${number} - ${name} # TODO ${reason}`] };
    case 'unexpectedPass':
    case 'failed': {
      const failures = test.steps.flatMap((step) => step.failures);
      const at = failures[0]?.origin ?? test.origin;
      return {
        ok: false,
        lines: (number) => [
          `not ok ${number} - ${name}`,
          ...yamlBlock({
            message: failureTitle(test),
            at: { fileName: at.file, lineNumber: at.line, columnNumber: at.column },
            failures: failures.map(({ path, expected, actual }) => ({ path, expected, actual })),
            details: failureDetails(test),
          }),
        ],
      };
    }
    default:
      return test.outcome satisfies never;
  }
}

/** JSON is YAML, and quotes everything that needs it. */
function yamlBlock(entries: Readonly<Record<string, unknown>>): readonly string[] {
  return ['  ---', ...Object.entries(entries).map(([key, value]) => `  ${key}: ${JSON.stringify(value)}`), '  ...'];
}

function escaped(text: string): string {
  return text.replace(/[\r\n]+/g, ' ').replace(/[\\#]/g, '\\$&');
}

function belowThreshold({ coverage, failUnder }: Report): boolean {
  return coverage !== undefined && failUnder !== undefined && coverage < failUnder;
}
