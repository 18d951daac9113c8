// JUnit XML of findings and test results. There is no one standard: what is written here is valid to the schema of Ant's
// JUnitReport and to that of Jenkins' xunit plugin, which GitLab, GitHub actions and IDEs read as well. Importing this
// file costs some 80 ms (the XML package), so commands import it when somebody asks for JUnit.
import { create } from 'xmlbuilder2';

/** One test, or one finding. */
export interface JunitCase {
  readonly name: string;
  /** Groups cases in reports; default: the name of the suite. */
  readonly classname?: string;
  /** Seconds; default 0. */
  readonly time?: number;
  /** Absent: passed. `error` is for what could not be judged at all. */
  readonly outcome?: {
    readonly kind: 'failure' | 'error' | 'skipped';
    /** One line; further lines are joined with blanks. */
    readonly message: string;
    /** A word for the sort of failure, such as a code; default: the kind. Not written for `skipped`. */
    readonly type?: string;
    /** Everything there is to say, in lines. Not written for `skipped`. */
    readonly details?: string;
  };
}

/** The cases of one file. */
export interface JunitSuite {
  /** Usually the file; '' is written as `postern`. */
  readonly name: string;
  readonly cases: readonly JunitCase[];
  /** When it began, milliseconds since 1970; default: the beginning of 1970, so that the same input gives the same text. */
  readonly timestamp?: number;
  /** Seconds; default: the sum of the cases. */
  readonly time?: number;
  readonly properties?: Readonly<Record<string, string>>;
  readonly systemOut?: string;
  readonly systemErr?: string;
}

/**
 * The whole document, indented, with a newline at the end. Characters that XML cannot hold become U+FFFD.
 *
 *     renderJunit([{ name: 'shop.contract.yaml', cases: [{ name: 'beta users reach v2', time: 0.004 }] }]);
 */
export function renderJunit(suites: readonly JunitSuite[]): string {
  const root = create({ version: '1.0', encoding: 'UTF-8' }).ele('testsuites');
  for (const [id, suite] of suites.entries()) {
    const name = token(suite.name) || 'postern';
    const count = (kind: 'failure' | 'error' | 'skipped'): string =>
      String(suite.cases.filter(({ outcome }) => outcome?.kind === kind).length);
    const node = root.ele('testsuite', {
      name,
      package: name,
      id: String(id),
      timestamp: new Date(suite.timestamp ?? 0).toISOString().slice(0, 'YYYY-MM-DDTHH:MM:SS'.length),
      hostname: 'localhost',
      tests: String(suite.cases.length),
      failures: count('failure'),
      errors: count('error'),
      skipped: count('skipped'),
      time: seconds(suite.time ?? suite.cases.reduce((sum, { time = 0 }) => sum + time, 0)),
    });
    const properties = node.ele('properties');
    for (const [key, value] of Object.entries(suite.properties ?? {})) {
      properties.ele('property', { name: token(key) || '-', value: legal(value) });
    }
    for (const one of suite.cases) {
      const written = node.ele('testcase', {
        name: token(one.name),
        classname: token(one.classname ?? '') || name,
        time: seconds(one.time ?? 0),
      });
      const { outcome } = one;
      if (outcome?.kind === 'skipped') written.ele('skipped', { message: token(outcome.message) });
      else if (outcome !== undefined) {
        const attributes = { message: token(outcome.message), type: token(outcome.type ?? '') || outcome.kind };
        written.ele(outcome.kind, attributes).txt(legal(outcome.details ?? outcome.message));
      }
    }
    node.ele('system-out').txt(legal(suite.systemOut ?? ''));
    node.ele('system-err').txt(legal(suite.systemErr ?? ''));
  }
  return `${root.end({ prettyPrint: true })}\n`;
}

/** An attribute's line breaks would be read as blanks anyway. */
function token(text: string): string {
  return legal(text).replace(/\s+/g, ' ').trim();
}

/** XML has no way to write control characters and lone surrogates, escaped or not. */
function legal(text: string): string {
  return text.replace(/[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/gu, '\ufffd');
}

// At most three digits before the point in one of the two schemas, so no thousands separator and no exponent.
function seconds(time: number): string {
  return Math.max(0, time).toFixed(3);
}
