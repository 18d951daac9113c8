// For programs: everything that is known, as one JSON document.
import { diagnosticToJson } from '../../diagnostics/render.js';
import type { ContractReporter, Report, Write } from '../report.js';

export class JsonReporter implements ContractReporter {
  private readonly write: Write;

  constructor(write: Write) {
    this.write = write;
  }

  end(report: Report): void {
    const { ok, counts, coverage, failUnder, milliseconds } = report;
    const contracts = report.results.map((result) => ({
      ...result,
      diagnostics: result.diagnostics.map(diagnosticToJson),
      unemulated: result.unemulated.map(diagnosticToJson),
    }));
    this.write(`${JSON.stringify({ ok, counts, coverage, failUnder, milliseconds, contracts }, undefined, 2)}\n`);
  }
}
