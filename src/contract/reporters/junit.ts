// JUnit XML: one suite per file.
import { type JunitCase, renderJunit } from '../../diagnostics/junit.js';
import type { ContractReporter, Report, Write } from '../report.js';
import type { ContractResult, TestResult } from '../result.js';
import { failureDetails, failureTitle } from './failure-text.js';

export class JunitReporter implements ContractReporter {
  private readonly write: Write;
  private readonly started = Date.now();

  constructor(write: Write) {
    this.write = write;
  }

  end(report: Report): void {
    const suites = report.results.map((result) => ({
      name: result.file,
      timestamp: this.started,
      time: result.milliseconds / 1000,
      properties: { mode: result.mode },
      cases: [...result.tests.map(toCase), ...unemulatedCase(result)],
    }));
    const { coverage, failUnder } = report;
    if (coverage !== undefined && failUnder !== undefined) {
      const message = `coverage ${coverage.toFixed(1)} % is below ${failUnder} %`;
      const outcome = coverage < failUnder ? { outcome: { kind: 'failure' as const, message } } : {};
      suites.push({
        name: 'coverage',
        timestamp: this.started,
        time: 0,
        properties: { mode: 'run' },
        cases: [{ name: `at least ${failUnder} % of the configuration is reached`, ...outcome }],
      });
    }
    this.write(renderJunit(suites));
  }
}

function toCase(test: TestResult): JunitCase {
  const common = { name: test.name, classname: test.file, time: test.milliseconds / 1000 };
  switch (test.outcome) {
    case 'passed':
      return common;
    case 'skipped':
      return { ...common, outcome: { kind: 'skipped', message: test.reason ?? '' } };
    case 'knownBug':
      return { ...common, outcome: { kind: 'skipped', message: `known bug: ${test.reason ?? ''}` } };
    case 'unexpectedPass':
    case 'failed': {
      const message = failureTitle(test);
      const details = [message, ...failureDetails(test)].join('\n');
      return { ...common, outcome: { kind: 'failure', message, type: test.outcome, details } };
    }
    default:
      return test.outcome satisfies never;
  }
}

function unemulatedCase({ unemulated, file }: ContractResult): readonly JunitCase[] {
  if (unemulated.length === 0) return [];
  const lines = unemulated.map(({ message, origin }) =>
    origin === undefined ? message : `${origin.file}:${origin.line}: ${message}`,
  );
  const outcome = { kind: 'failure' as const, type: 'unemulated', message: lines[0] ?? '', details: lines.join('\n') };
  return [{ name: 'nothing in use that is not emulated', classname: file, outcome }];
}
