// Annotations of GitHub Actions, on the line of the contract (or configuration) that is at fault.
import type { Origin } from '../../diagnostics/origin.js';
import { type ContractReporter, type Report, summaryOf, type Write } from '../report.js';
import type { TestResult } from '../result.js';
import { failureDetails, failureLine, failureTitle } from './failure-text.js';

export class GithubReporter implements ContractReporter {
  private readonly write: Write;

  constructor(write: Write) {
    this.write = write;
  }

  end(report: Report): void {
    for (const { tests, unemulated } of report.results) {
      for (const test of tests) for (const line of testLines(test)) this.write(`${line}\n`);
      for (const { message, origin, code } of unemulated) this.write(`${annotation('error', code, message, origin)}\n`);
    }
    const { coverage, failUnder } = report;
    if (coverage !== undefined && failUnder !== undefined && coverage < failUnder) {
      const text = `coverage ${coverage.toFixed(1)} % is below ${failUnder} %`;
      this.write(`${annotation('error', 'coverage', text, undefined)}\n`);
    }
    this.write(`${annotation('notice', 'postern test', summaryOf(report.counts), undefined)}\n`);
  }
}

function testLines(test: TestResult): readonly string[] {
  if (test.outcome === 'unexpectedPass') return [annotation('error', test.name, failureTitle(test), test.origin)];
  if (test.outcome !== 'failed') return [];
  const details = failureDetails(test).join('\n');
  const failures = test.steps.flatMap((step) => step.failures);
  // The whole story once, then a line for each further expectation.
  return failures.map((failure, index) => {
    const text = index === 0 ? `${failureLine(failure)}\n${details}` : failureLine(failure);
    return annotation('error', test.name, text, failure.origin);
  });
}

function annotation(kind: 'error' | 'notice', title: string, message: string, origin: Origin | undefined): string {
  const properties = [
    ...(origin === undefined
      ? []
      : [
          `file=${property(origin.file)}`,
          `line=${origin.line}`,
          `col=${origin.column}`,
          ...(origin.endLine === undefined ? [] : [`endLine=${origin.endLine}`]),
        ]),
    `title=${property(title)}`,
  ];
  return `::${kind} ${properties.join(',')}::${data(message)}`;
}

// The escapes of the runner's own toolkit.
function data(text: string): string {
  return text.replaceAll('%', '%25').replaceAll('\r', '%0D').replaceAll('\n', '%0A');
}

function property(text: string): string {
  return data(text).replaceAll(':', '%3A').replaceAll(',', '%2C');
}
